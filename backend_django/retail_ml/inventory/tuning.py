"""What a shop's own last weeks say of the two constants of the policy: λ, and what a fill rate must be aimed at.

Both are read from replays (`replay.py`) in which the demand is what the shop sold, known to the policy up to the day of
each decision. λ is chosen on the first half of the weeks and kept only where it also costs less than λ = 1 on the
second half, by more than chance would have it. The aims: of what is promised (97, 95, 90 % by class), items that take
off were of class C before and are served worse than aimed at; so the aim is the one that reached the promise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import demand as dm
from retail_ml.inventory import policy
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules, Terms
from retail_ml.inventory.replay import FEWEST_UNITS, Outcome, Window, World, make_world, simulate, window

Floats = npt.NDArray[np.float64]

WEIGHTS = (0.25, 0.5, 2.0, 4.0)
"""λ tried beside 1."""
AIMS = (0.85, 0.90, 0.94, 0.97, 0.985, 0.995)
MOST_AIM = 0.995
FEWEST_WEEKS = 12
FEWEST_ASKED = 200.0
"""Units asked for of a class from which its fill rate is believed."""
LEAST_GAIN, ERRORS = 0.01, 2.0
"""What another λ must save on the later weeks: this share of the cost, and so many standard errors over variants."""
MOST_VARIANTS = 2_000


@dataclass(frozen=True)
class Tuned:
    """Rules as tuned, and what they rest on."""

    rules: Rules
    facts: dict[str, Any]


def tune(h: History, terms: Terms, rules: Rules, *, goods: tuple[Floats, Floats], seed: int) -> Tuned | None:
    """λ and the aims of the classes' fill rates from replays of the last weeks; None where there are too few.

    `goods` are packs and minimums. Needs 12 scored weeks. The aims never fall below what is promised.
    """
    days = window(h.days)
    if days is None or (days.end - days.scored) // 7 < FEWEST_WEEKS or not len(h.start):
        return None
    world, _ = make_world(h, terms, rules, days=days, goods=goods, seed=seed, most=MOST_VARIANTS)
    if not len(world.stock) or world.daily[:, days.scored :].sum() < FEWEST_UNITS:
        return None
    expected = _Expected(world)
    weight, weight_facts = _weight(world, expected)
    aims, aim_facts = _aims(world, expected)
    facts = {"weight": weight_facts, "fill": aim_facts, "weeks": (days.end - days.scored) // 7}
    return Tuned(replace(rules, overstock_weight=weight, fill_floors=aims), facts)


class _Expected:
    """Demand as it was expected on each day of a decision, computed once for all that is tried."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.protection = policy.protection_days(world.terms.lead_days, world.rules)
        self.known: dict[int, dm.Demand] = {}

    def run(self, rules: Rules, days: Window) -> Outcome:
        """The replay of these rules, scored over `days`."""

        def decide(known: History) -> tuple[Floats, Floats]:
            if known.days not in self.known:
                lead_sd = self.world.terms.lead_sd
                self.known[known.days] = dm.estimate(known, protection=self.protection, lead_sd=lead_sd)
            found = policy.levels(self.known[known.days], self.world.terms, rules)
            return found.reorder_point, found.order_up_to

        return simulate(replace(self.world, window=days), decide, sees_demand=True)


def _cost(outcome: Outcome, rules: Rules) -> Floats:
    return outcome.held * rules.holding_rate / 365 + outcome.lost_margin + outcome.lines * rules.order_cost


def _weight(world: World, expected: _Expected) -> tuple[float, dict[str, Any]]:
    """The λ in force, and what was found."""
    days, rules = world.window, world.rules
    middle = days.start + 7 * ((days.scored + days.end - 2 * days.start) // 14)
    early, late = Window(days.start, days.scored, middle), Window(days.start, middle, days.end)
    cost = {w: _cost(expected.run(replace(rules, overstock_weight=w), early), rules) for w in (1.0, *WEIGHTS)}
    best = min(cost, key=lambda w: (float(cost[w].sum()), abs(np.log(w))))
    facts: dict[str, Any] = {"best_early": best, "used": 1.0}
    if best == 1.0:
        return 1.0, facts
    after = [_cost(expected.run(replace(rules, overstock_weight=w), late), rules) for w in (1.0, best)]
    saved = after[0] - after[1]
    total, error = float(saved.sum()), float(saved.std() * np.sqrt(len(saved)))
    share = total / float(after[0].sum()) if after[0].sum() > 0 else 0.0
    facts |= {"saved_late": round(share, 4), "standard_error": round(error / max(float(after[0].sum()), 1e-9), 4)}
    if share < LEAST_GAIN or total < ERRORS * error:
        return 1.0, facts
    return best, facts | {"used": best}


def _aims(world: World, expected: _Expected) -> tuple[tuple[float, float, float], list[dict[str, Any]]]:
    """What to aim at per class so that its promise was kept, and what was found."""
    rules, classes = world.rules, world.terms.abc
    reached = np.zeros((len(AIMS), 3))
    for i, aim in enumerate(AIMS):
        only_fill = replace(rules, fill_floors=(aim,) * 3, tau_bounds=(0.001, 0.001))
        found = expected.run(only_fill, world.window)
        asked = np.bincount(classes, weights=found.asked, minlength=3)
        served = np.bincount(classes, weights=found.sold, minlength=3)
        reached[i] = np.divide(served, asked, out=np.ones(3), where=asked > 0)
    units = np.bincount(classes, weights=found.asked_units, minlength=3)
    aims, facts = [], []
    for k, promised in enumerate(rules.fill_floors):
        aim = aim_for(promised, reached[:, k]) if units[k] >= FEWEST_ASKED else promised
        aims.append(aim)
        at_promise = float(np.interp(promised, AIMS, reached[:, k]))
        facts.append({"promised": promised, "reached": round(at_promise, 4), "aim": round(aim, 4)})
    return (aims[0], aims[1], aims[2]), facts


def aim_for(promised: float, reached: Floats) -> float:
    """The aim, between its neighbours of `AIMS`, at which `reached` was `promised`; never below it, at most 0.995.

    >>> aim_for(0.90, np.array([0.80, 0.86, 0.92, 0.95, 0.97, 0.98]))
    0.9267
    >>> aim_for(0.90, np.array([0.88, 0.93, 0.96, 0.98, 0.99, 0.99]))
    0.9
    """
    rising = np.maximum.accumulate(reached)
    if rising[-1] < promised:
        return max(MOST_AIM, promised)
    return round(max(promised, float(np.interp(promised, rising, AIMS))), 4)
