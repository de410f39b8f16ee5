"""Sets of products that are bought together."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from retail_ml.recommend import copurchase
from retail_ml.recommend.sets import Pairs, sets

PRODUCTS, ORDERS = 30, 3_000


def pairs_of(baskets: list[list[int]]) -> Pairs:
    """The pairs that count as patterns among these baskets."""
    indptr = np.cumsum([0, *map(len, baskets)])
    indices = np.concatenate([np.asarray(one, dtype=np.int64) for one in baskets])
    matrix = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(baskets), PRODUCTS))
    found = copurchase.learn(matrix, np.zeros(len(baskets)), np.ones(PRODUCTS), half_life=180.0, k=10)
    return Pairs.of(found, np.bincount(indices, minlength=PRODUCTS), len(baskets))


def by_chance(rng: np.random.Generator) -> list[list[int]]:
    """Baskets in which no product knows of another."""
    return [sorted(rng.choice(PRODUCTS, size=int(rng.integers(1, 4)), replace=False).tolist()) for _ in range(ORDERS)]


def test_planted_sets_are_found_with_their_counts():
    baskets = by_chance(np.random.default_rng(3))
    plain = baskets.copy()
    baskets += [[0, 1, 2]] * 150 + [[7, 8]] * 90
    found = sets(pairs_of(baskets))
    assert [one.rows for one in found[:2]] == [(0, 1, 2), (7, 8)]
    held = [sum({a, b} <= set(basket) for basket in plain) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found[0].together == 150 + min(held)
    with_7, with_8 = (sum(n in basket for basket in baskets) for n in (7, 8))
    both = sum({7, 8} <= set(basket) for basket in baskets)
    assert found[1].together == both
    assert np.isclose(found[1].lift, both * len(baskets) / (with_7 * with_8))


def test_chance_makes_next_to_no_sets():
    assert sum(len(sets(pairs_of(by_chance(np.random.default_rng(seed))))) for seed in range(20)) <= 4


def test_no_product_stands_in_two_sets_and_what_does_not_fit_in_none():
    baskets = by_chance(np.random.default_rng(4)) + [[0, 1]] * 100 + [[1, 2]] * 80 + [[3, 4]] * 60
    found = sets(pairs_of(baskets), fits=lambda row: row != 3)
    rows = [row for one in found for row in one.rows]
    assert len(rows) == len(set(rows))
    assert 3 not in rows
    assert found[0].rows == (0, 1)  # 0 and 2 never meet more than by chance: no set of three
    assert sets(pairs_of(baskets), most=1)[0].rows == (0, 1)
