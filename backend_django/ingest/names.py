"""Lines without an SKU: the SKU that the same name has elsewhere, in the files or in the shop."""

from __future__ import annotations

import polars as pl

from ingest.rows import name_sku
from products.models import ProductVariant


def resolved(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the SKUs of rows that are known by their name only (`name_sku`), where their name has one.

    A name is a title, or a title and the variant's options: `Camiseta - Roja / M`. What the files say wins.
    """
    nameless = pl.col("sku") == name_sku(frame["product_name"].cast(pl.String))
    wanted = frame.filter(nameless).select("product_name").unique()
    if wanted.is_empty():
        return frame
    here = frame.filter(~nameless & pl.col("reason").is_null()).join(wanted, on="product_name", how="semi")
    here = here.group_by("product_name", "sku").len().sort("len", "sku")
    here = here.group_by("product_name", maintain_order=True).agg(known=pl.col("sku").last())
    there = _of_shop().unique("name").rename({"sku": "stored"})
    found = wanted.join(here, on="product_name", how="left").with_columns(name=_plain(pl.col("product_name")))
    found = found.join(there, on="name", how="left").select("product_name", known=pl.coalesce("known", "stored"))
    joined = frame.join(found, on="product_name", how="left", maintain_order="left")
    sku = pl.when(nameless).then(pl.coalesce("known", "sku")).otherwise(pl.col("sku"))
    return joined.with_columns(sku=sku).drop("known")


def _plain(name: pl.Expr) -> pl.Expr:
    """A name whose options stand in the order of the alphabet, for a database may keep them in any."""
    title, options = name.str.extract(r"^(.*) - ", 1), name.str.extract(r"^.* - (.*)$", 1)
    ordered = options.str.split(" / ").list.sort().list.join(" / ")
    return pl.coalesce(pl.concat_str(title, ordered, separator=" - "), name).str.to_lowercase()


def _of_shop() -> pl.DataFrame:
    """`sku, name` of every variant of the shop."""
    rows = [
        (sku, " - ".join([title, " / ".join(map(str, options.values()))] if options else [title]))
        for sku, title, options in ProductVariant.objects.values_list("sku", "product__name", "options").iterator()
    ]
    table = pl.DataFrame(rows, schema={"sku": pl.String, "name": pl.String}, orient="row")
    return table.with_columns(name=_plain(pl.col("name"))).sort("sku")
