"""The import doctor: what is wrong with a file of sales, how much of it, where, and what will be done about it.

The checks are those of `retail_ml.quality`, under the same codes as on the shop's own data, and those of
`retail_ml.quality_file`. What is left out for a reason of `ingest.rows.REASONS` stands in the reconciliation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from ingest import bulk
from ingest.errors import BadFile
from ingest.report import EXAMPLES, row_example, where
from ingest.rows import CHARGES, LEAVABLE, Rows
from products.models import ProductVariant
from retail_ml import frames, quality, quality_file

KEPT, DECIDE = "kept", "decide"
DECISIONS = frozenset({*LEAVABLE, "at_night", "entered_twice", "number_reused", "sku_two_names", "other_currency"})
"""Codes that want a word of the owner; the others are told, and the rows come in."""
OF_ORDERS = frozenset({"at_midnight", "at_night", "mostly_guests", "number_reused"})
OF_SKUS = frozenset({"no_cost"})
OF_GAPS = frozenset({"silent_weeks"})
CHECKS = (quality.of_lines, quality.of_days, quality.of_orders, quality.of_times, quality.of_words)


@dataclass(frozen=True)
class Finding:
    """One kind of fault in the files; money in cents."""

    code: str
    action: str
    """`kept` or `decide`; what is left out is no finding but a reason of the reconciliation."""
    unit: str
    """What is counted: `lines`, `orders`, `skus` or `gaps`."""
    count: int
    of: int
    orders: int
    cents: int
    examples: list[str] = field(default_factory=list)
    """The first three: file, line, and what stands there."""


def look(rows: Rows, *, zone: str, currency: str, now: datetime) -> list[Finding]:
    """Everything that is found in the sale rows, the most money first; nothing for files without faults."""
    columns = ["row", "order_number", "customer_id", "sku", "placed_at", "units", "unit_price", "cents"]
    kept = rows.frame.filter(pl.col("kind") == "sale")
    sales = kept.select(columns)
    found = [_told(one, rows, sales, zone) for one in quality.look(_tables(kept, zone, now), CHECKS)]
    told = kept.select(
        "row", "customer_id", "sku", "currency", order_id="order_number", name="product_name", at="placed_at"
    )
    told = told.with_columns(pl.col("name").cast(pl.String), pl.col("currency").cast(pl.String).fill_null(currency))
    del kept
    found += [_told(one, rows, sales, zone) for one in quality_file.look(told, currency=currency)]
    found += [_told(one, rows, sales, zone) for one in quality.look(_without_cost(told), (quality.of_stock,))
              if one.code == "no_cost"]  # fmt: skip
    return sorted(found, key=lambda one: (one.action != DECIDE, -abs(one.cents), one.code))


def leave_out(rows: Rows, codes: Collection[str], *, zone: str, now: datetime) -> Rows:
    """`rows` without those of the findings `codes`: each has the code as its reason, as has its order's lone shipping.

    Raises BadFile naming a code that cannot be left out.
    """
    if wrong := sorted(set(codes) - set(LEAVABLE)):
        raise BadFile("file.leave_out", wrong=", ".join(wrong), known=", ".join(LEAVABLE))
    if not codes:
        return rows
    frame = rows.frame
    tables = _tables(frame.filter(pl.col("kind") == "sale"), zone, now)
    marks = [one.rows.to_frame().with_columns(code=pl.lit(one.code))
             for one in quality.look(tables, CHECKS) if one.code in codes]  # fmt: skip
    if not marks:
        return rows
    marked = pl.concat(marks).unique("row", keep="first", maintain_order=True)
    frame = frame.join(marked, on="row", how="left", maintain_order="left")
    goods = frame.filter((pl.col("kind") == "sale") & pl.col("code").is_null()).select("order_number").unique()
    gone = frame.filter(pl.col("code").is_not_null()).unique("order_number", keep="first")
    gone = gone.join(goods, on="order_number", how="anti").select("order_number", lone="code")
    frame = frame.join(gone, on="order_number", how="left", maintain_order="left")
    charge = pl.when(pl.col("kind").is_in(CHARGES)).then(pl.col("lone"))
    frame = frame.with_columns(code=pl.coalesce("code", charge))
    frame = frame.with_columns(
        reason=pl.coalesce("reason", "code"), kind=pl.when(pl.col("code").is_null()).then(pl.col("kind"))
    )
    return replace(rows, frame=frame.drop("code", "lone"))


def _tables(kept: pl.DataFrame, zone: str, now: datetime) -> quality.Tables:
    """The sale rows as the checks on a shop's own lines take them; a product is an SKU."""
    at = pl.col("placed_at")
    lines = kept.select(
        "row", "customer_id", "units", "placed_at",
        order_id="order_number", product_id="sku", variant_id="sku", at=at,
        day=at.dt.convert_time_zone(zone).dt.date(), amount=pl.col("cents") / 100, is_return=pl.lit(value=False),
    ).drop("placed_at")  # fmt: skip
    names = kept.select(product_id="sku", name=pl.col("product_name").cast(pl.String)).unique(maintain_order=True)
    return quality.Tables(lines, names, frames.empty(frames.STOCK), zone=zone, now=now)


def _without_cost(told: pl.DataFrame) -> quality.Tables:
    """The SKUs of the file, each with the cost that the shop knows."""
    skus = told.select("sku", "row").unique("sku", keep="first", maintain_order=True)
    known = bulk.fetch(ProductVariant, ["sku", bulk.scaled("cost", 10_000)], key="sku", values=skus["sku"])
    costs = pl.DataFrame(known, schema={"sku": pl.String, "cost": pl.Float64}, orient="row")
    table = skus.join(costs, on="sku", how="left", maintain_order="left").with_columns(variant_id="sku", active=True)
    stock = pl.concat([frames.empty(frames.STOCK), table], how="diagonal_relaxed")
    return quality.Tables(frames.empty(frames.ORDER_LINES), frames.empty(frames.PRODUCTS), stock)


def _told(one: quality.Finding, rows: Rows, sales: pl.DataFrame, zone: str) -> Finding:
    action = DECIDE if one.code in DECISIONS else KEPT
    unit = next((name for name, codes in UNITS.items() if one.code in codes), "lines")
    if one.rows.is_empty():
        shown = [_span(example) for example in one.examples[:EXAMPLES]]
        return Finding(one.code, action, unit, one.count, one.of, 0, 0, shown)
    found = sales.join(one.rows.to_frame(), on="row", how="semi", maintain_order="left")
    orders = found["order_number"].n_unique()
    cents = int(found["cents"].sum()) if unit == "lines" else 0
    return Finding(one.code, action, unit, one.count, one.of, orders, cents, list(_examples(one, rows, zone)))


UNITS = {"orders": OF_ORDERS, "skus": OF_SKUS, "gaps": OF_GAPS}


def _examples(one: quality.Finding, rows: Rows, zone: str) -> Iterable[str]:
    first = one.rows.head(EXAMPLES)
    at = rows.frame.filter(pl.col("row").is_in(first.implode()))
    by_row = {row["row"]: row for row in at.iter_rows(named=True)}
    for number, example in zip(first, one.examples, strict=False):
        row = by_row[number]
        if one.code == "sku_two_names":
            yield f"{where(row, rows.parts)}: {example['sku']}, {example['name']} / {example['other']}"
        elif one.code == "number_reused":
            yield f"{where(row, rows.parts)}: {row['order_number']}, {example['first'][:10]} / {example['last'][:10]}"
        elif one.code == "no_cost":
            yield f"{where(row, rows.parts)}: {row['sku']}"
        elif one.code in OF_ORDERS | {"future_dates"}:
            at = row["placed_at"].astimezone(ZoneInfo(zone))
            yield f"{where(row, rows.parts)}: {row['order_number']}, {at:%Y-%m-%d %H:%M}"
        else:
            yield row_example(row, rows.parts)


def _span(example: dict[str, Any]) -> str:
    return f"{example['first']} / {example['last']}"
