"""For every product the few others that matter most to it, as two arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

BLOCK = 500
"""Products whose pairs are held in memory at a time."""


@dataclass(frozen=True)
class Neighbours:
    """`ids` (products × K, int32, -1: none) and `score` (products × K, float32), the strongest first."""

    ids: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]

    @classmethod
    def none(cls, products: int, k: int) -> Neighbours:
        """A table in which no product has a neighbour."""
        return cls(np.full((products, k), -1, np.int32), np.zeros((products, k), np.float32))

    def dense(self, row: int) -> npt.NDArray[np.float64]:
        """Scores of all products for one product; 0 where it has no such neighbour.

        >>> Neighbours(np.array([[1, -1], [0, -1]], np.int32), np.array([[0.5, 0], [0.25, 0]], np.float32)).dense(0)
        array([0. , 0.5])
        """
        out = np.zeros(len(self.ids))
        known = self.ids[row] >= 0
        out[self.ids[row][known]] = self.score[row][known]
        return out

    def cause(self, rows: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """For every product the one of `rows` that pulls it most (weight × score); -1: none does.

        >>> table = Neighbours(np.array([[2], [2], [-1]], np.int32), np.array([[0.5], [0.4], [0]], np.float32))
        >>> table.cause(np.array([0, 1]), np.array([1.0, 2.0])).tolist()  # 0.5 and 0.8
        [-1, -1, 1]
        """
        ids = self.ids[rows]
        known = ids >= 0
        pull = (self.score[rows] * weight[:, None])[known]
        source = np.repeat(rows, self.ids.shape[1]).reshape(ids.shape)[known]
        order = np.lexsort((-source, pull))  # the last one written is the strongest, of equals the lowest row
        out = np.full(len(self.ids), -1, np.int64)
        out[ids[known][order]] = source[order]
        return out


def strongest(block: sparse.csr_matrix, k: int) -> Iterator[npt.NDArray[np.int64]]:
    """For each row of `block` the positions in its `data` of the `k` largest entries above 0, largest first.

    Ties go to the lower column, so that the result is the same for any order of the input.

    >>> [found.tolist() for found in strongest(sparse.csr_matrix([[0.0, 0.2, 0.5], [0.2, 0, 0]]), 1)]
    [[1], [2]]
    """
    for start, end in pairwise(block.indptr):
        values = block.data[start:end]
        floor = np.partition(values, -k)[-k] if len(values) > k else 0.0
        kept = np.flatnonzero((values >= floor) & (values > 0))
        order = np.lexsort((block.indices[start:end][kept], -values[kept]))[:k]
        yield start + kept[order]


def top_of(blocks: Iterable[tuple[int, sparse.csr_matrix]], products: int, k: int) -> Neighbours:
    """The `k` largest entries of each row of a matrix that comes in blocks (number of the first row, rows).

    >>> matrix = sparse.csr_matrix([[0.0, 0.2, 0.5], [0.2, 0, 0], [0, 0, 0]])
    >>> top_of([(0, matrix)], 3, 1).ids.ravel().tolist()
    [2, 0, -1]
    """
    table = Neighbours.none(products, k)
    for first, block in blocks:
        for row, picked in enumerate(strongest(block, k), start=first):
            table.ids[row, : len(picked)] = block.indices[picked]
            table.score[row, : len(picked)] = block.data[picked]
    return table
