"""Rates of thousands of products before any origin, and what they sold in each of the four weeks after it.

Everything is counted on open days: the days of the grid on which the shop sells. Cumulative sums over them give the
rate of any window before any origin by two look-ups, for a whole chunk of products at once. A bucket is one week
ahead (1…4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.history import History
from retail_ml.forecast.models.panel import WEIGHTS, YOUNGEST

Array = npt.NDArray[np.float64]
Small = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BUCKETS = 4
WEEK = 7
NEAR = BUCKETS * WEEK
"""Days ahead that the buckets reach."""
LOST = 364
"""A product without a sale for so many days is not learned from."""


@dataclass(frozen=True)
class Extras:
    """What may be known of the products beside their sales; all optional, one entry per product.

    `price` (products,), NaN where unknown; `titles`; `available` (products, days), from 0 (on that day the product
    could not be bought: it counts neither as a day nor as a sale) to 1.
    """

    price: Array | None = None
    titles: Sequence[str] | None = None
    available: npt.NDArray[np.floating] | BoolArray | None = None


@dataclass(frozen=True)
class Grid:
    """Days ↔ open days of a shop, from a history whose series are not looked at.

    >>> from datetime import date
    >>> grid = Grid(History(date(2026, 1, 5), np.ones((1, 28)), np.tile([True] * 6 + [False], 4)))
    >>> int(grid.before[28]), grid.back(28, 14), grid.open_ahead(28).tolist()
    (24, 12, [6, 6, 6, 6])
    """

    history: History

    @cached_property
    def usable(self) -> BoolArray:
        """Days that say something about demand, (days,)."""
        return self.history.usable

    @cached_property
    def before(self) -> Ints:
        """Usable days before each day, (days + 1,)."""
        return np.concatenate([[0], np.cumsum(self.usable)])

    def back(self, origin: int, days: int) -> int:
        """Open days in the `days` days before `origin`, or in as many as hold enough with a sale; at most all.

        Enough are 20 from 28 days on, five of seven days below: only where sales are rare is a window longer.

        Counted as ordinary weeks, so that a closure does not shorten the window.
        """
        sales = self._sales
        first = int(np.searchsorted(sales, sales[origin] - round(20 * min(days / 28, 1.0)), side="right")) - 1
        reached = min(max(days, origin - max(first, 0)), origin)
        return int(np.clip(self.history.in_open_days(reached), 1, max(self.before[origin], 1)))

    @cached_property
    def _sales(self) -> Ints:
        return np.concatenate([[0], np.cumsum(self.history.sold & self.usable)])

    def ahead(self, origin: int, horizon: int) -> BoolArray:
        """Will the shop be open on each of the days after `origin`, by what was known then? (horizon,)"""
        return self.known_at(origin).open_ahead(horizon)

    def open_ahead(self, origin: int) -> Ints:
        """Days of each bucket after `origin` on which the shop will be open, (BUCKETS,)."""
        return np.asarray(self.ahead(origin, NEAR).reshape(BUCKETS, WEEK).sum(axis=1))

    def known_at(self, origin: int) -> History:
        """The shop's days up to `origin`, without series."""
        empty = replace(self.history, y=self.history.y[:0])
        return empty.until(origin)


class Chunk:
    """Cumulative sums over the open days, (products, open days + 1) each: `units`, `sales`, `root` (√units), `open`.

    `open` counts the days on which the product could be bought, one row for all where that was `always`; `first`
    (products,) the open day of the first sale, `last` (products, open days + 1) the latest one before each day (−1:
    none).

    >>> from datetime import date
    >>> h = History(date(2026, 1, 1), np.array([[0.0, 2.0] * 20, [0.0] * 36 + [3.0] * 4]), np.ones(40, dtype=bool))
    >>> chunk = Chunk(Grid(h), h.y)
    >>> chunk.rate(40, 28).round(2).tolist()  # the second has been sold for 4 days, which count as a week
    [1.0, 1.71]
    """

    def __init__(self, grid: Grid, y: Array, available: npt.NDArray[np.floating] | BoolArray | None = None) -> None:
        self.grid = grid
        y = np.asarray(y[:, grid.usable], dtype=float)
        there = None if available is None else np.asarray(available[:, grid.usable], dtype=float)
        if there is not None:
            y = np.where(there > 0, y, 0.0)
        sold = y > 0
        self.units = _cumulated(y)
        self.sales = _cumulated(sold.astype(np.float32))
        # In steps of 1/256, so that sums over products are exact, in whatever order and chunks they are added.
        self.root = _cumulated(np.round(256 * np.sqrt(np.maximum(y, 0.0))) / 256)
        days = np.arange(y.shape[1], dtype=np.int32)
        self.always = there is None
        self.open = np.arange(y.shape[1] + 1, dtype=float)[None] if there is None else _cumulated(there)
        latest = np.maximum.accumulate(np.where(sold, days, np.int32(-1)), axis=1)
        self.last = np.concatenate([np.full((len(y), 1), -1, dtype=np.int32), latest], axis=1)
        self.first = np.where(sold.any(axis=1), sold.argmax(axis=1), y.shape[1])

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: Ints) -> Chunk:
        """The same for some of its products."""
        out = object.__new__(Chunk)
        out.grid = self.grid
        out.units, out.sales, out.root = self.units[rows], self.sales[rows], self.root[rows]
        out.always, out.open = self.always, self.open if self.always else self.open[rows]
        out.last, out.first = self.last[rows], self.first[rows]
        return out

    def rate(self, origin: int, days: int, of: str = "units") -> Array:
        """Per open day over the last `days` days before `origin`, or since the first sale when that is later.

        (products,), NaN where the product could never be bought in that time.
        """
        table, at = getattr(self, of), int(self.grid.before[origin])
        low = at - self.grid.back(origin, days)
        if self.always:
            young = self.grid.history.in_open_days(YOUNGEST)
            there = np.minimum(at - low, np.maximum(at - self.first, min(young, at)))
        else:
            young = self.grid.history.in_open_days(YOUNGEST)
            since = np.maximum(low, np.minimum(self.first, max(at - young, 0)))
            there = self.open[:, at] - self.open[np.arange(len(self)), np.minimum(since, at)]
        sold = np.maximum(table[:, at] - table[:, low], 0.0)
        return np.asarray(np.where(there >= 0.5, sold / np.maximum(there, 0.5), np.nan), dtype=float)

    def base(self, origin: int) -> Array:
        """.45 × rate of 28 days + .35 × rate of 91 + .20 × rate of 182, over the windows that are known, (products,).

        A product that could not be bought in any of them has the rate of the last year, then 0.
        """
        rates = np.stack([self.rate(origin, days) for days, _ in WEIGHTS])
        weights = np.array([w for _, w in WEIGHTS])[:, None] * np.isfinite(rates)
        total = weights.sum(axis=0)
        found = (np.nan_to_num(rates) * weights).sum(axis=0) / np.where(total > 0, total, 1.0)
        if self.always or (total > 0).all():
            return np.asarray(found)
        return np.where(total > 0, found, np.nan_to_num(self.rate(origin, 364)))

    def target(self, origin: int) -> tuple[Array, Array]:
        """Units per open day of each bucket after `origin`, and its open days: (products, BUCKETS) each."""
        edges = self.grid.before[origin + WEEK * np.arange(BUCKETS + 1)]
        units = np.maximum(np.diff(self.units[:, edges], axis=1), 0.0)
        there = np.broadcast_to(np.diff(self.open[:, edges], axis=1), units.shape)
        return units / np.maximum(there, 0.5), np.where(there >= 0.5, there, 0.0)

    def alive(self, origin: int) -> BoolArray:
        """Products sold before `origin`, and not too long before it, (products,)."""
        at = int(self.grid.before[origin])
        latest = self.last[:, at]
        return np.asarray((latest >= 0) & (at - latest <= self.grid.history.in_open_days(LOST)))


def _cumulated(values: npt.NDArray[np.floating]) -> Array:
    """Running sums along the days with a leading 0. Whole numbers stay exact in single precision here."""
    out = np.zeros((len(values), values.shape[1] + 1), dtype=values.dtype)
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out
