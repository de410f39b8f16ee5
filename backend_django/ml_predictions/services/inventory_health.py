"""How healthy the stock is: score, parts, two amounts of money, what to do first; and day by day, for the trend."""

from __future__ import annotations

from typing import Any

import polars as pl

from ml_predictions.messages import message
from ml_predictions.models_inventory import InventoryHealthDay
from ml_predictions.services.inventory_answers import Analysis, short
from retail_ml.inventory import health

HISTORY_DAYS = 90
"""Days of the past that an answer holds, the newest last."""
TREND = ("day", "health_score", "margin_at_risk", "cash_in_excess")


def health_answer(analysis: Analysis) -> dict[str, Any]:
    """Score, band, parts (0…100), money and counts of the variants on offer or in stock, and what to do first."""
    frame = analysis.assessment.brief
    counted = frame.filter(pl.col("active") | (pl.col("current_stock") > 0))
    score, parts = health.shop(analysis.assessment.parts, analysis.assessment.weights)
    by_type = dict(counted.group_by("alert_type").len().iter_rows())
    low = by_type.get("reorder_now", 0) + by_type.get("low_stock", 0)
    over, slow = by_type.get("overstock", 0), by_type.get("slow_moving", 0)
    known = len(counted) > 0 and analysis.counted
    metrics = {
        "total_products": len(counted),
        "low_stock": low,
        "overstock": over,
        "slow_moving": slow,
        "optimal": len(counted) - low - over - slow,
    }
    return {
        "health_score": round(score, 1) if known else None,
        "status": health.status(round(score, 1)) if known else None,
        "components": {name: round(100 * value, 1) if known else None for name, value in parts.items()},
        "margin_at_risk": round(float(counted["margin_at_risk"].sum()), 2) if analysis.counted else None,
        "cash_in_excess": round(float(counted["cash_in_excess"].sum()), 2) if analysis.counted else None,
        "metrics": metrics if analysis.counted else dict.fromkeys(metrics) | {"total_products": len(counted)},
        "counted": "variants",
        "history": history(),
        "recommendations": _advice(counted, analysis.currency) if analysis.counted else list(analysis.note.values()),
    }


def _advice(counted: pl.DataFrame, currency: str) -> list[dict[str, Any]]:
    """At most five messages, the most money first, faults of the data last."""
    if not len(counted):
        return [message("inventory.advice_nothing")]
    found: list[tuple[float, dict[str, Any]]] = []
    cases = (
        ("inventory.advice_reorder", pl.col("alert_type") == "reorder_now", "money_at_stake"),
        ("inventory.advice_overstock", pl.col("code") == "OVERSTOCK", "money_at_stake"),
        ("inventory.advice_dead", pl.col("code") == "DEAD_STOCK", "money_at_stake"),
    )
    for code, condition, column in cases:
        some = counted.filter(condition)
        if len(some):
            money = float(some[column].sum())
            found.append((money, message(code, count=len(some), money=short(money), currency=currency)))
    advice = [text for _, text in sorted(found, key=lambda pair: -pair[0])]
    faults = (
        ("inventory.advice_negative", pl.col("current_stock") < 0),
        ("inventory.advice_cost", ~pl.col("cost_known")),
    )
    for code, condition in faults:
        if count := len(counted.filter(condition)):
            advice.append(message(code, count=count))
    return advice or [message("inventory.advice_fine")]


def store(analysis: Analysis) -> None:
    """Keep the health of the day; written again it is replaced. Nothing is kept of a stock that was never counted."""
    found = health_answer(analysis)
    model = analysis.model
    model.metrics = {**model.metrics, "health_score": found["health_score"]}
    model.save(update_fields=["metrics"])
    if found["health_score"] is None:
        return
    kept = {name: found[name] for name in ("health_score", "components", "margin_at_risk", "cash_in_excess")}
    value = round(float(analysis.frame["stock_value"].sum()), 2)
    InventoryHealthDay.objects.update_or_create(day=analysis.as_of, defaults={**kept, "stock_value": value})


def history() -> list[dict[str, Any]]:
    """The last days that were kept, the oldest first."""
    return list(InventoryHealthDay.objects.order_by("-day").values(*TREND)[:HISTORY_DAYS])[::-1]
