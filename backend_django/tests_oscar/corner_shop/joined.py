"""The corner shop as a source: all that has to be written to join a shop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from django.contrib.auth import get_user_model
from django.db.models import F, Q

from corner_shop.models import Item, Row, Style
from ml_predictions.sources import scans
from ml_predictions.sources.joined import JoinedShop, complete
from retail_ml import frames


class CornerShop(JoinedShop):
    """Four reads; each is one scan of a table."""

    def lines(
        self,
        *,
        since: datetime | None = None,
        customer_ids: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """What was paid; `paid_in` lets other currencies be left out and counted."""
        rows = Row.objects.filter(sale__paid=True)
        if since is not None:
            rows = rows.filter(sale__at__gte=since)
        if customer_ids is not None:
            rows = rows.filter(sale__buyer_id__in=scans.keys(customer_ids))
        table = scans.read(
            rows,
            {"order_id": F("sale_id"), "customer_id": F("sale__buyer_id"), "product_id": F("item__style_id"),
             "variant_id": F("item_id"), "seconds": scans.Epoch("sale__at"), "currency": F("sale__paid_in"),
             "units": F("count"), "price": scans.number("price")},
            {"order_id": pl.Int64, "customer_id": pl.Int64, "product_id": pl.Int64, "variant_id": pl.Int64,
             "seconds": pl.Int64, "currency": pl.String, "units": pl.Float64, "price": pl.Float64},
        )  # fmt: skip
        return table.with_columns(at=scans.at("seconds"), amount=pl.col("units") * pl.col("price"))

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """The styles."""
        table = scans.read(
            Style.objects.filter(Q() if ids is None else Q(pk__in=scans.keys(ids))),
            {"product_id": F("pk"), "name": F("name"), "category": F("kind"), "description": F("about"),
             "price": scans.number("price"), "active": F("on_sale")},
            {"product_id": pl.Int64, "name": pl.String, "category": pl.String, "description": pl.String,
             "price": pl.Float64, "active": pl.Boolean},
        )  # fmt: skip
        return complete(table.sort("product_id"), frames.PRODUCTS, name="products")

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The items."""
        chosen = Q() if product_ids is None else Q(style_id__in=scans.keys(product_ids))
        chosen &= Q() if variant_ids is None else Q(pk__in=scans.keys(variant_ids))
        table = scans.read(
            Item.objects.filter(chosen),
            {"variant_id": F("pk"), "product_id": F("style_id"), "sku": F("code"), "on_hand": F("left"),
             "reserved": F("put_by"), "price": scans.number("style__price"), "active": F("style__on_sale")},
            {"variant_id": pl.Int64, "product_id": pl.Int64, "sku": pl.String, "on_hand": pl.Float64,
             "reserved": pl.Float64, "price": pl.Float64, "active": pl.Boolean},
        )  # fmt: skip
        return complete(table.sort("variant_id"), frames.STOCK, name="stock")

    def customers(self) -> pl.DataFrame:
        """Every account that is no staff."""
        users = get_user_model().objects.filter(is_staff=False)
        table = scans.read(users, {"customer_id": F("pk")}, {"customer_id": pl.Int64})
        return complete(table.sort("customer_id"), frames.CUSTOMERS, name="customers")
