"""Many rows in and out of a table at once, on SQLite (executemany) and PostgreSQL (COPY) alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

import polars as pl
from django.db import connection, models


def _name(text: str) -> str:
    return connection.ops.quote_name(text)


def _encoded(frame: pl.DataFrame) -> pl.DataFrame:
    """Values as Django itself writes them: decimals as text, times as UTC text without zone on SQLite."""
    zone = "" if connection.vendor == "sqlite" else "+00"
    columns = []
    for column, dtype in frame.schema.items():
        value = pl.col(column)
        if dtype.is_decimal() or dtype == pl.Date:
            value = value.cast(pl.String)
        elif isinstance(dtype, pl.Datetime):
            # Django leaves zero microseconds out; SQLite compares these texts, so the form must be the same.
            whole = value.dt.strftime("%Y-%m-%d %H:%M:%S")
            value = (
                pl.when(value.dt.microsecond() == 0).then(whole).otherwise(value.dt.strftime("%Y-%m-%d %H:%M:%S%.6f"))
            )
            value = value + pl.lit(zone)
        elif dtype == pl.Boolean and connection.vendor == "sqlite":
            value = value.cast(pl.Int8)
        columns.append(value.alias(column))
    return frame.select(columns)


def insert(model: type[models.Model], frame: pl.DataFrame) -> None:
    """Insert the rows of `frame`, whose columns are those of the model's table, in their order."""
    if frame.is_empty():
        return
    rows = _encoded(frame)
    table = _name(model._meta.db_table)
    columns = ", ".join(_name(c) for c in rows.columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as copy:
                copy.write(rows.write_csv(include_header=False))
            return
        marks = ", ".join(["%s"] * rows.width)
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", cast(Any, rows.iter_rows()))


def update(model: type[models.Model], frame: pl.DataFrame, *, add: bool = False) -> None:
    """Set (or, with `add`, increase) the columns of `frame` in the rows named by its column `id`."""
    if frame.is_empty():
        return
    names = [c for c in frame.columns if c != "id"]
    rows = _encoded(frame.select([*names, "id"]))
    sets = ", ".join(f"{_name(c)} = {_name(c)} + %s" if add else f"{_name(c)} = %s" for c in names)
    with connection.cursor() as cursor:
        table = _name(model._meta.db_table)
        cursor.executemany(f"UPDATE {table} SET {sets} WHERE {_name('id')} = %s", cast(Any, rows.iter_rows()))


def delete(model: type[models.Model], values: Iterable[int], *, key: str = "id") -> None:
    """Delete the rows whose column `key` is among `values`; nothing that hangs on them goes along."""
    where, parameter = among(values)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table(model)} WHERE {_name(key)} {where}", [parameter])


def table(model: type[models.Model]) -> str:
    """The model's table, quoted."""
    return _name(model._meta.db_table)


def among(values: Iterable[int | str]) -> tuple[str, Any]:
    """SQL that asks whether a column is among `values`, however many, and its one parameter."""
    wanted = list(values)
    if connection.vendor == "postgresql":
        return "= ANY(%s)", wanted
    return "IN (SELECT value FROM json_each(%s))", json.dumps(wanted)


def fetch(
    model: type[models.Model], expressions: Sequence[str], *, key: str, values: Iterable[int | str], lock: bool = False
) -> list[tuple[Any, ...]]:
    """The SQL `expressions` of the rows whose column `key` is among `values`: one query for any number of values.

    `lock` keeps others from changing them in this transaction (on SQLite nobody else writes in it anyway).
    """
    wanted = list(values)
    if not wanted:
        return []
    where, parameter = among(wanted)
    last = " FOR UPDATE" if lock and connection.features.has_select_for_update else ""
    query = f"SELECT {', '.join(expressions)} FROM {table(model)} WHERE {_name(key)} {where}{last}"
    with connection.cursor() as cursor:
        cursor.execute(query, [parameter])
        return list(cursor.fetchall())


def epoch(column: str) -> str:
    """SQL that reads a moment as whole seconds since 1970, UTC."""
    if connection.vendor == "postgresql":
        return f"CAST(FLOOR(EXTRACT(EPOCH FROM {column})) AS BIGINT)"
    return f"CAST(strftime('%%s', {column}) AS BIGINT)"


def micros(column: str) -> str:
    """SQL that reads a moment as microseconds since 1970, UTC."""
    if connection.vendor == "postgresql":
        return f"CAST(EXTRACT(EPOCH FROM {column}) * 1000000 AS BIGINT)"
    # After the seconds there are a point and six digits, or nothing.
    return f"{epoch(column)} * 1000000 + CAST(substr({column}, 21) AS BIGINT)"


def scaled(column: str, factor: int) -> str:
    """SQL that reads a decimal column as a whole number of its smallest unit: exact on both databases."""
    return f"CAST(ROUND({_name(column)} * {factor}) AS BIGINT)"
