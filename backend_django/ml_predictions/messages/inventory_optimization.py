"""Sentences of the service `inventory_optimization`; their codes begin with `inventory.`."""

from __future__ import annotations

from typing import Any

TEXTS: dict[str, Any] = {}
