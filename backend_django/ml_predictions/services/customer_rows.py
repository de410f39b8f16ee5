"""Segmented customers as a model file, as rows, and what one training leaves to the next.

Everything happens in columns: a million customers are a million inserted tuples and nothing else per customer.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from django.db import connections, router
from django.db.models import Model

from ml_predictions.artifacts import Content
from ml_predictions.models import CustomerSegment
from ml_predictions.services.customer_sentences import advice, explanation
from retail_ml.segment import BANDS, NAMES, RESULT, RULES, Frozen, Memory, Segmentation, Space

FROZEN = ("centres", "cluster_names", "far", "edges", "shares")

OF_ALL = {"space", *FROZEN}
"""Arrays of a file that belong to all customers together; the others, of older versions too, have one row for each."""


def pack(result: Segmentation) -> Content:
    """The version's file: each column of `RESULT` as an array, and the map.

    Unknown numbers are NaN, unknown days and indices -1. Ids are one text joined by NUL, so that one long id does not
    widen all.
    """
    customers = result.customers
    whole = customers.with_columns(
        pl.col(name).cast(pl.Int32 if dtype == pl.Date else dtype).fill_null(-1)
        for name, dtype in RESULT.items()
        if dtype in (pl.Date, pl.Int8)
    )
    arrays = {
        name: np.ascontiguousarray(whole[name].to_numpy()) for name, dtype in RESULT.items() if dtype != pl.String
    }
    arrays["customer_id"] = np.frombuffer("\0".join(customers["customer_id"]).encode(), dtype=np.uint8)
    meta = {"as_of": result.as_of.isoformat(), "names": list(NAMES), "rules": list(RULES), "rows": len(customers)}
    frozen = result.groups.frozen
    if frozen is not None:
        space = frozen.space
        arrays |= {
            "space": np.stack([space.lower, space.upper, space.mean, space.scale]),
            "centres": frozen.centres,
            "cluster_names": frozen.names,
            "far": frozen.far,
            "edges": frozen.edges,
            "shares": frozen.shares,
        }
        meta["drawn"] = result.drawn.isoformat()
    return Content(meta, arrays)


def unpack(content: Content) -> pl.DataFrame:
    """The customers of a file again, as `RESULT`; a column that the file of an older release lacks is all null."""
    columns, rows = {}, content.meta["rows"]
    for name, dtype in RESULT.items():
        if name not in content.arrays:
            columns[name] = pl.repeat(None, rows, dtype=dtype, eager=True)
            continue
        array = np.asarray(content.arrays[name])
        if name == "customer_id":
            columns[name] = pl.Series(name, array.tobytes().decode().split("\0") if rows else [], dtype=pl.String)
        elif dtype in (pl.Date, pl.Int8):
            numbers = pl.DataFrame({name: pl.Series(array)})
            columns[name] = numbers.select(pl.when(pl.col(name) >= 0).then(pl.col(name)).cast(dtype)).to_series()
        else:
            series = pl.Series(name, array).cast(dtype)
            columns[name] = series.fill_nan(None) if dtype == pl.Float64 else series
    return pl.DataFrame(columns)


def remembered(content: Content) -> Memory:
    """What the training of this file leaves to the next one."""
    as_of, frozen = date.fromisoformat(content.meta["as_of"]), None
    if "drawn" in content.meta:
        space = Space(*np.asarray(content.arrays["space"]))
        frozen = Frozen(space, *(np.asarray(content.arrays[name]) for name in FROZEN))
    return Memory(as_of, unpack(content), frozen, date.fromisoformat(content.meta.get("drawn", content.meta["as_of"])))


def named(column: str) -> pl.Expr:
    """The name of the segment whose index stands in `column`; "" for none (null or -1)."""
    return pl.col(column).replace_strict({-1: "", **dict(enumerate(NAMES))}, default="", return_dtype=pl.String)


def without(content: Content, customer_id: str) -> Content | None:
    """A file without one customer's row; the very same when they are not in it, None when nobody else is.

    What was learned of all together (centres, scales) stays.
    """
    ids = np.asarray(content.arrays["customer_id"]).tobytes().decode().split("\0")
    if customer_id not in ids:
        return content
    kept = np.array([text != customer_id for text in ids])
    others = [text for text in ids if text != customer_id]
    if not others:
        return None
    arrays = {
        name: array if name in OF_ALL else np.asarray(array)[kept]
        for name, array in content.arrays.items()
        if name != "customer_id"
    }
    arrays["customer_id"] = np.frombuffer("\0".join(others).encode(), dtype=np.uint8)
    return Content({**content.meta, "rows": len(others)}, arrays, content.estimators)


def as_rows(customers: pl.DataFrame, model_id: int, *, currency: str) -> pl.DataFrame:
    """Columns of the table `CustomerSegment`. customers: `RESULT`."""
    return customers.select(
        pl.lit(model_id, dtype=pl.Int64).alias("model_id"),
        "customer_id",
        "cluster",
        named("segment").alias("segment"),
        named("previous").alias("previous_segment"),
        pl.col("changed_on").dt.to_string("%Y-%m-%d"),
        pl.col("confidence").round(4),
        "recency_days",
        pl.col("orders").alias("total_orders"),
        pl.col("spent").round(2).alias("total_spent"),
        pl.col("spent_year").fill_null(0.0).round(2),
        pl.col("avg_order_value").round(2),
        pl.col("monthly").round(4).alias("purchase_frequency_monthly"),
        pl.col("interval_days").round(1).alias("usual_interval_days"),
        pl.col("overdue").round(2).alias("overdue_ratio"),
        "recency_score",
        "frequency_score",
        "monetary_score",
        pl.col("value_3", "value_3_lower", "value_3_upper", "value_6", "value_6_lower", "value_6_upper").round(2),
        pl.col("value_12").round(2),
        pl.col("value_12_lower").round(2).alias("value_lower"),
        pl.col("value_12_upper").round(2).alias("value_upper"),
        pl.col("orders_12").round(2),
        pl.col("alive").round(4).alias("probability_alive"),
        pl.col("probability").round(4).alias("probability_90d"),
        pl.col("chance_band").replace_strict(dict(enumerate(BANDS)), default="", return_dtype=pl.String),
        pl.col("expected_early").dt.to_string("%Y-%m-%d"),
        pl.col("expected_next").dt.to_string("%Y-%m-%d"),
        pl.col("at_stake").round(2).alias("money_at_risk"),
        explanation(currency).alias("explanation"),
        advice(currency).alias("advice"),
    )


def insert(model: type[Model], rows: pl.DataFrame) -> None:
    """Write rows, columns named as in the table, as they are; model objects would cost ten times as much."""
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(name) for name in rows.columns)
    places = ", ".join(["%s"] * len(rows.columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})",
            list(rows.iter_rows()),
        )


def insert_customers(customers: pl.DataFrame, model_id: int, *, currency: str, chunk: int) -> None:
    """Write the rows of a version, so many at a time. customers: `RESULT`."""
    for part in customers.iter_slices(chunk):
        insert(CustomerSegment, as_rows(part, model_id, currency=currency))
