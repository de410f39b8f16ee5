"""What customers like this one buy: the mean habits of his 200 nearest, as a feature of the second stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.data import Sales
from retail_ml.recommend.histories import Histories

NEAREST = 200
MOST_CUSTOMERS = 50_000
"""Above, no neighbours are looked for: the cost grows with the customers (measured up to 14,000)."""
HALF_LIFE = 120.0
"""Days, for the rhythm of `weights.USUAL_GAP`."""


@dataclass(frozen=True)
class Crowd:
    """`habits`: customers × products, csr float32, without a customer's id; empty: too many customers.

    A habit is D_120 over the customer's decayed number of orders: the share of his orders that hold the product, the
    recent ones counting more (the vectors of TIFU-KNN, Hu et al. 2020, with one decay in the place of its groups).
    """

    habits: sparse.csr_matrix
    half_life: float

    @classmethod
    def of(cls, sales: Sales, *, rhythm: float = 1.0) -> Crowd:
        """The habits of all customers, up to 50,000."""
        half_life = HALF_LIFE * rhythm
        if not 0 < sales.customers <= MOST_CUSTOMERS:
            return cls(sparse.csr_matrix((0, len(sales.products)), dtype=np.float32), half_life)
        return cls(habits_of(Histories.of(sales), half_life).astype(np.float32), half_life)

    def mean(self, histories: Histories) -> npt.NDArray[np.float64]:
        """Mean habit of the 200 nearest by cosine of each customer (himself among them): count × products."""
        if not self.habits.shape[0]:
            return np.zeros((histories.count, histories.products))
        mine = habits_of(histories, self.half_life)
        near = np.asarray((mine @ self._directions).toarray(), dtype=np.float64)
        k = min(NEAREST, near.shape[1])
        floor = np.partition(near, -k, axis=1)[:, -k][:, None]
        chosen = sparse.csr_matrix((near >= floor) & (near > 0), dtype=np.float64)
        return np.asarray((chosen @ self.habits).toarray() / k)

    @cached_property
    def _directions(self) -> sparse.csr_matrix:
        """Products × customers, every customer of length 1."""
        length = np.sqrt(np.asarray(self.habits.multiply(self.habits).sum(axis=1)).ravel())
        scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
        return (sparse.diags(scale) @ self.habits).T.tocsr()


def habits_of(histories: Histories, half_life: float) -> sparse.csr_matrix:
    """Decayed share of each customer's orders that hold each product: csr, count × products.

    >>> one = Histories(np.array([0, 0]), np.array([1, 2]), np.array([5, 6]), np.array([0.0, 30.0]), 1, 3)
    >>> habits_of(one, 30).toarray().round(3).tolist()
    [[0.0, 0.667, 0.333]]
    """
    orders = histories.decayed_orders(half_life)
    scale = np.divide(1.0, orders, out=np.zeros_like(orders), where=orders > 0)
    return (sparse.diags(scale) @ histories.decayed(half_life)).tocsr()
