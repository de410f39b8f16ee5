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


def steadied(
    matrix: sparse.csr_matrix, age: npt.NDArray[np.float64], half_lives: tuple[int, ...] = HALF_LIVES
) -> npt.NDArray[np.float64]:
    """Shares for all half-lives, each drawn towards that of the longest as far as their difference is chance.

    A short half-life rests on few orders: in a small shop what it says beyond the long run is mostly noise. With
    weights w of the order lines, c_i their sum by product and p the share of the longest half-life, Pearson's
    X² = Σ_i (c_i - p_i Σw)² / (p_i Σw²) is about the number of its products when nothing has changed (those count of
    which a line or more is expected: Cochran's rule); what is kept of the difference is the rest, 1 - products / X²,
    at least 0: the positive-part estimator of James and Stein (Efron and Morris 1973). Shape: half-lives × products.

    >>> rng = np.random.default_rng(0)
    >>> same = sparse.csr_matrix((rng.random((200, 40)) < 0.1).astype(float))  # nothing changes
    >>> short, long = steadied(same, np.arange(200.0), (7, 365))
    >>> bool(np.abs(short - long).max() < 0.3 * np.abs(shares(same, np.arange(200.0), 7) - long).max())
    True
    """
    found = np.stack([shares(matrix, age, days) for days in half_lives])
    if not matrix.nnz:
        return found
    usual, size = found[-1], np.diff(matrix.indptr)
    for at, days in enumerate(half_lives[:-1]):
        weight = np.power(0.5, (age - age.min()) / days)
        lines = float(size @ weight) ** 2 / float(size @ weight**2)  # equally weighted lines that are as sure
        gap, tested = found[at] - usual, usual * lines >= 1
        pearson = lines * float((gap[tested] ** 2 / usual[tested]).sum())
        found[at] = usual + max(0.0, 1 - int(tested.sum()) / max(pearson, 1e-12)) * gap
    return found


def trend(short: npt.NDArray[np.float64], long: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much more a product sells lately than usually: (short + k) / (long + k) with k = 0.05 / products.

    `short` and `long` are shares with a short and a long half-life; above 1: rising.

    >>> trend(np.array([0.6, 0.4]), np.array([0.4, 0.6])).round(3).tolist()
    [1.471, 0.68]
    """
    floor = 0.05 / max(len(short), 1)
    return (short + floor) / (long + floor)
