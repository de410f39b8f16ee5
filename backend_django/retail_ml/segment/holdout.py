"""How good the expectations are: the shop's last months held out, each method beside the others.

Everything up to the cut-off is all a method sees, the weight of the blend and the width of its band included; what
came after is only compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from retail_ml.segment.features import days_before
from retail_ml.segment.past import LEVEL, Past
from retail_ml.segment.space import Array
from retail_ml.segment.value import BLEND, METHODS, NAIVE, Expected

LONGEST, SHORTEST = 180, 14
CUSTOMERS, EARLIER, VISITS = 30, 10, 10
"""Customers known at the cut-off, those known a window earlier, and visits after it: the least to judge by."""
NOISE = 2.0
"""Standard errors up to which a lead in squared error of revenue counts as chance."""


@dataclass(frozen=True)
class Holdout:
    """The verdict: which method serves, and the table. `reason` says why there is none."""

    method: str | None = None
    table: dict[str, Any] = field(default_factory=dict)
    reason: dict[str, Any] | None = None
    beats_baseline: bool | None = None
    """True: the blend's RMSE of orders and of revenue is lower than every naive one's. None: a naive one serves, or was
    ahead by revenue within the noise, or nothing could be compared."""


def errors(expected: Array, actual: Array) -> dict[str, float | None]:
    """MAE, RMSE, bias (share of the actual total; null when that is 0) and decile error: |expected - actual| summed
    over tenths of the customers by expectation, as a share of the actual total.

    >>> errors(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    {'mae': 1.0, 'rmse': 1.0, 'bias': 0.0, 'decile_error': 0.5}
    """
    gap, total = expected - actual, actual.sum()
    tenths = np.array_split(gap[np.argsort(-expected, kind="stable")], 10)
    return {
        "mae": round(float(np.abs(gap).mean()), 4),
        "rmse": round(float(np.sqrt((gap**2).mean())), 4),
        "bias": round(float(gap.sum() / total), 4) if total > 0 else None,
        "decile_error": round(float(sum(abs(tenth.sum()) for tenth in tenths) / total), 4) if total > 0 else None,
    }


def top_share(expected: Array, actual: Array) -> float | None:
    """Share of the actual revenue brought by the tenth of the customers with the highest expectation.

    >>> top_share(np.arange(10.0), np.full(10, 5.0))
    0.1
    """
    best = np.argsort(-expected, kind="stable")[: max(len(expected) // 10, 1)]
    total = actual.sum()
    return round(float(actual[best].sum() / total), 4) if total > 0 else None


def capture(expected: Array, actual: Array) -> float | None:
    """`top_share` as a share of what the best tenth, known afterwards, brought.

    >>> capture(np.arange(10.0), np.r_[10.0, np.full(9, 5.0)])
    0.5
    """
    found, best = top_share(expected, actual), top_share(actual, actual)
    return round(found / best, 4) if found is not None and best else None


def lead(ours: Array, other: Array, actual: Array) -> dict[str, float]:
    """How far `other` is ahead of `ours`, in standard errors of the paired difference: absolute and squared error.

    >>> lead(np.array([3.0, 2.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    {'absolute': 4.2426, 'squared': 2.357}
    """
    out = {}
    for name, power in (("absolute", 1), ("squared", 2)):
        gain = np.abs(ours - actual) ** power - np.abs(other - actual) ** power
        spread = gain.std() / np.sqrt(len(gain))
        out[name] = round(float(gain.mean() / spread), 4) if spread > 0 else 0.0
    return out


def choose(table: dict[str, Any]) -> tuple[str, bool | None]:
    """The method that serves, and whether it beats every naive one (`Holdout.beats_baseline`).

    The blend serves where its RMSE of orders is lower than every naive method's, and none is ahead of it in squared
    error of revenue by more than the noise: revenue alone would be decided by the three largest customers. Otherwise
    the naive method with the lowest RMSE of revenue among those that won. Not the MAE: expecting nothing of anybody
    wins that.
    """
    ours = table[BLEND]
    ahead = [
        name
        for name in NAIVE
        if table[name]["orders"]["rmse"] <= ours["orders"]["rmse"] or table[name]["lead"]["squared"] > NOISE
    ]
    if ahead:
        return min(ahead, key=lambda name: table[name]["revenue"]["rmse"]), None
    clearly = all(ours["revenue"]["rmse"] < table[name]["revenue"]["rmse"] for name in NAIVE)
    return BLEND, True if clearly else None


def compare(told: dict[str, Expected], came: Expected) -> dict[str, Any]:
    """Errors of each method, and how far each naive one is ahead of the blend."""
    return {
        name: {
            "orders": errors(one.orders, came.orders),
            "revenue": errors(one.revenue, came.revenue),
            "top_decile_share": top_share(one.revenue, came.revenue),
            "top_decile_capture": capture(one.revenue, came.revenue),
            **({"lead": lead(told[BLEND].revenue, one.revenue, came.revenue)} if name in NAIVE else {}),
        }
        for name, one in told.items()
    }


def validate(past: Past, as_of: date) -> Holdout:
    """Hold out the last min(180 days, a third of the history), expect them by every method, and compare.

    Returns a `Holdout` without method, but with the reason, where there is too little to judge by.
    """
    history = past.history(as_of)
    days = min(LONGEST, history // 3)
    cutoff = days_before(as_of, days)
    known, earlier = past.at(cutoff).known, past.at(days_before(cutoff, days)).known
    came = past.came(cutoff, days)
    visits = int(came.orders.sum())
    if days < SHORTEST or len(known) < CUSTOMERS or len(earlier) < EARLIER or visits < VISITS:
        found = {"days": history, "customers": len(known), "visits": visits}
        return Holdout(reason={"code": "segment.no_holdout", "params": found})
    share = past.own_share(cutoff, days)
    told = {name: past.expect(name, cutoff, window=days, share=share) for name in METHODS}
    table = compare(told, came)
    method, beats = choose(table)
    band = past.band(method, cutoff, window=days, share=share)
    receipt = {
        "from": days_before(cutoff, -1).isoformat(),
        "until": as_of.isoformat(),
        "days": days,
        "customers": len(known),
        "sampled": past.sampled,
        "own_share": share,
        "methods": table,
        "coverage": band.coverage(told[method].revenue, came.revenue, days) if band else None,
        "coverage_promised": LEVEL,
    }
    return Holdout(method, receipt, beats_baseline=beats)
