"""What a sales file does not say (cost, supplier, category, stock): filled in when asked, only where it is empty."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import polars as pl
from django.utils.translation import gettext

from ingest import canonical, load
from ingest.counts import Counts
from products.models import ProductVariant
from retail_ml.frames import Schema

RECENT_DAYS = 90
"""Days before the end of the data whose mean demand makes the opening stock."""
CATEGORIES = 24
"""Most categories that --category common-word makes, beside `Other`."""
_NO_CATEGORY = """
SET PACK ASSORTED DESIGN LARGE SMALL MEDIUM MINI BIG RED PINK BLUE GREEN WHITE BLACK IVORY CREAM YELLOW ORANGE PURPLE
GOLD SILVER BROWN GREY VINTAGE RETRO RETROSPOT ANTIQUE FRENCH WITH AND THE FOR FROM OLD NEW COLOUR COLOR HOME SWEET
LOVE ZINC METAL WOOD WOODEN GLASS PAPER CERAMIC ENAMEL PLASTIC
CON SIN PARA DEL LOS LAS UNA UNO POR TALLA MUJER HOMBRE PACK JUEGO GRANDE PEQUEÑO PEQUEÑA MEDIANO MEDIANA LARGO LARGA
CORTO CORTA ROJO ROJA ROSA AZUL VERDE BLANCO BLANCA NEGRO NEGRA MARFIL CREMA AMARILLO AMARILLA NARANJA MORADO MORADA
DORADO DORADA PLATEADO PLATEADA MARRÓN GRIS NUEVO NUEVA COLOR MADERA CRISTAL PAPEL ALGODÓN LINO LANA SEDA CUERO
"""
NO_CATEGORY_WORDS = frozenset(_NO_CATEGORY.split())
"""Colours, sizes, materials and fillers: they say how a thing looks, not what it is. In English and Spanish."""


@dataclass(frozen=True)
class Assumptions:
    """What to assume; None or zero: nothing, the field stays empty."""

    cost_share: Decimal | None = None
    """Cost as a share of the SKU's median price."""
    supplier: str | None = None
    lead_time_days: float = 14.0
    lead_time_sd: float = 4.0
    category: str = "none"
    opening_stock_days: int = 0

    def sentences(self) -> list[str]:
        """What is assumed and what stays empty, for the report."""
        empty = gettext("stays empty")
        cost, supplier = f"{empty} (--cost-share 0.5)", f"{empty} (--supplier NAME)"
        category = gettext("as in the file, else empty") + " (--category common-word)"
        stock = gettext("no opening stock") + " (--opening-stock-days 30, import_stock)"
        if self.cost_share:
            cost = gettext("{share} of each SKU's median price").format(share=self.cost_share)
        if self.supplier:
            supplier = gettext("{name}, lead time {days} days, spread {spread}").format(
                name=self.supplier, days=f"{self.lead_time_days:g}", spread=f"{self.lead_time_sd:g}"
            )
        if self.category == "common-word":
            text = gettext("the word of the name that most products share, at most {n} words")
            category = text.format(n=CATEGORIES)
        if self.opening_stock_days:
            stock = gettext(
                "{days} days of each SKU's mean demand in the last {recent} days, as an opening movement at the end of "
                "the data"
            ).format(days=self.opening_stock_days, recent=RECENT_DAYS)
        return [
            f"{gettext('cost')}: {cost}",
            f"{gettext('supplier')}: {supplier}",
            f"{gettext('category')}: {category}",
            f"{gettext('stock')}: {stock}",
        ]


def fill(assumptions: Assumptions, catalogue: pl.DataFrame, lines: pl.DataFrame) -> dict[str, Counts]:
    """Fill what is empty in the shop for the SKUs of `catalogue`.

    `lines` are their sales: `sku, units, unit_price, at`. Nothing that is already set is changed, so a second run
    fills nothing.
    """
    rows = ProductVariant.objects.values_list("sku", "cost", "product__category", "supplier_item", "movements")
    schema: Schema = {
        "sku": pl.String,
        "cost": canonical.UNIT_PRICE,
        **dict.fromkeys(("category", "item", "move"), pl.Int64),
    }
    stored = pl.DataFrame(list(rows.distinct().iterator()), schema=schema, orient="row")
    stored = stored.unique("sku", maintain_order=True).join(catalogue, on="sku", how="semi").sort("sku")
    done: dict[str, Counts] = {}
    if assumptions.cost_share:
        middle = lines.group_by("sku").agg(pl.col("unit_price").sort().get(pl.len() // 2))
        empty = stored.filter(pl.col("cost").is_null()).join(middle, on="sku")
        cost = (pl.col("unit_price") * pl.lit(assumptions.cost_share)).round(4, "half_to_even")
        done["cost"] = load.catalogue(empty.select("sku", cost=cost.cast(canonical.UNIT_PRICE)))
    if assumptions.supplier:
        name = assumptions.supplier
        load.suppliers(
            pl.DataFrame(
                {
                    "name": [name],
                    "lead_time_days": [float(assumptions.lead_time_days)],
                    "lead_time_sd": [float(assumptions.lead_time_sd)],
                }
            )
        )
        empty = stored.filter(pl.col("item").is_null())
        done["supplier"] = load.catalogue(empty.select("sku", supplier=pl.lit(name)))
    if assumptions.category == "common-word":
        empty = stored.filter(pl.col("category").is_null()).select("sku")
        named = common_words(catalogue.select("sku", "product_name"))
        done["category"] = load.catalogue(empty.join(named, on="sku", maintain_order="left"))
    if assumptions.opening_stock_days:
        empty = stored.filter(pl.col("move").is_null()).select("sku")
        done["stock"] = load.movements(opening_stock(empty, lines, days=assumptions.opening_stock_days))
    return done


def common_words(names: pl.DataFrame) -> pl.DataFrame:
    """`sku, category` from `sku, product_name`: the word that most names share, among the commonest; else `Other`.

    >>> names = ["RED MUG", "MUG TREE", "47", "Bañador azul", "bañador rojo"]
    >>> common_words(pl.DataFrame({"sku": ["1", "2", "3", "4", "5"], "product_name": names})).rows()
    [('1', 'Mug'), ('2', 'Mug'), ('3', 'Other'), ('4', 'Bañador'), ('5', 'Bañador')]
    """
    words = names.select("sku", word=pl.col("product_name").str.to_uppercase().str.extract_all(r"\p{Lu}{3,}"))
    words = words.explode("word").filter(~pl.col("word").is_in(NO_CATEGORY_WORDS)).drop_nulls().unique()
    counts = words.group_by("word").len().sort("len", "word", descending=[True, False]).head(CATEGORIES)
    best = words.join(counts.filter(pl.col("len") > 1), on="word").sort("len", "word", descending=[True, False])
    best = best.group_by("sku", maintain_order=True).agg(category=pl.col("word").first().str.to_titlecase())
    joined = names.select("sku").join(best, on="sku", how="left", maintain_order="left")
    return joined.with_columns(pl.col("category").fill_null("Other"))


def opening_stock(skus: pl.DataFrame, lines: pl.DataFrame, *, days: int) -> pl.DataFrame:
    """Opening movements for `skus`: `days` times the mean daily units of the last 90 days of `lines`, rounded up."""
    if lines.is_empty():
        return canonical.empty("movements")
    until = lines["at"].max()
    recent = lines.filter(pl.col("at") > pl.lit(until) - pl.duration(days=RECENT_DAYS))
    sold = recent.group_by("sku").agg(pl.col("units").sum())
    table = skus.join(sold, on="sku", how="left", maintain_order="left").with_columns(pl.col("units").fill_null(0))
    # Rounded up in whole numbers: a float would make 30.000000000000004 into 31.
    units = (pl.col("units") * days + RECENT_DAYS - 1) // RECENT_DAYS
    return table.select(
        "sku",
        kind=pl.lit("opening"),
        units=units,
        at=pl.lit(until, dtype=canonical.AT),
        reference=pl.concat_str(pl.lit("opening:"), "sku"),
    )
