"""What decides: each policy is moments learnt from what was seen, and levels for a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import demand as dm
from retail_ml.inventory import formulas, policy, replay
from retail_ml.inventory.history import History
from retail_ml.inventory.world import World

Floats = npt.NDArray[np.float64]
Levels = tuple[Floats, Floats]

Z = (0.5, 1.0, 1.4, 1.8, 2.3, 2.9, 3.6, 4.6, 6.0, 8.0)
LAMBDA = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.01)
DAYS = (10, 20, 30, 45, 60, 90, 120, 180, 260, 400)
ANCESTOR = (1.5, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0)
SHORTAGE = (0.02, 0.05, 0.1, 0.25, 1.0, 4.0, 20.0, 200.0, 2_000.0)
NO_FLOORS = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Policy:
    """A row of the benchmark: `targets` swept, `default` the one that its user would be given (None: none)."""

    name: str
    targets: Sequence[float]
    moments: Callable[[World, History], Any]
    levels: Callable[[World, Any, float], Levels]
    default: float | None = None


def protection(world: World) -> npt.NDArray[np.int64]:
    """Review and lead time in whole days."""
    return policy.protection_days(world.terms.lead_days, world.rules)


# --- ours -----------------------------------------------------------------------------------------


def expected(world: World, known: History) -> dm.Demand:
    """Demand as the product estimates it."""
    return dm.estimate(known, protection=protection(world), lead_sd=world.terms.lead_sd)


def swept(world: World, demand: dm.Demand, weight: float) -> Levels:
    """The product's levels at a weight λ, the class floors and the bounds of the target off."""
    rules = replace(world.rules, overstock_weight=weight, fill_floors=NO_FLOORS, tau_bounds=(0.01, 0.99999))
    found = policy.levels(demand, world.terms, rules)
    return found.reorder_point, found.order_up_to


def untouched(world: World, demand: dm.Demand, _: float) -> Levels:
    """The product's levels with its default settings."""
    found = policy.levels(demand, world.terms, world.rules)
    return found.reorder_point, found.order_up_to


def to_fill(world: World, demand: dm.Demand, fill: float) -> Levels:
    """The product's levels for one fill rate of all SKUs."""
    rules = replace(world.rules, fill_floors=(fill,) * 3, tau_bounds=(0.001, 0.001))
    found = policy.levels(demand, world.terms, rules)
    return found.reorder_point, found.order_up_to


# --- textbooks ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Normal:
    """Mean per day, and mean and standard deviation over review + lead time."""

    daily: Floats
    mean: Floats
    sd: Floats


def year(world: World, known: History) -> Normal:
    """The textbook: mean and standard deviation of the last 365 days' daily sales, days independent."""
    daily = np.diff(known.units[:, max(known.days - 365, 0) :], axis=1)
    mean, days = daily.mean(axis=1), world.rules.review_days + world.terms.lead_days
    variance = daily.var(axis=1, ddof=1) * days + (mean * world.terms.lead_sd) ** 2
    return Normal(mean, mean * days, np.sqrt(variance))


def recent(known: History, at: npt.NDArray[np.int64]) -> Floats:
    """.45, .35 and .20 of the last 28, 91 and 182 days' mean per day, seen from each day `at`: (N, K)."""
    found = np.zeros((len(known.start), len(at)))
    for days, share in dm.WINDOWS:
        low = np.maximum(at - days, 0)
        found += share * (known.units[:, at] - known.units[:, low]) / np.maximum(at - low, 1)
    return found


def errors(world: World, known: History, *, pooled: bool = False) -> Normal:
    """Recency-weighted mean; variance: its mean squared error over 39 weekly origins, moved to today's mean.

    With `pooled` the variance is the product's own way of it: shrunk by half, in logarithms, to a law over all SKUs.
    """
    days = protection(world)
    at = np.arange(known.days - int(days.min()), 27, -7)
    at = at[: dm.ORIGINS + -(-int(days.max()) // 7)]
    end = at[None, :] + days[:, None]
    closed = (end <= known.days) & (known.start[:, None] < at)
    closed &= np.cumsum(closed, axis=1) <= dm.ORIGINS
    actual = np.take_along_axis(known.units, np.minimum(end, known.days), 1) - known.units[:, at]
    forecast = recent(known, at) * days[:, None]
    many = np.maximum(closed.sum(axis=1), 1)
    past = dm.Errors(
        np.where(closed, forecast, 0).sum(axis=1) / many,
        np.where(closed, (actual - forecast) ** 2, 0).sum(axis=1) / many,
        closed.sum(axis=1),
    )
    daily = recent(known, np.array([known.days]))[:, 0]
    mean = daily * days
    if pooled:
        variance = dm.error_variance(past, mean, days)
    else:
        moved = np.divide(mean, past.forecast, out=np.ones_like(mean), where=past.forecast > 0)
        variance = np.where(mean > 0, past.squared * np.minimum(moved, 10.0), 0.0)
    return Normal(daily, mean, np.sqrt(variance + (daily * world.terms.lead_sd) ** 2))


def pooled_errors(world: World, known: History) -> Normal:
    """`errors`, pooled."""
    return errors(world, known, pooled=True)


def base_stock(_: World, law: Normal, z: float) -> Levels:
    """Each review up to μ + z·σ."""
    up_to = np.where(law.mean > 0, np.maximum(np.round(law.mean + z * law.sd), 1), 0.0)
    return up_to - 1, up_to


def with_lot(world: World, law: Normal, z: float) -> Levels:
    """At or below μ + z·σ, an economic lot more (90 days of demand at most)."""
    carrying = world.terms.cost * world.rules.holding_rate
    extra = formulas.eoq(world.rules.order_cost, law.daily * 365, carrying) - law.daily * world.rules.review_days
    point = np.maximum(np.round(law.mean + z * law.sd), 0)
    lot = np.clip(np.round(extra), 1, np.maximum(law.daily * policy.LOT_DAYS, 1))
    return point, np.where(law.mean > 0, point + lot, 0.0)


# --- rules of thumb -------------------------------------------------------------------------------


def seen(_: World, known: History) -> History:
    """No moments: the rule looks at the sales themselves."""
    return known


def min_stock(_: World, known: History, days: float) -> Levels:
    """Each review up to k days of the last 90 days' average."""
    average = (known.units[:, known.days] - known.units[:, known.days - 90]) / 90
    up_to = np.ceil(average * days)
    return up_to - 1, up_to


def thumb(_: World, known: History, days: float) -> Levels:
    """The product's baseline: below k days of that average, 30 days more."""
    return replay.thumb(known, int(days))


def ancestor(world: World, known: History, factor: float) -> Levels:
    """At or below 7 days of the last 30 days' mean times a factor (1.5): an EOQ of K = 50 and 20 % of the price."""
    mean = (known.units[:, known.days] - known.units[:, known.days - 30]) / 30
    point = np.ceil(7 * mean * factor)
    lot = np.maximum(np.round(formulas.eoq(50.0, mean * 365, 0.2 * world.terms.price)), 1)
    return point, np.where(mean > 0, point + lot, 0.0)


# --- stockpyl -------------------------------------------------------------------------------------


def _costs(world: World, shortage: float) -> tuple[Floats, Floats]:
    """Holding and shortage cost of a unit over review + lead time; the margin, times the weight that is swept."""
    days = world.rules.review_days + world.terms.lead_days
    holding = world.terms.cost * world.rules.holding_rate * days / 365
    return holding, shortage * (world.terms.price - world.terms.cost)


def stockpyl_normal(world: World, law: Normal, shortage: float) -> Levels:
    """`newsvendor_normal` of review + lead time."""
    from stockpyl.newsvendor import newsvendor_normal

    def level(h: float, p: float, mean: float, sd: float) -> float:
        return float(newsvendor_normal(h, p, mean, sd)[0]) if mean > 0 and sd > 0 else 0.0

    found = np.array([level(*row) for row in zip(*_costs(world, shortage), law.mean, law.sd, strict=True)])
    up_to = np.where(law.mean > 0, np.maximum(np.round(found), 1), 0.0)
    return up_to - 1, up_to


def stockpyl_poisson(world: World, law: Normal, shortage: float) -> Levels:
    """`newsvendor_poisson` of review + lead time."""
    from stockpyl.newsvendor import newsvendor_poisson

    def level(h: float, p: float, mean: float) -> float:
        return float(newsvendor_poisson(h, p, mean)[0]) if mean > 0 else 0.0

    up_to = np.array([level(*row) for row in zip(*_costs(world, shortage), law.mean, strict=True)])
    return up_to - 1, up_to


def stockpyl_power(world: World, law: Normal, shortage: float) -> Levels:
    """`s_s_power_approximation` of review + lead time (Ehrhardt & Mosier 1984)."""
    from stockpyl.ss import s_s_power_approximation

    def level(h: float, p: float, mean: float, sd: float) -> tuple[float, float]:
        return s_s_power_approximation(h, p, world.rules.order_cost, mean, sd) if mean > 0 and sd > 0 else (0.0, 0.0)

    found = np.array([level(*row) for row in zip(*_costs(world, shortage), law.mean, law.sd, strict=True)])
    point = np.maximum(np.round(found[:, 0]), 0)
    return point, np.where(law.mean > 0, np.maximum(np.round(found[:, 1]), point + 1), 0.0)


OURS = Policy("ours", LAMBDA, expected, swept, 1.0)
DEFAULT = Policy("ours, default settings", (1.0,), expected, untouched, 1.0)
PLAIN = Policy("textbook: normal, 365-day moments", Z, year, base_stock, 1.645)
PLAIN_LOT = Policy("textbook + EOQ", Z, year, with_lot, 1.645)
STRONG = Policy("error variance, recent mean, normal", Z, errors, base_stock, 1.645)
STRONG_LOT = Policy("error variance, recent mean, normal + EOQ", Z, errors, with_lot, 1.645)
POOLED_LOT = Policy("… with our pooled variance", Z, pooled_errors, with_lot, 1.645)
MIN_STOCK = Policy("rule of thumb: up to k days", DAYS, seen, min_stock)
THUMB = Policy("rule of thumb: below k days, 30 more", DAYS, seen, thumb)
ANCESTOR_RULE = Policy("7 days × 1.5, EOQ of K = 50", ANCESTOR, seen, ancestor, 1.5)
BASE = (OURS, DEFAULT, PLAIN, PLAIN_LOT, STRONG, STRONG_LOT, POOLED_LOT, MIN_STOCK, THUMB, ANCESTOR_RULE)
STOCKPYL = (
    Policy("stockpyl newsvendor_normal", SHORTAGE, year, stockpyl_normal, 1.0),
    Policy("stockpyl newsvendor_poisson", SHORTAGE, year, stockpyl_poisson, 1.0),
    Policy("stockpyl s_s_power_approximation", SHORTAGE, year, stockpyl_power, 1.0),
)
FILL = Policy("ours, to a fill rate", (0.85, 0.90, 0.95, 0.98), expected, to_fill)


# --- with all known -------------------------------------------------------------------------------


def foresight(world: World) -> tuple[float, float]:
    """(average stock at cost, total cost) of a shop that knows demand and lead times: nothing is ever short.

    Each SKU orders every m reviews, with the m of 1…26 that is cheapest for it, what is sold from one arrival to
    the next; so every lot is in the shop from the day it came, and is gone when the next one comes.
    """
    days, rules = world.window, world.rules
    count = days.end - days.scored
    best = np.full(len(world.stock), np.inf)
    held_at_best = np.zeros(len(world.stock))
    sold = np.concatenate([np.zeros((len(world.stock), 1)), np.cumsum(world.daily, axis=1)], axis=1)
    for m in range(1, 27):
        step = m * rules.review_days
        held, lines = np.zeros(len(world.stock)), np.zeros(len(world.stock))
        for begin in range(days.start, days.end, step):
            end = min(begin + step, days.end)
            evenings = np.arange(max(begin, days.scored), end) + 1
            held += (sold[:, end, None] - sold[:, evenings]).sum(axis=1)
            lines += (sold[:, end] > sold[:, begin]) * (begin >= days.scored)
        cost = held * world.terms.cost * rules.holding_rate / 365 + lines * rules.order_cost
        better = cost < best
        best, held_at_best = np.where(better, cost, best), np.where(better, held, held_at_best)
    return float((held_at_best * world.terms.cost).sum() / count), float(best.sum())
