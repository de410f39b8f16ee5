"""Products bought in the same order: how strongly, how often, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.neighbours import BLOCK, Neighbours, strongest

HALF_LIFE = 180.0
"""Days after which an order counts half."""
CONFIDENCE_PRIOR = 10.0
"""Orders added to a product's own, so that one order in two is not worth more than 40 in 100."""
COSINE_PRIOR = 2.0
"""Weighted orders added to both products' own in the cosine table."""
TREND_POWER = 0.25


@dataclass(frozen=True)
class CoPurchase:
    """Two tables of the same pair sums, for two questions.

    Attributes
    ----------
    together : Neighbours
        c_ij / (n_i + 10), the pairs chosen by that × trend_j^0.25: what goes with one product.
    pairs : array of int32, products × K
        Orders that hold both, beside `together`: plain counts, for the explanation.
    cosine : Neighbours
        c_ij / √((c_ii + s)(c_jj + s)), chosen by that × trend_j^0.25: how a basket goes on.
    """

    together: Neighbours
    pairs: npt.NDArray[np.int32]
    cosine: Neighbours


def order_weights(matrix: sparse.csr_matrix, age: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of an order in the pair sums: size^-0.5 × 0.5^(age / 180 days).

    >>> order_weights(sparse.csr_matrix([[1.0, 1, 1, 1], [1, 0, 0, 0]]), np.array([180.0, 0.0])).tolist()
    [0.25, 1.0]
    """
    size = np.maximum(np.diff(matrix.indptr), 1)
    return np.asarray(np.power(size, -0.5) * np.power(0.5, age / HALF_LIFE))


def pair_blocks(
    matrix: sparse.csr_matrix, weight: npt.NDArray[np.float64]
) -> Iterator[tuple[int, sparse.csr_matrix, npt.NDArray[np.int32]]]:
    """Pair sums in blocks of rows: number of the first row, c_ij = Σ over orders with both of their weight, counts.

    The counts stand beside the entries of the block's `data`; the diagonal is left out. Sum and count come from one
    sparse product: the weight is its real part, the count its imaginary one.

    >>> first, block, count = next(pair_blocks(sparse.csr_matrix([[1.0, 1], [1, 1]]), np.array([0.5, 0.25])))
    >>> block.toarray().tolist(), count.tolist()
    ([[0.0, 0.75], [0.75, 0.0]], [2, 2])
    """
    left = sparse.diags(weight + 1j).tocsr() @ matrix.astype(np.complex128)
    right = matrix.astype(np.complex128)
    columns = left.T.tocsr()
    for first in range(0, matrix.shape[1], BLOCK):
        block = (columns[first : first + BLOCK] @ right).tocsr()
        block.sort_indices()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        off = block.indices != row + first
        indptr = np.zeros(block.shape[0] + 1, np.int64)
        np.cumsum(np.bincount(row[off], minlength=block.shape[0]), out=indptr[1:])
        data = block.data[off]
        sums = sparse.csr_matrix((data.real.copy(), block.indices[off], indptr), shape=block.shape)
        yield first, sums, np.rint(data.imag).astype(np.int32)


def learn(
    matrix: sparse.csr_matrix, age: npt.NDArray[np.float64], trend: npt.NDArray[np.float64], *, k: int
) -> CoPurchase:
    """Both tables, with the `k` strongest per product.

    Source of the formulas: shrunk confidence with decay, and cosine with decay; the additive prior is that of
    Herlocker et al. 1999 ("significance weighting") in its smooth form.
    """
    products = matrix.shape[1]
    weight = order_weights(matrix, age)
    bought = np.diff(matrix.tocsc().indptr)
    own = np.asarray(matrix.T.astype(np.float64) @ weight).ravel() + COSINE_PRIOR
    rising = np.power(trend, TREND_POWER)
    together, cosine = Neighbours.none(products, k), Neighbours.none(products, k)
    pairs = np.zeros((products, k), np.int32)
    for first, sums, count in pair_blocks(matrix, weight):
        row = np.repeat(np.arange(first, first + sums.shape[0]), np.diff(sums.indptr))
        confidence = sums.data / (bought[row] + CONFIDENCE_PRIOR)
        angle = sums.data / np.sqrt(own[row] * own[sums.indices])
        lift = rising[sums.indices]
        for table, score in ((together, confidence), (cosine, angle)):
            ranked = sparse.csr_matrix((score * lift, sums.indices, sums.indptr), shape=sums.shape)
            for i, picked in enumerate(strongest(ranked, k), start=first):
                table.ids[i, : len(picked)] = sums.indices[picked]
                table.score[i, : len(picked)] = score[picked]
                if table is together:
                    pairs[i, : len(picked)] = count[picked]
    return CoPurchase(together, pairs, cosine)


def wilson_lower(hits: int, trials: int, z: float = 1.959964) -> float:
    """Lower bound of the Wilson score interval of a share, 95 % two-sided (Wilson 1927; Newcombe 1998, method 3).

    >>> round(wilson_lower(81, 263), 4)  # Newcombe 1998, table I
    0.2553
    >>> wilson_lower(0, 0)
    0.0
    """
    if trials <= 0:
        return 0.0
    share = hits / trials
    centre = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(float((centre - spread) / (1 + z * z / trials)), 0.0)


@dataclass(frozen=True)
class Support:
    """The plain counts behind "bought together": orders with both, with each, and all."""

    together: int
    source: int
    other: int
    orders: int

    @property
    def share(self) -> float:
        """Share of the source product's orders that hold the other one too (confidence)."""
        return self.together / self.source if self.source else 0.0

    @property
    def share_lower(self) -> float:
        """Lower 95 % bound of `share`."""
        return wilson_lower(self.together, self.source)

    @property
    def lift(self) -> float:
        """How many times more often than by chance: k·N / (n_i·n_j).

        >>> Support(together=6, source=20, other=30, orders=1_000).lift
        10.0
        """
        expected = self.source * self.other
        return self.together * self.orders / expected if expected else 0.0

    @property
    def worth_saying(self) -> bool:
        """At least three orders together, and not less often than by chance."""
        return self.together >= 3 and self.lift >= 1
