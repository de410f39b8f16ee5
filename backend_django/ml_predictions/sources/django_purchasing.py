"""What the shop of this project says of buying: stock, what is on its way, prices of suppliers, deliveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from django.contrib.admin.models import ADDITION
from django.db.models import Case, F, Q, Sum, When
from django.utils.translation import gettext_noop

from api_base import audit
from ml_predictions.sources import scans
from ml_predictions.sources.base import OrderDraft, PlacedDraft
from products.models import Product, ProductVariant, StockMovement
from purchasing import drafts as purchase_drafts
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierPrice
from purchasing.services import RECEIPT_REFERENCE
from retail_ml import frames

Status = PurchaseOrder.Status
OPEN = (Status.DRAFT, Status.CONFIRMED)


class DjangoPurchasing:
    """What `DjangoShop` reads of stock and purchases, and its drafts of purchase orders (`sources.base.Drafting`)."""

    time_zone: str
    """The shop's own time zone."""

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`, live, in the order of the variants' ids: one scan, and one for what is on order."""
        everything = product_ids is None and variant_ids is None
        chosen = Q() if product_ids is None else scans.one_of("product_id", scans.keys(product_ids))
        chosen &= Q() if variant_ids is None else scans.one_of("id", scans.keys(variant_ids))
        table = scans.read(
            ProductVariant.objects.filter(chosen),
            {"variant_id": F("id"), "product_id": F("product_id"), "sku": F("sku"),
             "options": scans.as_text("options"), "is_active": scans.as_whole("is_active"),
             "status": F("product__status"), "on_hand": F("stock"), "reserved": F("reserved"),
             "price": scans.number("price", "product__price"),
             "cost": scans.number("cost"), "pack_size": F("pack_size"), "minimum_order": F("minimum_order"),
             "own_lead": scans.number("lead_time_days"), "lead": F("supplier_item__supplier__lead_time_days"),
             "lead_time_sd": F("supplier_item__supplier__lead_time_sd"),
             "supplier_id": F("supplier_item__supplier_id"), "supplier": F("supplier_item__supplier__name"),
             "season_end": scans.as_text("season_end"),
             "minimum_order_value": scans.number("supplier_item__supplier__minimum_order_value")},
            {"variant_id": pl.Int64, "product_id": pl.Int64, "sku": pl.String, "options": pl.String,
             "is_active": pl.Int64, "status": pl.String, "on_hand": pl.Float64, "reserved": pl.Float64,
             "price": pl.Float64, "cost": pl.Float64, "pack_size": pl.Float64, "minimum_order": pl.Float64,
             "own_lead": pl.Float64, "lead": pl.Float64, "lead_time_sd": pl.Float64,
             "supplier_id": pl.Int64, "supplier": pl.String, "season_end": pl.String,
             "minimum_order_value": pl.Float64},
            few=not everything,
        )  # fmt: skip
        purchased = self._purchased(chosen, everything=everything)
        table = table.join(purchased, on="variant_id", how="left").sort("variant_id")
        ids = ("variant_id", "product_id", "supplier_id")
        table = table.with_columns(
            *(scans.text(c) for c in ids),
            pl.col("on_order", "drafted").fill_null(0.0),
            pl.col("pack_size", "minimum_order").clip(lower_bound=1.0),
            _in_words(table["options"]),
            pl.col("season_end").str.to_date("%Y-%m-%d"),
            active=(pl.col("is_active") == 1) & (pl.col("status") == Product.Status.ACTIVE.value),
            lead_time_days=pl.coalesce("own_lead", "lead"),
        )
        return frames.check(table, frames.STOCK, name="stock")

    def positions(self) -> pl.DataFrame:
        """`frames.POSITIONS`, live: one scan of few columns, and one for what is on order."""
        offered = Case(When(is_active=True, product__status=Product.Status.ACTIVE.value, then=1), default=0)
        table = scans.read(
            ProductVariant.objects.all(),
            {"variant_id": F("id"), "offered": offered, "on_hand": F("stock"), "reserved": F("reserved"),
             "supplier_id": F("supplier_item__supplier_id"), "season_end": scans.as_text("season_end")},
            {"variant_id": pl.Int64, "offered": pl.Int64, "on_hand": pl.Float64, "reserved": pl.Float64,
             "supplier_id": pl.Int64, "season_end": pl.String},
        )  # fmt: skip
        table = table.join(self._purchased(Q(), everything=True), on="variant_id", how="left").with_columns(
            scans.text("variant_id"),
            scans.text("supplier_id"),
            pl.col("on_order", "drafted").fill_null(0.0),
            pl.col("season_end").str.to_date("%Y-%m-%d"),
            active=pl.col("offered") == 1,
        )
        return frames.check(table, frames.POSITIONS, name="positions")

    def _purchased(self, chosen: Q, *, everything: bool) -> pl.DataFrame:
        """Units per variant that are on order, and that stand in drafts; of the `chosen` variants."""
        lines = PurchaseOrderLine.objects.filter(purchase_order__status__in=OPEN)
        if not everything:
            lines = lines.filter(variant__in=ProductVariant.objects.filter(chosen).values("pk"))
        missing = F("units") - F("received_units")
        sums = (
            lines.order_by()
            .values("variant_id")
            .annotate(
                on_order=Sum(missing, filter=Q(purchase_order__status=Status.CONFIRMED)),
                drafted=Sum(missing, filter=Q(purchase_order__status=Status.DRAFT)),
            )
            .values_list("variant_id", "on_order", "drafted")
        )
        schema = {"variant_id": pl.Int64, "on_order": pl.Float64, "drafted": pl.Float64}
        return pl.DataFrame(list(sums), schema=schema, orient="row")

    def shelf_of(self, categories: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.SHELF`, live, of the variants of some categories ("": of none); None: of all. One scan."""
        chosen = Q()
        if categories is not None:
            chosen = Q(product__category__name__in=categories)
            chosen |= Q(product__category=None) if "" in categories else Q()
        table = scans.read(
            ProductVariant.objects.filter(chosen),
            {"variant_id": F("id"), "category": F("product__category__name"), "on_hand": F("stock"),
             "reserved": F("reserved"), "price": scans.number("price", "product__price"), "cost": scans.number("cost")},
            {"variant_id": pl.Int64, "category": pl.String, "on_hand": pl.Float64, "reserved": pl.Float64,
             "price": pl.Float64, "cost": pl.Float64},
            few=categories is not None,
        )  # fmt: skip
        table = table.with_columns(scans.text("variant_id"), pl.col("category").fill_null(""))
        return frames.check(table, frames.SHELF, name="shelf_of")

    def price_breaks(self) -> pl.DataFrame:
        """`frames.PRICE_BREAKS` of each variant's own supplier: one scan."""
        table = scans.read(
            SupplierPrice.objects.filter(variant__supplier_item__supplier_id=F("supplier_id")),
            {"variant_id": F("variant_id"), "minimum_quantity": F("minimum_quantity"),
             "cost": scans.number("unit_cost")},
            {"variant_id": pl.Int64, "minimum_quantity": pl.Float64, "cost": pl.Float64},
        )  # fmt: skip
        table = table.sort("variant_id", "minimum_quantity").with_columns(scans.text("variant_id"))
        return frames.check(table, frames.PRICE_BREAKS, name="price breaks")

    def deliveries(self) -> pl.DataFrame:
        """`frames.DELIVERIES`, oldest first: two scans.

        A line counts by the movements of its receipts; what was received without one (an import) by the order's day.
        """
        lines = scans.read(
            PurchaseOrderLine.objects.filter(received_units__gt=0, purchase_order__ordered_at__isnull=False),
            {"line": F("id"), "variant_id": F("variant_id"), "supplier_id": F("purchase_order__supplier_id"),
             "sent": scans.Epoch("purchase_order__ordered_at"), "came": scans.Epoch("purchase_order__received_at"),
             "total": F("received_units")},
            {"line": pl.Int64, "variant_id": pl.Int64, "supplier_id": pl.Int64, "sent": pl.Int64, "came": pl.Int64,
             "total": pl.Float64},
        )  # fmt: skip
        parts = self._receipts()
        booked = parts.group_by("line").agg(booked=pl.col("units").sum())
        rest = lines.join(booked, on="line", how="left").with_columns(
            units=pl.col("total") - pl.col("booked").fill_null(0.0)
        )
        rest = rest.filter(pl.col("units") > 0, pl.col("came").is_not_null())
        moved = lines.drop("came").join(parts, on="line")
        columns = ("variant_id", "supplier_id", "sent", "came", "units")
        table = pl.concat([moved.select(columns), rest.select(columns)])
        table = table.sort("came", "variant_id", "sent", "units").with_columns(
            scans.text("variant_id"),
            scans.text("supplier_id"),
            ordered=self._day("sent"),
            received=self._day("came"),
        )
        return frames.check(table.filter(pl.col("received") >= pl.col("ordered")), frames.DELIVERIES, name="deliveries")

    def _receipts(self) -> pl.DataFrame:
        """`line, came, units` of the movements that receiving a purchase line has made."""
        moves = scans.read(
            StockMovement.objects.filter(kind=StockMovement.Kind.RECEIPT, reference__startswith=RECEIPT_REFERENCE),
            {"reference": F("reference"), "came": scans.Epoch("at"), "units": F("units")},
            {"reference": pl.String, "came": pl.Int64, "units": pl.Float64},
        )
        line = pl.col("reference").str.extract(rf"^{RECEIPT_REFERENCE}(\d+):").cast(pl.Int64)
        return moves.select("came", "units", line=line).drop_nulls("line")

    def _day(self, seconds: str) -> pl.Expr:
        return scans.at(seconds).dt.convert_time_zone(self.time_zone).dt.date()

    def open_orders(self) -> pl.DataFrame:
        """`frames.OPEN_ORDERS`, in the order of their ids: one scan."""
        return self._open_orders(Q())

    def open_orders_of(self, variant_ids: Sequence[str]) -> pl.DataFrame:
        """The same, of some variants only."""
        return self._open_orders(scans.one_of("variant_id", scans.keys(variant_ids)))

    def _open_orders(self, chosen: Q) -> pl.DataFrame:
        table = scans.read(
            PurchaseOrderLine.objects.filter(chosen, purchase_order__status__in=OPEN, units__gt=F("received_units")),
            {"line": F("id"), "variant_id": F("variant_id"), "order_id": F("purchase_order_id"),
             "number": F("purchase_order__number"), "supplier_id": F("purchase_order__supplier_id"),
             "sent": scans.Epoch("purchase_order__ordered_at"), "expected": F("purchase_order__expected_on"),
             "units": F("units") - F("received_units"), "status": F("purchase_order__status")},
            {"line": pl.Int64, "variant_id": pl.Int64, "order_id": pl.Int64, "number": pl.String,
             "supplier_id": pl.Int64, "sent": pl.Int64, "expected": pl.Date, "units": pl.Float64,
             "status": pl.String},
            few=True,
        )  # fmt: skip
        table = table.sort("order_id", "line").with_columns(
            *(scans.text(name) for name in ("variant_id", "order_id", "supplier_id")),
            ordered=self._day("sent"),
            draft=pl.col("status") == Status.DRAFT.value,
        )
        return frames.check(table, frames.OPEN_ORDERS, name="open orders")

    # --- drafts -------------------------------------------------------------------------------

    def hold_drafting(self) -> None:
        """Hold the suppliers' rows."""
        list(Supplier.objects.select_for_update().order_by("pk").values_list("pk", flat=True))

    def place_drafts(self, drafts: Sequence[OrderDraft], *, user: Any) -> list[PlacedDraft]:
        """One purchase order a draft, with its lines."""
        suppliers = Supplier.objects.in_bulk([int(draft.supplier_id) for draft in drafts])
        placed = []
        for draft in drafts:
            lines = [
                purchase_drafts.Wanted(
                    int(line.variant_id),
                    line.units,
                    None if line.unit_cost is None else Decimal(str(round(line.unit_cost, 4))),
                    note=line.note,
                    cost_as_given=True,
                )
                for line in draft.lines
            ]
            supplier = suppliers[int(draft.supplier_id)]
            order = purchase_drafts.create(supplier, lines, note=draft.note[:500], created_by=str(user)[:160])
            audit.record(user, order, ADDITION, gettext_noop("Drafted from the reorder recommendations."))
            placed.append(PlacedDraft(draft.supplier_id, str(order.pk), order.number))
        return placed


def _in_words(options: pl.Series) -> pl.Series:
    """Options as they are shown, `M · red`, of their JSON."""
    told = {text: " · ".join(map(str, (json.loads(text) or {}).values())) for text in options.drop_nulls().unique()}
    return options.replace_strict(told, default="", return_dtype=pl.String)
