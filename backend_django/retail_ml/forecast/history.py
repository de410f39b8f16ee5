"""Daily series on one grid: the input of every model. A slice of it is all that a model in the past may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.forecast import calendar, closures
from retail_ml.forecast.calendar import Calendar
from retail_ml.forecast.closures import BoolArray
from retail_ml.forecast.events import Event

Array = npt.NDArray[np.float64]

LEAST_KEPT = 0.1

DENSE = 0.90  # share of open days with a sale from which a day without one says nothing about demand


@dataclass(frozen=True)
class History:
    """`y` (series, days): one target per series and business day from `start` on; a day without a sale is 0.

    `sold` (days,): did the whole shop sell anything that day?

    `country` (ISO 3166 alpha-2, "": guess it from the closed days) and `region` name its public holidays. `events`
    are the owner's plans, known before their day: a history cut by `until` keeps those of later days.

    >>> h = History(date(2026, 1, 1), np.ones((1, 30)), np.ones(30, dtype=bool))
    >>> h.until(10).origin, h.until(10).y.shape
    (datetime.date(2026, 1, 10), (1, 10))
    """

    start: date
    y: Array
    sold: BoolArray
    country: str = ""
    region: str = ""
    events: tuple[Event, ...] = ()

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self.sold)

    @property
    def origin(self) -> date:
        """The last day known: forecasts begin on the day after."""
        return self.start + timedelta(days=self.days - 1)

    def until(self, days: int) -> History:
        """The first `days` days, copied: nothing later can be reached from it."""
        return replace(self, y=self.y[:, :days].copy(), sold=self.sold[:days].copy())

    def summed(self) -> History:
        """One series: the sum of all."""
        return replace(self, y=self.y.sum(axis=0, keepdims=True))

    @cached_property
    def calendar(self) -> Calendar:
        """When the shop is closed, as far as these days show it."""
        return calendar.learn(self.start, self.sold, country=self.country, region=self.region, events=self.events)

    @cached_property
    def closed_long(self) -> BoolArray:
        """Days inside a long closure of the whole shop, shape (days,); not to be written to."""
        return self._masks[0]

    @cached_property
    def usable(self) -> BoolArray:
        """Days that say something about demand: open, and not silent in a shop that sells every day. (days,)

        Not to be written to.
        """
        return self._masks[1]

    @cached_property
    def _masks(self) -> tuple[BoolArray, BoolArray]:
        return _masks(self.start, np.asarray(self.sold, dtype=bool).tobytes(), self.country, self.region, self.events)

    @cached_property
    def open_per_week(self) -> float:
        """Open days in an ordinary week."""
        return float(7 - len(self.calendar.closed_weekdays))

    def in_open_days(self, days: int) -> int:
        """How many open days there are in so many ordinary days; at least 1."""
        return max(1, round(days * self.open_per_week / 7))

    def enough_days(self, days: int, *, sale_days: int = 20) -> int:
        """`days`, or as many as are needed to look back on `sale_days` days with a sale, or all there are.

        >>> sparse = np.arange(200) % 10 == 0
        >>> History(date(2026, 1, 1), sparse[None, :] * 1.0, sparse).enough_days(56, sale_days=10)
        100
        """
        back = np.cumsum((self.sold & self.usable)[::-1])
        reached = int(np.searchsorted(back, sale_days)) + 1
        return min(max(days, reached), self.days)

    def open_ahead(self, horizon: int) -> BoolArray:
        """Is the shop open on each of the next `horizon` days? Shape (horizon,)."""
        return self.calendar.is_open(self.origin + timedelta(days=1), horizon)

    @cached_property
    def capped(self) -> Array:
        """`y` with freak days cut to what their series can be believed to reach, and no day below 0.

        The cap is exp(median + max(log 6, 5 robust sd)) of the logarithms of its positive usable days. What came
        back on negative days is taken from all days alike (see `kept`), so that the mean stays what it was.
        """
        return winsorise(self.y, self.usable) * self.kept[:, None]

    @cached_property
    def kept(self) -> Array:
        """Share of each series' positive days that its negative days leave of them, at least LEAST_KEPT, (series,)."""
        sold = winsorise(self.y, self.usable)
        back = np.minimum(np.maximum(-self.y, 0.0), sold.max(axis=1, keepdims=True, initial=0.0)).sum(axis=1)
        whole = sold.sum(axis=1)
        return np.asarray(np.maximum(1 - back / np.where(whole > 0, whole, 1.0), LEAST_KEPT))


@lru_cache(maxsize=256)
def _masks(
    start: date, sold_bytes: bytes, country: str, region: str, events: tuple[Event, ...]
) -> tuple[BoolArray, BoolArray]:
    """`History.closed_long` and `History.usable`, remembered as the calendar is: all levels and models share them."""
    sold: BoolArray = np.frombuffer(sold_bytes, dtype=bool)
    known = calendar.learn(start, sold, country=country, region=region, events=events)
    long = closures.closures(sold, known.regular(start, len(sold)))
    usable = known.is_open(start, len(sold)) & ~long
    if closures.sold_share(sold, usable) >= DENSE:
        usable &= sold
    usable = usable if usable.any() else np.ones(len(sold), dtype=bool)
    long.setflags(write=False)
    usable.setflags(write=False)
    return long, usable


def winsorise(y: Array, usable: BoolArray) -> Array:
    """Cut every series (series, days) to [0, cap]; the cap is learned on its positive usable days.

    >>> y = np.array([[10.0, 12.0, -3.0, 9.0, 11.0, 1000.0]])
    >>> winsorise(y, np.ones(6, dtype=bool)).round().tolist()
    [[10.0, 12.0, 0.0, 9.0, 11.0, 66.0]]
    """
    out = np.maximum(y, 0.0)
    for row in out:
        logs = np.log(row[usable & (row > 0)])
        if len(logs) >= 3:
            middle = np.median(logs)
            spread = 1.4826 * np.median(np.abs(logs - middle))
            np.minimum(row, np.exp(middle + max(np.log(6.0), 5 * spread)), out=row)
    return out


def from_lines(
    lines: pl.DataFrame, *, until: date, country: str = "", region: str = "", events: tuple[Event, ...] = ()
) -> tuple[History, History]:
    """Revenue and units of the whole shop per day, from its first day with a sale to `until`.

    `lines`: `frames.ORDER_LINES`, at least one of them a sale on or before `until`.
    """
    return panel(
        lines.with_columns(all=pl.lit("")),
        "all",
        np.array([""]),
        until=until,
        country=country,
        region=region,
        events=events,
    )


def panel(
    lines: pl.DataFrame,
    by: str,
    ids: Sequence[str] | npt.NDArray[np.str_],
    *,
    until: date,
    country: str = "",
    region: str = "",
    events: tuple[Event, ...] = (),
) -> tuple[History, History]:
    """Revenue and units per day of each of `ids` (values of the column `by`): two histories of (ids, days).

    The grid is the whole shop's: from its first day with a sale to `until`, for every series alike.
    """
    lines = lines.filter(pl.col("day") <= until)
    start, sold = days_with_sales(lines.filter(~pl.col("is_return"))["day"], until=until)
    daily = frames.daily_sales(lines.filter(pl.col("day") >= start), [by], until=until)
    row = frames.IdMap(np.asarray(ids)).internal(daily[by])
    column = (daily["day"] - start).dt.total_days().to_numpy()
    known = row >= 0
    out = []
    for target in ("sales", "units"):
        y = np.zeros((len(ids), len(sold)))
        y[row[known], column[known]] = daily[target].to_numpy()[known]
        out.append(History(start, y, sold, country, region, events))
    return out[0], out[1]


def days_with_sales(sale_days: pl.Series, *, until: date) -> tuple[date, BoolArray]:
    """The first of `sale_days` (one at least, none after `until`), and whether each day from it to `until` has a sale.

    >>> start, sold = days_with_sales(pl.Series([date(2026, 1, 4), date(2026, 1, 2)]), until=date(2026, 1, 5))
    >>> start, sold.tolist()
    (datetime.date(2026, 1, 2), [True, False, True, False])
    """
    start: date = sale_days.min()  # type: ignore[assignment]
    sold = np.zeros((until - start).days + 1, dtype=bool)
    sold[(sale_days.unique() - start).dt.total_days().to_numpy()] = True
    return start, sold
