"""A shop that is silent now: how likely it still is on each day ahead, and forecasts that weigh it.

A closure that has lasted s days lasts more than another d with probability s / (s + d): the rule for a duration of
unknown scale (Gott 1993, Nature 363, 315; a Pareto distribution with exponent 1). Days that the calendar explains
(weekdays, holidays, closures that return, the owner's events) are not counted: their end is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.history import History

Array = npt.NDArray[np.float64]

FEWEST = 3
"""Silent days that the calendar does not explain; fewer are the rest of a closure that it does."""
PARTS = 12
"""Moments of reopening that a sum is mixed from."""
NODES = (np.arange(39) + 0.5) / 39


def silent_days(history: History) -> int:
    """Days without a sale since the last one, when they are a closure that the calendar does not explain; else 0.

    >>> from datetime import date
    >>> sold = np.arange(200) < 160
    >>> silent_days(History(date(2026, 1, 1), sold[None] * 5.0, sold))
    40
    """
    if not history.days or not history.closed_long[-1] or not history.sold.any():
        return 0
    last = int(np.flatnonzero(history.sold)[-1])
    unexplained = history.calendar.is_open(history.start, history.days)[last + 1 :]
    return history.days - 1 - last if unexplained.sum() >= FEWEST else 0


def still_closed(silent: int, horizon: int) -> Array:
    """Probability that the shop is closed on each of the next `horizon` days, (horizon,).

    >>> still_closed(90, 90)[[0, 29, 89]].round(2).tolist(), still_closed(0, 1).tolist()
    ([0.99, 0.75, 0.5], [0.0])
    """
    return silent / (silent + np.arange(1.0, horizon + 1))


def days(closed: Array, quantiles: Callable[[int, Sequence[float]], Array], probabilities: Sequence[float]) -> Array:
    """Quantiles of each day when it is 0 with probability `closed` (horizon,), (horizon, probabilities, …).

    `quantiles(day, probabilities)`: those of an open day, (probabilities, …).
    """
    p = np.asarray(probabilities)
    out = []
    for day, shut in enumerate(closed):
        opened = np.clip((p - shut) / (1 - shut), 1e-6, None)
        found = quantiles(day, opened.tolist())
        out.append(np.where((p > shut).reshape(-1, *[1] * (found.ndim - 1)), found, 0.0))
    return np.array(out)


def total(closed: Array, quantiles: Callable[[int, Sequence[float]], Array], probabilities: Sequence[float]) -> Array:
    """Quantiles of a sum over the days of `closed` (horizon,) of a shop that opens again some day, (probabilities, …).

    `quantiles(first, probabilities)`: those of the sum from day `first` on, (probabilities, …).
    """
    edges = np.unique(np.linspace(0, len(closed), PARTS + 1).round().astype(int))
    shut = np.concatenate([[1.0], closed])
    samples, weights = [], []
    for first, last in pairwise(edges.tolist()):
        chance = shut[first] - shut[last]  # it opens on one of the days first … last − 1
        samples.append(quantiles((first + last) // 2, NODES.tolist()))
        weights.append(np.full(len(NODES), chance / len(NODES)))
    never = np.zeros_like(samples[0][:1])
    values, weight = np.concatenate([*samples, never]), np.concatenate([*weights, [closed[-1]]])
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weight[order], axis=0)
    at = [(reached < p - 1e-9).sum(axis=0)[None] for p in probabilities]
    ranked = np.take_along_axis(values, order, axis=0)
    return np.concatenate([np.take_along_axis(ranked, np.minimum(i, len(ranked) - 1), axis=0) for i in at])
