"""Units of every variant and day, sparse, with the option values that each variant has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SEPARATOR = " · "
"""Between the option values of `frames.STOCK.options`."""


@dataclass(frozen=True, eq=False)
class VariantSales:
    """Units of every variant and day with a sale, sparse: what 100,000 variants need instead of a panel.

    `ids` ascending; `product` the row of each variant's product (−1: none); `products` their number; `category` a
    number per variant; `values` (variants, parts) a number per option value, −1 where a variant has fewer parts;
    `active`: may it be sold? Cells sorted by variant and day: `row`, `day` (from the grid's first day, 0), `units`,
    `purchases` (how many order lines). `days` of the grid are known.
    """

    ids: npt.NDArray[np.str_]
    product: Ints
    products: int
    category: Ints
    values: Ints
    active: Bools
    row: Ints
    day: Ints
    units: Floats
    purchases: Floats
    days: int

    def until(self, days: int) -> VariantSales:
        """What was known after the first `days` days."""
        known = self.day < days
        cells = {name: getattr(self, name)[known] for name in ("row", "day", "units", "purchases")}
        return replace(self, days=min(days, self.days), **cells)

    def of(self, variants: Ints) -> VariantSales:
        """Only these variants (ascending rows); products keep their numbers."""
        place = np.full(len(self.ids), -1)
        place[variants] = np.arange(len(variants))
        kept = place[self.row] >= 0
        whole = {name: getattr(self, name)[variants] for name in ("ids", "product", "category", "values", "active")}
        cells = {name: getattr(self, name)[kept] for name in ("day", "units", "purchases")}
        return replace(self, row=place[self.row[kept]], **whole, **cells)

    def panel(self, rows: Ints, *, first: int, last: int) -> Floats:
        """Units of the variants `rows` on the days first … last − 1, (rows, days)."""
        place = np.full(len(self.ids), -1)
        place[rows] = np.arange(len(rows))
        inside = (self.day >= first) & (self.day < last) & (place[self.row] >= 0)
        units = np.zeros((len(rows), last - first))
        units[place[self.row[inside]], self.day[inside] - first] = self.units[inside]
        return units


def sales(
    lines: pl.DataFrame,
    stock: pl.DataFrame,
    products: pl.DataFrame,
    *,
    product_ids: npt.NDArray[np.str_],
    start: date,
    until: date,
) -> VariantSales:
    """The variants of `frames.STOCK` and of `frames.ORDER_LINES`, on the grid of days `start` … `until`.

    Units of a day are net of that day's returns and never below 0. A variant that is sold in `lines` but not in
    `stock` has no options and is not active. Products not among `product_ids` (ascending) get row −1.
    """
    lines = lines.filter((pl.col("day") >= start) & (pl.col("day") <= until))
    known = stock.select("variant_id", "product_id", "options", "active").unique("variant_id")
    others = lines.join(known, on="variant_id", how="anti").sort("at", "product_id").group_by("variant_id")
    gone = others.agg(pl.col("product_id").last(), options=pl.lit(""), active=pl.lit(value=False))
    table = pl.concat([known, gone.select(known.columns)]).sort("variant_id")
    table = table.join(products.select("product_id", "category").unique("product_id"), on="product_id", how="left")
    table = table.sort("variant_id").with_columns(pl.col("category").fill_null(""))
    ids = table["variant_id"].to_numpy().astype(str) if len(table) else np.empty(0, "<U1")
    units, day = pl.col("units"), (pl.col("day") - start).dt.total_days()
    count = pl.col("lines") if "lines" in lines.columns else pl.lit(1)
    sold = (units > 0) * pl.col("count")
    cells = (
        lines.select("units", day=day, count=count, row=frames.IdMap(ids).internal(lines["variant_id"]))
        .group_by("row", "day")
        .agg(units=units.sum().round(frames.DECIMALS).clip(0), purchases=sold.sum().cast(pl.Float64))
        .filter(pl.col("units") > 0)
        .sort("row", "day")
    )
    return VariantSales(
        ids,
        frames.IdMap(product_ids).internal(table["product_id"]),
        len(product_ids),
        table["category"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        option_values(table["options"]),
        table["active"].to_numpy(),
        cells["row"].to_numpy(),
        cells["day"].to_numpy(),
        cells["units"].to_numpy(),
        cells["purchases"].to_numpy(),
        (until - start).days + 1,
    )


def option_values(options: pl.Series) -> Ints:
    """Option texts as numbers, (variants, parts): the same value has the same number in whichever part it stands.

    >>> option_values(pl.Series(["S · red", "M · red", ""])).tolist()
    [[1, 2], [0, 2], [-1, -1]]
    """
    parts = options.str.split(SEPARATOR)
    width = max(int(parts.list.len().max() or 1), 1)  # type: ignore[arg-type]
    columns = [parts.list.get(j, null_on_oob=True).fill_null("").str.strip_chars().alias(str(j)) for j in range(width)]
    ids = frames.IdMap.of(pl.concat([c.alias("v") for c in columns]).replace("", None))
    return np.stack([ids.internal(c) for c in columns], axis=1)
