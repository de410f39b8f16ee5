"""Which model serves: by the score of its quantiles over rolling origins, and never one that loses to a naive one.

Candidates are compared by the continuous ranked probability score of the quantiles that each would have served: half
of it of the sum over the horizon, half of the single days, each as a share of sales. The default is left only for a
model that is better than it, and than every naive forecast, by more than the standard error of the difference; it is
kept only where it is better than the naive forecasts by more than a tie: a shop without season or trend is served the
mean per weekday.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import metrics
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import RatioIntervals

Array = npt.NDArray[np.float64]

FEWEST_TO_CHOOSE = 3
"""Origins that a choice needs to stand on."""
TIE = 0.02
"""A model must be better than a simpler one by this share of its error; less is a tie, and the simpler serves."""
PROBABILITIES = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)


@dataclass(frozen=True)
class Score:
    """Errors of one candidate over all folds; `error` is what candidates are compared by, `fold_errors` its parts.

    `crps` of the sums over the horizon and `crps_day` of single days are shares of sales.
    """

    name: str
    error: float
    crps: float | None
    crps_day: float | None
    wape: float | None
    mase: float | None
    rmse: float
    mae: float
    bias: float | None
    r2: float | None
    r2_week: float | None
    fold_errors: tuple[float, ...]
    fold_wapes: tuple[float | None, ...]
    days: int


def score(
    name: str, folds: Sequence[Fold], widths: Sequence[RatioIntervals], history: History, *, horizon: int
) -> Score:
    """Errors over the first `horizon` days of every fold, all series pooled; days of long closures left out.

    `widths`: of each fold, as `intervals.widths_at` gives them.
    """
    pairs = [
        (fold.actual[:, :horizon][:, fold.counted[:horizon]], fold.forecast[:, :horizon][:, fold.counted[:horizon]])
        for fold in folds
    ]
    actual = np.concatenate([a.ravel() for a, _ in pairs])
    forecast = np.concatenate([f.ravel() for _, f in pairs])
    weeks = [(metrics.weekly(f.actual[:, :horizon]), metrics.weekly(f.forecast[:, :horizon])) for f in folds]
    whole, single, sold = _quantile_scores(folds, widths, horizon)
    errors = (whole + single) / 2 / sold.mean() if sold.any() else whole + single
    return Score(
        name=name,
        error=float(errors.mean()),
        crps=float(whole.sum() / sold.sum()) if sold.any() else None,
        crps_day=float(single.sum() / sold.sum()) if sold.any() else None,
        wape=metrics.wape(actual, forecast),
        mase=_mase(folds, pairs, history),
        rmse=metrics.rmse(actual, forecast),
        mae=metrics.mae(actual, forecast),
        bias=metrics.bias(actual, forecast),
        r2=metrics.r2(actual, forecast),
        r2_week=metrics.r2(
            np.concatenate([a.ravel() for a, _ in weeks]), np.concatenate([f.ravel() for _, f in weeks])
        ),
        fold_errors=tuple(errors.tolist()),
        fold_wapes=tuple(metrics.wape(a, f) for a, f in pairs),
        days=actual.size,
    )


def choose(errors: Mapping[str, float], order: Sequence[str], baseline: str) -> str:
    """The name that serves: walk from the simplest to the least simple, and move only for more than a tie.

    The walk begins at the baseline, so a model that is not better than it never serves.

    >>> choose({"naive": 10.0, "mean": 8.0, "forest": 7.95}, ["naive", "mean", "forest"], "naive")
    'mean'
    >>> choose({"naive": 10.0, "forest": 10.0}, ["naive", "forest"], "naive")
    'naive'
    """
    best = baseline
    for name in order:
        if name in errors and errors[name] < errors[best] * (1 - TIE):
            best = name
    return best


def decide(errors: Mapping[str, Sequence[float]], default: str, naive: Sequence[str]) -> str:
    """The name that serves, from the errors of every candidate over the same folds (in order of simplicity).

    Without the default among them, or with fewer than FEWEST_TO_CHOOSE folds, see `choose` and the default. `naive`:
    the forecasts that need no model; the first of them is the baseline.

    >>> errors = {"naive": [9, 9, 9], "mean": [8, 8, 8], "mix": [6, 7, 6], "forest": [5, 8, 5]}
    >>> decide(errors, "mix", ["naive", "mean"])  # the forest is better, but not by more than its standard error
    'mix'
    >>> decide(errors | {"forest": [5, 6, 4]}, "mix", ["naive", "mean"])
    'forest'
    >>> decide(errors | {"mix": [8, 8, 7.9], "forest": [9, 9, 9]}, "mix", ["naive", "mean"])
    'mean'
    """
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    if default not in errors:
        return choose(mean, list(errors), naive[0])
    if len(errors[default]) < FEWEST_TO_CHOOSE:
        return default
    beaten = [errors[name] for name in (default, *naive) if name in errors]
    rivals = [name for name, values in errors.items() if all(_surely_better(values, other) for other in beaten)]
    best = min([default, *rivals], key=lambda name: mean[name])
    simple = min((name for name in naive if name in mean), key=lambda name: mean[name], default=best)
    return best if mean[best] < mean[simple] * (1 - TIE) else simple


def _surely_better(errors: Sequence[float], than: Sequence[float]) -> bool:
    """Is the mean smaller by more than a tie and by more than the standard error of the paired difference?"""
    gain = np.asarray(than) - np.asarray(errors)
    return bool(gain.mean() > max(gain.std(ddof=1) / np.sqrt(len(gain)), TIE * float(np.mean(than))))


def choices(
    scores: Mapping[str, Score], default: str, naive: Sequence[str], *, cutoffs: Sequence[int], horizon: int
) -> list[str | None]:
    """The name that would have been chosen at each origin, from the origins whose days were over by then.

    None where fewer than FEWEST_TO_CHOOSE of them were and there is no default. With the error of what is named here
    the choice itself is out of sample; the smallest of several errors over the same origins is not.
    """
    out: list[str | None] = []
    for cutoff in cutoffs:
        over = [k for k, earlier in enumerate(cutoffs) if earlier + horizon <= cutoff]
        before = {name: [s.fold_errors[k] for k in over] for name, s in scores.items()}
        if len(over) >= FEWEST_TO_CHOOSE:
            out.append(decide(before, default, naive))
        else:
            out.append(default if default in scores else None)
    return out


def _quantile_scores(
    folds: Sequence[Fold], widths: Sequence[RatioIntervals], horizon: int
) -> tuple[Array, Array, Array]:
    """Score of the sum over the horizon, summed score of the days, and |sales| of each fold, all series together."""
    out = []
    for fold, width in zip(folds, widths, strict=True):
        counted = fold.counted[:horizon]
        mean, actual = fold.forecast[:, :horizon] * counted, fold.actual[:, :horizon] * counted
        total = metrics.crps(actual.sum(axis=1), width.total_quantiles(mean, PROBABILITIES), PROBABILITIES)
        days = metrics.crps(actual, width.quantiles(mean, PROBABILITIES), PROBABILITIES)
        out.append((total.sum(), days.sum(), np.abs(actual).sum()))
    whole, single, sold = np.array(out).T
    return whole, single, sold


def _mase(folds: Sequence[Fold], pairs: Sequence[tuple[Array, Array]], history: History) -> float | None:
    """Mean over the folds of MAE / in-sample MAE of the seasonal naive forecast, series pooled."""
    found = []
    for fold, (actual, forecast) in zip(folds, pairs, strict=True):
        scale = metrics.mase_scale(history.y[:, : fold.cutoff])
        if scale:
            found.append(metrics.mae(actual, forecast) / scale)
    return float(np.mean(found)) if found else None
