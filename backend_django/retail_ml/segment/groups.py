"""From features to the six segments: clusters where there are enough customers, else places or plain rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.segment import clusters, naming
from retail_ml.segment.guards import apply_guards, by_rules
from retail_ml.segment.space import Array, Space, logs, standing

KMEANS_FROM, RANKS_FROM = 30, 10
"""Customers from which on clusters, and places among all, mean something."""


@dataclass(frozen=True)
class Groups:
    """The segment of each customer. Arrays of shape (n,) in the order of the features; names index `naming.NAMES`.

    method: "kmeans", "ranks" or "rules". cluster: the cluster (K-Means), else the name before the guards.
    cluster_names: the name of each cluster. guard: index into `guards.RULES` of the rule that moved the customer.
    confidence: 0…1, from `clusters.margins`, lowered in proportion under 30 customers.
    """

    method: str
    cluster: NDArray[np.int8]
    segment: NDArray[np.int8]
    guard: NDArray[np.int8]
    confidence: Array
    cluster_names: NDArray[np.int8]
    far: NDArray[np.bool_]
    space: Space
    centres: Array
    points: Array
    reason: dict[str, object] | None = None


def group(features: pl.DataFrame, k: int = 6) -> Groups:
    """Segment the customers of `features` (`features.FEATURES`) with `k` clusters (2…12).

    30 customers or more, with at least max(k, 6) different ones: K-Means. From 10, or where too many are alike: the
    archetype nearest to each customer's place among all. Fewer: thresholds. The guards come after each.
    """
    raw = logs(features)
    space, places = Space.fit(raw), standing(raw)
    points = space.place(raw)
    if len(raw) >= KMEANS_FROM and len(np.unique(points.round(9), axis=0)) >= max(k, 6):
        return _by_clusters(features, points, places, space, k)
    gap = np.sqrt(naming.distances(places))
    everyone = np.arange(6, dtype=np.int8)
    confidence = clusters.margins(gap, everyone) * min(1.0, len(raw) / KMEANS_FROM)
    if len(raw) < RANKS_FROM:
        before, method, code = by_rules(features), "rules", "segment.method_rules"
    else:
        before, method = gap.argmin(axis=1).astype(np.int8), "ranks"
        code = "segment.method_ranks" if len(raw) < KMEANS_FROM else "segment.method_alike"
    segment, guard = apply_guards(before, features)
    reason: dict[str, object] = {"code": code, "params": {"customers": len(raw), "needed": KMEANS_FROM}}
    return Groups(
        method, before, segment, guard, confidence, everyone, np.zeros(6, dtype=bool), space, np.empty((0, 4)), points,
        reason,
    )  # fmt: skip


def _by_clusters(features: pl.DataFrame, points: Array, places: Array, space: Space, k: int) -> Groups:
    centres = clusters.fit_centres(points, k)
    gap = clusters.distances(points, centres)
    cluster = gap.argmin(axis=1).astype(np.int8)
    named = naming.name_clusters(cluster, places, k)
    before = named.of_cluster[cluster]
    lost = named.far[cluster]
    if lost.any():
        before[lost] = naming.distances(places[lost]).argmin(axis=1)
    segment, guard = apply_guards(before, features)
    confidence = clusters.margins(gap, named.of_cluster)
    return Groups(
        "kmeans", cluster, segment, guard, confidence, named.of_cluster, named.far, space, centres, points
    )  # fmt: skip
