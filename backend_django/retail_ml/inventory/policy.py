"""When to order and how much: reorder point s, order-up-to level S, quantities in packs, stock-out dates.

Every `review` days: if the inventory position is at or below s, order up to S. s is a quantile of negative binomial
demand over review + lead time, S adds the economic lot. The quantile balances the margin lost on a missing unit
against holding one over the cycle and the lead time, and is raised where the fill rate of the ABC class asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from retail_ml import engine
from retail_ml.inventory import formulas
from retail_ml.inventory.demand import Demand

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TAU_BOUNDS = (0.80, 0.995)
LOT_DAYS = 90
"""A lot is never more than so many days of demand."""
FILL_FLOORS = (0.97, 0.95, 0.90)
"""Share of units served at once that items of class A, B, C are held to at least."""
MOST = 20_000
"""Variants that are one part of the work, at most."""
HORIZON = 730
"""Days looked ahead for a stock-out."""


@dataclass(frozen=True)
class Rules:
    """What the owner decides: holding cost as a share of cost per year, days between reviews, the rest."""

    holding_rate: float = 0.25
    review_days: int = 7
    order_cost: float = 2.0
    service_level: float = 0.95
    default_lead_days: float = 14.0
    default_lead_cv: float = 0.25
    fill_floors: tuple[float, float, float] = FILL_FLOORS
    overstock_weight: float = 1.0
    """λ: what a unit too many weighs beside its cost of holding; above 1 less is kept, below 1 more."""
    tau_bounds: tuple[float, float] = TAU_BOUNDS


@dataclass(frozen=True, eq=False)
class Terms:
    """What a variant costs and earns, and how it is bought: NaN where a shop does not know."""

    cost: Floats
    price: Floats
    lead_days: Floats
    lead_sd: Floats
    abc: Ints  # 0, 1, 2: A, B, C

    def of(self, rows: slice | Ints) -> Terms:
        """Of some of the variants."""
        return Terms(*(column[rows] for column in vars(self).values()))


@dataclass(frozen=True, eq=False)
class Levels:
    """Reorder point, order-up-to level and the probability behind them, per variant; whole units."""

    reorder_point: Floats
    order_up_to: Floats
    tau: Floats
    """Probability that demand over review + lead time is covered by the reorder point, as aimed at."""
    economic: Bools
    """False: cost or price is unknown, and tau is the service level of the settings."""


def lead_times(days: Floats, sd: Floats, rules: Rules) -> tuple[Floats, Floats]:
    """Lead times and spreads without gaps: the default for an unknown or negative mean, 25 % of it for the spread.

    >>> [a.tolist() for a in lead_times(np.array([np.nan, 8.0]), np.array([np.nan, 1.0]), Rules())]
    [[14.0, 8.0], [3.5, 1.0]]
    """
    mean = np.where(np.isfinite(days) & (days >= 0), np.minimum(np.nan_to_num(days), 365.0), rules.default_lead_days)
    spread = np.where(np.isfinite(sd) & (sd >= 0), np.nan_to_num(sd), rules.default_lead_cv * mean)
    return mean, spread


def protection_days(lead_days: Floats, rules: Rules) -> Ints:
    """Whole days between one decision and the arrival of the next one's order: review + lead time, at least 1.

    >>> protection_days(np.array([13.5]), Rules()).tolist()
    [21]
    """
    return np.maximum(np.ceil(rules.review_days + lead_days - 1e-9), 1).astype(np.int64)


def abc_class(value: Floats) -> Ints:
    """0, 1, 2 (A, B, C): A makes the first 80 % of the total `value` (margin a year), B the next 15 %, C the rest.

    An item belongs to the class in which its share begins, so the largest is always A; nothing earned is C.

    >>> abc_class(np.array([5.0, 80.0, 15.0, 0.0])).tolist()
    [2, 0, 1, 2]
    """
    earned = np.maximum(np.nan_to_num(value), 0.0)
    order = np.argsort(-earned, kind="stable")
    before = np.empty(len(earned))
    before[order] = np.concatenate([[0.0], np.cumsum(earned[order])[:-1]]) if len(earned) else 0.0
    share = before / earned.sum() if earned.sum() > 0 else np.ones(len(earned))
    classes = np.where(share < 0.8 - 1e-12, 0, np.where(share < 0.95 - 1e-12, 1, 2))
    return np.where(earned > 0, classes, 2).astype(np.int64)


def lots(demand: Demand, terms: Terms, rules: Rules) -> Floats:
    """Q0, what a lot adds to the reorder point: max(EOQ - μ_R, 0), at most 90 days of demand; 0 for unknown cost.

    Reviews every R days order the demand of R days anyway; only what the economic lot is larger by is added.
    """
    known = np.isfinite(terms.cost) & (terms.cost > 0)
    carrying = np.where(known, terms.cost, 1.0) * max(rules.holding_rate, 1e-6)
    best = formulas.eoq(rules.order_cost, demand.daily * 365, carrying)
    extra = np.maximum(best - demand.daily * rules.review_days, 0.0)
    return np.where(known, np.minimum(extra, demand.daily * LOT_DAYS), 0.0)


def economic_target(demand: Demand, terms: Terms, rules: Rules, *, lot: Floats) -> tuple[Floats, Bools]:
    """tau and where it is economic: 1 - tau = λ·c·h·(T_c + L)/365 / (p - c), held within 0.80…0.995.

    T_c = max(R, (Q0 + μ_R)/μ_d) days is the cycle. A margin of zero or less gives 0.80; an unknown cost or price
    the service level of the rules.
    """
    known = np.isfinite(terms.cost) & np.isfinite(terms.price) & (terms.cost >= 0) & (terms.price > 0)
    cost, price = np.where(known, terms.cost, 0.0), np.where(known, terms.price, 1.0)
    daily = np.where(demand.daily > 0, demand.daily, 1.0)
    cycle = np.maximum(rules.review_days, (lot + demand.daily * rules.review_days) / daily)
    margin, bounds = price - cost, rules.tau_bounds
    over = rules.overstock_weight * cost * rules.holding_rate * (cycle + terms.lead_days) / 365
    risk = np.divide(over, margin, out=np.ones_like(over), where=margin > 0)
    return np.where(known, np.clip(1 - risk, *bounds), np.clip(rules.service_level, *bounds)), known


def levels(demand: Demand, terms: Terms, rules: Rules, *, least: Floats | None = None) -> Levels:
    """Reorder point and order-up-to level of every variant; both 0 where nothing is expected to sell.

    s = the tau quantile of NB(μ_P, σ²_P), averaged with another forecast's where there is one, or the level of the
    class's fill rate where that is higher; S = s + max(Q0, 1): one at the least, since an order up to the level that
    triggers it would be for nothing. `least`: s that are known to be reached, as
    those of lower fill rates are.
    """
    lot = lots(demand, terms, rules)
    tau, economic = economic_target(demand, terms, rules, lot=lot)
    point = np.zeros(len(tau))
    sells = demand.mean > 0
    if sells.any():
        r, p = formulas.nb_parameters(demand.mean[sells], demand.ratio[sells] * demand.mean[sells])
        found = _averaged(formulas.nb_quantile(tau[sells], r, p), demand, terms, tau=tau, sells=sells)
        floors = np.array(rules.fill_floors)[terms.abc[sells]]
        found = found if least is None else np.maximum(found, least[sells])
        share = terms.lead_days[sells] / demand.protection[sells]
        cycle = lot[sells] + demand.daily[sells] * rules.review_days
        point[sells] = _raise_to_fill(found, (1 - floors) * cycle, lot[sells], (r, p, share))
    up_to = np.where(sells, point + np.maximum(np.round(lot), 1.0), 0.0)
    return Levels(point, up_to, tau, economic)


def levels_by_block(demand: Demand, terms: Terms, rules: Rules) -> Levels:
    """`levels`, in blocks of variants."""
    where = engine.blocks(len(demand.mean), most=MOST)
    if not where:
        return levels(demand, terms, rules)
    parts = ((demand.of(rows), terms.of(rows)) for rows in where)
    size = [rows.stop - rows.start for rows in where]
    return Levels(*engine.joined(partial(_levels_of, rules), parts, rows=size))


def _levels_of(rules: Rules, part: tuple[Demand, Terms]) -> tuple[Floats, ...]:
    """`levels` of one block, as their arrays."""
    return tuple(vars(levels(*part, rules)).values())


def _averaged(point: Floats, demand: Demand, terms: Terms, *, tau: Floats, sells: Bools) -> Floats:
    """Mean of the quantiles of two forecasts, to the nearest unit: where `demand.quantiles` has none, `point` stays.

    Averaging quantiles keeps the shape of both (Lichtendahl, Grushka-Cockayne & Winkler 2013). The other forecast is of
    a fixed number of days: its distance from its mean is stretched by what the lead time's spread adds to the own
    standard deviation. It is fractional, and `point` has been rounded up already: rounding up once more would add a
    unit wherever the other one is above it by a hair.
    """
    if demand.quantiles is None:
        return point
    other, mean = demand.quantiles.at(tau)[sells], demand.quantiles.mean[sells]
    variance, spread = demand.variance[sells], (demand.daily * terms.lead_sd)[sells] ** 2
    stretch = np.sqrt(variance / np.maximum(variance - spread, 0.1 * variance))
    other = np.maximum(mean + (other - mean) * stretch, 0.0)
    return np.where(np.isfinite(other), np.floor((point + np.nan_to_num(other) + 1) / 2), point)


def _raise_to_fill(point: Floats, allowed: Floats, lot: Floats, law: tuple[Floats, Floats, Floats]) -> Floats:
    """The smallest s ≥ `point` whose units short per cycle, n_P(s) - n_L(s + Q0), are at most `allowed`.

    `law` is (r, p, share of the protection period that is lead time); n are loss functions, and their difference
    falls as s rises, since demand over P is never below demand over L.
    """
    r, p, share = law
    lead, whole = np.maximum(r * share, 1e-12), np.floor(lot)

    def much(s: Floats, at: Ints) -> Bools:
        """Are the units short at `s` too many? Of the variants `at` alone: most are settled after a step or two."""
        short = formulas.nb_loss(s, r[at], p[at]) - formulas.nb_loss(s + whole[at], lead[at], p[at])
        return np.asarray(short > allowed[at])

    low, high, step = point - 1, point.copy(), 1.0
    left = np.arange(len(point))
    while len(left := left[much(high[left], left)]):
        low[left], high[left] = high[left], high[left] + step
        step *= 2  # mostly a unit or two are missing
    left = np.flatnonzero(high - low > 1)
    while len(left):
        middle = np.floor((low[left] + high[left]) / 2)
        up = much(middle, left)
        low[left[up]], high[left[~up]] = middle[up], middle[~up]
        left = left[high[left] - low[left] > 1]
    return high


def order_quantity(
    position: Floats, *, reorder_point: Floats, order_up_to: Floats, pack: Floats, minimum: Floats
) -> Floats:
    """Units to order: 0 above the reorder point, else max(minimum, S - position) rounded up to whole packs.

    `pack` and `minimum` at least 1; the minimum itself is rounded up to packs.

    >>> order_quantity(np.array([3.0, 4.0]), reorder_point=np.array([3.0, 3.0]), order_up_to=np.array([9.0, 9.0]),
    ...                pack=np.array([4.0, 4.0]), minimum=np.array([1.0, 1.0])).tolist()
    [8.0, 0.0]
    """
    wanted = np.maximum(order_up_to - position, minimum)
    packs = np.ceil(wanted / pack - 1e-9)
    # nothing is ordered of what is not expected to sell: its order-up-to level is zero
    return np.where((position <= reorder_point) & (order_up_to > 0), packs * pack, 0.0)


# --- demand over any number of days, from the mean per day and variance/mean -------------------------


def _law(daily: Floats, ratio: Floats, days: Floats | float) -> tuple[Floats, Floats]:
    return np.maximum(daily * days, 1e-9) / (ratio - 1), 1 / ratio


def probability_above(units: Floats, daily: Floats, ratio: Floats, *, days: Floats | float) -> Floats:
    """P(demand over `days` > `units`), 0 where nothing sells. `ratio` is variance over mean, above 1."""
    return np.where(daily > 0, formulas.nb_above(np.maximum(units, 0), *_law(daily, ratio, days)), 0.0)


def units_short(units: Floats, daily: Floats, ratio: Floats, *, days: Floats | float) -> Floats:
    """Expected demand over `days` that `units` cannot serve; stock below zero counts as none."""
    return np.where(daily > 0, formulas.nb_loss(np.maximum(units, 0), *_law(daily, ratio, days)), 0.0)


def demand_quantile(q: Floats | float, daily: Floats, ratio: Floats, *, days: Floats | float) -> Floats:
    """The `q` quantile (one, or one for each) of demand over `days`, 0 where nothing sells."""
    found = formulas.nb_quantile(q, *_law(daily, ratio, days)) if len(daily) else np.empty(0)
    return np.where(daily > 0, found, 0.0)
