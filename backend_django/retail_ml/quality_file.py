"""Faults that only a file of sales can hold, before a shop takes it over: frames in, findings out.

A shop has one name per SKU, one customer per order and no negative price; a file may have several.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from retail_ml import quality
from retail_ml.frames import Schema
from retail_ml.quality import ALL, FORECAST, RECOMMEND, SEGMENT, Finding

SALES: Schema = {  # one row per line of a file that is a sale
    "row": pl.Int64,
    "order_id": pl.String,
    "customer_id": pl.String,  # null: a guest
    "sku": pl.String,
    "name": pl.String,  # the product's, as this row has it; null: none
    "at": pl.Datetime("us", "UTC"),
    "currency": pl.String,  # three letters
}
APART = 48
"""Hours between the first and last line of an order number from which it stands for several orders."""
OTHER_NAME = 3
"""Rows of an SKU under its second name from which that name is no slip of the pen."""


def look(sales: pl.DataFrame, *, currency: str) -> list[Finding]:
    """Everything that is found in `SALES`; `currency` is the shop's.

    >>> look(pl.DataFrame(schema=SALES), currency="EUR")
    []
    """
    found = (*of_skus(sales), *of_numbers(sales), *of_currencies(sales, currency))
    return [one for one in found if one.count]


def of_skus(sales: pl.DataFrame) -> Iterator[Finding]:
    """SKUs under which two names stand that share no word: two products, or a number used again.

    >>> rows = [(i, "1", None, "A", name, None, "EUR") for i, name in enumerate(["Red mug"] * 3 + ["Wool hat"] * 3)]
    >>> [(one.code, one.count, one.examples) for one in of_skus(pl.DataFrame(rows, schema=SALES, orient="row"))]
    [('sku_two_names', 3, [{'sku': 'A', 'name': 'Wool hat', 'other': 'Red mug'}])]
    """
    named = sales.filter(pl.col("name").is_not_null())
    counted = named.group_by("sku", "name").agg(n=pl.len(), row=pl.col("row").min())
    several = counted.filter(pl.len().over("sku") > 1)
    several = several.sort("n", "row", descending=[True, False]).with_columns(
        other=pl.col("name").first().over("sku"), words=_words("name")
    )
    apart = pl.col("words").list.set_intersection(pl.col("words").first().over("sku")).list.len() == 0
    others = several.filter(apart & (pl.col("n") >= OTHER_NAME) & (pl.col("words").list.len() > 0)).sort("row")
    rows = named.join(others, on=["sku", "name"], maintain_order="left", suffix="_first")
    first = rows.unique(["sku", "name"], keep="first", maintain_order=True)
    found = quality.finding("sku_two_names", ALL, first, sales.height, "sku", "name", "other")
    yield Finding(found.code, found.services, rows.height, found.of, found.examples, first["row"])


def _words(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.extract_all(r"\p{L}{3,}")


def of_numbers(sales: pl.DataFrame) -> Iterator[Finding]:
    """Order numbers that stand for several orders: under two customers, or days apart."""
    orders = sales.group_by("order_id", maintain_order=True).agg(
        row=pl.col("row").first(),
        customers=pl.col("customer_id").drop_nulls().n_unique(),
        first=pl.col("at").min(),
        last=pl.col("at").max(),
    )
    apart = (pl.col("last") - pl.col("first")).dt.total_hours() > APART
    again = orders.filter(apart | (pl.col("customers") > 1))
    yield quality.finding("number_reused", ALL, again, orders.height, "order_id", "customers", "first", "last")


def of_currencies(sales: pl.DataFrame, currency: str) -> Iterator[Finding]:
    """Lines in another currency than the shop's."""
    foreign = sales.filter(pl.col("currency") != currency)
    yield quality.finding(
        "other_currency", (FORECAST, RECOMMEND, SEGMENT), foreign, sales.height, "order_id", "sku", "currency"
    )
