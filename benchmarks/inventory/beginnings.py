"""INV-6: goods that are new, and goods whose season ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.inventory import curves, data, policies
from benchmarks.inventory.policies import Floats, Levels, Policy
from retail_ml.inventory import demand as dm
from retail_ml.inventory import policy, season
from retail_ml.inventory.history import History, history
from retail_ml.inventory.policy import Terms
from retail_ml.inventory.world import World

FIRST_DAYS, LEAD_DAYS, THUMB_DAYS = 28, 7, 30
SEEDS = (1, 2, 3)


def main(folder: Path) -> dict[str, Any]:
    """Cost of the first 28 days of new SKUs, and what is left when a season ends, beside rules of thumb."""
    return {"new": new(folder), "season": ending(data.shop(folder))}


# --- new ------------------------------------------------------------------------------------------


def new(folder: Path) -> dict[str, Any]:
    """SKUs first sold from June to October 2011, over their first 28 days; the day of the first sale is announced.

    Ours: what the product's levels say the week before, and each week after. Beside it: 30 days of the mean rate of the
    shop's SKUs, filled up each week. An order comes after 7 days; cost is half of the first price; holding 25 % a year.
    """
    lines = data.sales(folder).with_columns(units=pl.min_horizontal("units", "cap").round()).sort("day")
    first = lines.group_by("variant_id", maintain_order=True).agg(pl.col("price").first()).sort("variant_id")
    variants = first.select("variant_id", category=pl.lit(""), created=pl.lit(None, dtype=pl.Date))
    h = history(lines, variants, until=data.END)
    begins = h.days - data.SCORED_DAYS
    fresh = np.flatnonzero((h.start >= begins) & (h.start < h.days - FIRST_DAYS))
    price = first["price"].to_numpy().astype(float)
    ours, thumb = (_first_days(h, fresh, price, ours=mine) for mine in (True, False))
    return {"skus": len(fresh), "ours": ours, "thumb": thumb, "ratio": round(ours["cost"] / thumb["cost"], 4)}


def _first_days(h: History, fresh: np.ndarray, price: Floats, *, ours: bool) -> dict[str, float]:
    """Walk through the calendar; each of the `fresh` SKUs from its first day on."""
    begins, n = int(h.start[fresh].min()), len(fresh)
    asked = np.diff(h.units[fresh], axis=1)
    cost = price[fresh] / 2
    stock, coming = np.zeros(n), np.zeros((n, h.days + LEAD_DAYS + 8))
    units = h.units.copy()
    sums = dict.fromkeys(("asked", "sold", "lost", "held", "lines"), 0.0)
    point, up_to = np.zeros(n), np.zeros(n)
    for t in range(begins, h.days):
        age = t - h.start[fresh]
        if (t - begins) % 7 == 0:
            known = replace(h, units=units, start=np.where(np.isin(np.arange(len(h.start)), fresh[age >= -7]),
                                                           np.minimum(h.start, t), h.start)).until(t)  # fmt: skip
            point, up_to = (x[fresh] for x in (_levels(known, price) if ours else _shop_mean(known)))
        stock += coming[:, t]
        stock = np.where(age == 0, up_to, stock)  # the first delivery is there in time
        sums["lines"] += float((age == 0).sum())
        if (t - begins) % 7 == 0:
            position = stock + coming[:, t + 1 :].sum(axis=1)
            order = np.where((age > 0) & (age < FIRST_DAYS) & (position <= point), up_to - position, 0.0)
            coming[:, t + LEAD_DAYS] += order
            sums["lines"] += float((order > 0).sum())
        inside = (age >= 0) & (age < FIRST_DAYS)
        sold = np.where(inside, np.minimum(stock, asked[:, t]), 0.0)
        stock -= sold
        units[fresh, t + 1] = units[fresh, t] + sold
        sums["asked"] += float((asked[:, t] * price[fresh])[inside].sum())
        sums["sold"] += float((sold * price[fresh]).sum())
        sums["lost"] += float(((asked[:, t] - sold) * (price[fresh] - cost))[inside].sum())
        sums["held"] += float((stock * cost)[inside].sum())
    total = sums["held"] * 0.25 / 365 + sums["lost"] + 2 * sums["lines"]
    return {
        "fill": round(sums["sold"] / sums["asked"], 4),
        "stock": round(sums["held"] / FIRST_DAYS, 1),
        "cost": round(total, 1),
    }


def _levels(known: History, price: Floats) -> Levels:
    n = len(known.start)
    lead = np.full(n, float(LEAD_DAYS))
    law = dm.estimate(known, protection=np.full(n, 14), lead_sd=0.25 * lead)
    year = known.units[:, -1] - known.units[:, max(known.days - 365, 0)]
    terms = Terms(price / 2, price, lead, 0.25 * lead, policy.abc_class(year * price))
    found = policy.levels(law, terms, data.RULES)
    return found.reorder_point, found.order_up_to


def _shop_mean(known: History) -> Levels:
    k, theta = dm.prior(known)
    rate = k / theta * dm.open_share(known, np.array([known.days]))[0]
    up_to = np.maximum(np.round(rate * THUMB_DAYS), 1)
    return up_to - 1, up_to


# --- the end of a season --------------------------------------------------------------------------


def ending(found: data.Shop) -> dict[str, Any]:
    """All SKUs end with the replay: units left then (those on order too), at cost, where both served 95 %.

    Neither orders what would come after the end. Ours bounds its levels as the product does in a season.
    """
    ratios, rows = [], []
    for seed in SEEDS:
        world = data.world(found, seed=seed)
        left = []
        for one in (_in_season(policies.OURS), _until_the_end(policies.MIN_STOCK)):
            each = curves.curve(world, one)
            value = np.array([[float((o.left * world.terms.cost).sum()) for o in each.outcomes]])
            left.append(float(curves.at_fill(each.points()[0], value, 0.95)[0]))
        rows.append(left)
        ratios.append(left[0] / left[1])
    ours, thumb = np.mean(rows, axis=0)
    return {
        "left": round(float(ours), 1),
        "left_thumb": round(float(thumb), 1),
        "ratio": round(float(np.mean(ratios)), 4),
        "seeds": [round(float(x), 4) for x in ratios],
    }


def _in_season(one: Policy) -> Policy:
    def moments(world: World, known: History) -> Any:
        return one.moments(world, known), float(world.window.end - known.days)

    def levels(world: World, found: Any, target: float) -> Levels:
        law, days_left = found
        return season.bounded(
            one.levels(world, law, target),
            (law.daily, law.ratio),
            days_left=np.full(len(law.daily), days_left),
            lead_days=world.terms.lead_days,
            review_days=world.rules.review_days,
            served=season.target(world.terms.price, world.terms.cost),
        )

    return Policy(one.name, one.targets, moments, levels)


def _until_the_end(one: Policy) -> Policy:
    def moments(world: World, known: History) -> Any:
        return one.moments(world, known), float(world.window.end - known.days)

    def levels(world: World, found: Any, target: float) -> Levels:
        point, up_to = one.levels(world, found[0], target)
        in_time = world.terms.lead_days < found[1]
        return np.where(in_time, point, 0.0), np.where(in_time, up_to, 0.0)

    return Policy(one.name, one.targets, moments, levels)
