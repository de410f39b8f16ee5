"""The properties that the health score promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml.inventory import health
from retail_ml.inventory.health import Vitals


def vitals(n=1, **columns) -> Vitals:
    usual = {
        "on_hand": 20.0, "position": 20.0, "daily": 1.0, "reorder_point": 15.0, "upper": 40.0, "tau": 0.95,
        "out_before_receipt": 0.01, "idle_days": 2.0, "interval": 2.0, "young": False, "dead": False, "cost": 5.0,
        "price": 10.0, "sold_365": 365.0, "group": 0, "checks": 1.0,
    }  # fmt: skip
    return Vitals(**{name: np.full(n, value) for name, value in (usual | columns).items()})


def score(**columns) -> float:
    return float(health.scores(health.components(vitals(**columns)))[0])


def whole(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(float)


share = st.integers(0, 1000).map(lambda x: x / 1000)
money = st.one_of(st.just(np.nan), st.integers(1, 1_000_000).map(lambda x: x / 100))
anything = st.fixed_dictionaries(
    {
        "on_hand": whole(-100, 10**6),
        "position": whole(-100, 10**6),
        "daily": st.integers(0, 10**6).map(lambda x: x / 1000),
        "reorder_point": whole(0, 10**5),
        "upper": whole(0, 10**6),
        "tau": st.sampled_from([0.8, 0.9, 0.995]),
        "out_before_receipt": share,
        "idle_days": whole(0, 5000),
        "interval": st.one_of(st.just(np.nan), whole(1, 400)),
        "young": st.booleans(),
        "dead": st.booleans(),
        "cost": money,
        "price": money,
        "sold_365": whole(0, 10**6),
        "checks": share,
    }
)


@given(anything)
@settings(max_examples=300, deadline=None)
def test_bounded_and_never_nan(columns):
    assert 0 <= score(**columns) <= 100


@given(anything, share, whole(0, 1000))
@settings(max_examples=200, deadline=None)
def test_monotone(columns, risk, days):
    base = score(**columns)
    riskier = score(**columns | {"out_before_receipt": max(columns["out_before_receipt"], risk)})
    idler = score(**columns | {"idle_days": columns["idle_days"] + days})
    faultier = score(**columns | {"checks": columns["checks"] * risk})
    assert max(riskier, idler, faultier) <= base + 1e-9


@given(anything, share, share)
@settings(max_examples=200, deadline=None)
def test_cover_and_availability_are_monotone_too(columns, first, second):
    """Below the reorder point more is better, above the upper bound less is; a higher target is never easier."""
    columns = columns | {"reorder_point": 100.0, "upper": 200.0, "daily": 1.0, "on_hand": 50.0, "dead": False}
    low, high = sorted((first, second))
    assert score(**columns | {"position": 100 * low}) <= score(**columns | {"position": 100 * high}) + 1e-9
    assert score(**columns | {"position": 200 + 300 * high}) <= score(**columns | {"position": 200 + 300 * low}) + 1e-9
    taus = [0.8 + 0.19 * x for x in (low, high)]
    assert score(**columns | {"tau": taus[1]}) <= score(**columns | {"tau": taus[0]}) + 1e-9


@given(anything)
@settings(max_examples=150, deadline=None)
def test_a_missing_cost_never_helps(columns):
    """Its return is at most a half; with its check failed the data are worse as well."""
    known = columns | {"cost": 5.0, "price": 10.0, "dead": False}
    parts = health.components(vitals(**known | {"cost": np.nan, "checks": known["checks"] * 0.8}))
    assert parts["return"][0] <= 0.5
    assert parts["data_quality"][0] <= 0.8 * known["checks"] + 1e-12
    assert np.isfinite(health.scores(parts)).all()


@given(anything, st.integers(1, 10**6).map(lambda x: x / 1000))
@settings(max_examples=150, deadline=None)
def test_sold_out_is_at_most_40(columns, daily):
    assert score(**columns | {"on_hand": 0.0, "daily": daily, "dead": False}) <= 40 + 1e-9


@given(anything)
@settings(max_examples=150, deadline=None)
def test_dead_with_stock_is_at_most_45(columns):
    assert score(**columns | {"dead": True, "on_hand": 5.0}) <= 45 + 1e-9


def test_a_missing_cost_caps_return_and_costs_data_quality():
    parts = health.components(vitals(cost=np.nan, checks=0.8))
    assert parts["return"][0] == 0.5
    assert parts["data_quality"][0] == 0.8
    assert np.isfinite(health.scores(parts)).all()


def test_a_perfect_item_scores_100():
    assert score() == pytest.approx(100)


def test_cover_is_full_between_the_levels_and_falls_on_both_sides():
    def cover(position):
        return float(health.components(vitals(position=position))["cover"][0])

    assert [cover(x) for x in (15.0, 40.0)] == [1, 1]
    assert cover(7.5) == pytest.approx(0.5)
    assert cover(85.0) == pytest.approx(0.5)
    assert cover(130.0) == 0


@given(st.integers(0, 100_000), st.floats(0, 1e4), st.floats(0, 1e4))
@settings(max_examples=200, deadline=None)
def test_adding_a_perfect_item_never_lowers_the_shop(seed, sales, stock):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    parts = {name: rng.uniform(0, 1, n) for name in health.WEIGHTS}
    cogs, value = rng.gamma(0.3, 100, n) * rng.integers(0, 2, n), rng.gamma(0.3, 100, n) * rng.integers(0, 2, n)
    before, _ = health.shop(parts, health.shop_weights(cogs, value))
    more = {name: np.append(x, 1.0) for name, x in parts.items()}
    after, _ = health.shop(more, health.shop_weights(np.append(cogs, sales), np.append(value, stock)))
    assert after >= before - 1e-9


def test_median_of_the_category():
    v = replace(
        vitals(4),
        on_hand=np.array([10.0, 20.0, 40.0, 10.0]),
        group=np.array([0, 0, 0, 1]),
        sold_365=np.full(4, 100.0),
    )
    assert health.components(v)["return"].tolist() == [1.0, 1.0, 0.5, 1.0]


def test_a_shop_without_anything():
    empty = {name: np.empty(0) for name in health.WEIGHTS}
    assert health.shop(empty, np.empty(0))[0] == 0
