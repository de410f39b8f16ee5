"""Start-up checks: what is wrong with the settings, and how to mend it."""

from __future__ import annotations
