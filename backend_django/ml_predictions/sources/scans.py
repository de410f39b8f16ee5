"""Scans of Django tables into frames: what the sources over Django models share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from django.db.models import BooleanField, Expression, FloatField, Func, IntegerField, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce

from retail_ml import frames

CHUNK = 50_000


class AsItComes(Expression):
    """Mixed into an expression whose values the driver gives in their type already: no call of Python per row."""

    convert_value = property(lambda self: self._convert_value_noop)


class Epoch(AsItComes, Func):
    """A time as whole seconds since 1970: one integer instead of a parsed datetime per row."""

    output_field = IntegerField()
    template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) AS BIGINT)"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """SQLite keeps times as text in UTC; 2440587.5 is 1970 in its Julian days."""
        template = "CAST(ROUND((julianday(%(expressions)s) - 2440587.5) * 86400) AS INTEGER)"
        return super().as_sql(compiler, connection, template=template, **extra)


def read(query: QuerySet[Any], columns: dict[str, Any], schema: frames.Schema, *, few: bool = False) -> pl.DataFrame:
    """The rows of `query` as a table: `columns` names the expression behind each column of `schema`.

    `few`: they are fetched at once. A cursor of the server, as PostgreSQL keeps it for many, is three statements.
    """
    rows = query.order_by().annotate(**{f"_{name}": expression for name, expression in columns.items()})
    values = rows.values_list(*(f"_{name}" for name in schema))
    if few:
        return pl.DataFrame(list(values), schema=schema, orient="row")
    parts: list[pl.DataFrame] = []
    chunk = []
    for row in values.iterator(chunk_size=CHUNK):
        chunk.append(row)
        if len(chunk) == CHUNK:
            parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
            chunk = []
    parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    return pl.concat(parts) if len(parts) > 1 else parts[0]


class Number(AsItComes, Cast):
    """A decimal as a float."""


def number(*expressions: str) -> Number:
    """A decimal column as a float, the first of several that is not null: Python's Decimal per row is dear."""
    first = expressions[0] if len(expressions) == 1 else Coalesce(*expressions)
    return Number(first, FloatField())


class Plain(AsItComes, Cast):
    """A column as text or a whole number."""


def as_text(column: str) -> Plain:
    """A day or a JSON value as the text that it is: Polars reads the day, and few values of JSON are distinct."""
    return Plain(column, TextField())


def as_whole(column: str) -> Plain:
    """Yes and no as 1 and 0."""
    return Plain(column, IntegerField())


class OneOf(Func):
    """Is a column one of these whole numbers? They stand in the statement: as parameters each costs a Python call."""

    output_field = BooleanField()
    template = "%(expressions)s IN (%(keys)s)"

    def __init__(self, column: str, keys: Sequence[int]) -> None:
        super().__init__(column)
        self.extra["keys"] = ", ".join(str(int(key)) for key in keys)


def one_of(column: str, keys: Sequence[int]) -> Q:
    """Rows whose `column` is one of `keys`; none where there is no key."""
    return Q(OneOf(column, keys)) if keys else Q(pk__in=[])


def at(seconds: str) -> pl.Expr:
    """The time of a column of `Epoch`."""
    return pl.from_epoch(seconds, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def text(column: str) -> pl.Expr:
    """A column of keys as the ids that frames hold."""
    return pl.col(column).cast(pl.String)


def keys(ids: Iterable[str]) -> list[int]:
    """Database keys of ids given as text; what is no key of ours is left out."""
    return [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
