"""One interface for every recommender: learn once, ask the same way, get the same frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from retail_ml.errors import BadParameter
from retail_ml.frames import Schema
from retail_ml.recommend.data import Sales
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.tables import Tables

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Mode = Literal["all", "novel", "repeat"]
MODES: tuple[Mode, ...] = ("all", "novel", "repeat")

RANKING: Schema = {"product_id": pl.String, "score": pl.Float64, "rank": pl.Int64}
"""What `recommend` returns: score 0…1, rank from 1, best first."""


@dataclass(frozen=True)
class Query:
    """What is asked, in the shop's ids; every model takes every query and uses what it can.

    Attributes
    ----------
    products : tuple of str
        The product whose page it is (the first one), or the basket so far. They are never recommended.
    history : DataFrame or None
        The customer's earlier purchases: `order_id`, `product_id` and `day`, one row per order and product.
    mode : "all", "novel" or "repeat"
        For a customer: everything, only what he never bought, only what he bought before. Every model keeps to it.
    text, price
        Words and price of a product that is newer than the model.
    """

    products: tuple[str, ...] = ()
    history: pl.DataFrame | None = None
    mode: Mode = "all"
    text: str = ""
    price: float | None = None


@dataclass(frozen=True)
class Batch:
    """Questions in the rows of the tables, many at a time: what the formulas work on.

    Attributes
    ----------
    subjects : csr_matrix, questions × products
        Products of the page or the basket.
    histories : Histories
        Of as many customers as there are questions.
    mask : array of bool, products
        Candidates: in stock, on sale, allowed. Nothing else enters a ranking.
    new : list of (text, price) or None
        For each question the words and price of a product that the tables do not know.
    first : array of int64 or None
        Row of the product whose page it is; -1: none that is known. None: the subject, where there is one alone.
    """

    subjects: sparse.csr_matrix
    histories: Histories
    mask: Mask
    mode: Mode = "all"
    new: Sequence[tuple[str, float | None]] | None = None
    first: Rows | None = None

    @classmethod
    def of(cls, query: Query, tables: Tables, *, mask: Mask) -> Batch:
        """One question."""
        asked = tables.rows(query.products or [""])
        rows = np.unique(asked[asked >= 0])
        subjects = sparse.csr_matrix(
            (np.ones(len(rows)), rows, np.array([0, len(rows)], np.int32)), shape=(1, len(tables))
        )
        new = [(query.text, query.price)] if query.text.strip() else None
        return cls(subjects, history_of(query.history, tables), mask, query.mode, new, asked[:1])

    @classmethod
    def of_customers(cls, histories: Histories, *, mask: Mask, mode: Mode = "all") -> Batch:
        """One question per customer."""
        nothing = sparse.csr_matrix((histories.count, histories.products))
        return cls(nothing, histories, mask, mode)

    @classmethod
    def of_subjects(cls, subjects: sparse.csr_matrix, *, mask: Mask) -> Batch:
        """One question per row of products: a basket, or the product of a page."""
        return cls(subjects, Histories.none(*subjects.shape), mask)

    def __len__(self) -> int:
        return int(self.subjects.shape[0])

    def part(self, start: int, stop: int) -> Batch:
        """Questions start…stop-1."""
        return replace(
            self,
            subjects=self.subjects[start:stop],
            histories=self.histories.part(start, stop),
            new=None if self.new is None else self.new[start:stop],
            first=None if self.first is None else self.first[start:stop],
        )

    @cached_property
    def pages(self) -> Rows:
        """Row of the product whose page each question is; -1: none that is known."""
        if self.first is not None:
            return self.first
        size = np.diff(self.subjects.indptr)
        out = np.full(len(self), -1, np.int64)
        out[size == 1] = self.subjects.indices[self.subjects.indptr[:-1][size == 1]]
        return out


def history_of(frame: pl.DataFrame | None, tables: Tables) -> Histories:
    """A customer's purchases in the rows of the tables; unknown products are left out, later days count as today."""
    if frame is None or frame.is_empty():
        return Histories.none(1, len(tables))
    order = pl.col("order_id") if "order_id" in frame.columns else pl.col("day").cast(pl.String)
    lines = frame.select("product_id", "day", order=order.rank("dense").cast(pl.Int64)).unique(
        ["order", "product_id"], keep="first", maintain_order=True
    )
    rows = tables.rows(lines["product_id"].to_list())
    known = rows >= 0
    age = np.maximum(tables.now - lines["day"].to_physical().to_numpy().astype(np.float64), 0.0)
    return Histories(
        np.zeros(int(known.sum()), np.int64), rows[known], lines["order"].to_numpy()[known], age[known], 1, len(tables)
    )


class Recommender(ABC):
    """A rule that turns tables into a ranking. The constructor only stores; what is learned is `tables_`."""

    tables_: Tables

    def fit(self, sales: Sales) -> Self:
        """Learn the tables of `sales` and return self; fitting again forgets what was learned before."""
        return self.attach(Tables.learn(sales))

    def attach(self, tables: Tables) -> Self:
        """Use tables that were learned elsewhere (several rules share them) and return self."""
        self.tables_ = tables
        return self

    @abstractmethod
    def scores(self, batch: Batch) -> Scores:
        """Scores from 0, questions × products; 0: not a candidate. Their scale is the model's own."""

    def recommend(self, query: Query, *, k: int = 10, allowed: Collection[str] | None = None) -> pl.DataFrame:
        """The best `k` products: columns `product_id`, `score` (0…1), `rank` (from 1).

        Only products of `allowed` (None: those on sale when the model was fitted) enter the ranking. There are
        fewer than `k` rows when there are fewer candidates. Raises BadParameter for k < 1.
        """
        if k < 1:
            raise BadParameter(
                f"k is {k}; at least 1 is needed", code="bad_parameter.least", field="k", minimum=1, received=k
            )
        if query.mode not in MODES:
            raise BadParameter(
                f"the mode is {query.mode!r}; it must be one of {', '.join(MODES)}",
                code="bad_parameter.choice",
                field="mode",
                received=query.mode,
                allowed=list(MODES),
            )
        rows, score = self.top(query, k=k, mask=self.tables_.mask(allowed))
        return pl.DataFrame(
            {
                "product_id": self.tables_.products.external[rows].tolist(),
                "score": score,
                "rank": np.arange(1, len(rows) + 1),
            },
            schema=RANKING,
        )

    def top(self, query: Query, *, k: int, mask: Mask) -> tuple[Rows, Scores]:
        """Rows and scores (0…1) of the best `k` products of `mask`; ties go to the lower row."""
        return self.top_many(Batch.of(query, self.tables_, mask=mask), k=k)[0]

    def top_many(self, batch: Batch, *, k: int) -> list[tuple[Rows, Scores]]:
        """`top` for every question of a batch."""
        score = self.scores(batch) * batch.mask
        left_out(score, batch.subjects)
        if batch.mode == "novel":
            left_out(score, batch.histories.pattern)
        elif batch.mode == "repeat":
            score *= dense(batch.histories.pattern) > 0
        return self.ordered(score, k=k, batch=batch)

    def ordered(self, score: Scores, *, k: int, batch: Batch) -> list[tuple[Rows, Scores]]:
        """The best `k` of each row of scores (questions × products), as rows and scores 0…1."""
        found = [best(row, k) for row in score]
        return [(rows, np.minimum(row[rows], 1.0)) for rows, row in zip(found, score, strict=True)]

    def parameters(self) -> dict[str, Any]:
        """What the constructor stored."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}


def best(score: Scores, k: int) -> Rows:
    """Positions of the `k` largest scores above 0, largest first; ties go to the lower position.

    >>> best(np.array([0.2, 0.0, 0.5, 0.2]), 2).tolist()
    [2, 0]
    """
    candidates = np.flatnonzero(score > 0)
    if len(candidates) > k:
        floor = np.partition(score[candidates], -k)[-k]
        candidates = candidates[score[candidates] >= floor]
    return candidates[np.lexsort((candidates, -score[candidates]))[:k]]


def left_out(score: Scores, products: sparse.csr_matrix) -> None:
    """Set the scores of these products to 0, in place."""
    score[np.repeat(np.arange(len(score)), np.diff(products.indptr)), products.indices] = 0.0


def dense(matrix: sparse.csr_matrix) -> Scores:
    """A sparse matrix as float64 array."""
    return np.asarray(matrix.toarray(), dtype=np.float64)


def scaled(score: Scores) -> Scores:
    """Scores over the largest of their row, so that the strongest candidate has 1; a row of zeros stays.

    >>> scaled(np.array([[1.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.25, 1.0], [0.0, 0.0]]
    """
    highest = score.max(axis=-1, keepdims=True, initial=0.0)
    return np.asarray(np.maximum(score, 0.0) / np.where(highest > 0, highest, 1.0))
