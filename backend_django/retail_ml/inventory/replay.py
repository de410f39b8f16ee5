"""The policy replayed over a shop's own last weeks, beside the rule of thumb: what it would have cost.

Each week the levels are computed from what was known before that day, and from the sales that the policy itself
made possible: a unit that was not there is not sold, and not seen. Both policies meet the same demand (the sales that
the shop made), the same lead times and start from the same stock. Demand that the shop itself missed is in no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
from retail_ml.inventory.world import MOST_VARIANTS, Floats, Ints, Outcome, World, make_world, simulate, window

POOL = 1_000
"""Variants that learn from one another in the replay, at most: see `pools`."""
THUMB_DAYS = (7, 14, 21, 30, 45, 60, 90, 120, 180)
THUMB_LOT_DAYS = 30
FEWEST_UNITS = 30


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


@dataclass(frozen=True, eq=False)
class OwnShelf:
    """What the shop's own stock history says of the scored weeks; arrays over the variants of a history."""

    counted: npt.NDArray[np.bool_]
    """Variants whose history can be believed and that were in the range all the time."""
    days_in_stock: Floats
    """Share of the open days on which something was on the shelf."""
    average: Floats
    """Units at night."""


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
