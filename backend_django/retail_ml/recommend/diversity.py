"""Lists that do not say the same thing ten times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

POOL = 50
"""Candidates among which the order may change."""
LEAST = 1e-6

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def diversified(rows: Rows, score: Scores, vectors: sparse.csr_matrix, *, weight: float) -> tuple[Rows, Scores]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) on the first 50: rows and their new scores.

    The next product is the one with the largest s - weight / (1 - weight) · (largest likeness to one already chosen),
    s over the largest score; that value, which only falls, is its new score. `vectors`: products × terms, of length 1.

    >>> same = sparse.csr_matrix([[1.0, 0], [1.0, 0], [0, 1.0]])
    >>> diversified(np.array([0, 1, 2]), np.array([1.0, 0.9, 0.8]), same, weight=0.2)[0].tolist()
    [0, 2, 1]
    """
    pool = rows[:POOL]
    if len(pool) < 3 or score[0] <= 0:
        return rows, score
    text = vectors[pool]
    alike = np.asarray((text @ text.T).toarray(), dtype=np.float64)
    left, worst = score[: len(pool)] / score[0], np.zeros(len(pool))
    order, value = [], []
    for _ in range(len(pool)):
        marginal = left - weight / (1 - weight) * worst
        at = int(np.argmax(marginal))
        order.append(at)
        value.append(marginal[at])
        worst = np.maximum(worst, alike[at])
        left[at] = -np.inf
    new = np.maximum(np.array(value) * score[0], LEAST)
    tail = np.minimum(score[len(pool) :], new[-1])
    return np.concatenate([pool[order], rows[len(pool) :]]), np.concatenate([new, tail])
