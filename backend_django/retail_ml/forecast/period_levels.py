"""Weekly and monthly series: how much each sells now, and what last year and the trend add to it.

Every function takes a `Panel` and an origin, and looks at the periods before the origin only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Of the exponential smoothing: mean ages of 19, 9, 4, 2⅓ and 1 periods."""
LEVEL = ALPHAS.index(0.2)
DAMPING = 0.85
LARGEST_STEP = 1.5  # a trend may carry the level up or down by this factor at most
SHAPE = (0.2, 5.0)


@dataclass(frozen=True)
class Panel:
    """`y` (series, periods), never negative; `first` (series,): index of the first sale; `season`: periods a year.

    >>> panel = Panel.of(np.array([[0.0, 4.0, 4.0], [1.0, 0.0, 2.0]]), season=12)
    >>> panel.first.tolist(), panel.smoothed[LEVEL, :, 3].round(2).tolist()
    ([1, 0], [4.0, 1.08])
    """

    y: Array
    first: Ints
    season: int

    @classmethod
    def of(cls, y: Array, *, season: int) -> Panel:
        """A panel of series whose periods before the first sale did not exist; returns count as 0."""
        above = np.maximum(y, 0.0)
        first = np.where((above > 0).any(axis=1), (above > 0).argmax(axis=1), y.shape[1])
        return cls(above, first, season)

    @property
    def periods(self) -> int:
        """Number of periods."""
        return int(self.y.shape[1])

    @cached_property
    def smoothed(self) -> Array:
        """Exponentially smoothed level at every origin 0…periods, free of the start's bias, (alphas, series, + 1)."""
        out = np.zeros((len(ALPHAS), len(self.y), self.periods + 1))
        for row, alpha in enumerate(ALPHAS):
            total, weight = np.zeros(len(self.y)), np.zeros(len(self.y))
            for t in range(self.periods):
                alive = self.first <= t
                total = np.where(alive, (1 - alpha) * total + alpha * self.y[:, t], 0.0)
                weight = np.where(alive, (1 - alpha) * weight + alpha, 0.0)
                out[row, :, t + 1] = total / np.where(weight > 0, weight, 1.0)
        return out

    @cached_property
    def noise(self) -> Array:
        """Variance of one period around the level before it, at every origin, (series, periods + 1); ≥ 0."""
        level = self.smoothed[LEVEL]
        out, total, weight = np.zeros(level.shape), np.zeros(len(self.y)), np.zeros(len(self.y))
        for t in range(self.periods):
            alive = self.first < t
            squared = np.square(self.y[:, t] - level[:, t])
            total = np.where(alive, 0.93 * total + 0.07 * squared, 0.0)
            weight = np.where(alive, 0.93 * weight + 0.07, 0.0)
            out[:, t + 1] = total / np.where(weight > 0, weight, 1.0)
        return out

    @cached_property
    def sums(self) -> Array:
        """Sums of the periods before each origin, (series, periods + 1)."""
        return np.concatenate([np.zeros((len(self.y), 1)), np.cumsum(self.y, axis=1)], axis=1)

    def rate(self, origin: int, periods: int) -> Array:
        """Mean of the last `periods` periods before `origin`, or since the first sale, (series,)."""
        since = np.clip(self.first, max(origin - periods, 0), max(origin - 1, 0))
        whole = self.sums[:, origin] - self.sums[np.arange(len(self.y)), since]
        return np.asarray(whole / np.maximum(origin - since, 1))

    def age(self, origin: int) -> Ints:
        """Periods since the first sale, (series,)."""
        return np.maximum(origin - self.first, 0)


def members(panel: Panel, origin: int, horizon: int) -> Array:
    """The simple forecasts from `origin`, (members, series, horizon): levels, damped trend, and last year's shape.

    The number of members depends on the panel alone, so that the same member has the same place at every origin;
    where the year before is not known, the level stands in for its shape.
    """
    levels = panel.smoothed[:, :, origin]
    flat = np.repeat(levels[:, :, None], horizon, axis=2)
    shape = yearly_shape(panel, origin, horizon)
    seasonal = levels[[LEVEL, LEVEL + 2]][:, :, None] * shape
    return np.concatenate([flat, trend(panel, origin, horizon)[None], seasonal])


def trend(panel: Panel, origin: int, horizon: int) -> Array:
    """The level carried on by its damped recent change, (series, horizon).

    The change per period is the difference of two smoothed levels over the difference of their mean ages.
    """
    quick, slow = ALPHAS.index(0.3), ALPHAS.index(0.1)
    now, before = panel.smoothed[quick, :, origin], panel.smoothed[slow, :, origin]
    ages = [(1 - ALPHAS[k]) / ALPHAS[k] for k in (quick, slow)]
    step = (now - before) / (ages[1] - ages[0])
    reach = ages[0] * DAMPING + np.cumsum(DAMPING ** np.arange(1, horizon + 1))
    return np.clip(now[:, None] + step[:, None] * reach, now[:, None] / LARGEST_STEP, now[:, None] * LARGEST_STEP)


def yearly_shape(panel: Panel, origin: int, horizon: int) -> Array:
    """Level of each period ahead relative to now, as last year had it, (series, horizon).

    A series' own ratio, shrunk to that of all series with the weight of its noise, to the power of the credibility
    1 / (1 + (g / .5)²), g = log(level now / level a year ago): last year may be growth, not season.
    """
    season, half = panel.season, max(1, panel.season // 24)
    back = origin - season
    if back < max(3, season // 6):
        return np.ones((len(panel.y), horizon))
    reference = panel.rate(back, max(3, season // 4))
    starts = back + np.arange(horizon) % season
    first, last = np.maximum(starts - half, 0), np.minimum(starts + half + 1, origin)
    found = (panel.sums[:, last] - panel.sums[:, first]) / (last - first)
    alive = (panel.first < back) & (reference > 0)
    weight = np.where(alive, 1 / np.sqrt(np.maximum(reference, 1e-9)), 0.0)
    common = (
        (found * weight[:, None]).sum(axis=0) / max(float((reference * weight).sum()), 1e-9) if alive.any() else 1.0
    )
    dispersion = panel.noise[:, origin] / np.maximum(panel.smoothed[LEVEL, :, origin], 1e-9)
    prior = 3 * dispersion[:, None] / (last - first)
    own = (found + prior * common) / np.maximum(reference[:, None] + prior, 1e-9)
    ratio = np.clip(np.where(alive[:, None], own, common), *SHAPE)
    return np.asarray(ratio ** credibility(panel, origin)[:, None])


def credibility(panel: Panel, origin: int) -> Array:
    """How far last year may be taken for season, (series,): by the growth of the series and of all together."""
    quarter = max(3, panel.season // 4)
    now, before = panel.rate(origin, quarter), panel.rate(origin - panel.season, quarter)
    alive = (panel.first < origin - panel.season) & (now > 0) & (before > 0)
    if not alive.any():
        return np.zeros(len(panel.y))
    common = np.log(now[alive].sum() / before[alive].sum())
    own = np.where(alive, np.log(np.where(alive, now, 1.0) / np.where(alive, before, 1.0)), common)
    dense = np.minimum(panel.rate(origin, panel.season) / np.sqrt(np.maximum(panel.noise[:, origin], 1e-9)), 1.0)
    growth = dense * own + (1 - dense) * common
    return np.asarray(0.85 / (1 + np.square(growth / 0.5)))
