"""What the groups look like: sizes, medians, share of revenue, how well they stand apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from retail_ml.segment.clusters import silhouette
from retail_ml.segment.groups import KMEANS_FROM, Groups
from retail_ml.segment.guards import RULES
from retail_ml.segment.naming import NAMES


def profiles(features: pl.DataFrame, label: np.ndarray) -> dict[int, dict[str, Any]]:
    """Per label: customers, share, median recency, orders, spend and tenure, and share of revenue (spend above 0).

    features: `features.FEATURES`; label: one small integer per row. Labels without customers are absent.

    >>> frame = pl.DataFrame({"recency_days": [1, 3], "orders": [2, 4], "spent": [5.0, 15.0], "tenure_days": [9, 9]})
    >>> profiles(frame, np.array([0, 0]))[0]["spent"]
    10.0
    """
    paid = pl.col("spent").clip(lower_bound=0)
    found = (
        features.with_columns(label=pl.Series(label))
        .group_by("label")
        .agg(
            customers=pl.len(),
            recency_days=pl.col("recency_days").median(),
            orders=pl.col("orders").median(),
            spent=pl.col("spent").median(),
            tenure_days=pl.col("tenure_days").median(),
            revenue=paid.sum(),
        )
        .sort("label")
    )
    revenue = max(float(found["revenue"].sum()), 1e-9)
    return {
        row["label"]: {
            "customers": row["customers"],
            "share": round(row["customers"] / len(features), 4),
            "recency_days": row["recency_days"],
            "orders": row["orders"],
            "spent": round(row["spent"], 2),
            "tenure_days": row["tenure_days"],
            "revenue_share": round(row["revenue"] / revenue, 4),
        }
        for row in found.iter_rows(named=True)
    }


def group_metrics(features: pl.DataFrame, groups: Groups, rng: np.random.Generator) -> dict[str, Any]:
    """The metrics of a segmentation: silhouette (clusters, before the guards), sizes, names, profiles, segments."""
    apart = silhouette(groups.points, groups.cluster, rng) if groups.method == "kmeans" else None
    reason = {"code": "segment.no_silhouette", "params": {"customers": len(features), "needed": KMEANS_FROM}}
    by_cluster, by_segment = profiles(features, groups.cluster), profiles(features, groups.segment)
    empty = {"customers": 0, "share": 0.0, "revenue_share": 0.0}
    moved = np.bincount(groups.guard, minlength=len(RULES))
    return {
        "n_clusters": len(groups.cluster_names),
        "n_customers": len(features),
        "method": groups.method,
        "method_reason": groups.reason,
        "silhouette_score": round(apart[0], 4) if apart else None,
        "silhouette_sd": round(apart[1], 4) if apart else None,
        "silhouette_reason": None if apart else reason,
        "cluster_sizes": {str(c): by_cluster.get(c, empty)["customers"] for c in range(len(groups.cluster_names))},
        "cluster_names": {str(c): NAMES[name] for c, name in enumerate(groups.cluster_names)},
        "cluster_far": [str(c) for c in np.flatnonzero(groups.far)],
        "cluster_profiles": {str(c): profile for c, profile in by_cluster.items()},
        "segments": {name: by_segment.get(i, empty) for i, name in enumerate(NAMES)},
        "moved_by_rules": {rule: int(moved[i]) for i, rule in enumerate(RULES) if rule},
    }
