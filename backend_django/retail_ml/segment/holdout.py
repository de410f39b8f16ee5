"""How good the expectations are: the shop's last months held out, each method beside the others.

Everything up to the cut-off is all a method sees; what came after is only compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from retail_ml.segment.features import Visits, bought_between, days_before, features
from retail_ml.segment.space import Array
from retail_ml.segment.value import METHODS, SIMPLE, Expected, expect

LONGEST, SHORTEST = 180, 14
CUSTOMERS, VISITS = 30, 10
"""Customers known at the cut-off, and visits after it, that a back-test needs at least."""
LEVEL = 0.8
GROUP = 20
"""Customers behind each error quantile, at least."""


@dataclass(frozen=True)
class Band:
    """What really came, by what had been expected: money a day at a few knots; arrays of shape (knots,).

    Between knots the bounds are interpolated; above the last they grow in proportion.
    """

    expected: Array
    lower: Array
    upper: Array

    @classmethod
    def fit(cls, expected: Array, actual: Array, days: float) -> Band:
        """The 10 % and 90 % quantiles of `actual` among customers of similar expectation (tenths, at most).

        >>> band = Band.fit(np.full(20, 10.0), np.arange(20.0), 10)
        >>> band.expected.tolist(), band.lower.round(2).tolist(), band.upper.round(2).tolist()
        ([1.0], [0.19], [1.71])
        """
        groups = int(np.clip(len(expected) // GROUP, 1, 10))
        edges = np.unique(np.quantile(expected, np.arange(groups) / groups))
        member = np.maximum(np.searchsorted(edges, expected, side="right") - 1, 0)
        inside = [member == g for g in range(len(edges))]
        low, high = np.array([np.quantile(actual[i], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) for i in inside]).T
        return cls(np.array([expected[i].mean() for i in inside]) / days, low / days, high / days)

    def bounds(self, expected: Array, days: float) -> tuple[Array, Array]:
        """Lower and upper bound of what comes in `days`; they always hold the expectation itself."""
        daily, last = expected / days, self.expected[-1]
        beyond = np.maximum(daily / last, 1.0) if last > 0 else np.ones(len(daily))
        lower = np.interp(daily, self.expected, self.lower) * beyond * days
        upper = np.interp(daily, self.expected, self.upper) * beyond * days
        return np.minimum(lower, expected), np.maximum(upper, expected)


@dataclass(frozen=True)
class Holdout:
    """The verdict: which method serves, its band, and the table. `reason` says why there is none."""

    method: str | None = None
    band: Band | None = None
    table: dict[str, Any] = field(default_factory=dict)
    reason: dict[str, Any] | None = None
    beats_baseline: bool | None = None
    """True: no naive method has as low an RMSE of revenue. None: a naive one serves, or nothing could be compared."""


def errors(expected: Array, actual: Array) -> dict[str, float | None]:
    """MAE, RMSE and bias (share of the actual total; null when that is 0).

    >>> errors(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    {'mae': 1.0, 'rmse': 1.0, 'bias': 0.0}
    """
    gap, total = expected - actual, actual.sum()
    return {
        "mae": round(float(np.abs(gap).mean()), 4),
        "rmse": round(float(np.sqrt((gap**2).mean())), 4),
        "bias": round(float(gap.sum() / total), 4) if total > 0 else None,
    }


def top_share(expected: Array, actual: Array) -> float | None:
    """Share of the actual revenue brought by the tenth of the customers with the highest expectation.

    >>> top_share(np.arange(10.0), np.full(10, 5.0))
    0.1
    """
    best = np.argsort(-expected, kind="stable")[: max(len(expected) // 10, 1)]
    total = actual.sum()
    return round(float(actual[best].sum() / total), 4) if total > 0 else None


def lead(simple: Array, other: Array, actual: Array) -> dict[str, float]:
    """How far `other` is ahead of `simple`, in standard errors of the paired difference: absolute and squared error.

    >>> lead(np.array([3.0, 2.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    {'absolute': 4.2426, 'squared': 2.357}
    """
    out = {}
    for name, power in (("absolute", 1), ("squared", 2)):
        gain = np.abs(simple - actual) ** power - np.abs(other - actual) ** power
        spread = gain.std() / np.sqrt(len(gain))
        out[name] = round(float(gain.mean() / spread), 4) if spread > 0 else 0.0
    return out


def choose(table: dict[str, Any]) -> str:
    """The method that serves: the simple one where its RMSE of revenue is the lowest, else the best naive one.

    Not the MAE: expecting nothing of anybody wins that.
    """
    rmse = {name: table[name]["revenue"]["rmse"] for name in METHODS}
    best = min(METHODS[1:], key=lambda name: rmse[name])
    return SIMPLE if rmse[SIMPLE] < rmse[best] else best


def coverage(method: str, seen: Visits, cutoff: date, *, days: int) -> float | None:
    """Share of customers whose spend in the `days` after `cutoff` was inside the band made of the `days` before it.

    This is what a band of today can be trusted to do in days that are not yet known. None where fewer than GROUP
    customers were known then, or fewer than a third of CUSTOMERS a window earlier, which the expectation needs.
    """
    before = days_before(cutoff, days)
    known, earlier = features(seen, before), features(seen, days_before(before, days))
    if len(known) < GROUP or len(earlier) < CUSTOMERS // 3:
        return None
    told = expect(method, seen, known, before, days=days, window=days).revenue
    band = Band.fit(told, bought_between(seen, known, before, cutoff)["spent"].to_numpy(), days)
    known = features(seen, cutoff)
    actual = bought_between(seen, known, cutoff, days_before(cutoff, -days))["spent"].to_numpy()
    lower, upper = band.bounds(expect(method, seen, known, cutoff, days=days, window=days).revenue, days)
    return round(float(((actual >= lower - 0.005) & (actual <= upper + 0.005)).mean()), 4)


def coverage_same_days(expected: Array, actual: Array, days: float) -> float | None:
    """Share inside the band of the same days, each half of the customers judged by the other half's.

    It tells nothing of a season that turns, so it flatters. None under 4 groups' worth of customers.
    """
    if len(expected) < 4 * GROUP:
        return None
    inside = np.zeros(len(expected), dtype=bool)
    for half in (0, 1):
        one = np.arange(len(expected)) % 2 == half
        lower, upper = Band.fit(expected[~one], actual[~one], days).bounds(expected[one], days)
        inside[one] = (actual[one] >= lower - 0.005) & (actual[one] <= upper + 0.005)
    return round(float(inside.mean()), 4)


def validate(seen: Visits, as_of: date) -> Holdout:
    """Hold out the last min(180 days, a third of the history), expect them by every method, and compare.

    Returns a `Holdout` without method, but with the reason, where there is too little to judge by.
    """
    first = seen.first_day
    history = (as_of - first).days if first else 0
    days = min(LONGEST, history // 3)
    cutoff = days_before(as_of, days)
    known, earlier = features(seen, cutoff), features(seen, days_before(cutoff, days))
    came = bought_between(seen, known, cutoff, as_of)
    visits = int(came["visits"].sum())
    if days < SHORTEST or len(known) < CUSTOMERS or len(earlier) < CUSTOMERS // 3 or visits < VISITS:
        found = {"days": history, "customers": len(known), "visits": visits}
        return Holdout(reason={"code": "segment.no_holdout", "params": found})
    actual = Expected(came["visits"].to_numpy(), came["spent"].to_numpy())
    told = {name: expect(name, seen, known, cutoff, days=days, window=days) for name in METHODS}
    table = {
        name: {
            "orders": errors(one.orders, actual.orders),
            "revenue": errors(one.revenue, actual.revenue),
            "top_decile_share": top_share(one.revenue, actual.revenue),
            **({"lead": lead(told[SIMPLE].revenue, one.revenue, actual.revenue)} if name != SIMPLE else {}),
        }
        for name, one in told.items()
    }
    method = choose(table)
    served = told[method].revenue
    receipt = {
        "from": days_before(cutoff, -1).isoformat(),
        "until": as_of.isoformat(),
        "days": days,
        "customers": len(known),
        "methods": table,
        "coverage": coverage(method, seen, cutoff, days=days),
        "coverage_same_days": coverage_same_days(served, actual.revenue, days),
        "coverage_promised": LEVEL,
    }
    beats = True if method == SIMPLE else None
    return Holdout(method, Band.fit(served, actual.revenue, days), receipt, beats_baseline=beats)
