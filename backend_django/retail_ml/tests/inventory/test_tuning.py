"""What fill rates are aimed at, from replays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from retail_ml.inventory import plan, tuning
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock

IDS = [f"v{i:02}" for i in range(30)]
RULES = Rules()


@cache
def made(days: int = 420) -> plan.Plan:
    units = {v: demand(days, 0.3 + 0.2 * i, seed=i) for i, v in enumerate(IDS)}
    return plan.make(lines(units), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES)


@cache
def aimed() -> tuple[plan.Plan, dict]:
    return plan.aimed(made(), RULES, seed=1)


def test_steady_demand_is_aimed_at_near_what_is_promised_and_never_below():
    facts = aimed()[1]
    assert facts["weeks"] == 26
    for told, promised in zip(facts["classes"].values(), RULES.fill_floors, strict=True):
        assert told["promised"] == promised
        assert told["aim"] >= promised
        assert told["reached"] == pytest.approx(promised, abs=0.05)


def test_the_levels_are_those_of_the_aims():
    p, facts = aimed()
    aims = tuple(told["aim"] for told in facts["classes"].values())
    again = plan.levelled(made(), replace(RULES, fill_floors=aims))
    assert np.array_equal(p.arrays["reorder_point"], again.arrays["reorder_point"])
    assert np.array_equal(p.arrays["daily"], made().arrays["daily"])
    higher = plan.levelled(made(), replace(RULES, fill_floors=(0.999,) * 3))
    assert (higher.arrays["reorder_point"] > made().arrays["reorder_point"]).all()


def test_higher_aims_reach_more():
    p = made()
    found = tuning.reached(p.history, p.terms, RULES, goods=(p.pack, p.minimum), seed=1)
    assert (np.diff(found.fill[:, 0]) >= -0.002).all()
    assert found.fill[-1, 0] > found.fill[0, 0] + 0.05
    assert found.units[0] > found.units[2]


def test_a_class_of_which_little_was_asked_for_is_aimed_at_as_promised():
    low = np.linspace(0.5, 0.9, len(tuning.AIMS))
    found = tuning.Reached(np.stack([low] * 3, axis=1), np.array([1e4, 1e4, 199.0]), 26)
    assert found.aims((0.8, 0.95, 0.9)) == (tuning.aim_for(0.8, low), tuning.AIMS[-1], 0.9)


def test_a_class_that_is_served_worse_than_promised_is_aimed_at_more():
    assert tuning.aim_for(0.95, np.array([0.7, 0.8, 0.9, 0.93, 0.95, 0.97])) == pytest.approx(0.985)
    assert tuning.aim_for(0.95, np.array([0.7, 0.8, 0.82, 0.83, 0.85, 0.87])) == tuning.AIMS[-1]
    assert tuning.aim_for(0.95, np.array([0.9, 0.95, 0.97, 0.98, 0.99, 0.99])) == 0.95


def test_too_few_weeks_teach_nothing():
    p, facts = plan.aimed(made(150), RULES, seed=1)
    assert facts is None
    assert p is made(150)
