"""Customers drawn from an MBG/NBD with gamma-distributed spend, always the same ones."""

from __future__ import annotations

import numpy as np

from retail_ml.segment.buying import History
from retail_ml.segment.space import Array


def drawn(customers: int = 1_500, seed: int = 7) -> tuple[History, Array]:
    """Histories and mean spend of all visits. `RandomState`: its stream is frozen, as golden values need it."""
    rng = np.random.RandomState(seed)
    age = rng.uniform(5, 60, customers)
    rate, leave = rng.gamma(0.6, 1 / 8.0, customers), rng.beta(0.9, 2.0, customers)
    size = 12.0 / rng.gamma(4.0, 1.0, customers) * 4.0
    x, last = np.zeros(customers), np.zeros(customers)
    for i in range(customers):
        day = 0.0
        while rng.uniform() >= leave[i]:
            day += rng.exponential(1 / rate[i])
            if day > age[i]:
                break
            x[i], last[i] = x[i] + 1, day
    spend = rng.gamma(6.0 * (x + 1), size / 6.0) / (x + 1)
    return History(x, last, age), spend
