"""One level of the shop, one target: try the candidates over the rolling origins, choose, fit, calibrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.backtest import FEWEST_FOLDS, Fold, Plan, replay
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import Coverage, RatioIntervals, nested_coverage
from retail_ml.forecast.models import (
    BASELINE,
    DAILY,
    Forecaster,
    LearnedForecaster,
    SeasonalNaive,
    ShareOfShop,
    WeekdayMean,
    WindowAverage,
)
from retail_ml.forecast.selection import Score, choices, choose, score

Array = npt.NDArray[np.float64]

AHEAD = 365
"""Days ahead that are forecast and stored."""
COVERAGES = (0.80, 0.95)
SPARSE = 0.5
FALLBACK = WeekdayMean.name
CATEGORY = (SeasonalNaive.name, WindowAverage.name, WeekdayMean.name, ShareOfShop.name)


@dataclass(frozen=True)
class Procedure:
    """The choice of a model, replayed: at each origin the model that the earlier origins would have chosen.

    `names`, `folds`, and `pasts` (all folds of that model) per origin; `score`, and the `baseline`'s over the same.
    """

    names: list[str]
    folds: list[Fold]
    pasts: list[list[Fold]]
    score: Score
    baseline: Score

    @property
    def pays(self) -> bool:
        """Is choosing better than the baseline?"""
        return self.score.error < self.baseline.error


@dataclass
class Trial:
    """Candidates over the same origins: `folds` and `scores` by name; both empty when the history is too short."""

    history: History
    plan: Plan
    folds: dict[str, list[Fold]] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    asked: str | None = None
    """The one model that somebody asked for: there is no choice in its figures."""
    tiny: bool = False
    """Too little data for errors of folds to give the widths: the spread of the days seen gives them."""

    @property
    def sparse(self) -> bool:
        """Has the shop most of its open days without a sale? Then candidates are compared by squared errors."""
        return float(self.history.sold[self.history.usable].mean()) < SPARSE

    def best(self) -> str:
        """The name that serves (see `selection.choose`); the fallback where nothing could be tried.

        The baseline also serves where choosing, replayed, was no better than it.
        """
        if not self.scores:
            return FALLBACK
        procedure = self.procedure()
        if procedure is not None and not procedure.pays:
            return BASELINE
        return choose({name: s.error for name, s in self.scores.items()}, list(self.scores), BASELINE)

    def beats_baseline(self, name: str) -> bool | None:
        """Is its error below the naive baseline's? None for the baseline itself, and where nothing was tried."""
        if name == BASELINE or name not in self.scores:
            return None
        return self.scores[name].error < self.scores[BASELINE].error

    def procedure(self) -> Procedure | None:
        """The choice among the candidates, replayed; None where fewer than FEWEST_FOLDS origins could have one.

        None with tiny data too: there is one candidate beside the baseline, and too little to choose by.
        """
        if BASELINE not in self.scores or self.tiny:
            return None
        horizon, cutoffs = self.plan.horizon, [fold.cutoff for fold in self.folds[BASELINE]]
        named = choices(self.scores, list(self.scores), BASELINE, cutoffs=cutoffs, horizon=horizon)
        at = [k for k, name in enumerate(named) if name is not None]
        if len(at) < FEWEST_FOLDS:
            return None
        names = [named[k] or BASELINE for k in at]
        pasts = [self.folds[name] for name in names]
        folds = [past[k] for past, k in zip(pasts, at, strict=True)]
        measure = partial(score, history=self.history, horizon=horizon, sparse=self.sparse)
        naive = measure(BASELINE, [self.folds[BASELINE][k] for k in at])
        return Procedure(names, folds, pasts, measure("procedure", folds), naive)


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


def try_daily(trial: Trial, names: Sequence[str], *, seed: int, shop: Mapping[int, Array] | None = None) -> Trial:
    """Add `names` to a trial: replay and score each. `shop` has the whole shop's forecast by cutoff, for shares."""
    for name in names:
        if name in trial.folds or not trial.plan.cutoffs:
            continue
        folds = replay(trial.history, trial.plan, partial(_make, name, seed=seed, shop=shop))
        if folds:
            trial.folds[name] = folds
            trial.scores[name] = score(name, folds, trial.history, horizon=trial.plan.horizon, sparse=trial.sparse)
    return trial


def finish(trial: Trial, name: str, *, seed: int, shop: Array | None = None) -> Trained:
    """Fit `name` on the whole history and give it the widths that its folds show."""
    by_cutoff = None if shop is None else {trial.history.days: shop}
    model = _make(name, trial.history, seed=seed, shop=by_cutoff).fit(trial.history)
    mean = model.predict(AHEAD)
    folds = trial.folds.get(name, [])
    procedure = None if name in (trial.asked, BASELINE) else trial.procedure()
    replayed, pasts = (procedure.folds, procedure.pasts) if procedure else (folds, None)
    measure = partial(nested_coverage, replayed, horizon=trial.plan.horizon, step=trial.plan.step, coverages=COVERAGES)
    if trial.tiny or len(folds) < 2:
        coverage = measure(widths_at=lambda fold: _spread(trial.history.until(fold.cutoff)))
        widths = _spread(trial.history)
    else:
        coverage = measure(pasts=pasts)
        widths = RatioIntervals.calibrate(folds, horizon=trial.plan.horizon, step=trial.plan.step)
    return Trained(name, model, mean, widths, trial, coverage, procedure)


def _spread(history: History) -> RatioIntervals:
    """Widths from the days seen alone."""
    return RatioIntervals.from_spread(history, WeekdayMean().fit(history).expected())


def _make(name: str, past: History, *, seed: int, shop: Mapping[int, Array] | None) -> Forecaster:
    """A new model; where it may not be fitted yet, the fallback stands in for it."""
    if name == ShareOfShop.name:
        return ShareOfShop(shop=None if shop is None else shop[past.days])
    model = DAILY[name]
    if past.days < model.least_days:
        return WeekdayMean()
    return model(seed=seed) if issubclass(model, LearnedForecaster) else model()
