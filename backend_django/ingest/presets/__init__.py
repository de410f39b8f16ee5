"""Presets: one file per layout that `import_sales` understands."""

from __future__ import annotations

from ingest.presets import generic, online_retail_ii, prestashop, shopify, woocommerce
from ingest.presets.base import Preset

PRESETS: dict[str, Preset] = {
    p.name: p for p in (online_retail_ii.PRESET, shopify.PRESET, woocommerce.PRESET, prestashop.PRESET, generic.PRESET)
}

__all__ = ["PRESETS", "Preset"]
