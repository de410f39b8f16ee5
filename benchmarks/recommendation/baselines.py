"""What every recommender must beat: what sells, and what the customer bought before. One interface for all peers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import sparse


class Popularity:
    """Orders with the product in the last `days` days."""

    def __init__(self, *, days: float = 28) -> None:
        self.days = days

    def fit(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Popularity:
        """Count; `products` is not looked at."""
        self.products = lines["product"].unique().sort().to_numpy()
        pairs = lines.select("order", "customer", "product", "ts").unique(["order", "product"])
        recent = pairs.filter(pl.col("ts") >= now - self.days)
        self.popular = np.zeros(len(self.products))
        found = recent.group_by("product").len()
        self.popular[self._rows(found["product"])] = found["len"]
        self.popular /= max(self.popular.max(), 1)
        counts = pairs.filter(pl.col("customer") >= 0).group_by("customer", "product").len()
        counts = counts.with_columns(row=pl.Series(self._rows(counts["product"]), dtype=pl.Int64))
        self.bought = {
            customer: (rows["row"].to_numpy(), rows["len"].to_numpy())
            for (customer,), rows in counts.partition_by("customer", as_dict=True).items()
        }
        return self

    def recommend_for_customer(self, customer: int, k: int, mode: str = "all") -> list[int]:
        """The same for everybody, but what the mode leaves out."""
        return self._best(self.personal(customer), k, customer=customer, mode=mode)

    def personal(self, customer: int) -> np.ndarray:
        """Scores for a customer."""
        return self.popular.copy()

    def recommend_for_basket(self, basket: Sequence[int], k: int, customer: int | None = None) -> list[int]:
        """The same for every basket, but what is in it."""
        score = self.popular + 1e-9
        score[self._rows(list(basket))] = 0
        return self._best(score, k)

    def bought_together(self, product: int, k: int) -> list[int]:
        """The same for every product."""
        return self.recommend_for_basket([product], k)

    def beside_new(self, product: int, k: int) -> list[int]:
        """The same for every new product."""
        return self._best(self.popular.copy(), k)

    def popular_products(self, k: int) -> list[int]:
        """Best sellers."""
        return self._best(self.popular.copy(), k)

    def _rows(self, ids: Sequence[int] | pl.Series) -> np.ndarray:
        wanted = np.asarray(ids, np.int64)
        at = np.minimum(np.searchsorted(self.products, wanted), len(self.products) - 1)
        return at[self.products[at] == wanted]

    def _best(self, score: np.ndarray, k: int, *, customer: int | None = None, mode: str = "all") -> list[int]:
        rows, _ = self.bought.get(customer, (np.empty(0, int), None)) if customer is not None else (None, None)
        if mode == "novel":
            score[rows] = -1
        elif mode == "repeat":
            outside = np.ones(len(score), bool)
            outside[rows] = False
            score[outside] = -1
        order = np.lexsort((self.products, -score))
        order = order[score[order] >= 0][:k]
        return self.products[order].tolist()


class PersonalFrequency(Popularity):
    """His own most frequent products first (recent popularity breaks ties), then the best sellers."""

    def personal(self, customer: int) -> np.ndarray:
        """Orders of his with the product, and popularity below one order."""
        score = 0.5 * self.popular
        rows, counts = self.bought.get(customer, (np.empty(0, int), np.empty(0)))
        score[rows] += counts
        return score


class Confidence(Popularity):
    """Association rules: Σ over the basket of (orders with both) / (orders with i); popularity orders the rest."""

    def fit(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Confidence:
        """Count pairs."""
        super().fit(lines, products, now)
        pairs = lines.select("order", "product").unique()
        order = pairs["order"].rank("dense").to_numpy().astype(np.int64) - 1
        found = sparse.csr_matrix((np.ones(len(pairs)), (order, self._rows(pairs["product"]))))
        both = (found.T @ found).tocsr()
        self.bought_with = sparse.diags(1 / np.maximum(both.diagonal(), 1)) @ both
        return self

    def recommend_for_basket(self, basket: Sequence[int], k: int, customer: int | None = None) -> list[int]:
        """Rules of all products of the basket, added."""
        rows = self._rows(list(basket))
        score = np.asarray(self.bought_with.tocsr()[rows].sum(axis=0)).ravel() + 1e-6 * self.popular
        score[rows] = 0
        return self._best(score, k)
