"""Sentences of the service `product_recommendation`; their codes begin with `recommend.`."""

from __future__ import annotations

from typing import Any

TEXTS: dict[str, Any] = {}
