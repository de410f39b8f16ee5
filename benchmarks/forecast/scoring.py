"""The scores of the forecast benchmark. NumPy arrays in, one number per score out; every method is scored by this.

Scores are computed per cutoff and averaged over the cutoffs with equal weight, except bias and the R²: these pool
the days of all cutoffs (an R² of 28 days of one shop says nothing). Quantiles below 0 count as 0.

* RMSSE: root mean squared error / root mean squared one-day change in training, mean over the series.
* WRMSSE: the same, series weighted by the revenue of the last 28 days of training (Makridakis et al. 2022, M5).
* CRPS: 2 × mean pinball loss over the quantiles of `CRPS_AT` / mean demand (Gneiting & Raftery 2007).
* R2_all counts every day, R2_open the days with a sale, R2_week the sums of whole weeks.
* cov80, cov95: share of the days with a sale inside the central interval.
* i80, i95: share of all periods of all series inside.
* cN_…: cumulative demand over N periods; cov95 = share at or below the .95 quantile, i80 and i95 inside the interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
CRPS_AT = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
WINDOWS = (7, 28)


@dataclass(frozen=True)
class Fold:
    """One cutoff: what came and what was forecast, for all series.

    `actual`, `mean` (series, ahead); `quantiles` (series, ahead, probabilities `at`) or None; `cumulative` by window
    (series, probabilities `at`); `scale` (series,): root mean squared one-step change in training; `weight` (series,)
    the revenue of the last 28 days.
    """

    actual: Array
    mean: Array
    quantiles: Array | None
    scale: Array
    cumulative: Mapping[int, Array] = field(default_factory=dict)
    weight: Array | None = None
    at: tuple[float, ...] = QUANTILES


def scale_of(past: Array) -> float:
    """Root mean squared one-step change of one series, from its first value above 0 on; 1 where it never changes.

    >>> round(scale_of(np.array([0.0, 0.0, 3.0, 1.0, 1.0])), 3)
    1.414
    """
    above = np.flatnonzero(past > 0)
    steps = np.diff(past[above[0] :]) if len(above) else np.empty(0)
    found = float(np.sqrt(np.square(steps).mean())) if len(steps) else 0.0
    return found or 1.0


def pinball(actual: Array, quantiles: Array, at: Sequence[float]) -> float:
    """Mean pinball loss of `quantiles` (…, probabilities) for `actual` (…).

    >>> round(pinball(np.array([10.0]), np.array([[8.0, 12.0]]), (0.1, 0.9)), 9)
    0.2
    """
    p = np.asarray(at)
    error = actual[..., None] - quantiles
    return float(np.maximum(p * error, (p - 1) * error).mean())


def crps(actual: Array, quantiles: Array, at: Sequence[float]) -> float:
    """2 × mean pinball loss over `CRPS_AT` / mean of `actual`; NaN where nothing was sold.

    >>> round(crps(np.array([10.0]), np.full((1, 14), 10.0), QUANTILES), 3)
    0.0
    """
    used = [list(at).index(p) for p in CRPS_AT]
    mean = float(actual.mean())
    return 2 * pinball(actual, np.maximum(quantiles[..., used], 0.0), CRPS_AT) / mean if mean > 0 else float("nan")


def inside(actual: Array, quantiles: Array, at: Sequence[float], coverage: float) -> npt.NDArray[np.bool_]:
    """Is each value in the central interval of this coverage? Rounding to 9 digits is forgiven."""
    low, high = (list(at).index(round(p, 3)) for p in ((1 - coverage) / 2, (1 + coverage) / 2))
    room = 1e-9 * np.maximum(np.abs(actual), 1.0)
    lower, upper = np.maximum(quantiles[..., low], 0.0), np.maximum(quantiles[..., high], 0.0)
    return np.asarray((actual >= lower - room) & (actual <= upper + room))


def r2(actual: Array, forecast: Array) -> float:
    """1 − squared error / squared deviation from the mean; NaN for a constant.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    around = float(np.square(actual - actual.mean()).sum())
    return 1 - float(np.square(actual - forecast).sum()) / around if around > 0 else float("nan")


def points(folds: Sequence[Fold]) -> dict[str, float]:
    """RMSSE, WAPE, bias and the three R² of the point forecasts."""
    actual, mean = (np.concatenate([getattr(f, name).ravel() for f in folds]) for name in ("actual", "mean"))
    opened = actual > 0
    weeks = [np.concatenate([_weekly(getattr(f, name)).ravel() for f in folds]) for name in ("actual", "mean")]
    return {
        "RMSSE": _mean([float((_rmse(f) / f.scale).mean()) for f in folds]),
        "WAPE": _mean([_wape(f.actual, f.mean) for f in folds]),
        "bias": float((mean - actual).sum() / actual.sum()) if actual.sum() else float("nan"),
        "R2_all": r2(actual, mean),
        "R2_open": r2(actual[opened], mean[opened]) if opened.any() else float("nan"),
        "R2_week": r2(weeks[0], weeks[1]),
    }


def dense(folds: Sequence[Fold]) -> dict[str, float]:
    """Scores of daily totals (T1): points, CRPS, and coverage over the days with a sale."""
    known = [(f, f.quantiles, f.actual > 0) for f in folds if f.quantiles is not None]
    return points(folds) | {
        "CRPS": _mean([crps(f.actual, q, f.at) for f, q, _ in known]),
        **{f"cov{round(100 * c)}": _mean([_share(f, q, o, c) for f, q, o in known]) for c in (0.80, 0.95)},
    }


def many(folds: Sequence[Fold], *, windows: Sequence[int] = WINDOWS) -> dict[str, float]:
    """Scores of many products (T2): points, WRMSSE, daily CRPS and those of the cumulative windows."""
    out = points(folds)
    out["WRMSSE"] = _mean([_weighted(f) for f in folds])
    out["CRPS"] = _mean([crps(f.actual, f.quantiles, f.at) for f in folds if f.quantiles is not None])
    whole = [(f.actual, f.quantiles, f.at) for f in folds if f.quantiles is not None]
    out |= {f"i{round(100 * c)}": _mean([float(inside(*one, c).mean()) for one in whole]) for c in (0.80, 0.95)}
    for days in windows:
        sums = [(f.actual[:, :days].sum(axis=1), f.mean[:, :days].sum(axis=1)) for f in folds]
        out[f"c{days}_WAPE"] = _mean([_wape(a, m) for a, m in sums])
        known = [(a, f.cumulative[days], f.at) for (a, _), f in zip(sums, folds, strict=True) if days in f.cumulative]
        out[f"c{days}_CRPS"] = _mean([crps(*one) for one in known])
        out[f"c{days}_cov95"] = _mean([float((a <= q[:, list(at).index(0.95)] + 1e-9).mean()) for a, q, at in known])
        out |= {
            f"c{days}_i{round(100 * c)}": _mean([float(inside(*one, c).mean()) for one in known]) for c in (0.80, 0.95)
        }
    return out


def _mean(values: Sequence[float]) -> float:
    return float(np.nanmean(values)) if len(values) and not np.all(np.isnan(values)) else float("nan")


def _share(fold: Fold, quantiles: Array, days: npt.NDArray[np.bool_], coverage: float) -> float:
    """Share of the chosen `days` inside their interval; NaN where there are none."""
    return float(inside(fold.actual, quantiles, fold.at, coverage)[days].mean()) if days.any() else float("nan")


def _rmse(fold: Fold) -> Array:
    return np.asarray(np.sqrt(np.square(fold.actual - fold.mean).mean(axis=1)))


def _wape(actual: Array, forecast: Array) -> float:
    total = float(np.abs(actual).sum())
    return float(np.abs(actual - forecast).sum()) / total if total else float("nan")


def _weekly(values: Array) -> Array:
    """Sums of whole weeks, (series, weeks)."""
    weeks = values.shape[1] // 7
    return values[:, : 7 * weeks].reshape(len(values), weeks, 7).sum(axis=2)


def _weighted(fold: Fold) -> float:
    if fold.weight is None or not fold.weight.sum():
        return float("nan")
    return float((_rmse(fold) / fold.scale * fold.weight).sum() / fold.weight.sum())
