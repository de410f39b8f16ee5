"""What every model is: a constructor that only stores, `fit` that returns itself, `predict`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.history import History

if TYPE_CHECKING:
    from retail_ml.forecast.intervals import RatioIntervals

Array = npt.NDArray[np.float64]

YEAR = 364  # 52 whole weeks: the same weekday a year ago
SHAPE_FROM = 380
"""Days of history from which last year's shape can be seen."""
ABOVE_HISTORY = float(np.exp(0.3))
"""No forecast may exceed the highest (capped) day of its series by more than this factor."""


class Forecaster(ABC):
    """Forecasts every series of a history. What is learned ends in `_`; the same input gives the same numbers.

    Sub-classes implement `_fit` and `_forecast`; closed days, bounds and non-finite numbers are settled here.
    """

    name: ClassVar[str]
    least_days: ClassVar[int] = 1
    """Days of history below which the model refuses to be a candidate."""

    history_: History
    widths_: RatioIntervals | None = None
    """Widths that the model knows itself; those of other models come from their back-test."""

    def fit(self, history: History) -> Self:
        """Learn from all days of `history`; forecasts begin on the day after its last."""
        self.history_ = history
        self.top_ = history.capped.max(axis=1, initial=0.0) * ABOVE_HISTORY
        self._fit(history)
        return self

    def predict(self, horizon: int) -> Array:
        """Forecast of the next `horizon` days, shape (series, horizon): finite, never negative, 0 when closed."""
        forecast = self._forecast(horizon)
        forecast = np.where(np.isfinite(forecast), forecast, 0.0)
        forecast = np.clip(forecast, 0.0, self.top_[:, None])
        return forecast * self.history_.open_ahead(horizon)

    @abstractmethod
    def _fit(self, history: History) -> None:
        """Learn."""

    @abstractmethod
    def _forecast(self, horizon: int) -> Array:
        """Forecast, shape (series, horizon); closed days may hold anything."""


def level(history: History, days: int, *, ending: int | None = None) -> Array:
    """Mean per open day over the last `days` ordinary days before index `ending` (default: the end), (series,).

    Closures are skipped, not counted as 0: the level before a closure is the level after it.
    """
    index = np.flatnonzero(history.usable[:ending])[-history.in_open_days(days) :]
    return history.capped[:, index].mean(axis=1) if len(index) else np.zeros(len(history.y))


def weekday_factors(history: History, days: int) -> Array:
    """Ratio of each weekday to the mean of all, over the last `days` days, shape (series, 7).

    Shrunk to 1 with the weight of two weeks with sales, so that a weekday seen once does not count for much.
    """
    first = max(0, history.days - days)
    y, usable = history.capped[:, first:], history.usable[first:]
    day = (history.start.weekday() + first + np.arange(y.shape[1])) % 7
    indicator = (day[:, None] == np.arange(7)) & usable[:, None]
    seen = indicator.sum(axis=0)
    mean = y[:, usable].mean(axis=1, keepdims=True) if usable.any() else np.zeros((len(y), 1))
    sums = y @ indicator.astype(float)
    weight = 2 / np.maximum((y[:, usable] > 0).mean(axis=1, keepdims=True), 0.02) if usable.any() else 2.0
    shrunk = (sums + weight * mean) / (seen + weight)
    return np.where(mean > 0, shrunk / np.where(mean > 0, mean, 1), 1.0)


def ahead_weekdays(history: History, horizon: int) -> npt.NDArray[np.int64]:
    """Weekday (Monday 0) of the next `horizon` days."""
    return (history.origin.weekday() + 1 + np.arange(horizon)) % 7


def growth(history: History) -> Array:
    """Log of the level now / the level a year ago, (series,); 0 where unknown.

    Under SHAPE_FROM days: the last 8 weeks against the first.
    """
    if history.days >= SHAPE_FROM:
        now, before = level(history, 91), level(history, 91, ending=history.days - YEAR)
    else:
        index, some = np.flatnonzero(history.usable), history.in_open_days(56)
        now, before = (history.capped[:, part].mean(axis=1) for part in (index[-some:], index[:some]))
    known = (now > 0) & (before > 0)
    return np.log(np.where(known, now, 1.0) / np.where(known, before, 1.0))


def credibility(history: History) -> Array:
    """How far last year may be taken for season and not for growth g: 1 / (1 + (g / .5)²), (series,).

    >>> from datetime import date
    >>> y = np.r_[np.full(364, 10.0), np.full(91, 10.0 * np.exp(0.5))][None]
    >>> credibility(History(date(2024, 1, 1), y, np.ones(455, dtype=bool))).round(2).tolist()
    [0.5]
    """
    return np.asarray(1 / (1 + np.square(growth(history) / 0.5)))
