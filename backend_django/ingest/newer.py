"""What a newer export takes back: orders that are no sales any more, and returns that it tells otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from django.db import connection, transaction

from ingest import bulk, canonical, journal
from ingest.counts import Counts
from orders.models import Order, OrderItem, OrderReturn


@transaction.atomic
def withdraw(orders: pl.DataFrame) -> Counts:
    """Give orders that the shop has (`order_number, status`) this status; those that it has not are left alone."""
    found = bulk.fetch(Order, ["order_number", "id", "status"], key="order_number", values=orders["order_number"])
    schema = {"order_number": pl.String, "id": pl.Int64, "was": pl.String}
    stored = pl.DataFrame(found, schema=schema, orient="row").join(orders, on="order_number")
    changed = stored.filter(pl.col("status") != pl.col("was"))
    now = pl.lit(datetime.now(UTC), dtype=canonical.AT)
    was = journal.read_orders(stored["id"])
    bulk.update(Order, changed.select("id", "status").with_columns(updated_at=now))
    journal.note_orders(was, stored["id"])
    return Counts(unchanged=stored.height - changed.height, updated=changed.height)


@transaction.atomic
def forget_returns(orders: pl.Series, references: pl.Series) -> int:
    """Delete the returns of these orders that have none of these references; returns how many they were."""
    items, returns = bulk.table(OrderItem), bulk.table(OrderReturn)
    among, given = bulk.among(orders)
    query = f"""
        SELECT r.id, r.reference FROM {returns} r
          JOIN {items} i ON i.id = r.item_id
          JOIN {bulk.table(Order)} o ON o.id = i.order_id
         WHERE o.order_number {among}
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [given])
        found = cursor.fetchall()
    told = set(references)
    gone = [pk for pk, reference in found if reference not in told]
    was = journal.read(OrderReturn, gone)
    OrderReturn.objects.filter(pk__in=gone).delete()
    journal.note(OrderReturn, was)
    return len(gone)
