"""Online Retail II as the protocol takes it: positive product lines, same-day reversals out, no half day at the end."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.forecast.sets import Benchmark

FIRST, LAST = date(2009, 12, 1), date(2011, 12, 8)
"""The day after `LAST` is half a day."""
COUNTRY = "GB"
SAMPLE = 600
SLOW = 200
"""Products for the methods that take minutes per hundred."""
LEAST = 60
"""Selling days in training that a product needs."""


def lines(folder: Path) -> pl.DataFrame:
    """The lines that count: invoice, code, description, quantity, price, revenue, ds, country.

    `folder` holds the two sheets as *.parquet with the columns invoice, stock_code, description, quantity,
    invoice_date, price, customer_id, country, is_sheet_overlap. A line is taken out when the same customer returned
    as many of the same product on the same day. Raises FileNotFoundError for a folder without them.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no *.parquet; give the folder of Online Retail II with --data.")
    raw = pl.concat([pl.read_parquet(f) for f in files], how="vertical_relaxed").filter(~pl.col("is_sheet_overlap"))
    code = pl.col("stock_code").str.strip_chars().str.to_uppercase()
    raw = raw.with_columns(code=code, ds=pl.col("invoice_date").dt.date())
    raw = raw.filter(pl.col("code").str.contains(r"^\d{5}[A-Z]*$"))
    key = ["customer_id", "code", "ds", "quantity"]
    cancelled = raw.filter((pl.col("quantity") < 0) & pl.col("invoice").str.starts_with("C"))
    cancelled = cancelled.with_columns(quantity=-pl.col("quantity")).select(key).unique()
    sold = raw.filter((pl.col("quantity") > 0) & (pl.col("price") > 0) & ~pl.col("invoice").str.starts_with("C"))
    kept = sold.join(cancelled, on=key, how="anti").filter(pl.col("ds") <= LAST)
    revenue, title = pl.col("quantity") * pl.col("price"), pl.col("description").str.strip_chars()
    kept = kept.with_columns(revenue=revenue, description=title)
    return kept.sort("invoice", "code", "quantity", "price", "invoice_date")


def dense(sums: pl.DataFrame, *, last: date = LAST, every: str = "1d") -> pl.DataFrame:
    """One row per id and period from its first to `last`; `y` is 0 where nothing was sold."""
    first = sums.group_by("unique_id").agg(begins=pl.col("ds").min())
    days = pl.DataFrame({"ds": pl.date_range(sums["ds"].min(), last, every, eager=True)})  # type: ignore[arg-type]
    grid = first.join(days, how="cross").filter(pl.col("ds") >= pl.col("begins")).drop("begins")
    joined = grid.join(sums.filter(pl.col("ds") <= last), on=["unique_id", "ds"], how="left")
    return joined.with_columns(pl.col("y").cast(pl.Float64).fill_null(0.0)).sort("unique_id", "ds")


def totals(sold: pl.DataFrame, by: str | None = None, *, last: date = LAST) -> pl.DataFrame:
    """Daily revenue of all, or of each value of the column `by`."""
    named = sold.with_columns(unique_id=pl.lit("shop") if by is None else pl.col(by))
    return dense(named.group_by("unique_id", "ds").agg(y=pl.col("revenue").sum()), last=last)


def products(sold: pl.DataFrame, *, last: date = LAST) -> pl.DataFrame:
    """Daily units of each product, with the price last paid and the first title (a later one is not known before)."""
    daily = sold.group_by(unique_id="code", ds="ds").agg(
        y=pl.col("quantity").sum(), price=pl.col("revenue").sum() / pl.col("quantity").sum()
    )
    titles = sold.filter(pl.col("description").is_not_null()).group_by(unique_id="code")
    titles_ = titles.agg(text=pl.col("description").sort_by("ds", "invoice", "description").first())
    grid = dense(daily, last=last).with_columns(pl.col("price").forward_fill().over("unique_id"))
    named = grid.join(titles_, on="unique_id", how="left")
    return named.with_columns(pl.col("text").fill_null("")).sort("unique_id", "ds")


def back(last: date, horizon: int, count: int, *, step: int = 28) -> tuple[date, ...]:
    """Cutoffs, the last of them `horizon` days before `last`.

    >>> back(date(2011, 12, 8), 28, 2)
    (datetime.date(2011, 11, 10), datetime.date(2011, 10, 13))
    """
    return tuple(last - timedelta(days=horizon + step * k) for k in range(count))


def protocol(sold: pl.DataFrame) -> list[Benchmark]:
    """T1 (28 and 90 days), T2 (600 products, the first 200 of them for slow methods, all)."""
    shop, items, four = totals(sold), products(sold), back(LAST, 28, 4)

    def some(name: str, sample: int) -> Benchmark:
        return Benchmark(name, "products", items, four, 28, (7, 28), COUNTRY, least=LEAST, sample=sample)

    return [
        Benchmark("t1_28", "total", shop, back(LAST, 28, 12), 28, (7, 28), COUNTRY),
        Benchmark("t1_90", "total", shop, back(LAST, 90, 9), 90, (7, 28, 90), COUNTRY),
        some("t2_600", SAMPLE),
        some("t2_200", SLOW),
        some("t2_all", 0),
    ]
