"""The history of the segments: sizes and money of each training, and who changed; nothing for who stays."""

from __future__ import annotations

from typing import Any

import polars as pl

from ml_predictions.models import MLModel
from ml_predictions.models_segments import SegmentChange, SegmentSnapshot
from ml_predictions.services.customer_rows import insert, named
from retail_ml.segment import DRIVERS, NAMES

CHUNK = 50_000
MONEY = ("spent", "spent_year", "value_12", "at_stake")


def write(model: MLModel, customers: pl.DataFrame, changes: pl.DataFrame | None, *, follows: int | None) -> None:
    """Add a training to the history. customers: `RESULT`; changes: `CHANGES` since the version `follows`, or None.

    What no version goes back to any more (trainings after one that was put back, once their files are gone) leaves it.
    """
    snapshot = SegmentSnapshot.objects.create(
        version=model.version, follows=follows, as_of=model.as_of, segments=sizes(customers)
    )
    if changes is not None:
        for part in changes.iter_slices(CHUNK):
            insert(SegmentChange, _rows(part, snapshot.pk))
    versions = MLModel.objects.filter(service=model.service).values_list("version", flat=True)
    kept = [snapshot.pk for snapshot in SegmentSnapshot.objects.lineage(*versions)]
    SegmentSnapshot.objects.exclude(pk__in=kept).delete()


def sizes(customers: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Customers and money of each segment; null where no customer's is known."""
    sums = [pl.when(pl.col(c).count() > 0).then(pl.col(c).sum().round(2)).alias(c) for c in MONEY]
    found = customers.group_by("segment").agg(pl.len().alias("customers"), *sums)
    rows = {NAMES[row.pop("segment")]: row for row in found.iter_rows(named=True)}
    empty = {"customers": 0, **dict.fromkeys(MONEY, 0.0)}
    return {name: rows.get(name, empty) for name in NAMES}


def _rows(changes: pl.DataFrame, snapshot_id: int) -> pl.DataFrame:
    """Columns of the table `SegmentChange`."""
    return changes.select(
        pl.lit(snapshot_id, dtype=pl.Int64).alias("snapshot_id"),
        "customer_id",
        named("before").alias("before"),
        named("after").alias("after"),
        pl.col("driver").replace_strict(dict(enumerate(DRIVERS)), return_dtype=pl.String),
        pl.col("value_before", "value_after").round(2),
    )
