"""The local ridge: each product explained by the few that are bought with it most.

Full ridge item models (EASE, Steck 2019) invert a products × products matrix. Here every product is regressed on its
50 strongest co-purchased products only (a local version of SLIM, Ning and Karypis 2011, with a ridge penalty): the
same quality at a hundredth of the memory, and one small solve per product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from retail_ml import engine
from retail_ml.recommend.neighbours import strongest

LARGE = 20_000
"""Products above which a table is kept smaller."""
ROOM = 12_000_000
"""Entries of the co-purchase matrix that may be in memory before the weak ones are left out."""
SOLVED_AT_ONCE = 1_024


def kept_per_product(products: int) -> int:
    """Co-purchase sums kept per product: 500 up to 20,000 products, 200 beyond."""
    return 500 if products <= LARGE else 200


def neighbours_of(products: int) -> int:
    """Products that each product is regressed on: 50 up to 20,000 products, 30 beyond."""
    return 50 if products <= LARGE else 30


def gram(rows: sparse.csr_matrix, *, keep: int, room: int = ROOM) -> sparse.csr_matrix:
    """G = X'X, in each row only the `keep` largest of g_ij / √g_jj (and the diagonal), symmetric by maximum.

    `rows` is X: csr, customers or orders × products. It is built in blocks of at most about `room` entries.

    >>> gram(sparse.csr_matrix([[1.0, 1, 0], [1, 0, 2]], dtype=np.float32), keep=1).toarray()
    array([[2., 1., 2.],
           [1., 1., 0.],
           [2., 0., 4.]], dtype=float32)
    """
    if not rows.shape[1]:
        return sparse.csr_matrix((0, 0), dtype=np.float32)
    norm = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=0)).ravel())
    weight = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    columns = rows.T.tocsr()
    parts = []
    for first, last in blocks(rows, columns, room):
        block = (columns[first:last] @ rows).tocsr()
        block.sort_indices()
        row = np.repeat(np.arange(first, last), np.diff(block.indptr))
        score = block.data * weight[block.indices]
        score[block.indices == row] = np.inf
        ranked = sparse.csr_matrix((score, block.indices, block.indptr), shape=block.shape)
        picked = np.concatenate([np.sort(found) for found in strongest(ranked, keep + 1)] or [np.empty(0, np.int64)])
        kept = np.bincount(row[picked] - first, minlength=last - first)
        indptr = np.concatenate([[0], np.cumsum(kept)])
        parts.append(sparse.csr_matrix((block.data[picked], block.indices[picked], indptr), shape=block.shape))
    found = sparse.vstack(parts, format="csr")
    both = found.maximum(found.T.tocsr()).tocsr()
    both.sort_indices()
    return both


def blocks(rows: sparse.csr_matrix, columns: sparse.csr_matrix, room: int) -> Iterator[tuple[int, int]]:
    """Ranges of products whose rows of X'X together have at most `room` entries (at least one product each).

    A product's row has at most as many entries as there are products, and as its buyers' histories have lines.
    """
    products = rows.shape[1]
    size = np.diff(rows.indptr).astype(np.float64)
    most = np.minimum(columns.astype(bool).astype(np.float64) @ size, products)
    whole = np.cumsum(most)
    first = 0
    while first < products:
        reach = whole[first] - most[first] + room
        last = max(int(np.searchsorted(whole, reach, side="right")), first + 1)
        yield first, last
        first = last


def local_ridge(found: sparse.csr_matrix, *, penalty: float) -> sparse.csr_matrix:
    """W with (G[N,N] + penalty · I) w = G[N,j] in column j, N the strongest neighbours of j: csr float32.

    `found` is G as `gram` gives it. Products without neighbours have an empty column. The solves run in batches.

    >>> G = sparse.csr_matrix([[2.0, 1.0], [1.0, 1.0]], dtype=np.float32)
    >>> local_ridge(G, penalty=1.0).toarray().tolist()  # 1 / (1 + 1) and 1 / (2 + 1)
    [[0.0, 0.3333333432674408], [0.5, 0.0]]
    """
    products = found.shape[0]
    if not products:
        return found
    ids, strength = nearest(found, min(neighbours_of(products), max(products - 1, 1)))
    where = engine.blocks(products, most=SOLVED_AT_ONCE)
    parts = ((ids[rows], strength[rows]) for rows in where)
    solved = engine.map(partial(_solve, found, penalty), parts, rows=[rows.stop - rows.start for rows in where])
    known = ids >= 0
    target = np.broadcast_to(np.arange(products, dtype=np.int32)[:, None], known.shape)[known]
    whole = sparse.coo_matrix((np.concatenate(solved)[known], (ids[known], target)), shape=(products, products))
    out = whole.tocsr()
    out.sort_indices()
    return out


def nearest(found: sparse.csr_matrix, k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The `k` products of each row with the largest g_ij / √g_jj, and g_ij; -1 and 0 where there are fewer."""
    diagonal = found.diagonal()
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0)
    row = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    score = found.data * scale[found.indices]
    score[found.indices == row] = 0
    ranked = sparse.csr_matrix((score, found.indices, found.indptr), shape=found.shape)
    ids = np.full((found.shape[0], k), -1, np.int32)
    strength = np.zeros((found.shape[0], k), np.float32)
    for i, picked in enumerate(strongest(ranked, k)):
        ids[i, : len(picked)] = found.indices[picked]
        strength[i, : len(picked)] = found.data[picked]
    return ids, strength


def _solve(
    found: sparse.csr_matrix, penalty: float, part: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """One batch of systems, given neighbours and right sides; a place without a neighbour has the equation w = 0."""
    (ids, right), (count, k) = part, part[0].shape
    upper, lower = np.triu_indices(k)
    known = ids >= 0
    safe = np.where(known, ids, 0)
    values = np.asarray(found[safe[:, upper].ravel(), safe[:, lower].ravel()]).ravel().reshape(count, -1)
    values = np.where(known[:, upper] & known[:, lower], values, 0).astype(np.float32)
    system = np.empty((count, k, k), np.float32)
    system[:, upper, lower] = values
    system[:, lower, upper] = values
    step = np.arange(k)
    system[:, step, step] += np.where(known, np.float32(penalty), np.float32(1))
    with threadpool_limits(1):  # so small systems gain nothing from threads, and other work needs the cores
        return np.asarray(np.linalg.solve(system, right[:, :, None])[:, :, 0], np.float32)
