"""Who moved between two trainings, from which segment to which, and what drove it."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.frames import Schema
from retail_ml.segment.naming import NEW

DRIVERS = ("", "first_order", "ordered", "returned", "no_longer_new", "silence", "review", "left")
"""What drove a change, the codes of `CHANGES`: see `compare`."""
NOBODY = -1
"""Stands for a segment where there is none: before the first order, or after the last one was taken away."""

CHANGES: Schema = {  # one row per customer whose segment changed, sorted by id
    "customer_id": pl.String,
    "before": pl.Int8,  # index into naming.NAMES; -1: had no order yet
    "after": pl.Int8,  # -1: has no order any more (an import undone, a person erased)
    "driver": pl.Int8,  # index into DRIVERS
    "value_before": pl.Float64,  # expected revenue of 12 months; null: unknown
    "value_after": pl.Float64,
}


def compare(
    before: pl.DataFrame, now: pl.DataFrame, *, then: date, as_of: date, on_old_map: NDArray[np.int8] | None = None
) -> pl.DataFrame:
    """`CHANGES` from one training to the next.

    before, now: `model.RESULT` as of the days `then` and `as_of`. on_old_map: where the map was drawn anew, the segment
    that each row of `now` would have on the old one. The driver is the first of these that applies:

    first_order (arrived) · left · review (would not have moved on the old map) · ordered (has ordered since, or older
    orders came in) · returned (no order, and spent less in all) · no_longer_new · silence (only time has passed).
    """
    columns = ["customer_id", "segment", "recency_days", "visits", "spent", "value_12"]
    old_map = now["segment"] if on_old_map is None else pl.Series(on_old_map)
    both = now.select(columns).with_columns(old_map=old_map.cast(pl.Int8)).join(
        before.select(columns), on="customer_id", how="full", suffix="_before", coalesce=True
    )  # fmt: skip
    both = both.with_columns(pl.col("segment", "segment_before").fill_null(NOBODY)).filter(
        pl.col("segment") != pl.col("segment_before")
    )
    days = (as_of - then).days
    drivers = (
        pl.when(pl.col("segment_before") == NOBODY).then(pl.lit("first_order"))
        .when(pl.col("segment") == NOBODY).then(pl.lit("left"))
        .when(pl.col("old_map") == pl.col("segment_before")).then(pl.lit("review"))
        .when(~quiet(days)).then(pl.lit("ordered"))
        .when(pl.col("spent") < pl.col("spent_before")).then(pl.lit("returned"))
        .when(pl.col("segment_before") == NEW).then(pl.lit("no_longer_new"))
        .otherwise(pl.lit("silence"))
    )  # fmt: skip
    return both.sort("customer_id").select(
        "customer_id",
        before=pl.col("segment_before"),
        after=pl.col("segment"),
        driver=drivers.replace_strict({name: i for i, name in enumerate(DRIVERS)}, return_dtype=pl.Int8),
        value_before=pl.col("value_12_before"),
        value_after=pl.col("value_12"),
    ).cast(CHANGES)  # type: ignore[arg-type]  # fmt: skip


def quiet(days: int) -> pl.Expr:
    """No order in the `days` since? Over columns and their `_before`: as many visits, and the same last day."""
    same_visits = pl.col("visits") == pl.col("visits_before")
    return same_visits & (pl.col("recency_days") - pl.col("recency_days_before") == days)


def with_last_change(now: pl.DataFrame, before: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """`now` with its columns `previous` (the segment before the last change) and `changed_on` (the day of it).

    A customer whose segment is the same as in `before` keeps both from there; without `before`, and for who has just
    arrived, there is no change yet (nulls).
    """
    if before is None:
        return now.with_columns(previous=pl.lit(None, dtype=pl.Int8), changed_on=pl.lit(None, dtype=pl.Date))
    known = before.select("customer_id", was="segment", was_previous="previous", was_changed="changed_on")
    joined = now.join(known, on="customer_id", how="left", maintain_order="left")
    moved = pl.col("was").is_not_null() & (pl.col("was") != pl.col("segment"))
    return joined.with_columns(
        previous=pl.when(moved).then("was").otherwise("was_previous").cast(pl.Int8),
        changed_on=pl.when(moved).then(pl.lit(as_of)).otherwise("was_changed"),
    ).drop("was", "was_previous", "was_changed")
