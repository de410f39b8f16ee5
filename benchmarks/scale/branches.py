"""Make the shop of a database many times as large: branches beside it, each with customers and a range of its own.

Rows are copied inside the database, with new keys and `2-`, `3-` … before every text that must be unique; suppliers and
categories are shared. What is written grows without the memory that a simulation of so large a shop would take.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import CharField, Field, ForeignKey, Max, Model, UniqueConstraint

COPIED = (
    "authentication.User", "products.Product", "products.ProductVariant", "products.StockMovement", "orders.Order",
    "orders.OrderItem", "orders.OrderReturn", "purchasing.SupplierItem", "purchasing.SupplierPrice",
    "purchasing.PurchaseOrder", "purchasing.PurchaseOrderLine",
)  # fmt: skip
"""What a branch has of its own, in an order in which nothing names what is not there yet."""


def branch(count: int) -> dict[str, int]:
    """Let the shop have `count` branches, the first of which is what is there; returns the rows of each table."""
    if count == 1:
        return {}
    models = [apps.get_model(name) for name in COPIED]
    steps = {model: model._base_manager.aggregate(last=Max("pk"))["last"] or 0 for model in models}
    with transaction.atomic(), connection.cursor() as cursor:
        indexes = _without_indexes(cursor, models) if connection.vendor == "sqlite" else []
        for number in range(2, count + 1):
            for model in models:
                _copy(cursor, model, number, steps)
        for statement in indexes:
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            from django.core.management.color import no_style

            for statement in connection.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(statement)
    return {model._meta.label: model._base_manager.count() for model in models}


def _copy(cursor: Any, model: type[Model], number: int, steps: dict[type[Model], int]) -> None:
    """The rows of the first branch once more, as those of branch `number`."""
    quote = connection.ops.quote_name
    fields = model._meta.concrete_fields
    unique = {name for rule in model._meta.constraints if isinstance(rule, UniqueConstraint) for name in rule.fields}

    def value(field: Field[Any, Any]) -> str:
        column = quote(field.column or "")
        moved = field.related_model if isinstance(field, ForeignKey) else model if field.primary_key else None
        if moved in steps:
            return f"{column} + {(number - 1) * steps[moved]}"
        text = isinstance(field, CharField) and field.name != "kind" and (field.unique or field.name in unique)
        return f"'{number}-' || {column}" if text and field.name != "source" else column

    table, columns = quote(model._meta.db_table), ", ".join(quote(field.column or "") for field in fields)
    values = ", ".join(map(value, fields))
    key = quote(model._meta.pk.column or "")
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE {key} <= {steps[model]}")


def _without_indexes(cursor: Any, models: list[type[Model]]) -> list[str]:
    """Drop the indexes that no constraint needs; returns the statements that make them again, sorted and at once."""
    cursor.execute("PRAGMA cache_size = -500000")
    found = []
    for model in models:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = %s",
            [model._meta.db_table],
        )
        for name, sql in cursor.fetchall():
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
            found.append(sql)
    return found
