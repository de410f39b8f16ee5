"""What a direct forecast may know: the calendar of the target day, and levels of days up to the origin.

One row is one (series, origin, horizon). Everything that depends on sales is read from days at or before the
origin; the target day gives its date only. The target of learning is the ratio of the day to `level`, the mean
of the 28 days before the origin, so that series of any size share one scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.calendar import CHRISTMAS_CAP
from retail_ml.forecast.history import History

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

YEAR = 364
NEXT_TO_CLOSURE = 0.2  # prior sd of the logarithmic effect of a closure on the day beside it
HOLIDAY = 0.3  # of a holiday on which the shop opens
YEAR_IN_NAME = re.compile(r"\b(19|20)\d\d\b")
PROMOTION = 0.5  # of a promotion, and of the share of a stated uplift that comes true
YEARLY_FROM = 300  # days of history from which a yearly wave is believed
NAMES = (
    "horizon", "weekday", "weekday_8_weeks", "weekday_26_weeks", "level_7", "level_91", "level_182",
    "days_to_christmas", "christmas_weeks", "days_to_easter", "day_of_month", "before_closed_day", "after_closed_day",
    "open_holiday", "promotion", "stated_uplift",
    "year_sin_1", "year_cos_1", "year_sin_2", "year_cos_2", "year_sin_3", "year_cos_3",
    "last_year_fortnight", "last_year_week",
)  # fmt: skip
"""Names of the columns of `Rows.X`, in order. Ratios are logarithms; `last_year_…` is NaN where unknown."""


@dataclass(frozen=True)
class Rows:
    """`X` (rows, len(NAMES)); `level` (rows,) in the data's unit; `ratio` (rows,) the target, NaN when ahead."""

    X: Array
    level: Array
    ratio: Array
    series: Index
    horizon: Index


class FeatureBuilder:
    """Running sums of one history, from which rows of any origin are cut without looking past the origin.

    >>> from datetime import date
    >>> h = History(date(2026, 1, 1), np.full((1, 90), 5.0), np.ones(90, dtype=bool))
    >>> rows = FeatureBuilder(h).ahead(14)
    >>> rows.X.shape, float(rows.level[0])
    ((14, 24), 5.0)
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.y = history.capped
        self.open_index = np.flatnonzero(history.usable)
        self.sums = np.cumsum(np.pad(self.y[:, self.open_index], ((0, 0), (1, 0))), axis=1)
        self.rank = np.cumsum(history.usable)  # usable days up to and with each day
        self.floor = 0.02 * self.sums[:, -1:] / max(len(self.open_index), 1) + 1e-9

    def levels(self, days: int, origins: Index) -> Array:
        """Mean per open day over the last `days` days up to each origin, (series, origins), never quite 0."""
        last = self.rank[origins]
        first = np.maximum(last - self.history.in_open_days(days), 0)
        mean = (self.sums[:, last] - self.sums[:, first]) / np.maximum(last - first, 1)
        past = self.sums[:, last] / np.maximum(last, 1)  # nothing sold lately: a trace of the level before
        return np.maximum(mean, np.maximum(0.02 * past, 1e-9))

    def past(self, *, horizon: int, max_rows: int) -> Rows:
        """Rows to learn from: origins 7 days apart counted back from the end (closer in a short history).

        Every horizon to 28, every third beyond, up to `horizon`; thinned to about `max_rows`.
        """
        days = self.history.days
        gap = 7 if days >= 200 else 3 if days >= 100 else 1
        origins = np.arange(days - 1 - gap, max(13, min(55, days // 4)), -gap)[::-1]
        steps = np.array([h for h in range(1, horizon + 1) if h <= 28 or h % 3 == 0])
        n = len(self.y)
        expected = n * len(origins) * len(steps) * self.history.open_per_week / 7
        origins = origins[:: max(1, int(np.ceil(expected / max_rows)))]
        o, h = (grid.ravel() for grid in np.meshgrid(origins, steps, indexing="ij"))
        inside = o + h < days
        inside[inside] = self.history.usable[(o + h)[inside]]
        o, h = o[inside], h[inside]
        series = np.repeat(np.arange(n), len(o))
        rows = self.rows(series, np.tile(o, n), np.tile(h, n))
        return rows

    def ahead(self, horizon: int) -> Rows:
        """Rows of the days after the last one, series by series."""
        n = len(self.y)
        h = np.tile(np.arange(1, horizon + 1), n)
        return self.rows(np.repeat(np.arange(n), horizon), np.full(len(h), self.history.days - 1), h)

    def rows(self, series: Index, origin: Index, horizon: Index) -> Rows:
        """The rows of these (series, origin, horizon), all of one length."""
        distinct, at = np.unique(origin, return_inverse=True)
        level = self.levels(28, distinct)
        trend = {d: np.log(self.levels(d, distinct) / level)[series, at] for d in (7, 91, 182)}
        weekday = (self.history.start.weekday() + origin + horizon) % 7
        by_weekday = {d: self._weekday_ratios(distinct, d)[series, at, weekday] for d in (56, 182)}
        columns = [
            horizon, weekday, by_weekday[56], by_weekday[182], trend[7], trend[91], trend[182],
            *self._date_columns(origin + horizon),
            *self._last_year(series, origin, horizon, distinct, at),
        ]  # fmt: skip
        X = np.column_stack([np.asarray(c, dtype=float) for c in columns])
        target = origin + horizon
        known = target < self.history.days
        ratio = np.full(len(target), np.nan)
        ratio[known] = self.y[series[known], target[known]] / level[series[known], at[known]]
        return Rows(X, level[series, at], ratio, series, horizon)

    def _weekday_ratios(self, origins: Index, days: int) -> Array:
        """log(weekday mean / mean) over the `days` days up to each origin, shrunk to 0: (series, origins, 7)."""
        out = np.zeros((len(self.y), len(origins), 7))
        for i, origin in enumerate(origins):
            first = max(0, origin + 1 - days)
            y, usable = self.y[:, first : origin + 1], self.history.usable[first : origin + 1]
            if not usable.any():
                continue
            day = (self.history.start.weekday() + first + np.arange(y.shape[1])) % 7
            indicator = ((day[:, None] == np.arange(7)) & usable[:, None]).astype(float)
            mean = np.maximum(y[:, usable].mean(axis=1, keepdims=True), 1e-9)
            out[:, i] = np.log(np.maximum((y @ indicator + 2 * mean) / (indicator.sum(axis=0) + 2) / mean, 0.02))
        return out

    def _date_columns(self, target: Index) -> list[Array]:
        """Columns that the target's date alone decides."""
        distinct, at = np.unique(target, return_inverse=True)
        dates = [self.history.start + timedelta(days=int(t)) for t in distinct]
        marks = self.history.calendar.marks(dates[0], int(distinct[-1] - distinct[0]) + 1)
        place = distinct - distinct[0]
        christmas = marks.to_christmas[place]
        stated = np.where(np.isfinite(marks.uplift), marks.uplift, 0.0)
        angle = 2 * np.pi * np.array([d.timetuple().tm_yday for d in dates]) / 365.25
        yearly = 1.0 if self.history.days >= YEARLY_FROM else 0.0
        columns = [christmas, np.exp(-christmas / 21.0) * (christmas < CHRISTMAS_CAP), marks.to_easter[place]]
        columns += [np.array([float(d.day) for d in dates]), marks.before_closed[place], marks.after_closed[place]]
        columns += [((marks.holiday >= 0) & marks.open)[place], marks.promotion[place], stated[place]]
        columns += [yearly * wave(k * angle) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
        return [np.asarray(c, dtype=float)[at] for c in columns]

    def _last_year(self, series: Index, origin: Index, horizon: Index, distinct: Index, at: Index) -> list[Array]:
        """log(level around the target a year ago / level of the 28 days before the origin a year ago).

        The window around the target is cut at the origin, which only matters beyond 350 days.
        """
        back = distinct - YEAR
        reference = self.levels(28, np.maximum(back, 0))[series, at]
        enough = (origin - YEAR >= 27) & (origin + horizon - YEAR <= origin)
        columns = []
        for half in (7, 3):
            middle = np.maximum(origin + horizon - YEAR, 0)
            last = self.rank[np.minimum(middle + half, origin)]
            first = self.rank[np.maximum(middle - half - 1, 0)]
            mean = (self.sums[series, last] - self.sums[series, first]) / np.maximum(last - first, 1)
            known = enough & (last - first >= half // 2 + 1) & (mean > 0)
            columns.append(np.where(known, np.log(np.where(known, mean, 1.0) / reference), np.nan))
        return columns


def calendar_terms(history: History, days: int) -> list[tuple[str, float, float, Array]]:
    """Effects of single days on the first `days` days of the grid: (group, prior mean, prior sd, values per day).

    Days beside a closure; holidays on which the shop opens, and promotions, all together and each by its name. A
    stated uplift is the prior of its own effect (a coefficient of 1 on its logarithm); without one, an effect is
    learned from the promotions of the past, those of the same name before all, and is none as long as there were none.
    """
    marks = history.calendar.marks(history.start, days)
    unknown = (marks.promotion > 0) & ~np.isfinite(marks.uplift)
    out = [
        ("closure", 0.0, NEXT_TO_CLOSURE, beside.astype(float)) for beside in (marks.before_closed, marks.after_closed)
    ]
    out.append(("promotion", 0.0, PROMOTION, unknown.astype(float)))
    out += [("promotion", 0.0, PROMOTION / 2, days_of) for days_of in _promotions(history, days)]
    out.append(("promotion", 1.0, PROMOTION, np.where(np.isfinite(marks.uplift), marks.uplift, 0.0)))
    feast = (marks.holiday >= 0) & marks.open
    seen = np.unique(marks.holiday[: history.days][(feast[: history.days]) & history.usable])
    if len(seen):
        out.append(("holiday", 0.0, HOLIDAY, feast.astype(float)))
        out += [("holiday", 0.0, HOLIDAY, (feast & (marks.holiday == name)).astype(float)) for name in seen]
    return out


def _promotions(history: History, days: int) -> list[Array]:
    """Days of the promotions of each name that the past has seen, where there are several names: 0 or 1, (days,).

    "Black Friday 2025" and "Black Friday 2026" have one name.
    """
    found: dict[str, Array] = {}
    for event in history.events:
        if event.kind == "promotion" and event.level == "total" and event.uplift is None:
            own = found.setdefault(YEAR_IN_NAME.sub("", event.name).strip().casefold(), np.zeros(days))
            first, last = (event.first - history.start).days, (event.last - history.start).days + 1
            own[max(first, 0) : max(last, 0)] = 1.0
    seen = [own for _, own in sorted(found.items()) if own[: history.days][history.usable].any()]
    return seen if len(found) > 1 else []
