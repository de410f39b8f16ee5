"""Linear item models and the textbook's hybrid."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from benchmarks.recommendation.peers.base import Floats, Ints, Orders, Peer, scaled_rows

MOST_PRODUCTS = 12_000
"""EASE and the textbook's hybrid need dense products × products matrices."""


class EASE(Peer):
    """Embarrassingly shallow autoencoder (Steck, WWW 2019): B = I - P / diag(P), P = (X'X + lambda I)^-1."""

    asked = ("customer", "basket")

    def __init__(self, *, penalty: float = 500.0, of_orders: bool = False) -> None:
        self.penalty, self.of_orders = penalty, of_orders

    def learn(self, data: Orders) -> None:
        """One inversion; X are the customers' products, or the orders."""
        products = len(data.products)
        if products > MOST_PRODUCTS:
            raise ValueError(f"EASE needs a dense {products} × {products} matrix")
        self.rows = (data.counts > 0).astype(np.float32).tocsr()
        X = data.matrix.astype(np.float32) if self.of_orders else self.rows
        inverse = np.linalg.inv((X.T @ X).toarray() + self.penalty * np.eye(products, dtype=np.float32))
        self.table = inverse / -np.diag(inverse)
        np.fill_diagonal(self.table, 0.0)

    def customer_scores(self, rows: Ints) -> Floats:
        """X B."""
        return np.asarray(self.rows[rows] @ self.table, np.float64)

    def basket_scores(self, baskets: sparse.csr_matrix) -> Floats:
        """The basket's rows of B."""
        return np.asarray(baskets @ self.table, np.float64)


class PureSVD(Peer):
    """Cremonesi, Koren, Turrin (RecSys 2010): X V V', X the counts, or their logarithms."""

    asked = ("customer",)

    def __init__(self, *, factors: int = 100, logarithm: bool = True) -> None:
        self.factors, self.logarithm = factors, logarithm

    def learn(self, data: Orders) -> None:
        """The first factors."""
        self.rows = data.counts.astype(np.float64).copy()
        self.rows.data = np.log1p(self.rows.data) if self.logarithm else np.ones_like(self.rows.data)
        factors = min(self.factors, min(self.rows.shape) - 1)
        start = np.ones(min(self.rows.shape))
        self.right = svds(self.rows, k=factors, v0=start)[2] if factors > 0 else np.zeros((1, self.rows.shape[1]))

    def customer_scores(self, rows: Ints) -> Floats:
        """X V V'."""
        return np.asarray((self.rows[rows] @ self.right.T) @ self.right)


class Tutorial(Peer):
    """The hybrid of the textbooks: 0.6 · orders with both (over the largest) + 0.4 · cosine of one-hot attributes."""

    asked = ("customer", "basket")

    def learn(self, data: Orders) -> None:
        """Dense products × products."""
        if len(data.products) > MOST_PRODUCTS:
            raise ValueError(f"the hybrid needs a dense {len(data.products)} × {len(data.products)} matrix")
        both = (data.matrix.T @ data.matrix).toarray()
        np.fill_diagonal(both, 0.0)
        both /= np.maximum(both.max(axis=1, keepdims=True), 1.0)
        bucket = np.searchsorted(np.quantile(data.price, [0.25, 0.5, 0.75]), data.price)
        kinds = [np.unique(values, return_inverse=True)[1] for values in (np.array(data.category), bucket)]
        hot = sparse.hstack([sparse.csr_matrix(np.eye(found.max() + 1)[found]) for found in kinds]).tocsr()
        hot = scaled_rows(hot)
        self.table = 0.6 * both + 0.4 * (hot @ hot.T).toarray()

    def customer_scores(self, rows: Ints) -> Floats:
        """Likeness to what he bought, added."""
        return np.asarray((self.data.counts[rows] > 0).astype(float) @ self.table)

    def basket_scores(self, baskets: sparse.csr_matrix) -> Floats:
        """Likeness to the basket, added."""
        return np.asarray(baskets @ self.table)
