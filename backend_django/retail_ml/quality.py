"""Faults in a shop's data: frames in, findings out. Each says how many, of how many, and shows the first few.

A finding is no error: every one of these is trained with. It is what an owner can mend so that the numbers get better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
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
MIDNIGHT = 0.5
"""Share of orders at 0:00 sharp from which the times of day are missing."""
NIGHT = 1 / 3
"""Share of the other orders between 1 and 6 o'clock from which the time zone is suspect."""
TEST = r"(?i)\b(?:tests?|testing|prueba|pruebas|dummy)\b|@example\.(?:com|org|net)\b"
"""Words that name a test, in English and Spanish."""
GIFT_CARD = (
    r"(?i)\b(?:gift|e-?gift)[ _-]?(?:cards?|vouchers?|certificates?)\b|dotcomgiftshop gift voucher"
    r"|\b(?:tarjeta|cheque|bono|vale)s?[ _-]?(?:de[ _-])?regalo\b"
)
"""Words that name a gift card: money for later, and no goods."""

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
    zone: str = "UTC"
    """Whose clock tells the time of day."""
    now: datetime | None = None
    """What is later has not been yet; None: nothing is said of the future."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault: a code, the services that it touches, how many rows of how many, and the first of them.

    `rows` are the faulty ones' numbers where the lines that are looked at have a column `row`.
    """

    code: str
    services: tuple[str, ...]
    count: int
    of: int
    examples: list[dict[str, Any]] = field(default_factory=list)
    rows: pl.Series = field(default_factory=lambda: pl.Series("row", [], dtype=pl.Int64), repr=False, compare=False)

    @property
    def share(self) -> float:
        """Of the rows looked at, 0…1."""
        return self.count / self.of if self.of else 0.0


Check = Callable[[Tables], Iterator[Finding]]


def look(tables: Tables, checks: Iterable[Check] | None = None) -> list[Finding]:
    """Everything that is found, in the order of the checks (None: all); nothing for a shop without faults.

    >>> look(Tables(frames.empty(frames.ORDER_LINES), frames.empty(frames.PRODUCTS), frames.empty(frames.STOCK)))
    []
    """
    return [found for check in checks or CHECKS for found in check(tables) if found.count]


def finding(code: str, services: tuple[str, ...], rows: pl.DataFrame, of: int, *columns: str) -> Finding:
    """The finding `code`: all of `rows`, of so many, the first of them shown with `columns`."""
    shown = rows.select(columns).head(EXAMPLES)
    examples = [{name: _plain(value) for name, value in row.items()} for row in shown.iter_rows(named=True)]
    if "row" in rows.columns:
        return Finding(code, services, rows.height, of, examples, rows["row"])
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
    yield finding("free_lines", (FORECAST, SEGMENT), sold.filter(pl.col("amount") <= 0), sold.height, *shown)
    yield finding("no_units", (FORECAST, INVENTORY), sold.filter(pl.col("units") <= 0), sold.height, *shown)
    priced = sold.filter((pl.col("units") > 0) & (pl.col("amount") > 0)).with_columns(
        price=pl.col("amount") / pl.col("units")
    )
    usual, known = pl.col("price").median().over("product_id"), pl.len().over("product_id") >= FEWEST_TO_JUDGE
    far = (pl.col("price") > OUTLIER * pl.col("usual")) | (pl.col("price") * OUTLIER < pl.col("usual"))
    slips = priced.with_columns(usual=usual, known=known).filter(pl.col("known") & far)
    slips = slips.sort("amount", descending=True, maintain_order=True)
    yield finding("price_far_off", (FORECAST, SEGMENT), slips, priced.height, *shown, "price", "usual")
    # What is seldom sold has no usual quantity of its own: the shop's large ones stand for it.
    own = pl.when(pl.len().over("variant_id") >= FEWEST_TO_JUDGE).then(pl.col("units").median().over("variant_id"))
    median = pl.coalesce(own, pl.col("units").quantile(0.99))
    giants = sold.with_columns(usual=median).filter(
        (pl.col("units") > GIANT * pl.col("usual")) & (pl.col("units") >= 100)
    )
    giants = giants.sort("units", descending=True, maintain_order=True)
    yield finding("giant_quantity", (FORECAST, INVENTORY), giants, sold.height, *shown, "usual")
    key = ("order_id", "variant_id", "units", "amount", "at")
    twice = sold.filter(pl.struct(key).is_duplicated()).unique(key, keep="first", maintain_order=True)
    yield finding("entered_twice", (FORECAST, RECOMMEND, INVENTORY), twice, sold.height, *shown)


def of_returns(tables: Tables) -> Iterator[Finding]:
    """Variants of which more came back than was ever sold; lines taken back on the day they were sold."""
    sums = tables.lines.group_by("variant_id").agg(
        sold=pl.col("units").filter(~pl.col("is_return")).sum(),
        returned=-pl.col("units").filter(pl.col("is_return")).sum(),
    )
    more = sums.filter(pl.col("returned") > pl.col("sold")).sort("variant_id")
    yield finding("more_back_than_sold", (FORECAST, INVENTORY), more, sums.height, "variant_id", "sold", "returned")
    kept = frames.net_same_day(tables.lines)
    moved = tables.lines.filter(pl.col("units") != 0)
    gone = moved.join(kept, on=["order_id", "variant_id", "at", "units", "amount"], how="anti", nulls_equal=True)
    yield finding("same_day_back", (FORECAST,), gone, tables.lines.height, "order_id", "day", "variant_id", "units")


def of_days(tables: Tables) -> Iterator[Finding]:
    """Weeks in the middle of the history in which nothing was sold."""
    days = _sold(tables).select("day").unique().sort("day")
    gaps = days.with_columns(before=pl.col("day").shift(1)).drop_nulls().with_columns(
        silent=(pl.col("day") - pl.col("before")).dt.total_days() - 1
    )  # fmt: skip
    gaps = gaps.filter(pl.col("silent") >= SILENT).select(
        first=pl.col("before") + timedelta(days=1), last=pl.col("day") - timedelta(days=1), days="silent"
    )
    found = finding("silent_weeks", (FORECAST, INVENTORY), gaps, days.height, "first", "last", "days")
    yield found


def of_orders(tables: Tables) -> Iterator[Finding]:
    """Orders without a customer, where they are the majority."""
    orders = _sold(tables).unique("order_id", maintain_order=True)
    guests = orders.filter(pl.col("customer_id").is_null())
    if orders.height and guests.height > GUESTS * orders.height:
        yield finding("mostly_guests", (SEGMENT, RECOMMEND), guests, orders.height, "order_id", "day")


def of_times(tables: Tables) -> Iterator[Finding]:
    """Orders without a time of day, most orders in the small hours (another time zone), orders that are yet to come."""
    sold = _sold(tables)
    shown = ("order_id", "day")
    orders = sold.unique("order_id", maintain_order=True)
    clock = pl.col("at").dt.convert_time_zone(tables.zone).dt.time()
    midnight = orders.filter(clock == time(0))
    if midnight.height > MIDNIGHT * orders.height:
        yield finding("at_midnight", (SEGMENT,), midnight, orders.height, *shown)
    awake = orders.filter(clock != time(0))
    night = awake.filter(clock.is_between(time(1), time(6), closed="left"))
    if night.height > NIGHT * awake.height:
        yield finding("at_night", (FORECAST,), night, awake.height, *shown)
    if tables.now:
        later = sold.filter(pl.col("at") > tables.now)
        yield finding("future_dates", ALL, later, sold.height, *shown, "variant_id", "units")


def of_words(tables: Tables) -> Iterator[Finding]:
    """Lines of gift cards and of tests, by the words in a product's name, and a customer's or an order's number."""
    sold = _sold(tables)
    shown = ("order_id", "day", "variant_id", "units", "amount")
    names = tables.products.select("product_id", "name")

    def of(words: str) -> pl.DataFrame:
        named = names.filter(pl.col("name").str.contains(words))
        return sold.join(named, on="product_id", how="semi", maintain_order="left")

    yield finding("gift_cards", (RECOMMEND, INVENTORY), of(GIFT_CARD), sold.height, *shown)
    who = sold.select("order_id", "customer_id").unique()
    tests = who.filter(pl.any_horizontal(pl.col("order_id", "customer_id").str.contains(TEST).fill_null(value=False)))
    ids = pl.concat([tests.select("order_id"), of(TEST).select("order_id")]).unique()
    tried = sold.join(ids, on="order_id", how="semi", maintain_order="left")
    yield finding("test_orders", ALL, tried, sold.height, *shown)


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
        yield finding(code, services, active.filter(fault), active.height, *shown)
    named = active.with_columns(key=pl.col("name").str.strip_chars().str.to_lowercase())
    alike = named.filter((pl.col("key") != "") & pl.col("key").is_duplicated()).sort("key", maintain_order=True)
    yield finding("same_name", (RECOMMEND,), alike, active.height, *shown)


def of_stock(tables: Tables) -> Iterator[Finding]:
    """Variants with less than nothing on the shelf, without cost, supplier or lead time, or dearer than their price."""
    active = tables.stock.filter("active")
    shown = ("variant_id", "sku")
    if not tables.counts_stock:
        yield finding("never_counted", (INVENTORY, RECOMMEND), active, active.height, *shown)
    lacking = {
        "below_zero": (pl.col("on_hand") < 0, "on_hand"),
        "no_cost": (pl.col("cost").is_null() | (pl.col("cost") <= 0), "price"),
        "dearer_than_its_price": (pl.col("cost") > pl.col("price"), "cost"),
        "no_supplier": (pl.col("supplier_id").is_null(), "options"),
        "no_lead_time": (pl.col("lead_time_days").is_null(), "supplier"),
    }
    for code, (fault, column) in lacking.items():
        yield finding(code, (INVENTORY,), active.filter(fault), active.height, *shown, column)


CHECKS: tuple[Check, ...] = (
    of_lines, of_returns, of_days, of_orders, of_times, of_words, of_products, of_stock,
)  # fmt: skip
