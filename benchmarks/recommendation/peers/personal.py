"""What sells, what a customer bought before, and what his neighbours bought: the strongest peers for repeat trade."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from benchmarks.recommendation.peers.base import Floats, Ints, Orders, Peer


class Popularity(Peer):
    """Orders with the product in the last `days` days."""

    asked = ("customer", "basket", "new")

    def __init__(self, *, days: float = 28.0) -> None:
        self.days = days

    def learn(self, data: Orders) -> None:
        """Count."""
        self.popular_now = data.popular(self.days)

    def customer_scores(self, rows: Ints) -> Floats:
        """The same for everybody."""
        return np.tile(self.popular_now, (len(rows), 1))

    def basket_scores(self, baskets: sparse.csr_matrix) -> Floats:
        """The same for every basket."""
        return np.tile(self.popular_now, (baskets.shape[0], 1))

    def beside_new(self, product: int, k: int) -> list[int]:
        """The same for every new product."""
        return self._best(self.popular_now + 1e-9 * self.usual, k)


class PersonalFrequency(Peer):
    """His most frequent products; the best sellers of the last `days` days break ties and follow."""

    asked = ("customer",)

    def __init__(self, *, days: float = 28.0) -> None:
        self.days = days

    def learn(self, data: Orders) -> None:
        """Count."""
        self.popular_now = data.popular(self.days)

    def customer_scores(self, rows: Ints) -> Floats:
        """Orders of his with the product, and popularity below one order."""
        return np.asarray(self.data.counts[rows].toarray() + 0.5 * self.popular_now)


class TIFUKNN(Peer):
    """Temporal item frequency and user neighbours (Hu et al., SIGIR 2020).

    A customer's orders are cut into `groups` of equal size; inside a group the order s places before its last counts
    `within`^s, the group g places before the last `between`^g; the vector is the mean of the groups' means. Score:
    alpha · own vector + (1 - alpha) · mean of the k nearest (Euclidean).
    """

    asked = ("customer",)

    def __init__(
        self, *, k: int = 300, alpha: float = 0.7, within: float = 0.9, between: float = 0.7, groups: int = 7
    ) -> None:
        self.k, self.alpha, self.within, self.between, self.groups = k, alpha, within, between, groups

    def learn(self, data: Orders) -> None:
        """The vectors of all customers."""
        own = data.customer >= 0
        count = np.where(own, data.orders_of[data.customer] if len(data.customers) else 0, 1)
        groups = np.minimum(self.groups, count)
        size = np.ceil(count / groups)
        groups = np.ceil(count / size)
        group, place = data.since // size, data.since % size
        members = np.where(group == groups - 1, count - (groups - 1) * size, size)
        weight = self.within**place / members * self.between**group / groups
        self.vectors = data.gathered(weight)
        self.square = np.asarray(self.vectors.multiply(self.vectors).sum(axis=1)).ravel()

    def customer_scores(self, rows: Ints) -> Floats:
        """Own habits and those of the nearest."""
        mine = self.vectors[rows]
        near = 2 * (mine @ self.vectors.T).toarray() - self.square  # minus the distance, but for what is his own
        near[np.arange(len(rows)), rows] = -np.inf
        k = min(self.k, near.shape[1] - 1)
        if k < 1:
            return np.asarray(mine.toarray())
        chosen = np.argpartition(-near, k - 1, axis=1)[:, :k]
        pick = sparse.csr_matrix(
            (np.full(chosen.size, 1.0 / k), chosen.ravel(), np.arange(0, chosen.size + 1, k)), shape=near.shape
        )
        return np.asarray(self.alpha * mine.toarray() + (1 - self.alpha) * (pick @ self.vectors).toarray())


class UPCF(Peer):
    """User popularity and collaborative filtering (Faggioli, Polato, Aiolli, UMAP 2020).

    Popularity of a product with a customer: the share of his last `recent` orders that hold it; score: Σ over all
    customers of similarity^locality · that. Similarity: asymmetric cosine of what was ever bought.
    """

    asked = ("customer",)

    def __init__(self, *, recent: int = 20, locality: float = 10.0, asymmetry: float = 0.5) -> None:
        self.recent, self.locality, self.asymmetry = recent, locality, asymmetry

    def learn(self, data: Orders) -> None:
        """Binary histories, and the shares."""
        self.had = (data.counts > 0).astype(np.float32)
        self.size = np.maximum(np.diff(self.had.indptr), 1).astype(np.float32)
        some = np.where(data.since < self.recent, 1.0, 0.0)
        share = 1 / np.maximum(np.minimum(data.orders_of, self.recent), 1)
        self.share = (sparse.diags(share) @ data.gathered(some)).tocsr().astype(np.float32)

    def customer_scores(self, rows: Ints) -> Floats:
        """All customers vote, the like-minded more."""
        both = (self.had[rows] @ self.had.T).toarray()
        likeness = both / (self.size[rows, None] ** self.asymmetry * self.size[None, :] ** (1 - self.asymmetry))
        return np.asarray((self.share.T @ (likeness**self.locality).T).T, np.float64)
