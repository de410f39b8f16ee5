"""Models of the library `implicit` (Frederickson), one thread, fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.recommendation.peers.base import Floats, Ints, Orders, Peer


class _Factors(Peer):
    """Scores are products of factors; what a customer bought weighs by its number of orders."""

    asked = ("customer",)
    model: Any

    def learn(self, data: Orders) -> None:
        """Fit the library's model."""
        self.rows = data.counts.astype(np.float32)
        self.model.fit(self.rows, show_progress=False)

    def customer_scores(self, rows: Ints) -> Floats:
        """User factors · item factors."""
        return np.asarray(self.model.user_factors[rows] @ self.model.item_factors.T, np.float64)


class ALS(_Factors):
    """Alternating least squares (Hu, Koren, Volinsky 2008)."""

    def __init__(self, *, factors: int = 64, alpha: float = 1.0, regularization: float = 0.05) -> None:
        from implicit.als import AlternatingLeastSquares

        self.model = AlternatingLeastSquares(
            factors=factors, alpha=alpha, regularization=regularization, iterations=15, num_threads=1, random_state=1
        )


class BPR(_Factors):
    """Bayesian personalised ranking (Rendle et al. 2009)."""

    def __init__(self, *, factors: int = 64, iterations: int = 100, regularization: float = 0.01) -> None:
        from implicit.bpr import BayesianPersonalizedRanking

        self.model = BayesianPersonalizedRanking(
            factors=factors, iterations=iterations, regularization=regularization, num_threads=1, random_state=1
        )


class ItemNeighbours(_Factors):
    """TF-IDF, BM25 or cosine likeness of products by their buyers, `neighbours` kept."""

    def __init__(self, *, kind: str = "TFIDF", neighbours: int = 50) -> None:
        from implicit import nearest_neighbours

        self.model = getattr(nearest_neighbours, f"{kind}Recommender")(K=neighbours, num_threads=1)

    def customer_scores(self, rows: Ints) -> Floats:
        """Likeness to what he bought, times how often he did; a product is like itself."""
        likeness: sparse.csr_matrix = self.model.similarity
        return np.asarray((self.rows[rows] @ likeness).toarray(), np.float64)
