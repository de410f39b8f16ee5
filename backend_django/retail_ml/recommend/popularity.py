"""How much of the shop's trade a product has, lately and usually."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

HALF_LIVES = (7, 14, 28, 90, 365)
"""Half-lives (days) for which shares are kept."""


def shares(matrix: sparse.csr_matrix, age: npt.NDArray[np.float64], half_life: float) -> npt.NDArray[np.float64]:
    """Share of each product in the decayed order count: Σ over its orders of 0.5^(age / half_life), over the sum.

    Shape: products. Without any order every product has the same share.

    >>> baskets = sparse.csr_matrix([[1.0, 1.0], [0.0, 1.0]])
    >>> shares(baskets, np.array([0.0, 14.0]), 14).tolist()  # 1 and 1 + 1/2, of 2.5
    [0.4, 0.6]
    """
    products = matrix.shape[1]
    if not matrix.nnz:
        return np.full(products, 1.0 / max(products, 1))
    weight = np.power(0.5, (age - age.min()) / half_life)  # a shift of all ages cancels: nothing underflows
    count = np.asarray(matrix.T.astype(np.float64) @ weight).ravel()
    return np.asarray(count / count.sum())


def trend(short: npt.NDArray[np.float64], long: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much more a product sells lately than usually: (short + k) / (long + k) with k = 0.05 / products.

    `short` and `long` are shares with a short and a long half-life; above 1: rising.

    >>> trend(np.array([0.6, 0.4]), np.array([0.4, 0.6])).round(3).tolist()
    [1.471, 0.68]
    """
    floor = 0.05 / max(len(short), 1)
    return (short + floor) / (long + floor)
