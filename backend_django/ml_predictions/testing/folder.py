"""Fills a folder of Parquet files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from ml_predictions import conf
from ml_predictions.sources.files import FileShop
from ml_predictions.testing.shops import Filler, Shop
from retail_ml import frames

LINES: frames.Schema = {
    "order_id": pl.String, "customer_id": pl.String, "product_id": pl.String, "variant_id": pl.String,
    "at": pl.Datetime("us", "UTC"), "units": pl.Int64, "amount": pl.Decimal(12, 2), "status": pl.String,
    "currency": pl.String, "is_test": pl.Boolean,
}  # fmt: skip
"""As a shop's own export would have them: whole units, decimal money, statuses."""


class FolderFiller(Filler):
    """Order lines parted by year, the rest one file each; as few columns as a shop may give."""

    lacks = frozenset({"draft orders", "erasing"})

    def __init__(self, folder: Path) -> None:
        self.folder, self.shop = folder, Shop()

    def fill(self, shop: Shop) -> None:
        """Write all of it anew."""
        mine = self.shop
        self.shop = mine = Shop(
            mine.products + shop.products, mine.customers + shop.customers, mine.orders + shop.orders,
            mine.came_back + shop.came_back, mine.counted and shop.counted,
        )  # fmt: skip
        if not mine.counted:
            products = tuple(
                replace(p, variants=tuple(replace(v, on_hand=0) for v in p.variants)) for p in mine.products
            )
            mine = replace(mine, products=products)
        self.folder.mkdir(exist_ok=True)
        lines = _lines(mine)
        for year in {at.year for at in lines["at"]} or {2026}:
            where = self.folder / "order_lines" / f"year={year}"
            where.mkdir(parents=True, exist_ok=True)
            lines.filter(pl.col("at").dt.year() == year).write_parquet(where / "lines.parquet")
        _products(mine).write_parquet(self.folder / "products.parquet")
        _stock(mine).write_parquet(self.folder / "stock.parquet")
        customers = pl.DataFrame({"customer_id": list(mine.customers)}, schema={"customer_id": pl.String})
        customers.write_parquet(self.folder / "customers.parquet")

    def source(self) -> FileShop:
        """Over the folder."""
        return FileShop(self.folder)

    def ids(self, kind: str) -> dict[str, str]:
        """Our own names are the ids."""
        names = {
            "product": [p.code for p in self.shop.products],
            "variant": [v.sku for p in self.shop.products for v in p.variants],
            "customer": list(self.shop.customers),
            "order": [order.number for order in self.shop.orders],
        }[kind]
        return {name: name for name in names}


def _lines(shop: Shop) -> pl.DataFrame:
    product = {v.sku: p.code for p in shop.products for v in p.variants}
    statuses = {True: conf.get("SALE_STATUSES")[0], False: "pending"}
    orders = {order.number: order for order in shop.orders}
    sold = [
        (o.number, o.customer, product[x.sku], x.sku, o.at, x.units, x.amount, statuses[o.sold], o.currency, o.is_test)
        for o in shop.orders
        for x in o.lines
    ]
    back = [
        (b.number, o.customer, product[b.sku], b.sku, b.at, -b.units, -b.amount, statuses[True], o.currency, o.is_test)
        for b in shop.came_back
        for o in [orders[b.number]]
    ]
    return pl.DataFrame(sold + back, schema=LINES, orient="row")


def _products(shop: Shop) -> pl.DataFrame:
    schema: frames.Schema = {
        "product_id": pl.String, "name": pl.String, "category": pl.String, "description": pl.String,
        "price": pl.Decimal(12, 2), "active": pl.Boolean,
    }  # fmt: skip
    rows = [(p.code, p.name, p.category, p.description, p.price, p.active) for p in shop.products]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _stock(shop: Shop) -> pl.DataFrame:
    schema: frames.Schema = {"variant_id": pl.String, "product_id": pl.String, "sku": pl.String, "options": pl.String,
              "active": pl.Boolean, "on_hand": pl.Int64, "reserved": pl.Int64, "price": pl.Decimal(12, 2),
              "cost": pl.Decimal(12, 2)}  # fmt: skip
    rows = [
        (v.sku, p.code, v.sku, v.size, p.active, v.on_hand, v.reserved, p.price, v.cost)
        for p in shop.products
        for v in p.variants
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")
