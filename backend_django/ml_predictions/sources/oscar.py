"""django-oscar's models as a shop. Nothing of Oscar is imported: forked apps are found by their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from django.contrib.auth import get_user_model
from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.sources import joined, scans
from ml_predictions.sources.base import DataUntil, LeftOut, until_of
from ml_predictions.sources.oscar_range import OscarRange, model
from retail_ml import frames

GUEST = "guest-"
"""Ids of guests begin with it: a hash of the e-mail follows, in lower case."""
GONE = "gone-"
"""Ids of products that were deleted and are found again by nothing: UPC, SKU or title follows."""
RAW: frames.Schema = {
    "order_id": pl.Int64, "user": pl.Int64, "guest": pl.String, "status": pl.String, "currency": pl.String,
    "product": pl.Int64, "parent": pl.Int64, "upc": pl.String, "partner": pl.Int64, "sku": pl.String,
    "title": pl.String, "seconds": pl.Int64, "units": pl.Float64, "amount": pl.Float64,
}  # fmt: skip
PAID_BACK: frames.Schema = {**RAW, "event": pl.Int64, "paid": pl.Float64, "of": pl.Float64}


class OscarShop(OscarRange, joined.JoinedShop):
    """`sources.base.Source` over the apps order, catalogue, partner and the users.

    A standalone product is a product with one variant; of a parent the children are the variants. What counts as sold
    is a matter of the order's status alone: name yours in `SALE_STATUSES`.
    """

    def __init__(
        self,
        *,
        with_tax: bool = True,
        refund_events: Sequence[str] = ("Refund", "Refunded"),
        lines_left_out: Sequence[str] = (),
        partners: Sequence[str] | None = None,
        costs: str | Path | None = None,
    ) -> None:
        """Options of `SOURCE_OPTIONS`.

        `with_tax`: revenue and prices as paid, or without tax. `refund_events`: names of payment event types that give
        money back for units. `lines_left_out`: statuses of lines that do not count, such as "Cancelled". `partners`:
        codes of those whose stock counts; None: all. `costs`: a CSV with `sku` and `cost`, perhaps `lead_time_days`,
        `pack_size` and `minimum_order`. Raises BadFrame for a CSV that cannot be read so.
        """
        self.tax = "incl" if with_tax else "excl"
        self.refund_events = tuple(refund_events)
        self.lines_left_out = tuple(lines_left_out)
        self.partners = None if partners is None else tuple(partners)
        self.bought_at = self.read_costs(costs)

    # --- until when ---------------------------------------------------------------------------

    def most_used_currency(self) -> str:
        """The one that most orders have."""
        most = model("order.Order").objects.order_by().values("currency").annotate(n=Count("id"))
        first = most.order_by("-n", "currency").first()
        return str(first["currency"]) if first else ""

    @cached_property
    def _until(self) -> DataUntil | None:
        now = timezone.now()
        orders = model("order.Order").objects.filter(status__in=conf.get("SALE_STATUSES"), date_placed__lte=now)
        sold = orders.aggregate(last=Max("date_placed"))["last"]
        back = self._refunds().filter(event__date_created__lte=now).aggregate(last=Max("event__date_created"))["last"]
        return until_of(sold, back, now=now, time_zone=self.time_zone)

    # --- sales --------------------------------------------------------------------------------

    def _refunds(self) -> QuerySet[Any]:
        """What came back, by line."""
        events = model("order.PaymentEventQuantity").objects.filter(quantity__gt=0)
        back: QuerySet[Any] = events.filter(
            event__event_type__name__in=self.refund_events, line__order__status__in=conf.get("SALE_STATUSES")
        )
        return back

    def lines(
        self,
        *,
        since: datetime | None = None,
        customer_ids: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """One scan of the lines, one of what came back; ids of the customers' e-mails and of deleted products."""
        sold = model("order.Line").objects.filter(order__status__in=conf.get("SALE_STATUSES"))
        sold = sold.exclude(status__in=self.lines_left_out) if self.lines_left_out else sold
        back = self._refunds()
        if since is not None:
            sold, back = sold.filter(order__date_placed__gte=since), back.filter(event__date_created__gte=since)
        if customer_ids is not None:
            sold, back = sold.filter(self._of(customer_ids)), back.filter(self._of(customer_ids, "line__"))
        if product_ids is not None:
            sold = sold.filter(self._of_products(product_ids))
            # What an event has paid is parted over all its lines.
            events = back.filter(self._of_products(product_ids, "line__")).values("event_id")
            back = back.filter(event_id__in=events)
        columns = self._columns("")
        columns |= {"seconds": scans.Epoch("order__date_placed"), "units": F("quantity"),
                    "amount": scans.number(f"line_price_{self.tax}_tax")}  # fmt: skip
        table = pl.concat([
            scans.read(sold, columns, RAW).with_columns(is_return=pl.lit(False)),
            self._paid_back(back).with_columns(is_return=pl.lit(True)),
        ])  # fmt: skip
        return self._named(table.with_columns(at=scans.at("seconds")))

    def _columns(self, line: str) -> dict[str, Any]:
        names = {
            "order_id": "order_id", "user": "order__user_id", "guest": "order__guest_email",
            "status": "order__status", "currency": "order__currency", "product": "product_id",
            "parent": "product__parent_id", "upc": "upc", "partner": "partner_id", "sku": "partner_sku",
            "title": "title",
        }  # fmt: skip
        return {ours: F(line + theirs) for ours, theirs in names.items()}

    def _paid_back(self, back: QuerySet[Any]) -> pl.DataFrame:
        """What an event has paid, over its lines by what their units had cost."""
        columns = {
            **self._columns("line__"),
            "seconds": scans.Epoch("event__date_created"), "units": F("quantity"), "event": F("event_id"),
            "amount": scans.number(f"line__line_price_{self.tax}_tax"), "of": F("line__quantity"),
            "paid": scans.number("event__amount"),
        }  # fmt: skip
        table = scans.read(back, columns, PAID_BACK)
        cost = pl.col("amount") * pl.col("units") / pl.col("of")
        share = pl.when(pl.len().over("event") == 1).then(1.0).otherwise(cost / cost.sum().over("event"))
        table = table.with_columns(amount=-(pl.col("paid") * share.fill_nan(0.0)), units=-pl.col("units"))
        return table.select(list(RAW))

    def _named(self, table: pl.DataFrame) -> pl.DataFrame:
        """Ids as text: of deleted products by UPC, SKU or title; of guests by their e-mail."""
        table = self._found_again(table)
        gone = pl.lit(GONE) + pl.coalesce(pl.col("upc", "sku", "title").replace("", None), pl.lit("unknown"))
        variant = pl.coalesce(scans.text("product"), gone)
        guests = self._guests(table["guest"])
        return table.with_columns(
            scans.text("order_id"),
            variant_id=variant,
            product_id=pl.coalesce(scans.text("parent"), variant),
            customer_id=pl.coalesce(scans.text("user"), pl.col("guest").replace_strict(guests, default=None)),
        )

    def _found_again(self, table: pl.DataFrame) -> pl.DataFrame:
        """Lines whose product was deleted with the one that has their UPC or, from the same partner, their SKU now."""
        lost = table["product"].is_null()
        if not lost.any():
            return table
        known = self.catalogue().select(product="id", parent="parent", upc="upc")
        shelf = self.shelf().select("partner", "sku", product="product")
        by_upc = known.filter(pl.col("upc").is_not_null() & (pl.col("upc") != "")).select("upc", by_upc="product")
        by_sku = shelf.unique(["partner", "sku"], keep="first", maintain_order=True).rename({"product": "by_sku"})
        found = table.join(by_upc, on="upc", how="left", maintain_order="left")
        found = found.join(by_sku, on=["partner", "sku"], how="left", maintain_order="left")
        found = found.with_columns(product=pl.coalesce("product", "by_upc", "by_sku"))
        parents = known.select("product", now="parent")
        found = found.join(parents, on="product", how="left", maintain_order="left")
        return found.with_columns(parent=pl.coalesce("parent", "now")).drop("by_upc", "by_sku", "now")

    def left_out(self) -> LeftOut:
        """Sold lines that `order_lines` leaves out, and payments back that name no lines: how many of each."""
        events = model("order.PaymentEvent").objects.filter(event_type__name__in=self.refund_events)
        bare = events.filter(line_quantities__isnull=True, order__status__in=conf.get("SALE_STATUSES")).count()
        counts = super().left_out().counts
        return LeftOut({**counts, "refund_without_lines": bare} if bare else counts)

    # --- customers ----------------------------------------------------------------------------

    @cached_property
    def _accounts(self) -> dict[str, str]:
        """E-mail in lower case → id of each account that has one; of two accounts the older."""
        users = get_user_model()._default_manager.exclude(email="").order_by("-pk").values_list("email", "pk")
        return {str(email).lower(): str(key) for email, key in users.iterator()}

    def _guests(self, emails: pl.Series) -> Mapping[str, str]:
        """The customer behind each e-mail: the account that has it, else a guest of their own."""
        distinct = emails.drop_nulls().unique()
        distinct = distinct.filter(distinct != "")
        accounts = self._accounts if len(distinct) else {}
        return {email: accounts.get(email.lower()) or guest_id(email) for email in distinct.to_list()}

    @staticmethod
    def _of_products(product_ids: Sequence[str], line: str = "") -> Q:
        """Lines that can be of these products; what was deleted can be of any, and is found again later."""
        keys = scans.keys(product_ids)
        of_child = Q(**{f"{line}product__parent_id__in": keys})
        return Q(**{f"{line}product__isnull": True}) | Q(**{f"{line}product_id__in": keys}) | of_child

    def _of(self, customer_ids: Sequence[str], line: str = "") -> Q:
        """Lines that can be of these customers: of their accounts, or of guests where one of them has an e-mail."""
        keys = scans.keys(customer_ids)
        mine = Q(**{f"{line}order__user_id__in": keys})
        if any(one.startswith(GUEST) for one in customer_ids):
            return mine | Q(**{f"{line}order__user__isnull": True})
        emails = get_user_model()._default_manager.filter(pk__in=keys).exclude(email="").values_list("email", flat=True)
        for email in emails:
            mine |= Q(**{f"{line}order__user__isnull": True, f"{line}order__guest_email__iexact": email})
        return mine

    def _guest_emails(self) -> dict[str, str]:
        """Id → e-mail of every guest without an account."""
        orders = model("order.Order").objects.filter(user__isnull=True).exclude(guest_email="").order_by("guest_email")
        emails = {email.lower() for email in orders.values_list("guest_email", flat=True).distinct().iterator()}
        return {guest_id(email): email for email in sorted(emails - self._accounts.keys())}

    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`: accounts that are no staff, and guests by their e-mail."""
        users = scans.read(
            get_user_model()._default_manager.filter(is_staff=False),
            {"customer_id": F("pk"), "seconds": scans.Epoch("date_joined")},
            {"customer_id": pl.Int64, "seconds": pl.Int64},
        ).sort("customer_id")
        joined_on = scans.at("seconds").dt.convert_time_zone(self.time_zone).dt.date()
        guests = pl.DataFrame({"customer_id": list(self._guest_emails())}, schema={"customer_id": pl.String})
        table = users.select(scans.text("customer_id"), joined=joined_on)
        return joined.complete(pl.concat([table, guests], how="diagonal"), frames.CUSTOMERS, name="customers")

    def customer_exists(self, customer_id: str) -> bool:
        """Is there such an account or guest?"""
        if customer_id.startswith(GUEST):
            return customer_id in self._guest_emails()
        return bool(get_user_model()._default_manager.filter(pk__in=scans.keys([customer_id])).exists())

    def closed_accounts(self) -> list[str]:
        """Accounts that are not active."""
        closed = get_user_model()._default_manager.filter(is_active=False).values_list("pk", flat=True)
        return [str(key) for key in closed]

    def _of_known(self, sales: pl.LazyFrame) -> pl.LazyFrame:
        """No guests either: they have no account, and never agreed to be written to."""
        return super()._of_known(sales.filter(~pl.col("customer_id").str.starts_with(GUEST)))

    def contacts(self, ids: Sequence[str]) -> pl.DataFrame:
        """`customer_id`, `name` and `email` of these customers."""
        users = get_user_model()._default_manager.filter(pk__in=scans.keys(ids)).order_by("pk")
        rows = [(str(user.pk), user.get_full_name().strip(), user.email or "") for user in users]
        if any(one.startswith(GUEST) for one in ids):
            known = self._guest_emails()
            rows += [(one, "", known[one]) for one in ids if one in known]
        return pl.DataFrame(rows, schema=dict.fromkeys(("customer_id", "name", "email"), pl.String), orient="row")

    def find_customers(self, text: str, *, most: int) -> list[str]:
        """Ids of accounts whose name or e-mail fits, then of guests whose e-mail does."""
        named = Q()
        for word in text.split():
            named &= Q(first_name__icontains=word) | Q(last_name__icontains=word)
        users = get_user_model()._default_manager.filter(named | Q(email__icontains=text)).order_by("pk")
        found = [str(key) for key in users.values_list("pk", flat=True)[:most]]
        guests = (one for one, email in self._guest_emails().items() if text.lower() in email)
        return [*found, *guests][:most]


def guest_id(email: str) -> str:
    """The id of whoever bought with this e-mail and without an account."""
    return GUEST + hashlib.sha256(email.strip().lower().encode()).hexdigest()[:16]
