"""What the stock may change of a list, and what that costs."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml.recommend import evaluation
from retail_ml.recommend.data import Sales
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import Popularity
from retail_ml.recommend.selection import RUNGS
from retail_ml.recommend.steering import REACH, STRENGTHS, Cost, Stock, by_row, chosen, pressure, steered
from retail_ml.recommend.tables import Tables
from retail_ml.tests.recommend.small import AS_OF, catalogue, order_lines

PRODUCTS = [f"p{i:02}" for i in range(30)]


def shop(days: int = 140, seed: int = 3) -> Sales:
    """Five orders a day; the lower its number, the more a product sells, every day alike."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(PRODUCTS) + 1)
    baskets, when, whose = {}, {}, {}
    for i in range(5 * days):
        baskets[f"{i:04}"] = rng.choice(PRODUCTS, size=3, replace=False, p=share / share.sum()).tolist()
        when[f"{i:04}"] = AS_OF - timedelta(days=days - 1 - i // 5)
        whose[f"{i:04}"] = f"c{rng.integers(40)}"
    return Sales.of(order_lines(baskets, days=when, customers=whose), catalogue(PRODUCTS), as_of=AS_OF)


@pytest.fixture(scope="module")
def sales() -> Sales:
    return shop()


def test_pressure_by_hand():
    """2 free, 4 needed until a delivery: -0.5; 40 free where 30 are too much: 0.25; nothing sells: no shortage."""
    free = np.array([2.0, 0.0, 4.0, 40.0, 0.0, np.inf])
    daily = np.array([0.5, 0.5, 0.5, 0.5, 0.0, 0.5])
    found = pressure(free, daily=daily, lead_days=np.full(6, 8.0), excess=np.full(6, 30.0))
    assert found.tolist() == [-0.5, -1.0, 0.0, 0.25, 0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 1.0), min_size=0, max_size=80),
    st.floats(0, 2),
    st.integers(0, 2**32 - 1),
)
def test_a_steered_list_is_the_same_list_in_another_order(values, strength, seed):
    score = np.sort(np.array(values))[::-1]
    weight = np.random.default_rng(seed).uniform(-1, 1, len(score))
    order, new = steered(score, weight, strength=strength)
    assert sorted(order.tolist()) == list(range(len(score)))
    assert order[REACH:].tolist() == list(range(REACH, len(score)))  # what is far down stays there
    assert (np.diff(new) <= 0).all()
    assert ((new >= 0) & (new <= 1)).all()
    assert steered(score, weight, strength=0.0)[0].tolist() == list(range(len(score)))
    assert steered(score, np.zeros(len(score)), strength=strength)[0].tolist() == list(range(len(score)))


def window_of(sales: Sales, back: int):
    """Popularity as of the morning of a window, and questions about the window."""
    window = evaluation.windows(sales)[back]
    tables = Tables.learn(sales.before(window[0]))
    return Popularity().attach(tables), evaluation.page_questions(sales, tables, window)


def test_the_cost_is_that_of_the_list_that_is_shown(sales):
    """Without strength it is `evaluation.measure`; the figure of a strength is that of lists ordered by hand."""
    model, asked = window_of(sales, -1)
    weight = by_row(model.tables_, {PRODUCTS[0]: -1.0, PRODUCTS[20]: 1.0})
    cost = Cost.of(model, asked, weight, [0.8])
    plain = evaluation.measure(model, asked)
    assert cost.ndcg[0] == pytest.approx(plain.ndcg_10)
    by_hand = []
    for at, (rows, score) in enumerate(model.top_many(asked.batch, k=REACH)):
        new = sorted(range(len(rows)), key=lambda i: (-score[i] * np.exp(0.8 * weight[rows[i]]), i))[:10]
        hits = [int(asked.truth[at, rows[i]] > 0) for i in new]
        by_hand.append(evaluation.ndcg(np.array([hits]), asked.bought[at : at + 1])[0])
    assert cost.ndcg[1] == pytest.approx(np.mean(by_hand))
    assert cost.ndcg[1] < cost.ndcg[0]  # the best seller went down
    assert cost.short[1] <= cost.short[0]
    assert cost.over[1] >= cost.over[0]


@pytest.mark.parametrize("bound", [0.001, 0.01, 0.05])
def test_the_bound_holds_on_both_windows(sales, bound):
    push = dict(zip(PRODUCTS, np.linspace(-1, 1, len(PRODUCTS)).tolist(), strict=True))
    earlier, later = window_of(sales, -2), window_of(sales, -1)
    found = chosen(earlier, later, Stock(push, bound))
    assert found["strength"] in (0.0, *STRENGTHS)
    assert max(found["loss"], found["loss_on_validation"]) <= bound + 5e-5
    if found["strength"] < STRENGTHS[-1]:
        following = STRENGTHS[sum(s <= found["strength"] for s in STRENGTHS)]
        worse = [Cost.of(m, q, by_row(m.tables_, push), [following]).loss[1] for m, q in (earlier, later)]
        assert max(worse) > bound


def test_a_stock_that_speaks_for_all_alike_costs_nothing(sales):
    push = dict.fromkeys(PRODUCTS, -0.7)
    found = chosen(window_of(sales, -2), window_of(sales, -1), Stock(push, 0.0))
    assert found["strength"] == STRENGTHS[-1]
    assert found["loss"] == 0


def test_learning_finds_the_strength_of_every_surface_and_nothing_without_a_stock(sales):
    assert learn(sales, seed=1).steering == {}
    found = learn(sales, seed=1, stock=Stock({PRODUCTS[0]: -0.5, PRODUCTS[25]: 0.5}, 0.01))
    assert set(found.steering) == set(RUNGS)
    for surface, steering in found.steering.items():
        assert steering["loss"] <= 0.01, surface
        measured = found.choice.surfaces[surface].measure
        assert steering["ndcg_10_without"] == measured.rounded()["ndcg_10"]
    short = Sales.of(order_lines({"1": "ab", "2": "bc"}), catalogue("abc"), as_of=AS_OF)
    assert learn(short, seed=1, stock=Stock({"a": -1.0}, 0.01)).steering == {}


def test_unknown_products_have_no_pressure(sales):
    tables = Tables.learn(sales)
    assert by_row(tables, {"zz": 1.0, PRODUCTS[2]: -0.25}).tolist() == [0, 0, -0.25, *[0] * 27]
