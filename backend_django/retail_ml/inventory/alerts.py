"""What is wrong on the shelf: one alert per variant, the most urgent, with the money at stake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CODES: dict[str, str] = {  # code → one of the five broad types; the first of equal urgency is shown
    "OUT_OF_STOCK": "reorder_now",
    "STOCKOUT_BEFORE_DELIVERY": "reorder_now",
    "REORDER_NOW": "reorder_now",
    "DEMAND_SPIKE": "high_demand",
    "DEAD_STOCK": "slow_moving",
    "OVERSTOCK": "overstock",
    "REORDER_SOON": "low_stock",
    "SLOW_MOVING": "slow_moving",
}
NAMES = list(CODES)
TYPES = ("reorder_now", "low_stock", "overstock", "slow_moving", "high_demand")
DEAD_DAYS, SLOW_DAYS, OVERSTOCK_DAYS, RISK_DAYS = 180, 180, 90, 14
YOUNG_DAYS = 56
"""Days in the range below which nobody can say that there is too much of an item."""


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
    out_before_receipt: Floats  # probability
    excess: Floats
    young: Bools
    dead: Bools
    spike: Bools
    lead_days: Floats
    review_days: int
    cost: Floats  # without gaps; 0 where nothing at all is known
    margin: Floats
    short_protection: Floats  # units expected to be missing over review + lead time
    short_risk: Floats  # … over 14 days


def is_dead(on_hand: Floats, idle_days: Ints, *, interval: Floats, range_days: Ints) -> Bools:
    """Stock, and no sale for the longer of 180 days and three of its usual intervals; idle -1: never sold at all.

    >>> days = np.array([400, 400])
    >>> is_dead(np.ones(2), np.array([200, 200]), interval=np.array([10.0, 90.0]), range_days=days).tolist()
    [True, False]
    """
    limit = np.maximum(DEAD_DAYS, 3 * np.nan_to_num(interval))
    idle = np.where(idle_days < 0, range_days, idle_days)
    return (on_hand > 0) & (idle >= limit)


def urgencies(shelf: Shelf) -> Ints:
    """Urgency 1…5 of every code (rows, as in `CODES`) for every variant; 0 where its condition is false."""
    sells = shelf.active & (shelf.daily > 0)
    empty = sells & (shelf.on_hand <= 0)
    risk = shelf.out_before_receipt
    late = sells & ~empty & (shelf.on_order > 0) & (risk > 0.2)
    orders = sells & (shelf.order_up_to > 0)
    now = orders & (shelf.position <= shelf.reorder_point)
    soon = orders & ~now & (shelf.position - shelf.daily * shelf.review_days <= shelf.reorder_point)
    cover = np.divide(shelf.on_hand, shelf.daily, out=np.full_like(shelf.daily, np.inf), where=shelf.daily > 0)
    value = shelf.excess * shelf.cost
    over = (shelf.excess > 0) & (cover > OVERSTOCK_DAYS + shelf.lead_days) & ~shelf.dead
    slow = (shelf.on_hand > 0) & (cover > SLOW_DAYS) & ~shelf.dead & ~shelf.young
    large = value > 0.05 * max(float((np.maximum(shelf.on_hand, 0) * shelf.cost).sum()), 1e-9)
    rows = {
        "OUT_OF_STOCK": np.where(empty, np.where(shelf.abc < 2, 5, 4), 0),
        "STOCKOUT_BEFORE_DELIVERY": np.where(late, np.where(risk > 0.5, 5, 4), 0),
        "REORDER_NOW": np.where(now, np.where(shelf.abc == 0, 4, 3) + ((risk > 0.5) & (shelf.abc < 2)), 0),
        "DEMAND_SPIKE": np.where(sells & shelf.spike, 3, 0),
        "DEAD_STOCK": np.where(shelf.dead, 2, 0),
        "OVERSTOCK": np.where(over, np.where(large, 3, 2), 0),
        "REORDER_SOON": np.where(soon, 2, 0),
        "SLOW_MOVING": np.where(slow, 1, 0),
    }
    return np.array([rows[name] for name in NAMES], dtype=np.int64).reshape(len(NAMES), len(sells))


def money(shelf: Shelf) -> Floats:
    """Money at stake under every code (rows, as in `CODES`), never below 0.

    Missing goods: the margin expected to be lost, over 14 days for an empty shelf, else until an order of today would
    arrive. Too many goods: their value at cost.
    """
    margin = np.maximum(shelf.margin, 0.0)
    waiting, today = shelf.short_protection * margin, shelf.short_risk * margin
    stock = np.maximum(shelf.on_hand, 0) * shelf.cost
    beyond = np.maximum(shelf.on_hand - SLOW_DAYS * shelf.daily, 0) * shelf.cost
    rows = {
        "OUT_OF_STOCK": today,
        "STOCKOUT_BEFORE_DELIVERY": waiting,
        "REORDER_NOW": waiting,
        "DEMAND_SPIKE": waiting,
        "DEAD_STOCK": stock,
        "OVERSTOCK": shelf.excess * shelf.cost,
        "REORDER_SOON": waiting,
        "SLOW_MOVING": beyond,
    }
    return np.array([rows[name] for name in NAMES], dtype=float).reshape(len(NAMES), len(margin))


def choose(shelf: Shelf) -> tuple[Ints, Ints, Floats]:
    """The alert of each variant: its row in `CODES` (-1: none), its urgency (0: none) and the money at stake."""
    urgency = urgencies(shelf)
    worst = np.argmax(urgency, axis=0) if urgency.size else np.zeros(0, dtype=np.int64)
    pick = np.arange(len(worst))
    level = urgency[worst, pick]
    return np.where(level > 0, worst, -1), level, np.where(level > 0, money(shelf)[worst, pick], 0.0)
