"""Products bought in the same order: how strongly, how often, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.evidence import shown_pairs
from retail_ml.recommend.neighbours import Neighbours, strongest
from retail_ml.recommend.ridge import blocks

CONFIDENCE_PRIOR = 10.0
"""Orders added to a product's own, so that one order in two is not worth more than 40 in 100."""
TREND_POWER = 0.25
ROOM = 6_000_000
"""Pairs that may be in memory at a time, at 24 bytes each."""


@dataclass(frozen=True)
class Together:
    """What goes with one product.

    Attributes
    ----------
    table : Neighbours
        c_ij / (n_i + 10), the pairs chosen by that × trend_j^0.25.
    pairs : array of int32, products × K
        Orders that hold both, beside `table`: plain counts, for the explanation.
    shown : array of bool, products × K
        The pair is a pattern, see `evidence.shown_pairs`.
    """

    table: Neighbours
    pairs: npt.NDArray[np.int32]
    shown: npt.NDArray[np.bool_]


def order_weights(matrix: sparse.csr_matrix, age: npt.NDArray[np.float64], half_life: float) -> npt.NDArray[np.float64]:
    """Weight of an order in the pair sums: size^-0.5 × 0.5^(age / half_life).

    >>> order_weights(sparse.csr_matrix([[1.0, 1, 1, 1], [1, 0, 0, 0]]), np.array([180.0, 0.0]), 180.0).tolist()
    [0.25, 1.0]
    """
    size = np.maximum(np.diff(matrix.indptr), 1)
    return np.asarray(np.power(size, -0.5) * np.power(0.5, age / half_life))


def pair_blocks(
    matrix: sparse.csr_matrix, weight: npt.NDArray[np.float64], *, room: int = ROOM
) -> Iterator[tuple[int, sparse.csr_matrix, npt.NDArray[np.int32]]]:
    """Pair sums in blocks of rows: number of the first row, c_ij = Σ over orders with both of their weight, counts.

    The counts stand beside the entries of the block's `data`; the diagonal is left out. Sum and count come from one
    sparse product: the weight is its real part, the count its imaginary one.

    >>> first, block, count = next(pair_blocks(sparse.csr_matrix([[1.0, 1], [1, 1]]), np.array([0.5, 0.25])))
    >>> block.toarray().tolist(), count.tolist()
    ([[0.0, 0.75], [0.75, 0.0]], [2, 2])
    """
    right = matrix.astype(np.complex64)
    columns = (sparse.diags((weight + 1j).astype(np.complex64)).tocsr() @ right).T.tocsr()
    for first, last in blocks(matrix, columns, room):
        block = (columns[first:last] @ right).tocsr()
        block.sort_indices()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        off = block.indices != row + first
        indptr = np.zeros(block.shape[0] + 1, np.int64)
        np.cumsum(np.bincount(row[off], minlength=block.shape[0]), out=indptr[1:])
        data = block.data[off]
        sums = sparse.csr_matrix((data.real.copy(), block.indices[off], indptr), shape=block.shape)
        yield first, sums, np.rint(data.imag).astype(np.int32)


def learn(
    matrix: sparse.csr_matrix,
    age: npt.NDArray[np.float64],
    trend: npt.NDArray[np.float64],
    *,
    half_life: float,
    k: int,
) -> Together:
    """The `k` strongest pairs per product, by shrunk, decayed confidence × trend_j^0.25.

    The additive prior is that of Herlocker et al. 1999 ("significance weighting") in its smooth form.
    """
    products = matrix.shape[1]
    bought = np.bincount(matrix.indices, minlength=products)
    rising = np.power(trend, TREND_POWER)
    table, pairs = Neighbours.none(products, k), np.zeros((products, k), np.int32)
    for first, sums, count in pair_blocks(matrix, order_weights(matrix, age, half_life)):
        row = np.repeat(np.arange(first, first + sums.shape[0]), np.diff(sums.indptr))
        confidence = sums.data / (bought[row] + CONFIDENCE_PRIOR)
        ranked = sparse.csr_matrix((confidence * rising[sums.indices], sums.indices, sums.indptr), shape=sums.shape)
        for i, picked in enumerate(strongest(ranked, k), start=first):
            table.ids[i, : len(picked)] = sums.indices[picked]
            table.score[i, : len(picked)] = confidence[picked]
            pairs[i, : len(picked)] = count[picked]
    return Together(table, pairs, shown_pairs(matrix, table.ids, pairs))
