"""What the shop already holds that a file's returns may belong to: sales of earlier imports, and what came back."""

from __future__ import annotations

import polars as pl
from django.db import connection

from authentication.models import User
from ingest import bulk
from orders.models import Order, OrderItem, OrderReturn
from products.models import ProductVariant

SALES: dict[str, pl.DataType | type[pl.DataType]] = {
    "order_number": pl.String,
    "customer_id": pl.String,
    "sku": pl.String,
    "item": pl.Int64,
    "units": pl.Int64,
    "seconds": pl.Int64,
    "line_of": pl.Int64,
}


def sales_that_may_come_back(
    back: pl.DataFrame, *, source: str, in_file: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Stored sales of the buyers and SKUs of the returns `back`, and the units of them that came back before.

    First table: `row` (negative, so that it is no row of the file), `customer_id, sku, order_number, line_of, units,
    at`, without the orders that are in the file. Second: `order_number, sku, line_of, taken`, by returns that are not
    in the file, for the file's own orders too.
    """
    found = _stored(back, source) if back.height else []
    lines = pl.DataFrame(found, schema=SALES, orient="row").sort("order_number", "sku", "line_of")
    same = (back["order_number"] + "/" + back["sku"]).unique()
    returned = pl.DataFrame(
        bulk.fetch(OrderReturn, ["item_id", "units", "reference"], key="item_id", values=lines["item"]),
        schema={"item": pl.Int64, "taken": pl.Int64, "reference": pl.String},
        orient="row",
    )
    # A reference is the return's number, the SKU and a count: this file's own returns are about to be matched again.
    others = returned.filter(
        ~pl.col("reference").str.replace(r"/\d+$", "").is_in(same.implode()).fill_null(value=False)
    )
    taken = others.join(lines, on="item").group_by("order_number", "sku", "line_of").agg(pl.col("taken").sum())
    before = lines.join(in_file.to_frame("order_number"), on="order_number", how="anti", maintain_order="left")
    before = before.with_columns(
        row=-1 - pl.int_range(pl.len(), dtype=pl.Int64),
        at=pl.from_epoch("seconds", time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )
    return before, taken


def _stored(back: pl.DataFrame, source: str) -> list[tuple[object, ...]]:
    """One query: the lines of the returns' SKUs in orders of their customers, or (guests) under their own number."""
    named = {model: bulk.table(model) for model in (Order, OrderItem, ProductVariant, User)}
    customers, customers_given = bulk.among(back["customer_id"].drop_nulls().unique())
    numbers, numbers_given = bulk.among(back.filter(pl.col("customer_id").is_null())["order_number"].unique())
    skus, skus_given = bulk.among(back["sku"].unique())
    query = f"""
        SELECT o.order_number, u.external_id, v.sku, i.id, i.units, {bulk.epoch("o.placed_at")},
               ROW_NUMBER() OVER (PARTITION BY i.order_id, i.variant_id ORDER BY i.id) - 1
          FROM {named[OrderItem]} i
          JOIN {named[Order]} o ON o.id = i.order_id
          JOIN {named[ProductVariant]} v ON v.id = i.variant_id
          LEFT JOIN {named[User]} u ON u.id = o.customer_id
         WHERE v.sku {skus}
           AND ((u.source = %s AND u.external_id {customers}) OR o.order_number {numbers})
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [skus_given, source, customers_given, numbers_given])
        return list(cursor.fetchall())
