"""Lists that do not say the same thing ten times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

POOL = 50
"""Candidates among which the order may change."""
LEAST = 1e-6
TOGETHER = 500
"""Lists that are put in order together."""

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
List = tuple[Rows, Scores]


def diversified(lists: Sequence[List], vectors: sparse.csr_matrix, *, weight: float, most: int) -> list[List]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) on the first 50 of each list of rows and their scores.

    The next product is the one with the largest s - weight / (1 - weight) · (largest likeness to one already chosen),
    s over the largest score; that value, which only falls, is its new score. `vectors`: products × terms, of length 1.
    Returned are the first `most` of each list: what nobody looks at is not put in order.

    >>> same = sparse.csr_matrix([[1.0, 0], [1.0, 0], [0, 1.0]])
    >>> found = diversified([(np.array([0, 1, 2]), np.array([1.0, 0.9, 0.8]))], same, weight=0.2, most=3)
    >>> found[0][0].tolist()
    [0, 2, 1]
    """
    out = [(rows[:most], score[:most]) for rows, score in lists]
    ours = [at for at, (rows, score) in enumerate(lists) if len(rows) >= 3 and score[0] > 0]
    for first in range(0, len(ours), TOGETHER):
        some = ours[first : first + TOGETHER]
        for at, found in zip(some, _in_order([lists[at] for at in some], vectors, weight, most), strict=True):
            out[at] = found
    return out


def _in_order(lists: Sequence[List], vectors: sparse.csr_matrix, weight: float, most: int) -> list[List]:
    """`diversified` of lists that have an order to change, all of them a place at a time."""
    size = np.array([min(len(rows), POOL) for rows, _ in lists])
    width = int(size.max())
    pool, left = np.zeros((len(lists), width), np.int64), np.full((len(lists), width), -np.inf)
    for i, (rows, score) in enumerate(lists):
        pool[i, : size[i]], left[i, : size[i]] = rows[: size[i]], score[: size[i]] / score[0]
    alike, worst = _alike(pool, vectors), np.zeros(pool.shape)
    order, value = np.zeros(pool.shape, np.int64), np.zeros(pool.shape)
    every = np.arange(len(lists))
    for place in range(min(width, most)):
        marginal = left - weight / (1 - weight) * worst
        at = marginal.argmax(axis=1)
        order[:, place], value[:, place] = at, marginal[every, at]
        worst = np.maximum(worst, alike[every, at])
        left[every, at] = -np.inf
    out = []
    for i, (rows, score) in enumerate(lists):
        known = min(int(size[i]), most)
        new = np.maximum(value[i, :known] * score[0], LEAST)
        tail = slice(size[i], most)
        out.append(
            (
                np.concatenate([pool[i, order[i, :known]], rows[tail]]),
                np.concatenate([new, np.minimum(score[tail], new[-1])]),
            )
        )
    return out


def _alike(pool: Rows, vectors: sparse.csr_matrix) -> npt.NDArray[np.float64]:
    """Likeness of the products of each list among themselves: lists × products × products.

    Where the lists share most of their products, from one table of all of these; else from one product of matrices in
    which every list has columns of its own, of the terms that occur. Both add up the same terms in the same order.
    """
    count, width = pool.shape
    distinct, place = np.unique(pool, return_inverse=True)
    place, text = place.reshape(pool.shape), vectors[distinct]
    terms, column = np.unique(text.indices, return_inverse=True)
    known = sparse.csr_matrix((text.data, column, text.indptr), shape=(len(distinct), max(len(terms), 1)))
    if len(distinct) ** 2 <= pool.size * width:
        table = (known @ known.T).toarray().astype(np.float64)
        return np.asarray(table[place[:, :, None], place[:, None, :]])
    each = known[place.ravel()]
    own = np.repeat(np.arange(count), np.diff(each.indptr[::width])) * known.shape[1]
    apart = sparse.csr_matrix((each.data, each.indices + own, each.indptr), shape=(pool.size, count * known.shape[1]))
    found = (apart @ apart.T).tocoo()
    out = np.zeros((count, width, width))
    out[found.row // width, found.row % width, found.col % width] = found.data
    return out
