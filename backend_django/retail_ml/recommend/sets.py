"""Sets of two or three products: every two of a set are found together more often than by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.recommend.copurchase import Together
from retail_ml.recommend.evidence import Ints

LOOKED_AT = 1_000
"""Pairs that sets are made of: those with the most orders beyond chance."""


@dataclass(frozen=True)
class ProductSet:
    """Products (row numbers) and the evidence: of the two of them that meet least often, orders with both and lift."""

    rows: tuple[int, ...]
    together: int
    lift: float


@dataclass(frozen=True)
class Pairs:
    """Pairs that are a pattern, the most orders beyond chance first.

    `rows` (pairs, 2), the smaller number first; `together` (pairs,) orders with both; `chance` (pairs,) as many as
    there would be if neither product knew of the other.
    """

    rows: Ints
    together: Ints
    chance: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, found: Together, orders_with: npt.NDArray[np.integer[Any]], orders: int, *, most: int = LOOKED_AT
    ) -> Pairs:
        """The strongest of those that `evidence.shown_pairs` lets pass (its false discoveries are controlled)."""
        source, slot = np.nonzero(found.shown)
        other, count = found.table.ids[source, slot].astype(np.int64), found.pairs[source, slot].astype(np.int64)
        rows = np.column_stack([np.minimum(source, other), np.maximum(source, other)])
        rows, first = np.unique(rows, axis=0, return_index=True)
        chance = orders_with[rows].astype(float).prod(axis=1) / max(orders, 1)
        order = np.argsort(chance - count[first], kind="stable")[:most]
        return cls(rows[order], count[first][order], chance[order])


def sets(pairs: Pairs, *, fits: Callable[[int], bool] = lambda row: True, most: int = 10) -> list[ProductSet]:
    """Up to `most` sets without a product in common, the strongest first, of products that fit.

    The strongest pair left begins a set. A third product joins it when it is a pattern with both; of several, the one
    whose weaker tie has the most orders beyond chance.

    >>> pairs = Pairs(np.array([[0, 1], [0, 2], [1, 2], [2, 3]]), np.array([9, 8, 7, 6]), np.array([1.0, 1, 1, 3]))
    >>> sets(pairs)
    [ProductSet(rows=(0, 1, 2), together=7, lift=7.0)]
    >>> sets(pairs, fits=lambda row: row != 0)
    [ProductSet(rows=(1, 2), together=7, lift=7.0)]
    """
    ties: dict[int, dict[int, tuple[int, float]]] = defaultdict(dict)
    for (i, j), count, chance in zip(pairs.rows.tolist(), pairs.together.tolist(), pairs.chance.tolist(), strict=True):
        if fits(i) and fits(j):
            ties[i][j] = ties[j][i] = (count, chance)
    found: list[ProductSet] = []
    taken: set[int] = set()
    for i, j in pairs.rows.tolist():
        if len(found) == most:
            break
        if i in taken or j in taken or j not in ties[i]:
            continue
        both = [k for k in ties[i].keys() & ties[j].keys() if k not in taken]
        weaker = {k: min(count - chance for count, chance in (ties[i][k], ties[j][k])) for k in both}
        third = max(sorted(both), key=weaker.__getitem__, default=None)
        rows = (i, j) if third is None else (i, j, third)
        found.append(ProductSet(rows, *_evidence([ties[a][b] for a in rows for b in rows if a < b])))
        taken.update(rows)
    return found


def _evidence(ties: list[tuple[int, float]]) -> tuple[int, float]:
    """Orders and lift of the two products that meet least often."""
    count, chance = min(ties)
    return count, count / chance
