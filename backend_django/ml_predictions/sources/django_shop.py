"""The shop of this project: its own tables read in flat scans and joined in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from django.conf import settings
from django.db.models import Case, Count, Exists, F, FloatField, Func, IntegerField, Max, Q, QuerySet, Sum, When
from django.db.models.functions import Cast, Coalesce, Greatest
from django.utils import timezone

from authentication import erasure
from authentication.models import Role, User
from ml_predictions import conf
from ml_predictions.sources.base import DataUntil, LeftOut, Person
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, PurchaseOrderLine
from retail_ml import frames

CHUNK = 50_000
LIVE_DAYS = 7


class Epoch(Func):
    """A time as whole seconds since 1970: one integer instead of a parsed datetime per row."""

    output_field = IntegerField()
    template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) AS BIGINT)"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """SQLite keeps times as text in UTC; 2440587.5 is 1970 in its Julian days."""
        template = "CAST(ROUND((julianday(%(expressions)s) - 2440587.5) * 86400) AS INTEGER)"
        return super().as_sql(compiler, connection, template=template, **extra)


def _read(query: QuerySet[Any], columns: dict[str, Any], schema: frames.Schema) -> pl.DataFrame:
    """The rows of `query` as a table: `columns` names the expression behind each column of `schema`."""
    rows = query.order_by().annotate(**{f"_{name}": expression for name, expression in columns.items()})
    values = rows.values_list(*(f"_{name}" for name in columns))
    parts, chunk = [frames.empty(schema)], []
    for row in values.iterator(chunk_size=CHUNK):
        chunk.append(row)
        if len(chunk) == CHUNK:
            parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
            chunk = []
    parts.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    return pl.concat(parts)


def _number(expression: str) -> Cast:
    """A decimal column as a float: Python's Decimal per row is the dearest part of a scan."""
    return Cast(expression, FloatField())


def _at(seconds: str) -> pl.Expr:
    return pl.from_epoch(seconds, time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String)


def _keys(ids: Iterable[str]) -> list[int]:
    """Database keys of ids given as text; what is no key of ours is left out."""
    return [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]


class DjangoShop:
    """`sources.base.Source` over the apps orders, products, purchasing and authentication."""

    # --- until when ---------------------------------------------------------------------------

    @cached_property
    def _until(self) -> DataUntil | None:
        now = timezone.now()
        last = Order.objects.filter(self._sales(), placed_at__lte=now).aggregate(last=Max("placed_at"))["last"]
        if last is None:
            return None
        mode = str(conf.get("LIVE")).lower()
        live = mode == "yes" or (mode == "auto" and last > now - timedelta(days=LIVE_DAYS))
        if live:
            return DataUntil(now, live=True, time_zone=self.time_zone)
        returned = OrderReturn.objects.filter(returned_at__lte=now).aggregate(last=Max("returned_at"))["last"]
        at = max(last, returned) if returned else last
        return DataUntil(at, live=False, time_zone=self.time_zone)

    def data_until(self) -> DataUntil | None:
        """Now for a live shop, else its last sale or return; None when it has never sold anything."""
        return self._until

    @property
    def time_zone(self) -> str:
        """The shop's own time zone."""
        return str(conf.get("TIME_ZONE"))

    @cached_property
    def currency(self) -> str:
        """The shop's one currency: the setting, else the one that most of its orders have."""
        if chosen := conf.get("CURRENCY"):
            return str(chosen)
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
        if self._until is None or (customer_id is not None and not _keys([customer_id])):
            return frames.empty(frames.ORDER_LINES)

        def of_customer(prefix: str) -> Q:
            return Q() if customer_id is None else Q(**{f"{prefix}customer_id": int(customer_id)})

        orders = _read(
            Order.objects.filter(self._counted() & of_customer("")),
            {"order_id": F("id"), "customer_id": F("customer_id"), "seconds": Epoch("placed_at")},
            {"order_id": pl.Int64, "customer_id": pl.Int64, "seconds": pl.Int64},
        )
        sold = _read(
            OrderItem.objects.filter(of_customer("order__")),
            {"item_id": F("id"), "order_id": F("order_id"), "variant_id": F("variant_id"), "units": F("units"),
             "amount": _number("amount")},
            {"item_id": pl.Int64, "order_id": pl.Int64, "variant_id": pl.Int64, "units": pl.Float64,
             "amount": pl.Float64},
        ).join(orders, on="order_id")  # fmt: skip
        lines = pl.concat(
            [
                sold.select(pl.exclude("item_id"), is_return=pl.lit(False)),
                self._returns(sold, of_customer("item__order__")).with_columns(is_return=pl.lit(True)),
            ],
            how="diagonal",
        )
        return self._finish(lines, since)

    def _returns(self, sold: pl.DataFrame, chosen: Q) -> pl.DataFrame:
        until = self._until
        assert until is not None
        returns = _read(
            OrderReturn.objects.filter(chosen, returned_at__lte=until.at),
            {"item_id": F("item_id"), "units": F("units"), "amount": _number("amount"),
             "seconds": Epoch("returned_at")},
            {"item_id": pl.Int64, "units": pl.Float64, "amount": pl.Float64, "seconds": pl.Int64},
        )  # fmt: skip
        keys = sold.select("item_id", "order_id", "variant_id", "customer_id")
        return (
            returns.join(keys, on="item_id")
            .with_columns(units=-pl.col("units"), amount=-pl.col("amount"))
            .drop("item_id")
        )

    def _finish(self, lines: pl.DataFrame, since: date | None) -> pl.DataFrame:
        """Add product and business day, turn ids into text, cut before `since`, sort so that order is stable."""
        products = _read(
            ProductVariant.objects.all(),
            {"variant_id": F("id"), "product_id": F("product_id")},
            {"variant_id": pl.Int64, "product_id": pl.Int64},
        )
        lines = lines.join(products, on="variant_id", how="left").with_columns(at=_at("seconds"))
        lines = frames.with_day(lines, self.time_zone)
        if since is not None:
            lines = lines.filter(pl.col("day") >= since)
        lines = lines.sort("seconds", "order_id", "variant_id", "is_return", "units", "amount")
        ids = ("order_id", "customer_id", "product_id", "variant_id")
        return frames.check(lines.with_columns(_text(c) for c in ids), frames.ORDER_LINES, name="order lines")

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
        chosen = Q() if ids is None else Q(id__in=_keys(ids))
        table = _read(
            Product.objects.filter(chosen),
            {"product_id": F("id"), "name": F("name"), "category": F("category__name"), "brand": F("brand"),
             "description": F("description"), "price": _number("price"), "status": F("status"),
             "image": F("image"), "address": F("image_url"), "seconds": Epoch("created_at")},
            {"product_id": pl.Int64, "name": pl.String, "category": pl.String, "brand": pl.String,
             "description": pl.String, "price": pl.Float64, "status": pl.String, "image": pl.String,
             "address": pl.String, "seconds": pl.Int64},
        )  # fmt: skip
        image = pl.when(pl.col("image") != "").then(pl.lit(settings.MEDIA_URL) + pl.col("image"))
        table = table.sort("product_id").with_columns(
            _text("product_id"),
            category=pl.col("category").fill_null(""),
            active=pl.col("status") == Product.Status.ACTIVE.value,
            image_url=image.otherwise(pl.col("address")),
            created=_at("seconds").dt.convert_time_zone(self.time_zone).dt.date(),
        )
        return frames.check(table, frames.PRODUCTS, name="products")

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`, live, in the order of the variants' ids: one scan, and one for what is on order."""
        keys = None if product_ids is None else _keys(product_ids)
        chosen = Q() if keys is None else Q(product_id__in=keys)
        chosen &= Q() if variant_ids is None else Q(id__in=_keys(variant_ids))
        table = _read(
            ProductVariant.objects.filter(chosen),
            {"variant_id": F("id"), "product_id": F("product_id"), "sku": F("sku"), "options": F("options"),
             "is_active": F("is_active"), "status": F("product__status"), "on_hand": F("stock"),
             "reserved": F("reserved"), "price": Coalesce(_number("price"), _number("product__price")),
             "cost": _number("cost"), "pack_size": F("pack_size"), "minimum_order": F("minimum_order"),
             "own_lead": _number("lead_time_days"), "lead": F("supplier_item__supplier__lead_time_days"),
             "lead_time_sd": F("supplier_item__supplier__lead_time_sd"),
             "supplier_id": F("supplier_item__supplier_id"), "supplier": F("supplier_item__supplier__name")},
            {"variant_id": pl.Int64, "product_id": pl.Int64, "sku": pl.String, "options": pl.Object,
             "is_active": pl.Boolean, "status": pl.String, "on_hand": pl.Float64, "reserved": pl.Float64,
             "price": pl.Float64, "cost": pl.Float64, "pack_size": pl.Float64, "minimum_order": pl.Float64,
             "own_lead": pl.Float64, "lead": pl.Float64, "lead_time_sd": pl.Float64,
             "supplier_id": pl.Int64, "supplier": pl.String},
        )  # fmt: skip
        options = pl.Series([" · ".join(str(v) for v in (o or {}).values()) for o in table["options"]], dtype=pl.String)
        table = table.with_columns(options=options).join(self._purchased(keys), on="variant_id", how="left")
        ids = ("variant_id", "product_id", "supplier_id")
        table = table.sort("variant_id").with_columns(
            *(_text(c) for c in ids),
            pl.col("on_order", "drafted").fill_null(0.0),
            pl.col("pack_size", "minimum_order").clip(lower_bound=1.0),
            active=pl.col("is_active") & (pl.col("status") == Product.Status.ACTIVE.value),
            lead_time_days=pl.coalesce("own_lead", "lead"),
        )
        return frames.check(table, frames.STOCK, name="stock")

    def counts_stock(self) -> bool:
        """Is there any stock movement?"""
        return StockMovement.objects.exists()

    def available(self, *, product_ids: Sequence[str] | None = None) -> dict[str, float]:
        """Units free of each product's active variants, live; infinite in a shop that has never counted."""
        chosen = Q() if product_ids is None else Q(product_id__in=_keys(product_ids))
        variants = ProductVariant.objects.filter(chosen, is_active=True).order_by()
        known = When(Exists(StockMovement.objects.all()), then=Greatest(F("stock") - F("reserved"), 0))
        units = variants.values("product_id").annotate(units=Sum(Case(known, default=None)))
        return {
            str(product): float("inf") if free is None else float(free)
            for product, free in units.values_list("product_id", "units")
        }

    def purchases(self, *, customer_id: str) -> pl.DataFrame:
        """What one customer ever bought, live: `order_id`, `product_id` and `day`, one row per order and product."""
        keys = _keys([customer_id])
        sold = OrderItem.objects.filter(self._sales("order__"), order__customer_id=keys[0] if keys else None)
        table = _read(
            sold if keys else sold.none(),
            {"order_id": F("order_id"), "product_id": F("variant__product_id"), "seconds": Epoch("order__placed_at")},
            {"order_id": pl.Int64, "product_id": pl.Int64, "seconds": pl.Int64},
        )
        return self._dated(table.unique(["order_id", "product_id"]).sort("order_id", "product_id"))

    def _bought(self, product_ids: Sequence[str], since: date) -> QuerySet[OrderItem]:
        """Lines of some products, of customers whose account is open, from the day `since` until now."""
        start = datetime.combine(since, time.min, tzinfo=ZoneInfo(self.time_zone))
        return OrderItem.objects.filter(
            self._sales("order__"),
            variant__product_id__in=_keys(product_ids),
            order__customer__is_active=True,
            order__placed_at__gte=start,
            order__placed_at__lte=timezone.now(),
        )

    def buyers(self, product_ids: Sequence[str], *, since: date) -> pl.DataFrame:
        """`customer_id`, `order_id`, `product_id` and `day` of each purchase: one row per order and product."""
        table = _read(
            self._bought(product_ids, since),
            {"customer_id": F("order__customer_id"), "order_id": F("order_id"), "product_id": F("variant__product_id"),
             "seconds": Epoch("order__placed_at")},
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
        table = _read(
            mine,
            {"customer_id": F("customer_id"), "order_id": F("id"), "seconds": Epoch("placed_at")},
            {"customer_id": pl.Int64, "order_id": pl.Int64, "seconds": pl.Int64},
        )
        return self._dated(table.sort("order_id"))

    def _dated(self, table: pl.DataFrame) -> pl.DataFrame:
        """Ids as text, and the business day in the place of the second."""
        table = frames.with_day(table.with_columns(at=_at("seconds")), self.time_zone)
        ids = [name for name in ("customer_id", "order_id", "product_id") if name in table.columns]
        return table.select(*(_text(name) for name in ids), "day")

    def _purchased(self, product_keys: list[int] | None) -> pl.DataFrame:
        """Units per variant that are on order, and that stand in drafts."""
        status = PurchaseOrder.Status
        lines = PurchaseOrderLine.objects.filter(purchase_order__status__in=[status.DRAFT, status.CONFIRMED])
        if product_keys is not None:
            lines = lines.filter(variant__product_id__in=product_keys)
        missing = F("units") - F("received_units")
        sums = (
            lines.order_by()
            .values("variant_id")
            .annotate(
                on_order=Sum(missing, filter=Q(purchase_order__status=status.CONFIRMED)),
                drafted=Sum(missing, filter=Q(purchase_order__status=status.DRAFT)),
            )
            .values_list("variant_id", "on_order", "drafted")
        )
        schema = {"variant_id": pl.Int64, "on_order": pl.Float64, "drafted": pl.Float64}
        return pl.DataFrame(list(sums), schema=schema, orient="row")

    def stock_history(self) -> pl.DataFrame | None:
        """`frames.STOCK_HISTORY`, oldest first."""
        table = _read(
            StockMovement.objects.all(),
            {"variant_id": F("variant_id"), "seconds": Epoch("at"), "units": F("units"), "kind": F("kind")},
            {"variant_id": pl.Int64, "seconds": pl.Int64, "units": pl.Float64, "kind": pl.String},
        )
        table = table.sort("seconds", "variant_id", "kind", "units").with_columns(
            _text("variant_id"), at=_at("seconds")
        )
        return frames.check(frames.with_day(table, self.time_zone), frames.STOCK_HISTORY, name="stock history")

    # --- customers ----------------------------------------------------------------------------

    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`, in the order of their ids."""
        table = _read(
            User.objects.filter(role=Role.CUSTOMER),
            {"customer_id": F("id"), "seconds": Epoch("date_joined")},
            {"customer_id": pl.Int64, "seconds": pl.Int64},
        )
        table = table.sort("customer_id").with_columns(
            _text("customer_id"), joined=_at("seconds").dt.convert_time_zone(self.time_zone).dt.date()
        )
        return frames.check(table, frames.CUSTOMERS, name="customers")

    def customer_exists(self, customer_id: str) -> bool:
        """Is there such a customer? Staff who have bought something count as well."""
        keys = _keys([customer_id])
        return bool(keys) and User.objects.filter(Q(role=Role.CUSTOMER) | Q(orders__isnull=False), pk=keys[0]).exists()

    def contacts(self, ids: Sequence[str]) -> pl.DataFrame:
        """`customer_id`, `name` and `email` of these users: one read."""
        table = _read(
            User.objects.filter(pk__in=_keys(ids)),
            {"customer_id": F("id"), "first": F("first_name"), "last": F("last_name"), "email": F("email")},
            {"customer_id": pl.Int64, "first": pl.String, "last": pl.String, "email": pl.String},
        )
        name = pl.concat_str("first", "last", separator=" ").str.strip_chars()
        return table.select(_text("customer_id"), name.alias("name"), pl.col("email").fill_null(""))

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
        user = User.objects.filter(pk__in=_keys([customer_id])).first()
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
