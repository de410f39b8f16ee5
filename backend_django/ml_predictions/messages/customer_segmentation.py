"""Sentences of the service `customer_segmentation`; their codes begin with `segment.`."""

from __future__ import annotations

from typing import Any

TEXTS: dict[str, Any] = {}
