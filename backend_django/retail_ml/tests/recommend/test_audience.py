"""Whom to tell of a new product."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from retail_ml.recommend.audience import audience
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


def test_the_customers_numbers_are_those_of_their_ids():
    baskets = {str(i): "ab" for i in range(6)}
    customers = {"0": "z", "1": "m", "2": "a", "4": "m"}
    shop = Sales.of(order_lines(baskets, customers=customers), catalogue("ab"), as_of=AS_OF)
    counts = np.bincount(shop.customer[shop.customer >= 0])
    assert dict(zip(shop.people.external.tolist(), counts.tolist(), strict=True)) == {"a": 1, "m": 2, "z": 1}
    assert shop.before(shop.now).customer.tolist() == shop.customer.tolist()
