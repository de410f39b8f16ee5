"""The best products of every product page, in blocks of products."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml import engine
from retail_ml.recommend.base import Batch, Recommender

Pages = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]

AT_ONCE = 100
"""Pages whose scores are in memory together."""
MOST = 10_000
"""Pages that are one part of the work, at most."""


def page_table(model: Recommender, *, k: int) -> Pages:
    """The best `k` of every product that `model` knows: rows (int32, -1: none) and scores (float32), products × k."""
    where = engine.blocks(len(model.tables_), most=MOST)
    if not where:
        return np.full((0, k), -1, np.int32), np.zeros((0, k), np.float32)
    ids, scores = engine.joined(partial(_pages, model, k), where, rows=[rows.stop - rows.start for rows in where])
    return ids, scores


def _pages(model: Recommender, k: int, rows: slice) -> Pages:
    """`page_table` of some products."""
    products, count = len(model.tables_), rows.stop - rows.start
    ids, scores = np.full((count, k), -1, np.int32), np.zeros((count, k), np.float32)
    every, mask = sparse.identity(products, format="csr"), np.asarray(model.tables_.active)
    for first in range(rows.start, rows.stop, AT_ONCE):
        batch = Batch.of_subjects(every[first : min(first + AT_ONCE, rows.stop)], mask=mask)
        for at, (best, score) in enumerate(model.top_many(batch, k=k), start=first - rows.start):
            ids[at, : len(best)], scores[at, : len(best)] = best, score
    return ids, scores
