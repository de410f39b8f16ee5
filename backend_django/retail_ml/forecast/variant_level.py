"""The level of variants: shares of their products, back-tested beside simple methods, with widths of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from retail_ml import engine
from retail_ml.forecast import bucket_errors, metrics, variants
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.bucket_errors import Errors
from retail_ml.forecast.buckets import Chunk, Grid
from retail_ml.forecast.curves import Floats, Ints
from retail_ml.forecast.history import History
from retail_ml.forecast.models import BASELINE
from retail_ml.forecast.models.panel import BaseRate
from retail_ml.forecast.products import ProductsTrained
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.forecast.volume_bins import VolumeBins, nested_coverage
from retail_ml.shelf import StockDays

METHOD = "style_share"
BATCH = 4_000
"""Variants whose days are laid out at once."""


@dataclass(frozen=True, eq=False)
class VariantsTrained:
    """`ids`, `product` row and `share` (variants,) of it; widths by `spread` (variants,); the evidence by method.

    `errors`: errors of the sums by method; `coverage` of their intervals; `later`: as `bucket_errors.later_growth`;
    `tested`: variants in the last back-test, `folds` their number.
    """

    ids: npt.NDArray[np.str_]
    product: Ints
    share: Floats
    widths: VolumeBins
    spread: Floats
    later: float
    errors: dict[str, dict[str, float | None]]
    coverage: dict[str, float | None]
    folds: int
    tested: int


def train(
    known: VariantSales, product: ProductsTrained, history: History, *, horizon: int, stock: StockDays | None = None
) -> VariantsTrained:
    """Learn the shares of today, and how good shares were at each fold of the products.

    `history`: the grid; `horizon`: days of a back-test; `stock`: the days without stock, rows as in `known`.
    """
    grid, out = Grid(replace(history, y=history.y[:0])), None if stock is None else stock.out
    today = variants.learn(known, out=out)
    some, rows = _sampled(known, product.sampled)
    folds = variants.folds(some, product.replayed, out=None if out is None else out[rows])
    windows = sorted({7, horizon})
    parts, simple = [], []
    for own, fold in folds:
        chunk = Chunk(grid, some.panel(own, first=0, last=some.days))
        days = slice(fold.cutoff, fold.cutoff + fold.forecast.shape[1])
        shelf = None if stock is None else stock.there(rows[own], days)
        parts.append(bucket_errors.seen(fold, bucket_errors.columns(chunk, fold.cutoff), shelf=shelf))
        simple.append(_simple(chunk, fold, history, shelf=shelf))
    errors = Errors.joined(parts) if parts else Errors.none()
    widths = VolumeBins.calibrate(errors, history)
    return VariantsTrained(
        known.ids,
        known.product,
        today.share,
        widths,
        _spreads(known, grid, widths, rate=today.of(product.mean[:, :28].sum(axis=1, dtype=float))),
        bucket_errors.later_growth(errors),
        {name: _sums([one[name] for one in simple], windows) for name in (simple[0] if simple else ())},
        nested_coverage(errors, history, origins=[fold.cutoff for _, fold in folds], windows=windows),
        len(folds),
        len(folds[-1][0]) if folds else 0,
    )


def _sampled(known: VariantSales, sampled: Ints) -> tuple[VariantSales, Ints]:
    """The variants of the products `sampled`, which are numbered anew, and their rows."""
    place = np.full(known.products, -1)
    place[sampled] = np.arange(len(sampled))
    product = np.where(known.product >= 0, place[known.product], -1) if known.products else known.product
    rows = np.flatnonzero(product >= 0)
    return replace(known.of(rows), product=product[rows], products=len(sampled)), rows


def _simple(chunk: Chunk, fold: Fold, history: History, *, shelf: npt.NDArray[np.floating] | None) -> dict[str, Fold]:
    """The fold itself, and the same days by what is simple: last week again, the base rate of each variant."""
    seen = fold.forecast.shape[1]
    week = np.diff(chunk.units[:, [int(chunk.grid.before[fold.cutoff - 7]), int(chunk.grid.before[fold.cutoff])]])
    opened = chunk.grid.ahead(fold.cutoff, seen)
    base = chunk.base(fold.cutoff)[:, None] * opened
    naive = np.broadcast_to(week / 7, fold.forecast.shape)
    there = 1.0 if shelf is None else shelf
    return {
        name: replace(fold, forecast=forecast * there)
        for name, forecast in ((METHOD, fold.forecast), (BASELINE, naive), (BaseRate.name, base))
    }


def _sums(folds: Sequence[Fold], windows: Sequence[int]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for days in windows:
        actual = np.concatenate([np.maximum(f.actual[:, :days].sum(axis=1), 0.0) for f in folds])
        forecast = np.concatenate([f.forecast[:, :days].sum(axis=1) for f in folds])
        out[f"wape_{days}"] = metrics.wape(actual, forecast)
        out[f"bias_{days}"] = metrics.bias(actual, forecast)
    return out


def _spreads(known: VariantSales, grid: Grid, widths: VolumeBins, *, rate: Floats) -> Floats:
    """How hard each variant is to forecast today, (variants,), from its forecast of 28 days `rate` (variants,)."""
    found = np.ones(len(known.ids))
    where = engine.blocks(len(found), most=BATCH)
    every = np.arange(len(found))
    parts = ((known.panel(every[rows], first=0, last=known.days), rate[rows]) for rows in where)
    work = partial(_spread, grid, widths, known.days)
    for number, spread in engine.each(work, parts, rows=[rows.stop - rows.start for rows in where]):
        found[where[number]] = spread
    return found


def _spread(grid: Grid, widths: VolumeBins, days: int, part: tuple[Floats, Floats]) -> Floats:
    """`_spreads` of one block: its days and its forecasts."""
    y, rate = part
    return widths.spread(bucket_errors.columns(Chunk(grid, y), days), rate)
