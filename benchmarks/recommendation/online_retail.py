"""Online Retail II (Chen, 2019, doi 10.24432/C5CG6D) as the two frames of the benchmark."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

START = date(2009, 12, 1)
DATES = {"Nov": date(2011, 11, 11), "Jun": date(2011, 6, 17)}


def load(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`lines` and `products` from the Parquet files of `folder`; days are counted from 2009-12-01.

    Codes in capitals and five digits with up to two letters; no cancelled or adjusting invoice; quantity and price
    above 0; the days that stand in both sheets once. A product's text is its commonest description.
    """
    raw = pl.concat([pl.read_parquet(f) for f in sorted(folder.glob("*.parquet"))], how="vertical_relaxed")
    raw = raw.filter(~pl.col("is_sheet_overlap")).with_columns(
        code=pl.col("stock_code").str.strip_chars().str.to_uppercase()
    )
    kept = raw.filter(
        pl.col("code").str.contains(r"^\d{5}[A-Z]{0,2}$"),
        ~pl.col("invoice").str.contains("^[CA]"),
        pl.col("quantity") > 0,
        pl.col("price") > 0,
    )
    start = pl.datetime(START.year, START.month, START.day)
    lines = kept.select(
        order=pl.col("invoice").rank("dense").cast(pl.Int64),
        customer=pl.col("customer_id").cast(pl.Int64).fill_null(-1),
        product=pl.col("code").rank("dense").cast(pl.Int64),
        ts=(pl.col("invoice_date") - start).dt.total_seconds() / 86_400.0,
        qty=pl.col("quantity").cast(pl.Float64),
        price=pl.col("price"),
        description=pl.col("description").str.strip_chars(),
    )
    text = (
        lines.drop_nulls("description").group_by("product", "description").len().sort(
            "product", "len", "description", descending=[False, True, False]
        ).unique("product", keep="first", maintain_order=True)
    )  # fmt: skip
    products = (
        lines.group_by("product").agg(pl.col("price").median()).sort("product")
        .join(text.select("product", text="description"), on="product", how="left")
        .select("product", pl.col("text").fill_null(""), category=pl.lit(""), price="price")
    )  # fmt: skip
    return lines.drop("description"), products


def day(when: date) -> float:
    """Days from the first day of the data."""
    return float((when - START).days)
