"""What some customers bought, ready for every formula that begins with a customer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.data import GUEST, Sales

SAME_VISIT = 0.5
"""Days within which two orders of a customer are one visit."""

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histories:
    """Purchases of `count` customers over `products` products: one line per order and product.

    Attributes
    ----------
    customer, product : array of int64, one per line
        0…count-1, and the product's row in the tables.
    order : array of int64, one per line
        Number of the order; the same for its lines, another for every other order.
    age : array of float64, one per line
        Days before the moment of asking, at least 0.
    """

    customer: Rows
    product: Rows
    order: Rows
    age: Floats
    count: int
    products: int

    @classmethod
    def of(cls, sales: Sales, customers: npt.NDArray[np.integer] | None = None) -> Histories:
        """All earlier purchases of `customers` (numbers in `sales`; None: every one of them), in that order."""
        chosen = np.arange(sales.customers) if customers is None else np.asarray(customers, np.int64)
        place = np.full(sales.customers + 1, -1, np.int64)  # the last one: guests
        place[chosen] = np.arange(len(chosen))
        orders = np.flatnonzero((sales.customer != GUEST) & (place[sales.customer] >= 0))
        lines = sales.matrix[orders]
        size = np.diff(lines.indptr)
        return cls(
            np.repeat(place[sales.customer[orders]], size),
            lines.indices.astype(np.int64),
            np.repeat(orders, size).astype(np.int64),
            np.repeat(sales.age[orders], size),
            len(chosen),
            lines.shape[1],
        )

    @classmethod
    def none(cls, count: int, products: int) -> Histories:
        """Customers who never bought anything."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, np.empty(0), count, products)

    @cached_property
    def _groups(self) -> tuple[Rows, Rows, Rows]:
        """Lines sorted by customer, product and age; the first line of each pair; the pair of each sorted line."""
        key = self.customer * self.products + self.product
        order = np.lexsort((self.age, key))
        new = np.diff(key[order], prepend=-1) != 0
        return order, np.flatnonzero(new), np.cumsum(new) - 1

    @cached_property
    def pattern(self) -> sparse.csr_matrix:
        """Number of orders of each customer with each product: csr float64, count × products."""
        order, first, pair = self._groups
        head = order[first]
        return sparse.csr_matrix(
            (np.bincount(pair, minlength=len(first)).astype(float), (self.customer[head], self.product[head])),
            shape=(self.count, self.products),
        )

    def decayed(self, half_life: float) -> sparse.csr_matrix:
        """D_h: each order with the product counts 0.5^(age / h). csr float64 of the shape of `pattern`.

        >>> one = Histories(np.array([0, 0]), np.array([1, 1]), np.array([5, 6]), np.array([0.0, 30.0]), 1, 3)
        >>> one.decayed(30).toarray().tolist()
        [[0.0, 1.5, 0.0]]
        """
        order, first, pair = self._groups
        weight = np.power(0.5, self.age[order] / half_life)
        return self._with(np.bincount(pair, weights=weight, minlength=len(first)).astype(np.float64))

    @cached_property
    def last(self) -> sparse.csr_matrix:
        """Days since the latest order of each customer with each product (stored zeros mean today)."""
        order, first, _ = self._groups
        return self._with(self.age[order[first]])

    @cached_property
    def orders(self) -> Floats:
        """Number of orders per customer."""
        whose = self._order_heads
        return np.bincount(self.customer[whose], minlength=self.count).astype(float)

    @cached_property
    def first_age(self) -> Floats:
        """Days since each customer's first order; 0 without one."""
        out = np.zeros(self.count)
        np.maximum.at(out, self.customer, self.age)
        return out

    def decayed_orders(self, half_life: float) -> Floats:
        """Σ over each customer's orders of 0.5^(age / h)."""
        head = self._order_heads
        weight = np.power(0.5, self.age[head] / half_life)
        return np.bincount(self.customer[head], weights=weight, minlength=self.count).astype(float)

    @cached_property
    def gaps(self) -> Floats:
        """Days from one order of a customer to his next; orders on the same day count as one visit."""
        head = self._order_heads
        order = head[np.lexsort((self.age[head], self.customer[head]))]
        gap = np.diff(self.age[order])
        return np.asarray(gap[(np.diff(self.customer[order]) == 0) & (gap > SAME_VISIT)])

    @cached_property
    def _order_heads(self) -> Rows:
        """One line of each order."""
        return np.unique(self.order, return_index=True)[1] if len(self.order) else np.empty(0, np.int64)

    def part(self, start: int, stop: int) -> Histories:
        """Customers start…stop-1 alone."""
        kept = (self.customer >= start) & (self.customer < stop)
        return Histories(
            self.customer[kept] - start,
            self.product[kept],
            self.order[kept],
            self.age[kept],
            stop - start,
            self.products,
        )

    def recent(self, most: int) -> sparse.csr_matrix:
        """True (1) for the `most` products that each customer bought last; of equals the lower row: csr float64."""
        order, first, _ = self._groups
        head = order[first]
        ranked = np.lexsort((self.product[head], self.age[head], self.customer[head]))
        customer = self.customer[head][ranked]
        size = np.bincount(customer, minlength=self.count)
        place = np.arange(len(ranked)) - np.repeat(np.cumsum(size) - size, size)
        out = np.zeros(len(ranked))
        out[ranked[place < most]] = 1.0
        return self._with(out)

    def _with(self, data: Floats) -> sparse.csr_matrix:
        """A matrix of the pattern (its rows stand sorted by customer and product) with other values."""
        pattern = self.pattern
        return sparse.csr_matrix((data, pattern.indices, pattern.indptr), shape=pattern.shape)
