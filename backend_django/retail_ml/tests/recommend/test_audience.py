"""Whom to tell of a new product."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from retail_ml.recommend.audience import ALIKE, audience, interested
from retail_ml.recommend.data import Sales
from retail_ml.recommend.tables import Tables
from retail_ml.tests.recommend.small import AS_OF, catalogue, order_lines


def test_those_who_bought_its_like_lately_come_first():
    names = ["red silk dress", "garden spade", "paper bag"]
    baskets = {"1": "a", "2": "a", "3": "b", "4": "c", "5": "a"}
    customers = {"1": "late", "2": "early", "3": "garden", "4": "bags"}  # 5: a guest
    days = {"2": AS_OF - timedelta(days=200)}
    shop = Sales.of(order_lines(baskets, days=days, customers=customers), catalogue("abc", name=names), as_of=AS_OF)
    tables = Tables.learn(shop)
    found = audience(shop, tables, text="red silk dress long", price=10.0, k=10)
    assert [str(shop.people.external[number]) for number, _ in found] == ["late", "early"]
    assert found[0][1] > found[1][1] > 0
    assert audience(shop, tables, text=" ", price=None, k=10) == []
    assert len(audience(shop, tables, text="red silk dress", price=10.0, k=1)) == 1
    nobody = Sales.of(order_lines({}), catalogue("abc"), as_of=AS_OF)
    assert audience(nobody, Tables.learn(nobody), text="red", price=1.0, k=3) == []


def test_from_tables_of_purchases_it_is_the_same_as_from_all_sales():
    """`interested`, told only of what is alike and of the visits, against `audience`, told of everything."""
    rng = np.random.default_rng(3)
    names = [
        f"{('red', 'blue')[i % 2]} {('silk', 'wool')[i // 2 % 2]} {('dress', 'coat')[i // 4]} {i}" for i in range(8)
    ]
    baskets = {str(i): "".join(sorted(set(rng.choice(list("abcdefgh"), 3)))) for i in range(120)}
    customers = {order: f"c{int(order) % 17}" for order in baskets if int(order) % 9}
    days = {order: AS_OF - timedelta(days=int(rng.integers(0, 300))) for order in baskets}
    lines = order_lines(baskets, days=days, customers=customers)
    shop = Sales.of(lines, catalogue("abcdefgh", name=names), as_of=AS_OF)
    tables = Tables.learn(shop)
    likeness = tables.text.similar_to("red silk dress", price=10.0)
    alike = {p: float(s) for p, s in zip(tables.products.external, likeness, strict=True) if s >= ALIKE}
    assert 0 < len(alike) < 8
    known = lines.filter(pl.col("customer_id").is_not_null())
    bought = known.filter(pl.col("product_id").is_in(list(alike))).select(
        "customer_id", "order_id", "product_id", "day"
    )
    visits = known.unique("order_id").select("customer_id", "order_id", "day")
    found = interested(bought, visits, alike, now=shop.now, rhythm=tables.weights.rhythm)
    expected = audience(shop, tables, text="red silk dress", price=10.0, k=100)
    assert found["customer_id"].to_list() == [str(shop.people.external[number]) for number, _ in expected]
    np.testing.assert_allclose(found["score"], [score / expected[0][1] for _, score in expected])
    one = found.row(0, named=True)
    mine = bought.filter(pl.col("customer_id") == one["customer_id"])
    assert (one["products"], one["orders"]) == (mine["product_id"].n_unique(), mine["order_id"].n_unique())
    assert one["last"] == mine["day"].max()
    assert one["alike"] == max(alike[product] for product in mine["product_id"])


def test_the_customers_numbers_are_those_of_their_ids():
    baskets = {str(i): "ab" for i in range(6)}
    customers = {"0": "z", "1": "m", "2": "a", "4": "m"}
    shop = Sales.of(order_lines(baskets, customers=customers), catalogue("ab"), as_of=AS_OF)
    counts = np.bincount(shop.customer[shop.customer >= 0])
    assert dict(zip(shop.people.external.tolist(), counts.tolist(), strict=True)) == {"a": 1, "m": 2, "z": 1}
    assert shop.before(shop.now).customer.tolist() == shop.customer.tolist()
