"""The end of a season."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, norm

from retail_ml.inventory import formulas, live, plan, season
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock


def bounded(days, *, s=20.0, S=60.0, daily=1.0, ratio=2.0, lead=7.0, served=0.6):
    found = season.bounded(
        (np.array([s]), np.array([S])),
        (np.array([daily]), np.array([ratio])),
        days_left=np.array([float(days)]),
        lead_days=np.array([lead]),
        review_days=7,
        served=np.array([served]),
    )
    return found[0][0], found[1][0]


def test_target_by_hand_is_the_newsvendor_s():
    """p = 10, c = 6, v = 3: 4/7; and the same ratio minimises the expected cost of a normal newsvendor."""
    found = float(season.target(np.array([10.0]), np.array([6.0]))[0])
    assert found == pytest.approx(4 / 7)
    level, _ = formulas.newsvendor_normal(3.0, 4.0, mean=50, sd=8)  # left over costs c - v, missing p - c
    assert norm.cdf((level - 50) / 8) == pytest.approx(found)


def test_nothing_is_ordered_that_comes_after_the_end():
    for days in (0, 3, 7):
        assert bounded(days) == (0.0, 0.0)
    assert bounded(8)[1] > 0


def test_the_last_order_fills_up_to_the_quantile_of_what_is_left_to_sell():
    s, S = bounded(14)
    r, p = formulas.nb_parameters(14.0, 28.0)
    assert nbinom.ppf(0.6, r, p) == S
    assert s == S - 1
    assert bounded(15)[0] == min(20.0, bounded(15)[1] - 1)


def test_without_an_end_or_far_from_it_nothing_changes():
    for days in (np.inf, np.nan, 400):
        assert bounded(days) == (20.0, 60.0)


def test_what_loses_money_is_not_bought_again_and_what_is_unknown_is():
    assert bounded(30, served=0.0) == (0.0, 0.0)
    assert bounded(30, served=np.nan)[1] > 0


@given(
    st.floats(0, 200), st.floats(0.01, 20), st.floats(1.05, 10), st.floats(0, 60), st.floats(0.05, 0.99),
    st.integers(0, 100), st.integers(1, 300),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_never_above_the_levels_and_less_the_nearer_the_end(days, daily, ratio, lead, served, s, above):
    kwargs = {"s": float(s), "S": float(s + above), "daily": daily, "ratio": ratio, "lead": lead, "served": served}
    point, up_to = bounded(days, **kwargs)
    assert 0 <= up_to <= s + above
    assert point <= max(up_to - 1, 0)
    assert bounded(days / 2, **kwargs)[1] <= up_to


def test_many_variants_at_once_are_each_as_alone():
    rng = np.random.default_rng(3)
    n = 40
    served = rng.choice([0.0, 0.3, 0.6, np.nan, 0.9], n)
    daily, ratio, days = rng.uniform(0.1, 5, n), rng.uniform(1.1, 6, n), rng.choice([5.0, 12.0, 30.0, np.inf], n)
    found = season.bounded((np.full(n, 20.0), np.full(n, 60.0)), (daily, ratio), days_left=days,
                           lead_days=np.full(n, 7.0), review_days=7, served=served)  # fmt: skip
    for i in range(n):
        alone = bounded(days[i], daily=daily[i], ratio=ratio[i], served=served[i])
        assert (found[0][i], found[1][i]) == alone


def marked(stock, *, daily=1.0, days=30.0, salvage=2.0, elasticity=2.0):
    return season.markdown(
        np.array([10.0]),
        stock=np.array([float(stock)]),
        law=(np.array([daily]), np.array([2.0])),
        days_left=np.array([days]),
        salvage=np.array([salvage]),
        elasticity=elasticity,
    )


def test_the_markdown_is_the_best_of_its_grid_by_the_direct_sum():
    found = marked(60)
    k = np.arange(3_000)

    def value(off):
        r, p = formulas.nb_parameters(30 * (1 - off) ** -2.0, 60 * (1 - off) ** -2.0)
        mass = nbinom.pmf(k, r, p)
        sold = (np.minimum(k, 60) * mass).sum()
        return 10 * (1 - off) * sold + 2 * (60 - sold)

    values = [value(off) for off in season.STEPS]
    assert found.off[0] == season.STEPS[int(np.argmax(values))]
    assert found.revenue[0] == pytest.approx(max(values), rel=1e-6)
    assert found.unchanged[0] == pytest.approx(values[0], rel=1e-6)
    assert 0 < found.off[0] < 0.7


def test_more_stock_is_marked_down_further_and_little_not_at_all():
    offs = [marked(stock).off[0] for stock in (5, 30, 60, 120, 300)]
    assert offs[0] == 0
    assert offs == sorted(offs)
    assert offs[-1] > 0.3
    assert marked(300, elasticity=0.8).off[0] == 0  # demand that hardly answers: a lower price brings less
    assert marked(60, salvage=10.0).off[0] == 0  # worth as much afterwards


def test_the_live_view_orders_no_more_than_the_season_can_sell():
    """Sixteen days to go, a week to come: an order for what is left, less than without an end; then none."""
    units = {"v": demand(300, 2.0)}
    made = plan.make(lines(units), stock(["v"]), products(["v"]), as_of=AS_OF, rules=Rules())

    def row(**columns):
        shelf = stock(["v"], on_hand=2.0, **columns)
        today = AS_OF + timedelta(days=1)
        found = live.assess(made.arrays, shelf, products(["v"]), days=(AS_OF, today), rules=Rules())
        return found.frame.to_dicts()[0]

    ends = (None, AS_OF + timedelta(days=16), AS_OF + timedelta(days=7))
    endless, ending, over = (row(season_end=end) for end in ends)
    assert endless["recommended_order_quantity"] > ending["recommended_order_quantity"] > 0
    level = season.target(np.array([10.0]), np.array([5.0]))[0]
    law = formulas.nb_parameters(16 * ending["daily_demand"], 16 * ending["daily_demand"] * ending["variance_ratio"])
    assert ending["order_up_to"] == nbinom.ppf(level, *law)
    assert over["recommended_order_quantity"] == 0
