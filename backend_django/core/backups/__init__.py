"""A backup: one file with the database, the model files, the keys and the pictures, of one moment; and the way back."""

from __future__ import annotations

from core.backups.make import make
from core.backups.restore import Restored, restore

__all__ = ["Restored", "make", "restore"]
