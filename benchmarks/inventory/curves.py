"""Trade-off curves: what a policy holds and costs at the same fill rate as another, with intervals over SKUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.inventory.policies import Policy
from retail_ml.inventory.history import History
from retail_ml.inventory.world import Outcome, World, simulate

Floats = npt.NDArray[np.float64]
DRAWS = 1_000
FILLS = (0.90, 0.95, 0.98)


@dataclass(frozen=True, eq=False)
class Curve:
    """Per target and SKU: value asked and sold, average stock at cost, total cost; (targets, N) each."""

    targets: tuple[float, ...]
    asked: Floats
    sold: Floats
    held: Floats
    cost: Floats
    outcomes: tuple[Outcome, ...]

    def points(self, weights: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Fill rate, average stock, total cost, (draws, targets); `weights` (draws, N) how often each SKU counts."""
        w = np.ones((1, self.asked.shape[1])) if weights is None else weights
        return (w @ self.sold.T) / (w @ self.asked.T), w @ self.held.T, w @ self.cost.T


def curve(world: World, policy: Policy, *, sees_demand: bool = False, targets: tuple[float, ...] = ()) -> Curve:
    """Replay `policy` at each of its targets. With `sees_demand` it is told what was asked for, not what it sold."""
    learnt: dict[int, Any] = {}
    outcomes = []
    for target in targets or tuple(policy.targets):

        def decide(known: History, target: float = target) -> tuple[Floats, Floats]:
            if not sees_demand:  # each target has made other sales, and learns from those
                return policy.levels(world, policy.moments(world, known), target)
            if known.days not in learnt:
                learnt[known.days] = policy.moments(world, known)
            return policy.levels(world, learnt[known.days], target)

        outcomes.append(simulate(world, decide, sees_demand=sees_demand))
    days, rules = world.window.end - world.window.scored, world.rules
    held = np.stack([o.held for o in outcomes]) / days
    lost, lines = np.stack([o.lost_margin for o in outcomes]), np.stack([o.lines for o in outcomes])
    return Curve(
        targets or tuple(policy.targets),
        np.stack([o.asked for o in outcomes]),
        np.stack([o.sold for o in outcomes]),
        held,
        held * rules.holding_rate * days / 365 + lost + lines * rules.order_cost,
        tuple(outcomes),
    )


def at_fill(fill: Floats, value: Floats, wanted: float) -> Floats:
    """`value` where a curve crosses the fill rate `wanted`, (draws,): between its two neighbours; NaN if it never does.

    The targets stand in rising order; where a curve turns back, its first crossing counts.
    """
    found = np.full(len(fill), np.nan)
    for j in range(fill.shape[1] - 1):
        low, high = fill[:, j], fill[:, j + 1]
        inside = np.isnan(found) & (low <= wanted) & (high >= wanted) & (high > low)
        share = np.divide(wanted - low, high - low, out=np.zeros_like(low), where=inside)
        found = np.where(inside, value[:, j] + share * (value[:, j + 1] - value[:, j]), found)
    return found


def resamples(count: int, *, seed: int) -> Floats:
    """How often each of `count` SKUs is drawn, (1 + DRAWS, count); the first row is the sample itself."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), DRAWS).astype(float)
    return np.concatenate([np.ones((1, count)), drawn])


def reading(curves: list[Curve], weights: list[Floats]) -> dict[str, Floats]:
    """Of one policy in all seeds: stock and cost at each fill rate, and the lowest cost; (seeds, 1 + DRAWS) each."""
    found: dict[str, list[Floats]] = {}
    for one, w in zip(curves, weights, strict=True):
        fill, held, cost = one.points(w)
        for wanted in FILLS:
            found.setdefault(f"stock@{wanted:.0%}", []).append(at_fill(fill, held, wanted))
            found.setdefault(f"cost@{wanted:.0%}", []).append(at_fill(fill, cost, wanted))
        found.setdefault("best cost", []).append(cost.min(axis=1))
    return {name: np.stack(values) for name, values in found.items()}


def ratio(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """Mean over the seeds of ours ÷ theirs, its 90 % interval over the draws, and each seed's."""
    each = ours / theirs
    draws = each[:, 1:].mean(axis=0)
    known = draws[np.isfinite(draws)]
    low, high = np.quantile(known, (0.05, 0.95)) if len(known) >= 0.9 * len(draws) else (np.nan, np.nan)
    return {
        "ratio": _number(each[:, 0].mean()),
        "low": _number(low),
        "high": _number(high),
        "seeds": [_number(x) for x in each[:, 0]],
    }


def _number(x: float) -> float | None:
    return round(float(x), 4) if np.isfinite(x) else None
