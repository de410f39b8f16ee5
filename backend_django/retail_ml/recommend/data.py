"""The shop's baskets: which products were bought in which order, by whom, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from retail_ml.frames import PRODUCTS, IdMap, net_same_day
from retail_ml.recommend.content import count_terms, product_texts

GUEST = -1
"""Customer number of an order whose buyer is not known."""


@dataclass(frozen=True)
class Sales:
    """Baskets before `now`, over the products of the catalogue and those ever sold.

    Attributes
    ----------
    products : IdMap
        Product id ↔ column of `matrix`.
    catalogue : DataFrame
        `frames.PRODUCTS`, one row per product in the order of `products`; a product that was sold but is no
        longer in the catalogue has no text, no price and is not active.
    matrix : csr_matrix of float32, orders × products
        1 where the order holds the product. Orders stand by customer, then by time: guests first.
    customer : array of int32, one per order
        Number of the customer, 0…; -1: a guest.
    time : array of float64, one per order
        Days since 1970-01-01 (or any other zero); a shop's order has the whole number of its business day.
    now : float
        The moment of asking, in the same days: midnight after the as-of day.
    people : IdMap or None
        Customer id ↔ number; None where the caller has only numbers.
    part_of : (Sales, array of int64) or None
        The sales of which these are a part, and the columns of `products` there.
    share : float
        Of all the shop's people, guests' orders among them, the share whose baskets these are (`retail_ml.drawn`).
    """

    products: IdMap
    catalogue: pl.DataFrame
    matrix: sparse.csr_matrix
    customer: npt.NDArray[np.int32]
    time: npt.NDArray[np.float64]
    now: float
    people: IdMap | None = None
    part_of: tuple[Sales, npt.NDArray[np.int64]] | None = field(default=None, repr=False, compare=False)
    share: float = 1.0

    @classmethod
    def of(cls, lines: pl.DataFrame, products: pl.DataFrame, *, as_of: date, share: float = 1.0) -> Sales:
        """Baskets from `frames.ORDER_LINES` and `frames.PRODUCTS`; `share`: of the people whose lines are told.

        Returns, lines without units, lines undone on the same day and lines after `as_of` are left out.

        >>> from retail_ml.tests.recommend.small import catalogue, order_lines
        >>> sales = Sales.of(order_lines({"1": "ab", "2": "b"}), catalogue("abc"), as_of=date(2026, 6, 30))
        >>> sales.matrix.toarray().tolist(), sales.age.tolist()
        ([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]], [1.0, 1.0])
        """
        kept = net_same_day(lines).filter(~pl.col("is_return"), pl.col("units") > 0, pl.col("day") <= as_of)
        ids = IdMap.of(pl.concat([products["product_id"], kept["product_id"]]))
        orders, customers = IdMap.of(kept["order_id"]), IdMap.of(kept["customer_id"])
        numbered = pl.DataFrame(
            {
                "order": orders.internal(kept["order_id"]),
                "customer": customers.internal(kept["customer_id"]),
                "product": ids.internal(kept["product_id"]),
                "time": kept["day"].to_physical().cast(pl.Float64),
            }
        )
        found = cls.numbered(numbered, ids, _catalogue(ids, products), now=float(day_number(as_of)) + 1)
        return replace(found, people=customers, share=share)

    @classmethod
    def numbered(cls, lines: pl.DataFrame, products: IdMap, catalogue: pl.DataFrame, *, now: float) -> Sales:
        """Baskets from numbers: columns `order`, `customer` (-1: a guest), `product` (a row of `products`), `time`.

        An order has the time of its earliest line and the customer of any line that names one (the numbers are
        kept); lines at or after `now` are left out. `catalogue` has one row per product, in their order.
        """
        lines = lines.filter(pl.col("time") < now)
        heads = (
            lines.group_by("order")
            .agg(pl.col("customer").max(), pl.col("time").min())
            .sort("customer", "time", "order")
            .with_row_index("row")
        )
        row = lines.select("order").join(heads.select("order", "row"), on="order", maintain_order="left")["row"]
        matrix = sparse.csr_matrix(
            (np.ones(len(lines), np.float32), (row.to_numpy(), lines["product"].to_numpy())),
            shape=(len(heads), len(products)),
        )
        matrix.sum_duplicates()
        matrix.data[:] = 1
        customer = heads["customer"].to_numpy().astype(np.int32)
        return cls(products, catalogue, matrix, customer, heads["time"].to_numpy(), float(now))

    def before(self, now: float) -> Sales:
        """What was known at the moment `now`: earlier baskets, and only products sold in one of them."""
        kept = np.flatnonzero(self.time < now)
        matrix = self.matrix[kept]
        sold = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
        return Sales(
            IdMap(self.products.external[sold]),
            self.catalogue[sold],
            matrix[:, sold],
            self.customer[kept],
            self.time[kept],
            float(now),
            self.people,
            (self, sold),
            self.share,
        )

    def halved(self, *, seed: int) -> Sales:
        """The baskets of half of the people, drawn by `seed`, over the same products.

        >>> from retail_ml.tests.recommend.small import catalogue, order_lines
        >>> lines = order_lines({str(number): "ab" for number in range(100)})
        >>> half = Sales.of(lines, catalogue("ab"), as_of=date(2026, 6, 30)).halved(seed=1)
        >>> half.orders, half.share
        (47, 0.5)
        """
        draw = np.random.default_rng(seed)
        person, alone = draw.random(self.customers) < 0.5, draw.random(self.orders) < 0.5
        kept = np.flatnonzero(np.where(self.customer == GUEST, alone, np.append(person, False)[self.customer]))
        part_of = (self, np.arange(len(self.products)))
        columns = {"matrix": self.matrix[kept], "customer": self.customer[kept], "time": self.time[kept]}
        return replace(self, **columns, part_of=part_of, share=self.share / 2)

    @cached_property
    def terms(self) -> sparse.csr_matrix:
        """The terms of each product's text, see `content.count_terms`: counted once for all parts of the same sales."""
        if self.part_of is not None:
            whole, columns = self.part_of
            return whole.terms[columns]
        return count_terms(product_texts(self.catalogue))

    @property
    def as_of(self) -> date:
        """The last day wholly before `now`."""
        return day_of(self.now - 1)

    @property
    def orders(self) -> int:
        """Number of baskets."""
        return int(self.matrix.shape[0])

    @property
    def customers(self) -> int:
        """Number of customers up to the last one with a basket."""
        return int(self.customer.max(initial=GUEST)) + 1

    @property
    def age(self) -> npt.NDArray[np.float64]:
        """Days between each order and `now`, at least 0."""
        return np.asarray(np.maximum(self.now - self.time, 0.0))

    @property
    def first(self) -> float | None:
        """Time of the first basket, or None when there is none."""
        return float(self.time.min()) if len(self.time) else None


def day_number(day: date) -> int:
    """Days since 1970-01-01.

    >>> day_number(date(1970, 1, 3)), day_of(2.9)
    (2, datetime.date(1970, 1, 3))
    """
    return (day - date(1970, 1, 1)).days


def day_of(time: float) -> date:
    """The day in which a time lies (days since 1970-01-01)."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + int(np.floor(time)))


def _catalogue(ids: IdMap, products: pl.DataFrame) -> pl.DataFrame:
    return (
        pl.DataFrame({"product_id": pl.Series(ids.external.tolist(), dtype=pl.String)})
        .join(products.unique("product_id", keep="first"), on="product_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("name", "category", "brand", "description", "image_url").fill_null(""),
            pl.col("active").fill_null(value=False),
        )
        .select(list(PRODUCTS))
    )
