"""Tables of products and of stock that other platforms export: recognised by their headers, turned into our own."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from ingest import parse, readers
from ingest.presets.base import plain
from ingest.rows import name_sku

OPTIONS = ("1", "2", "3")
KNOWN_OF_STOCK = (
    "Handle", "URL handle", "Title", "SKU", "HS Code", "COO", "Bin name", "Image", "Barcode",
    *(f"Option{n} {word}" for n in OPTIONS for word in ("Name", "Value")),
)  # fmt: skip
"""Headers of the oldest stock file that are no place: every other column is one."""
PLACE = "place "


@dataclass(frozen=True)
class Layout:
    """One table of a platform. `marks`: groups of headers of which the file has at least one each."""

    name: str
    marks: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]
    shape: Callable[[pl.DataFrame], pl.DataFrame]
    """From the cells as text, with `line`, to the fields of `ingest.tables`, as text."""
    places: bool = False
    """Every header that is not known is a place with its stock."""

    def find(self, headers: list[str]) -> dict[str, str]:
        """Field → header."""
        known = {plain(header): header for header in reversed(headers)}
        found = {
            field: next(known[plain(name)] for name in names if plain(name) in known)
            for field, names in self.columns.items()
            if any(plain(name) in known for name in names)
        }
        if self.places:
            not_a_place = {plain(name) for name in KNOWN_OF_STOCK}
            there = {PLACE + header: header for header in headers if header and plain(header) not in not_a_place}
            found |= there | {"counted": next(iter(there.values()), "")}
        return found


def of(required: tuple[str, ...], headers: list[str]) -> Layout | None:
    """The layout of a table with these headers that must give these fields; None: it is not known."""
    there = {plain(header) for header in headers}
    for layout in STOCK if "counted" in required else PRODUCTS:
        if all(any(plain(name) in there for name in names) for names in layout.marks):
            return layout
    return None


def shaped(part: readers.Part, layout: Layout | None) -> tuple[readers.Part, list[str]]:
    """The part as `ingest.tables` reads it, and the places whose stock it adds up."""
    if layout is None:
        return part, []
    cells = part.frame.with_columns(parse.text(part.frame[name]) for name in part.frame.columns if name != "line")
    frame = layout.shape(cells)
    if "places" not in frame.columns:
        return replace(part, frame=frame), []
    places = frame["places"].explode().drop_nulls().unique(maintain_order=True).to_list()
    return replace(part, frame=frame.drop("places")), places


def _named(cells: pl.DataFrame) -> pl.DataFrame:
    """Titles and names of options on every row of a handle, and an SKU from the name if it has none."""
    first_only = [name for name in FIRST_ONLY if name in cells.columns]
    cells = cells.with_columns(pl.col(name).drop_nulls().first().over("product_code") for name in first_only)
    absent = [f"option{n}_{word}" for n in OPTIONS for word in ("name", "value")]
    cells = cells.with_columns(pl.lit(None, pl.String).alias(name) for name in absent if name not in cells.columns)
    real = [pl.when(pl.col(f"option{n}_value") != "Default Title").then(pl.col(f"option{n}_value")) for n in OPTIONS]
    values = pl.concat_str(real, separator=" / ", ignore_nulls=True)
    name = pl.when(values != "").then(pl.concat_str("product_name", values, separator=" - ")).otherwise("product_name")
    named = cells.with_columns(line_name=name)
    return named.with_columns(sku=pl.coalesce("sku", name_sku(named["line_name"])))


def _options(cells: pl.DataFrame) -> pl.Series:
    """The options of each row as a JSON object; null: it has none."""
    pairs = [(f"option{n}_name", f"option{n}_value") for n in OPTIONS]
    texts = []
    for row in cells.select(name for pair in pairs for name in pair).iter_rows(named=True):
        given = [{"name": row[name], "option": row[value]} for name, value in pairs if row[value] != "Default Title"]
        texts.append(as_json(given))
    return pl.Series("options", texts, dtype=pl.String)


def as_json(pairs: list[dict[str, str | None]] | None) -> str | None:
    """Options as the shop keeps them, names in small letters.

    >>> as_json([{"name": "Color", "option": "Roja"}, {"name": None, "option": "M"}])
    '{"color": "Roja"}'
    """
    given = {one["name"].lower(): one["option"] for one in pairs or [] if one["name"] and one["option"]}
    return json.dumps(given, ensure_ascii=False) if given else None


def bare_text(texts: pl.Series) -> pl.Series:
    """HTML as plain text.

    >>> bare_text(pl.Series(["<p>Lino &amp; seda</p>", None])).to_list()
    ['Lino & seda', None]
    """
    bare = texts.str.replace_all(r"<[^>]*>", " ").str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.Series(texts.name, [text and html.unescape(text) for text in bare], dtype=pl.String)


def shopify_products(cells: pl.DataFrame) -> pl.DataFrame:
    """Rows of one handle are variants or further pictures; the text stands on the first. Pictures are left."""
    cells = _named(cells)
    variant = pl.any_horizontal(
        pl.col(name).is_not_null() for name in ("option1_value", "price", "given_sku") if name in cells.columns
    )
    first = pl.col("line") == pl.col("line").min().over("product_code")
    cells = cells.filter(variant | first)
    cells = cells.with_columns(_options(cells))
    if "status" in cells.columns:
        shown = {"draft": "inactive", "archived": "discontinued", "unlisted": "inactive"}
        cells = cells.with_columns(pl.col("status").str.to_lowercase().replace(shown))
    if "description" in cells.columns:
        cells = cells.with_columns(bare_text(cells["description"]))
    return cells.select(name for name in cells.columns if name in TAKEN)


def shopify_stock(cells: pl.DataFrame) -> pl.DataFrame:
    """One row per SKU: what all places hold together. `not stocked` is no count."""
    cells = _named(cells)
    places = [name for name in cells.columns if name.startswith(PLACE)]
    if places:
        cells = cells.drop("counted").unpivot(
            places, index=["sku", "line"], variable_name="place", value_name="counted"
        )
        cells = cells.with_columns(place=pl.col("place").str.strip_prefix(PLACE))
    elif "place" not in cells.columns:
        cells = cells.with_columns(place=pl.lit(None, pl.String))
    cells = cells.filter(pl.col("counted").is_not_null() & (pl.col("counted").str.to_lowercase() != "not stocked"))
    number = pl.col("counted").str.contains(r"^-?\d{1,9}(\.0+)?$")
    bad = pl.col("counted").filter(~number).first()
    units = pl.col("counted").filter(number).cast(pl.Float64).cast(pl.Int64).sum().cast(pl.String)
    return cells.group_by("sku", maintain_order=True).agg(
        pl.col("line").first(),
        pl.col("place").drop_nulls().unique(maintain_order=True).alias("places"),
        counted=pl.coalesce(bad, units),
    )


FIRST_ONLY = ("product_name", "category", "brand", "description", "status", "option1_name", "option2_name",
              "option3_name")  # fmt: skip
TAKEN = ("line", "sku", "product_code", "product_name", "category", "brand", "description", "price", "cost", "status",
         "image_url", "options")  # fmt: skip
NAMES = {f"option{n}_{word.lower()}": (f"Option{n} {word}",) for n in OPTIONS for word in ("Name", "Value")}
HANDLE, TITLE = ("Handle", "URL handle"), ("Title",)
PRODUCTS = (
    Layout(
        "shopify products",
        (HANDLE, TITLE, ("Variant SKU", "SKU"), ("Option1 Name", "Variant Price", "Price")),
        {
            "product_code": HANDLE,
            "product_name": TITLE,
            "sku": ("Variant SKU", "SKU"),
            "given_sku": ("Variant SKU", "SKU"),
            "description": ("Body (HTML)", "Description"),
            "brand": ("Vendor",),
            "category": ("Type", "Product Category"),
            "price": ("Variant Price", "Price"),
            "cost": ("Cost per item",),
            "status": ("Status",),
            "image_url": ("Image Src", "Product image URL"),
            **NAMES,
        },
        shopify_products,
    ),
)
STOCK_COLUMNS = {"product_code": HANDLE, "product_name": TITLE, "sku": ("SKU", "Variant SKU"), **NAMES}
STOCK = (
    Layout(
        "shopify stock",
        (HANDLE, TITLE, ("SKU", "Variant SKU"),
         ("On hand (current)", "On hand", "Variant Inventory Qty", "Inventory quantity")),
        # Never "On hand (new)": that column is what somebody wants to set.
        {**STOCK_COLUMNS, "place": ("Location",),
         "counted": ("On hand (current)", "On hand", "Variant Inventory Qty", "Inventory quantity")},
        shopify_stock,
    ),
    Layout("shopify stock, a column per place", (HANDLE, TITLE, ("SKU",), ("HS Code", "COO")), STOCK_COLUMNS,
           shopify_stock, places=True),
)  # fmt: skip
