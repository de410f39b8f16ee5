"""Whom to tell of a new product: customers who lately bought what is described like it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.recommend.base import best
from retail_ml.recommend.data import Sales
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.tables import PART, Tables

HALF_LIFE, ACTIVITY = 120.0, 60.0
"""Days, times the shop's rhythm: of what a customer bought, and of how active he is."""
ALIKE = 0.1
"""Likeness from which a product counts."""
LEAST_ACTIVITY = 0.05

Floats = npt.NDArray[np.float64]


def interest(histories: Histories, likeness: Floats, *, rhythm: float = 1.0) -> Floats:
    """Σ_j √D_120(u,j) s_j² [s_j ≥ 0.1] × √(decayed orders (60 days) + 0.05) of every customer: array of `count`.

    `likeness` (products): how much the new product is like each that is sold, 0…1. Not normalised by how much a
    customer bought: those who buy much buy new things, too.

    >>> two = Histories(np.array([0, 1]), np.array([0, 1]), np.array([1, 2]), np.array([0.0, 0.0]), 2, 2)
    >>> interest(two, np.array([0.5, 0.05])).round(3).tolist()  # 0.25 · √1.05, and too unlike
    [0.256, 0.0]
    """
    alike = np.where(likeness >= ALIKE, np.square(likeness), 0.0)
    taste = np.asarray(histories.decayed(HALF_LIFE * rhythm).sqrt() @ alike).ravel()
    return np.asarray(taste * np.sqrt(histories.decayed_orders(ACTIVITY * rhythm) + LEAST_ACTIVITY))


def audience(sales: Sales, tables: Tables, *, text: str, price: float | None, k: int) -> list[tuple[int, float]]:
    """The `k` customers (numbers in `sales`) most interested in a product with these words and price, and how much.

    Nobody is named who never bought anything like it. Histories are read in parts of 50,000 customers.
    """
    if not text.strip() or not sales.customers:
        return []
    likeness = tables.text.similar_to(text, price=price)
    found = [
        interest(
            Histories.of(sales, np.arange(first, min(first + PART, sales.customers))),
            likeness,
            rhythm=tables.weights.rhythm,
        )
        for first in range(0, sales.customers, PART)
    ]
    score = np.concatenate(found)
    return [(int(customer), float(score[customer])) for customer in best(score, k)]
