"""Segmented customers as a model file and as rows with their sentences.

Everything happens in columns: a million customers are a million inserted tuples and nothing else per customer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from django.db import connections, router

from ml_predictions.artifacts import Content
from ml_predictions.messages import TEXTS
from ml_predictions.models import CustomerSegment
from retail_ml.segment import NAMES, RESULT, RULES, Segmentation

UNCLEAR = 0.1
"""Confidence below which a customer is told to lie between two segments."""
OVERDUE, QUICK = 1.5, 14
"""From how many usual intervals on the delay is mentioned; not for intervals quicker than so many days."""

OF_ALL = {"space", "centres", "cluster_names"}
"""Arrays of a file that belong to all customers together; the others, of older versions too, have one row for each."""


def pack(result: Segmentation) -> Content:
    """The version's file: each column of `RESULT` as an array, the space and the centres.

    Unknown numbers are NaN, unknown days and bands -1. Ids are one text joined by NUL, so that one long id does not
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
    space = result.groups.space
    arrays |= {
        "space": np.stack([space.lower, space.upper, space.mean, space.scale]),
        "centres": result.groups.centres,
        "cluster_names": result.groups.cluster_names,
    }
    meta = {"as_of": result.as_of.isoformat(), "names": list(NAMES), "rules": list(RULES), "rows": len(customers)}
    return Content(meta, arrays)


def unpack(content: Content) -> pl.DataFrame:
    """The customers of a file again, as `RESULT`."""
    columns = {}
    for name, dtype in RESULT.items():
        array = np.asarray(content.arrays[name])
        if name == "customer_id":
            columns[name] = pl.Series(name, array.tobytes().decode().split("\0"), dtype=pl.String)
        elif dtype in (pl.Date, pl.Int8):
            days = pl.DataFrame({name: pl.Series(array)})
            columns[name] = days.select(pl.when(pl.col(name) >= 0).then(pl.col(name)).cast(dtype)).to_series()
        else:
            series = pl.Series(name, array).cast(dtype)
            columns[name] = series.fill_nan(None) if dtype == pl.Float64 else series
    return pl.DataFrame(columns)


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


def as_rows(customers: pl.DataFrame, model_id: int) -> pl.DataFrame:
    """Columns of the table `CustomerSegment`. customers: `RESULT` and `previous_segment` (null: none known)."""
    named = pl.col("segment").replace_strict(dict(enumerate(NAMES)), return_dtype=pl.String)
    return customers.select(
        pl.lit(model_id, dtype=pl.Int64).alias("model_id"),
        "customer_id",
        "cluster",
        named.alias("segment"),
        pl.col("previous_segment").fill_null(""),
        pl.col("confidence").round(4),
        "recency_days",
        pl.col("orders").alias("total_orders"),
        pl.col("spent").round(2).alias("total_spent"),
        pl.col("avg_order_value").round(2),
        pl.col("monthly").round(4).alias("purchase_frequency_monthly"),
        pl.col("interval_days").round(1).alias("usual_interval_days"),
        pl.col("overdue").round(2).alias("overdue_ratio"),
        "recency_score",
        "frequency_score",
        "monetary_score",
        pl.col("value_3", "value_6", "value_12").round(2),
        pl.col("value_12_lower").round(2).alias("value_lower"),
        pl.col("value_12_upper").round(2).alias("value_upper"),
        pl.col("probability").round(4).alias("probability_90d"),
        pl.col("expected_next").dt.to_string("%Y-%m-%d"),
        explanation().alias("explanation"),
        advice().alias("advice"),
    )


def insert(rows: pl.DataFrame) -> None:
    """Write rows (`as_rows`) as they are; model objects would cost ten times as much."""
    table = CustomerSegment._meta
    connection = connections[router.db_for_write(CustomerSegment)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(name) for name in rows.columns)
    places = ", ".join(["%s"] * len(rows.columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(table.db_table)} ({columns}) VALUES ({places})",
            list(rows.iter_rows()),
        )


# --- sentences, as stored messages ---------------------------------------------------------------


def _message(code: str, **params: pl.Expr) -> pl.Expr:
    """A stored message as JSON text; the parameters are numbers, or texts that need no escape (days)."""
    if code not in TEXTS:
        raise KeyError(f"no text for the message {code!r}")
    parts = [pl.lit(f'{{"code": "{code}", "params": {{')]
    for i, (name, value) in enumerate(params.items()):
        parts += [pl.lit(f'{", " if i else ""}"{name}": '), value]
    return pl.concat_str(*parts, pl.lit("}}"))


def _round(value: pl.Expr) -> pl.Expr:
    """A number to read: whole from 10 on, one decimal below."""
    whole, fine = value.round(0).cast(pl.Int64).cast(pl.String), value.round(1).cast(pl.String)
    return pl.when(value.abs() >= 10).then(whole).otherwise(fine)


def _list(messages: Iterable[pl.Expr]) -> pl.Expr:
    """A JSON list of those messages that are there (a null is left out)."""
    return pl.concat_str(pl.lit("["), pl.concat_str(*messages, separator=", ", ignore_nulls=True), pl.lit("]"))


def explanation() -> pl.Expr:
    """Why a customer is where it is, in its own figures; over the columns of `RESULT`."""
    recency, interval, spent = pl.col("recency_days"), pl.col("interval_days"), pl.col("spent")
    days, gap = recency.cast(pl.String), _round(interval)
    late = (pl.col("overdue") >= OVERDUE) & (interval >= QUICK)
    percent = (pl.col("spent_place") * 100).floor().cast(pl.Int64)
    rhythm = (
        pl.when((pl.col("visits") == 1) & (recency <= 1))
        .then(_message("segment.once_now"))
        .when(pl.col("visits") == 1)
        .then(_message("segment.once", recency=days))
        .when(recency <= 1)
        .then(_message("segment.rhythm_now", interval=gap))
        .when(late)
        .then(_message("segment.rhythm_overdue", interval=gap, recency=days, overdue=_round(pl.col("overdue"))))
        .otherwise(_message("segment.rhythm", interval=gap, recency=days))
    )
    money = (
        pl.when(spent <= 0)
        .then(_message("segment.spent_nothing"))
        .when(percent > 0)
        .then(_message("segment.spent", spent=_round(spent), percent=percent.cast(pl.String)))
        .otherwise(_message("segment.spent_only", spent=_round(spent)))
    )
    rules: Any = pl
    for i, rule in enumerate(RULES):
        if rule:
            rules = rules.when(pl.col("guard") == i).then(_message(f"segment.rule_{rule}"))
    unclear = pl.when(pl.col("confidence") < UNCLEAR).then(_message("segment.between"))
    return _list([rhythm, money, rules.otherwise(None), unclear])


def advice() -> pl.Expr:
    """What to do next, by segment, and when; over the columns of `RESULT`."""
    of_segment = {}
    for i, name in enumerate(NAMES):
        codes = [code for code in TEXTS if code.startswith(f"segment.advise_{name}_")]
        of_segment[i] = ", ".join(f'{{"code": "{code}", "params": {{}}}}' for code in codes)
    standing = pl.col("segment").replace_strict(of_segment, return_dtype=pl.String)
    day = pl.concat_str(pl.lit('"'), pl.col("expected_next").dt.to_string("%Y-%m-%d"), pl.lit('"'))
    due = pl.when(pl.col("expected_next").is_not_null()).then(_message("segment.advise_before", date=day))
    return _list([standing, due])
