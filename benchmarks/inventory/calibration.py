"""INV-3: is a promised fill rate kept? By class, as aimed and with aims learnt on the 26 weeks before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.inventory import data, policies
from retail_ml.inventory import policy, tuning
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.replay import World, simulate

SEEDS = (1, 2, 3)
TARGETS = (0.90, 0.95, 0.98)
CLASSES = ("A", "B", "C")


def main(found: data.Shop) -> dict[str, Any]:
    """Share of the value asked for that was served, mean of the seeds, per promise and class; and the default's cost."""
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        world = data.world(found, seed=seed)
        for target in TARGETS:
            rules = replace(world.rules, fill_floors=(target,) * 3)
            aims = learnt(world, rules, seed=seed)
            for name, aimed in (("as promised", rules.fill_floors), ("learnt", aims.fill_floors)):
                only = replace(rules, fill_floors=aimed, tau_bounds=(0.001, 0.001))
                rows.setdefault(f"{target:.0%} {name}", []).append(
                    served(world, only) | dict(zip("abc", aimed, strict=True))
                )
        for name, rules in (("default", world.rules), ("default, learnt", learnt(world, world.rules, seed=seed))):
            rows.setdefault(name, []).append(served(world, rules) | {"weight": rules.overstock_weight})
        print(seed, {name: each[-1] for name, each in rows.items()}, flush=True)
    return {
        name: {key: round(float(np.mean([one[key] for one in each])), 4) for key in each[0]}
        for name, each in rows.items()
    }


def learnt(world: World, rules: Rules, *, seed: int) -> Rules:
    """Rules as the product tunes them, on what was sold before the scored days."""
    before = world.h.until(world.window.scored)
    found = tuning.tune(before, world.terms, rules, goods=(world.pack, world.minimum), seed=seed)
    if found is None:
        raise ValueError("There are too few weeks before the scored ones to tune on.")
    return found.rules


def served(world: World, rules: Rules) -> dict[str, float]:
    """Fill rate in all and by class, by value; total cost and average stock."""

    def decide(known: History) -> policies.Levels:
        found = policy.levels(policies.expected(world, known), world.terms, rules)
        return found.reorder_point, found.order_up_to

    outcome = simulate(world, decide)
    days = world.window.end - world.window.scored
    asked = np.bincount(world.terms.abc, weights=outcome.asked, minlength=3)
    sold = np.bincount(world.terms.abc, weights=outcome.sold, minlength=3)
    cost = outcome.held * world.rules.holding_rate / 365 + outcome.lost_margin + outcome.lines * world.rules.order_cost
    return {
        "all": float(outcome.sold.sum() / outcome.asked.sum()),
        **{name: float(sold[i] / asked[i]) for i, name in enumerate(CLASSES)},
        "stock": float(outcome.held.sum() / days),
        "cost": float(cost.sum()),
    }
