"""Rates for thousands of series at once: whole columns in NumPy, no loop over series.

`shop` is the forecast of the whole shop from the same origin, shape (horizon,): the panel takes the weekly and the
yearly shape from it, or only the weekday profile.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from retail_ml.forecast.history import History
from retail_ml.forecast.models.base import Array, Forecaster, ahead_weekdays, weekday_factors
from retail_ml.forecast.models.simple import SeasonalNaive, last_weeks

WEIGHTS = ((28, 0.45), (91, 0.35), (182, 0.20))
YOUNGEST = 7  # a product is taken to be at least this many days old


class RateForecaster(Forecaster):
    """A rate per open day and series × the weekday profile of all series together."""

    def __init__(self, shop: Array | None = None) -> None:
        self.shop = shop

    def fit(self, history: History) -> RateForecaster:
        """As every model; bounds are those of the rate, so no cap per series is learned (it would cost more)."""
        self.history_ = history
        self.top_ = np.full(len(history.y), np.inf)
        self._fit(history)
        return self

    def _fit(self, history: History) -> None:
        self.rate_ = np.maximum(self._rate(history), 0.0)
        self.total_ = float(self.rate_.sum())
        self.profile_ = weekday_factors(history.summed(), 182)[0]

    def part(self, rows: slice) -> Self:
        """The same fitted model for some of its series: a long forecast of many is made piece by piece."""
        some = copy(self)
        some.history_ = replace(self.history_, y=self.history_.y[:0])  # what was learned is in the rates
        some.rate_, some.top_ = self.rate_[rows], self.top_[rows]
        return some

    def _rate(self, history: History) -> Array:
        raise NotImplementedError

    def _forecast(self, horizon: int) -> Array:
        return self.rate_[:, None] * self.profile_[ahead_weekdays(self.history_, horizon)]


class LastWeek(RateForecaster):
    """The same weekday of the last week: the naive baseline, of many series."""

    name: ClassVar[str] = SeasonalNaive.name

    def _fit(self, history: History) -> None:
        self.rate_ = last_weeks(history, history.y, 1)

    def _forecast(self, horizon: int) -> Array:
        return self.rate_[:, np.arange(horizon) % 7]


class MovingAverage(RateForecaster):
    """Mean of the last 28 days, per open day."""

    name: ClassVar[str] = "moving_average"

    def _rate(self, history: History) -> Array:
        return recent_rate(history, 28)


class BaseRate(RateForecaster):
    """.45 × rate of 28 days + .35 × rate of 91 days + .20 × rate of 182 days, per open day since the first sale."""

    name: ClassVar[str] = "base_rate"

    def _rate(self, history: History) -> Array:
        return base_rate(history)


class TeunterSyntetosBabai(RateForecaster):
    """Chance of a sale × size of a sale, each smoothed exponentially (Teunter, Syntetos & Babai 2011).

    The chance is updated on every open day, so that a product that no longer sells fades away.
    """

    name: ClassVar[str] = "tsb"

    def __init__(self, shop: Array | None = None, alpha: float = 0.1, beta: float = 0.03) -> None:
        super().__init__(shop)
        self.alpha = alpha
        self.beta = beta

    def _rate(self, history: History) -> Array:
        y = np.maximum(history.y[:, np.flatnonzero(history.usable)[-364:]], 0.0)
        sales = (y > 0).sum(axis=1)
        chance = sales / max(y.shape[1], 1)
        size = y.sum(axis=1) / np.maximum(sales, 1)
        for column in y.T:
            sold = column > 0
            size += self.alpha * sold * (column - size)
            chance += self.beta * (sold - chance)
        rate: Array = chance * size
        return rate


class ShareOfShop(RateForecaster):
    """Each series' share of the shop's recent sales × the forecast of the whole shop."""

    name: ClassVar[str] = "share_of_shop"

    def _rate(self, history: History) -> Array:
        return base_rate(history)

    def _forecast(self, horizon: int) -> Array:
        if self.shop is None:
            return super()._forecast(horizon)
        return self.rate_[:, None] / (self.total_ if self.total_ > 0 else 1.0) * self.shop[:horizon]


def recent_rate(history: History, days: int) -> Array:
    """Units per open day over the last `days` days, or since the first sale when that is later, (series,).

    In a shop that seldom sells the window holds at least 20 days with a sale.

    >>> from datetime import date
    >>> y = np.zeros((2, 40)); y[0] = 2.0; y[1, 30:] = 3.0
    >>> recent_rate(History(date(2026, 1, 1), y, np.ones(40, dtype=bool)), 28).tolist()
    [2.0, 3.0]
    """
    index = np.flatnonzero(history.usable)
    y = history.y
    first = np.where((y > 0).any(axis=1), (y > 0).argmax(axis=1), history.days)
    age = np.maximum(len(index) - np.searchsorted(index, first), history.in_open_days(YOUNGEST))
    window = min(history.in_open_days(history.enough_days(days)), len(index))
    return np.asarray(y[:, index[-window:]].sum(axis=1) / np.minimum(window, age))


def base_rate(history: History) -> Array:
    """The weighted rates of `WEIGHTS`, never negative, (series,)."""
    return np.maximum(sum(w * recent_rate(history, days) for days, w in WEIGHTS), 0.0)
