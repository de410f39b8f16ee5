"""What a fill rate must be aimed at so that it is reached, by the shop's own last weeks.

A level that promises 90 % of the demand of class C from the shelf reaches less: what takes off was of C before, and
no error of its own past says so. So the policy is replayed over the last weeks at several aims, and the one that
reached the promise is aimed at from now on. Demand is what the shop sold, known up to the day of each decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory import policy
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules, Terms
from retail_ml.inventory.replay import FEWEST_UNITS, blocks_of, by_block
from retail_ml.inventory.world import Outcome, World, decided_on, make_world, simulate, window

Floats = npt.NDArray[np.float64]

AIMS = (0.85, 0.90, 0.94, 0.97, 0.985, 0.995)
"""Fill rates aimed at in the replays."""
FEWEST_WEEKS = 12
FEWEST_ASKED = 200.0
"""Units asked for of a class from which its fill rate is believed."""
MOST_VARIANTS = 1_000


@dataclass(frozen=True, eq=False)
class Reached:
    """Fill rates by value that were reached, (aims, classes), and the units that were asked for of each class."""

    fill: Floats
    units: Floats
    weeks: int

    def aims(self, promised: tuple[float, ...]) -> tuple[float, float, float]:
        """What to aim at for what is promised of each class: as promised where too little was asked for to tell."""
        enough = self.units >= FEWEST_ASKED
        found = [aim_for(p, self.fill[:, k]) if enough[k] else p for k, p in enumerate(promised)]
        return found[0], found[1], found[2]

    def told(self, promised: tuple[float, ...]) -> list[dict[str, Any]]:
        """Per class: what is promised, what aiming at it reached, what is aimed at."""
        at_promise = [float(np.interp(p, AIMS, self.fill[:, k])) for k, p in enumerate(promised)]
        return [
            {"promised": p, "reached": round(reached, 4), "aim": round(aim, 4)}
            for p, reached, aim in zip(promised, at_promise, self.aims(promised), strict=True)
        ]


def reached(h: History, terms: Terms, rules: Rules, *, goods: tuple[Floats, Floats], seed: int) -> Reached | None:
    """Replays of the last weeks at each of `AIMS`; None where fewer than 12 weeks can be scored, or little was sold.

    `goods` are packs and minimums. At most 1,000 variants, drawn by `seed`; classes are those of the year before. The
    demand expected on each day of a decision is computed once for all aims, from what the shop sold.
    """
    days = window(h.days)
    if days is None or (days.end - days.scored) // 7 < FEWEST_WEEKS or not len(h.start):
        return None
    world, _ = make_world(h, terms, rules, days=days, goods=goods, seed=seed, most=MOST_VARIANTS)
    if not len(world.stock) or world.daily[:, days.scored :].sum() < FEWEST_UNITS:
        return None
    expected = _expected(world)
    where = blocks_of(world)
    parts = [(world.of(rows), {day: one.of(rows) for day, one in expected.items()}) for rows in where]
    outcomes = by_block(_at_each_aim, parts, where, count=len(world.stock))
    fill = np.ones((len(AIMS), 3))
    for i, found in enumerate(outcomes):
        asked, sold = (
            np.bincount(world.terms.abc, weights=values, minlength=3) for values in (found.asked, found.sold)
        )
        fill[i] = np.divide(sold, asked, out=np.ones(3), where=asked > 0)
    units = np.bincount(world.terms.abc, weights=outcomes[-1].asked_units, minlength=3)
    return Reached(fill, units.astype(float), (days.end - days.scored) // 7)


def _expected(world: World) -> dict[int, dm.Demand]:
    """The demand expected on each day on which something is decided: variants learn from one another here."""
    protection = policy.protection_days(world.terms.lead_days, world.rules)
    estimate = partial(dm.estimate, protection=protection, lead_sd=world.terms.lead_sd)
    selling = hs.SellingDays.none(len(world.stock))
    return {day: estimate(world.h.until(day), selling=selling) for day in decided_on(world)}


def _at_each_aim(part: tuple[World, dict[int, dm.Demand]]) -> tuple[Outcome, ...]:
    """What becomes of a block of variants at each of `AIMS`."""
    world, expected = part
    levels = {day: _levels(world, one) for day, one in expected.items()}

    def at(aim: int, known: History) -> tuple[Floats, Floats]:
        return levels[known.days][aim]

    return tuple(simulate(world, partial(at, aim), sees_demand=True) for aim in range(len(AIMS)))


def _levels(world: World, expected: dm.Demand) -> list[tuple[Floats, Floats]]:
    """Levels for one fill rate of all classes and nothing else: for each of `AIMS`, which rise."""
    found: list[tuple[Floats, Floats]] = []
    for aim in AIMS:
        only_fill = replace(world.rules, fill_floors=(aim,) * 3, tau_bounds=(0.001, 0.001))
        one = policy.levels(expected, world.terms, only_fill, least=found[-1][0] if found else None)
        found.append((one.reorder_point, one.order_up_to))
    return found


def aim_for(promised: float, reached: Floats) -> float:
    """The aim, between its neighbours of `AIMS`, at which `reached` was `promised`; never below it, at most the last.

    >>> aim_for(0.90, np.array([0.80, 0.86, 0.92, 0.95, 0.97, 0.98]))
    0.9267
    >>> aim_for(0.90, np.array([0.88, 0.93, 0.96, 0.98, 0.99, 0.99]))
    0.9
    """
    rising = np.maximum.accumulate(reached)
    found = AIMS[-1] if rising[-1] < promised else float(np.interp(promised, rising, AIMS))
    return round(max(promised, found), 4)
