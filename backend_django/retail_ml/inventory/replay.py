"""The policy replayed over a shop's own last weeks, beside the rule of thumb: what it would have cost.

Each week the levels are computed from what was known before that day, and from the sales that the policy itself
made possible: a unit that was not there is not sold, and not seen. Both policies meet the same demand (the sales that
the shop made), the same lead times and start from the same stock. Demand that the shop itself missed is in no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml import engine
from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory import policy
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules, Terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Decide = Callable[[History], tuple[Floats, Floats]]

MOST_WEEKS, FEWEST_WEEKS = 26, 4
TRAIN_WEEKS = 8
MOST_VARIANTS = 5_000
POOL = 1_000
"""Variants that learn from one another in the replay, at most: see `pools`."""
THUMB_DAYS = (7, 14, 21, 30, 45, 60, 90, 120, 180)
THUMB_LOT_DAYS = 30
FEWEST_UNITS = 30


@dataclass(frozen=True)
class Window:
    """Days of the history: the replay begins at `start`, is scored from `scored` and ends at the end."""

    start: int
    scored: int
    end: int


@dataclass(frozen=True, eq=False)
class World:
    """What both policies meet: daily demand (N, T), the history before, terms, packs, and drawn lead times."""

    h: History
    daily: Floats
    terms: Terms
    pack: Floats
    minimum: Floats
    rules: Rules
    window: Window
    lead: Ints  # (N, reviews)
    stock: Floats

    def of(self, rows: slice | Ints) -> World:
        """Of some of the variants."""
        h, terms = self.h.of(rows), self.terms.of(rows)
        arrays = (self.pack[rows], self.minimum[rows])
        return World(h, self.daily[rows], terms, *arrays, self.rules, self.window, self.lead[rows], self.stock[rows])


def window(days: int) -> Window | None:
    """Which days of a history of `days` are replayed; None when there are too few.

    8 weeks at least come before it, up to 8 weeks warm it up, and 4 to 26 weeks are scored.

    >>> window(738), window(60)
    (Window(start=500, scored=556, end=738), None)
    """
    weeks = days // 7
    warm = min(8, max(2, weeks // 8))
    scored = min(MOST_WEEKS, weeks - TRAIN_WEEKS - warm)
    if scored < FEWEST_WEEKS:
        return None
    return Window(days - 7 * (scored + warm), days - 7 * scored, days)


def replay(
    h: History,
    terms: Terms,
    rules: Rules,
    *,
    pack: Floats,
    minimum: Floats,
    seed: int,
    own: OwnShelf | None = None,
) -> dict[str, Any] | None:
    """Fill rate, average stock and cost of the policy over the last weeks, and of the rule of thumb beside it.

    Money: `total_cost` = holding + margin lost + K per order line, over the scored weeks; `average_inventory` at
    cost; `fill_rate` the share of demand, by value, that was served from the shelf. The baseline orders when a
    variant is below k days of its 90-day average, up to 30 days more; of nine k the cheapest *in hindsight* is
    shown, and under `same_service` the cheapest that served as much as the policy (None: none did). A variant without
    a cost gets the shop's usual cost share (else half the price); those without a price, or not sold before the
    replay begins, are left out. `classes` has the same figures per ABC class (of the year before), the fill rate
    `promised` to it, and its part of the baseline. At most 5,000 variants, drawn by `seed`; what the policy learns from
    several at once, it learns within `pools`. With `own` there is `own_history`: see `_beside_own`. None: fewer than 14
    weeks, or fewer than 30 units sold in those scored.
    """
    days = window(h.days)
    if days is None or not len(h.start):
        return None
    world, left = make_world(h, terms, rules, days=days, goods=(pack, minimum), seed=seed)
    if not len(world.stock) or world.daily[:, days.scored :].sum() < FEWEST_UNITS:
        return None
    outcome = _of_policy(world)
    ours = _figures(outcome, world)
    thumbs, theirs = _rules_of_thumb(world, served=ours["fill_rate"] or 0.0)
    first = h.first_day + timedelta(days=days.scored)
    return {
        **ours,
        **thumbs,
        "classes": _by_class(world, outcome, theirs),
        "weeks": (days.end - days.scored) // 7,
        "from": first.isoformat(),
        "until": (h.first_day + timedelta(days=days.end - 1)).isoformat(),
        "variants": len(world.stock),
        "units": round(float(world.daily[:, days.scored :].sum()), 1),
        "own_history": None if own is None else _beside_own(outcome, world, own, rows=_rows(h, world)),
        **left,
    }


def _rows(h: History, world: World) -> Ints:
    return np.searchsorted(h.variant_ids, world.h.variant_ids)


def _beside_own(outcome: Outcome, world: World, own: OwnShelf, *, rows: Ints) -> dict[str, Any] | None:
    """The policy and the shop's own past, over the same variants and days; None where no variant counts.

    `available`: share of the open days on which a variant was on the shelf, weighted with the value that it sold a
    year before the scored weeks. That is the fill rate of a demand that comes evenly, and can be told of the shop's own
    past too, where what was missed is in no data. `average_inventory` at cost.
    """
    days, h = world.window, world.h
    sold = h.units[:, days.scored] - h.units[:, max(days.scored - 365, 0)]
    weight = sold * world.terms.price * own.counted[rows]
    if not weight.sum() > 0:
        return None
    open_days = h.shop_open[days.end] - h.shop_open[days.scored]
    known = own.counted[rows]
    cost = world.terms.cost * known

    def told(share: Floats, units: Floats) -> dict[str, float]:
        return {
            "available": round(float((weight * share).sum() / weight.sum()), 4),
            "average_inventory": round(float((cost * units).sum()), 2),
        }

    nights = outcome.held / np.maximum(world.terms.cost, 1e-12) / (days.end - days.scored)
    return {
        "variants": int(known.sum()),
        "policy": told(outcome.days_in_stock / max(open_days, 1.0), nights),
        "shop": told(own.days_in_stock[rows], own.average[rows]),
    }


def _by_class(world: World, ours: Outcome, theirs: Outcome) -> list[dict[str, Any]]:
    """The figures of each ABC class of the year before, what it is promised, and those of the baseline's rule."""
    found = []
    for k, name in enumerate("ABC"):
        mine = world.terms.abc == k
        if mine.any():
            about = {"abc": name, "variants": int(mine.sum()), "promised": world.rules.fill_floors[k]}
            units = round(float(ours.asked_units[mine].sum()), 1)
            baseline = _figures(theirs.of(mine), world)
            found.append({**about, "units": units, **_figures(ours.of(mine), world), "baseline": baseline})
    return found


def _rules_of_thumb(world: World, *, served: float) -> tuple[dict[str, Any], Outcome]:
    """The cheapest rule of thumb in hindsight with what became of each variant, and the cheapest of those whose fill
    rate is at least `served`."""
    where = blocks_of(world)
    outcomes = by_block(_thumbs, [world.of(rows) for rows in where], where, count=len(world.stock))
    rules = {k: _figures(outcome, world) for k, outcome in zip(THUMB_DAYS, outcomes, strict=True)}
    found = [{"name": "rule_of_thumb", "cover_days": k, "chosen": "best_in_hindsight", **rules[k]} for k in THUMB_DAYS]
    serving = [rule for rule in found if (rule["fill_rate"] or 0) >= served]
    best = min(found, key=lambda rule: rule["total_cost"])
    same = min(serving, key=lambda rule: rule["total_cost"], default=None)
    return {"baseline": best, "same_service": same}, outcomes[THUMB_DAYS.index(best["cover_days"])]


def pools(count: int) -> list[Ints]:
    """Rows of the variants that learn from one another: of more than POOL, every so-many-th with the same ones.

    Rates of categories, the shop's year and the law of errors are learnt from all variants of a pool, every week anew
    from what the policy itself sold: a pool is replayed as one. Who is in it follows from the number of variants, not
    from who computes it; ids of one category, which often follow one another, come into all of them.

    >>> [rows.tolist() for rows in pools(3)], [len(rows) for rows in pools(2_500)]
    ([[0, 1, 2]], [834, 833, 833])
    """
    several = max(-(-count // POOL), 1)
    return [np.arange(first, count, several) for first in range(several)]


def _of_policy(world: World) -> Outcome:
    """What becomes of each variant under the policy."""
    where = pools(len(world.stock))
    return by_block(_policy, (world.of(rows) for rows in where), where, count=len(world.stock))[0]


def _policy(world: World) -> tuple[Outcome, ...]:
    """What becomes of a pool of variants under the policy."""
    selling = hs.SellingDays.none(len(world.stock))
    return (simulate(world, partial(_levels, world, selling=selling)),)


def blocks_of(world: World) -> list[slice]:
    """The blocks of variants in which a world is replayed, where no decision looks at several variants together."""
    return engine.blocks(len(world.stock), most=MOST_VARIANTS)


def by_block(
    fn: Callable[[Any], tuple[Outcome, ...]], parts: Iterable[Any], where: Sequence[slice | Ints], *, count: int
) -> list[Outcome]:
    """The outcomes that fn finds of every part, each over all `count` variants again; `where` has each part's rows."""
    at = [np.arange(count)[rows] for rows in where]
    found = engine.map(partial(_columns, fn), parts, rows=[len(rows) for rows in at])
    table = np.empty((count, *found[0].shape[1:]))
    for rows, one in zip(at, found, strict=True):
        table[rows] = one
    names = list(Outcome.__dataclass_fields__)
    return [Outcome(**dict(zip(names, one.T, strict=True))) for one in np.swapaxes(table, 0, 1)]


def _columns(fn: Callable[[Any], tuple[Outcome, ...]], part: Any) -> Floats:
    """The outcomes of one block as one array: variants × outcomes × columns."""
    return np.stack([np.stack(list(vars(one).values()), axis=1) for one in fn(part)], axis=1)


def _thumbs(world: World) -> tuple[Outcome, ...]:
    """What becomes of a block of variants under each rule of thumb."""
    return tuple(simulate(world, partial(thumb, cover_days=k)) for k in THUMB_DAYS)


def make_world(
    h: History,
    terms: Terms,
    rules: Rules,
    *,
    days: Window,
    goods: tuple[Floats, Floats],
    seed: int,
    most: int = MOST_VARIANTS,
) -> tuple[World, dict[str, int]]:
    """What the policies meet, and how many variants were left out of it or have an assumed cost.

    `goods` are packs and minimums. At most `most` variants, drawn by `seed`; classes are those of the year before.
    """
    rng = np.random.default_rng(seed)
    if len(h.open_days) == 1:  # else days in stock are known for each variant
        shop_open = hs.opened_as_seen(h, days.start)
        h = replace(h, shop_open=shop_open, open_days=shop_open[None, :])
    priced = np.isfinite(terms.price) & (terms.price > 0)
    seen = h.units[:, days.start] > 0  # what was not sold yet, no policy could have known of
    chosen = np.sort(rng.permutation(np.flatnonzero(priced & seen))[:most])
    price = terms.price[chosen]
    known = np.isfinite(terms.cost[chosen])
    usual = float(np.median(terms.cost[chosen][known] / price[known])) if known.any() else 0.5
    cost = np.where(known, np.nan_to_num(terms.cost[chosen]), usual * price)
    h = replace(
        h,
        variant_ids=h.variant_ids[chosen],
        units=h.units[chosen],
        open_days=np.repeat(h.open_days, len(chosen), 0) if len(h.open_days) == 1 else h.open_days[chosen],
        start=h.start[chosen],
        group=h.group[chosen],
    )
    lead_days, lead_sd = terms.lead_days[chosen], terms.lead_sd[chosen]
    year = h.units[:, days.start] - h.units[:, max(days.start - 365, 0)]
    used = Terms(cost, price, lead_days, lead_sd, policy.abc_class(year * (price - cost)))
    reviews = -(-(days.end - days.start) // rules.review_days)
    quarter = (h.units[:, days.start] - h.units[:, max(days.start - 90, 0)]) / min(90, days.start)
    stock = np.ceil(quarter * (rules.review_days + lead_days))
    world = World(
        h,
        np.diff(h.units, axis=1),
        used,
        goods[0][chosen],
        goods[1][chosen],
        rules,
        days,
        draw_leads(lead_days, lead_sd, reviews, rng),
        stock,
    )
    left = {"without_price": int((seen & ~priced).sum()), "not_sold_before": int((~seen).sum())}
    return world, {**left, "assumed_cost": int((~known).sum())}


def draw_leads(mean: Floats, sd: Floats, reviews: int, rng: np.random.Generator) -> Ints:
    """Whole lead times of at least a day: gamma with each variant's mean and spread, the same for every policy."""
    varies = (sd > 0) & (mean > 0)
    shape = np.where(varies, (mean / np.where(varies, sd, 1)) ** 2, 1.0)[:, None]
    drawn = rng.gamma(np.broadcast_to(shape, (len(mean), reviews))) / shape * mean[:, None]
    return np.maximum(np.rint(np.where(varies[:, None], drawn, mean[:, None])), 1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class OwnShelf:
    """What the shop's own stock history says of the scored weeks; arrays over the variants of a history."""

    counted: npt.NDArray[np.bool_]
    """Variants whose history can be believed and that were in the range all the time."""
    days_in_stock: Floats
    """Share of the open days on which something was on the shelf."""
    average: Floats
    """Units at night."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each variant in the scored days; arrays of one entry per variant, money unless said otherwise."""

    asked: Floats
    sold: Floats
    lost_margin: Floats
    held: Floats
    """Stock at cost, summed over the evenings of the scored days."""
    lines: Floats
    """Order lines, a count."""
    asked_units: Floats
    sold_units: Floats
    periods: Floats
    """Review periods in which something was asked for, a count; and those of them in which nothing was missed."""
    whole_periods: Floats
    days_in_stock: Floats
    """Open days on which something was on the shelf in the morning, a count."""
    left: Floats
    """Units on the shelf and on order at the end."""

    def of(self, rows: npt.NDArray[np.bool_]) -> Outcome:
        """Of some of the variants."""
        return Outcome(*(column[rows] for column in vars(self).values()))


def decided_on(world: World) -> list[int]:
    """Days on which levels are computed: the reviews that are whole weeks apart, or all where they are rarer."""
    days, review = world.window, world.rules.review_days
    return [t for t in range(days.start, days.end, review) if (t - days.start) % 7 == 0 or review > 7]


def simulate(world: World, decide: Decide, *, sees_demand: bool = False) -> Outcome:
    """Walk through the days: receive, review, sell what is there, count.

    `decide` is given the history as the policy has seen it (its own sales, and its days in stock) up to before the
    day of the review, and returns reorder points and order-up-to levels. With `sees_demand` it is given what was asked
    for instead.
    """
    days, h = world.window, world.h
    units, shelf_days = h.units.copy(), h.open_days.copy()
    stock, on_order = world.stock.copy(), np.zeros(len(world.stock))
    arrivals = np.zeros((len(stock), days.end + int(world.lead.max()) + 1))
    sums = np.zeros((10, len(stock)))
    period = np.zeros((2, len(stock)))  # asked and missed since the last review
    levels: tuple[Floats, Floats] | None = None
    price, margin, open_today = world.terms.price, world.terms.price - world.terms.cost, np.diff(h.shop_open)
    decided = set(decided_on(world))
    for t in range(days.start, days.end):
        stock += arrivals[:, t]
        on_order -= arrivals[:, t]
        since = t - days.start
        if since % world.rules.review_days == 0:
            if levels is None or t in decided:
                seen = h if sees_demand else replace(h, units=units, open_days=shelf_days)
                levels = decide(seen.until(t))
            quantity = policy.order_quantity(
                stock + on_order,
                reorder_point=levels[0],
                order_up_to=levels[1],
                pack=world.pack,
                minimum=world.minimum,
            )
            due = t + world.lead[:, since // world.rules.review_days]
            arrivals[np.arange(len(stock)), due] += quantity
            on_order += quantity
            sums[[4, 7, 8]] += [(quantity > 0) * (t >= days.scored), period[0] > 0, (period[0] > 0) & (period[1] == 0)]
            period[:] = 0
        asked = world.daily[:, t]
        sold = np.minimum(stock, asked)
        there = open_today[t] * (stock > 0)
        shelf_days[:, t + 1] = shelf_days[:, t] + there
        stock -= sold
        units[:, t + 1] = units[:, t] + sold
        if t >= days.scored:
            sums[:4] += [asked * price, sold * price, (asked - sold) * margin, stock * world.terms.cost]
            sums[[5, 6, 9]] += [asked, sold, there]
            period += [asked, asked - sold]
    columns = [*sums, stock + on_order]
    return Outcome(*columns)


def _figures(outcome: Outcome, world: World) -> dict[str, Any]:
    days = world.window.end - world.window.scored
    asked, sold, lost, held, lines = (
        float(getattr(outcome, name).sum()) for name in ("asked", "sold", "lost_margin", "held", "lines")
    )
    average = held / days
    holding = average * world.rules.holding_rate * days / 365
    ordering = lines * world.rules.order_cost
    return {
        "fill_rate": round(sold / asked, 4) if asked else None,
        "average_inventory": round(average, 2),
        "total_cost": round(holding + lost + ordering, 2),
        "holding_cost": round(holding, 2),
        "lost_margin": round(lost, 2),
        "ordering_cost": round(ordering, 2),
        "order_lines": int(lines),
    }


def _levels(world: World, known: History, *, selling: hs.SellingDays | None = None) -> tuple[Floats, Floats]:
    protection = policy.protection_days(world.terms.lead_days, world.rules)
    expected = dm.estimate(known, protection=protection, lead_sd=world.terms.lead_sd, selling=selling)
    found = policy.levels(expected, world.terms, world.rules)
    return found.reorder_point, found.order_up_to


def thumb(known: History, cover_days: int) -> tuple[Floats, Floats]:
    """The rule of thumb: below k days of the last 90 days' average, order up to 30 days more."""
    now = known.days
    average = (known.units[:, now] - known.units[:, max(now - 90, 0)]) / min(90, now)
    point = np.ceil(average * cover_days)
    return point, np.where(average > 0, point + np.maximum(np.round(average * THUMB_LOT_DAYS), 1), 0.0)
