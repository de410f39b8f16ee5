"""From features to the six segments: clusters where there are enough customers, else places or plain rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.segment import clusters, naming
from retail_ml.segment.guards import apply_guards, by_rules
from retail_ml.segment.review import Frozen, distribution
from retail_ml.segment.space import Array, Space, logs, standing

KMEANS_FROM, RANKS_FROM = 30, 10
"""Customers from which on clusters, and places among all, mean something."""


@dataclass(frozen=True)
class Groups:
    """The segment of each customer. Arrays of shape (n,) in the order of the features; names index `naming.NAMES`.

    method: "kmeans", "ranks" or "rules". cluster: the cluster (K-Means), else the name before the guards.
    cluster_names: the name of each cluster. guard: index into `guards.RULES` of the rule that moved the customer.
    confidence: 0…1, from `clusters.margins`, lowered in proportion under 30 customers. rival: the name of the nearest
    centre of another name (-1: none); axes: (n, 2) the axes that decided against it (-1: none). held: True where
    hysteresis kept the customer. frozen: the map, None without clusters.
    """

    method: str
    cluster: NDArray[np.int8]
    segment: NDArray[np.int8]
    guard: NDArray[np.int8]
    confidence: Array
    cluster_names: NDArray[np.int8]
    far: NDArray[np.bool_]
    points: Array
    rival: NDArray[np.int8]
    axes: NDArray[np.int8]
    held: NDArray[np.bool_]
    frozen: Frozen | None = None
    reason: dict[str, object] | None = None


def group(
    features: pl.DataFrame,
    k: int = 6,
    *,
    frozen: Frozen | None = None,
    anew: bool = True,
    kept: NDArray[np.int8] | None = None,
) -> Groups:
    """Group the customers of `features` (`FEATURES`) into `k` clusters under six names.

    K-Means from 30 customers on that differ in at least max(k, 6) ways. Fewer, or nearly all alike: each takes the
    archetype nearest to each customer's place among all. Fewer than ten: thresholds. The guards come after each.

    frozen: the map of an earlier training. It is used as it is, unless `anew`: then the search for centres begins at
    its own, and its names stay where they fit. kept: (n,) the name that a customer who did nothing had (-1: free).
    """
    raw, places = logs(features), standing(logs(features))
    if len(raw) >= KMEANS_FROM and (frozen is not None or _differ(raw, max(k, 6))):
        return _by_clusters(features, raw, places, k, start=frozen, anew=anew or frozen is None, kept=kept)
    gap = np.sqrt(naming.distances(places))
    everyone = np.arange(6, dtype=np.int8)
    nearest = gap.argmin(axis=1).astype(np.int8)
    sure, rival = clusters.margins(gap, everyone, nearest)
    if len(raw) < RANKS_FROM:
        before, method, code = by_rules(features), "rules", "segment.method_rules"
        axes = np.full((len(raw), 2), -1, dtype=np.int8)
    else:
        before, method = nearest, "ranks"
        code = "segment.method_ranks" if len(raw) < KMEANS_FROM else "segment.method_alike"
        scale = np.sqrt(naming.AXIS_WEIGHTS)
        axes = clusters.deciding(places * scale, naming.ARCHETYPES * scale, nearest, rival)
    segment, guard = apply_guards(before, features)
    return Groups(
        method, before, segment, guard, sure * min(1.0, len(raw) / KMEANS_FROM), everyone, np.zeros(6, dtype=bool),
        Space.fit(raw).place(raw), rival.astype(np.int8), axes, np.zeros(len(raw), dtype=bool),
        reason={"code": code, "params": {"customers": len(raw), "needed": KMEANS_FROM}},
    )  # fmt: skip


def _differ(raw: Array, ways: int) -> bool:
    """Are there at least so many different customers, after clipping?"""
    return pl.DataFrame(Space.fit(raw).place(raw).round(9)).n_unique() >= ways


def _by_clusters(
    features: pl.DataFrame,
    raw: Array,
    places: Array,
    k: int,
    *,
    start: Frozen | None,
    anew: bool,
    kept: NDArray[np.int8] | None,
) -> Groups:
    frozen = start if start is not None and not anew else draw(raw, places, k, start)
    points = frozen.space.place(raw)
    gap = clusters.distances(points, frozen.centres)
    cluster = gap.argmin(axis=1).astype(np.int8)
    held = np.zeros(len(raw), dtype=bool)
    if kept is not None:
        cluster, held = clusters.hold(gap, np.where(frozen.far, -2, frozen.names).astype(np.int8), cluster, kept)
    before = frozen.names[cluster]
    lost = frozen.far[cluster]
    if lost.any():
        before[lost] = naming.distances(places[lost]).argmin(axis=1)
    segment, guard = apply_guards(before, features)
    confidence, rival = clusters.margins(gap, frozen.names, cluster)
    axes = clusters.deciding(points, frozen.centres, cluster, rival)
    axes[lost] = -1
    rival_name = np.where(rival >= 0, frozen.names[rival], -1).astype(np.int8)
    return Groups(
        "kmeans", cluster, segment, guard, confidence, frozen.names, frozen.far, points, rival_name, axes, held, frozen
    )  # fmt: skip


def draw(raw: Array, places: Array, k: int, start: Frozen | None = None) -> Frozen:
    """A new map of these customers, from the centres of `start` or from the archetypes. raw, places: (n, 4)."""
    space = Space.fit(raw)
    points = space.place(raw)
    centres = clusters.fit_centres(points, k, None if start is None else start.centres_in(space))
    nearest = clusters.distances(points, centres).argmin(axis=1).astype(np.int8)
    named = naming.name_clusters(nearest, places, k, kept=None if start is None else start.names)
    return Frozen(space, centres, named.of_cluster, named.far, *distribution(raw))
