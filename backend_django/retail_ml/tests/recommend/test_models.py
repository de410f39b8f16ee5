"""What every recommender keeps to, and what each one is for."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from retail_ml.errors import BadParameter
from retail_ml.recommend import models
from retail_ml.recommend.base import RANKING, Query, Recommender
from retail_ml.recommend.data import Sales
from retail_ml.recommend.tables import Tables
from retail_ml.tests.recommend.small import AS_OF, catalogue, checkerboard, order_lines

PRODUCTS = "abcdefghi"  # i is never sold


def every_model() -> list[type[Recommender]]:
    """All concrete recommenders: a new one cannot be left out."""

    def below(cls: type) -> list[type]:
        return [deeper for child in cls.__subclasses__() for deeper in (child, *below(child))]

    found = {cls for cls in below(Recommender) if cls.__module__.startswith(models.__name__.rpartition(".")[0])}
    return sorted(found, key=lambda cls: cls.__name__)


HISTORY = pl.DataFrame(
    {"order_id": ["1", "2", "2"], "product_id": ["a", "a", "zz"], "day": [date(2026, 6, 1)] * 3},
)
QUERIES = {
    "nothing": Query(),
    "page": Query(products=("a",)),
    "never sold": Query(products=("i",)),
    "unknown": Query(products=("zz",)),
    "new": Query(products=("zz",), text="Product a", price=10.0),
    "basket": Query(products=("a", "c", "zz", "a")),
    "customer": Query(history=HISTORY),
    "novel": Query(history=HISTORY, mode="novel"),
    "repeat": Query(history=HISTORY, mode="repeat"),
    "no history": Query(history=HISTORY.clear()),
    "all of it": Query(products=tuple(PRODUCTS)),
}


@pytest.fixture(scope="module")
def sales() -> Sales:
    return Sales.of(checkerboard(), catalogue(PRODUCTS), as_of=AS_OF)


@pytest.fixture(scope="module")
def tables(sales) -> Tables:
    return Tables.learn(sales)


@pytest.fixture(params=every_model(), ids=lambda cls: cls.__name__)
def model(request) -> Recommender:
    return request.param()


# --- the contract -------------------------------------------------------------------------------


def test_all_models_are_walked():
    assert {cls.__name__ for cls in every_model()} >= {
        "Popularity", "Trending", "SimilarContent", "BoughtTogether", "HybridPage", "PopularContent",
        "BasketCompletion", "PersonalBlend",
    }  # fmt: skip


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_answers_keep_to_the_contract(model, tables, query):
    allowed = set("abcdegi")
    found = model.attach(tables).recommend(query, k=50, allowed=allowed)
    assert found.schema == pl.Schema(RANKING)
    products = found["product_id"].to_list()
    assert len(products) == len(set(products))
    assert set(products) <= allowed - set(query.products)
    assert found["rank"].to_list() == list(range(1, len(found) + 1))
    assert found["score"].is_between(0, 1).all()
    assert found["score"].is_finite().all()
    assert found["score"].is_sorted(descending=True)
    bought = set() if query.history is None else set(query.history["product_id"])
    if query.mode == "novel":
        assert not bought & set(products)
    if query.mode == "repeat":
        assert set(products) <= bought
    shorter = model.recommend(query, k=2, allowed=allowed)
    assert_frame_equal(shorter, found.head(2))


def test_allowed_products_are_chosen_before_ranking(model, tables):
    everything = model.attach(tables).recommend(Query(products=("a",)), k=50)["product_id"].to_list()
    some = model.recommend(Query(products=("a",)), k=1, allowed=everything[-1:])["product_id"].to_list()
    assert some == everything[-1:]  # the last of all is the first of one


def test_fitting_twice_is_fitting_once_and_forgets(model, sales):
    other = Sales.of(order_lines({"1": "xy"}), catalogue("xy"), as_of=AS_OF)
    query = Query(products=("a",), history=HISTORY)
    once = model.fit(sales).recommend(query, k=50)
    assert model.fit(sales) is model
    assert_frame_equal(model.fit(other).fit(sales).recommend(query, k=50), once)


def test_row_order_of_the_data_does_not_matter(model, sales):
    lines, products = checkerboard(), catalogue(PRODUCTS)
    mixed = Sales.of(lines.sample(fraction=1, shuffle=True, seed=3), products.reverse(), as_of=AS_OF)
    query = Query(products=("a",), history=HISTORY)
    assert_frame_equal(model.fit(mixed).recommend(query, k=50), model.fit(sales).recommend(query, k=50))


def test_constructor_only_stores(model):
    assert vars(model) == model.parameters()


@pytest.mark.parametrize(
    ("orders", "products"),
    [({}, "abc"), ({}, ""), ({"1": "a"}, "a"), ({"1": "a", "2": "a"}, "a"), ({"1": "zy"}, "ab")],
    ids=["no orders", "nothing at all", "one order", "one product", "sold but gone"],
)
def test_tiny_shops_are_no_trouble(model, orders, products):
    model.fit(Sales.of(order_lines(orders), catalogue(products), as_of=AS_OF))
    for query in QUERIES.values():
        found = model.recommend(query, k=10)
        assert found["score"].is_finite().all()
        assert set(found["product_id"]) <= set(products)


def test_no_orders_leave_content_alone():
    products = catalogue("abc", name=["red silk dress", "blue bag", "red silk skirt"])
    page = models.HybridPage().fit(Sales.of(order_lines({}), products, as_of=AS_OF))
    assert page.recommend(Query(products=("a",)))["product_id"].to_list() == ["c", "b"]


@pytest.mark.parametrize("query", [Query(mode="often")])
def test_bad_parameters_are_named(model, tables, query):
    with pytest.raises(BadParameter, match="often"):
        model.attach(tables).recommend(query)
    with pytest.raises(BadParameter, match="k is 0"):
        model.recommend(Query(), k=0)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_basket_of_any_shop(data):
    orders = data.draw(st.dictionaries(st.text("12345", min_size=1, max_size=3), st.sets(st.sampled_from("abcd"))))
    tables = Tables.learn(Sales.of(order_lines(orders), catalogue("abcd"), as_of=AS_OF))
    basket = tuple(data.draw(st.lists(st.sampled_from("abcdz"))))
    allowed = data.draw(st.sets(st.sampled_from("abcdz")))
    for cls in every_model():
        found = cls().attach(tables).recommend(Query(products=basket), k=5, allowed=allowed)
        assert set(found["product_id"]) <= allowed - set(basket) - {"z"}
        assert found["score"].is_between(0, 1).all()


# --- the checkerboard: one obvious right answer ----------------------------------------------------


@pytest.mark.parametrize("rule", [models.BoughtTogether(), models.HybridPage(), models.BasketCompletion()])
def test_checkerboard(rule, tables):
    rule.attach(tables)
    assert set(rule.recommend(Query(products=("a",)), k=3)["product_id"]) == set("ceg")
    assert set(rule.recommend(Query(products=("b",)), k=3)["product_id"]) == set("dfh")


@pytest.mark.parametrize("rule", [models.BoughtTogether(), models.HybridPage(), models.SimilarContent()])
def test_a_page_is_that_of_its_first_product(rule, tables):
    allowed = set("cdefgh")
    one = rule.attach(tables).recommend(Query(products=("a",)), allowed=allowed)
    assert_frame_equal(rule.recommend(Query(products=("a", "b")), allowed=allowed), one)


def test_checkerboard_customer(tables):
    history = pl.DataFrame({"product_id": ["a", "c"], "day": [AS_OF, AS_OF]})
    personal = models.PersonalBlend().attach(tables)
    novel = personal.recommend(Query(history=history, mode="novel"), k=2)
    assert set(novel["product_id"]) == set("eg")
    assert set(personal.recommend(Query(history=history, mode="repeat"))["product_id"]) == set("ac")
    assert set(personal.recommend(Query(history=history), k=2)["product_id"]) == set("ac")


def test_bought_together_leaves_out_rare_and_chance_pairs():
    # a and b: 2 orders, too few. a and c: 3 of 6 with a, but c is in every order: lift 1. a and d: 3, lift > 1.
    baskets = {"1": "abcd", "2": "abcd", "3": "acd", "4": "ac", "5": "c", "6": "ce"}
    tables = Tables.learn(Sales.of(order_lines(baskets), catalogue("abcde"), as_of=AS_OF))
    together = models.BoughtTogether().attach(tables).recommend(Query(products=("a",)))
    assert set(together["product_id"]) == {"c", "d"}
    assert tables.support("a", "b").together == 2
    assert tables.support("a", "c").lift == 1.0
    fewer = Tables.learn(Sales.of(order_lines({**baskets, "7": "a"}), catalogue("abcde"), as_of=AS_OF))
    together = models.BoughtTogether().attach(fewer).recommend(Query(products=("a",)))
    assert set(together["product_id"]) == {"d"}  # now c comes less often with a than by chance


def test_hybrid_weight_moves_from_content_to_baskets():
    """A product sold once leans on content, the same product sold often on its baskets."""
    names = ["red silk dress", "red silk dress long", "umbrella", "socks"]
    few = {"1": "ac", **{f"x{i}": "bd" for i in range(8)}, **{f"y{i}": "c" for i in range(8)}}
    many = {**few, **{f"z{i}": "ac" for i in range(60)}}
    for orders, first in ((few, "b"), (many, "c")):
        page = models.HybridPage().fit(Sales.of(order_lines(orders), catalogue("abcd", name=names), as_of=AS_OF))
        assert page.recommend(Query(products=("a",)))["product_id"][0] == first


# --- golden numbers by hand -----------------------------------------------------------------------


def test_hybrid_score_by_hand():
    """Two orders {a, b}, one {a, c}, one {c}; all today, so trend and decay are 1 and shares are counts / 7."""
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc", name=["", "", ""]), as_of=AS_OF))
    np.testing.assert_allclose(tables.share(28), [3 / 7, 2 / 7, 2 / 7], rtol=1e-12)
    np.testing.assert_allclose(tables.together.dense(0), [0, 2 / np.sqrt(2) / 13, 1 / np.sqrt(2) / 13], rtol=1e-6)
    own = np.array([3 / np.sqrt(2), 2 / np.sqrt(2), 1 / np.sqrt(2) + 1]) + 2.0
    np.testing.assert_allclose(
        tables.cosine.dense(0), [0, np.sqrt(2) / np.sqrt(own[0] * own[1]), np.sqrt(0.5) / np.sqrt(own[0] * own[2])],
        rtol=1e-6,
    )  # fmt: skip
    found = models.HybridPage().attach(tables).recommend(Query(products=("a",)))
    share = 2 / 7
    b, c = np.sqrt(2) / 13 + 0.001 * share, np.sqrt(0.5) / 13 + 0.001 * share
    cold = (2 / 7 + 0.05 / 3) / (3 / 7 + 0.05 / 3)  # over the largest, which a itself has
    expected = [3 / 23 * 1 + 20 / 23 * cold, 3 / 23 * c / b + 20 / 23 * cold]
    assert found["product_id"].to_list() == ["b", "c"]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-6)


def test_personal_score_by_hand():
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc"), as_of=AS_OF))
    history = pl.DataFrame({"product_id": ["a", "a", "b"], "day": [AS_OF, date(2025, 11, 2), date(2025, 11, 2)]})
    personal = models.PersonalBlend().attach(tables)
    np.testing.assert_allclose(personal.decayed_orders(Query(history=history)), [1.5, 0.5, 0], rtol=1e-12)
    cosine = np.stack([tables.cosine.dense(i) for i in range(3)])
    cf = np.sqrt(1.5) * cosine[0] + np.sqrt(0.5) * cosine[1]
    score = cf / cf.max() + 2 * np.array([1, 1 / 3, 0]) + 0.3 * np.array([1, 2 / 3, 2 / 3])
    np.testing.assert_allclose(personal.scores(Query(history=history)), score / score.max(), rtol=1e-9)


def test_basket_score_by_hand():
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc"), as_of=AS_OF))
    cosine = np.stack([tables.cosine.dense(i) for i in range(3)])
    score = cosine[1] / (cosine.sum() / 3) + 3 * np.array([3, 2, 2]) / 7
    found = models.BasketCompletion().attach(tables).scores(Query(products=("b",)))
    np.testing.assert_allclose(found, score / score.max(), rtol=1e-6)
