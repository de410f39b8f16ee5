"""Widths of variants: the products' method (`volume_bins`) on folds of variants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retail_ml.forecast import bucket_errors, variants
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.bucket_errors import Errors
from retail_ml.forecast.buckets import Chunk, Grid
from retail_ml.forecast.curves import Bools, Floats
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.forecast.volume_bins import VolumeBins

BATCH = 4_000
"""Variants whose days are laid out at once."""


def errors(known: VariantSales, product_folds: Sequence[Fold], grid: Grid, *, out: Bools | None = None) -> Errors:
    """What variants were forecast to sell at each fold of the products, and what they sold: for `VolumeBins.calibrate`.

    `grid` of the shop's history; `out` as in `variants.learn`. Shares are those learned before each fold's cutoff.
    """
    parts = []
    for rows, fold in variants.folds(known, product_folds, out=out):
        chunk = Chunk(grid, known.panel(rows, first=0, last=known.days))
        parts.append(Errors.of(fold, bucket_errors.columns(chunk, fold.cutoff)))
    return Errors.joined(parts) if parts else Errors.none()


def spreads(known: VariantSales, grid: Grid, widths: VolumeBins, *, rate: Floats) -> Floats:
    """How hard each variant is to forecast today, (variants,), from its forecast of 28 days `rate` (variants,)."""
    found = np.ones(len(known.ids))
    for begin in range(0, len(found), BATCH):
        rows = np.arange(begin, min(begin + BATCH, len(found)))
        chunk = Chunk(grid, known.panel(rows, first=0, last=known.days))
        found[rows] = widths.spread(bucket_errors.columns(chunk, known.days), rate[rows])
    return found
