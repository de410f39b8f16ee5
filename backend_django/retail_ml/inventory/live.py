"""The stored levels against the stock of this minute: what to order, when it runs out, what is wrong, how healthy."""

from __future__ import annotations

from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.inventory import alerts, health, lying, policy, receipts, season
from retail_ml.inventory.beside import Beside
from retail_ml.inventory.plan import Arrays
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.receipts import Receipts
from retail_ml.inventory.standing import Standing

Floats = npt.NDArray[np.float64]

CONFIDENCE = ("low", "medium", "high")


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
    says what the judgement of one takes from all; the weights are then those within the part.
    """
    about = products.select("product_id", product_name="name", category="category")
    stock = stock.sort("variant_id").join(about, on="product_id", how="left", maintain_order="left")
    standing = Standing(arrays, stock, rules, days, beside=beside)
    standing.expect(frames.empty(frames.OPEN_ORDERS) if open_orders is None else open_orders)
    return Assessment(standing, _shelf(standing, rules))


class Assessment:
    """Every variant with what was found, one row per variant; what is dear is reckoned when it is first asked for."""

    def __init__(self, standing: Standing, shelf: alerts.Shelf) -> None:
        self._t, self._shelf = standing, shelf

    def __len__(self) -> int:
        return len(self._t.stock)

    @property
    def receipts(self) -> Receipts:
        """What is on its way to each row."""
        return self._t.receipts

    @cached_property
    def _found(self) -> alerts.Found:
        return alerts.choose(self._shelf)

    @cached_property
    def _chances(self) -> alerts.Chances:
        return _chances(self._t, self._shelf)

    @cached_property
    def brief(self) -> pl.DataFrame:
        """What the sums over a stock are made of: columns of `frame` that need neither dates nor chances."""
        t = self._t
        money = {name: pl.Series(x.astype(float)).fill_nan(None) for name, x in _money(t, self._shelf).items()}
        return t.stock.select(
            "active",
            **_alert(self._found),
            current_stock=pl.Series(t.on_hand).fill_nan(None),
            cost_known=pl.Series(np.isfinite(t.cost), dtype=pl.Boolean),
            **money,
        )

    @cached_property
    def goods(self) -> pl.DataFrame:
        """`frame` without what ordering does not ask for: the health, the early date, the chance of ordering soon."""
        t, usual = self._t, _days_out(self._t, 0.5)
        probability, expected = alerts.weighed(self._found, self._chances)
        return t.stock.with_columns(
            product_name=pl.col("product_name").fill_null(pl.col("sku")),
            category=pl.col("category").fill_null(""),
            **_alert(self._found),
            probability=pl.Series(np.round(probability, 4), dtype=pl.Float64).fill_nan(None),
            expected_money=pl.Series(np.round(expected, 2), dtype=pl.Float64),
            also=alerts.also(self._found),
            estimated_stockout_date=_dates(usual, t.today),
            **_columns(t, self._shelf, days=usual, gone=self._chances.gone_before_receipt),
        )

    @cached_property
    def frame(self) -> pl.DataFrame:
        """All that is known of each variant."""
        more = {
            "earliest_stockout_date": _dates(_days_out(self._t, 0.1), self._t.today),
            "health_score": pl.Series(health.scores(self.parts), dtype=pl.Float64),
            "soon_probability": pl.Series(_soon(self._t, self._shelf), dtype=pl.Float64).fill_nan(None),
        }
        names = list(self.goods.columns)
        for name, before in zip(more, ("current_stock", "current_stock", "short_before"), strict=True):
            names.insert(names.index(before), name)
        left = lying.left(self._t, self._shelf, self._chances, self._found)
        return self.goods.with_columns(**more).select(names).with_columns(left_units=pl.Series(left).fill_nan(None))

    @cached_property
    def parts(self) -> dict[str, Floats]:
        """The parts of each variant's health."""
        return health.components(_vitals(self._t, self._shelf))

    @cached_property
    def weights(self) -> Floats:
        """What each variant weighs in the shop's health."""
        t = self._t
        weights = health.shop_weights(t["sold_365"] * t.value, np.maximum(t.on_hand, 0) * t.value)
        return np.where(self._shelf.active | (t.on_hand > 0), weights, 0.0)


def _shelf(t: Standing, rules: Rules) -> alerts.Shelf:
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

    return alerts.Shelf(
        active=t.active,
        on_hand=np.where(t.on_hand > 0, t.free, t.on_hand),
        on_order=t.on_order,
        position=t.position,
        daily=daily,
        reorder_point=point,
        order_up_to=up_to,
        abc=t["abc"],
        out_before_receipt=_above(t, t.free, t.next_days),
        excess=excess,
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
        leftover=_leftover(t, coming),
        incoming=coming,
        review_days=rules.review_days,
        cost=t.value,
        margin=t.margin,
        priced=np.isfinite(t.cost) & np.isfinite(t.price),
        month=t["units_30"],
        **_shortages(t, rules),
        all_stock=None if t.beside is None else t.beside.stock_value(excess * t.value),
    )


def _above(t: Standing, units: Floats, days: Floats | float) -> Floats:
    """The chance that more than `units` are asked for: what is alerted of was picked by its recent rate."""
    return policy.probability_above(units, t.likely, t["ratio"], days=days)


def _chances(t: Standing, shelf: alerts.Shelf) -> alerts.Chances:
    half, horizon = np.floor(np.maximum(t.on_hand, 0) / 2), alerts.OVERSTOCK_DAYS + t.lead_days
    return alerts.Chances(
        gone_before_receipt=np.where(t["daily"] > 0, _above(t, t.free - 1, t.next_days), 0.0),
        excess_stays=t.believed("OVERSTOCK", 1 - _above(t, shelf.incoming - shelf.excess, horizon)),
        lies_still=t.believed("DEAD_STOCK", 1 - _above(t, np.zeros(len(half)), alerts.STILL_DAYS)),
        moves_slowly=t.believed("SLOW_MOVING", 1 - _above(t, half, alerts.STILL_DAYS)),
        leftover_risk=t.believed("SEASON_END_RISK", _leftover_risk(t, shelf.incoming)),
    )


def _leftover(t: Standing, coming: Floats) -> Floats:
    """Units expected to be left when the season ends; 0 where it does not."""
    left, some = np.zeros(len(coming)), np.flatnonzero(np.isfinite(t.season_days))
    days, daily, ratio = t.season_days[some], t.likely[some], t["ratio"][some]
    short = policy.units_short(coming[some], daily, ratio, days=np.maximum(days, 1e-9))
    left[some] = np.maximum(coming[some] - daily * days + short, 0.0)
    return left


def _leftover_risk(t: Standing, coming: Floats) -> Floats:
    """The chance that more than a tenth is left when the season ends; 0 where it does not."""
    risk, some = np.zeros(len(coming)), np.flatnonzero(np.isfinite(t.season_days))
    share = np.ceil((1 - alerts.LEFTOVER_SHARE) * coming[some]) - 1
    days, daily, ratio = np.maximum(t.season_days[some], 1e-9), t.likely[some], t["ratio"][some]
    risk[some] = 1 - policy.probability_above(share, daily, ratio, days=days)
    return risk


def _shortages(t: Standing, rules: Rules) -> dict[str, Floats]:
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


def _vitals(t: Standing, shelf: alerts.Shelf) -> health.Vitals:
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


def _soon(t: Standing, shelf: alerts.Shelf) -> Floats:
    """Probability that demand until the next review reaches the reorder point."""
    room = np.ceil(np.maximum(t.position - shelf.reorder_point, 0))
    return policy.probability_above(room - 1, shelf.daily, t["ratio"], days=shelf.review_days)


def _days_out(t: Standing, probability: float) -> Floats:
    return receipts.days_until_out(t["daily"], t["ratio"], on_hand=t.free, receipts=t.receipts, probability=probability)


def _dates(days: Floats, today: date) -> pl.Series:
    """The day on which the last unit goes: the first of `days` days is today."""
    offset = pl.Series(days, dtype=pl.Float64).fill_nan(None)
    last = (offset - 1).clip(lower_bound=0).cast(pl.Int64)
    return pl.DataFrame({"days": last}).select(pl.lit(today) + pl.duration(days="days")).to_series()


def _alert(found: alerts.Found) -> dict[str, pl.Series]:
    """The alert of each row, and the money at stake."""
    codes = [alerts.NAMES[c] if c >= 0 else None for c in found.code.tolist()]
    return {
        "code": pl.Series(codes, dtype=pl.String),
        "alert_type": pl.Series([None if c is None else alerts.CODES[c] for c in codes], dtype=pl.String),
        "urgency_level": pl.Series(found.urgency, dtype=pl.Int64),
        "money_at_stake": pl.Series(np.round(found.money, 2), dtype=pl.Float64),
    }


def _money(t: Standing, shelf: alerts.Shelf) -> dict[str, Floats]:
    """Margin that is likely to be missed, and money in what is too much."""
    return {
        "margin_at_risk": shelf.short_risk * np.maximum(t.margin, 0) * t.active,
        "cash_in_excess": shelf.excess * t.value,
    }


def _columns(t: Standing, shelf: alerts.Shelf, *, days: Floats, gone: Floats) -> dict[str, pl.Series]:
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
        **_money(t, shelf),
        "estimated_cost": np.where(np.isfinite(t.cost), quantity * np.nan_to_num(t.cost), np.nan),
        "idle_days": np.where(t["idle_days"] < 0, np.nan, t["idle_days"] + t.days_since),
        "lead_days": t.lead_days,
        "out_before_receipt": shelf.out_before_receipt,
        "gone_before_receipt": gone,
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
