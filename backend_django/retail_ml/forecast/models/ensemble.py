"""The default: several views of the same shop, weighed by how each did in this shop's own past.

The forecast is the geometric mean of its members. A member's weight is its error^-4 over rolling origins of the
same history (80 %; the rest is equal), shrunk to equal weights when those origins span little. The replayed members
also give the widths, so that fitting once is enough to serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from retail_ml.forecast.backtest import LONG, Fold
from retail_ml.forecast.fortnight import fortnight
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import FEWEST_TO_MEASURE, RatioIntervals
from retail_ml.forecast.models.base import SHAPE_FROM, Array, Forecaster
from retail_ml.forecast.models.gam import Gam
from retail_ml.forecast.models.learned import LightGbm, fading
from retail_ml.forecast.models.simple import SeasonalProfile, WeekdayMean, WindowAverage

ENOUGH = 28  # open days from which there is more than a mean per weekday
LEARN_FROM = 120  # days from which the learned member takes part
STEADY = 28  # days of the level of the member without season
SHARPNESS = 4.0
BY_ERROR = 0.8
HALF_SPAN = 56.0  # days of replayed origins at which the weights stand half way between equal and their own
NEAR = 28  # days ahead by which members are compared
BLEND = (28, 56)  # days ahead between which the weights near the origin give way to those for later days
FAR = (28, 60)  # days ahead between which the member without season gives way
DENSE = 0.9


class Ensemble(Forecaster):
    """Geometric mean of `gam`, level × weekday, `seasonal_profile` and `lightgbm`, as many as the history carries.

    28 open days: a mean per weekday; up to 119 days: gam and level × weekday; up to 379: and LightGBM; then all.
    Where the shop sells on fewer than nine of ten open days, the seasonal window average serves if it did better.
    `widths_` are the intervals that belong to it, `weights_` (series, members) the weights near the origin.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(self, seed: int = 0, known: dict[int, Members] | None = None) -> None:
        """`known`: members fitted before on the first days of the same history, by their number; it is added to."""
        self.seed = seed
        self.known = known

    def _fit(self, history: History) -> None:
        self.top_ = np.full(len(history.y), np.inf)  # members are capped, and a promotion may exceed the past
        self.sold_ = (history.y > 0).any(axis=1, keepdims=True)
        self.names_ = members(history)
        self.learned_: LightGbm | None = None
        with threadpool_limits(1):  # the matrices are small: threads cost more than they bring
            self.members_ = self._members(history)
            if LightGbm.name in self.names_:
                self.learned_ = LightGbm(self.seed).fit(self.members_.plain)
            replays = self._replays(history)
        self.weights_ = weights(replays, self.names_, len(history.y), days=(0, NEAR))
        self.later_ = weights(replays, self.names_, len(history.y), days=(NEAR, LONG))
        self.plain_ = np.zeros(len(history.y), dtype=bool)
        if replays[WindowAverage.name] and sold_share(history) < DENSE:
            mixed = [self._mixed(row) for row in by_origin(replays)]
            self.plain_ = errors(replays[WindowAverage.name]) < errors(mixed)
        self.folds_ = [self._mixed(row) for row in by_origin(replays)]
        if len(self.folds_) < FEWEST_TO_MEASURE:
            self.widths_ = RatioIntervals.from_spread(history, WeekdayMean().fit(history).expected())
        else:
            self.widths_ = RatioIntervals.calibrate(self.folds_, horizon=NEAR, step=step(history.days))

    def _forecast(self, horizon: int) -> Array:
        known = self.members_.predict((*self.names_, WindowAverage.name), horizon, learned=self.learned_)
        return self._mix(known, horizon)

    @property
    def importances_(self) -> dict[str, float]:
        """Share of each feature in what the learned member learned; empty where the history is too short for one."""
        return self.learned_.importances_ if self.learned_ else {}

    def shares(self, horizon: int) -> Array:
        """Weights of the members on each day ahead, (series, members, horizon); they add up to 1."""
        full = np.ones((len(self.names_), horizon))
        for row, name in enumerate(self.names_):
            if name == LightGbm.name:
                full[row] = fading(horizon, LightGbm.fade_from, LightGbm.reach)
            elif name == WeekdayMean.name and SeasonalProfile.name in self.names_:
                full[row] = fading(horizon, *FAR)
        near = fading(horizon, *BLEND)
        weighed = (self.weights_[:, :, None] * near + self.later_[:, :, None] * (1 - near)) * full
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    def _mix(self, known: Mapping[str, Array], horizon: int) -> Array:
        """Geometric mean of the members' forecasts; the window average for the series that it serves."""
        stacked = np.stack([known[name] for name in self.names_], axis=1)
        mean = np.exp((self.shares(horizon) * np.log(np.maximum(stacked, 1e-9))).sum(axis=1))
        mean = np.where((stacked > 0).any(axis=1) & self.sold_, mean, 0.0)
        if self.plain_.any():
            mean[self.plain_] = known[WindowAverage.name][self.plain_]
        return mean

    def _mixed(self, row: Mapping[str, Fold]) -> Fold:
        """The fold of the mix from the members' folds of one origin."""
        one = row[self.names_[0]]
        forecast = self._mix({name: fold.forecast for name, fold in row.items()}, one.actual.shape[1])
        return replace(one, forecast=forecast)

    def _replays(self, history: History) -> dict[str, list[Fold]]:
        """Folds of every member over the same origins, each from its own past.

        The learned member is fitted once, before the first origin, and asked again at each.
        """
        names = (*self.names_, WindowAverage.name)
        out: dict[str, list[Fold]] = {name: [] for name in names}
        learned: LightGbm | None = None
        for cutoff in origins(history.days) if len(self.names_) > 1 else ():
            past, ahead = history.until(cutoff), min(LONG, history.days - cutoff)
            counted = ~history.closed_long[cutoff : cutoff + ahead]
            if 3 * counted[:NEAR].sum() < min(NEAR, ahead) or sold_days(past) < ENOUGH // 2:
                continue
            found = self._members(past)
            if LightGbm.name in names and learned is None:
                learned = LightGbm(self.seed).fit(found.plain)
            actual = history.y[:, cutoff : cutoff + ahead]
            for name, forecast in found.predict(names, ahead, learned=learned).items():
                out[name].append(Fold(cutoff, past.origin, forecast, actual, counted))
        return out

    def _members(self, past: History) -> Members:
        """The members on a past: fitted once, whoever asks."""
        if self.known is None:
            return Members(past)
        return self.known.setdefault(past.days, Members(past))


class Members:
    """The members without anything learned across series, on one history; each is fitted when it is first asked.

    The effects of named days are learned once, by gam: the others see the history without them (`plain`), and get
    them back on the days ahead.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.fitted: dict[str, Forecaster] = {}

    @cached_property
    def gam(self) -> Gam | None:
        """The regression; None for a history that is too short for it."""
        return Gam().fit(self.history) if sold_days(self.history) >= ENOUGH // 2 else None

    @cached_property
    def plain(self) -> History:
        """The history without the effects of named days."""
        special = self.gam.special(0, self.history.days) if self.gam else np.ones(1)
        return self.history if (special == 1).all() else replace(self.history, y=self.history.y / special)

    def predict(self, names: Sequence[str], horizon: int, *, learned: LightGbm | None = None) -> dict[str, Array]:
        """Forecast of each of `names`, (series, horizon); `learned` on this history or an earlier part of it."""
        every_other = fortnight(self.history, horizon)
        special = every_other * (self.gam.special(self.history.days, horizon) if self.gam else 1.0)
        out: dict[str, Array] = {}
        for name in names:
            if name == Gam.name and self.gam:
                out[name] = self.gam.predict(horizon) * every_other
            elif name == LightGbm.name and learned:
                near = min(horizon, LightGbm.reach)
                found = learned.near(near, later=self.plain) * self.history.open_ahead(near)
                out[name] = np.pad(found, ((0, 0), (0, horizon - near))) * special
            else:
                out[name] = self._of(name).predict(horizon) * special
        return out

    def _of(self, name: str) -> Forecaster:
        kinds = {SeasonalProfile.name: SeasonalProfile(), WindowAverage.name: WindowAverage()}
        if name not in self.fitted:
            self.fitted[name] = kinds.get(name, WeekdayMean(days=STEADY)).fit(self.plain)
        return self.fitted[name]


def members(history: History) -> tuple[str, ...]:
    """Names of the members that a history of this length carries."""
    if sold_days(history) < ENOUGH:
        return (WeekdayMean.name,)
    names = [Gam.name, WeekdayMean.name]
    if history.days >= LEARN_FROM:
        names.append(LightGbm.name)
    if history.days >= SHAPE_FROM:
        names.append(SeasonalProfile.name)
    return tuple(names)


def origins(days: int) -> list[int]:
    """Origins of the replays, ascending: 8, 14 days apart, the last 28 days before the end.

    A history without room for those: 7 days apart from max(42, a third of it) to a week before the end.

    >>> origins(400)[0], origins(400)[-1], origins(70), origins(45)
    (274, 372, [42, 49, 56, 63], [])
    """
    if days >= NEAR + 7 * 14 + max(42, days // 3):
        return [days - NEAR - 14 * k for k in range(7, -1, -1)]
    return list(range(max(42, days // 3), days - 6, 7))


def step(days: int) -> int:
    """Days between the origins of the replays."""
    return 14 if days >= NEAR + 7 * 14 + max(42, days // 3) else 7


def errors(folds: Sequence[Fold], *, days: tuple[int, int] = (0, NEAR)) -> Array:
    """Mean absolute daily error over these days ahead of all folds that know some of them (at least one), (series,)."""
    ahead = slice(*days)
    size = [np.abs(f.actual - f.forecast)[:, ahead][:, f.counted[ahead]] for f in folds]
    return np.asarray(np.concatenate(size, axis=1).mean(axis=1))


def sold_days(history: History) -> int:
    """Open days with a sale."""
    return int((history.usable & history.sold).sum())


def sold_share(history: History) -> float:
    """Share of the open days with a sale."""
    return sold_days(history) / int(history.usable.sum())


def by_origin(replays: Mapping[str, Sequence[Fold]]) -> list[dict[str, Fold]]:
    """One mapping from member to fold for each origin."""
    return [dict(zip(replays, folds, strict=True)) for folds in zip(*replays.values(), strict=True)]


def weights(
    replays: Mapping[str, Sequence[Fold]], names: Sequence[str], series: int, *, days: tuple[int, int]
) -> Array:
    """Weights of the members on these days ahead, (series, members); they add up to 1."""
    equal = np.full((series, len(names)), 1 / len(names))
    folds = [fold for fold in replays[names[0]] if fold.counted[slice(*days)].any()]
    if not folds:
        return equal
    found = np.column_stack([errors(replays[name], days=days) for name in names])
    found = np.maximum(found, 1e-6 * np.maximum(found.max(axis=1, keepdims=True), 1e-9))
    own = (found.min(axis=1, keepdims=True) / found) ** SHARPNESS
    own = BY_ERROR * own / own.sum(axis=1, keepdims=True) + (1 - BY_ERROR) * equal
    span = folds[-1].cutoff + min(days[1], folds[-1].actual.shape[1]) - folds[0].cutoff - days[0]
    trust = span / (span + HALF_SPAN)
    return np.asarray(trust * own + (1 - trust) * equal)
