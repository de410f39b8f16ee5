"""Fingerprints of rows: whole numbers of 64 bits that change when the row does, alike on every database and release."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import models

from authentication.models import User
from ingest import bulk
from ingest.models import ImportEntry
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement
from purchasing.models import Supplier, SupplierItem
from retail_ml.frames import Schema

Kind = ImportEntry.Kind
MODELS: dict[Kind, type[models.Model]] = {
    Kind.RETURN: OrderReturn,
    Kind.ORDER: Order,
    Kind.MOVEMENT: StockMovement,
    Kind.SUPPLIER_ITEM: SupplierItem,
    Kind.VARIANT: ProductVariant,
    Kind.PRODUCT: Product,
    Kind.SUPPLIER: Supplier,
    Kind.CATEGORY: Category,
    Kind.CUSTOMER: User,
}
KINDS = {model: kind for kind, model in MODELS.items()}
NOT_THEIRS = {"id", "stock", "reserved", "password"}
"""Columns that change by themselves (stock is the sum of its movements), and the one that is nobody's business."""
HEAD_SCHEMA: Schema = {
    "id": pl.Int64, "customer_id": pl.Int64, "status": pl.String, "channel": pl.String, "currency": pl.String,
    "placed_at": pl.Int64, "shipping": pl.Int64, "tax": pl.Int64, "is_test": pl.Int64,
}  # fmt: skip
LINE_SCHEMA = dict.fromkeys(("id", "order_id", "variant_id", "units", "price", "discount", "cents"), pl.Int64)
ODD, OTHER = 0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9
"""Odd multipliers of splitmix64 (Steele, Lea and Flood 2014)."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Orders:
    """Stored orders: `heads` with HEAD_SCHEMA (microseconds since 1970, cents, 0 or 1), `lines` with LINE_SCHEMA (price
    in 1/10,000, discount and cents)."""

    heads: pl.DataFrame
    lines: pl.DataFrame


def read_orders(ids: Iterable[int], *, lock: bool = False) -> Orders:
    """The orders of these ids with their lines; `lock` keeps others from changing them in this transaction."""
    wanted = list(ids)
    # Numbers, as the database counts them: a million dates and decimals of Python would cost seconds.
    head = ["id", "customer_id", "status", "channel", "currency", bulk.micros("placed_at"),
            bulk.scaled("shipping", 100), bulk.scaled("tax", 100), "CAST(is_test AS INTEGER)"]  # fmt: skip
    found = bulk.fetch(Order, head, key="id", values=wanted, lock=lock)
    columns = ["id", "order_id", "variant_id", "units", bulk.scaled("unit_price", 10_000), bulk.scaled("discount", 100),
               bulk.scaled("amount", 100)]  # fmt: skip
    lines = bulk.fetch(OrderItem, columns, key="order_id", values=wanted)
    return Orders(
        pl.DataFrame(found, schema=HEAD_SCHEMA, orient="row").sort("id"),
        pl.DataFrame(lines, schema=LINE_SCHEMA, orient="row").sort("id"),
    )


def of_orders(orders: Orders) -> pl.DataFrame:
    """`object_id, print, customer, cents`: whose an order is, is no part of its print, for people are erased."""
    one = _mixed(orders.lines, "variant_id", "units", "price", "discount")
    each = orders.lines.select("order_id", "cents", one=one)
    # The top 40 bits: their sum has room for sixteen million lines.
    sums = each.group_by("order_id").agg(
        lines=(pl.col("one") // (1 << 24)).sum(), n=pl.len(), goods=pl.col("cents").sum()
    )
    heads = orders.heads.join(sums, left_on="id", right_on="order_id", how="left", maintain_order="left")
    heads = heads.with_columns(
        pl.col("lines", "n", "goods").fill_null(0),
        *(_coded(heads[name]) for name in ("status", "channel", "currency")),
    )
    of_all = _mixed(heads, "lines", "n", "status", "channel", "currency", "placed_at", "shipping", "tax", "is_test")
    return heads.select(
        object_id="id",
        print=of_all.reinterpret(signed=True),
        customer="customer_id",
        cents=pl.col("goods") + pl.col("shipping") + pl.col("tax"),
    )


def _coded(column: pl.Series) -> pl.Series:
    """Words as numbers; there are few of them."""
    codes = {word: zlib.crc32(word.encode()) for word in column.unique()}
    return column.replace_strict(codes, return_dtype=pl.Int64)


def _mixed(frame: pl.DataFrame, *columns: str) -> pl.Series:
    """64 bits per row; step by step, for as an expression it would be worked out anew at every use."""
    mixed = pl.Series([ODD], dtype=pl.UInt64).new_from_index(0, frame.height)
    for name in columns:
        bits = frame[name].cast(pl.Int64).reinterpret(signed=False)
        mixed = (mixed ^ bits) * ODD
        mixed = (mixed ^ (mixed // (1 << 29))) * OTHER
        mixed = mixed ^ (mixed // (1 << 32))
    return mixed


# --- other tables ---------------------------------------------------------------------------------


def columns_of(model: type[models.Model]) -> list[str]:
    """The columns by which a row is known to be changed."""
    return [field.attname for field in model._meta.concrete_fields if field.attname not in NOT_THEIRS]


def read(model: type[models.Model], ids: Iterable[int]) -> dict[int, Values]:
    """Primary key → the row's values as JSON takes them."""
    names = columns_of(model)
    wanted, found = list(ids), {}
    for start in range(0, len(wanted), 10_000):
        rows = model._base_manager.filter(pk__in=wanted[start : start + 10_000]).values_list("pk", *names)
        for pk, *values in rows.iterator():
            found[pk] = dict(zip(names, map(_plain, values), strict=True))
    return found


def of_row(values: Values) -> int:
    """The fingerprint of a row's values."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
