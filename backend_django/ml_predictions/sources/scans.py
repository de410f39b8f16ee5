"""Scans of Django tables into frames: what the sources over Django models share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
from django.db.models import FloatField, Func, IntegerField, QuerySet
from django.db.models.functions import Cast

from retail_ml import frames

CHUNK = 50_000


class Epoch(Func):
    """A time as whole seconds since 1970: one integer instead of a parsed datetime per row."""

    output_field = IntegerField()
    template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) AS BIGINT)"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """SQLite keeps times as text in UTC; 2440587.5 is 1970 in its Julian days."""
        template = "CAST(ROUND((julianday(%(expressions)s) - 2440587.5) * 86400) AS INTEGER)"
        return super().as_sql(compiler, connection, template=template, **extra)


def read(query: QuerySet[Any], columns: dict[str, Any], schema: frames.Schema) -> pl.DataFrame:
    """The rows of `query` as a table: `columns` names the expression behind each column of `schema`."""
    rows = query.order_by().annotate(**{f"_{name}": expression for name, expression in columns.items()})
    values = rows.values_list(*(f"_{name}" for name in schema))
    parts, chunk = [frames.empty(schema)], []
    for row in values.iterator(chunk_size=CHUNK):
        chunk.append(row)
        if len(chunk) == CHUNK:
            parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
            chunk = []
    parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    return pl.concat(parts)


def number(expression: str) -> Cast:
    """A decimal column as a float: Python's Decimal per row is the dearest part of a scan."""
    return Cast(expression, FloatField())


def at(seconds: str) -> pl.Expr:
    """The time of a column of `Epoch`."""
    return pl.from_epoch(seconds, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def text(column: str) -> pl.Expr:
    """A column of keys as the ids that frames hold."""
    return pl.col(column).cast(pl.String)


def keys(ids: Iterable[str]) -> list[int]:
    """Database keys of ids given as text; what is no key of ours is left out."""
    return [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
