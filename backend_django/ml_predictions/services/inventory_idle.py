"""Dead and slow stock and what lies too much: what it costs, how long it lasts, and what a lower price would bring."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ml_predictions.messages import message
from ml_predictions.services.inventory_answers import Analysis, finite, short
from retail_ml.inventory import alerts, season

KINDS = ("dead", "slow", "excess")
COLUMNS = (
    "product_id", "variant_id", "sku", "product_name", "options", "category", "supplier_id", "supplier", "kind",
    "current_stock", "stock_value", "cost_known", "daily_demand", "cover_days", "idle_days", "excess_units",
    "cash_in_excess", "season_end", "price", "markdown_percent", "markdown_price", "days", "units_sold",
    "units_sold_unchanged", "gain",
)  # fmt: skip


def found(analysis: Analysis, *, elasticity: float, days: int) -> pl.DataFrame:
    """Every variant with dead, slow or too much stock, the dearest first, each with the markdown that brings most.

    A markdown is reckoned until the season ends, at most over `days`, with `season.markdown`. What is left then is
    taken to be worth half of its cost. Null where price or demand is unknown: nobody can say what a lower price brings.
    """
    frame = analysis.goods.filter(pl.lit(analysis.counted))
    cover = pl.when(pl.col("daily_demand") > 0).then(pl.col("current_stock") / pl.col("daily_demand"))
    slow = (pl.col("current_stock") > 0) & ~pl.col("young") & (cover.fill_null(float("inf")) > alerts.SLOW_DAYS)
    excess = (pl.col("excess_units") > 0) & (
        cover.fill_null(float("inf")) > alerts.OVERSTOCK_DAYS + pl.col("lead_days")
    )
    kind = pl.when("dead").then(pl.lit("dead")).when(slow).then(pl.lit("slow")).when(excess).then(pl.lit("excess"))
    frame = frame.with_columns(kind=kind, cover_days=cover).filter(pl.col("kind").is_not_null())
    ahead = pl.min_horizontal(pl.lit(float(days)), pl.col("season_days")).clip(lower_bound=1)
    frame = frame.with_columns(days=ahead.cast(pl.Int64))
    return _marked_down(frame, elasticity).sort("stock_value", "sku", descending=[True, False])


def _marked_down(frame: pl.DataFrame, elasticity: float) -> pl.DataFrame:
    def column(name: str) -> np.ndarray:
        return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(float)

    price, stock, days = column("price"), np.maximum(column("current_stock"), 0), column("days")
    law = (column("daily_demand"), column("variance_ratio"))
    known = np.isfinite(price) & (price > 0) & (law[0] > 0) & (stock > 0)
    asked = np.where(known, np.nan_to_num(price, nan=1.0), 1.0)
    best = season.markdown(
        asked, stock=stock, law=law, days_left=days, salvage=season.SALVAGE_SHARE * column("effective_cost"),
        elasticity=elasticity,
    )  # fmt: skip
    plain = stock - season.left_over(stock, law, days_left=days)
    numbers = {
        "markdown_percent": 100 * best.off,
        "markdown_price": np.round(asked * (1 - best.off), 2),
        "units_sold": stock - best.left,
        "units_sold_unchanged": plain,
        "gain": np.round(best.revenue - best.unchanged, 2),
    }
    return frame.with_columns(
        pl.Series(name, np.where(known, values, np.nan), dtype=pl.Float64).fill_nan(None).round(2)
        for name, values in numbers.items()
    )


def rows(frame: pl.DataFrame, analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of `found` as they are answered; `reason` is a message."""
    return [
        finite(row) | {"cover_days": short(row["cover_days"]) if row["cover_days"] else None}
        | {"reason": _reason(row, analysis.currency)}
        for row in frame.select(COLUMNS).to_dicts()
    ]  # fmt: skip


def _reason(row: dict[str, Any], currency: str) -> dict[str, Any]:
    if row["markdown_percent"] is None:
        return message("inventory.markdown_unknown", stock=short(row["current_stock"]))
    if not row["markdown_percent"]:
        return message("inventory.markdown_none", days=row["days"], plain=short(row["units_sold_unchanged"]))
    return message(
        "inventory.markdown",
        percent=round(row["markdown_percent"]),
        price=row["markdown_price"],
        sold=short(row["units_sold"]),
        plain=short(row["units_sold_unchanged"]),
        days=row["days"],
        gain=short(row["gain"]),
        currency=currency,
    )


def summary(frame: pl.DataFrame) -> dict[str, Any]:
    """Variants, stock at cost and expected gain per kind and in all."""
    per_kind = frame.group_by("kind").agg(n=pl.len(), cost=pl.col("stock_value").sum(), gain=pl.col("gain").sum())
    parts = {row["kind"]: row for row in per_kind.to_dicts()}
    every = {
        kind: {
            "count": parts.get(kind, {}).get("n", 0),
            "cost": round(parts.get(kind, {}).get("cost", 0.0), 2),
            "gain": round(parts.get(kind, {}).get("gain", 0.0), 2),
        }
        for kind in KINDS
    }
    return every | {"total_cost": round(float(frame["stock_value"].sum()), 2)}


def assumptions(*, elasticity: float, days: int) -> dict[str, Any]:
    """What the markdowns take for granted, in figures and words."""
    share, lift = season.SALVAGE_SHARE, round(100 * (0.9**-elasticity - 1))
    figures = {"elasticity": elasticity, "lift": lift, "percent": round(100 * share), "days": days}
    told = message("inventory.markdown_assumption", **figures)
    return {"elasticity": elasticity, "days": days, "salvage_share": share, "sentence": told}
