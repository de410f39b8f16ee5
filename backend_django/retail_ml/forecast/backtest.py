"""Replaying the past: rolling origins, each seeing its own past only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.history import History

if TYPE_CHECKING:
    from retail_ml.forecast.intervals import RatioIntervals
    from retail_ml.forecast.models.base import Forecaster

Array = npt.NDArray[np.float64]

LONG = 91  # days ahead that are kept for calibrating longer horizons, where the data has them
MOST_FOLDS = 12
FEWEST_FOLDS = 4


@dataclass(frozen=True)
class Plan:
    """`cutoffs`: days of history of each fold, ascending; `horizon`: days ahead that are scored."""

    cutoffs: tuple[int, ...]
    horizon: int
    step: int


@dataclass(frozen=True)
class Fold:
    """One origin: what was forecast and what came, (series, ahead); ahead ≥ horizon, as far as the data reaches.

    `counted` (ahead,) is False on days inside a long closure of the whole shop, which say nothing about demand.
    `widths`: those that the model itself gave at the origin, if it gives any.
    """

    cutoff: int
    origin: date
    forecast: Array
    actual: Array
    counted: npt.NDArray[np.bool_]
    widths: RatioIntervals | None = None

    def known_at(self, cutoff: int) -> Fold:
        """The fold as far as it could be seen after `cutoff` days of history."""
        seen = max(0, min(cutoff - self.cutoff, self.actual.shape[1]))
        return replace(
            self, forecast=self.forecast[:, :seen], actual=self.actual[:, :seen], counted=self.counted[:seen]
        )


def plan(days: int, *, most: int = MOST_FOLDS) -> Plan:
    """Where to cut a history of `days` days: 28 days ahead and 28 apart, less where that gives under four folds.

    >>> p = plan(739)
    >>> len(p.cutoffs), p.horizon, p.step, p.cutoffs[-1]
    (12, 28, 28, 711)
    >>> plan(80).horizon, plan(20).cutoffs
    (14, ())
    """
    first = max(28, min(max(42, days // 3), days - 28))
    for horizon, step in ((28, 28), (28, 14), (28, 7), (14, 7), (7, 7)):
        count = (days - first - horizon) // step + 1 if days - first >= horizon else 0
        enough = 6 if step == 28 else FEWEST_FOLDS if horizon > 7 else 2
        if count >= enough:
            count = min(count, most)
            return Plan(tuple(days - horizon - step * k for k in reversed(range(count))), horizon, step)
    return Plan((), 7, 7)


def rolling_origins(history: History, cutoffs: tuple[int, ...]) -> Iterator[tuple[History, Array]]:
    """Yield (what was known, what came after): the past is a copy, so no model can reach beyond its cutoff."""
    for cutoff in cutoffs:
        yield history.until(cutoff), history.y[:, cutoff : cutoff + LONG].copy()


def replay(history: History, plan_: Plan, make: Callable[[History], Forecaster]) -> list[Fold]:
    """Fit and forecast at every origin of the plan. `make` gives a new model for a past."""
    folds = []
    for past, actual in rolling_origins(history, plan_.cutoffs):
        counted = ~history.closed_long[past.days : past.days + actual.shape[1]]
        if counted[: plan_.horizon].sum() < plan_.horizon // 3:
            continue
        model = make(past).fit(past)
        forecast = model.predict(actual.shape[1])
        folds.append(Fold(past.days, past.origin, forecast, actual, counted, model.widths_))
    return folds
