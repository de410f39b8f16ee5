"""λ and the aims of fill rates, from replays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from retail_ml.inventory import plan, replay, tuning
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock

IDS = [f"v{i:02}" for i in range(30)]
RULES = Rules()


@cache
def made(days: int = 420) -> plan.Plan:
    units = {v: demand(days, 0.3 + 0.2 * i, seed=i) for i, v in enumerate(IDS)}
    return plan.make(lines(units), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES)


def tune(p: plan.Plan) -> tuning.Tuned | None:
    return tuning.tune(p.history, p.terms, RULES, goods=(p.pack, p.minimum), seed=1)


@cache
def tuned() -> tuple[plan.Plan, dict]:
    return plan.tuned(made(), RULES, seed=1)


def test_steady_demand_keeps_lambda_at_one_and_aims_at_what_is_promised_or_more():
    facts = tuned()[1]
    assert facts["weight"]["used"] == 1.0
    for told, promised in zip(facts["fill"], RULES.fill_floors, strict=True):
        assert told["aim"] >= promised
        assert told["promised"] == promised
    assert facts["weeks"] == 26


def world_of(p: plan.Plan) -> replay.World:
    days = replay.window(p.history.days)
    return replay.make_world(p.history, p.terms, RULES, days=days, goods=(p.pack, p.minimum), seed=1)[0]


def scripted(monkeypatch, early: dict[float, float], late: dict[float, float], *, noise: float = 0.0):
    """Costs per λ in both halves instead of a replay."""
    world = world_of(made())
    n = len(world.stock)
    wobble = np.random.default_rng(1).normal(0, noise, n) if noise else np.zeros(n)

    class Expected:
        def run(self, rules, days):
            costs = late if days.end == world.window.end else early
            each = np.full(n, costs.get(rules.overstock_weight, 9.0)) + wobble * (rules.overstock_weight != 1)
            zero = np.zeros(n)
            return replay.Outcome(*[zero] * 2, each, *[zero] * 7)

    return tuning._weight(world, Expected())


@pytest.mark.parametrize(
    ("early", "late", "noise", "used"),
    [
        ({1.0: 5.0, 2.0: 4.0}, {1.0: 5.0, 2.0: 4.0}, 0.0, 2.0),  # cheaper in both halves
        ({1.0: 5.0, 2.0: 4.0}, {1.0: 5.0, 2.0: 5.1}, 0.0, 1.0),  # and dearer in the second
        ({1.0: 5.0, 2.0: 4.0}, {1.0: 5.0, 2.0: 4.97}, 0.0, 1.0),  # saves too little
        ({1.0: 5.0, 2.0: 4.0}, {1.0: 5.0, 2.0: 4.9}, 3.0, 1.0),  # within what chance does
        ({1.0: 5.0, 2.0: 5.0}, {1.0: 5.0, 2.0: 1.0}, 0.0, 1.0),  # equal: 1 stays
    ],
)
def test_another_lambda_must_win_on_later_weeks_too(monkeypatch, early, late, noise, used):
    found, facts = scripted(monkeypatch, early, late, noise=noise)
    assert found == used
    assert facts["used"] == used


def test_the_first_half_knows_nothing_of_the_second():
    """What is chosen on the early weeks does not change with what is sold later."""
    p = made()
    days = replay.window(p.history.days)
    daily = np.diff(p.history.units, axis=1)
    daily[:, days.scored + 7 * 13 :] *= 6
    units = np.concatenate([np.zeros((len(daily), 1)), np.cumsum(daily, axis=1)], axis=1)
    other = replace(p, history=replace(p.history, units=units))
    two = tune(other)
    assert two is not None
    assert tuned()[1]["weight"]["best_early"] == two.facts["weight"]["best_early"]


def test_a_class_that_is_served_worse_than_promised_is_aimed_at_more():
    assert tuning.aim_for(0.95, np.array([0.7, 0.8, 0.9, 0.93, 0.95, 0.97])) == pytest.approx(0.985)
    assert tuning.aim_for(0.95, np.array([0.7, 0.8, 0.82, 0.83, 0.85, 0.87])) == tuning.MOST_AIM
    assert tuning.aim_for(0.95, np.array([0.9, 0.95, 0.97, 0.98, 0.99, 0.99])) == 0.95


def test_too_few_weeks_are_not_tuned_on():
    assert tune(made(150)) is None
    p, facts = plan.tuned(made(150), RULES, seed=1)
    assert facts is None
    assert p is made(150)


def test_tuned_levels_are_those_of_the_tuned_rules():
    p, facts = tuned()
    aims = tuple(told["aim"] for told in facts["fill"])
    again = plan.levelled(made(), replace(RULES, fill_floors=aims))
    assert np.array_equal(p.arrays["reorder_point"], again.arrays["reorder_point"])
    assert np.array_equal(p.arrays["daily"], made().arrays["daily"])
    higher = plan.levelled(made(), replace(RULES, fill_floors=(0.999,) * 3))
    assert (higher.arrays["reorder_point"] > made().arrays["reorder_point"]).all()
