"""One level of the shop, one target: try the candidates over the rolling origins, choose, fit, calibrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.backtest import FEWEST_FOLDS, Fold, Plan, replay
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import FEWEST_TO_MEASURE, Coverage, RatioIntervals, nested_coverage, widths_at
from retail_ml.forecast.models import (
    BASELINE,
    DAILY,
    DEFAULT,
    NAIVE,
    Ensemble,
    Forecaster,
    LearnedForecaster,
    SeasonalNaive,
    ShareOfShop,
    WeekdayMean,
    WindowAverage,
)
from retail_ml.forecast.models.ensemble import Members
from retail_ml.forecast.reopening import silent_days
from retail_ml.forecast.selection import FEWEST_TO_CHOOSE, Score, choices, decide, score

Array = npt.NDArray[np.float64]

AHEAD = 365
"""Days ahead that are forecast and stored."""
COVERAGES = (0.80, 0.95)
SPARSE = 0.5
FALLBACK = WeekdayMean.name
CATEGORY = (SeasonalNaive.name, WindowAverage.name, WeekdayMean.name, ShareOfShop.name)
DENSE = 0.75  # share of the open days with a sale, over all categories, from which each can be modelled by itself
MOST_MODELLED = 40
BEHIND = 0.1
"""Share of the default's error by which who races it may be behind. Who has lost so much at a quarter of the origins
would have to win back more at the others than its standard error could be small for."""


@dataclass(frozen=True)
class Procedure:
    """The choice of a model, replayed: at each origin the model that the earlier origins would have chosen.

    `names`, `folds` and `widths` per origin; `score`, and the `baseline`'s over the same.
    """

    names: list[str]
    folds: list[Fold]
    widths: list[RatioIntervals]
    score: Score
    baseline: Score

    @property
    def pays(self) -> bool:
        """Is choosing better than the baseline?"""
        return self.score.error < self.baseline.error


@dataclass
class Trial:
    """Candidates over the same origins: `folds`, the `widths` that each would have been served with, `scores`, by name.

    All of them are empty when the history is too short.
    """

    history: History
    plan: Plan
    folds: dict[str, list[Fold]] = field(default_factory=dict)
    widths: dict[str, list[RatioIntervals]] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    given_up: dict[str, int] = field(default_factory=dict)
    """Candidates that fell behind, see `try_daily`, and the origins that they were tried at."""
    asked: str | None = None
    """The one model that somebody asked for: there is no choice in its figures."""
    tiny: bool = False
    """Too little data for errors of folds to give the widths: the spread of the days seen gives them."""

    def best(self) -> str:
        """The name that serves (see `selection.decide`).

        With tiny data it is the mean per weekday, where nothing could be tried the default. Where choosing, replayed,
        was no better than the baseline, it is the default or, when that is no better either, the baseline.
        """
        if self.tiny:
            return FALLBACK
        if not self.scores:
            return DEFAULT
        replayed = self._replayed()
        if replayed is not None and not replayed.pays:
            return DEFAULT if self.beats_baseline(DEFAULT) else BASELINE
        return decide({name: s.fold_errors for name, s in self.scores.items()}, DEFAULT, NAIVE)

    def beats_baseline(self, name: str) -> bool | None:
        """Is its error below the naive baseline's? None for the baseline, and where too little was tried."""
        if name == BASELINE or name not in self.scores or self.tiny:
            return None
        return self.scores[name].error < self.scores[BASELINE].error

    def procedure(self) -> Procedure | None:
        """The choice among the candidates, replayed, where what serves was chosen.

        None where fewer than FEWEST_FOLDS origins could have a choice; where choosing did not pay and the default
        serves unchosen; and with tiny data: there is one candidate beside the baseline, and too little to choose by.
        """
        found = self._replayed()
        return None if found is not None and not found.pays and self.beats_baseline(DEFAULT) else found

    def _replayed(self) -> Procedure | None:
        if BASELINE not in self.scores or self.tiny:
            return None
        horizon, cutoffs = self.plan.horizon, [fold.cutoff for fold in self.folds[BASELINE]]
        named = choices(self.scores, DEFAULT, NAIVE, cutoffs=cutoffs, horizon=horizon)
        at = [(k, name) for k, name in enumerate(named) if name is not None]
        if len(at) < FEWEST_FOLDS:
            return None
        folds, widths = [self.folds[name][k] for k, name in at], [self.widths[name][k] for k, name in at]
        naive, naive_widths = [self.folds[BASELINE][k] for k, _ in at], [self.widths[BASELINE][k] for k, _ in at]
        measure = partial(score, history=self.history, horizon=horizon)
        chosen = measure("procedure", folds, widths)
        return Procedure([name for _, name in at], folds, widths, chosen, measure(BASELINE, naive, naive_widths))

    def add(self, name: str, folds: list[Fold]) -> None:
        """Keep the replay of a candidate, with its widths and its score."""
        spread = partial(_spread_at, self.history)
        found = widths_at(folds, horizon=self.plan.horizon, step=self.plan.step, spread=spread)
        if self.tiny:
            found = [spread(fold) for fold in folds]
        self.folds[name], self.widths[name] = folds, found
        self.scores[name] = score(name, folds, found, self.history, horizon=self.plan.horizon)

    def in_order(self, names: Sequence[str]) -> None:
        """Let the candidates stand in the order of `names`, in whichever they were tried."""
        for table in (self.folds, self.widths, self.scores, self.given_up):
            found: dict[str, Any] = {name: table.pop(name) for name in names if name in table}
            table.update(found)


@dataclass(frozen=True)
class Trained:
    """One target of one level, ready to serve: `mean` (series, AHEAD) and its widths, with the evidence."""

    name: str
    model: Forecaster
    mean: Array
    widths: RatioIntervals
    trial: Trial
    coverage: Coverage
    procedure: Procedure | None = None
    """Where the model was chosen among several: the figures that stand for it."""

    @property
    def measured(self) -> Score | None:
        """What may be promised: errors of the choice, replayed, where there was one, else of the model itself."""
        return self.procedure.score if self.procedure else self.trial.scores.get(self.name)

    @property
    def baseline(self) -> Score | None:
        """The naive baseline over the same origins."""
        return self.procedure.baseline if self.procedure else self.trial.scores.get(BASELINE)

    @property
    def replayed(self) -> list[tuple[Fold, RatioIntervals]]:
        """The origins behind `measured`, each with the widths that would have been served there."""
        if self.procedure:
            return list(zip(self.procedure.folds, self.procedure.widths, strict=True))
        return list(zip(self.trial.folds.get(self.name, []), self.trial.widths.get(self.name, []), strict=True))


def candidates(history: History, plan: Plan, names: Sequence[str]) -> list[str]:
    """Those of `names` that could be tried on at least a third of the origins; learned ones need four origins."""
    out = []
    for name in names:
        model = DAILY[name]
        ready = sum(cutoff >= model.least_days for cutoff in plan.cutoffs)
        if issubclass(model, LearnedForecaster) and len(plan.cutoffs) < FEWEST_FOLDS:
            continue
        if ready and 3 * ready >= len(plan.cutoffs):
            out.append(name)
    return out


def category_candidates(history: History) -> list[str]:
    """What is tried for the categories of a shop (series, days): the default too where they are few and sell daily."""
    positive = (history.y[:, history.usable] > 0).mean()
    return [*CATEGORY, *[DEFAULT][: int(positive >= DENSE and len(history.y) <= MOST_MODELLED)]]


def try_daily(
    trial: Trial,
    names: Sequence[str],
    *,
    seed: int,
    shop: Mapping[int, Array] | None = None,
    racing: str | None = None,
) -> Trial:
    """Add `names` to a trial: replay and score each. `shop` has the whole shop's forecast by cutoff, for shares.

    `racing`: a candidate that was tried before. Whoever misses more than it by BEHIND at the first FEWEST_TO_CHOOSE
    origins is given up there (a race, as of Maron & Moore 1994): until then nothing is chosen, and from then on those
    origins are the past.
    """
    known: dict[int, Members] = {}
    for name in names:
        if name in trial.folds or not trial.plan.cutoffs:
            continue
        make = partial(_make, name, seed=seed, shop=shop, known=known)
        before, plan = trial.folds.get(racing or "", [])[:FEWEST_TO_CHOOSE], trial.plan
        first = replace(plan, cutoffs=tuple(fold.cutoff for fold in before))
        rest = replace(plan, cutoffs=tuple(c for c in plan.cutoffs if not before or c > before[-1].cutoff))
        folds = replay(trial.history, first, make)
        if before and rest.cutoffs and _behind(folds, before, horizon=plan.horizon):
            trial.given_up[name] = len(folds)
            continue
        folds += replay(trial.history, rest, make)
        if folds:
            trial.add(name, folds)
    return trial


def _behind(folds: Sequence[Fold], others: Sequence[Fold], *, horizon: int) -> bool:
    """Are the days of these folds missed by more than those of the others, by more than BEHIND?"""
    own, other = (
        sum(np.abs(f.actual - f.forecast)[:, :horizon][:, f.counted[:horizon]].sum() for f in some)
        for some in (folds, others)
    )
    return bool(own > other * (1 + BEHIND))


def finish(trial: Trial, name: str, *, seed: int, shop: Array | None = None) -> Trained:
    """Fit `name` on the whole history and give it its own widths, or those that its folds show."""
    by_cutoff = None if shop is None else {trial.history.days: shop}
    model = _make(name, trial.history, seed=seed, shop=by_cutoff).fit(trial.history)
    mean = model.predict(AHEAD)
    folds = trial.folds.get(name, [])
    procedure = None if name in (trial.asked, BASELINE) else trial.procedure()
    replayed, used = (procedure.folds, procedure.widths) if procedure else (folds, trial.widths.get(name, []))
    coverage = nested_coverage(replayed, used, horizon=trial.plan.horizon, coverages=COVERAGES)
    if model.widths_ is not None:
        widths = model.widths_
    elif trial.tiny or len(folds) < FEWEST_TO_MEASURE:
        widths = _spread(trial.history)
    else:
        widths = RatioIntervals.calibrate(folds, horizon=trial.plan.horizon, step=trial.plan.step)
    widths = widths.aged(silent_days(trial.history))
    return Trained(name, model, mean, widths, trial, coverage, procedure)


def _spread(history: History) -> RatioIntervals:
    """Widths from the days seen alone."""
    return RatioIntervals.from_spread(history, WeekdayMean().fit(history).expected())


def _spread_at(history: History, fold: Fold) -> RatioIntervals:
    """The same, as it was at the origin of a fold."""
    return _spread(history.until(fold.cutoff))


def _make(
    name: str,
    past: History,
    *,
    seed: int,
    shop: Mapping[int, Array] | None,
    known: dict[int, Members] | None = None,
) -> Forecaster:
    """A new model; where it may not be fitted yet, the fallback stands in for it.

    `known`: members of the ensemble that are fitted already, by the days of the same history that they know.
    """
    if name == ShareOfShop.name:
        return ShareOfShop(shop=None if shop is None else shop[past.days])
    if name == DEFAULT:
        return Ensemble(seed, known)
    model = DAILY[name]
    if past.days < model.least_days:
        return WeekdayMean()
    return model(seed=seed) if issubclass(model, LearnedForecaster) else model()
