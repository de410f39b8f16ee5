"""The stored levels against the stock of this minute: what to order, when it runs out, what is wrong, how healthy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import alerts, health, lead_times, ordering, policy
from retail_ml.inventory.plan import Arrays, assume_costs, positive
from retail_ml.inventory.policy import Rules

Floats = npt.NDArray[np.float64]

CONFIDENCE = ("low", "medium", "high")
UNKNOWN: dict[str, Any] = {  # a variant that the version has not seen
    "daily": 0.0, "ratio": 1.02, "units_7": 0.0, "units_30": 0.0, "from_forecast": False, "reorder_point": 0.0,
    "order_up_to": 0.0, "tau": 0.95, "economic": False, "abc": 2, "excess_bound": np.inf, "confidence": 0,
    "spike": False, "idle_days": -1, "interval": np.nan, "sold_365": 0.0,
    "sold_7": 0.0, "range_days": 0, "lead_days": 0.0, "lead_sd": 0.0, "lead_source": 0,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Assessment:
    """Every variant with what was found; `frame` one row per variant, `vitals` its health's parts and weights."""

    frame: pl.DataFrame
    parts: dict[str, Floats]
    weights: Floats


def assess(
    arrays: Arrays, stock: pl.DataFrame, products: pl.DataFrame, *, as_of: date, today: date, rules: Rules
) -> Assessment:
    """Every variant of `stock` (`frames.STOCK`, live) against the `arrays` of a plan made as of `as_of`.

    `today` is the first day not yet over: stock-out dates count from it. `position` = on hand + on order + drafted -
    reserved; stock below zero counts as none. Never ordered are variants that are not active, and those whose season
    is over before an order of today would come (`season_over`); what the plan has not seen has no levels. Columns:
    those of `stock`, `product_name`, `category`, and what `_columns` adds.
    """
    about = products.select("product_id", product_name="name", category="category")
    stock = stock.sort("variant_id").join(about, on="product_id", how="left", maintain_order="left")
    table = _Table(arrays, stock, rules, (as_of, today))
    shelf = _shelf(table, rules)
    code, urgency, at_stake = alerts.choose(shelf)
    parts = health.components(_vitals(table, shelf))
    days = _days_out(table, 0.5)
    early = _days_out(table, 0.1)
    frame = stock.with_columns(
        product_name=pl.col("product_name").fill_null(pl.col("sku")),
        category=pl.col("category").fill_null(""),
        code=pl.Series([alerts.NAMES[c] if c >= 0 else None for c in code], dtype=pl.String),
        alert_type=pl.Series([alerts.CODES[alerts.NAMES[c]] if c >= 0 else None for c in code], dtype=pl.String),
        urgency_level=pl.Series(urgency, dtype=pl.Int64),
        money_at_stake=pl.Series(np.round(at_stake, 2), dtype=pl.Float64),
        estimated_stockout_date=_dates(days, today),
        earliest_stockout_date=_dates(early, today),
        health_score=pl.Series(health.scores(parts), dtype=pl.Float64),
        **_columns(table, shelf, days),
    )
    weights = health.shop_weights(table["sold_365"] * table.value, np.maximum(table.on_hand, 0) * table.value)
    return Assessment(frame, parts, np.where(shelf.active | (table.on_hand > 0), weights, 0.0))


class _Table:
    """Plan and live stock side by side, as arrays over the rows of the live stock."""

    def __init__(self, arrays: Arrays, stock: pl.DataFrame, rules: Rules, days: tuple[date, date]) -> None:
        as_of, today = days
        seen = pl.DataFrame({"variant_id": arrays["variant_id"].astype(str).tolist()}, schema={"variant_id": pl.String})
        rows = stock.select("variant_id").join(
            seen.with_row_index("row"), on="variant_id", how="left", maintain_order="left"
        )
        self.row = rows["row"].cast(pl.Int64).fill_null(-1).to_numpy()
        self.known = self.row >= 0
        self.arrays = arrays
        self.days_since = max((today - as_of).days - 1, 0)
        self.cost, self.price = positive(stock["cost"]), positive(stock["price"])
        self.share, assumed = assume_costs(self.cost, self.price)
        self.value = np.nan_to_num(assumed)  # cost, assumed where unknown, 0 where nothing is known
        self.margin = np.nan_to_num(self.price - assumed)
        for name in ("on_hand", "reserved", "on_order", "drafted", "pack_size", "minimum_order"):
            setattr(self, name, stock[name].fill_null(0.0).to_numpy().astype(float))
        self.active = stock["active"].to_numpy().astype(bool)
        stated = lead_times.stated(stock, rules)
        learned = self["lead_source"] >= lead_times.LEARNED  # else what the shop's records say now
        self.lead_days = np.where(learned, self["lead_days"], stated.days)
        self.lead_sd = np.where(learned, self["lead_sd"], stated.sd)
        self.stated_lead_days = stated.days
        self.season_over = ordering.season_over(stock["season_end"], self.lead_days, today=today)
        group = stock["category"].fill_null("").rank("dense").cast(pl.Int64).fill_null(1)
        self.group = group.to_numpy() - 1
        self.checks = np.mean(
            [
                np.isfinite(self.price),
                np.isfinite(self.cost),
                stock["lead_time_days"].is_not_null().to_numpy(),
                stock["supplier_id"].is_not_null().to_numpy(),
                self.on_hand >= 0,
            ],
            axis=0,
        )

    on_hand: Floats
    reserved: Floats
    on_order: Floats
    drafted: Floats
    pack_size: Floats
    minimum_order: Floats

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """An array of the plan at the rows of the live stock; `UNKNOWN` where the plan has not seen a variant."""
        if name not in self.arrays or not len(self.arrays[name]):  # a file of an older release lacks the newest
            return np.full(len(self.row), UNKNOWN[name])
        values = self.arrays[name][np.maximum(self.row, 0)]
        return np.where(self.known, values, np.asarray(UNKNOWN[name], dtype=values.dtype))

    @property
    def free(self) -> Floats:
        """Units on the shelf that nobody has been promised; none where the count is below zero."""
        return np.maximum(np.maximum(self.on_hand, 0) - self.reserved, 0)

    @property
    def position(self) -> Floats:
        """On hand + on order + drafted - reserved."""
        return np.maximum(self.on_hand, 0) + self.on_order + self.drafted - self.reserved


def _shelf(t: _Table, rules: Rules) -> alerts.Shelf:
    daily, ratio = t["daily"], t["ratio"]
    wanted = ~t.season_over  # what will not be bought again has no levels to hold
    coming = t.free + t.on_order
    bound = np.maximum(t["excess_bound"], t["order_up_to"] + t.pack_size)
    young = t["range_days"] + t.days_since < alerts.YOUNG_DAYS
    idle = np.where(t["idle_days"] < 0, -1, t["idle_days"] + t.days_since)
    return alerts.Shelf(
        active=t.active,
        on_hand=np.where(t.on_hand > 0, t.free, t.on_hand),
        on_order=t.on_order,
        position=t.position,
        daily=daily,
        reorder_point=np.where(wanted, t["reorder_point"], 0.0),
        order_up_to=np.where(wanted, t["order_up_to"], 0.0),
        abc=t["abc"],
        out_before_receipt=policy.probability_above(t.free, daily, ratio, days=np.maximum(t.lead_days, 1)),
        excess=np.where(young, 0.0, np.maximum(coming - bound, 0.0)),
        young=young,
        dead=alerts.is_dead(t.on_hand, idle, interval=t["interval"], range_days=t["range_days"] + t.days_since)
        & t.known,
        spike=t["spike"].astype(bool),
        lead_days=t.lead_days,
        review_days=rules.review_days,
        cost=t.value,
        margin=t.margin,
        short_protection=policy.units_short(coming, daily, ratio, days=rules.review_days + t.lead_days),
        short_risk=policy.units_short(
            t.free + np.where(t.lead_days <= alerts.RISK_DAYS, t.on_order, 0.0), daily, ratio, days=alerts.RISK_DAYS
        ),
    )


def _vitals(t: _Table, shelf: alerts.Shelf) -> health.Vitals:
    never = t["idle_days"] < 0
    return health.Vitals(
        on_hand=shelf.on_hand,
        position=t.position,
        daily=shelf.daily,
        reorder_point=shelf.reorder_point,
        upper=np.maximum(shelf.order_up_to + t.pack_size, np.maximum(shelf.reorder_point + t.minimum_order, 0)),
        tau=t["tau"],
        out_before_receipt=shelf.out_before_receipt,
        idle_days=np.where(never, t["range_days"], t["idle_days"]) + t.days_since,
        interval=t["interval"],
        young=shelf.young,
        dead=shelf.dead,
        cost=t.cost,
        price=t.price,
        sold_365=t["sold_365"],
        group=t.group,
        checks=t.checks,
    )


def _days_out(t: _Table, probability: float) -> Floats:
    return policy.days_until_out(
        t["daily"],
        t["ratio"],
        on_hand=t.free,
        on_order=t.on_order,
        lead_days=t.lead_days,
        probability=probability,
    )


def _dates(days: Floats, today: date) -> pl.Series:
    """The day on which the last unit goes: the first of `days` days is today."""
    offset = pl.Series(days, dtype=pl.Float64).fill_nan(None)
    last = (offset - 1).clip(lower_bound=0).cast(pl.Int64)
    return pl.DataFrame({"days": last}).select(pl.lit(today) + pl.duration(days="days")).to_series()


def _columns(t: _Table, shelf: alerts.Shelf, days: Floats) -> dict[str, pl.Series]:
    """The numbers of each row; unknown ones are null, never NaN."""
    quantity = np.where(
        t.active & (shelf.daily > 0) & ~t.season_over,
        policy.order_quantity(
            t.position,
            reorder_point=shelf.reorder_point,
            order_up_to=shelf.order_up_to,
            pack=t.pack_size,
            minimum=t.minimum_order,
        ),
        0.0,
    )
    mean = shelf.daily * (policy.protection_days(t.lead_days, Rules(review_days=shelf.review_days)))
    rotation = np.divide(t["sold_365"], t.on_hand, out=np.full(len(days), np.nan), where=t.on_hand > 0)
    numbers = {
        "current_stock": t.on_hand,
        "free_stock": t.free,
        "position": t.position,
        "reorder_point": shelf.reorder_point,
        "order_up_to": shelf.order_up_to,
        "recommended_stock": shelf.order_up_to,
        "recommended_order_quantity": quantity,
        "safety_stock": np.maximum(shelf.reorder_point - mean, 0.0),
        "daily_demand": shelf.daily,
        "predicted_demand_7days": t["units_7"],
        "predicted_demand_30days": t["units_30"],
        "variance_ratio": t["ratio"],
        "service_target": t["tau"],
        "days_until_stockout": days,
        "rotation_rate": rotation,
        "excess_units": shelf.excess,
        "stock_value": np.maximum(t.on_hand, 0) * t.value,
        "effective_cost": t.value,
        "unit_margin": t.margin,
        "margin_at_risk": shelf.short_risk * np.maximum(t.margin, 0) * t.active,
        "cash_in_excess": shelf.excess * t.value,
        "estimated_cost": np.where(np.isfinite(t.cost), quantity * np.nan_to_num(t.cost), np.nan),
        "idle_days": np.where(t["idle_days"] < 0, np.nan, t["idle_days"] + t.days_since),
        "lead_days": t.lead_days,
        "out_before_receipt": shelf.out_before_receipt,
        "sold_7": t["sold_7"],
    }
    series = {
        name: pl.Series(values.astype(float), dtype=pl.Float64).fill_nan(None) for name, values in numbers.items()
    }
    return series | {
        "in_model": pl.Series(t.known, dtype=pl.Boolean),
        "from_forecast": pl.Series(t["from_forecast"].astype(bool), dtype=pl.Boolean),
        "abc": pl.Series([("A", "B", "C")[i] for i in t["abc"]], dtype=pl.String),
        "confidence": pl.Series([CONFIDENCE[i] for i in t["confidence"]], dtype=pl.String),
        "cost_known": pl.Series(np.isfinite(t.cost), dtype=pl.Boolean),
        "dead": pl.Series(shelf.dead, dtype=pl.Boolean),
        "season_over": pl.Series(t.season_over, dtype=pl.Boolean),
    }
