"""The space in which customers are compared: logarithms of recency, visits, spend and tenure, on one scale.

Recency enters as log(R + 30): with log(R + 1) the first week would weigh as much as the following years and
customers would change segment from day to day. Every column is clipped to its 1st and 99th percentile, centred
and scaled; the parameters are kept, so that later customers are placed on the same map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

AXES = ("recency", "frequency", "monetary", "tenure")
WEIGHTS = np.array([1.0, 1.0, 1.0, 0.5])
"""How much a standard deviation of each axis counts."""
RECENCY_OFFSET = 30
"""Days added to recency before the logarithm."""
CLIP = (0.01, 0.99)


def logs(features: pl.DataFrame) -> Array:
    """log(recency + 30), log(1 + visits), log(1 + spent), log(1 + tenure) per customer; shape (n, 4).

    Spend at or below zero (everything was returned) counts as zero.

    >>> one = pl.DataFrame({"recency_days": [0], "visits": [1], "spent": [-5.0], "tenure_days": [0]})
    >>> logs(one).round(3).tolist()
    [[3.401, 0.693, 0.0, 0.0]]
    """
    columns = features.select(
        (pl.col("recency_days") + RECENCY_OFFSET).log(),
        pl.col("visits").log1p(),
        pl.col("spent").clip(lower_bound=0).log1p(),
        pl.col("tenure_days").log1p(),
    )
    return np.ascontiguousarray(columns.to_numpy().astype(np.float64))


def standing(raw: Array) -> Array:
    """Each customer's place among all, 0…1 per axis, half of the ties below: recent, often, much, long = 1.

    raw: shape (n, 4), from `logs`. Recency is turned round.

    >>> standing(np.array([[1.0, 1, 5, 2], [2.0, 1, 7, 1]])).tolist()
    [[0.75, 0.5, 0.25, 0.75], [0.25, 0.5, 0.75, 0.25]]
    """
    place = (rankdata(raw, axis=0) - 0.5) / len(raw)
    place[:, 0] = 1 - place[:, 0]
    return np.asarray(place, dtype=np.float64)


def quintiles(values: Array) -> NDArray[np.int8]:
    """1…5 per value: 1 + the fifths of all customers that have strictly less. Equal values, equal score.

    Where all are equal the score is 3.

    >>> quintiles(np.array([1.0, 1, 1, 2, 9])).tolist()
    [1, 1, 1, 4, 5]
    """
    if len(values) == 0 or values.min() == values.max():
        return np.full(len(values), 3, dtype=np.int8)
    below = rankdata(values, method="min") - 1
    return np.asarray(1 + (5 * below) // len(values), dtype=np.int8)


@dataclass(frozen=True)
class Space:
    """The frozen clipping bounds, centre and scale of each axis (shape (4,) each)."""

    lower: Array
    upper: Array
    mean: Array
    scale: Array

    @classmethod
    def fit(cls, raw: Array) -> Space:
        """The space of these customers. raw: shape (n, 4), from `logs`.

        A column that clipping would make constant, though it is not, stays unclipped: one buyer of 500 orders
        among people who came once is not noise.

        >>> Space.fit(np.array([[0.0, 1, 0, 0], [2.0, 1, 0, 0]])).mean.tolist()
        [1.0, 1.0, 0.0, 0.0]
        """
        lower, upper = np.quantile(raw, CLIP, axis=0)
        erased = (lower == upper) & (raw.min(axis=0) < raw.max(axis=0))
        lower = np.where(erased, raw.min(axis=0), lower)
        upper = np.where(erased, raw.max(axis=0), upper)
        clipped = np.clip(raw, lower, upper)
        sd = clipped.std(axis=0)
        return cls(lower, upper, clipped.mean(axis=0), np.where(sd > 1e-9, sd, 1.0))

    def place(self, raw: Array) -> Array:
        """Coordinates of customers; shape (n, 4). Distances between them are what clustering sees.

        >>> Space.fit(np.array([[0.0, 1, 0, 0], [2.0, 1, 0, 0]])).place(np.array([[1.0, 1, 0, 0]])).tolist()
        [[0.0, 0.0, 0.0, 0.0]]
        """
        return np.asarray((np.clip(raw, self.lower, self.upper) - self.mean) / self.scale * WEIGHTS)
