"""Many lists put in order together are those that each would have been by itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from retail_ml.recommend.diversity import LEAST, POOL, diversified


def alone(rows, score, vectors, *, weight):
    """The plain definition of maximal marginal relevance, a product at a time."""
    if len(rows) < 3 or score[0] <= 0:
        return rows, score
    text = vectors[rows[:POOL]]
    alike = (text @ text.T).toarray().astype(float)
    left, order, value = score[:POOL] / score[0], [], []
    for _ in range(len(alike)):
        worst = alike[:, order].max(axis=1) if order else np.zeros(len(alike))
        marginal = np.where(np.isin(np.arange(len(alike)), order), -np.inf, left - weight / (1 - weight) * worst)
        order.append(int(np.argmax(marginal)))
        value.append(marginal[order[-1]])
    new = np.maximum(np.array(value) * score[0], LEAST)
    return np.concatenate([rows[order], rows[POOL:]]), np.concatenate([new, np.minimum(score[POOL:], new[-1])])


@pytest.mark.parametrize("products", [80, 3_000], ids=["one table for all lists", "columns of its own for each"])
@pytest.mark.parametrize("most", [10, 70])
def test_lists_together_are_as_each_alone(products, most):
    rng = np.random.default_rng(4)
    words = rng.zipf(1.5, (products, 12)) % 500
    vectors = sparse.csr_matrix(
        (rng.random(words.size).astype(np.float32), (np.repeat(np.arange(products), 12), words.ravel())),
        shape=(products, 2_000),
    )
    vectors = (sparse.diags(1 / np.sqrt(vectors.multiply(vectors).sum(axis=1).A1)) @ vectors).tocsr()
    size = [*rng.integers(1, 70, 30), 2, 3, 60]
    lists = [
        (rng.choice(products, n, replace=False), np.sort(rng.integers(0, 20, n) / 20)[::-1]) for n in size
    ]  # of equals the first comes first
    found = diversified(lists, vectors, weight=0.2, most=most)
    for (rows, score), mine in zip(found, lists, strict=True):
        expected = alone(*mine, vectors, weight=0.2)
        np.testing.assert_array_equal(rows, expected[0][:most])
        np.testing.assert_array_equal(score, expected[1][:most])
