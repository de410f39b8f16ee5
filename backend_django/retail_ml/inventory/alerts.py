"""What is wrong on the shelf: one alert per variant, the most urgent; what else is true of it stands beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory.season import SALVAGE_SHARE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CODES: dict[str, str] = {  # code → one of the five broad types; the first of equal urgency is shown
    "NEGATIVE_STOCK": "reorder_now",
    "OUT_OF_STOCK": "reorder_now",
    "STOCKOUT_BEFORE_DELIVERY": "reorder_now",
    "LATE_PO": "reorder_now",
    "MARGIN_NEGATIVE": "reorder_now",
    "SEASON_END_RISK": "overstock",
    "REORDER_NOW": "reorder_now",
    "PRICE_OR_COST_MISSING": "reorder_now",
    "DEMAND_SPIKE": "high_demand",
    "DEAD_STOCK": "slow_moving",
    "OVERSTOCK": "overstock",
    "DEMAND_DROP": "slow_moving",
    "REORDER_SOON": "low_stock",
    "LEAD_TIME_DRIFT": "low_stock",
    "SLOW_MOVING": "slow_moving",
}
NAMES = list(CODES)
TYPES = ("reorder_now", "low_stock", "overstock", "slow_moving", "high_demand")
DEAD_DAYS, SLOW_DAYS, OVERSTOCK_DAYS, RISK_DAYS = 180, 180, 90, 14
STILL_DAYS = 91
"""Days over which dead and slow stock is expected to lie still."""
YOUNG_DAYS = 56
"""Days in the range below which nobody can say that there is too much of an item."""
EXCESS_QUANTILE = 0.95
"""Of the demand over `OVERSTOCK_DAYS` and the lead time: what lies beyond it is too much."""
LEFTOVER_SHARE, SEASON_NEAR_DAYS = 0.1, 30


@dataclass(frozen=True, eq=False)
class Shelf:
    """What an alert is judged by; one entry per variant, units, days and money."""

    active: Bools
    on_hand: Floats
    on_order: Floats
    position: Floats
    daily: Floats
    reorder_point: Floats
    order_up_to: Floats
    abc: Ints
    out_before_receipt: Floats  # probability that more is asked for than is there
    excess: Floats
    young: Bools
    dead: Bools
    spike: Bools
    drop: Bools
    missed: Floats  # units that the last 7 days sold less than expected
    lead_days: Floats
    late_days: Floats  # since the latest delivery should have come; 0: none is late beyond its usual spread
    drift_days: Floats  # by which deliveries take longer than stated; 0: not beyond two standard deviations
    season_days: Floats  # until the season ends, NaN: it does not
    leftover: Floats  # units expected to be left at its end
    incoming: Floats  # units on the shelf and on order
    review_days: int
    cost: Floats  # without gaps; 0 where nothing at all is known
    margin: Floats
    priced: Bools  # cost and price are known
    month: Floats  # units expected over 30 days
    short_before: Floats  # units expected to be missing before the next delivery
    short_protection: Floats  # … over review + lead time
    short_risk: Floats  # … over 14 days
    all_stock: float | None = None  # the shop's stock at cost (`stock_value`); None: that of these variants


@dataclass(frozen=True, eq=False)
class Chances:
    """Probabilities of what alerts warn of; one entry per variant."""

    gone_before_receipt: Floats  # the last unit goes before the next delivery
    excess_stays: Floats  # none of the excess sells in 90 days + lead time
    lies_still: Floats  # no sale in 91 days
    moves_slowly: Floats  # no more than half of the stock sells in 91 days
    leftover_risk: Floats  # more than a tenth is left when the season ends


def dead_after(interval: Floats) -> Floats:
    """Days without a sale after which stock is dead: 180, or three of its usual intervals (days) where that is longer.

    >>> dead_after(np.array([10.0, 90.0, np.nan])).tolist()
    [180.0, 270.0, 180.0]
    """
    return np.asarray(np.maximum(DEAD_DAYS, 3 * np.nan_to_num(interval)))


def is_dead(on_hand: Floats, idle_days: Ints, *, interval: Floats, range_days: Ints) -> Bools:
    """Stock, and no sale for the days of `dead_after`; idle -1: never sold at all.

    >>> days = np.array([400, 400])
    >>> is_dead(np.ones(2), np.array([200, 200]), interval=np.array([10.0, 90.0]), range_days=days).tolist()
    [True, False]
    """
    idle = np.where(idle_days < 0, range_days, idle_days)
    return (on_hand > 0) & (idle >= dead_after(interval))


def lies(
    on_hand: Floats, daily: Floats, *, excess: Bools, lead_days: Floats, dead: Bools, young: Bools
) -> tuple[Bools, Bools]:
    """Where there is too much of it (with an excess, for longer than a quarter and the lead time), and what is slow."""
    cover = np.divide(on_hand, daily, out=np.full_like(daily, np.inf), where=daily > 0)
    over = excess & (cover > OVERSTOCK_DAYS + lead_days) & ~dead
    return over, (on_hand > 0) & (cover > SLOW_DAYS) & ~dead & ~young


def urgencies(shelf: Shelf) -> Ints:
    """Urgency 1…5 of every code (rows, as in `CODES`) for every variant; 0 where its condition is false.

    Faults of the data (a count below zero, no cost or price, a price below the cost) are alerts only where they stand
    in the way of an order.
    """
    rows = _missing_goods(shelf) | _idle_goods(shelf)
    return np.array([rows[name] for name in NAMES], dtype=np.int64).reshape(len(NAMES), len(shelf.daily))


def _missing_goods(shelf: Shelf) -> dict[str, Ints]:
    sells = shelf.active & (shelf.daily > 0)
    empty = sells & (shelf.on_hand <= 0)
    negative = sells & (shelf.on_hand < 0)
    risk = shelf.out_before_receipt
    waiting = sells & ~empty & (shelf.on_order > 0) & (risk > 0.2)
    late = sells & (shelf.on_order > 0) & (shelf.late_days > 0)
    orders = sells & (shelf.order_up_to > 0)
    now = orders & (shelf.position <= shelf.reorder_point)
    soon = orders & ~now & (shelf.position - shelf.daily * shelf.review_days <= shelf.reorder_point)
    wanted = now | empty
    gone = np.where(shelf.abc < 2, 5, 4)
    return {
        "NEGATIVE_STOCK": np.where(negative, gone, 0),
        "OUT_OF_STOCK": np.where(empty & ~negative, gone, 0),
        "STOCKOUT_BEFORE_DELIVERY": np.where(waiting, np.where(risk > 0.5, 5, 4), 0),
        "LATE_PO": np.where(late, np.where(risk > 0.5, 4, 3), 0),
        "MARGIN_NEGATIVE": np.where(wanted & shelf.priced & (shelf.margin <= 0), 4, 0),
        "REORDER_NOW": np.where(now, np.where(shelf.abc == 0, 4, 3) + ((risk > 0.5) & (shelf.abc < 2)), 0),
        "PRICE_OR_COST_MISSING": np.where(wanted & ~shelf.priced, 3, 0),
        "DEMAND_SPIKE": np.where(sells & shelf.spike, 3, 0),
        "REORDER_SOON": np.where(soon, 2, 0),
        "LEAD_TIME_DRIFT": np.where(sells & (shelf.drift_days > 0), 1, 0),
    }


def stock_value(on_hand: Floats, cost: Floats) -> float:
    """Stock at cost; a count below zero counts as none. The same for any order of the rows.

    >>> stock_value(np.array([2.0, -1.0]), np.array([1.5, 9.0]))
    3.0
    """
    return math.fsum((np.maximum(on_hand, 0) * cost).tolist())


def _idle_goods(shelf: Shelf) -> dict[str, Ints]:
    over, slow = lies(
        shelf.on_hand, shelf.daily, excess=shelf.excess > 0, lead_days=shelf.lead_days, dead=shelf.dead,
        young=shelf.young,
    )  # fmt: skip
    all_stock = stock_value(shelf.on_hand, shelf.cost) if shelf.all_stock is None else shelf.all_stock
    large = shelf.excess * shelf.cost > 0.05 * max(all_stock, 1e-9)
    ends = np.isfinite(shelf.season_days) & (shelf.on_hand > 0)
    left = ends & (shelf.leftover > LEFTOVER_SHARE * shelf.incoming)
    near = np.nan_to_num(shelf.season_days, nan=np.inf) <= SEASON_NEAR_DAYS
    return {
        "SEASON_END_RISK": np.where(left, np.where(near, 4, 3), 0),
        "DEAD_STOCK": np.where(shelf.dead, 2, 0),
        "OVERSTOCK": np.where(over, np.where(large, 3, 2), 0),
        "DEMAND_DROP": np.where(shelf.active & shelf.drop & (shelf.on_hand > 0) & ~shelf.dead, 2, 0),
        "SLOW_MOVING": np.where(slow, 1, 0),
    }


def money(shelf: Shelf) -> Floats:
    """Money at stake under every code (rows, as in `CODES`), never below 0.

    Missing goods: the margin expected to be lost, over 14 days for an empty shelf, else until the next delivery or an
    order of today would arrive. Too many goods: their value at cost; at the end of a season, half of it.
    """
    margin = np.maximum(shelf.margin, 0.0)
    waiting, today = shelf.short_protection * margin, shelf.short_risk * margin
    before = shelf.short_before * margin
    stock = np.maximum(shelf.on_hand, 0) * shelf.cost
    beyond = np.maximum(shelf.on_hand - SLOW_DAYS * shelf.daily, 0) * shelf.cost
    rows = {
        "NEGATIVE_STOCK": today,
        "OUT_OF_STOCK": today,
        "STOCKOUT_BEFORE_DELIVERY": before,
        "LATE_PO": before,
        "MARGIN_NEGATIVE": np.maximum(-shelf.margin, 0) * shelf.month,
        "SEASON_END_RISK": shelf.leftover * shelf.cost * (1 - SALVAGE_SHARE),
        "REORDER_NOW": waiting,
        "PRICE_OR_COST_MISSING": waiting,
        "DEMAND_SPIKE": waiting,
        "DEAD_STOCK": stock,
        "OVERSTOCK": shelf.excess * shelf.cost,
        "DEMAND_DROP": shelf.missed * margin,
        "REORDER_SOON": waiting,
        "LEAD_TIME_DRIFT": shelf.daily * shelf.drift_days * shelf.cost,
        "SLOW_MOVING": beyond,
    }
    return np.array([rows[name] for name in NAMES], dtype=float).reshape(len(NAMES), len(margin))


EXPECTED_ALREADY = {"STOCKOUT_BEFORE_DELIVERY", "LATE_PO", "REORDER_NOW", "REORDER_SOON", "SEASON_END_RISK"}
"""Codes whose money is a mean over what may come: it is not weighed with the probability a second time."""


def probabilities(chances: Chances) -> Floats:
    """Probability of what each code warns of (rows, as in `CODES`); NaN where it is so already.

    Missing goods: sold out before the next delivery, or before an order of today would arrive. Too many: none of the
    excess sells in 90 days and the lead time; no sale, or no more than half of the stock, in 91 days; more than a tenth
    left when the season ends.
    """
    out = chances.gone_before_receipt
    rows = {
        "STOCKOUT_BEFORE_DELIVERY": out,
        "LATE_PO": out,
        "REORDER_NOW": out,
        "REORDER_SOON": out,
        "SEASON_END_RISK": chances.leftover_risk,
        "DEAD_STOCK": chances.lies_still,
        "OVERSTOCK": chances.excess_stays,
        "SLOW_MOVING": chances.moves_slowly,
    }
    unknown = np.full(len(out), np.nan)
    return np.array([rows.get(name, unknown) for name in NAMES], dtype=float).reshape(len(NAMES), len(out))


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of each variant; one entry per variant."""

    code: Ints
    """Its row in `CODES`, -1 for none."""
    urgency: Ints
    money: Floats
    urgencies: Ints
    """Of all codes (`urgencies`)."""


def choose(shelf: Shelf) -> Found:
    """The most urgent alert of each variant, with the money at stake."""
    urgency = urgencies(shelf)
    worst = np.argmax(urgency, axis=0) if urgency.size else np.zeros(0, dtype=np.int64)
    pick = np.arange(len(worst))
    level = urgency[worst, pick]
    there = level > 0
    stake = np.where(there, money(shelf)[worst, pick], 0.0)
    return Found(np.where(there, worst, -1), level, stake, urgency)


def weighed(found: Found, chances: Chances) -> tuple[Floats, Floats]:
    """The probability of each alert, NaN where it speaks of what is so already; and the money weighed with it.

    Money that is a mean over what may come is not weighed a second time (`EXPECTED_ALREADY`).
    """
    there = found.code >= 0
    worst = np.where(there, found.code, 0)
    chance = np.where(there, probabilities(chances)[worst, np.arange(len(worst))], np.nan)
    mean = np.isin(worst, [NAMES.index(name) for name in EXPECTED_ALREADY])
    return chance, found.money * np.where(mean, 1.0, np.nan_to_num(chance, nan=1.0))


def also(found: Found) -> pl.Series:
    """Lists of the other codes that are true of each variant, the most urgent first."""
    urgency = found.urgencies
    code, row = np.nonzero(urgency)
    other = code != found.code[row] if len(row) else np.zeros(0, dtype=bool)
    named = pl.DataFrame(
        {"row": row[other], "code": code[other], "level": urgency[code[other], row[other]]},
        schema={"row": pl.Int64, "code": pl.Int64, "level": pl.Int64},
    ).sort("row", "level", "code", descending=[False, True, False])
    named = named.with_columns(name=pl.Series(NAMES, dtype=pl.String).gather(named["code"]))
    lists = named.group_by("row", maintain_order=True).agg("name")
    every = pl.DataFrame({"row": np.arange(len(found.code), dtype=np.int64)})
    joined = every.join(lists, on="row", how="left", maintain_order="left")
    return joined["name"].fill_null(pl.lit([], pl.List(pl.String)))
