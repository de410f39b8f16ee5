"""INV-3: is a promised fill rate kept? By class, as aimed and with aims learnt on the 26 weeks before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.inventory import data, policies
from retail_ml.inventory import policy, tuning
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.world import World, simulate

SEEDS = (1, 2, 3)
TARGETS = (0.90, 0.95, 0.98)
CLASSES = ("A", "B", "C")


def main(found: data.Shop) -> dict[str, Any]:
    """Share of the value asked for that was served, mean of the seeds, per promise and class; the default with cost."""
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        world = data.world(found, seed=seed)
        learnt = tuning.reached(
            world.h.until(world.window.scored), world.terms, world.rules, goods=(world.pack, world.minimum), seed=seed
        )
        if learnt is None:
            raise ValueError("There are too few weeks before the scored ones to learn aims from.")
        for target in TARGETS:
            promised = (target,) * 3
            for name, aims in (("as promised", promised), ("learnt", learnt.aims(promised))):
                only = replace(world.rules, fill_floors=aims, tau_bounds=(0.001, 0.001))
                rows.setdefault(f"{target:.0%} {name}", []).append(served(world, only))
        for name, aims in (("as promised", world.rules.fill_floors), ("learnt", learnt.aims(world.rules.fill_floors))):
            rows.setdefault(f"default {name}", []).append(served(world, replace(world.rules, fill_floors=aims)))
        print(seed, {name: each[-1] for name, each in rows.items()}, flush=True)
    return {name: {key: _mean(each, key) for key in each[0]} for name, each in rows.items()}


def _mean(each: list[dict[str, float]], key: str) -> float:
    return round(float(np.mean([one[key] for one in each])), 4)


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
