"""PrestaShop's products, combinations and stock, as its webservice answers: for `import_products`, `import_stock`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ingest import layouts, xml_documents
from ingest.errors import BadFile
from ingest.presets.prestashop import KINDS, sku_of, table
from ingest.presets.woocommerce import number
from ingest.readers import Part

PRODUCT = ("id", "line", "reference", "name", "wholesale_price", "active", "id_category_default", "manufacturer_name",
           "description_short")  # fmt: skip
COMBINATION = ("id", "id_product", "reference", "wholesale_price")


def read(path: Path, *, stock: bool) -> Part:
    """One row per product or combination; with `stock` what is there of each.

    Prices are left out: the webservice gives them without tax, orders with it.
    """
    found = xml_documents.read([path], KINDS)
    wanted = "stock_availables" if stock else "products"
    if not found[wanted]:
        raise BadFile("file.no_products", path=str(path))
    rows = _variants(found)
    label = ", ".join(dict.fromkeys(label for label, _record in found[wanted]))
    if not stock:
        return Part(label, rows.drop("product_id", "product_attribute_id"))
    fields = ("line", "id_product", "id_product_attribute", "quantity")
    counts = table(found["stock_availables"], fields).drop("file").with_columns(pl.col("line").cast(pl.Int64))
    counts = counts.rename({"id_product": "product_id", "id_product_attribute": "product_attribute_id"})
    # A product with combinations has a row of its own, with their sum.
    of_options = counts.filter(pl.col("product_attribute_id") != "0").select("product_id").unique()
    sums = counts.filter(pl.col("product_attribute_id") == "0").join(of_options, on="product_id", how="semi")
    counts = counts.join(sums, on=["product_id", "product_attribute_id"], how="anti", maintain_order="left")
    known = rows.select("product_id", "product_attribute_id", "sku")
    counts = counts.join(known, on=["product_id", "product_attribute_id"], how="left", maintain_order="left")
    # Several shops of one installation have a row each.
    units = pl.when(number("quantity").is_null().any()).then(pl.col("quantity").first())
    summed = number("quantity").sum().cast(pl.Int64).cast(pl.String)
    counts = counts.with_columns(sku=pl.coalesce("sku", sku_of()))
    return Part(label, counts.group_by("sku", maintain_order=True).agg(
        pl.col("line").first(), counted=pl.coalesce(units, summed)))  # fmt: skip


def _variants(found: dict[str, list[tuple[str, xml_documents.Record]]]) -> pl.DataFrame:
    products = table(found["products"], PRODUCT).drop("file").unique("id", keep="last", maintain_order=True)
    combinations = table(found["combinations"], COMBINATION).drop("file").unique("id", keep="last", maintain_order=True)
    combinations = combinations.select(
        product_attribute_id="id", id="id_product", own="reference", own_cost="wholesale_price"
    )
    names = table(found["categories"], ("id", "name")).select(id_category_default="id", category="name")
    rows = products.join(combinations, on="id", how="left", maintain_order="left")
    rows = rows.join(names.unique("id_category_default"), on="id_category_default", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("product_attribute_id").fill_null("0"), product_id=pl.col("id"))
    mine = pl.when(pl.col("product_attribute_id") == "0").then("reference").otherwise("own")
    cost = pl.coalesce(*(pl.when(number(name) > 0).then(name) for name in ("own_cost", "wholesale_price")))
    shown = pl.col("active").replace_strict({"1": "active", "0": "inactive"}, default=None)
    frame = rows.with_columns(mine=mine).select(
        "product_id", "product_attribute_id", "category",
        line=pl.col("line").cast(pl.Int64),
        sku=sku_of("mine"),
        product_code=pl.concat_str(pl.lit("id:"), "id"),
        product_name="name",
        brand="manufacturer_name",
        cost=cost,
        status=shown,
        description="description_short",
    )  # fmt: skip
    return frame.with_columns(layouts.bare_text(frame["description"]))
