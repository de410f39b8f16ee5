"""Figures of a pair: bounds, the exact test, and how many false patterns are shown."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse, stats

from retail_ml.recommend.copurchase import learn
from retail_ml.recommend.evidence import discoveries, upper_tail, wilson_lower


@pytest.mark.parametrize(
    ("hits", "trials", "lower"), [(81, 263, 0.2553), (15, 148, 0.0624), (0, 20, 0.0), (1, 29, 0.0061)]
)
def test_wilson_lower_bound(hits, trials, lower):
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3."""
    assert wilson_lower(hits, trials) == pytest.approx(lower, abs=5e-5)


def test_upper_tail_is_that_of_the_hypergeometric_distribution():
    """Against scipy.stats.hypergeom and Fisher's exact test."""
    rng = np.random.default_rng(3)
    total = rng.integers(50, 3_000, 200)
    marked, draws = (rng.integers(3, total // 4) for _ in range(2))
    k = np.minimum(rng.poisson(marked * draws / total) + rng.integers(0, 8, 200), np.minimum(marked, draws))
    found = upper_tail(k, marked=marked, draws=draws, total=total)
    expected = stats.hypergeom.sf(k - 1, total, marked, draws)
    above = k * total > marked * draws
    np.testing.assert_allclose(found[above], expected[above], rtol=1e-7)
    assert above.sum() > 50
    assert (found[~above] == 1).all()
    assert (expected[~above] > 0.3).all()
    table = [[k[0], marked[0] - k[0]], [draws[0] - k[0], total[0] - marked[0] - draws[0] + k[0]]]
    if above[0]:
        assert found[0] == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
    assert upper_tail(np.array([5]), marked=np.array([4]), draws=np.array([9]), total=np.array([20])).tolist() == [0.0]


def test_discoveries_by_the_paper():
    """Benjamini and Hochberg 1995, section 3.2: 15 values, four rejected at 5 %."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]  # fmt: skip
    assert discoveries(np.array(p), tests=15).sum() == 4
    assert discoveries(np.array(p[:9]), tests=15).sum() == 4  # the others count as 1
    assert discoveries(np.array(p[::-1]), tests=15).tolist() == [False] * 11 + [True] * 4
    assert not len(discoveries(np.empty(0), tests=0))


def dealt(sizes: np.ndarray, weight: np.ndarray, rng: np.random.Generator) -> sparse.csr_matrix:
    """Orders of these sizes, filled without any pattern: each product by its popularity alone."""
    rows = [rng.choice(len(weight), size=size, replace=False, p=weight) for size in sizes]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    matrix = sparse.csr_matrix((np.ones(indptr[-1], np.float32), np.concatenate(rows), indptr))
    matrix.resize(len(sizes), len(weight))
    return matrix


def shown_of(matrix: sparse.csr_matrix) -> int:
    flat = np.ones(matrix.shape[1])
    return int(learn(matrix, np.zeros(matrix.shape[0]), flat, half_life=180, k=matrix.shape[1] - 1).shown.sum() // 2)


def test_shuffled_baskets_show_at_most_the_stated_rate():
    """Orders of very unequal sizes and no pattern: a pattern may be shown in one shop of twenty.

    Under a test that takes orders for equally large, the large ones (which hold everything) make pairs by the hundred.
    """
    rng = np.random.default_rng(1)
    weight = 1 / np.arange(1, 61)
    weight /= weight.sum()
    sizes = np.concatenate([np.full(400, 2), np.full(60, 12), np.full(8, 40)])
    alarms = [shown_of(dealt(sizes, weight, rng)) > 0 for _ in range(40)]
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)
    matrix = dealt(sizes, weight, rng)
    both = np.triu((matrix.T @ matrix).toarray(), 1).astype(int)
    first, second = np.nonzero(both >= 3)
    bought = np.asarray(matrix.sum(axis=0)).ravel().astype(int)
    naive = upper_tail(both[first, second], marked=bought[first], draws=bought[second], total=np.array(len(sizes)))
    assert discoveries(naive, tests=60 * 59 // 2).sum() > 20


def test_true_patterns_are_shown():
    rng = np.random.default_rng(2)
    weight = 1 / np.arange(1, 61)
    matrix = dealt(np.full(600, 3), weight / weight.sum(), rng).tolil()
    matrix[::20, 40] = matrix[::20, 41] = 1
    assert 1 <= shown_of(matrix.tocsr()) <= 3
