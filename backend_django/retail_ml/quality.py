"""Faults in a shop's data: frames in, findings out. Each says how many, of how many, and shows the first few.

A finding is no error: every one of these is trained with. It is what an owner can mend so that the numbers get better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from retail_ml import frames

EXAMPLES = 5
OUTLIER = 20.0
"""Times the product's median price, or one so many-th of it, from which a price is taken for a slip of the pen."""
FEWEST_TO_JUDGE = 5
"""Sold lines of a product from which its median price says something."""
GIANT = 50.0
"""Times the variant's median quantity (and at least 100 units) from which a quantity is taken for one."""
SILENT = 14
"""Days on end without a sale, between two sales, that want an explanation."""
GUESTS = 0.5
"""Share of orders without a customer from which the customers' figures are of the minority."""

FORECAST, RECOMMEND, SEGMENT, INVENTORY = (
    "sales_forecast", "product_recommendation", "customer_segmentation", "inventory_optimization",
)  # fmt: skip
ALL = (FORECAST, RECOMMEND, SEGMENT, INVENTORY)


@dataclass(frozen=True)
class Tables:
    """What is looked through: `frames.ORDER_LINES`, `frames.PRODUCTS` and `frames.STOCK`."""

    lines: pl.DataFrame
    products: pl.DataFrame
    stock: pl.DataFrame
    counts_stock: bool = True


@dataclass(frozen=True)
class Finding:
    """One kind of fault: a code, the services that it touches, how many rows of how many, and the first of them."""

    code: str
    services: tuple[str, ...]
    count: int
    of: int
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the rows looked at, 0…1."""
        return self.count / self.of if self.of else 0.0


def look(tables: Tables) -> list[Finding]:
    """Everything that is found, in the order of the checks; nothing for a shop without faults.

    >>> look(Tables(frames.empty(frames.ORDER_LINES), frames.empty(frames.PRODUCTS), frames.empty(frames.STOCK)))
    []
    """
    return [found for check in CHECKS for found in check(tables) if found.count]


def _finding(code: str, services: tuple[str, ...], rows: pl.DataFrame, of: int, *columns: str) -> Finding:
    shown = rows.select(columns).head(EXAMPLES)
    examples = [{name: _plain(value) for name, value in row.items()} for row in shown.iter_rows(named=True)]
    return Finding(code, services, rows.height, of, examples)


def _plain(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value.isoformat() if hasattr(value, "isoformat") else value


def _sold(tables: Tables) -> pl.DataFrame:
    return tables.lines.filter(~pl.col("is_return"))


# --- sales ----------------------------------------------------------------------------------------


def of_lines(tables: Tables) -> Iterator[Finding]:
    """Lines given away, without units, far from the usual price, of a giant quantity, or entered twice."""
    sold = _sold(tables)
    shown = ("order_id", "day", "product_id", "variant_id", "units", "amount")
    yield _finding("free_lines", (FORECAST, SEGMENT), sold.filter(pl.col("amount") <= 0), sold.height, *shown)
    yield _finding("no_units", (FORECAST, INVENTORY), sold.filter(pl.col("units") <= 0), sold.height, *shown)
    priced = sold.filter((pl.col("units") > 0) & (pl.col("amount") > 0)).with_columns(
        price=pl.col("amount") / pl.col("units")
    )
    usual, known = pl.col("price").median().over("product_id"), pl.len().over("product_id") >= FEWEST_TO_JUDGE
    far = (pl.col("price") > OUTLIER * pl.col("usual")) | (pl.col("price") * OUTLIER < pl.col("usual"))
    slips = priced.with_columns(usual=usual, known=known).filter(pl.col("known") & far)
    yield _finding("price_far_off", (FORECAST, SEGMENT), slips, priced.height, *shown, "price", "usual")
    median = pl.col("units").median().over("variant_id")
    giants = sold.with_columns(usual=median).filter(
        (pl.col("units") > GIANT * pl.col("usual")) & (pl.col("units") >= 100)
    )
    yield _finding("giant_quantity", (FORECAST, INVENTORY), giants, sold.height, *shown, "usual")
    key = ("order_id", "variant_id", "units", "amount", "at")
    twice = sold.filter(pl.struct(key).is_duplicated()).unique(key, keep="first", maintain_order=True)
    yield _finding("entered_twice", (FORECAST, RECOMMEND, INVENTORY), twice, sold.height, *shown)


def of_returns(tables: Tables) -> Iterator[Finding]:
    """Variants of which more came back than was ever sold; lines taken back on the day they were sold."""
    sums = tables.lines.group_by("variant_id").agg(
        sold=pl.col("units").filter(~pl.col("is_return")).sum(),
        returned=-pl.col("units").filter(pl.col("is_return")).sum(),
    )
    more = sums.filter(pl.col("returned") > pl.col("sold")).sort("variant_id")
    yield _finding("more_back_than_sold", (FORECAST, INVENTORY), more, sums.height, "variant_id", "sold", "returned")
    kept = frames.net_same_day(tables.lines)
    moved = tables.lines.filter(pl.col("units") != 0)
    gone = moved.join(kept, on=["order_id", "variant_id", "at", "units", "amount"], how="anti", nulls_equal=True)
    yield _finding("same_day_back", (FORECAST,), gone, tables.lines.height, "order_id", "day", "variant_id", "units")


def of_days(tables: Tables) -> Iterator[Finding]:
    """Weeks in the middle of the history in which nothing was sold."""
    days = _sold(tables).select("day").unique().sort("day")
    gaps = days.with_columns(before=pl.col("day").shift(1)).drop_nulls().with_columns(
        silent=(pl.col("day") - pl.col("before")).dt.total_days() - 1
    )  # fmt: skip
    gaps = gaps.filter(pl.col("silent") >= SILENT).select(
        first=pl.col("before") + timedelta(days=1), last=pl.col("day") - timedelta(days=1), days="silent"
    )
    found = _finding("silent_weeks", (FORECAST, INVENTORY), gaps, days.height, "first", "last", "days")
    yield found


def of_orders(tables: Tables) -> Iterator[Finding]:
    """Orders without a customer, where they are the majority."""
    orders = _sold(tables).unique("order_id", maintain_order=True)
    guests = orders.filter(pl.col("customer_id").is_null())
    if orders.height and guests.height > GUESTS * orders.height:
        yield _finding("mostly_guests", (SEGMENT, RECOMMEND), guests, orders.height, "order_id", "day")


# --- the range and its stock ----------------------------------------------------------------------


def of_products(tables: Tables) -> Iterator[Finding]:
    """Products without a category, a description or a price; names that several products share."""
    active = tables.products.filter("active")
    shown = ("product_id", "name")
    lacking = {
        "no_category": ((FORECAST, RECOMMEND), pl.col("category").fill_null("").str.strip_chars() == ""),
        "no_description": ((RECOMMEND,), pl.col("description").fill_null("").str.strip_chars() == ""),
        "no_price": ((RECOMMEND, INVENTORY), pl.col("price").is_null() | (pl.col("price") <= 0)),
    }
    for code, (services, fault) in lacking.items():
        yield _finding(code, services, active.filter(fault), active.height, *shown)
    named = active.with_columns(key=pl.col("name").str.strip_chars().str.to_lowercase())
    alike = named.filter((pl.col("key") != "") & pl.col("key").is_duplicated()).sort("key", maintain_order=True)
    yield _finding("same_name", (RECOMMEND,), alike, active.height, *shown)


def of_stock(tables: Tables) -> Iterator[Finding]:
    """Variants with less than nothing on the shelf, without cost, supplier or lead time, or dearer than their price."""
    active = tables.stock.filter("active")
    shown = ("variant_id", "sku")
    if not tables.counts_stock:
        yield _finding("never_counted", (INVENTORY, RECOMMEND), active, active.height, *shown)
    lacking = {
        "below_zero": (pl.col("on_hand") < 0, "on_hand"),
        "no_cost": (pl.col("cost").is_null() | (pl.col("cost") <= 0), "price"),
        "dearer_than_its_price": (pl.col("cost") > pl.col("price"), "cost"),
        "no_supplier": (pl.col("supplier_id").is_null(), "options"),
        "no_lead_time": (pl.col("lead_time_days").is_null(), "supplier"),
    }
    for code, (fault, column) in lacking.items():
        yield _finding(code, (INVENTORY,), active.filter(fault), active.height, *shown, column)


CHECKS: tuple[Callable[[Tables], Iterator[Finding]], ...] = (
    of_lines, of_returns, of_days, of_orders, of_products, of_stock,
)  # fmt: skip
