"""The six names: what each stands for, and which cluster gets which.

An archetype is a place among all customers on four axes (0…1; recent, often, much, long = 1). A cluster gets its
name by the place of its average member: the assignment of least total squared distance (Kuhn 1955, "The Hungarian
method", Naval Research Logistics Quarterly 2), so names are unique and do not depend on cluster numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from retail_ml.segment.space import Array

NAMES = ("vip", "frequent", "occasional", "at_risk", "new", "inactive")
VIP, FREQUENT, OCCASIONAL, AT_RISK, NEW, INACTIVE = range(6)
ARCHETYPES = np.array(
    [
        [0.85, 0.92, 0.92, 0.65],
        [0.78, 0.72, 0.60, 0.60],
        [0.55, 0.38, 0.40, 0.50],
        [0.25, 0.72, 0.70, 0.70],
        [0.90, 0.22, 0.30, 0.08],
        [0.12, 0.22, 0.25, 0.70],
    ]
)
"""Standing of each archetype: recency, frequency, monetary, tenure; rows in the order of `NAMES`."""
AXIS_WEIGHTS = np.array([1.0, 1.0, 1.0, 0.36])
FAR = 0.35
"""A cluster whose squared distance to its name is more than this gives its members their own nearest names."""

_FEWER = (VIP, INACTIVE, OCCASIONAL, AT_RISK, NEW, FREQUENT)
_BETWEEN = (
    (VIP, FREQUENT), (OCCASIONAL, INACTIVE), (FREQUENT, OCCASIONAL), (AT_RISK, INACTIVE), (NEW, OCCASIONAL),
    (VIP, AT_RISK),
)  # fmt: skip


def starting_points(k: int) -> Array:
    """Where the search for `k` clusters (2…12) begins, as standings; shape (k, 4).

    Six: the archetypes. Fewer: those that differ most. More: points between neighbours besides.

    >>> starting_points(2).tolist()
    [[0.85, 0.92, 0.92, 0.65], [0.12, 0.22, 0.25, 0.7]]
    """
    if k <= 6:
        return ARCHETYPES[sorted(_FEWER[:k])]
    between = [(ARCHETYPES[a] + ARCHETYPES[b]) / 2 for a, b in _BETWEEN[: k - 6]]
    return np.vstack([ARCHETYPES, *between])


def distances(standings: Array) -> Array:
    """Squared distance of each standing (n, 4) to each archetype; shape (n, 6).

    >>> float(distances(ARCHETYPES[:1])[0, 0])
    0.0
    """
    out = np.empty((len(standings), 6))
    for j, archetype in enumerate(ARCHETYPES):
        out[:, j] = ((standings - archetype) ** 2 * AXIS_WEIGHTS).sum(axis=1)
    return out


@dataclass(frozen=True)
class Named:
    """Names of clusters: `of_cluster` (k,) indices into NAMES; `far` (k,) True where the name fits badly."""

    of_cluster: NDArray[np.int8]
    far: NDArray[np.bool_]
    distance: Array


def name_clusters(labels: NDArray[np.int8], standings: Array, k: int, *, kept: NDArray[np.int8] | None = None) -> Named:
    """Which name each of `k` clusters gets.

    With six clusters or fewer all names differ. With more, six clusters get the six names and each further one the
    name it is nearest to, so that it joins that segment. An empty cluster, or one farther than `FAR` from its
    name, is `far`. kept: (k,) names from an earlier training; they stay as long as all of them fit.

    >>> name_clusters(np.array([0, 1], dtype=np.int8), ARCHETYPES[[5, 0]], 2).of_cluster.tolist()
    [5, 0]
    """
    size = np.bincount(labels, minlength=k)
    sums = np.stack([np.bincount(labels, weights=standings[:, j], minlength=k) for j in range(4)], axis=1)
    gap = distances(sums / np.maximum(size, 1)[:, None])
    gap[size == 0] = 9.0  # an empty cluster takes what is left over
    if kept is not None and ((gap[np.arange(k), kept] <= FAR) | (size == 0)).all():
        name = kept.astype(np.int64)
    else:
        name = gap.argmin(axis=1)
        clusters, names = linear_sum_assignment(gap)
        name[clusters] = names
    matched = gap[np.arange(k), name]
    return Named(name.astype(np.int8), (matched > FAR) | (size == 0), matched)
