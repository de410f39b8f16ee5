"""Held-out measures: by hand, blind to the future, and the choice that follows from them."""

from __future__ import annotations

from datetime import date, timedelta
from string import ascii_lowercase

import numpy as np
import polars as pl
import pytest

from retail_ml.recommend import evaluation, selection
from retail_ml.recommend.base import Query
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Case, Measure
from retail_ml.recommend.models import Popularity
from retail_ml.recommend.selection import Trial, choose
from retail_ml.recommend.tables import Tables
from retail_ml.tests.recommend.small import AS_OF, catalogue, checkerboard, order_lines


def test_measure_by_hand():
    """Popularity shows a, b (the shown product left out); ideal gains 1 and 1 + 1/log2(3)."""
    tables = Tables.learn(Sales.of(order_lines({"1": "ab", "2": "ab", "3": "a", "4": "c"}), catalogue("abcd"),
                                   as_of=AS_OF))  # fmt: skip
    cases = [
        Case(Query(products=("c",)), frozenset("b")),  # a, b: hit at rank 2
        Case(Query(products=("a",)), frozenset("bd")),  # b, c: hit at rank 1 of two bought
        Case(Query(products=("b",)), frozenset("z")),  # not known: missed
    ]
    found = evaluation.measure(Popularity().attach(tables), cases)
    second = 1 / np.log2(3)
    assert found.hit_rate_10 == pytest.approx(2 / 3)
    assert found.ndcg_10 == pytest.approx((second + 1 / (1 + second)) / 3)
    assert found.coverage == 0.75  # a, b, c of the four products
    assert evaluation.measure(Popularity().attach(tables), []) is None


def test_the_future_cannot_be_seen():
    """Change everything after the cut: what is learned before it stays the same to the last bit."""
    lines, cut = checkerboard(), AS_OF - timedelta(days=27)
    other = pl.concat(
        [
            lines.filter(pl.col("day") < cut),
            order_lines({f"n{i}": "ahxyz" for i in range(30)}, customers={f"n{i}": "c00" for i in range(30)}),
        ]
    )
    products = catalogue("abcdefghixyz")
    known = [Sales.of(x, products, as_of=AS_OF).before(cut) for x in (lines, other)]
    (one_meta, one), (two_meta, two) = (Tables.learn(x).to_arrays() for x in known)
    assert one_meta == two_meta
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])
    assert known[1].products.external.tolist() == list("abcdefgh")  # not even the names of later products
    histories = [
        {
            c.query.history["day"].max()
            for c in evaluation.customer_cases(Sales.of(x, products, as_of=AS_OF), cut, AS_OF)
        }
        for x in (lines, other)
    ]
    assert max(max(h) for h in histories) < cut


def test_cases_come_from_the_window_alone():
    sales = Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF)
    start, end = evaluation.test_window(sales, end=AS_OF)
    later = sales.lines.filter(pl.col("day").is_between(start, end)).group_by("order_id").agg("product_id")
    baskets = {frozenset(b) for b in later["product_id"].to_list()}
    for cases in (evaluation.page_cases(sales, start, end), evaluation.basket_cases(sales, start, end)):
        assert cases
        assert all(frozenset(c.query.products) | c.bought in baskets for c in cases)
        assert all(not set(c.query.products) & c.bought for c in cases)


def test_a_sample_of_cases_is_fixed_and_has_no_case_twice():
    sales = Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF)
    start, end = AS_OF - timedelta(days=60), AS_OF
    every = evaluation.page_cases(sales, start, end)
    some = evaluation.page_cases(sales, start, end, limit=8)
    assert len(some) == 8 < len(every)
    assert all(case in every for case in some)
    assert len({id(case) for case in some}) == 8
    assert some == evaluation.page_cases(sales, start, end, limit=8)


@pytest.mark.parametrize(("days", "window"), [(400, 28), (112, 28), (111, 27), (40, 10), (4, 1), (3, None), (1, None)])
def test_short_histories_get_a_shorter_window(days, window):
    first = AS_OF - timedelta(days=days - 1)
    sales = Sales.of(order_lines({"1": "ab", "2": "ab"}, days={"1": first}), catalogue("ab"), as_of=AS_OF)
    found = evaluation.test_window(sales, end=AS_OF)
    assert (None if found is None else (found[1] - found[0]).days + 1) == window


def test_checkerboard_is_served_by_the_hybrid():
    sales = Sales.of(checkerboard(240, ascii_lowercase), catalogue(ascii_lowercase), as_of=AS_OF)
    choice = choose(sales, seed=1)
    page = choice.surfaces["page"]
    assert page.method == "hybrid"
    assert page.measure.ndcg_10 > page.baseline.ndcg_10
    assert page.beats_baseline is True
    assert choice.validation.end < choice.test.start


def popular_shop(orders: int = 240) -> Sales:
    """Two best sellers and one product at random in each order, whatever goes with what: pairs mean nothing.

    In the last quarter the best sellers change, so that co-purchases of the past mislead.
    """
    rng = np.random.default_rng(2)
    names = [f"p{i:02}" for i in range(40)]
    baskets, days = {}, {}
    for i in range(orders):
        late = i >= orders * 3 // 4
        best = names[30:] if late else names[:10]
        baskets[f"{i:04}"] = sorted({str(rng.choice(best)), str(rng.choice(best)), str(rng.choice(names))})
        days[f"{i:04}"] = AS_OF - timedelta(days=orders - 1 - i)
    return Sales.of(order_lines(baskets, days=days), catalogue(names, name=names), as_of=AS_OF)


def fake(start: date, **page: Measure) -> Trial:
    other = Measure(100, 0.1, 0.1, 0.1)
    return Trial(start, start, 500, 50, {
        "page": page,
        "basket": {"co_purchase": other, "popularity": other},
        "customer": {"personal": other, "popularity": other},
    })  # fmt: skip


def measured(hit: float) -> Measure:
    return Measure(100, hit, hit, 0.5)


@pytest.mark.parametrize(
    ("validation", "test", "served"),
    [
        ((0.5, 0.3, 0.2), (0.5, 0.3, 0.2), "hybrid"),
        ((0.3, 0.4, 0.2), (0.5, 0.3, 0.2), "popularity_content"),  # the test window does not choose upwards
        ((0.5, 0.3, 0.2), (0.1, 0.3, 0.2), "popularity_content"),  # it does forbid what loses
        ((0.5, 0.3, 0.2), (0.1, 0.1, 0.2), "popularity"),
        ((0.2, 0.2, 0.2), (0.5, 0.3, 0.2), "popularity"),  # as good: the simpler
    ],
)
def test_choice_never_serves_what_loses(monkeypatch, validation, test, served):
    names = ("hybrid", "popularity_content", "popularity")
    trials = iter([
        fake(AS_OF, **dict(zip(names, map(measured, validation), strict=True))),
        fake(AS_OF, **dict(zip(names, map(measured, test), strict=True))),
    ])  # fmt: skip
    monkeypatch.setattr(selection, "trial", lambda *a, **k: next(trials))
    page = choose(popular_shop(), seed=1).surfaces["page"]
    assert page.method == served
    assert page.measure == measured(test[names.index(served)])
    assert page.baseline == measured(test[2])
    assert not page.baseline.beats(page.measure)


def test_where_pairs_mean_nothing_the_hybrid_does_not_serve():
    choice = choose(popular_shop(), seed=1)
    page, earlier = choice.surfaces["page"], choice.validation.measures["page"]
    assert earlier["popularity_content"].beats(earlier["hybrid"])
    assert page.method == "popularity_content"
    for surface in choice.surfaces.values():
        assert surface.measure is None or not surface.baseline.beats(surface.measure)


def test_small_shops_get_popularity_and_content():
    sales = Sales.of(checkerboard(20), catalogue("abcdefgh"), as_of=AS_OF)
    choice = choose(sales, seed=1)
    assert choice.small
    assert choice.validation is None
    assert choice.surfaces["page"].method in ("popularity_content", "popularity")


def test_nothing_to_test_on_is_said():
    choice = choose(Sales.of(order_lines({str(i): "a" for i in range(50)}), catalogue("a"), as_of=AS_OF), seed=1)
    page = choice.surfaces["page"]
    assert (page.method, page.measure, page.baseline, page.beats_baseline) == ("popularity_content", None, None, None)
