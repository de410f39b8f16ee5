"""A shop that is joined by four tables: write `lines`, `products`, `stock` and `customers`, the rest follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.sources.base import SOLD_BY_DAY, DataUntil, LeftOut, until_of
from retail_ml import daily, frames
from retail_ml.errors import BadFrame

ABSENT: dict[str, Any] = {
    "category": "", "brand": "", "description": "", "image_url": "", "active": True, "options": "",
    "reserved": 0.0, "on_order": 0.0, "drafted": 0.0, "pack_size": 1.0, "minimum_order": 1.0, "price": None,
    "created": None, "cost": None, "lead_time_days": None, "lead_time_sd": None, "supplier_id": None, "supplier": None,
    "season_end": None, "minimum_order_value": None, "joined": None, "ordered": None, "expected": None,
}  # fmt: skip
"""What a column holds that a shop does not tell; every other column of a frame must be there."""
WHOLE = (frames.PRICE_BREAKS, frames.DELIVERIES)
"""Frames that say nothing where a column is absent."""
MARKS: frames.Schema = {"status": pl.String, "currency": pl.String, "is_test": pl.Boolean}
"""Columns that `lines` may have beside those of the frame: they decide what counts as a sale of the shop."""
LINES = {name: dtype for name, dtype in frames.ORDER_LINES.items() if name != "day"}
"""What `lines` must tell: the business day follows from `at`."""


def complete(table: pl.DataFrame | pl.LazyFrame, schema: frames.Schema, *, name: str) -> pl.DataFrame:
    """The table with every column of `schema`: those that it lacks as `ABSENT` says, the others safely converted.

    Whole and decimal numbers become floats, numbers that are ids become texts, any time with a zone becomes UTC.
    Raises BadFrame, which names table and column, for whatever cannot be so.

    >>> complete(pl.DataFrame({"customer_id": [7]}), frames.CUSTOMERS, name="customers").rows()
    [('7', None)]
    """
    return frames.check(fitted(table.lazy(), schema).collect(), schema, name=name)


def fitted(table: pl.LazyFrame, schema: frames.Schema) -> pl.LazyFrame:
    """`complete` for a table that is not read yet, and unchecked: what cannot be converted is left as it is."""
    found = table.collect_schema()
    casts = [pl.col(c).cast(dtype) for c, dtype in schema.items() if c in found and safe(found[c], dtype)]
    may_be = () if schema in WHOLE else ABSENT
    absent = {c: pl.lit(ABSENT[c], dtype=schema[c]) for c in schema if c not in found and c in may_be}
    return table.with_columns(*casts, **absent)


def safe(found: Any, needed: Any) -> bool:
    """Can a column be converted without a loss that anybody would see?"""
    if found == pl.Null:  # a column without a value: whether it may be so is asked when it is read
        return True
    if needed == pl.Float64:
        return bool(found.is_numeric())
    if needed == pl.String:
        return bool(found.is_integer() or found in (pl.Categorical, pl.Enum))
    if needed == pl.Datetime("us", "UTC"):
        return isinstance(found, pl.Datetime) and found.time_zone is not None
    return False


class JoinedShop(ABC):
    """`sources.base.Source` over four reads of a subclass.

    A subclass may override whatever it knows a quicker way to, and add the optional reads and writes of `sources.base`.
    """

    # --- what a subclass tells ----------------------------------------------------------------

    @abstractmethod
    def lines(
        self,
        *,
        since: datetime | None = None,
        customer_ids: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
    ) -> pl.DataFrame | pl.LazyFrame:
        """Sales and returns: `LINES`, and the columns of `MARKS` that the shop has; any status, any currency.

        The limits are for a shop that can read less then: they are applied again, so more may be returned.
        """

    @abstractmethod
    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.PRODUCTS`; with `ids` only those."""

    @abstractmethod
    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`; with `product_ids` only the variants of those, with `variant_ids` only these."""

    @abstractmethod
    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`."""

    # --- until when ---------------------------------------------------------------------------

    @property
    def time_zone(self) -> str:
        """The shop's own time zone."""
        return str(conf.get("TIME_ZONE"))

    @cached_property
    def currency(self) -> str:
        """The shop's one currency: the setting, else the one that most of its orders have; "" where none is told."""
        return str(conf.get("CURRENCY") or self.most_used_currency())

    def most_used_currency(self) -> str:
        """The one that most orders have, of two the first by name; "" where the lines tell none."""
        lines = self.lines().lazy()
        if "currency" not in lines.collect_schema():
            return ""
        counts = lines.group_by("currency").agg(n=pl.col("order_id").n_unique()).drop_nulls("currency")
        most = counts.sort("n", "currency", descending=[True, False]).head(1).collect()
        return str(most["currency"][0]) if most.height else ""

    @cached_property
    def _until(self) -> DataUntil | None:
        now = timezone.now()
        sales = self._sales().filter(pl.col("at") <= now)
        sold, last = sales.select(
            sold=pl.col("at").filter(~pl.col("is_return")).max(), last=pl.col("at").max()
        ).collect(engine="streaming").row(0)  # fmt: skip
        return until_of(sold, last, now=now, time_zone=self.time_zone)

    def data_until(self) -> DataUntil | None:
        """Now for a live shop, else its last sale or return; None when it has never sold anything."""
        return self._until

    # --- sales --------------------------------------------------------------------------------

    def _sales(
        self,
        *,
        since: date | None = None,
        customer_ids: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
        marked: bool = False,
        table: pl.LazyFrame | None = None,
    ) -> pl.LazyFrame:
        """Lines of orders that are sales, in whatever currency; `marked`: test orders among them.

        `table`: a part of the lines, None: `lines`.
        """
        start = None if since is None else datetime.combine(since, time.min, ZoneInfo(self.time_zone)).astimezone(UTC)
        raw = table
        if raw is None:
            raw = self.lines(since=start, customer_ids=customer_ids, product_ids=product_ids).lazy()
        told = raw.collect_schema()
        if "is_return" not in told and "units" in told:
            raw = raw.with_columns(is_return=pl.col("units") < 0)
        rows = fitted(raw, {**LINES, **{c: t for c, t in MARKS.items() if c in told}})
        found = frames.check(pl.DataFrame(schema=rows.collect_schema()), LINES, name="order lines")  # before reading
        limits = [pl.lit(True)]
        if start is not None:
            limits.append(pl.col("at") >= start)
        if customer_ids is not None:
            limits.append(pl.col("customer_id").is_in(list(customer_ids)))
        if product_ids is not None:
            limits.append(pl.col("product_id").is_in(list(product_ids)))
        if "status" in told:
            limits.append(pl.col("status").is_in(list(conf.get("SALE_STATUSES"))))
        if "is_test" not in told:
            rows = rows.with_columns(is_test=pl.lit(False))
        if "currency" not in told:
            rows = rows.with_columns(currency=pl.lit(self.currency))
        if not marked:
            limits.append(~pl.col("is_test"))
        return rows.filter(*limits).select(*found.columns, "is_test", "currency")

    def order_lines(self, *, since: date | None = None, customer_id: str | None = None) -> pl.DataFrame:
        """`frames.ORDER_LINES`, oldest first."""
        if self._until is None:
            return frames.empty(frames.ORDER_LINES)
        sales = self._sales(since=since, customer_ids=None if customer_id is None else [customer_id])
        table = sales.filter(pl.col("at") <= self._until.at, pl.col("currency") == self.currency).collect()
        table = frames.with_day(table, self.time_zone)
        table = table.sort(frames.OLDEST_FIRST)
        daily.signs(table)
        return frames.check(table, frames.ORDER_LINES, name="order lines")

    def sold_by_day(self, *, since: date | None = None, level: str = "total", object_id: str = "") -> pl.DataFrame:
        """`day, sales, units` of the days (from `since` on) with sales or returns, as the sums of `order_lines`.

        Of the whole shop, a category (by name), a product or a variant. A table that is not read yet is added up part
        by part, and never in memory as a whole.
        """
        if self._until is None:
            return pl.DataFrame(schema=SOLD_BY_DAY)
        ids = [object_id]
        if level == "category":
            ids = self.products().filter(pl.col("category") == object_id)["product_id"].to_list()
        of_products = ids if level in ("category", "product") else None
        sold = self._sales(since=since, product_ids=of_products)
        sold = sold.filter(pl.col("at") <= self._until.at, pl.col("currency") == self.currency)
        if level == "variant":
            sold = sold.filter(pl.col("variant_id") == object_id)
        day = pl.col("at").dt.convert_time_zone(self.time_zone).dt.date()
        daily = sold.group_by(day=day).agg(pl.col("amount").sum(), pl.col("units").sum())
        return frames.daily_sales(daily.collect(engine="streaming"), [], until=self._until.as_of)

    def left_out(self) -> LeftOut:
        """Sold lines that `order_lines` leaves out, counted by reason."""
        if self._until is None:
            return LeftOut()
        test, other, late = pl.col("is_test"), pl.col("currency") != self.currency, pl.col("at") > self._until.at
        counts = self._sales(marked=True).filter(~pl.col("is_return")).select(
            test_order=test.sum(),
            other_currency=(~test & other).sum(),
            after_data_until=(~test & ~other & late).sum(),
        ).collect(engine="streaming")  # fmt: skip
        return LeftOut({reason: int(n) for reason, n in counts.row(0, named=True).items() if n})

    def purchases(self, *, customer_id: str) -> pl.DataFrame:
        """What one customer ever bought: `order_id`, `product_id` and `day`, one row per order and product."""
        return self._dated(self._sales(customer_ids=[customer_id]), "order_id", "product_id")

    def buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """`customer_id`, `order_id`, `product_id` and `day` of each purchase: one row per order and product."""
        sold = self._of_known(self._sales(since=since, product_ids=product_ids))
        return self._dated(sold, "customer_id", "order_id", "product_id")

    def visits_of_buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """`customer_id`, `order_id` and `day` of all orders of these buyers."""
        ids = self.buyers(product_ids, since=since)["customer_id"].unique().to_list()
        return self._dated(self._of_known(self._sales(since=since, customer_ids=ids)), "customer_id", "order_id")

    def closed_accounts(self) -> Sequence[str]:
        """Ids of customers who are not to be written to; a shop that knows of none has none."""
        return ()

    def _of_known(self, sales: pl.LazyFrame) -> pl.LazyFrame:
        known = pl.col("customer_id").is_not_null() & ~pl.col("customer_id").is_in(list(self.closed_accounts()))
        return sales.filter(known, pl.col("at") <= timezone.now())

    def _dated(self, sales: pl.LazyFrame, *ids: str) -> pl.DataFrame:
        """These ids of what was sold, each combination once, in the order of the last ones, with the business day."""
        sold = sales.filter(~pl.col("is_return")).group_by(*ids).agg(at=pl.col("at").min())
        by = [name for name in ids if name != "customer_id"]
        return frames.with_day(sold.collect().sort(by), self.time_zone).select(*ids, "day")

    # --- the range, its stock, the customers ----------------------------------------------------

    def counts_stock(self) -> bool:
        """Is there a unit of anything? A shop where all is 0 has never counted."""
        return bool((self.stock()["on_hand"] != 0).any())

    def available(self, *, product_ids: Sequence[str] | None = None) -> dict[str, float]:
        """Units free of each product's active variants; infinite in a shop that has never counted."""
        stock = self.stock(product_ids=product_ids).filter("active")
        if not stock.height:
            return {}
        free = (pl.col("on_hand") - pl.col("reserved")).clip(lower_bound=0.0)
        units = stock.group_by("product_id").agg(units=(free if self.counts_stock() else pl.lit(float("inf"))).sum())
        return dict(units.iter_rows())

    def customer_exists(self, customer_id: str) -> bool:
        """Is there such a customer?"""
        return customer_id in self.customers()["customer_id"]

    def stock_history(self) -> pl.DataFrame | None:
        """None: the shop keeps none."""
        return None

    # --- which data was it? ---------------------------------------------------------------------

    def counts(self) -> daily.Counts:
        """What is in the order lines."""
        return daily.counted(self.order_lines())[0]

    def fingerprint(self) -> dict[str, Any]:
        """Counts and last times of what is read."""
        until, found = self._until, self.counts()
        return {
            "orders": found.orders,
            "customers": found.customers,
            "lines": found.lines,
            "returns": found.returns,
            "products": self.products().height,
            "variants": self.stock().height,
            "last_order": _utc(found.last),
            "data_until": _utc(until.at) if until else None,
            "live": until.live if until else None,
            "currency": self.currency,
        }


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def once(ids: pl.Series, name: str) -> None:
    """Raise BadFrame for an id that stands in more than one row of the table `name`."""
    twice = ids.filter(ids.is_duplicated()).unique().sort()
    if len(twice):
        raise BadFrame(
            f"{name}: {ids.name} {twice[0]} stands there more than once ({len(twice)} such ids); one row each is "
            "needed",
            code="bad_frame.twice",
            table=name,
            column=ids.name,
            example=twice[0],
            ids=len(twice),
        )
