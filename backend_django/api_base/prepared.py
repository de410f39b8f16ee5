"""Many rows in one prepared statement: `bulk_create` and `bulk_update` build one as long as the rows.

For use inside a transaction: where one row fails, those before it are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, router
from django.db.models import Model


def insert(rows: Sequence[Model]) -> None:
    """Insert new rows of one table. Their keys are not read back."""
    if not rows:
        return
    table, connection = _table(rows)
    fields = [field for field in table._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns, marks = ", ".join(quote(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {quote(table._meta.db_table)} ({columns}) VALUES ({marks})"
    _many(connection, sql, [[_value(row, field, connection) for field in fields] for row in rows])


def update(rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write the columns `names` of rows that are there."""
    if not rows:
        return
    table, connection = _table(rows)
    fields = [table._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    sql = f"UPDATE {quote(table._meta.db_table)} SET {columns} WHERE {quote('id')} = %s"
    _many(connection, sql, [[*(_value(row, field, connection) for field in fields), row.pk] for row in rows])


def _table(rows: Sequence[Model]) -> tuple[Any, Any]:
    table = type(rows[0])
    return table, connections[router.db_for_write(table)]


def _value(row: Model, field: Any, connection: Any) -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)


def _many(connection: Any, sql: str, values: list[list[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)
