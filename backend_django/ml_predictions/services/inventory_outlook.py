"""One variant ahead: demand as a distribution, stock day by day with what is on its way, why it is ordered or not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from ml_predictions.messages import message
from ml_predictions.services.inventory_answers import Analysis, alert_reason, finite, reorder_reason, short
from retail_ml.inventory import policy, receipts

PROJECTION_DAYS = 90
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
LISTS = ("receipt_days", "receipt_units")
UNSAID = (*LISTS, "left_units")
"""Columns that stand in an answer in another form, or not at all."""


def explained(row: dict[str, Any], analysis: Analysis) -> dict[str, Any]:
    """A row of `Analysis.frame` with `reason`, `alert_reason`, `demand`, `deliveries` and `projected_stock`."""
    coming = list(zip(*(row[name] for name in LISTS), strict=True))
    plain = {name: value for name, value in row.items() if name not in UNSAID}
    told = analysis.counted and row["code"] is not None
    return {
        **finite(plain),
        "reason": _why(row),
        "alert_reason": alert_reason(row, analysis) if told else None,
        "demand": _demand(row, analysis.rules.review_days),
        "deliveries": [{"date": _day(analysis.as_of, days + 1), "units": units} for days, units in coming],
        "projected_stock": _projected(row, coming, analysis.as_of),
    }


def _day(as_of: date, days: float) -> date:
    return as_of + timedelta(days=int(np.floor(days)))


def _demand(row: dict[str, Any], review_days: int) -> dict[str, Any]:
    """Demand over review + lead time: whole days, mean, standard deviation and quantiles."""
    days = float(policy.protection_days(np.array([row["lead_days"]]), policy.Rules(review_days=review_days))[0])
    law = (np.array([row["daily_demand"]]), np.array([row["variance_ratio"]]))
    mean = row["daily_demand"] * days
    quantiles = {f"p{round(100 * q)}": float(policy.demand_quantile(q, *law, days=days)[0]) for q in QUANTILES}
    sd = round(float(np.sqrt(mean * row["variance_ratio"])), 2)
    return {"days": int(days), "mean": round(mean, 2), "sd": sd, **quantiles}


def _projected(row: dict[str, Any], coming: list[tuple[float, float]], as_of: date) -> list[dict[str, Any]]:
    found = receipts.projected(
        row["free_stock"], (row["daily_demand"], row["variance_ratio"]), coming=coming, days=PROJECTION_DAYS
    )
    names = ("expected", "lower", "arriving")
    return [
        {"date": as_of + timedelta(days=t + 1), **{n: round(float(x), 2) for n, x in zip(names, values, strict=True)}}
        for t, values in enumerate(zip(*found, strict=True))
    ]


def _why(row: dict[str, Any]) -> dict[str, Any]:
    if not row["active"]:
        return message("inventory.not_active")
    if row["season_over"]:
        return message("inventory.season_over", season_end=row["season_end"].isoformat())
    if not row["in_model"]:
        return message("inventory.not_in_model")
    if not row["daily_demand"]:
        return message("inventory.nothing_expected")
    if row["recommended_order_quantity"] > 0:
        return reorder_reason(row)
    return message("inventory.enough", position=short(row["position"]), reorder_point=short(row["reorder_point"]))
