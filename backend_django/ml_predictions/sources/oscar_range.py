"""What `OscarShop` reads of catalogue and partners: products, variants, stock."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from django.apps import apps
from django.conf import settings
from django.db.models import F

from ml_predictions.sources import joined, scans
from retail_ml import frames
from retail_ml.errors import BadFrame

COSTS: frames.Schema = {
    "sku": pl.String, "cost": pl.Float64, "lead_time_days": pl.Float64, "pack_size": pl.Float64,
    "minimum_order": pl.Float64,
}  # fmt: skip


def model(label: str) -> Any:
    """A model of Oscar, or of the app that a project has forked from it."""
    return apps.get_model(label)


class OscarRange:
    """Products and their stock; the four figures that Oscar has no place for come from a CSV."""

    time_zone: str
    currency: str
    partners: tuple[str, ...] | None
    bought_at: pl.DataFrame

    # --- as it stands in the tables -------------------------------------------------------------

    def catalogue(self) -> pl.DataFrame:
        """Every product with its parent, the oldest first: `tracked` says whether its stock is counted."""
        table = scans.read(
            model("catalogue.Product").objects.all(),
            {"id": F("id"), "parent": F("parent_id"), "structure": F("structure"), "upc": F("upc"),
             "title": F("title"), "description": F("description"), "public": F("is_public"),
             "seconds": scans.Epoch("date_created"), "class_": F("product_class_id")},
            {"id": pl.Int64, "parent": pl.Int64, "structure": pl.String, "upc": pl.String, "title": pl.String,
             "description": pl.String, "public": pl.Boolean, "seconds": pl.Int64, "class_": pl.Int64},
        ).sort("id")  # fmt: skip
        untracked = list(model("catalogue.ProductClass").objects.filter(track_stock=False).values_list("id", flat=True))
        above = table.select(parent="id", above="public", their="class_", name="title")
        table = table.join(above, on="parent", how="left", maintain_order="left")
        return table.with_columns(
            public=pl.col("public") & pl.col("above").fill_null(True),
            tracked=~pl.coalesce("class_", "their").is_in(untracked).fill_null(False),
        )

    def shelf(self) -> pl.DataFrame:
        """Every stock record of the partners that count, the oldest first."""
        records = model("partner.StockRecord").objects.all()
        if self.partners is not None:
            records = records.filter(partner__code__in=self.partners)
        table = scans.read(
            records,
            {"id": F("id"), "product": F("product_id"), "partner": F("partner_id"), "partner_name": F("partner__name"),
             "sku": F("partner_sku"), "price": scans.number("price"), "money": F("price_currency"),
             "on_hand": F("num_in_stock"), "reserved": F("num_allocated")},
            {"id": pl.Int64, "product": pl.Int64, "partner": pl.Int64, "partner_name": pl.String, "sku": pl.String,
             "price": pl.Float64, "money": pl.String, "on_hand": pl.Float64, "reserved": pl.Float64},
        )  # fmt: skip
        return table.sort("id")

    def _summed(self) -> pl.DataFrame:
        """Per product: units of all its partners, the lowest price in the shop's currency, the first SKU."""
        ours = pl.col("price").filter(pl.col("money") == self.currency) if self.currency else pl.col("price")
        return self.shelf().group_by("product", maintain_order=True).agg(
            on_hand=pl.col("on_hand").sum(),
            reserved=pl.col("reserved").sum(),
            price=ours.min(),
            partner_sku=pl.col("sku").first(),
            supplier_id=pl.col("partner").first(),
            supplier=pl.col("partner_name").first(),
        )  # fmt: skip

    # --- the frames -----------------------------------------------------------------------------

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.PRODUCTS`: standalone and parent products; a parent costs what its cheapest child does."""
        every = self.catalogue()
        prices = every.join(self._summed(), left_on="id", right_on="product").with_columns(
            id=pl.coalesce("parent", "id")
        )
        table = every.filter(pl.col("structure") != "child")
        if ids is not None:
            table = table.filter(pl.col("id").is_in(scans.keys(ids)))
        table = table.join(prices.group_by("id").agg(pl.col("price").min()), on="id", how="left", maintain_order="left")
        for first in (self._categories(), self._pictures()):
            table = table.join(first, on="id", how="left", maintain_order="left")
        bare = table["description"].fill_null("").str.replace_all(r"<[^>]*>", " ")
        text = pl.Series([html.unescape(one) for one in bare], dtype=pl.String)  # a text of each product
        picture = pl.lit(settings.MEDIA_URL) + pl.col("picture")
        table = table.with_columns(
            product_id=scans.text("id"),
            name=pl.col("title"),
            category=pl.col("category").fill_null(""),
            description=text.str.replace_all(r"\s+", " ").str.strip_chars(),
            active=pl.col("public"),
            image_url=picture.fill_null(""),
            created=scans.at("seconds").dt.convert_time_zone(self.time_zone).dt.date(),
        )
        return joined.complete(table, frames.PRODUCTS, name="products")

    def _categories(self) -> pl.DataFrame:
        """The first category of each product that has one."""
        table = scans.read(
            model("catalogue.ProductCategory").objects.all(),
            {"row": F("id"), "id": F("product_id"), "category": F("category__name")},
            {"row": pl.Int64, "id": pl.Int64, "category": pl.String},
        )
        return table.sort("row").unique("id", keep="first", maintain_order=True).drop("row")

    def _pictures(self) -> pl.DataFrame:
        """The picture that is shown first."""
        table = scans.read(
            model("catalogue.ProductImage").objects.all(),
            {"place": F("display_order"), "id": F("product_id"), "picture": F("original")},
            {"place": pl.Int64, "id": pl.Int64, "picture": pl.String},
        )
        return table.sort("place", "picture").unique("id", keep="first", maintain_order=True).drop("place")

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`: standalone and child products whose stock is counted.

        Units are those of all partners. One that nobody has on record cannot be bought and is not active.
        """
        table = self.catalogue().filter(pl.col("structure") != "parent", "tracked")
        if product_ids is not None:
            table = table.filter(pl.coalesce("parent", "id").is_in(scans.keys(product_ids)))
        if variant_ids is not None:
            table = table.filter(pl.col("id").is_in(scans.keys(variant_ids)))
        table = table.join(self._summed(), left_on="id", right_on="product", how="left", maintain_order="left")
        table = table.with_columns(
            variant_id=scans.text("id"),
            product_id=scans.text("parent").fill_null(scans.text("id")),
            sku=pl.coalesce("partner_sku", pl.col("upc").replace("", None), scans.text("id")),
            options=pl.when(pl.col("parent").is_not_null()).then(pl.col("title")).otherwise(pl.lit("")).fill_null(""),
            active=pl.col("public") & pl.col("partner_sku").is_not_null(),
            on_hand=pl.col("on_hand").fill_null(0.0),
            reserved=pl.col("reserved").fill_null(0.0),
            supplier_id=scans.text("supplier_id"),
        )
        table = table.join(self.bought_at, on="sku", how="left", maintain_order="left")
        table = table.with_columns(pl.col(c).fill_null(1.0) for c in ("pack_size", "minimum_order"))
        return joined.complete(table, frames.STOCK, name="stock")

    def counts_stock(self) -> bool:
        """Has anybody entered a number in stock?"""
        return bool(model("partner.StockRecord").objects.filter(num_in_stock__isnull=False).exists())

    def available(self, *, product_ids: Sequence[str] | None = None) -> dict[str, float]:
        """As `JoinedShop` says; of products whose class counts no stock there are infinitely many."""
        found: dict[str, float] = super().available(product_ids=product_ids)  # type: ignore[misc]
        free = self.catalogue().filter("public", ~pl.col("tracked"), pl.col("structure") != "parent")
        endless = [str(key) for key in free.select(pl.coalesce("parent", "id")).to_series().unique().sort()]
        wanted = None if product_ids is None else set(product_ids)
        return found | {one: float("inf") for one in endless if wanted is None or one in wanted}

    # --- what Oscar has no place for ------------------------------------------------------------

    @staticmethod
    def read_costs(file: str | Path | None) -> pl.DataFrame:
        """`COSTS` by SKU from a CSV; absent columns are null. Raises BadFrame."""
        if file is None:
            return frames.empty(COSTS)
        try:
            table = pl.read_csv(file, schema_overrides=COSTS, infer_schema=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise BadFrame(
                f"{file} cannot be read as a CSV of costs: {error}", code="bad_frame.no_csv", table=str(file),
                why=str(error),
            ) from error  # fmt: skip
        if missing := [c for c in ("sku", "cost") if c not in table.columns]:
            frames.check(table, {c: COSTS[c] for c in missing}, name=str(file))  # says what is missing
        absent = {c: pl.lit(None, dtype=dtype) for c, dtype in COSTS.items() if c not in table.columns}
        table = table.with_columns(**absent).with_columns(pl.col("pack_size", "minimum_order").fill_null(1.0))
        table = frames.check(table, COSTS, name=str(file))
        joined.once(table["sku"], str(file))
        return table
