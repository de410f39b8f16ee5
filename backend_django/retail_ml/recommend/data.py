"""The shop's baskets: which products were bought in which order, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from retail_ml.frames import PRODUCTS, IdMap, Schema, net_same_day

BASKET_LINES: Schema = {  # one row per order and product
    "order_id": pl.String,
    "customer_id": pl.String,  # null: a guest
    "product_id": pl.String,
    "day": pl.Date,
}


@dataclass(frozen=True)
class Sales:
    """Baskets up to and including `as_of`, over the products of the catalogue and those ever sold.

    Attributes
    ----------
    products : IdMap
        Product id ↔ column of `matrix`.
    catalogue : DataFrame
        `frames.PRODUCTS`, one row per product in the order of `products`; a product that was sold but is no
        longer in the catalogue has no text, no price and is not active.
    lines : DataFrame
        `BASKET_LINES`, sorted by order and product.
    matrix : csr_matrix of float32, orders × products
        1 where the order holds the product.
    age : array of float64, one per order
        Days between the order and `as_of`, at least 0.
    as_of : date
    """

    products: IdMap
    catalogue: pl.DataFrame
    lines: pl.DataFrame
    matrix: sparse.csr_matrix
    age: npt.NDArray[np.float64]
    as_of: date

    @classmethod
    def of(cls, lines: pl.DataFrame, products: pl.DataFrame, *, as_of: date) -> Sales:
        """Baskets from `frames.ORDER_LINES` and `frames.PRODUCTS`.

        Returns, lines without units, lines undone on the same day and lines after `as_of` are left out.

        >>> from retail_ml.tests.recommend.small import catalogue, order_lines
        >>> sales = Sales.of(order_lines({"1": "ab", "2": "b"}), catalogue("abc"), as_of=date(2026, 6, 30))
        >>> sales.matrix.toarray().tolist()
        [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
        """
        kept = (
            net_same_day(lines)
            .filter(~pl.col("is_return"), pl.col("units") > 0, pl.col("day") <= as_of)
            .group_by("order_id", "product_id")
            .agg(pl.col("customer_id").drop_nulls().min(), pl.col("day").min())
        )
        return cls._of_basket_lines(kept.select(list(BASKET_LINES)), products, as_of=as_of)

    @classmethod
    def _of_basket_lines(cls, lines: pl.DataFrame, products: pl.DataFrame, *, as_of: date) -> Sales:
        lines = lines.sort("order_id", "product_id")
        ids = IdMap.of(pl.concat([products["product_id"], lines["product_id"]]))
        catalogue = (
            pl.DataFrame({"product_id": pl.Series(ids.external.tolist(), dtype=pl.String)})
            .join(products.unique("product_id", keep="first"), on="product_id", how="left", maintain_order="left")
            .with_columns(
                pl.col("name", "category", "brand", "description", "image_url").fill_null(""),
                pl.col("active").fill_null(value=False),
            )
            .select(list(PRODUCTS))
        )
        orders = IdMap.of(lines["order_id"])
        row = orders.internal(lines["order_id"])
        days = lines.group_by("order_id").agg(pl.col("day").min()).sort("order_id")["day"]
        age = (pl.Series([as_of], dtype=pl.Date) - days).dt.total_days().cast(pl.Float64).to_numpy()
        matrix = sparse.csr_matrix(
            (np.ones(len(lines), np.float32), (row, ids.internal(lines["product_id"]))), shape=(len(orders), len(ids))
        )
        return cls(ids, catalogue, lines, matrix, np.maximum(age, 0.0), as_of)

    def before(self, day: date) -> Sales:
        """What was known on the morning of `day`: earlier baskets, and only products sold in one of them."""
        lines = self.lines.filter(pl.col("day") < day)
        sold = self.catalogue.filter(pl.col("product_id").is_in(lines["product_id"].unique().to_list()))
        return self._of_basket_lines(lines, sold, as_of=day - timedelta(days=1))

    @property
    def orders(self) -> int:
        """Number of baskets."""
        return int(self.matrix.shape[0])

    @property
    def first_day(self) -> date | None:
        """Day of the first basket, or None when there is none."""
        first = self.lines["day"].min()
        return first if isinstance(first, date) else None
