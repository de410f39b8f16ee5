"""The stored levels against the stock of this minute: what to order, when it runs out, what is wrong, how healthy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.inventory import alerts, health, lead_times, ordering, policy, recalibration, receipts, season
from retail_ml.inventory.beside import Beside, free_units, rows_of
from retail_ml.inventory.plan import Arrays, assume_costs, positive, usual_cost_share
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.receipts import Receipts

Floats = npt.NDArray[np.float64]

CONFIDENCE = ("low", "medium", "high")
UNITS = ("on_hand", "reserved", "on_order", "drafted", "pack_size", "minimum_order")
UNKNOWN: dict[str, Any] = {  # a variant that the version has not seen
    "daily": 0.0, "likely": 0.0, "ratio": 1.02, "units_7": 0.0, "units_30": 0.0, "from_forecast": False,
    "reorder_point": 0.0, "order_up_to": 0.0, "tau": 0.95, "economic": False, "abc": 2, "excess_bound": np.inf,
    "confidence": 0, "spike": False, "drop": False, "week_expected": 0.0, "idle_days": -1, "interval": np.nan,
    "sold_365": 0.0, "sold_7": 0.0, "sold_30": 0.0, "range_days": 0, "lead_days": 0.0, "lead_sd": 0.0, "lead_source": 0,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Assessment:
    """Every variant with what was found; `frame` one row per variant, `vitals` its health's parts and weights."""

    frame: pl.DataFrame
    parts: dict[str, Floats]
    weights: Floats
    receipts: Receipts
    """What is on its way to each row of `frame`."""


def assess(
    arrays: Arrays,
    stock: pl.DataFrame,
    products: pl.DataFrame,
    open_orders: pl.DataFrame | None = None,
    *,
    days: tuple[date, date],
    rules: Rules,
    beside: Beside | None = None,
) -> Assessment:
    """Every variant of `stock` (`frames.STOCK`, live) against the `arrays` of a plan.

    `days` are the plan's last day, and today: the first day not yet over, which stock-out dates count from.
    `open_orders` (`frames.OPEN_ORDERS`) says on which days what is on order comes (without them: a lead time from
    today); drafts count in no date. `position` = on hand + on order + drafted - reserved; stock below zero counts as
    none. Never ordered are variants that are not active, and those whose season is over before an order of today would
    come (`season_over`); what the plan has not seen has no levels. Where `stock` is but a part of the shop's, `beside`
    says what the judgement of one takes from all; the weights are then those within the part. Columns: those of
    `stock`, `product_name`, `category`, and what `_columns` adds.
    """
    about = products.select("product_id", product_name="name", category="category")
    stock = stock.sort("variant_id").join(about, on="product_id", how="left", maintain_order="left")
    table = _Table(arrays, stock, rules, days, beside=beside)
    table.expect(frames.empty(frames.OPEN_ORDERS) if open_orders is None else open_orders)
    shelf = _shelf(table, rules)
    found = alerts.choose(shelf)
    parts = health.components(_vitals(table, shelf))
    usual, early = (_days_out(table, probability) for probability in (0.5, 0.1))
    frame = stock.with_columns(
        product_name=pl.col("product_name").fill_null(pl.col("sku")),
        category=pl.col("category").fill_null(""),
        code=pl.Series([alerts.NAMES[c] if c >= 0 else None for c in found.code], dtype=pl.String),
        alert_type=pl.Series([alerts.CODES[alerts.NAMES[c]] if c >= 0 else None for c in found.code], dtype=pl.String),
        urgency_level=pl.Series(found.urgency, dtype=pl.Int64),
        money_at_stake=pl.Series(np.round(found.money, 2), dtype=pl.Float64),
        probability=pl.Series(np.round(found.probability, 4), dtype=pl.Float64).fill_nan(None),
        expected_money=pl.Series(np.round(found.expected, 2), dtype=pl.Float64),
        also=found.also,
        estimated_stockout_date=_dates(usual, table.today),
        earliest_stockout_date=_dates(early, table.today),
        health_score=pl.Series(health.scores(parts), dtype=pl.Float64),
        **_columns(table, shelf, usual),
    )
    weights = health.shop_weights(table["sold_365"] * table.value, np.maximum(table.on_hand, 0) * table.value)
    return Assessment(frame, parts, np.where(shelf.active | (table.on_hand > 0), weights, 0.0), table.receipts)


class _Table:
    """Plan and live stock side by side, as arrays over the rows of the live stock."""

    def __init__(
        self,
        arrays: Arrays,
        stock: pl.DataFrame,
        rules: Rules,
        days: tuple[date, date],
        *,
        beside: Beside | None = None,
    ) -> None:
        as_of, today = days
        self.row = rows_of(arrays, stock["variant_id"])
        self.known = self.row >= 0
        self.beside = beside
        self.arrays, self.stock, self.today = arrays, stock, today
        self.days_since = max((today - as_of).days - 1, 0)
        self.cost, self.price = positive(stock["cost"]), positive(stock["price"])
        share = (usual_cost_share if beside is None else beside.cost_share)(self.cost, self.price)
        assumed = assume_costs(self.cost, self.price, share)
        self.value = np.nan_to_num(assumed)  # cost, assumed where unknown, 0 where nothing is known
        self.margin = np.nan_to_num(self.price - assumed)
        for column in stock.select(pl.col(UNITS).fill_null(0.0)):
            setattr(self, column.name, column.to_numpy().astype(float))
        self.active = stock["active"].to_numpy().astype(bool)
        stated = lead_times.stated(stock, rules)
        learned = self["lead_source"] >= lead_times.LEARNED  # else what the shop's records say now
        self.lead_days = np.where(learned, self["lead_days"], stated.days)
        self.lead_sd = np.where(learned, self["lead_sd"], stated.sd)
        self.stated_lead_days = stated.days
        self.season_over = ordering.season_over(stock["season_end"], self.lead_days, today=today)
        longer = self.lead_days - stated.days
        known = stock["lead_time_days"].is_not_null().to_numpy()
        self.drift_days = np.where(learned & known & (longer > 2 * stated.sd), longer, 0.0)
        left = (stock["season_end"] - today).dt.total_days().cast(pl.Float64) + 1  # its last day sells too
        self.season_days = np.maximum(left.fill_null(float("nan")).to_numpy(), 0.0)
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
    receipts: Receipts

    def expect(self, open_orders: pl.DataFrame) -> None:
        """What is on its way, by its days."""
        self.receipts = receipts.expected(
            open_orders,
            self.stock["variant_id"],
            on_order=self.on_order,
            lead=(self.lead_days, self.lead_sd),
            today=self.today,
        )

    @property
    def next_days(self) -> Floats:
        """Days of demand before the next delivery, or before an order of today comes where nothing is on its way."""
        first = self.receipts.next_days
        return np.maximum(np.where(np.isfinite(first), first, self.lead_days), 1.0)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """An array of the plan at the rows of the live stock; `UNKNOWN` where the plan has not seen a variant.

        So it is of everything that a version of an older release does not hold.
        """
        if name not in self.arrays or not len(self.arrays[name]):
            return np.full(len(self.row), UNKNOWN[name])
        values = self.arrays[name][np.maximum(self.row, 0)]
        return np.where(self.known, values, np.asarray(UNKNOWN[name], dtype=values.dtype))

    @property
    def likely(self) -> Floats:
        """Units a day to state the chances of alerts with (`likely`); that of the levels in an older version."""
        return self["likely" if "likely" in self.arrays else "daily"]

    def believed(self, code: str, chance: Floats) -> Floats:
        """A chance as such chances came true in the shop's past (`recalibration`); as stated in an older version."""
        learnt = self.arrays.get("recalibration", recalibration.AS_STATED)
        return recalibration.believed(chance, learnt[recalibration.CODES.index(code)])

    @property
    def free(self) -> Floats:
        """Units on the shelf that nobody has been promised; none where the count is below zero."""
        return free_units(self.on_hand, self.reserved)

    @property
    def position(self) -> Floats:
        """On hand + on order + drafted - reserved."""
        return np.maximum(self.on_hand, 0) + self.on_order + self.drafted - self.reserved


def _shelf(t: _Table, rules: Rules) -> alerts.Shelf:
    daily, ratio = t["daily"], t["ratio"]
    point, up_to = season.bounded(  # what will not be bought again has no levels to hold
        (t["reorder_point"], t["order_up_to"]),
        (daily, ratio),
        days_left=np.where(t.season_over, 0.0, t.season_days),
        lead_days=t.lead_days,
        review_days=rules.review_days,
        served=season.target(t.price, t.cost),
    )
    coming = t.free + t.on_order
    bound = np.maximum(t["excess_bound"], t["order_up_to"] + t.pack_size)
    young = t["range_days"] + t.days_since < alerts.YOUNG_DAYS
    idle = np.where(t["idle_days"] < 0, -1, t["idle_days"] + t.days_since)
    excess = np.where(young, 0.0, np.maximum(coming - bound, 0.0))

    def above(units: Floats, days: Floats | float) -> Floats:
        """The chance that more than `units` are asked for: what is alerted of was picked by its recent rate."""
        return policy.probability_above(units, t.likely, ratio, days=days)

    return alerts.Shelf(
        active=t.active,
        on_hand=np.where(t.on_hand > 0, t.free, t.on_hand),
        on_order=t.on_order,
        position=t.position,
        daily=daily,
        reorder_point=point,
        order_up_to=up_to,
        abc=t["abc"],
        out_before_receipt=above(t.free, t.next_days),
        gone_before_receipt=np.where(daily > 0, above(t.free - 1, t.next_days), 0.0),
        excess=excess,
        excess_stays=t.believed("OVERSTOCK", 1 - above(coming - excess, alerts.OVERSTOCK_DAYS + t.lead_days)),
        lies_still=t.believed("DEAD_STOCK", 1 - above(np.zeros(len(daily)), alerts.STILL_DAYS)),
        moves_slowly=t.believed("SLOW_MOVING", 1 - above(np.floor(np.maximum(t.on_hand, 0) / 2), alerts.STILL_DAYS)),
        young=young,
        dead=alerts.is_dead(t.on_hand, idle, interval=t["interval"], range_days=t["range_days"] + t.days_since)
        & t.known,
        spike=t["spike"].astype(bool),
        drop=t["drop"].astype(bool),
        missed=np.maximum(t["week_expected"] - t["sold_7"], 0.0),
        lead_days=t.lead_days,
        late_days=t.receipts.late_days,
        drift_days=t.drift_days,
        season_days=t.season_days,
        **_season(t, coming),
        review_days=rules.review_days,
        cost=t.value,
        margin=t.margin,
        priced=np.isfinite(t.cost) & np.isfinite(t.price),
        month=t["units_30"],
        **_shortages(t, rules),
        all_stock=None if t.beside is None else t.beside.stock_value(excess * t.value),
    )


def _season(t: _Table, coming: Floats) -> dict[str, Floats]:
    """Units expected to be left when the season ends, and the probability that more than a tenth is."""
    days = np.nan_to_num(t.season_days)
    daily, ratio = t.likely, t["ratio"]
    ends = np.isfinite(t.season_days)
    mean = daily * days
    left = coming - mean + policy.units_short(coming, daily, ratio, days=np.maximum(days, 1e-9))
    share = np.ceil((1 - alerts.LEFTOVER_SHARE) * coming) - 1
    risk = 1 - policy.probability_above(share, daily, ratio, days=np.maximum(days, 1e-9))
    return {
        "leftover": np.where(ends, np.maximum(left, 0.0), 0.0),
        "leftover_risk": np.where(ends, risk, 0.0),
        "incoming": coming,
    }


def _shortages(t: _Table, rules: Rules) -> dict[str, Floats]:
    """Units expected to be missing before the next delivery, over review + lead time, and over 14 days."""
    daily, ratio = t["daily"], t["ratio"]

    def short(units: Floats, days: Floats | float) -> Floats:
        return policy.units_short(units, daily, ratio, days=days)

    risk, protection = float(alerts.RISK_DAYS), rules.review_days + t.lead_days
    first = short(t.free, np.minimum(t.next_days, risk))  # what comes later does not give these sales back
    return {
        "short_before": policy.units_short(t.free, t.likely, ratio, days=t.next_days),
        "short_protection": short(t.free + t.receipts.within(protection), protection),
        "short_risk": np.maximum(first, short(t.free + t.receipts.within(risk), risk)),
    }


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
        usual_return=None if t.beside is None else t.beside.usual_return(t.stock["category"]),
    )


def _soon(t: _Table, shelf: alerts.Shelf) -> Floats:
    """Probability that demand until the next review reaches the reorder point."""
    room = np.ceil(np.maximum(t.position - shelf.reorder_point, 0))
    return policy.probability_above(room - 1, shelf.daily, t["ratio"], days=shelf.review_days)


def _days_out(t: _Table, probability: float) -> Floats:
    return receipts.days_until_out(t["daily"], t["ratio"], on_hand=t.free, receipts=t.receipts, probability=probability)


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
        "gone_before_receipt": shelf.gone_before_receipt,
        "soon_probability": _soon(t, shelf),
        "short_before": shelf.short_before,
        "short_risk": shelf.short_risk,
        "sold_7": t["sold_7"],
        "sold_30": t["sold_30"],
        "week_expected": t["week_expected"],
        "next_receipt_days": np.where(np.isfinite(t.receipts.next_days), t.receipts.next_days, np.nan),
        "late_days": t.receipts.late_days,
        "late_units": t.receipts.late_units,
        "season_days": t.season_days,
        "leftover_units": shelf.leftover,
        "drift_days": shelf.drift_days,
        "stated_lead_days": t.stated_lead_days,
    }
    table = pl.DataFrame({name: values.astype(float) for name, values in numbers.items()})
    return table.with_columns(pl.all().fill_nan(None)).to_dict() | {
        "in_model": pl.Series(t.known, dtype=pl.Boolean),
        "from_forecast": pl.Series(t["from_forecast"].astype(bool), dtype=pl.Boolean),
        "abc": pl.Series([("A", "B", "C")[i] for i in t["abc"]], dtype=pl.String),
        "confidence": pl.Series([CONFIDENCE[i] for i in t["confidence"]], dtype=pl.String),
        "cost_known": pl.Series(np.isfinite(t.cost), dtype=pl.Boolean),
        "dead": pl.Series(shelf.dead, dtype=pl.Boolean),
        "season_over": pl.Series(t.season_over, dtype=pl.Boolean),
        "young": pl.Series(shelf.young, dtype=pl.Boolean),
        **t.receipts.lists,
        "late_number": pl.Series(t.receipts.late_number.tolist(), dtype=pl.String),
    }
