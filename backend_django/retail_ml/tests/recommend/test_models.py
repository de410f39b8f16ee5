"""What every recommender keeps to, and what each one is for."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from retail_ml import recommend
from retail_ml.errors import BadParameter
from retail_ml.recommend import models, selection
from retail_ml.recommend.base import RANKING, Batch, Query, Recommender
from retail_ml.recommend.data import Sales
from retail_ml.recommend.registry import MODELS
from retail_ml.recommend.tables import Tables
from retail_ml.recommend.weights import Weights
from retail_ml.tests.recommend.small import AS_OF, catalogue, checkerboard, order_lines

PRODUCTS = "abcdefghi"  # i is never sold


def every_model() -> list[type[Recommender]]:
    """All concrete recommenders of the package, in whatever module they stand: a new one cannot be left out."""
    for module in pkgutil.walk_packages(recommend.__path__, f"{recommend.__name__}."):
        importlib.import_module(module.name)

    def below(cls: type) -> list[type]:
        return [deeper for child in cls.__subclasses__() for deeper in (child, *below(child))]

    found = {cls for cls in below(Recommender) if cls.__module__.startswith(f"{recommend.__name__}.")}
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


def test_the_registry_holds_every_model():
    assert set(MODELS.values()) == set(every_model())
    for name, rungs in selection.RUNGS.items():
        assert all(MODELS[rung] is cls for rung, cls in rungs.items()), name


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


def test_bought_together_shows_patterns_only():
    """a goes with b in 12 of 14 orders, with c twice only; d is in every order and so no more with a than by chance."""
    baskets = {f"{i:02}": "abd" for i in range(12)} | {"p": "acd", "q": "acd"} | {f"x{i}": "ed" for i in range(30)}
    tables = Tables.learn(Sales.of(order_lines(baskets), catalogue("abcde"), as_of=AS_OF))
    shown = models.BoughtTogether().attach(tables).recommend(Query(products=("a",)))
    assert shown["product_id"].to_list() == ["b"]
    assert tables.support("a", "c").together == 2
    assert (tables.support("a", "d").lift, tables.support("a", "d").shown) == (1.0, False)
    ranked = models.BoughtTogether(shown_only=False).attach(tables).recommend(Query(products=("a",)))
    assert set(ranked["product_id"]) == set("bcde")  # the measured ranking leaves nothing out


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
    """Two orders {a, b}, one {a, c}, one {c}; all a day old, so trend is 1 and shares are counts / 7."""
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc", name=["", "", ""]), as_of=AS_OF))
    np.testing.assert_allclose(tables.share(28), [3 / 7, 2 / 7, 2 / 7], rtol=1e-12)
    day = 0.5 ** (1 / 720)
    sums = np.array([0, 2 / np.sqrt(2), 1 / np.sqrt(2)]) * day
    np.testing.assert_allclose(tables.together.table.dense(0), sums / 13, rtol=1e-6)
    found = models.HybridPage().attach(tables).recommend(Query(products=("a",)))
    together = sums / 13 + 0.001 * np.array([3, 2, 2]) / 7
    cold = (2 / 7 + 0.05 / 3) / (3 / 7 + 0.05 / 3)  # over the largest, which a itself has
    expected = 3 / 23 * together[1:] / together.max() + 20 / 23 * cold
    assert found["product_id"].to_list() == ["b", "c"]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-6)


def test_personal_score_by_hand():
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"}, customers={"1": "7", "2": "8", "3": "9"})
    tables = Tables.learn(
        Sales.of(lines, catalogue("abc"), as_of=AS_OF), weights=Weights(profile_half_life=120, novel_half_life=120)
    )
    history = pl.DataFrame(
        {
            "order_id": ["x", "y", "y"],
            "product_id": ["a", "a", "b"],
            "day": [AS_OF, date(2025, 11, 3), date(2025, 11, 3)],
        }
    )
    repeats = np.array([0.5 ** (1 / 240) + 0.5, 0.5, 0])
    profile = np.array([0.5 ** (1 / 120) + 0.25, 0.25, 0])
    cf = np.maximum(np.sqrt(profile) @ tables.person.toarray(), 0)
    sells = np.array([1, 2 / 3, 2 / 3])
    score = cf / cf.max() + 2 * repeats / repeats.max() + 0.3 * sells
    batch = Batch.of(Query(history=history), tables, mask=tables.active)
    personal = models.PersonalBlend().attach(tables)
    np.testing.assert_allclose(personal.scores(batch)[0], score / score.max(), rtol=1e-5)
    novel = cf / cf.max() + 0.3 * sells
    batch = Batch.of(Query(history=history, mode="novel"), tables, mask=tables.active)
    np.testing.assert_allclose(personal.scores(batch)[0], novel / novel.max(), rtol=1e-5)


def test_basket_score_by_hand():
    lines = order_lines({"1": "ab", "2": "ab", "3": "ac", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc"), as_of=AS_OF))
    table = tables.basket.toarray()
    score = table[1] / (table.sum() / 3) + 3 * np.array([3, 2, 2]) / 7
    batch = Batch.of(Query(products=("b",)), tables, mask=tables.active)
    np.testing.assert_allclose(
        models.BasketCompletion().attach(tables).scores(batch)[0], score / score.max(), rtol=1e-6
    )


def test_personal_frequency_is_his_own_counts_then_what_sells():
    lines = order_lines({"1": "ab", "2": "b", "3": "c", "4": "c", "5": "c", "6": "d"})
    tables = Tables.learn(Sales.of(lines, catalogue("abcd"), as_of=AS_OF))
    history = pl.DataFrame({"order_id": ["x", "y", "y"], "product_id": ["a", "a", "d"], "day": [AS_OF] * 3})
    found = models.PersonalFrequency().attach(tables).recommend(Query(history=history))
    assert found["product_id"].to_list() == ["a", "d", "c", "b"]


# --- diversity ------------------------------------------------------------------------------------


def test_a_list_of_new_products_does_not_say_the_same_thing_twice():
    """x1, x2, x3 have one text; y another: with equal pull the second place goes to y."""
    names = ["start", "red silk dress", "red silk dress", "red silk dress", "garden spade"]
    baskets = {f"{i}": ["s", "x1", "x2", "x3", "y"] for i in range(6)} | {"z1": ["x1"], "z2": ["x1", "x2"]}
    customers = {order: f"c{order}" for order in baskets}
    shop = Sales.of(
        order_lines(baskets, customers=customers), catalogue(["s", "x1", "x2", "x3", "y"], name=names), as_of=AS_OF
    )
    query = Query(history=pl.DataFrame({"order_id": ["1"], "product_id": ["s"], "day": [AS_OF]}), mode="novel")
    plain, diverse = (
        models.PersonalBlend().attach(Tables.learn(shop, weights=Weights(likeness=weight))).recommend(query)
        for weight in (0.0, 0.4)
    )
    assert plain["product_id"].to_list()[:2] == ["x1", "x2"]
    assert diverse["product_id"].to_list()[:2] == ["x1", "y"]
    assert set(plain["product_id"]) == set(diverse["product_id"])
