"""The shop of this project: its own tables read in flat scans and joined in columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from django.conf import settings
from django.db import connections
from django.db.models import Case, Count, Exists, F, Func, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Greatest
from django.utils import timezone

from authentication import erasure
from authentication.models import Role, User
from ml_predictions import conf
from ml_predictions.sources import scans
from ml_predictions.sources.base import SOLD_BY_DAY, DataUntil, LeftOut, Person, until_of
from ml_predictions.sources.django_purchasing import DjangoPurchasing
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement
from retail_ml import frames

PARTS = {"product": "variant__product_id", "variant": "variant_id"}
"""Parts of the range with an id of ours, as an order line names them."""
CHANGES: tuple[dict[str, Any], frames.Schema] = (
    {"variant_id": F("variant_id"), "seconds": scans.Epoch("at"), "units": F("units"), "kind": F("kind")},
    {"variant_id": pl.Int64, "seconds": pl.Int64, "units": pl.Float64, "kind": pl.String},
)
"""Columns of a stock movement as `scans.read` takes them."""


class DjangoShop(DjangoPurchasing):
    """`sources.base.Source` over the apps orders, products, purchasing and authentication."""

    # --- until when ---------------------------------------------------------------------------

    @cached_property
    def _until(self) -> DataUntil | None:
        now = timezone.now()
        sold = _last(Order.objects.filter(self._sales(), placed_at__lte=now), "placed_at")
        back = _last(OrderReturn.objects.filter(returned_at__lte=now), "returned_at")
        last, returned = next(iter(Order.objects.order_by().values_list(sold, back)[:1]), (None, None))
        return until_of(last, returned, now=now, time_zone=self.time_zone)

    def data_until(self) -> DataUntil | None:
        """Now for a live shop, else its last sale or return; None when it has never sold anything."""
        return self._until

    @property
    def time_zone(self) -> str:  # type: ignore[override]
        """The shop's own time zone."""
        return str(conf.get("TIME_ZONE"))

    @cached_property
    def currency(self) -> str:
        """The shop's one currency: the setting, else the one that most of its orders have."""
        if chosen := conf.get("CURRENCY"):
            return str(chosen)
        ends = [Subquery(Order.objects.order_by(end).values("currency")[:1]) for end in ("currency", "-currency")]
        first, last = next(iter(Order.objects.order_by().values_list(*ends)[:1]), ("EUR", "EUR"))
        if first == last:  # two steps into an index; most shops have but one, and nothing to count
            return str(first)
        most = Order.objects.values("currency").annotate(n=Count("id")).order_by("-n", "currency").first()
        return str(most["currency"]) if most else "EUR"

    @staticmethod
    def _sales(prefix: str = "") -> Q:
        """Orders that are sales: delivered or completed (a setting), and no tests."""
        return Q(**{f"{prefix}status__in": conf.get("SALE_STATUSES"), f"{prefix}is_test": False})

    def _counted(self, prefix: str = "") -> Q:
        """Sales in the shop's currency up to `data_until`."""
        until = self._until
        if until is None:
            return Q(pk__in=[])
        return self._sales(prefix) & Q(**{f"{prefix}currency": self.currency, f"{prefix}placed_at__lte": until.at})

    # --- sales --------------------------------------------------------------------------------

    def order_lines(self, *, since: date | None = None, customer_id: str | None = None) -> pl.DataFrame:
        """`frames.ORDER_LINES`: three scans (orders, lines, returns) joined in columns."""
        if self._until is None or (customer_id is not None and not scans.keys([customer_id])):
            return frames.empty(frames.ORDER_LINES)

        def chosen(prefix: str, at: str) -> Q:
            """Of the customer, and not before `since`: the database leaves the others out."""
            mine = Q() if customer_id is None else Q(**{f"{prefix}customer_id": int(customer_id)})
            return mine if since is None else mine & Q(**{f"{at}__gte": self._start(since)})

        orders = scans.read(
            Order.objects.filter(self._counted() & chosen("", "placed_at")),
            {"order_id": F("id"), "customer_id": F("customer_id"), "seconds": scans.Epoch("placed_at")},
            {"order_id": pl.Int64, "customer_id": pl.Int64, "seconds": pl.Int64},
        )
        sold = scans.read(
            OrderItem.objects.filter(chosen("order__", "order__placed_at")),
            {"order_id": F("order_id"), "variant_id": F("variant_id"), "units": F("units"),
             "amount": scans.number("amount")},
            {"order_id": pl.Int64, "variant_id": pl.Int64, "units": pl.Float64, "amount": pl.Float64},
        ).join(orders, on="order_id")  # fmt: skip
        returned = self._returns(chosen("item__order__", "returned_at"))
        lines = pl.concat(
            [sold.with_columns(is_return=pl.lit(False)), returned.with_columns(is_return=pl.lit(True))],
            how="diagonal",
        )
        return self._finish(lines, since)

    def _start(self, day: date) -> datetime:
        """When a business day begins; a second earlier, because times are read as whole seconds."""
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(self.time_zone)) - timedelta(seconds=1)

    def _came_back(self, sales: QuerySet[OrderItem]) -> QuerySet[OrderReturn]:
        """Returns of these lines up to `data_until`; looked at one by one, so that they are found by their own day."""
        assert self._until is not None
        return OrderReturn.objects.filter(Exists(sales.filter(pk=OuterRef("item_id"))), returned_at__lte=self._until.at)

    def _returns(self, chosen: Q) -> pl.DataFrame:
        """What came back of lines that are sales, with units and amount below zero."""
        returns = scans.read(
            self._came_back(OrderItem.objects.filter(self._counted("order__"))).filter(chosen),
            {"order_id": F("item__order_id"), "variant_id": F("item__variant_id"),
             "customer_id": F("item__order__customer_id"), "units": F("units"), "amount": scans.number("amount"),
             "seconds": scans.Epoch("returned_at")},
            {"order_id": pl.Int64, "variant_id": pl.Int64, "customer_id": pl.Int64, "units": pl.Float64,
             "amount": pl.Float64, "seconds": pl.Int64},
        )  # fmt: skip
        return returns.with_columns(units=-pl.col("units"), amount=-pl.col("amount"))

    def sold_by_day(self, *, since: date | None = None, level: str = "total", object_id: str = "") -> pl.DataFrame:
        """`day, sales, units` of the days (from `since` on) with sales or returns: two reads, added up by the database.

        The sums are those of `order_lines`, of the whole shop, a category (by name), a product or a variant.
        """
        until = self._until
        if until is None or (level in PARTS and not scans.keys([object_id])):
            return pl.DataFrame(schema=SOLD_BY_DAY)
        sold = OrderItem.objects.filter(self._counted("order__"))
        if level != "total":
            sold = sold.filter(**{PARTS.get(level, "variant__product__category__name"): object_id})
        back = self._came_back(sold)
        if since is not None:
            start = self._start(since)
            back, sold = back.filter(returned_at__gte=start), sold.filter(order__placed_at__gte=start)
            if connections[sold.db].vendor == "postgresql":
                # It would read all lines there are; orders of one time mostly have numbers beside each other. Plus 0:
                # else it looks for the least number from the first order of all.
                first = Order.objects.filter(placed_at__gte=start).aggregate(first=Min(F("id") + 0))["first"]
                sold = sold.filter(order_id__gte=first or 0)
        quarters = pl.concat([_quarters(sold, "order__placed_at", 1), _quarters(back, "returned_at", -1)])
        table = frames.with_day(quarters.with_columns(at=scans.at("seconds")), self.time_zone)
        if since is not None:
            table = table.filter(pl.col("day") >= since)
        return frames.daily_sales(table, [], until=until.as_of)

    def _finish(self, lines: pl.DataFrame, since: date | None) -> pl.DataFrame:
        """Add product and business day, turn ids into text, cut before `since`, sort so that order is stable."""
        products = scans.read(
            ProductVariant.objects.all(),
            {"variant_id": F("id"), "product_id": F("product_id")},
            {"variant_id": pl.Int64, "product_id": pl.Int64},
        )
        lines = lines.join(products, on="variant_id", how="left").with_columns(at=scans.at("seconds"))
        lines = frames.with_day(lines, self.time_zone)
        if since is not None:
            lines = lines.filter(pl.col("day") >= since)
        lines = lines.sort("seconds", "order_id", "variant_id", "is_return", "units", "amount")
        ids = ("order_id", "customer_id", "product_id", "variant_id")
        return frames.check(lines.with_columns(scans.text(c) for c in ids), frames.ORDER_LINES, name="order lines")

    def left_out(self) -> LeftOut:
        """Sold lines that `order_lines` leaves out, counted by reason."""
        until = self._until
        if until is None:
            return LeftOut()
        sold = Q(order__status__in=conf.get("SALE_STATUSES"))
        test = Q(order__is_test=True)
        other = ~Q(order__currency=self.currency)
        late = Q(order__placed_at__gt=until.at)
        counts = OrderItem.objects.filter(sold).aggregate(
            test_order=Count("id", filter=test),
            other_currency=Count("id", filter=~test & other),
            after_data_until=Count("id", filter=~test & ~other & late),
        )
        return LeftOut({reason: n for reason, n in counts.items() if n})

    # --- the range and its stock --------------------------------------------------------------

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.PRODUCTS`, in the order of their ids; with `ids` only those."""
        chosen = Q() if ids is None else scans.one_of("id", scans.keys(ids))
        table = scans.read(
            Product.objects.filter(chosen),
            {"product_id": F("id"), "name": F("name"), "category": F("category__name"), "brand": F("brand"),
             "description": F("description"), "price": scans.number("price"), "status": F("status"),
             "image": F("image"), "address": F("image_url"), "seconds": scans.Epoch("created_at")},
            {"product_id": pl.Int64, "name": pl.String, "category": pl.String, "brand": pl.String,
             "description": pl.String, "price": pl.Float64, "status": pl.String, "image": pl.String,
             "address": pl.String, "seconds": pl.Int64},
            few=ids is not None,
        )  # fmt: skip
        image = pl.when(pl.col("image") != "").then(pl.lit(settings.MEDIA_URL) + pl.col("image"))
        table = table.sort("product_id").with_columns(
            scans.text("product_id"),
            category=pl.col("category").fill_null(""),
            active=pl.col("status") == Product.Status.ACTIVE.value,
            image_url=image.otherwise(pl.col("address")),
            created=scans.at("seconds").dt.convert_time_zone(self.time_zone).dt.date(),
        )
        return frames.check(table, frames.PRODUCTS, name="products")

    def counts_stock(self) -> bool:
        """Is there any stock movement?"""
        return StockMovement.objects.exists()

    def available(self, *, product_ids: Sequence[str] | None = None) -> dict[str, float]:
        """Units free of each product's active variants, live; infinite in a shop that has never counted."""
        chosen = Q() if product_ids is None else scans.one_of("product_id", scans.keys(product_ids))
        variants = ProductVariant.objects.filter(chosen, is_active=True).order_by()
        known = When(Exists(StockMovement.objects.all()), then=Greatest(F("stock") - F("reserved"), 0))
        units = variants.values("product_id").annotate(units=Sum(Case(known, default=None)))
        return {
            str(product): float("inf") if free is None else float(free)
            for product, free in units.values_list("product_id", "units")
        }

    def purchases(self, *, customer_id: str) -> pl.DataFrame:
        """What one customer ever bought, live: `order_id`, `product_id` and `day`, one row per order and product."""
        keys = scans.keys([customer_id])
        sold = OrderItem.objects.filter(self._sales("order__"), order__customer_id=keys[0] if keys else None)
        table = scans.read(
            sold if keys else sold.none(),
            {
                "order_id": F("order_id"),
                "product_id": F("variant__product_id"),
                "seconds": scans.Epoch("order__placed_at"),
            },
            {"order_id": pl.Int64, "product_id": pl.Int64, "seconds": pl.Int64},
            few=True,
        )
        return self._dated(table.unique(["order_id", "product_id"]).sort("order_id", "product_id"))

    def _bought(self, product_ids: Sequence[str], since: date) -> QuerySet[OrderItem]:
        """Lines of some products, of customers whose account is open, from the day `since` until now."""
        start = datetime.combine(since, time.min, tzinfo=ZoneInfo(self.time_zone))
        return OrderItem.objects.filter(
            self._sales("order__"),
            variant__product_id__in=scans.keys(product_ids),
            order__customer__is_active=True,
            order__placed_at__gte=start,
            order__placed_at__lte=timezone.now(),
        )

    def buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """`customer_id`, `order_id`, `product_id` and `day` of each purchase: one row per order and product."""
        table = scans.read(
            self._bought(product_ids, since),
            {"customer_id": F("order__customer_id"), "order_id": F("order_id"), "product_id": F("variant__product_id"),
             "seconds": scans.Epoch("order__placed_at")},
            {"customer_id": pl.Int64, "order_id": pl.Int64, "product_id": pl.Int64, "seconds": pl.Int64},
        )  # fmt: skip
        return self._dated(table.unique(["order_id", "product_id"]).sort("order_id", "product_id"))

    def visits_of_buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """`customer_id`, `order_id` and `day` of all orders of these buyers."""
        start = datetime.combine(since, time.min, tzinfo=ZoneInfo(self.time_zone))
        buyers = self._bought(product_ids, since).order_by().values("order__customer_id")
        mine = Order.objects.filter(
            self._sales(), customer_id__in=buyers, placed_at__gte=start, placed_at__lte=timezone.now()
        )
        table = scans.read(
            mine,
            {"customer_id": F("customer_id"), "order_id": F("id"), "seconds": scans.Epoch("placed_at")},
            {"customer_id": pl.Int64, "order_id": pl.Int64, "seconds": pl.Int64},
        )
        return self._dated(table.sort("order_id"))

    def _dated(self, table: pl.DataFrame) -> pl.DataFrame:
        """Ids as text, and the business day in the place of the second."""
        table = frames.with_day(table.with_columns(at=scans.at("seconds")), self.time_zone)
        ids = [name for name in ("customer_id", "order_id", "product_id") if name in table.columns]
        return table.select(*(scans.text(name) for name in ids), "day")

    def stock_history(self) -> pl.DataFrame | None:
        """`frames.STOCK_HISTORY`, oldest first."""
        return self._changes(scans.read(StockMovement.objects.all(), *CHANGES))

    def stock_history_since(self, since: date) -> pl.DataFrame:
        """The changes from `since` on; those before are what, with them, leads to the stock of now."""
        start = self._start(since)
        recent = scans.read(StockMovement.objects.filter(at__gte=start), *CHANGES)
        before = StockMovement.objects.filter(variant=OuterRef("pk"), at__lt=start).order_by("-at").values("at")[:1]
        variants = scans.read(
            ProductVariant.objects.alias(last=Subquery(before)).filter(last__isnull=False),
            {"variant_id": F("id"), "seconds": scans.Epoch("last"), "stock": F("stock")},
            {"variant_id": pl.Int64, "seconds": pl.Int64, "stock": pl.Float64},
        )
        moved = recent.group_by("variant_id").agg(pl.col("units").sum())
        earlier = variants.join(moved, on="variant_id", how="left").select(
            "variant_id", "seconds", units=pl.col("stock") - pl.col("units").fill_null(0.0), kind=pl.lit("earlier")
        )
        return self._changes(pl.concat([earlier, recent]))

    def _changes(self, table: pl.DataFrame) -> pl.DataFrame:
        """Rows of `CHANGES` as the frame."""
        table = table.sort("seconds", "variant_id", "kind", "units").with_columns(
            scans.text("variant_id"), at=scans.at("seconds")
        )
        return frames.check(frames.with_day(table, self.time_zone), frames.STOCK_HISTORY, name="stock history")

    # --- customers ----------------------------------------------------------------------------

    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`, in the order of their ids."""
        table = scans.read(
            User.objects.filter(role=Role.CUSTOMER),
            {"customer_id": F("id"), "seconds": scans.Epoch("date_joined")},
            {"customer_id": pl.Int64, "seconds": pl.Int64},
        )
        table = table.sort("customer_id").with_columns(
            scans.text("customer_id"), joined=scans.at("seconds").dt.convert_time_zone(self.time_zone).dt.date()
        )
        return frames.check(table, frames.CUSTOMERS, name="customers")

    def customer_exists(self, customer_id: str) -> bool:
        """Is there such a customer? Staff who have bought something count as well."""
        keys = scans.keys([customer_id])
        return bool(keys) and User.objects.filter(Q(role=Role.CUSTOMER) | Q(orders__isnull=False), pk=keys[0]).exists()

    def contacts(self, ids: Sequence[str]) -> pl.DataFrame:
        """`customer_id`, `name` and `email` of these users: one read."""
        table = scans.read(
            User.objects.filter(scans.one_of("id", scans.keys(ids))),
            {"customer_id": F("id"), "first": F("first_name"), "last": F("last_name"), "email": F("email")},
            {"customer_id": pl.Int64, "first": pl.String, "last": pl.String, "email": pl.String},
            few=True,
        )
        name = pl.concat_str("first", "last", separator=" ").str.strip_chars()
        return table.select(scans.text("customer_id"), name.alias("name"), pl.col("email").fill_null(""))

    def find_customers(self, text: str, *, most: int) -> list[str]:
        """Ids of users whose name (each word of `text` in the first or last), e-mail or external number fits."""
        named = Q()
        for word in text.split():
            named &= Q(first_name__icontains=word) | Q(last_name__icontains=word)
        fits = named | Q(email__icontains=text) | Q(external_id__icontains=text)
        return [str(key) for key in User.objects.filter(fits).order_by("pk").values_list("pk", flat=True)[:most]]

    # --- erasing a person ---------------------------------------------------------------------

    def person(self, customer_id: str) -> Person | None:
        """What this user is known by; staff are found as well, and may not be erased as customers."""
        user = User.objects.filter(pk__in=scans.keys([customer_id])).first()
        if user is None:
            return None
        return Person(str(user.pk), **erasure.known_by(user), erasable=erasure.is_customer(user))

    def erase_customer(self, customer_id: str) -> dict[str, int]:
        """The orders become guest orders; account, tokens and all that hangs on the user go; hashes stay."""
        user = User.objects.select_for_update().get(pk=int(customer_id))
        orders = Order.objects.filter(customer=user).update(customer=None)
        return {"orders": orders, **erasure.forget(user)}

    # --- which data was it? -------------------------------------------------------------------

    def fingerprint(self) -> dict[str, Any]:
        """Counts and last times of what was read."""
        orders = Order.objects.filter(self._counted()).aggregate(
            n=Count("id"), last=Max("placed_at"), customers=Count("customer", distinct=True)
        )
        until = self._until
        return {
            "orders": orders["n"],
            "customers": orders["customers"],
            "lines": OrderItem.objects.count(),
            "returns": OrderReturn.objects.count(),
            "products": Product.objects.count(),
            "variants": ProductVariant.objects.count(),
            "last_order": orders["last"].astimezone(UTC).isoformat() if orders["last"] else None,
            "data_until": until.at.astimezone(UTC).isoformat() if until else None,
            "live": until.live if until else None,
            "currency": self.currency,
        }


QUARTER = 15 * 60
"""Seconds. Every time zone's days begin at the beginning of a quarter of an hour of UTC."""


def _last(rows: QuerySet[Any], at: str) -> Subquery:
    """The greatest time of the rows, for a statement that asks for more than one; Django would group by it."""
    return Subquery(rows.order_by().annotate(last=Func(at, function="MAX")).values("last"))


def _quarters(rows: QuerySet[Any], at: str, sign: int) -> pl.DataFrame:
    """`seconds, amount, units` of each quarter of an hour, times `sign`: days are the shop's, which SQL cannot tell."""
    sums = (
        rows.order_by()
        .annotate(seconds=scans.Epoch(at) / QUARTER * QUARTER)
        .values("seconds")
        .annotate(sum_amount=Sum(scans.number("amount")), sum_units=Sum("units"))
        .values_list("seconds", "sum_amount", "sum_units")
    )
    schema = {"seconds": pl.Int64, "amount": pl.Float64, "units": pl.Float64}
    return pl.DataFrame(list(sums), schema=schema, orient="row").with_columns(pl.col("amount", "units") * sign)
