"""One interface for every recommender: learn once, ask the same way, get the same frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.errors import BadParameter
from retail_ml.frames import Schema
from retail_ml.recommend.data import Sales
from retail_ml.recommend.tables import Tables

Scores = npt.NDArray[np.float64]
Mode = Literal["all", "novel", "repeat"]
MODES: tuple[Mode, ...] = ("all", "novel", "repeat")

RANKING: Schema = {"product_id": pl.String, "score": pl.Float64, "rank": pl.Int64}
"""What `recommend` returns: score 0…1, rank from 1, best first."""


@dataclass(frozen=True)
class Query:
    """What is asked; every model takes every query and uses what it can.

    Attributes
    ----------
    products : tuple of str
        The product whose page it is (the first one), or the basket so far. They are never recommended.
    history : DataFrame or None
        The customer's earlier purchases: `product_id` and `day`, one row per order and product.
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
    def scores(self, query: Query) -> Scores:
        """Score 0…1 of every product of the tables for `query`; 0: not a candidate."""

    def excluded(self, query: Query) -> npt.NDArray[np.int64]:
        """Rows that are no answer to `query`: the products it is about."""
        rows = self.tables_.rows(query.products)
        return rows[rows >= 0]

    def bought(self, query: Query) -> npt.NDArray[np.int64]:
        """Rows of the customer's earlier purchases that the tables know."""
        if query.history is None or query.history.is_empty():
            return np.empty(0, np.int64)
        rows = self.tables_.rows(query.history["product_id"].to_list())
        return rows[rows >= 0]

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

    def top(self, query: Query, *, k: int, mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], Scores]:
        """Rows and scores of the best `k` products of `mask`; ties go to the lower row."""
        score = np.where(mask, self.scores(query), 0.0)
        score[self.excluded(query)] = 0.0
        if query.mode != "all":
            bought = np.zeros(len(score), bool)
            bought[self.bought(query)] = True
            score[bought if query.mode == "novel" else ~bought] = 0.0
        candidates = np.flatnonzero(score > 0)
        if len(candidates) > k:
            floor = np.partition(score[candidates], -k)[-k]
            candidates = candidates[score[candidates] >= floor]
        order = np.lexsort((candidates, -score[candidates]))[:k]
        return candidates[order], np.minimum(score[candidates[order]], 1.0)

    def parameters(self) -> dict[str, Any]:
        """What the constructor stored."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}


def scaled(score: Scores) -> Scores:
    """Scores over the largest of them, so that the strongest candidate has 1; all 0 stay 0.

    >>> scaled(np.array([1.0, 4.0])).tolist()
    [0.25, 1.0]
    """
    highest = float(score.max(initial=0.0))
    return np.maximum(score, 0.0) / highest if highest > 0 else np.zeros_like(score)
