"""The synthetic boutique as the tables that models read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import polars as pl

from retail_ml import frames
from retail_ml.synthetic import Shop, make_shop

ZONE = "Europe/Madrid"


@dataclass(frozen=True)
class Boutique:
    """`lines`, `products`, `stock`, `stock_history` of a synthetic shop; ids are product codes and SKUs."""

    shop: Shop
    lines: pl.DataFrame
    products: pl.DataFrame
    stock: pl.DataFrame
    stock_history: pl.DataFrame


def make(*, orders: int, days: int, seed: int, end: date = date(2026, 6, 30)) -> Boutique:
    """A boutique whose cancelled and unpaid orders are left out, as the shop's own source leaves them out."""
    shop = make_shop(orders=orders, days=days, end=end, seed=seed)
    history = frames.with_day(shop.movements.rename({"sku": "variant_id"}), ZONE).with_columns(
        pl.col("units").cast(pl.Float64)
    )
    return Boutique(
        shop,
        frames.check(_lines(shop), frames.ORDER_LINES, name="lines"),
        frames.check(_products(shop), frames.PRODUCTS, name="products"),
        frames.check(_stock(shop, history), frames.STOCK, name="stock"),
        frames.check(history, frames.STOCK_HISTORY, name="stock history"),
    )


def _lines(shop: Shop) -> pl.DataFrame:
    sold = shop.lines.join(shop.orders.filter(~pl.col("status").is_in(["cancelled", "pending"])), on="order_number")
    sold = sold.join(shop.catalogue.select("sku", "product_code"), on="sku").select(
        order_id="order_number",
        customer_id="customer_id",
        product_id="product_code",
        variant_id="sku",
        at="placed_at",
        units=pl.col("units").cast(pl.Float64),
        amount=(pl.col("units") * pl.col("unit_price") - pl.col("discount")).cast(pl.Float64),
        is_return=pl.lit(value=False),
    )
    return frames.with_day(sold, ZONE)


def _products(shop: Shop) -> pl.DataFrame:
    return shop.catalogue.unique("product_code", maintain_order=True).select(
        product_id="product_code",
        name="product_name",
        category="category",
        brand="brand",
        description="description",
        price=pl.col("price").cast(pl.Float64),
        active=pl.col("status") == "active",
        image_url=pl.lit(""),
        created=pl.col("created_at").dt.convert_time_zone(ZONE).dt.date(),
    )


def _stock(shop: Shop, history: pl.DataFrame) -> pl.DataFrame:
    shelf = history.group_by("variant_id").agg(on_hand=pl.col("units").sum())
    options = [" · ".join(json.loads(o).values()) for o in shop.catalogue["options"]]
    table = shop.catalogue.with_columns(options=pl.Series(options, dtype=pl.String))
    table = table.join(shelf, left_on="sku", right_on="variant_id", how="left", maintain_order="left")
    nothing = pl.lit(None, dtype=pl.Float64)
    return table.select(
        variant_id="sku",
        product_id="product_code",
        sku="sku",
        options="options",
        active=pl.col("status") == "active",
        on_hand=pl.col("on_hand").fill_null(0.0),
        reserved=pl.lit(0.0),
        on_order=pl.lit(0.0),
        drafted=pl.lit(0.0),
        price=pl.col("price").cast(pl.Float64),
        cost=pl.col("cost").cast(pl.Float64),
        pack_size=pl.col("pack_size").cast(pl.Float64),
        minimum_order=pl.col("minimum_order").cast(pl.Float64),
        lead_time_days=nothing,
        lead_time_sd=nothing,
        supplier_id=pl.lit(None, dtype=pl.String),
        supplier=pl.lit(""),
        season_end="season_end",
        minimum_order_value=nothing,
    )
