"""What a shop must be able to tell. A new shop is one file here with these reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import polars as pl

from ml_predictions import conf
from retail_ml import daily, drawn, frames

LIVE_DAYS = 7
"""A shop that has sold something in so many days is live, unless the setting LIVE says otherwise."""
SOLD_BY_DAY: frames.Schema = {"day": pl.Date, "sales": pl.Float64, "units": pl.Float64}


@dataclass(frozen=True)
class DataUntil:
    """Up to when the shop's data reaches, and whether it is still being written."""

    at: datetime
    live: bool
    time_zone: str

    @property
    def as_of(self) -> date:
        """The last whole business day: everything is computed as of it."""
        return frames.as_of_day(self.at, self.time_zone)


def until_of(sold: datetime | None, came_back: datetime | None, *, now: datetime, time_zone: str) -> DataUntil | None:
    """Up to when the data of a shop reaches, by its last sale and last return until `now`: see the setting LIVE."""
    if sold is None:
        return None
    mode = str(conf.get("LIVE")).lower()
    if mode == "yes" or (mode == "auto" and sold > now - timedelta(days=LIVE_DAYS)):
        return DataUntil(now, live=True, time_zone=time_zone)
    return DataUntil(max(sold, came_back or sold), live=False, time_zone=time_zone)


@dataclass(frozen=True)
class LeftOut:
    """Order lines that are not in `order_lines`, counted by reason (later, other currency, test order)."""

    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """What a shop knows somebody by: enough to find them in texts and files. Never a stored thing."""

    customer_id: str
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    """Their numbers in other systems."""
    names: tuple[str, ...] = ()
    """First and last name together, and the last name alone where nobody else in the shop bears it."""
    erasable: bool = True
    """False for those whom erasing a customer must not touch: staff."""


class Source(Protocol):
    """The reads of a shop. Frames have the columns of `retail_ml.frames`; no read runs a query per row."""

    def data_until(self) -> DataUntil | None:
        """Up to when the data reaches; None for a shop that has never sold anything."""

    def order_lines(self, *, since: date | None = None, customer_id: str | None = None) -> pl.DataFrame:
        """`frames.ORDER_LINES`: sales and returns up to `data_until`, from the business day `since` on.

        With `customer_id` only that customer's (live, for one request).
        """

    def left_out(self) -> LeftOut:
        """What `order_lines` leaves out, counted by reason."""

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.PRODUCTS`; with `ids` only those."""

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`, live; with `product_ids` only the variants of those, with `variant_ids` only these."""

    def counts_stock(self) -> bool:
        """Has the shop ever counted its stock? Until then a stock of 0 means that nobody knows."""

    def available(self, *, product_ids: Sequence[str] | None = None) -> dict[str, float]:
        """Units on hand and not promised of each product's active variants, live: one query; None: of all products.

        A variant below zero counts as none. A product without an active variant is absent; in a shop that has never
        counted its stock each has infinitely many.
        """

    def purchases(self, *, customer_id: str) -> pl.DataFrame:
        """What one customer ever bought, live, in one query: `order_id`, `product_id` (text) and `day`."""

    def buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """Who bought some products from the day `since` on, live, in one query.

        `customer_id`, `order_id`, `product_id` and `day`; no guests, and nobody whose account is closed.
        """

    def visits_of_buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """All orders since then of those whom `buyers` names, in one query: `customer_id`, `order_id` and `day`."""

    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`."""

    def customer_exists(self, customer_id: str) -> bool:
        """Does the shop know this customer?"""

    # `contacts` and `find_customers` are optional: a shop that lacks them is shown by ids alone.

    def contacts(self, ids: Sequence[str]) -> pl.DataFrame:
        """`customer_id`, `name` and `email` (texts, "" where unknown) of those customers that the shop knows."""

    def find_customers(self, text: str, *, most: int) -> list[str]:
        """Ids of at most so many customers whose name, e-mail or number contains `text`, in whatever case."""

    def stock_history(self) -> pl.DataFrame | None:
        """`frames.STOCK_HISTORY`, or None where the shop keeps none."""

    def fingerprint(self) -> dict[str, Any]:
        """A few figures that change when the data does (counts, last order), to tell two trainings' data apart."""


OPTIONAL_READS: dict[str, frames.Schema] = {
    "price_breaks": frames.PRICE_BREAKS,  # the prices that each variant's own supplier asks from a quantity on
    "deliveries": frames.DELIVERIES,  # received purchase lines, oldest first: what lead times really were
    "open_orders": frames.OPEN_ORDERS,  # purchase lines that still miss units, drafts among them
}
"""Reads without arguments that a shop may have, with the frame that each returns: see `read_optional`."""


def read_optional(source: Source, read: str) -> pl.DataFrame:
    """One of `OPTIONAL_READS` of a shop; a shop that lacks it is read as one that has none."""
    schema = OPTIONAL_READS[read]
    method = getattr(source, read, None)
    return frames.empty(schema) if method is None else frames.check(method(), schema, name=read)


def open_orders_of(source: Source, variant_ids: Sequence[str]) -> pl.DataFrame:
    """Purchase lines of some variants that still miss units: a read of its own where the shop has one."""
    method = getattr(source, "open_orders_of", None)
    if method is None:
        return read_optional(source, "open_orders").filter(pl.col("variant_id").is_in(list(variant_ids)))
    return frames.check(method(variant_ids), frames.OPEN_ORDERS, name="open_orders_of")


def daily_lines(source: Source) -> pl.DataFrame:
    """`order_lines` for those who need days only: `retail_ml.daily.DAILY` of a shop that adds them up itself."""
    method = getattr(source, "daily_lines", None)
    return source.order_lines() if method is None else frames.check(method(), daily.DAILY, name="daily_lines")


def customer_lines(source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`order_lines` for those who need days of customers, and for those who need days of variants, of one reading.

    `retail_ml.daily.CUSTOMER_DAYS` and `DAILY` of a shop that adds them up itself.
    """
    method = getattr(source, "customer_lines", None)
    if method is None:
        lines = source.order_lines()
        return lines, lines
    customers, variants = method()
    checked = frames.check(customers, daily.CUSTOMER_DAYS, name="customer_lines")
    return checked, frames.check(variants, daily.DAILY, name="customer_lines")


def lines_of_some(source: Source, *, most: int, seed: int) -> tuple[pl.DataFrame, float]:
    """`order_lines` for those who learn people's habits, and of what share of the people they are: 1.0, of all.

    Of a shop with more than about `most` lines those of some, drawn by `seed`: see `retail_ml.drawn`. A shop that can
    read less then has a method of this name.
    """
    method = getattr(source, "lines_of_some", None)
    if method is not None:
        lines, share = method(most=most, seed=seed)
        return frames.check(lines, frames.ORDER_LINES, name="lines_of_some"), share
    lines = source.order_lines()
    share = drawn.share(len(lines), most)
    return (lines if share == 1 else lines.filter(drawn.is_drawn(share, seed))), share


def stock_history_since(source: Source, since: date) -> pl.DataFrame | None:
    """`stock_history` from the day `since` on; of the changes before, one row per variant: their sum, at the last one.

    What was on a shelf from `since` on follows from it as from the whole. A shop without this read gives the whole.
    """
    method = getattr(source, "stock_history_since", None)
    found = source.stock_history() if method is None else method(since)
    return None if found is None else frames.check(found, frames.STOCK_HISTORY, name="stock_history_since")


def positions(source: Source) -> pl.DataFrame:
    """`frames.POSITIONS` of all variants; a shop without this read gives its stock."""
    method = getattr(source, "positions", None)
    if method is not None:
        return frames.check(method(), frames.POSITIONS, name="positions")
    return source.stock().select(*frames.POSITIONS)


def shelf(source: Source, categories: Sequence[str] | None) -> pl.DataFrame:
    """`frames.SHELF` of the variants of some categories, None: of all; a shop without this read gives its stock."""
    method = getattr(source, "shelf_of", None)
    if method is not None:
        return frames.check(method(categories), frames.SHELF, name="shelf_of")
    category = source.products().select("product_id", pl.col("category").fill_null(""))
    table = source.stock().join(category, on="product_id", how="left").with_columns(pl.col("category").fill_null(""))
    return table.select(*frames.SHELF) if categories is None else table.filter(
        pl.col("category").is_in(list(categories))
    ).select(*frames.SHELF)  # fmt: skip


@runtime_checkable
class Erasing(Protocol):
    """The optional writes of a shop that can forget a person; one without answers 409 `not_supported_by_source`."""

    def person(self, customer_id: str) -> Person | None:
        """What this customer is known by; None for an unknown one."""

    def erase_customer(self, customer_id: str) -> dict[str, int]:
        """Make the customer's orders guest orders and remove all else that the shop knows of them.

        In the caller's transaction. Returns how many of what: `account`, `orders`, `tokens`, `suppressed` (hashes that
        keep an import from bringing them back).
        """


@dataclass(frozen=True)
class DraftLine:
    """One variant of a purchase-order draft: whole units; `unit_cost` None where nobody knows it."""

    variant_id: str
    units: int
    unit_cost: float | None
    note: str = ""


@dataclass(frozen=True)
class OrderDraft:
    """What one supplier is to be asked for."""

    supplier_id: str
    lines: tuple[DraftLine, ...]
    note: str = ""


@dataclass(frozen=True)
class PlacedDraft:
    """A stored draft: the shop's id and number of it."""

    supplier_id: str
    order_id: str
    number: str


@runtime_checkable
class Drafting(Protocol):
    """The optional writes of a shop that keeps purchase orders; one without answers 409 `not_supported_by_source`.

    Both are called in one transaction. Once `hold_drafting` has returned, `open_orders` is read again, and the stock
    where it has changed: so two callers at once do not both order the same.
    """

    def hold_drafting(self) -> None:
        """Let nobody else place drafts until the transaction ends."""

    def place_drafts(self, drafts: Sequence[OrderDraft], *, user: Any) -> list[PlacedDraft]:
        """Store the drafts, in their order, audited as done by `user`. From then on `stock` counts them as drafted."""
