"""WooCommerce's products and variations, as its REST interface answers: for `import_products` and `import_stock`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ingest import documents, layouts
from ingest.errors import BadFile
from ingest.presets.woocommerce import KINDS, TEXT, code_of, sku_of
from ingest.readers import Part

NAMED = pl.List(pl.Struct({"name": TEXT}))
PRODUCT = pl.Struct(
    {
        **dict.fromkeys(
            ("id", "name", "type", "status", "sku", "price", "regular_price", "description", "parent_id",
             "manage_stock", "stock_quantity"),
            TEXT,
        ),
        "categories": NAMED,
        "brands": NAMED,
        "images": pl.List(pl.Struct({"src": TEXT})),
        "attributes": pl.List(pl.Struct({"name": TEXT, "option": TEXT})),
    }
)  # fmt: skip
NOT_SOLD = ("variable", "grouped", "external")
"""Types of products that are no goods of their own: only their variations, parts, or another shop sell them."""
STATUS = {"publish": "active", "private": "inactive", "draft": "inactive", "pending": "inactive", "trash": "inactive"}


def read(path: Path, *, stock: bool) -> Part:
    """One row per product or variation that is sold; with `stock` those whose stock the shop counts."""
    found = [documents.read(one, KINDS) for one in documents.files_of([path], (".json", ".ndjson", ".jsonl"))]
    wanted = [one for one in found if one and one.kind == "products"]
    if not wanted:
        raise BadFile("file.no_products", path=str(path))
    table = pl.concat([documents.table(one, PRODUCT) for one in wanted]).unique("id", keep="last", maintain_order=True)
    label = ", ".join(one.label for one in wanted)
    if stock:
        counted = table.filter((pl.col("manage_stock") == "true") & ~pl.col("type").is_in(NOT_SOLD[:2]))
        own = pl.coalesce(pl.when(pl.col("parent_id") != "0").then("parent_id"), "id")
        return Part(
            label, counted.select("line", sku=sku_of(pl.col("sku"), own, pl.col("id")), counted="stock_quantity")
        )
    parents = table.select(
        "description", parent_id="id", parent_name="name", their_categories="categories", their_brands="brands",
        parent_status="status",
    )  # fmt: skip
    rows = table.drop("description").join(parents, on="parent_id", how="left", maintain_order="left")
    rows = rows.join(table.select("id", own="description"), on="id", how="left", maintain_order="left")
    rows = rows.filter(~pl.col("type").is_in(NOT_SOLD).fill_null(value=False))
    product = pl.when(~pl.col("parent_id").is_in(["0", ""])).then("parent_id").otherwise("id")
    shown = pl.coalesce("parent_status", "status").str.to_lowercase().replace_strict(STATUS, default=None)
    frame = rows.select(
        "line",
        "attributes",
        sku=sku_of(pl.col("sku"), product, pl.col("id")),
        product_code=code_of(product),
        product_name=pl.coalesce("parent_name", "name"),
        category=_first(pl.coalesce(_some("categories"), "their_categories")),
        brand=_first(pl.coalesce(_some("brands"), "their_brands")),
        price=pl.coalesce(pl.when(pl.col("regular_price") != "").then("regular_price"), "price"),
        status=shown,
        image_url=pl.col("images").list.first().struct.field("src"),
        description=pl.coalesce("description", "own"),
    )
    texts = [layouts.bare_text(frame[name]) for name in ("product_name", "category", "brand", "description")]
    pairs = pl.Series("options", [layouts.as_json(pairs) for pairs in frame["attributes"].to_list()], dtype=TEXT)
    return Part(label, frame.drop("attributes").with_columns(*texts, pairs))


def _some(name: str) -> pl.Expr:
    return pl.when(pl.col(name).list.len() > 0).then(name)


def _first(found: pl.Expr) -> pl.Expr:
    return found.list.first().struct.field("name")
