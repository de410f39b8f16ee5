"""Models without anything fitted: the baselines, and the level with weekday and last year's shape."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from retail_ml.forecast.history import History
from retail_ml.forecast.models.base import (
    SHAPE_FROM,
    YEAR,
    Array,
    Forecaster,
    ahead_weekdays,
    credibility,
    level,
    weekday_factors,
)


class SeasonalNaive(Forecaster):
    """The same weekday of the last week: the naive baseline.

    >>> from datetime import date
    >>> h = History(date(2026, 1, 1), np.arange(1.0, 15.0)[None, :], np.ones(14, dtype=bool))
    >>> SeasonalNaive().fit(h).predict(8).tolist()
    [[8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 8.0]]
    """

    name: ClassVar[str] = "seasonal_naive"

    def _fit(self, history: History) -> None:
        self.week_ = last_weeks(history, history.y, 1)
        self.top_ = np.full(len(history.y), np.inf)

    def _forecast(self, horizon: int) -> Array:
        return self.week_[:, np.arange(horizon) % 7]


class WindowAverage(Forecaster):
    """Mean of the last `weeks` days of the same weekday (seasonal window average)."""

    name: ClassVar[str] = "window_average"

    def __init__(self, weeks: int = 4) -> None:
        self.weeks = weeks

    def _fit(self, history: History) -> None:
        self.week_ = last_weeks(history, history.capped, self.weeks)

    def _forecast(self, horizon: int) -> Array:
        return self.week_[:, np.arange(horizon) % 7]


class WeekdayMean(Forecaster):
    """Level of the last `days` days × weekday factor of the last half year: no season, no trend.

    Where sales are rare the window grows until it holds 20 days with a sale. With few days it is the mean per open
    weekday, shrunk to the mean of all.
    """

    name: ClassVar[str] = "weekday_mean"

    def __init__(self, days: int = 56) -> None:
        self.days = days

    def _fit(self, history: History) -> None:
        self.level_ = level(history, history.enough_days(self.days))
        self.factors_ = weekday_factors(history, history.enough_days(182))

    def _forecast(self, horizon: int) -> Array:
        return self.level_[:, None] * self.factors_[:, ahead_weekdays(self.history_, horizon)]

    def expected(self) -> Array:
        """What it would have forecast for every day of its own history, (series, days)."""
        day = (self.history_.start.weekday() + np.arange(self.history_.days)) % 7
        return self.level_[:, None] * self.factors_[:, day]


class HistoricAverage(Forecaster):
    """Mean of all days that are known × weekday factor: the best there is where days differ by chance alone.

    >>> from datetime import date
    >>> h = History(date(2026, 1, 1), np.full((1, 70), 6.0), np.ones(70, dtype=bool))
    >>> HistoricAverage().fit(h).predict(2).tolist()
    [[6.0, 6.0]]
    """

    name: ClassVar[str] = "historic_average"

    def _fit(self, history: History) -> None:
        self.level_ = level(history, history.days)
        self.factors_ = weekday_factors(history, history.days)

    def _forecast(self, horizon: int) -> Array:
        return self.level_[:, None] * self.factors_[:, ahead_weekdays(self.history_, horizon)]


class LastYear(Forecaster):
    """The same weekday 52 weeks ago."""

    name: ClassVar[str] = "last_year"
    least_days: ClassVar[int] = 371

    def _fit(self, history: History) -> None:
        self.year_ = history.capped[:, -YEAR:]

    def _forecast(self, horizon: int) -> Array:
        return self.year_[:, np.arange(horizon) % self.year_.shape[1]]


class SeasonalProfile(Forecaster):
    """Level × weekday × last year's smoothed shape, the shape raised to `exponent` × its credibility.

    Last year may be growth, not season: the credibility is 1 / (1 + (g / .5)²), g = log(level now / level a year
    ago). Without a year and four weeks of history there is no shape, and it is level × weekday.
    """

    name: ClassVar[str] = "seasonal_profile"
    least_days: ClassVar[int] = SHAPE_FROM

    def __init__(self, exponent: float = 0.85, days: int = 28) -> None:
        self.exponent = exponent
        self.days = days

    def _fit(self, history: History) -> None:
        self.level_ = level(history, self.days)
        self.factors_ = weekday_factors(history, 182)
        self.shape_ = yearly_shape(history, self.days, exponent=self.exponent)

    def _forecast(self, horizon: int) -> Array:
        shape = self.shape_[:, np.minimum(np.arange(horizon), YEAR - 1)]
        return self.level_[:, None] * self.factors_[:, ahead_weekdays(self.history_, horizon)] * shape


def last_weeks(history: History, y: Array, weeks: int) -> Array:
    """Mean of the last `weeks` days of the weekday of each of the next 7 days, (series, 7).

    Days inside a long closure of the whole shop are stepped over; a weekday never seen counts as 0.
    """
    out = np.zeros((len(y), 7))
    open_days = np.flatnonzero(~history.closed_long)
    for ahead in range(7):
        same = open_days[(open_days - history.days - ahead) % 7 == 0][-weeks:]
        if len(same):
            out[:, ahead] = y[:, same].mean(axis=1)
    return out


def yearly_shape(history: History, days: int, *, exponent: float, smooth: int = 7) -> Array:
    """Last year's level on each of the next 364 days relative to its level at this time of the year, (series, 364).

    The level is smoothed over ± `smooth` days. All 1 where the history is too short or last year was empty.
    """
    shape = np.ones((len(history.y), YEAR))
    if history.days < SeasonalProfile.least_days:
        return shape
    ahead = smoothed(history, smooth)[:, -YEAR:]
    reference = level(history, days, ending=history.days - YEAR)
    known = reference > 0
    power = exponent * credibility(history)
    ratio = np.clip(ahead / np.where(known, reference, 1.0)[:, None], 0.05, 20.0)
    return np.where(known[:, None], ratio ** power[:, None], shape)


def smoothed(history: History, half: int) -> Array:
    """Centred mean over the usable days within ± `half` days, weekday effects taken out, (series, days)."""
    factors = weekday_factors(history, history.days)[:, (history.start.weekday() + np.arange(history.days)) % 7]
    y = np.where(history.usable, history.capped / np.maximum(factors, 0.05), 0.0)
    sums = np.cumsum(np.pad(y, ((0, 0), (1, 0))), axis=1)
    counts = np.cumsum(np.pad(history.usable.astype(float), (1, 0)))
    t = np.arange(history.days)
    first, last = np.maximum(t - half, 0), np.minimum(t + half + 1, history.days)
    seen = counts[last] - counts[first]
    mean = (sums[:, last] - sums[:, first]) / np.maximum(seen, 1)
    held = np.maximum.accumulate(np.where(seen > 0, t, 0))  # inside a long closure: the level before it
    return mean[:, held]
