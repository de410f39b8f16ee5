"""How much of a day was served, where days without stock are known (`retail_ml.shelf`).

The share of a product's demand that could be served on each day (`exposure`), by which its rates divide instead of by
days: sales alone are too low on days without stock, and on those that ran out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.shelf import BATCH, StockDays, not_long_gone

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHARE_DAYS = 14.0
"""Days of its product's mean that a variant's rate begins with."""


def exposure(found: StockDays, known: VariantSales) -> npt.NDArray[np.float32]:
    """Share of each product's demand whose variants were on the shelf, (products, days), from 0 to 1.

    A day counts for a variant not at all when it was out, and by half when it ran out: at a steady demand the last
    unit goes at any hour alike (the likeliest rate of a Poisson process that is watched until then is units ÷ time).
    What each variant is of its product is judged by the days before: (units + 14 · r)/(days there + 14), with r the
    same of all its variants; so a day's exposure does not depend on what came after it. Before its first stock or
    sale, and after a quarter without any (`not_long_gone`), a variant does not count. A product of which nothing is
    in the range has 1: its silence is believed.

    >>> from datetime import date
    >>> one = StockDays(np.array(["a", "b"]), date(2026, 1, 1), np.array([[False, True], [False, False]]),
    ...     np.zeros((2, 2), bool), np.array([True, True]), {}, False)
    >>> sold = VariantSales(np.array(["a", "b"]), np.array([0, 0]), 1, np.array([0, 0]), np.array([[0], [1]]),
    ...     np.array([True, True]), np.array([0, 1]), np.array([0, 0]), np.array([9.0, 9.0]), np.ones(2), 2)
    >>> exposure(one, sold).tolist()
    [[1.0, 0.5]]
    """
    there = np.ones((known.products, found.out.shape[1]), dtype=np.float32)
    gaps = (found.out | found.ran_out).any(axis=1)
    touched = np.unique(known.product[gaps & (known.product >= 0)])
    order = np.argsort(known.product, kind="stable")
    begins = np.searchsorted(known.product[order], touched)
    ends = np.searchsorted(known.product[order], touched, side="right")
    at = 0
    while at < len(touched):  # whole products, so many that their variants fit in a batch
        to = max(int(np.searchsorted(ends, begins[at] + BATCH, side="right")), at + 1)
        rows = np.concatenate([order[b:e] for b, e in zip(begins[at:to], ends[at:to], strict=True)])
        there[touched[at:to]] = _exposure(found, known, np.sort(rows))
        at = to
    return there


def _exposure(found: StockDays, known: VariantSales, rows: Ints) -> Floats:
    """`exposure` of the products that these variants are all of, ascending."""
    product = np.unique(known.product[rows], return_inverse=True)[1]
    order = np.argsort(product, kind="stable")
    rows, product = rows[order], product[order]
    first = np.flatnonzero(np.diff(product, prepend=-1))
    place = np.argsort(rows)
    units = np.empty((len(rows), known.days))
    units[place] = known.panel(rows[place], first=0, last=known.days)
    out, ran_out = found.out[rows], found.ran_out[rows]
    seen = np.logical_or.accumulate(~out, axis=1)  # in the range since the first day with stock
    in_range = seen & (~out | not_long_gone(out))
    counts = np.where(out, 0.0, np.where(ran_out, 0.5, 1.0))
    sold, days = _before(units), _before(counts * in_range)
    of_product = np.add.reduceat(sold, first, axis=0) / np.maximum(np.add.reduceat(days, first, axis=0), 1.0)
    rate = (sold + SHARE_DAYS * of_product[product]) / (days + SHARE_DAYS)
    weight = np.where(in_range, np.maximum(rate, 1e-9), 0.0)
    total = np.add.reduceat(weight, first, axis=0)
    on_shelf = np.add.reduceat(weight * counts, first, axis=0)
    return np.divide(on_shelf, total, out=np.ones_like(total), where=total > 0)


def _before(values: Floats) -> Floats:
    """Running sums over the days before each."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)[:, :-1]], axis=1)
