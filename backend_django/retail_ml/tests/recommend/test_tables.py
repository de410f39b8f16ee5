"""What is learned: pair sums, counts, bounds, shares, likeness; and that it can be stored and read back."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import sparse

from retail_ml.recommend import copurchase, tuning
from retail_ml.recommend.base import Query
from retail_ml.recommend.content import TextIndex, count_terms, price_nearness, product_texts
from retail_ml.recommend.data import Sales
from retail_ml.recommend.models import HybridPage
from retail_ml.recommend.popularity import HALF_LIVES, shares, steadied, trend
from retail_ml.recommend.tables import Tables, basket_table, gram_of
from retail_ml.recommend.weights import Weights
from retail_ml.tests.recommend.small import AS_OF, catalogue, checkerboard, order_lines


def random_sales(seed: int = 5, orders: int = 120, products: int = 14) -> Sales:
    rng = np.random.default_rng(seed)
    names = [f"p{i:02}" for i in range(products)]
    weight = 1 / np.arange(1, products + 1)
    baskets = {
        f"o{i}": list(rng.choice(names, size=rng.integers(1, 6), replace=False, p=weight / weight.sum()))
        for i in range(orders)
    }
    days = {o: AS_OF - timedelta(days=int(rng.integers(0, 400))) for o in baskets}
    return Sales.of(order_lines(baskets, days=days), catalogue(names), as_of=AS_OF)


def test_terms_of_an_earlier_part_are_those_that_its_own_texts_have():
    """They are looked up in what was counted for the whole."""
    sales = random_sales(orders=20)
    part = sales.before(sales.now - 300)
    assert 0 < len(part.products) < len(sales.products)
    own = count_terms(product_texts(part.catalogue))
    assert (part.terms != own).nnz == 0


def test_likenesses_asked_again_are_those_that_a_table_of_all_would_give():
    """Tables learned in passing work them out product by product, and remember them."""
    rng = np.random.default_rng(2)
    names = [" ".join(rng.choice(["red", "silk", "dress", "garden", "spade", "cup"], 3)) for _ in range(60)]
    ids = [f"p{i:02}" for i in range(60)]
    sales = Sales.of(order_lines({"1": ids[:2]}), catalogue(ids, name=names), as_of=AS_OF)
    whole, passing = Tables.learn(sales), Tables.learn(sales, passing=True)
    for rows in ([3, 3, 40], [40, 5, 3, 59], [5]):
        found = passing.likenesses(np.array(rows))
        np.testing.assert_allclose(found, whole.likenesses(np.array(rows)))
        assert (found > 0).any(axis=1).all()


def test_pair_sums_and_counts_equal_the_plain_definition():
    sales = random_sales()
    n = len(sales.products)
    sums, counts = np.zeros((n, n)), np.zeros((n, n), int)
    for order, age in zip(sales.matrix.toarray(), sales.age, strict=True):
        held = np.flatnonzero(order)
        for i, j in combinations(held, 2):
            for a, b in ((i, j), (j, i)):
                sums[a, b] += len(held) ** -0.5 * 0.5 ** (age / 720)  # the half-life of a small shop
                counts[a, b] += 1
    weight = copurchase.order_weights(sales.matrix, sales.age, 720)
    found = list(copurchase.pair_blocks(sales.matrix, weight, room=70))
    assert len(found) > 2
    np.testing.assert_allclose(np.vstack([b.toarray() for _, b, _ in found]), sums, rtol=1e-5)
    tables = Tables.learn(sales)
    bought = np.asarray(sales.matrix.sum(axis=0)).ravel()
    for i in range(n):
        np.testing.assert_allclose(tables.together.table.dense(i), sums[i] / (bought[i] + 10), rtol=1e-5)
        for j, support in tables.supports(i).items():
            assert (support.together, support.source, support.other) == (counts[i, j], bought[i], bought[j])
            assert support.orders == sales.orders


@pytest.mark.parametrize("weights", [Weights(), Weights().for_size(300)])
def test_a_gram_used_twice_changes_no_basket_table_that_is_tried(weights):
    sales = random_sales()
    gram = gram_of(sales, weights)
    tables = Tables.learn(sales, weights=weights, gram=gram)
    tried = [tables, *tuning._tables_tried(sales, tables, gram)]
    assert len(tried) == 1 + len(tuning.BASKET_FITS)
    for table in tried:
        np.testing.assert_array_equal(table.basket.toarray(), basket_table(sales, table.weights).toarray())


def test_the_strongest_are_kept():
    sales = random_sales()
    whole, cut = Tables.learn(sales), Tables.learn(sales, neighbours=3)
    rising = np.power(whole.trend(14), 0.25)
    for i in range(len(sales.products)):
        score = whole.together.table.dense(i)
        best = np.argsort(-(score * rising), kind="stable")[:3]
        kept = cut.together.table.ids[i][cut.together.table.ids[i] >= 0]
        assert kept.tolist() == [j for j in best if score[j] > 0]


def test_confidence_and_lift_by_hand():
    """a in 4 of 10 orders, b in 5, both in 3: confidence 3/4, lift 3 · 10 / (4 · 5) = 1.5."""
    baskets = {"1": "ab", "2": "ab", "3": "ab", "4": "a", "5": "b", "6": "b", **{str(i): "c" for i in range(7, 11)}}
    tables = Tables.learn(Sales.of(order_lines(baskets), catalogue("abc"), as_of=AS_OF))
    support = tables.support("a", "b")
    assert (support.share, support.lift, support.shown) == (0.75, 1.5, False)  # of ten orders: no evidence
    assert tables.support("b", "a").share == 0.6
    assert tables.support("a", "c") is None
    assert tables.support("a", "unknown") is None


def test_shares_far_in_the_past_do_not_vanish():
    sales = Sales.of(order_lines({"1": "a", "2": "ab"}), catalogue("ab"), as_of=date(2126, 6, 30))
    np.testing.assert_allclose(shares(sales.matrix, sales.age, 7), [2 / 3, 1 / 3], rtol=1e-12)
    tables = Tables.learn(sales)
    assert np.isfinite(tables.shares).all()
    assert np.isfinite(tables.together.table.score).all()


def test_a_short_half_life_is_believed_as_far_as_it_is_no_chance():
    """Nothing changes: the long run; half of the range is new: nearly what the last weeks say."""
    rng = np.random.default_rng(4)
    weight = 1 / np.arange(1, 61)
    age = np.sort(rng.uniform(0, 365, 3_000))
    same = np.stack([rng.random(60) < 0.3 * weight for _ in age]).astype(np.float32)
    turned = np.where((age < 40)[:, None], same[:, ::-1], same)
    short = HALF_LIVES.index(14)
    for orders, kept in ((same, (0.0, 0.25)), (turned, (0.9, 1.0))):
        matrix = sparse.csr_matrix(orders)
        found, usual = steadied(matrix, age)[short], shares(matrix, age, 365)
        raw = shares(matrix, age, 14)
        factor = (found - usual) @ (raw - usual) / ((raw - usual) @ (raw - usual))
        assert kept[0] <= factor <= kept[1]
        weights = 0.5 ** ((age - age.min()) / 14)
        size = orders.sum(axis=1)
        lines = (size @ weights) ** 2 / (size @ weights**2)
        tested = usual * lines >= 1
        pearson = sum(lines * (raw[i] - usual[i]) ** 2 / usual[i] for i in np.flatnonzero(tested))
        assert factor == pytest.approx(max(0.0, 1 - tested.sum() / pearson))


def test_trend_rises_with_recent_sales():
    long = np.array([0.5, 0.5])
    assert trend(np.array([0.9, 0.1]), long)[0] > 1 > trend(np.array([0.9, 0.1]), long)[1]
    np.testing.assert_allclose(trend(long, long), 1)


def test_returns_and_undone_lines_are_no_baskets():
    lines = order_lines({"1": "ab", "2": "ab"}, customers={"1": "7", "2": "8"})
    undone = lines.filter(pl.col("order_id") == "1").with_columns(
        units=-pl.col("units"), amount=-pl.col("amount"), is_return=pl.lit(True)
    )
    sales = Sales.of(pl.concat([lines, undone]), catalogue("abc"), as_of=AS_OF)
    assert sales.orders == 1
    only_returns = Sales.of(undone, catalogue("abc"), as_of=AS_OF)
    assert only_returns.orders == 0


def test_content_prefers_the_same_words_and_a_near_price():
    texts = ["white hanging heart", "white hanging heart holder", "red retrospot bag", "white hanging heart"]
    table = TextIndex.of(texts, np.array([2.0, 2.0, 2.0, 8.0])).neighbours(3)
    assert table.ids[0].tolist()[:2] == [1, 3]
    assert table.score[0][1] == pytest.approx(0.5, abs=1e-6)  # the same text at four times the price
    assert 0 not in table.ids[0]


def test_content_of_an_accented_word_and_a_new_product():
    index = TextIndex.of(["Camisón de algodón", "Bolso"], np.array([10.0, np.nan]))
    assert index.similar_to("camison de algodon", price=None)[0] == pytest.approx(1.0, abs=1e-6)
    assert index.similar_to("", price=1.0).tolist() == [0.0, 0.0]
    assert price_nearness(0.0, np.array([1.0, 0.0])).tolist() == [1.0, 1.0]


def test_category_counts_as_a_word():
    products = catalogue("abc", name=["One", "Two", "Three"], category=["Shoes", "Shoes", "Bags"])
    tables = Tables.learn(Sales.of(order_lines({}), products, as_of=AS_OF))
    assert tables.likeness(0)[1] > tables.likeness(0)[2]


def test_arrays_carry_everything():
    tables = Tables.learn(Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF))
    meta, arrays = tables.to_arrays()
    again = Tables.from_arrays(meta, arrays)
    assert all(array.dtype != object for array in arrays.values())
    for query in (Query(products=("a",)), Query(products=("new",), text="Product a", price=10.0)):
        before = HybridPage().attach(tables).recommend(query, k=9)
        assert_frame_equal(HybridPage().attach(again).recommend(query, k=9), before)
    assert again.to_arrays()[0] == meta
