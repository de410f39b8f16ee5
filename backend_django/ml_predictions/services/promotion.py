"""Is a new version as good as the one in service? Measured on the same days of the past, or said not to be comparable.

Two versions of one service are compared on the tests that both have passed: the same origins and days ahead of the
forecast, the same window of each list of the recommendations, the same replayed weeks of the inventory under the same
rules. Customers are not compared: a version says who they are today, and chooses between its method and the naive one
by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ml_predictions import conf
from ml_predictions.messages import message

Measured = dict[str, tuple[float, float]]
"""Test → (error, weight): lower is better; errors of several tests are pooled by their weights."""
STALE_DAYS = 28
"""A version in service whose data is so much older than a new one's no longer holds it back."""


def of_forecast(version: Any) -> Measured:
    """Origin and days ahead → the forecast's WAPE, weighed by what was sold."""
    folds = version.receipt.get("folds") or []
    return {
        f"{fold['cutoff']}+{fold['horizon_days']}": (fold["wape"], abs(fold["actual"]))
        for fold in folds
        if fold.get("wape") is not None and fold.get("actual")
    }


def of_recommendations(version: Any) -> Measured:
    """List and window of the last test → 1 − NDCG@10 of what serves, weighed by its questions."""
    rows = version.receipt.get("table") or []
    return {
        f"{row['surface']} {row['from']}…{row['to']}": (1 - row["ndcg_10"], row["cases"])
        for row in rows
        if row.get("serves") and row.get("window") == "test" and row.get("ndcg_10") is not None and row.get("cases")
    }


def of_inventory(version: Any) -> Measured:
    """Last day, weeks and rules of the replay → what the stock would have cost."""
    replay = version.metrics.get("replay")
    if not replay or not replay.get("total_cost"):
        return {}
    rules = json.dumps(version.parameters, sort_keys=True, default=str)
    return {f"{version.as_of} {replay['weeks']} {rules}": (replay["total_cost"], 1.0)}


MEASURES: Mapping[str, Callable[[Any], Measured]] = {
    "sales_forecast": of_forecast,
    "product_recommendation": of_recommendations,
    "inventory_optimization": of_inventory,
}


def compare(service: str, new: Any, old: Any) -> dict[str, Any]:
    """Held side by side: `comparable`, `tests`, `error`, `error_in_service`, `tolerance`, `worse`, `sentence`.

    `new` and `old` have `as_of`, `metrics`, `receipt` and `parameters`. `worse`: beyond the tolerance
    (PROMOTION_TOLERANCE, a share of the error of the one in service). False where they cannot be compared.
    """
    tolerance, against = float(conf.get("PROMOTION_TOLERANCE")), {"version": old.version}
    if service not in MEASURES:
        return _not_comparable(message("promotion.not_compared", **against), tolerance)
    mine, theirs = MEASURES[service](new), MEASURES[service](old)
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        return _not_comparable(message("promotion.no_common_test", **against), tolerance)
    error, before = _pooled(mine, both, theirs), _pooled(theirs, both, theirs)
    worse = error > before * (1 + tolerance)
    stale = (new.as_of - old.as_of).days > STALE_DAYS
    figures = {"error": round(error, 4), "before": round(before, 4), "tests": len(both), **against}
    code = "promotion.not_worse" if not worse else "promotion.stale" if stale else "promotion.worse"
    return {
        "comparable": True,
        "against_version": old.version,
        "tests": len(both),
        "error": round(error, 6),
        "error_in_service": round(before, 6),
        "tolerance": tolerance,
        "worse": worse and not stale,
        "sentence": message(code, **figures, percent=round(100 * tolerance, 1)),
    }


def _pooled(found: Measured, tests: list[str], weights: Measured) -> float:
    """Mean error over `tests`, weighed as the version in service weighs them."""
    total = sum(weights[test][1] for test in tests)
    return sum(found[test][0] * weights[test][1] for test in tests) / total


def _not_comparable(sentence: dict[str, Any], tolerance: float) -> dict[str, Any]:
    unknown = dict.fromkeys(("error", "error_in_service"))
    return {
        "comparable": False, "tests": 0, **unknown, "tolerance": tolerance, "worse": False, "sentence": sentence,
    }  # fmt: skip
