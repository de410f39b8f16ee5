"""Weeks that sold far more or far less than was expected before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import demand as dm
from retail_ml.inventory import policy
from retail_ml.inventory.history import History

Floats = npt.NDArray[np.float64]

BOUNDS = (0.005, 0.995)
"""Outside these quantiles of what was expected a week is unusual: of 200 usual ones, one on either side."""
FEWEST_DAYS = 35
USUAL_DAYS = 91


def weeks(h: History, expected: dm.Demand, *, sold: Floats) -> dict[str, npt.NDArray[Any]]:
    """`spike` and `drop` of each variant: did its last 7 days sell more or less than `BOUNDS` allow; `week_expected`.

    Expected is what was expected before them, of as many days as the shop was open and the variant there to be bought:
    a shop that was closed sold nothing and nothing dropped. The demand is negative binomial. `sold` are the units of
    the last 7 days.
    """
    n = len(h.start)
    if h.days < FEWEST_DAYS or not n:
        return {"spike": np.zeros(n, bool), "drop": np.zeros(n, bool), "week_expected": np.zeros(n)}
    week_ago, week = h.days - 7, np.full(n, 7)
    before = dm.daily_mean(h, np.array([week_ago]), protection=week, gamma=dm.prior(h.until(week_ago)))[:, 0]
    days = _open_days(h)
    low, high = (policy.demand_quantile(q, before, expected.ratio, days=days) for q in BOUNDS)
    return {
        "spike": (sold > np.maximum(high, 2.0)) & (before > 0),
        "drop": (sold < low) & (before > 0),
        "week_expected": before * days,
    }


def _open_days(h: History) -> Floats:
    """Calendar days that the last week's open days stand for, 7 in a usual week."""
    ends = np.array([h.days - 7 - min(h.days - 7, USUAL_DAYS), h.days - 7, h.days])
    usual = (h.shop_open[ends[1]] - h.shop_open[ends[0]]) / (ends[1] - ends[0])
    last = np.full((len(h.start), 1), ends[2])
    opened = h.open_between(last - 7, last)[:, 0]
    return np.asarray(np.clip(opened / usual, 0.0, 7.0) if usual > 0 else np.full(len(h.start), 7.0), dtype=float)
