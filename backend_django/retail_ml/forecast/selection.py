"""Which model serves: the smallest error over the rolling origins, and never one that loses to the naive baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import metrics
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History

Array = npt.NDArray[np.float64]

FEWEST_TO_CHOOSE = 3
"""Origins that a choice needs to stand on."""
TIE = 0.02
"""A model must be better than a simpler one by this share of its error; less is a tie, and the simpler serves."""


@dataclass(frozen=True)
class Score:
    """Errors of one candidate over all folds; `error` is what candidates are compared by."""

    name: str
    error: float
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


def score(name: str, folds: Sequence[Fold], history: History, *, horizon: int, sparse: bool) -> Score:
    """Errors over the first `horizon` days of every fold, all series pooled; days of long closures left out.

    `error` is the sum of absolute errors per day; with `sparse` (most open days without a sale) the root of the
    mean squared error, because an absolute error rewards forecasting nothing.
    """
    pairs = [
        (fold.actual[:, :horizon][:, fold.counted[:horizon]], fold.forecast[:, :horizon][:, fold.counted[:horizon]])
        for fold in folds
    ]
    actual = np.concatenate([a.ravel() for a, _ in pairs])
    forecast = np.concatenate([f.ravel() for _, f in pairs])
    measure = metrics.rmse if sparse else metrics.mae
    weeks = [(metrics.weekly(f.actual[:, :horizon]), metrics.weekly(f.forecast[:, :horizon])) for f in folds]
    return Score(
        name=name,
        error=measure(actual, forecast),
        wape=metrics.wape(actual, forecast),
        mase=_mase(folds, pairs, history),
        rmse=metrics.rmse(actual, forecast),
        mae=metrics.mae(actual, forecast),
        bias=metrics.bias(actual, forecast),
        r2=metrics.r2(actual, forecast),
        r2_week=metrics.r2(
            np.concatenate([a.ravel() for a, _ in weeks]), np.concatenate([f.ravel() for _, f in weeks])
        ),
        fold_errors=tuple(measure(a, f) for a, f in pairs),
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


def choices(
    scores: Mapping[str, Score], order: Sequence[str], baseline: str, *, cutoffs: Sequence[int], horizon: int
) -> list[str | None]:
    """The name that would have been chosen at each origin, from the origins whose days were over by then.

    None where fewer than FEWEST_TO_CHOOSE of them were. With the error of what is named here the choice itself is
    out of sample; the smallest of several errors over the same origins is not.
    """
    out: list[str | None] = []
    for cutoff in cutoffs:
        over = [k for k, earlier in enumerate(cutoffs) if earlier + horizon <= cutoff]
        before = {name: float(np.mean([s.fold_errors[k] for k in over])) for name, s in scores.items() if over}
        out.append(choose(before, order, baseline) if len(over) >= FEWEST_TO_CHOOSE else None)
    return out


def _mase(folds: Sequence[Fold], pairs: Sequence[tuple[Array, Array]], history: History) -> float | None:
    """Mean over the folds of MAE / in-sample MAE of the seasonal naive forecast, series pooled."""
    found = []
    for fold, (actual, forecast) in zip(folds, pairs, strict=True):
        scale = metrics.mase_scale(history.y[:, : fold.cutoff])
        if scale:
            found.append(metrics.mae(actual, forecast) / scale)
    return float(np.mean(found)) if found else None
