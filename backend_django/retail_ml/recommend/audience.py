"""Whom to tell of a new product: customers who lately bought what is described like it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.frames import IdMap, Schema
from retail_ml.recommend.base import best, scaled
from retail_ml.recommend.data import Sales
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.tables import PART, Tables

HALF_LIFE, ACTIVITY = 120.0, 60.0
"""Days, times the shop's rhythm: of what a customer bought, and of how active he is."""
ALIKE = 0.1
"""Likeness from which a product counts."""
LEAST_ACTIVITY = 0.05
MOST_ALIKE = 500
"""Products alike, the most alike first, whose buyers are looked for."""
REACH = 6
"""Half-lives that are looked back."""
AUDIENCE: Schema = {
    "customer_id": pl.String,
    "score": pl.Float64,
    "products": pl.Int64,
    "orders": pl.Int64,
    "nearest": pl.String,
    "alike": pl.Float64,
    "last": pl.Date,
}
"""What `interested` returns."""

Floats = npt.NDArray[np.float64]


def interest(histories: Histories, likeness: Floats, *, rhythm: float = 1.0, visits: Histories | None = None) -> Floats:
    """Σ_j √D_120(u,j) s_j² [s_j ≥ 0.1] × √(decayed orders (60 days) + 0.05) of every customer: array of `count`.

    `likeness` (products): how much the new product is like each that is sold, 0…1. Not normalised by how much a
    customer bought: those who buy much buy new things, too. `visits`: all orders of the same customers, where
    `histories` holds only those with something alike.

    >>> two = Histories(np.array([0, 1]), np.array([0, 1]), np.array([1, 2]), np.array([0.0, 0.0]), 2, 2)
    >>> interest(two, np.array([0.5, 0.05])).round(3).tolist()  # 0.25 · √1.05, and too unlike
    [0.256, 0.0]
    """
    alike = np.where(likeness >= ALIKE, np.square(likeness), 0.0)
    taste = np.asarray(histories.decayed(HALF_LIFE * rhythm).sqrt() @ alike).ravel()
    orders = (visits or histories).decayed_orders(ACTIVITY * rhythm)
    return np.asarray(taste * np.sqrt(orders + LEAST_ACTIVITY))


def interested(
    bought: pl.DataFrame, visits: pl.DataFrame, likeness: Mapping[str, float], *, now: float, rhythm: float = 1.0
) -> pl.DataFrame:
    """Customers by their interest in a product, from what those who bought its like did lately.

    `bought`: what they bought of the products of `likeness` (id → 0.1…1), columns `customer_id`, `order_id`,
    `product_id`, `day`; `visits`: all their orders, `customer_id`, `order_id`, `day`; `now`: days since 1970.
    Returns `customer_id`, `score` (1: the strongest), `products` and `orders` (how many alike), `nearest` (the product
    most like it), `alike` (how much) and `last` (day), best first; ties by id. Days of `now` or later count as today.

    >>> from datetime import date
    >>> day = date(2026, 6, 30)
    >>> bought = pl.DataFrame({"customer_id": ["7"], "order_id": ["1"], "product_id": ["3"], "day": [day]})
    >>> interested(bought, bought.drop("product_id"), {"3": 0.4}, now=20635.0).rows()
    [('7', 1.0, 1, 1, '3', 0.4, datetime.date(2026, 6, 30))]
    """
    columns = list(AUDIENCE)
    if bought.is_empty():
        return pl.DataFrame(schema=AUDIENCE)
    people, products = IdMap.of(bought["customer_id"]), IdMap.of(pl.Series(list(likeness), dtype=pl.String))
    strength = np.array([likeness[product] for product in products.external.tolist()])
    visits = visits.filter(pl.col("customer_id").is_in(people.external.tolist()))
    score = interest(
        _histories(bought, people, products, now=now),
        strength,
        rhythm=rhythm,
        visits=_histories(visits, people, None, now=now),
    )
    known = pl.DataFrame({"product_id": products.external.tolist(), "alike": strength})
    return (
        bought.join(known, on="product_id")
        .sort("alike", "product_id", descending=[True, False])
        .group_by("customer_id")
        .agg(
            products=pl.col("product_id").n_unique().cast(pl.Int64),
            orders=pl.col("order_id").n_unique().cast(pl.Int64),
            nearest=pl.col("product_id").first(),
            alike=pl.col("alike").first(),
            last=pl.col("day").max(),
        )
        .join(pl.DataFrame({"customer_id": people.external.tolist(), "score": scaled(score)}), on="customer_id")
        .sort("score", "customer_id", descending=[True, False])
        .select(columns)
    )


def _histories(lines: pl.DataFrame, people: IdMap, products: IdMap | None, *, now: float) -> Histories:
    """Lines (or orders, without `products`) of these customers."""
    age = np.maximum(now - lines["day"].to_physical().to_numpy().astype(np.float64), 0.0)
    product = np.zeros(len(lines)) if products is None else products.internal(lines["product_id"])
    return Histories(
        people.internal(lines["customer_id"]).astype(np.int64),
        np.asarray(product, np.int64),
        lines["order_id"].rank("dense").to_numpy().astype(np.int64),
        age,
        len(people),
        1 if products is None else len(products),
    )


def audience(sales: Sales, tables: Tables, *, text: str, price: float | None, k: int) -> list[tuple[int, float]]:
    """The `k` customers (numbers in `sales`) most interested in a product with these words and price, and how much.

    Nobody is named who never bought anything like it. Histories are read in parts of 50,000 customers.
    """
    if not text.strip() or not sales.customers:
        return []
    likeness = tables.text.similar_to(text, price=price)
    found = [
        interest(
            Histories.of(sales, np.arange(first, min(first + PART, sales.customers))),
            likeness,
            rhythm=tables.weights.rhythm,
        )
        for first in range(0, sales.customers, PART)
    ]
    score = np.concatenate(found)
    return [(int(customer), float(score[customer])) for customer in best(score, k)]
