"""What all peers share: a shop's orders as matrices, and the interface of the benchmark, many questions at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
AT_ONCE = 4_000_000
"""Scores that are in memory at a time."""


@dataclass(frozen=True)
class Orders:
    """Orders × products (csr, ones), by customer and then by time; guests have the customer row -1.

    `since`: how many orders of the same customer came after an order; `age`: days before now.
    """

    products: Ints
    customers: Ints
    matrix: sparse.csr_matrix
    customer: Ints
    age: Floats
    text: list[str]
    category: list[str]
    price: Floats

    @classmethod
    def of(cls, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Orders:
        """The lines before `now`; a product without any is no candidate of any peer."""
        lines = lines.filter(pl.col("ts") < now, pl.col("qty") > 0)
        heads = lines.group_by("order").agg(pl.col("customer").max(), pl.col("ts").min())
        heads = heads.sort("customer", "ts", "order").with_row_index("row")
        pairs = lines.select("order", "product").unique().join(heads.select("order", "row"), on="order")
        ids, customers = np.unique(lines["product"].to_numpy()), np.unique(heads["customer"].to_numpy())
        customers = customers[customers >= 0]
        matrix = sparse.csr_matrix(
            (np.ones(len(pairs)), (pairs["row"].to_numpy(), np.searchsorted(ids, pairs["product"].to_numpy()))),
            shape=(len(heads), len(ids)),
        )
        owner = heads["customer"].to_numpy()
        named = pl.DataFrame({"product": ids}).join(
            products.unique("product", keep="first"), on="product", how="left", maintain_order="left"
        )
        return cls(
            ids, customers, matrix, np.where(owner >= 0, np.searchsorted(customers, owner), -1),
            now - heads["ts"].to_numpy(), named["text"].fill_null("").to_list(),
            named["category"].fill_null("").to_list(), named["price"].fill_null(0.0).fill_nan(0.0).to_numpy(),
        )  # fmt: skip

    @cached_property
    def counts(self) -> sparse.csr_matrix:
        """Customers × products: orders with the product."""
        return self.gathered(np.ones(len(self.customer)))

    @cached_property
    def since(self) -> Ints:
        """Orders of the same customer that came later (0: his last one)."""
        place = np.arange(len(self.customer))
        last = np.full(len(self.customers) + 1, -1)
        np.maximum.at(last, self.customer, place)
        return np.asarray(last[self.customer] - place)

    @cached_property
    def orders_of(self) -> Ints:
        """Number of orders of each customer."""
        return np.bincount(self.customer[self.customer >= 0], minlength=len(self.customers))

    def gathered(self, weight: Floats) -> sparse.csr_matrix:
        """Customers × products: sum of the weights of the customer's orders with the product."""
        own = np.flatnonzero(self.customer >= 0)
        gather = sparse.csr_matrix((weight[own], (self.customer[own], own)), shape=(len(self.customers), len(weight)))
        return (gather @ self.matrix).tocsr()

    def popular(self, days: float) -> Floats:
        """Orders with each product in the last `days`, over the largest."""
        found = np.asarray(self.matrix[self.age <= days].sum(axis=0)).ravel()
        return found / max(float(found.max(initial=0.0)), 1.0)

    def rows(self, ids: Sequence[int], known: Ints) -> Ints:
        """Places of `ids` in `known`; -1 for those that are not in it."""
        wanted = np.asarray(list(ids), np.int64)
        if not len(known):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[at] == wanted, at, -1)


class Peer:
    """A method. Subclasses give `learn` and the scores of the questions they are made for."""

    asked: tuple[str, ...] = ()
    """What it answers: "customer", "basket", "new"."""
    data: Orders

    def fit(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Self:
        """Learn from the lines before `now`."""
        return self.learn_from(Orders.of(lines, products, now))

    def learn_from(self, data: Orders) -> Self:
        """Learn from orders."""
        self.data = data
        self.usual = data.popular(28.0)
        self.learn(data)
        return self

    def learn(self, data: Orders) -> None:
        """What the method computes once."""

    def customer_scores(self, rows: Ints) -> Floats:
        """Customers × products."""
        raise NotImplementedError

    def basket_scores(self, baskets: sparse.csr_matrix) -> Floats:
        """Baskets × products."""
        raise NotImplementedError

    def recommend_many(self, customers: Sequence[int], k: int, mode: str = "all") -> list[list[int]]:
        """Lists for customers; popularity for those never seen."""
        out: list[list[int]] = []
        rows = self.data.rows(customers, self.data.customers)
        step = max(AT_ONCE // max(len(self.data.products), 1), 1)
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            score = np.zeros((len(some), len(self.data.products)))
            seen = some >= 0
            score[seen] = relative(self.customer_scores(some[seen]))
            score += 1e-6 * (self.usual + 1e-6)  # popularity orders what the method says nothing about
            bought = np.zeros(score.shape, bool)
            bought[seen] = self.data.counts[some[seen]].toarray() > 0
            if mode != "all":
                score[bought if mode == "novel" else ~bought] = -np.inf
            out += [self._best(row, k) for row in score]
        return out

    def complete_many(self, baskets: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """How baskets go on."""
        parts = [np.unique(found[found >= 0]) for found in (self.data.rows(b, self.data.products) for b in baskets)]
        indptr = np.concatenate([[0], np.cumsum([len(p) for p in parts])])
        indices = np.concatenate(parts) if parts else np.empty(0, np.int64)
        rows = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), (len(parts), len(self.data.products)))
        score = relative(self.basket_scores(rows)) + 1e-6 * (self.usual + 1e-6)
        score[rows.nonzero()] = -np.inf
        return [self._best(row, k) for row in score]

    def together_many(self, products: Sequence[int], k: int) -> list[list[int]]:
        """What goes with single products: baskets of one."""
        return self.complete_many([[product] for product in products], k)

    def _best(self, score: Floats, k: int) -> list[int]:
        some = np.argpartition(-score, k)[:k] if len(score) > k else np.arange(len(score))
        order = some[np.lexsort((self.data.products[some], -score[some]))]
        return self.data.products[order[score[order] > -np.inf]].tolist()


def relative(score: Floats) -> Floats:
    """Scores shifted and divided into 0…1 by question."""
    low, high = (f(axis=1, keepdims=True) for f in (score.min, score.max)) if score.size else (0.0, 0.0)
    return np.asarray((score - low) / np.where(high > low, high - low, 1.0))


def scaled_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of length 1."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (sparse.diags(np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)) @ matrix).tocsr()
