"""Sentences of the service `sales_forecast`; their codes begin with `forecast.`."""

from __future__ import annotations

from typing import Any

TEXTS: dict[str, Any] = {}
