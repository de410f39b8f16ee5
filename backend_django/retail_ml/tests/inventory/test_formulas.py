"""The textbook formulas against published values and against direct sums."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from retail_ml.errors import BadParameter
from retail_ml.inventory import formulas, textbook

PLACES = {
    "": formulas,
    "textbook": textbook,
    "normal_rq": textbook.NormalLeadTime((0.225, 7.5, 8), demand=1300, sd=150, lead_time=1 / 12),
}
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "inventory.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: c["case"])
def test_published_values(case):
    room, _, name = case["function"].rpartition(".")
    found = getattr(PLACES[room], name)(*case["args"], **case.get("kwargs", {}))
    assert flat(found) == pytest.approx(flat(case["expected"]), abs=1e-6, rel=0)


def flat(value) -> list[float]:
    """Numbers of nested lists and tuples, one after the other."""
    return [x for part in value for x in flat(part)] if isinstance(value, list | tuple) else [float(value)]


@given(st.floats(0.5, 9), st.floats(2, 40), st.floats(1, 40), st.floats(1, 12))
@settings(max_examples=25, deadline=None)
def test_the_exact_s_S_is_no_dearer_than_any_neighbour(h, p, k, demand):
    costs = (h, p, k)
    s, S, cost = textbook.ss_poisson(costs, demand=demand)
    assert cost == pytest.approx(textbook.ss_cost(s, S, costs=costs, demand=demand))
    for ds in (-2, -1, 0, 1, 2):
        for dS in (-3, -1, 0, 1, 3):
            if s + ds < S + dS:
                assert textbook.ss_cost(s + ds, S + dS, costs=costs, demand=demand) >= cost - 1e-9


@given(st.lists(st.integers(0, 60), min_size=1, max_size=7), st.integers(1, 400), st.floats(0.1, 5))
@settings(max_examples=60, deadline=None)
def test_wagner_whitin_against_all_plans(demand, fixed, holding):
    orders, cost = textbook.wagner_whitin(fixed, holding, demand)
    assert sum(orders) == sum(demand)
    n, least = len(demand), np.inf
    for plan in range(1 << (n - 1)):  # in the first period something is ordered in any case
        starts = [0, *(t for t in range(1, n) if plan >> (t - 1) & 1)]
        ends = [*starts[1:], n]
        held = sum(holding * (t - a) * demand[t] for a, b in zip(starts, ends, strict=True) for t in range(a, b))
        least = min(least, fixed * len(starts) + held)
    assert cost == pytest.approx(least)


def test_wagner_whitin_needs_demand():
    for demand in ([], [3, -1]):
        with pytest.raises(BadParameter):
            textbook.wagner_whitin(5, 1, demand)


def test_poisson_cost_away_from_the_best_level():
    """Example 4.7: holding 1, shortage 4, S = 5 costs 6.590296."""
    assert 1 * (5 - 6) + 5 * float(formulas.poisson_loss(5, 6)) == pytest.approx(6.590296024616344, abs=1e-6)


def test_normal_cost_away_from_the_best_level():
    """Example 4.3: S = 40 costs 7.356132."""
    loss = float(formulas.normal_loss(40, 50, 8))
    assert 0.18 * (40 - 50) + 0.88 * loss == pytest.approx(7.356131552870388, abs=1e-6)


@given(st.floats(0.02, 400), st.floats(1.02, 60), st.floats(0.01, 0.999))
@settings(max_examples=120, deadline=None)
def test_negative_binomial_agrees_with_scipy_and_with_sums(mean, ratio, q):
    r, p = formulas.nb_parameters(mean, ratio * mean)
    level = float(formulas.nb_quantile(q, r, p))
    assert nbinom.cdf(level, r, p) >= q - 1e-9
    assert level == 0 or nbinom.cdf(level - 1, r, p) < q + 1e-9
    k = np.arange(int(mean + 60 * np.sqrt(ratio * mean) + 60 * ratio) + 500)  # the tail falls by e each `ratio` units
    mass = nbinom.pmf(k, r, p)
    for x in (0, 1, int(level)):
        direct = float((np.maximum(k - x, 0) * mass).sum())
        assert float(formulas.nb_loss(x, r, p)) == pytest.approx(direct, abs=1e-6 * max(mean, 1))


def test_losses_at_and_below_zero():
    assert formulas.nb_loss(-3, 2, 0.5) == pytest.approx(5)
    assert formulas.poisson_loss(-3, 2) == pytest.approx(5)
    assert formulas.poisson_loss(0, 2) == pytest.approx(2)


@pytest.mark.parametrize("breaks", [[], [1, 2], [0, 0], [0, 5, 4]])
def test_price_breaks_must_rise(breaks):
    with pytest.raises(BadParameter):
        formulas.eoq_all_units(8, 1300, holding_rate=0.3, breaks=breaks, prices=[1.0] * len(breaks))
