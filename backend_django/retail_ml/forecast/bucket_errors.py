"""What products were forecast to sell over 1 to 91 days, and what they sold: the evidence for widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.buckets import Chunk

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOWS = (1, 7, 14, 28, 56, 91)
SINGLE = 4
"""Single days of each origin that are kept, spread over its first four weeks."""
SLOTS = (1,) * SINGLE + WINDOWS[1:]
LATELY = 63
"""Days of origins that widths of up to four weeks are learned from."""
NEXT_TO_NOTHING = 0.2
"""Units forecast for 28 days below which a series counts as gone."""
FEWEST_PAIRS = 40
MOST_OFF = 6.0
COLUMNS = ("even_91", "largest_day", "sale_days_91", "days_since_sale", "rate_28")


def small(days: int) -> float:
    """Units added to a forecast of `days` days, so that one of nothing has a width too: half a unit per 28 days."""
    return 0.5 * days / 28


@dataclass(frozen=True)
class Errors:
    """One row per product and origin: `columns` (rows, 5), `rate` (rows,) forecast of 28 days, `origin` (rows,).

    `forecast` and `actual` (rows, SLOTS) of the sums, NaN where not known; `over` (rows, SLOTS): days of history
    after which they were.
    """

    columns: Array
    rate: Array
    origin: Ints
    forecast: Array
    actual: Array
    over: Ints

    @classmethod
    def of(cls, fold: Fold, columns: Array | None = None) -> Self:
        """From one fold (columns of 0 where they are not known).

        Days inside a long closure of the shop leave the sums that hold them unknown.
        """
        n, seen = fold.actual.shape
        ahead = fold.forecast.shape[1]
        opened = np.flatnonzero((fold.forecast[:, :28].sum(axis=0) > 0) & fold.counted[:28])
        starts = opened[np.linspace(0, len(opened) - 1, SINGLE).round().astype(int)] if len(opened) else opened
        forecast, actual = np.full((n, len(SLOTS)), np.nan), np.full((n, len(SLOTS)), np.nan)
        over = np.zeros((n, len(SLOTS)), dtype=np.int64)
        for slot, days in enumerate(SLOTS):
            if slot < SINGLE and not len(starts):
                continue
            start = int(starts[slot]) if slot < SINGLE else 0
            over[:, slot] = fold.cutoff + start + days
            if start + days > min(seen, ahead) or 3 * fold.counted[start : start + days].sum() < days:
                continue
            forecast[:, slot] = fold.forecast[:, start : start + days].sum(axis=1)
            actual[:, slot] = np.maximum(fold.actual[:, start : start + days].sum(axis=1), 0.0)
        near = fold.forecast[:, :28]
        rate = near.sum(axis=1) * 28 / max(near.shape[1], 1)
        columns = np.zeros((n, len(COLUMNS))) if columns is None else columns
        return cls(columns, rate, np.full(n, fold.cutoff), forecast, actual, over)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of several."""
        fields = ("columns", "rate", "origin", "forecast", "actual", "over")
        return cls(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        empty = np.zeros((0, len(SLOTS)))
        return cls(np.zeros((0, len(COLUMNS))), np.zeros(0), np.zeros(0, int), empty, empty, empty.astype(int))

    def known_at(self, days: int) -> Self:
        """As far as it could be seen after `days` days of history."""
        seen = self._where(self.origin < days)
        return replace(seen, actual=np.where(seen.over <= days, seen.actual, np.nan))

    def at(self, origin: int) -> Self:
        """The rows of one origin."""
        return self._where(self.origin == origin)

    def lately(self, days: int = LATELY) -> Self:
        """Sums of up to four weeks only of origins of the last `days` days before the latest: widths have seasons."""
        if not len(self):
            return self
        old = self.origin < self.origin.max() - days
        return replace(self, actual=np.where(old[:, None] & (np.array(SLOTS) <= 28), np.nan, self.actual))

    def alive(self) -> Self:
        """Without what was forecast at next to nothing: that it sold nothing again says nothing of the others."""
        return self._where(self.rate >= NEXT_TO_NOTHING)

    def times(self, factor: float) -> Self:
        """With every forecast multiplied."""
        return replace(self, rate=self.rate * factor, forecast=self.forecast * factor)

    def _where(self, keep: npt.NDArray[np.bool_]) -> Self:
        fields: tuple[Any, ...] = (self.columns, self.rate, self.origin, self.forecast, self.actual, self.over)
        return type(self)(*(values[keep] for values in fields))

    def __len__(self) -> int:
        return len(self.rate)

    def of_days(self, days: int) -> tuple[Array, Array, Ints]:
        """(forecast, actual, row) of every known sum over a window of `days` days."""
        found = [(self.forecast[:, s], self.actual[:, s]) for s, d in enumerate(SLOTS) if d == days]
        row = np.tile(np.arange(len(self)), len(found))
        forecast, actual = (np.concatenate(x) for x in zip(*found, strict=True))
        known = np.isfinite(actual)
        return forecast[known], actual[known], row[known]

    def longest(self, most: int = 28) -> int:
        """The longest window of at most `most` days of which sums are known; 1 where there are none."""
        return max((d for d in WINDOWS if d <= most and len(self.of_days(d)[0])), default=1)


MOSTLY_THERE = 0.5
"""Share of a sum's forecast that must have been on the shelf for it to count as an error."""
UNTESTED_GROWTH = 0.5


def seen(fold: Fold, columns: Array, *, shelf: npt.NDArray[np.floating] | None) -> Errors:
    """`Errors.of`, where sales can be no more than what was on the shelf: forecasts times `shelf` (series, days).

    Sums of which less than half was there say nothing. None: everything was there.
    """
    whole = Errors.of(fold, columns)
    if shelf is None:
        return whole
    found = Errors.of(replace(fold, forecast=fold.forecast * shelf), columns)
    known = found.forecast >= MOSTLY_THERE * whole.forecast
    return replace(found, rate=whole.rate, actual=np.where(known, found.actual, np.nan))


def later_growth(errors: Errors) -> float:
    """β: the relative error of n days that begin after s others is (1 + s/n)^β times that of the next n days.

    From the errors of the weeks 2, 3–4 and 5–8 against those of as many days before them: β = log₂ of the ratio of
    their root mean squares, the mean of the pairs, within 0…1. ½ (a level that wanders) where none was tested.

    >>> later_growth(Errors.none())
    0.5
    """
    found = []
    for days in (7, 14, 28):
        first, both = SLOTS.index(days), SLOTS.index(2 * days)
        near, all_ = ((errors.forecast[:, s], errors.actual[:, s]) for s in (first, both))
        later = (all_[0] - near[0], all_[1] - near[1])
        known = np.isfinite(all_[1]) & np.isfinite(near[1])
        if known.sum() < FEWEST_PAIRS:
            continue
        one, two = (
            np.minimum((actual - forecast) / (forecast + small(days)), MOST_OFF)[known]
            for forecast, actual in (near, later)
        )
        found.append(0.5 * np.log2(max(np.square(two).mean(), 1e-12) / max(np.square(one).mean(), 1e-12)))
    return float(np.clip(np.mean(found), 0.0, 1.0)) if found else UNTESTED_GROWTH


def columns(chunk: Chunk, origin: int) -> Array:
    """COLUMNS of each product at `origin`: how regular its sales are, (products, 5)."""
    from retail_ml.forecast.bucket_features import NAMES, own

    found = own(chunk, origin)
    return np.column_stack([found[NAMES.index(name)] for name in COLUMNS])
