"""Synthetic boutiques of slow sellers (`retail_ml.synthetic`): their tables as they stood on past evenings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from retail_ml import frames
from retail_ml.synthetic import make_shop

END, ZONE = date(2026, 11, 26), "Europe/Madrid"
SEEDS = (7, 1, 2)


@dataclass(frozen=True, eq=False)
class Tables:
    """What a shop knew on the evening of one day."""

    lines: pl.DataFrame
    stock: pl.DataFrame
    products: pl.DataFrame
    moves: pl.DataFrame
    open_orders: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Boutique:
    """Two years of one boutique: tables of the generator with the business days of its time zone."""

    tables: dict[str, pl.DataFrame]
    lines: pl.DataFrame

    @classmethod
    def of(cls, seed: int) -> Boutique:
        """The demo's size: 7,500 orders of 690 variants in 730 days."""
        made = make_shop(orders=None, lines=None, days=730, end=END, seed=seed, extra_days=0, time_zone=ZONE)
        tables = made.tables()
        sold = tables["orders"].filter(pl.col("status").is_in(["completed", "delivered"]))
        style = tables["catalogue"].select("sku", "product_code")
        lines = tables["lines"].join(sold, on="order_number").join(style, on="sku")
        price, discount = (pl.col(name).cast(pl.Float64) for name in ("unit_price", "discount"))
        lines = lines.select(
            "customer_id",
            order_id="order_number",
            product_id="product_code",
            variant_id="sku",
            at=pl.col("placed_at").cast(frames.ORDER_LINES["at"]),
            day=_day("placed_at"),
            units=pl.col("units").cast(pl.Float64),
            amount=pl.col("units") * price - discount,
            is_return=pl.lit(value=False),
        )
        return cls(tables, frames.check(lines, frames.ORDER_LINES, name="lines"))

    def known(self, evening: date, *, ends: bool = False) -> Tables:
        """All that was known after `evening`: what came into the range later is in no table.

        With `ends` the stock keeps the ends of seasons that are long over, as a shop's table does.
        """
        range_ = self.tables["catalogue"].filter(pl.col("created_at").dt.date() <= evening)
        moves = self._moves().filter(pl.col("day") <= evening)
        orders = self._open_orders(evening)
        shelf = moves.group_by(sku="variant_id").agg(on_hand=pl.col("units").sum())
        coming = orders.group_by(sku="variant_id").agg(on_order=pl.col("units").sum())
        range_ = range_.join(shelf, on="sku", how="left").join(coming, on="sku", how="left")
        lines = self.lines.filter(pl.col("day") <= evening)
        return Tables(lines, self._stock(range_, evening, ends=ends), _products(range_), moves, orders)

    def _moves(self) -> pl.DataFrame:
        found = self.tables["movements"].select(
            "kind",
            variant_id="sku",
            at=pl.col("at").cast(frames.STOCK_HISTORY["at"]),
            day=_day("at"),
            units=pl.col("units").cast(pl.Float64),
        )
        return frames.check(found, frames.STOCK_HISTORY, name="stock history")

    def _open_orders(self, evening: date) -> pl.DataFrame:
        sent = self.tables["purchases"].with_columns(sent=_day("ordered_at"), came=_day("received_at"))
        sent = sent.filter(pl.col("sent") <= evening, pl.col("came").is_null() | (pl.col("came") > evening))
        found = sent.select(
            "number",
            variant_id="sku",
            order_id="number",
            supplier_id="supplier",
            ordered="sent",
            expected="expected_on",
            units=pl.col("units").cast(pl.Float64),
            draft=pl.lit(value=False),
        )
        return frames.check(found, frames.OPEN_ORDERS, name="open orders")

    def _stock(self, range_: pl.DataFrame, evening: date, *, ends: bool) -> pl.DataFrame:
        suppliers = self.tables["suppliers"].rename({"name": "supplier"})
        soon = pl.col("season_end") > evening - timedelta(days=30)  # an end that is long gone was not this one's
        found = range_.drop("lead_time_days").join(suppliers, on="supplier", how="left")
        numbers = ("price", "cost", "pack_size", "minimum_order", "minimum_order_value")
        found = found.select(
            "sku",
            "lead_time_days",
            "lead_time_sd",
            "supplier",
            *(pl.col(name).cast(pl.Float64) for name in numbers),
            variant_id="sku",
            product_id="product_code",
            options=pl.lit(""),
            active=pl.lit(value=True),
            on_hand=pl.col("on_hand").fill_null(0.0),
            on_order=pl.col("on_order").fill_null(0.0),
            reserved=pl.lit(0.0),
            drafted=pl.lit(0.0),
            supplier_id="supplier",
            season_end="season_end" if ends else pl.when(soon).then("season_end"),
        )
        return frames.check(found, frames.STOCK, name="stock")


def _products(range_: pl.DataFrame) -> pl.DataFrame:
    found = range_.unique("product_code", maintain_order=True).select(
        "category",
        "brand",
        "description",
        "image_url",
        product_id="product_code",
        name="product_name",
        price=pl.col("price").cast(pl.Float64),
        active=pl.lit(value=True),
        created=pl.col("created_at").dt.date(),
    )
    return frames.check(found, frames.PRODUCTS, name="products")


def _day(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(ZONE).dt.date()
