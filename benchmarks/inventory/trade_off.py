"""INV-2: every policy replayed over June to November 2011, three draws of SKUs, and what each costs beside ours."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.inventory import curves, data, policies
from benchmarks.inventory.curves import Curve
from benchmarks.inventory.policies import Policy
from retail_ml.inventory.world import World

SEEDS = (1, 2, 3)
SCENARIOS: dict[str, dict[str, float]] = {
    "cost 50 %, pack 1": {},
    "cost 30 %": {"cost_share": 0.3},
    "cost 70 %": {"cost_share": 0.7},
    "pack of 6": {"pack": 6.0},
}
FEW = (
    policies.OURS,
    policies.DEFAULT,
    policies.PLAIN_LOT,
    policies.STRONG_LOT,
    policies.POOLED_LOT,
    policies.MIN_STOCK,
    policies.THUMB,
)


def main(found: data.Shop) -> dict[str, Any]:
    """All scenarios; in the first all policies, stockpyl's too, and a second column with demand seen."""
    answer: dict[str, Any] = {"data": found.facts, "scenarios": {}}
    for name, how in SCENARIOS.items():
        worlds = [data.world(found, seed=seed, **how) for seed in SEEDS]
        chosen = (*policies.BASE, *policies.STOCKPYL) if not how else FEW
        answer["scenarios"][name] = scenario(worlds, chosen)
        if not how:
            known = [policies.foresight(world) for world in worlds]
            stock, cost = (round(float(np.mean([one[i] for one in known])), 1) for i in (0, 1))
            answer["scenarios"][name]["policies"]["all known before"] = {"stock": stock, "cost": cost}
            answer["scenarios"]["policies see demand"] = scenario(worlds, FEW, sees_demand=True)
    return answer


def scenario(worlds: list[World], chosen: tuple[Policy, ...], *, sees_demand: bool = False) -> dict[str, Any]:
    """Figures of every policy, and of ours against every other one."""
    weights = [curves.resamples(len(world.stock), seed=i) for i, world in enumerate(worlds)]
    rows: dict[str, Any] = {}
    readings: dict[str, dict[str, np.ndarray]] = {}
    for one in chosen:
        began = time.process_time()
        found = [curves.curve(world, one, sees_demand=sees_demand) for world in worlds]
        readings[one.name] = curves.reading(found, weights)
        rows[one.name] = {
            "points": [_point(found, worlds, j) for j in range(len(one.targets))],
            "at": {name: _mean(values[:, 0]) for name, values in readings[one.name].items()},
            "cpu_seconds": round(time.process_time() - began, 1),
        }
        if one.default is not None and one.default in one.targets:
            rows[one.name]["default"] = rows[one.name]["points"][list(one.targets).index(one.default)]
        elif one.default is not None:
            single = [curves.curve(w, one, sees_demand=sees_demand, targets=(one.default,)) for w in worlds]
            rows[one.name]["default"] = _point(single, worlds, 0)
        print(f"{one.name}: {rows[one.name]['at']}", flush=True)
    ours = readings[policies.OURS.name]
    for name, other in readings.items():
        if name != policies.OURS.name:
            rows[name]["ours against it"] = {key: curves.ratio(ours[key], other[key]) for key in ours}
    return {"policies": rows}


def _point(found: list[Curve], worlds: list[World], j: int) -> dict[str, Any]:
    """One target of one policy: mean over the seeds."""
    scored = worlds[0].window.end - worlds[0].window.scored
    outcomes = [one.outcomes[j] for one in found]
    fill, held, cost = (np.array([one.points()[i][0, j] for one in found]) for i in range(3))
    sold_at_cost = [
        float((o.sold * (w.terms.cost / w.terms.price)).sum()) for o, w in zip(outcomes, worlds, strict=True)
    ]
    return {
        "target": found[0].targets[j],
        "fill": _mean(fill, 4),
        "unit_fill": _mean([o.sold_units.sum() / o.asked_units.sum() for o in outcomes], 4),
        "cycle_service": _mean([o.whole_periods.sum() / o.periods.sum() for o in outcomes], 4),
        "stock": _mean(held),
        "turns": _mean([s * 365 / scored / h for s, h in zip(sold_at_cost, held, strict=True)], 2),
        "cost": _mean(cost),
        "order_lines_a_year": _mean([o.lines.sum() * 365 / scored for o in outcomes]),
    }


def _mean(values: Any, decimals: int = 1) -> float | None:
    """None where one of the seeds has no figure: a curve that never got there."""
    found = float(np.mean(values))
    return round(found, decimals) if np.isfinite(found) else None
