"""The assessed stock as answers: rows with their reasons, and the summary."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from ml_predictions.messages import message
from ml_predictions.models import MLModel
from retail_ml.inventory import alerts
from retail_ml.inventory.live import Assessment
from retail_ml.inventory.policy import Rules

ALERT_COLUMNS = (
    "product_id", "variant_id", "sku", "product_name", "options", "alert_type", "code", "current_stock",
    "recommended_stock", "predicted_demand_7days", "predicted_demand_30days", "daily_sales_rate",
    "days_until_stockout", "estimated_stockout_date", "urgency_level", "rotation_rate", "price", "category",
    "money_at_stake", "probability", "expected_money", "also", "confidence",
)  # fmt: skip
REORDER_COLUMNS = (
    "product_id", "variant_id", "sku", "product_name", "options", "current_stock", "on_order", "drafted",
    "reorder_point", "order_up_to", "recommended_order_quantity", "safety_stock", "daily_demand", "lead_time_days",
    "unit_cost", "estimated_cost", "stockout_date_without_order", "stockout_date_with_order", "expected_on",
    "cover_days", "filled_units", "break_taken", "next_break_units", "next_break_cost", "season_end",
    "supplier_id", "supplier", "confidence",
)  # fmt: skip
REORDER_FACTS = (
    "position", "reorder_point", "daily_demand", "lead_days", "current_stock", "confidence", "cost_known",
    "service_target",
)  # fmt: skip
"""What `reorder_reason` speaks of."""
ALERT_FACTS = (
    "code", "money_at_stake", "price", "effective_cost", "predicted_demand_30days", "late_number", "late_units",
    "late_days", "next_receipt_days", "season_end", "leftover_units", "free_stock", "on_order", "week_expected",
    "drift_days", "stated_lead_days", "excess_units", "sold_7", "gone_before_receipt", "idle_days", *REORDER_FACTS,
)  # fmt: skip
"""What `alert_reason` speaks of."""
ROUNDED = 4


@dataclass(frozen=True, eq=False)
class Analysis:
    """Every variant's levels against its live stock. `frame` has one row per variant, `alerts` those that want a
    decision, by the money at stake."""

    model: MLModel
    as_of: date
    rules: Rules
    assessment: Assessment
    currency: str
    forecast: bool
    """True when the demand of the next days comes from the sales forecast, False: from each variant's own rates."""
    counted: bool = True
    """False in a shop that has never counted its stock: shelves are taken as empty, and nothing is called an alert."""
    suppliers: Callable[[Sequence[str]], pl.DataFrame] | None = None
    """Gives `goods` of all that some suppliers bring, where this is of but a part of the shop."""

    @property
    def frame(self) -> pl.DataFrame:
        """One row per variant."""
        return self.assessment.frame

    @property
    def goods(self) -> pl.DataFrame:
        """`frame` with what alerts and orders are made of."""
        return self.assessment.goods

    def brought_by(self, suppliers: Sequence[str]) -> pl.DataFrame:
        """`goods` of all variants that these suppliers bring."""
        if self.suppliers is not None and len(suppliers):
            return self.suppliers(suppliers)
        return self.goods.filter(pl.col("supplier_id").is_in(list(suppliers)))

    @property
    def total_analyzed(self) -> int:
        """Variants looked at."""
        return len(self.assessment)

    @property
    def note(self) -> dict[str, Any]:
        """What to know beside the figures: `note` with a message, or nothing."""
        return {} if self.counted else {"note": message("inventory.not_counted")}

    @property
    def _found(self) -> pl.DataFrame:
        return self.goods.filter(pl.col("code").is_not_null() & pl.lit(self.counted))

    @property
    def alerts(self) -> pl.DataFrame:
        """The variants with an alert, the most money at stake first; ties by urgency and SKU."""
        return self._found.sort(["money_at_stake", "urgency_level", "sku"], descending=[True, True, False])

    def summary(self) -> dict[str, Any]:
        """`total_alerts, by_type, by_urgency, total_stock_value_at_risk` over all alerts.

        The value at risk is the cost of what lies there too much or too long (overstock and slow moving).
        """
        found = self._found
        by_type = dict(found.group_by("alert_type").len().iter_rows())
        by_urgency = dict(found.group_by("urgency_level").len().iter_rows())
        idle = found.filter(pl.col("alert_type").is_in(["overstock", "slow_moving"]))
        return {
            "total_alerts": len(found),
            "by_type": {name: by_type.get(name, 0) for name in alerts.TYPES},
            "by_urgency": {str(level): by_urgency.get(level, 0) for level in range(1, 6)},
            "total_stock_value_at_risk": round(float(idle["money_at_stake"].sum()), 2),
        }

    def alert_rows(self, frame: pl.DataFrame | None = None) -> list[dict[str, Any]]:
        """Rows of `alerts` (or of a part of it) as they are answered and stored; `reason` is a message."""
        chosen = (self.alerts if frame is None else frame).with_columns(daily_sales_rate=pl.col("daily_demand"))
        rows = chosen.select(ALERT_COLUMNS).to_dicts()
        full = chosen.select(ALERT_FACTS).to_dicts()
        return [finite(row) | {"reason": alert_reason(all_, self)} for row, all_ in zip(rows, full, strict=True)]

    def reorder_rows(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        """Rows to order as they are answered; `priority` is the urgency, 5 the most; `reason` is a message."""
        counted = pl.when(pl.lit(self.counted))
        chosen = frame.with_columns(
            stockout_date_without_order=counted.then("estimated_stockout_date"),
            stockout_date_with_order=counted.then("stockout_date_with_order"),
            lead_time_days=pl.col("lead_days"),
        )
        rows = chosen.select(REORDER_COLUMNS).to_dicts()
        facts = chosen.select("urgency_level", *REORDER_FACTS).to_dicts()
        return [
            finite(row) | {"priority": full["urgency_level"], "reason": reorder_reason(full)}
            for row, full in zip(rows, facts, strict=True)
        ]


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """A row that JSON can hold: floats rounded, None for what is not finite."""
    return {name: number(value) if isinstance(value, float) else value for name, value in row.items()}


def number(value: float, digits: int = ROUNDED) -> float | None:
    """A rounded float, None where it is not finite."""
    return round(value, digits) + 0.0 if math.isfinite(value) else None


def short(value: float | None) -> float | int:
    """A figure to read in a sentence: whole from 10 on, else with two digits at most."""
    if value is None or not math.isfinite(value):
        return 0
    return round(value) if abs(value) >= 10 or value == round(value) else round(value, 2)


REASONS = {  # code of the alert → sentence, and the figures in it
    "NEGATIVE_STOCK": ("inventory.negative_stock", ("stock", "daily", "risk_days", "money", "currency")),
    "OUT_OF_STOCK": ("inventory.out_of_stock", ("daily", "risk_days", "money", "currency")),
    "STOCKOUT_BEFORE_DELIVERY": (
        "inventory.stockout_before_delivery",
        ("stock", "on_order", "next_days", "percent", "money", "currency"),
    ),
    "LATE_PO": ("inventory.late_po", ("number", "late_units", "late_days", "percent", "money", "currency")),
    "MARGIN_NEGATIVE": ("inventory.margin_negative", ("price", "cost", "month", "money", "currency")),
    "SEASON_END_RISK": (
        "inventory.season_end_risk",
        ("season_end", "leftover", "coming", "money", "currency"),
    ),
    "PRICE_OR_COST_MISSING": ("inventory.price_or_cost_missing", ("position", "reorder_point")),
    "DEMAND_DROP": ("inventory.demand_drop", ("units", "week_expected", "stock")),
    "LEAD_TIME_DRIFT": ("inventory.lead_time_drift", ("drift_days", "stated", "money", "currency")),
    "REORDER_SOON": ("inventory.reorder_soon", ("position", "reorder_point", "review_days")),
    "DEMAND_SPIKE": ("inventory.demand_spike", ("units", "daily")),
    "DEAD_STOCK": ("inventory.dead_stock", ("stock", "idle_days", "money", "currency")),
    "OVERSTOCK": ("inventory.overstock", ("excess", "over_days", "money", "currency")),
    "SLOW_MOVING": ("inventory.slow_moving", ("stock", "daily", "cover_days", "money", "currency")),
}


def alert_reason(row: dict[str, Any], analysis: Analysis) -> dict[str, Any]:
    """Why this alert: a message."""
    code, daily = row["code"], row["daily_demand"]
    if code == "REORDER_NOW":
        return reorder_reason(row)
    text, names = REASONS[code]
    figures = {
        "money": short(row["money_at_stake"]),
        "currency": analysis.currency,
        "price": short(row["price"]),
        "cost": short(row["effective_cost"]),
        "month": short(row["predicted_demand_30days"]),
        "number": row["late_number"],
        "late_units": short(row["late_units"]),
        "late_days": round(row["late_days"] or 0),
        "next_days": round(row["next_receipt_days"] or row["lead_days"]),
        "season_end": str(row["season_end"] or ""),  # stored as JSON, and put into words when read
        "leftover": round(row["leftover_units"], 1),
        "coming": short((row["free_stock"] or 0) + row["on_order"]),
        "week_expected": short(row["week_expected"]),
        "drift_days": round(row["drift_days"] or 0),
        "stated": short(row["stated_lead_days"]),
        "stock": short(row["current_stock"]),
        "daily": short(daily),
        "position": short(row["position"]),
        "reorder_point": short(row["reorder_point"]),
        "on_order": short(row["on_order"]),
        "excess": short(row["excess_units"]),
        "units": short(row["sold_7"]),
        "percent": round(100 * row["gone_before_receipt"]),
        "risk_days": alerts.RISK_DAYS,
        "review_days": analysis.rules.review_days,
        "over_days": round(alerts.OVERSTOCK_DAYS + row["lead_days"]),
        "idle_days": round(row["idle_days"] or 0),
        "cover_days": round(row["current_stock"] / daily) if daily else 0,
    }
    if code == "DEAD_STOCK" and row["idle_days"] is None:
        text = "inventory.never_sold"
    elif code in ("SLOW_MOVING", "OVERSTOCK") and not daily:
        text, names = "inventory.no_demand", ("stock", "money", "currency")
    return message(text, **{name: figures[name] for name in names})


def reorder_reason(row: dict[str, Any]) -> dict[str, Any]:
    """Why to order, and what makes it doubtful if anything does: a message."""
    figures = {
        "position": short(row["position"]),
        "reorder_point": short(row["reorder_point"]),
        "daily": short(row["daily_demand"]),
        "lead_days": round(row["lead_days"], 1),
    }
    if row["current_stock"] < 0:
        return message("inventory.reorder_negative_stock", stock=short(row["current_stock"]), **figures)
    if row["position"] > row["reorder_point"]:  # asked for, or added to fill an order
        return message("inventory.above_reorder_point", **figures)
    if row["confidence"] == "low":
        return message("inventory.reorder_low_confidence", **figures)
    if not row["cost_known"]:
        return message("inventory.reorder_without_cost", percent=round(100 * row["service_target"]), **figures)
    return message("inventory.reorder_now", **figures)
