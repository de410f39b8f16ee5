"""The product model: weekly buckets by a learner over base rates, daily by the weekday profile, up to a year ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from retail_ml.forecast.bucket_features import DIFFERENT, SHAPE_BASE, YEAR
from retail_ml.forecast.bucket_learners import DEFAULT, LEARNERS, BucketLearner
from retail_ml.forecast.bucket_panel import Panel, Table
from retail_ml.forecast.buckets import BUCKETS, NEAR, WEEK, Array, BoolArray, Chunk, Ints, Small
from retail_ml.forecast.models.base import weekday_factors
from retail_ml.forecast.models.panel import WEIGHTS

LEAST_DAYS = 160
"""Days of history below which nothing is learned: the base rate serves."""
LEAST_ORIGINS = 12
MOST_GROWTH = 0.5
FEWEST_ROWS = 200
FADING = 56.0
"""Days in which, beyond the fourth week, a product's last bucket fades into its base rate (to 1/e)."""
YEARLY = 0.85
"""Exponent of last year's shape, before it is weighed by its credibility."""


@dataclass
class BucketModel:
    """Learns from the rows that were over after `end` days and forecasts from any later origin of the same panel.

    Two learners, mixed by their geometric mean: one learns the rate itself, the other only what sets products apart
    (rates divided by what all products of an origin and bucket did together; columns that are equal for all left
    out). `gated_`: what all have in common cannot be told from chance here (few origins, or a year of strong growth),
    so the second alone serves, averaged with the base rate. No learner where the history is too short: the base rate.
    """

    name: str = DEFAULT
    seed: int = 0
    whole_: BucketLearner | None = None
    apart_: BucketLearner | None = None
    gated_: bool = False

    def fit(self, panel: Panel, table: Table, end: int) -> Self:
        """Learn from the rows of `table` that were over after `end` days."""
        self.whole_ = self.apart_ = None
        table = table.until(end)
        if end < LEAST_DAYS or len(table) < FEWEST_ROWS or not table.y.any():
            return self
        few = len(panel.origins(end)) < LEAST_ORIGINS
        self.gated_ = few or abs(panel.context.growth(panel.grid, end)) > MOST_GROWTH
        apart, base = LEARNERS[self.name](seed=self.seed), table.base * _common(table)
        self.apart_ = apart.fit(table.X[:, DIFFERENT], table.y, base=base, weight=table.opened)
        if not self.gated_:
            whole = LEARNERS[self.name](seed=self.seed)
            self.whole_ = whole.fit(table.X, table.y, base=table.base, weight=table.opened)
        return self

    def rates(self, panel: Panel, chunk: Chunk, numbers: Ints, origin: int) -> tuple[Array, Array]:
        """Units per open day of each bucket (products, BUCKETS), and the base rate (products,)."""
        base = chunk.base(origin)
        each = np.repeat(base, BUCKETS)
        if self.apart_ is None:
            return each.reshape(-1, BUCKETS), base
        X = panel.features(chunk, numbers, origin)
        found = self.apart_.predict(X[:, DIFFERENT], base=each)
        found = (found + each) / 2 if self.whole_ is None else np.sqrt(found * self.whole_.predict(X, base=each))
        known = np.isfinite(found) & np.repeat(chunk.alive(origin), BUCKETS)
        return np.where(known, found, each).reshape(-1, BUCKETS), base


def daily(model: BucketModel, panel: Panel, chunk: Chunk, numbers: Ints, *, origin: int, shop: Array) -> Small:
    """Units of each of the days after `origin` that `shop` (days,) reaches, (products, days) in single precision.

    Four weeks by bucket; then a product keeps its share of `shop`, the forecast of all products together, which
    fades from that of its last bucket into that of its base rate.
    """
    rates, base = model.rates(panel, chunk, numbers, origin)
    horizon = len(shop)
    near, opened = min(horizon, NEAR), panel.grid.ahead(origin, max(horizon, NEAR))
    factors = profile(panel, origin)[_weekdays(panel, origin, NEAR)]
    out = np.empty((len(base), horizon), dtype=np.float32)
    out[:, :near] = (rates[:, :, None] * shares(opened, factors)).reshape(len(base), NEAR)[:, :near]
    if horizon > NEAR:
        last = shop[NEAR - WEEK : NEAR]
        per_day = float(last.sum() / max(opened[NEAR - WEEK : NEAR].sum(), 1))
        level = shop_base(panel, origin)
        fading = np.exp(-(np.arange(NEAR, horizon) - NEAR + 1) / FADING)
        ahead = shop[NEAR:] * opened[NEAR:horizon]
        now = ahead * fading / per_day if per_day > 0 else np.zeros(len(ahead))
        later = ahead * (1 - fading) / level if level > 0 else np.zeros(len(ahead))
        out[:, NEAR:] = rates[:, -1:] * now + base[:, None] * later
    return out


def shop_base(panel: Panel, origin: int) -> float:
    """The base rate of all products together."""
    units, at = panel.context.units, int(panel.grid.before[origin])
    backs = [(panel.grid.back(origin, days), weight) for days, weight in WEIGHTS]
    return float(sum(weight * (units[at] - units[at - back]) / back for back, weight in backs))


def shop_ahead(panel: Panel, origin: int, horizon: int) -> Array:
    """A forecast of all products together where there is no better one: base rate × weekday × last year's shape.

    The shape is that of four weeks around the day, a year ago, against the 13 weeks before the origin a year ago, to
    the power YEARLY × 1/(1 + (growth/½)²): last year may be growth, not season. 1 without a year ago. (horizon,)
    """
    units, before = panel.context.units, panel.grid.before
    days = np.arange(horizon)
    rate = shop_base(panel, origin) * profile(panel, origin)[_weekdays(panel, origin, horizon)]
    then = origin - YEAR
    if then >= SHAPE_BASE // 2 and units[-1] > 0:
        centre = then + days % YEAR
        low, high = np.clip(centre - 14, 0, origin), np.clip(centre + 14, 0, origin)
        around = (units[before[high]] - units[before[low]]) / np.maximum(before[high] - before[low], 1)
        past = before[max(then - SHAPE_BASE, 0)]
        level = (units[before[then]] - units[past]) / max(before[then] - past, 1)
        power = YEARLY / (1 + (panel.context.growth(panel.grid, origin) / 0.5) ** 2)
        rate = rate * np.clip((around + 0.1 * level) / max(1.1 * level, 1e-9), 0.2, 5.0) ** power
    return np.asarray(rate * panel.grid.ahead(origin, horizon))


def _common(table: Table) -> Array:
    """What all products of one origin and bucket did together, as a multiple of their base rates, for each row."""
    _, at = np.unique(table.origin * BUCKETS + table.bucket, return_inverse=True)
    sold = np.bincount(at, table.y * table.opened)
    expected = np.bincount(at, table.base * table.opened)
    return np.clip(sold / np.maximum(expected, 1e-9), 0.2, 5.0)[at]


def profile(panel: Panel, origin: int) -> Array:
    """Weekday factors (7,) of the whole shop's units over the last 182 days before `origin`."""
    units = np.zeros(panel.history.days)
    units[panel.grid.usable] = np.maximum(np.diff(panel.context.units), 0.0)
    return weekday_factors(replace(panel.history, y=units[None]).until(origin), 182)[0]


def shares(opened: BoolArray, factors: Array) -> Array:
    """How the rate of each week is spread over its days by weekday: (BUCKETS, WEEK), adding up to its open days.

    >>> shares(np.array([True] * 6 + [False] + [True] * 21), np.array([2.0, *[1.0] * 27]))[0].round(2).tolist()
    [1.71, 0.86, 0.86, 0.86, 0.86, 0.86, 0.0]
    """
    weights = (opened[:NEAR] * factors[:NEAR]).reshape(BUCKETS, WEEK)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.where(total > 0, total, 1.0) * (weights > 0).sum(axis=1, keepdims=True))


def _weekdays(panel: Panel, origin: int, horizon: int) -> Ints:
    return np.asarray((panel.history.start.weekday() + origin + np.arange(horizon)) % 7)
