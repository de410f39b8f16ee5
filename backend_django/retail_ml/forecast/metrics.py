"""Errors of forecasts; all of them over days that the forecast had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def wape(actual: Array, forecast: Array) -> float | None:
    """Σ|y − f| / Σ|y|: the error as a share of sales. None when nothing was sold.

    >>> wape(np.array([10.0, 30.0]), np.array([14.0, 24.0]))
    0.25
    """
    total = float(np.abs(actual).sum())
    return float(np.abs(actual - forecast).sum()) / total if total > 0 else None


def bias(actual: Array, forecast: Array) -> float | None:
    """Σ(f − y) / Σ|y|: positive when too much was promised. None when nothing was sold.

    >>> bias(np.array([10.0, 30.0]), np.array([14.0, 24.0]))
    -0.05
    """
    total = float(np.abs(actual).sum())
    return float((forecast - actual).sum()) / total if total > 0 else None


def mae(actual: Array, forecast: Array) -> float:
    """Mean absolute error, in the unit of the data.

    >>> mae(np.array([10.0, 30.0]), np.array([14.0, 24.0]))
    5.0
    """
    return float(np.abs(actual - forecast).mean())


def rmse(actual: Array, forecast: Array) -> float:
    """Root mean squared error, in the unit of the data.

    >>> round(rmse(np.array([10.0, 30.0]), np.array([14.0, 24.0])), 3)
    5.099
    """
    return float(np.sqrt(np.square(actual - forecast).mean()))


def r2(actual: Array, forecast: Array) -> float | None:
    """1 − Σ(y − f)² / Σ(y − ȳ)²; None for a constant actual. Closed days count when they are among the days.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.5
    """
    spread = float(np.square(actual - actual.mean()).sum())
    return 1 - float(np.square(actual - forecast).sum()) / spread if spread > 0 else None


def mase_scale(train: Array) -> float | None:
    """Mean |y[t] − y[t−7]| of the training days: the denominator of MASE (Hyndman & Koehler 2006, m = 7).

    >>> mase_scale(np.array([1.0] * 7 + [3.0] * 7))
    2.0
    """
    if train.shape[-1] <= 7:
        return None
    scale = float(np.abs(train[..., 7:] - train[..., :-7]).mean())
    return scale if scale > 0 else None


def covered(actual: Array, lower: Array, upper: Array) -> float | None:
    """Share of the actual values inside their interval; None without values.

    >>> covered(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 4.0]))
    0.5
    """
    return float(((actual >= lower) & (actual <= upper)).mean()) if actual.size else None


def crps(actual: Array, quantiles: Array, probabilities: Sequence[float]) -> Array:
    """Continuous ranked probability score: 2 × the pinball loss averaged over the quantiles (Gneiting & Raftery 2007).

    `quantiles` (probabilities, …) of what `actual` (…) then was; in the unit of the data, 0 is perfect.

    >>> crps(np.array([10.0]), np.array([[8.0], [11.0]]), [0.1, 0.9]).round(3).tolist()
    [0.3]
    """
    p = np.asarray(probabilities).reshape(-1, *[1] * actual.ndim)
    error = actual - quantiles
    return np.asarray(2 * np.maximum(p * error, (p - 1) * error).mean(axis=0))


def weekly(values: Array) -> Array:
    """Sums of whole weeks along the last axis; the rest is dropped.

    >>> weekly(np.ones((1, 15))).tolist()
    [[7.0, 7.0]]
    """
    weeks = values.shape[-1] // 7
    return values[..., : weeks * 7].reshape(*values.shape[:-1], weeks, 7).sum(axis=-1)
