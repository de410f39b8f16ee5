"""Any two frames of the interface can be fitted and asked, whatever is wrong with them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.recommendation import Trastienda
from benchmarks.recommendation.reading import lines_of, products_of

NOW = 200.0


def lines(orders: int = 90) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    order = np.repeat(np.arange(orders), 3)
    return pl.DataFrame({
        "order": order, "customer": rng.integers(-1, 12, orders)[order], "product": rng.integers(0, 15, len(order)),
        "ts": np.sort(rng.uniform(0, NOW, orders))[order], "qty": 1.0, "price": 2.0,
    })  # fmt: skip


def products(count: int = 18) -> pl.DataFrame:
    return pl.DataFrame({
        "product": np.arange(count), "text": [f"red shirt {i}" for i in range(count)], "category": "shirts",
        "price": np.linspace(1, 9, count),
    })  # fmt: skip


def nothing(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.clear()


CASES = {
    "plain": (lines(), products(), NOW),
    "negative units": (lines().with_columns(qty=pl.lit(-1.0)), products(), NOW),
    "no price, no text": (lines().with_columns(price=pl.lit(float("nan"))), products().select("product"), NOW),
    "all anonymous": (lines().with_columns(customer=pl.lit(None, pl.Int64)), products(), NOW),
    "one customer": (lines().with_columns(customer=pl.lit(3)), products(), NOW),
    "one product": (lines().with_columns(product=pl.lit(0)), nothing(products()), NOW),
    "now before all": (lines(), products(), -5.0),
    "whole days": (lines().with_columns(pl.col("ts").cast(pl.Int64)), products(), 200),
    "one time": (lines().with_columns(ts=pl.lit(0)), products(), 1),
    "no lines": (nothing(lines()), products(), NOW),
    "nothing at all": (nothing(lines()), nothing(products()), NOW),
    "one line": (lines().head(1), products().head(1), NOW),
    "gaps in the ids": (
        lines().with_columns(
            product=pl.when(pl.col("order") == 5).then(None).otherwise(pl.col("product") + 2**60),
            ts=pl.when(pl.col("order") == 6).then(float("nan")).otherwise("ts"),
        ),
        products(),
        NOW,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_question_has_an_answer(case):
    sold, known, now = CASES[case]
    model = Trastienda().fit(sold, known, now)
    catalogue = set(known["product"]) | set(sold["product"].drop_nulls())
    for k in (3, 1_000):
        lists = [
            model.recommend_for_customer(c, k, mode) for c in (-1, 3, 10**12) for mode in ("all", "novel", "repeat")
        ]
        lists += [model.recommend_for_basket(b, k, customer=c) for b in ([], [0, 0, 1], [10**12]) for c in (None, 3)]
        lists += [
            ask(p, k) for p in (0, 17, 10**12) for ask in (model.bought_together, model.similar, model.beside_new)
        ]
        lists.append(model.popular(k))
        for found in lists:
            assert len(found) == len(set(found)) <= k
            assert set(found) <= catalogue
        assert 0 not in model.recommend_for_basket([0, 1], k)
        bought = set(sold.filter(pl.col("customer") == 3, pl.col("ts") < now, pl.col("qty") > 0)["product"])
        assert not bought & set(model.recommend_for_customer(3, k, "novel"))
        assert set(model.recommend_for_customer(3, k, "repeat")) <= bought


def test_the_order_of_rows_and_duplicates_change_nothing():
    twice = pl.concat([lines(), lines()]).sample(fraction=1, shuffle=True, seed=1)
    one, other = (Trastienda().fit(found, products(), NOW) for found in (lines(), twice))
    for customer in range(12):
        assert one.recommend_for_customer(customer, 10) == other.recommend_for_customer(customer, 10)
    assert one.recommend_for_basket([1, 2], 10) == other.recommend_for_basket([1, 2], 10)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"column\(s\) missing: product, ts; found: order"):
        lines_of(pl.DataFrame({"order": [1]}))
    assert products_of(pl.DataFrame({"product": [1, 1, 2]}))["text"].to_list() == ["", ""]


class Pandas:
    """As much of a pandas frame as is used: columns that are NumPy arrays, missing text as NaN."""

    def __init__(self, **columns: np.ndarray) -> None:
        self.held, self.columns = columns, list(columns)

    def __getitem__(self, name: str) -> Column:
        return Column(self.held[name])


class Column:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def to_numpy(self) -> np.ndarray:
        return self.values

    def tolist(self) -> list:
        return self.values.tolist()


def test_frames_of_pandas():
    read = lines_of(Pandas(order=np.array([1, 2]), customer=np.array([5.0, np.nan]), product=np.array([7.0, np.nan]),
                           ts=np.array([1, 2])))  # fmt: skip
    assert read.select("order", "customer", "product", "qty").rows() == [(1, 5, 7, 1.0)]
    named = products_of(
        Pandas(product=np.array([7]), text=np.array([np.nan], object), category=np.array(["a"], object))
    )
    assert named.rows() == [(7, "", "a", None)]
