"""The days behind a back-test, kept in the version's file, so that one can look at them: said, naive, and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.levels import Trained
from retail_ml.forecast.models import BASELINE

DAY = ("forecast", "lower_80", "upper_80", "lower_95", "upper_95", "baseline", "actual")
"""Figures of a day; money."""
SUM = ("lower_80", "upper_80", "lower_95", "upper_95")
"""Bounds of the sum over the horizon, which are no sums of daily bounds."""


def to_keep(one: Trained) -> dict[str, npt.NDArray[Any]]:
    """The replayed origins of the whole shop's revenue, for the version's file.

    `backtest_origin` (origins,): the last day that was known, as an ordinal. `backtest_days` (origins, horizon, 7):
    the figures of DAY, NaN where there is no baseline, or the day lies in a long closure. `backtest_sums`
    (origins, 4): SUM.
    """
    horizon, naive = one.trial.plan.horizon, {fold.cutoff: fold for fold in one.trial.folds.get(BASELINE, [])}
    days = np.full((len(one.replayed), horizon, len(DAY)), np.nan)
    sums = np.full((len(one.replayed), len(SUM)), np.nan)
    for k, (fold, widths) in enumerate(one.replayed):
        mean = fold.forecast[:1, :horizon]
        near, far = widths.daily(mean, 0.80), widths.daily(mean, 0.95)
        base = naive[fold.cutoff].forecast[0, :horizon] if fold.cutoff in naive else np.full(horizon, np.nan)
        columns = [mean[0], *(bound[0] for bound in (*near, *far)), base, fold.actual[0, :horizon]]
        days[k] = np.where(fold.counted[:horizon, None], np.column_stack(columns), np.nan)
        sums[k] = [bound[0] for coverage in (0.80, 0.95) for bound in widths.total(mean, coverage)]
    origins = np.array([fold.origin.toordinal() for fold, _ in one.replayed], dtype=np.int64)
    return {"backtest_origin": origins, "backtest_days": days, "backtest_sums": sums}


def days_of(arrays: Mapping[str, npt.NDArray[Any]], origin: date) -> list[dict[str, Any]]:
    """The days of one origin as rows: `date` and the figures of DAY; none where the file holds none."""
    found = _at(arrays, origin)
    if found is None:
        return []
    rows = arrays["backtest_days"][found].tolist()
    return [
        {"date": origin + timedelta(days=ahead), **dict(zip(DAY, (_known(x) for x in row), strict=True))}
        for ahead, row in enumerate(rows, start=1)
    ]


def sums_of(arrays: Mapping[str, npt.NDArray[Any]], origin: date) -> dict[str, float | None]:
    """Bounds of the sum of one origin's days; empty where the file holds none."""
    found = _at(arrays, origin)
    return {} if found is None else dict(zip(SUM, map(_known, arrays["backtest_sums"][found].tolist()), strict=True))


def _at(arrays: Mapping[str, npt.NDArray[Any]], origin: date) -> int | None:
    """The row of an origin."""
    if "backtest_origin" not in arrays:  # of a version that was trained before they were kept
        return None
    found = np.flatnonzero(arrays["backtest_origin"] == origin.toordinal())
    return int(found[0]) if len(found) else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
