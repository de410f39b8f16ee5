"""Association rules: every measure of a pair that shops use, added over a basket."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from benchmarks.recommendation.peers.base import Floats, Orders, Peer

Pair = tuple[Floats, Floats, Floats, float]
"""Orders with both, with i, with j, and all orders."""


def _log_ratio(pair: Pair) -> Floats:
    both, one, other, orders = pair
    return np.asarray(np.log(both * orders / (one * other)))


MEASURES = {
    "count": lambda p: p[0],
    "confidence": lambda p: p[0] / p[1],
    "lift": lambda p: p[0] * p[3] / (p[1] * p[2]),
    "jaccard": lambda p: p[0] / (p[1] + p[2] - p[0]),
    "cosine": lambda p: p[0] / np.sqrt(p[1] * p[2]),
    "npmi": lambda p: np.maximum(_log_ratio(p), 0) / np.maximum(-np.log(p[0] / p[3]), 1e-9),
    "llr": lambda p: np.where(_log_ratio(p) > 0, likelihood_ratio(p), 0.0),
}


def likelihood_ratio(pair: Pair) -> Floats:
    """Dunning 1993: 2 Σ observed · log(observed / expected) over the four cells."""
    both, one, other, orders = pair
    cells = (
        (both, one * other), (one - both, one * (orders - other)), (other - both, (orders - one) * other),
        (orders - one - other + both, (orders - one) * (orders - other)),
    )  # fmt: skip
    total = np.zeros_like(both)
    for seen, expected in cells:
        some = seen > 0
        total[some] += seen[some] * np.log(seen[some] * orders / expected[some])
    return np.asarray(2 * total)


class Rules(Peer):
    """Σ over the basket of one measure; pairs of fewer than `least` orders are no rules."""

    asked = ("basket",)

    def __init__(self, *, measure: str = "confidence", least: int = 1) -> None:
        self.measure, self.least = measure, least

    def learn(self, data: Orders) -> None:
        """The measure of every pair that was ever bought together."""
        both = (data.matrix.T @ data.matrix).tocoo()
        kept = (both.row != both.col) & (both.data >= self.least)
        bought = np.asarray(data.matrix.sum(axis=0)).ravel()
        i, j = both.row[kept], both.col[kept]
        value = MEASURES[self.measure]((both.data[kept], bought[i], bought[j], float(data.matrix.shape[0])))
        self.table = sparse.csr_matrix((value, (i, j)), shape=both.shape)

    def basket_scores(self, baskets: sparse.csr_matrix) -> Floats:
        """Rules of all products of the basket, added."""
        return np.asarray((baskets @ self.table).toarray())
