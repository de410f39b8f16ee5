"""PrestaShop: what its webservice answers, kept as XML or JSON files: orders, order_details, customers, currencies.

Prices are with tax. What came back is counted on each line; how many units of a line were there when it was sold is
kept for the history of the stock (see `ingest.shelf_history`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from ingest import whole_orders, xml_documents
from ingest.errors import BadFile
from ingest.presets.base import Preset, Shaped
from ingest.presets.woocommerce import number, written
from ingest.readers import Part

KINDS = {
    name: f"{name}s" for name in ("order", "order_detail", "customer", "product", "combination", "stock_available")
} | {"category": "categories", "currency": "currencies"}  # fmt: skip
ORDER = ("id", "line", "current_state", "valid", "id_customer", "id_currency", "date_add", "date_upd",
         "total_paid_tax_incl", "total_shipping_tax_incl", "total_discounts_tax_incl",
         "total_wrapping_tax_incl")  # fmt: skip
DETAIL = ("id", "id_order", "product_id", "product_attribute_id", "product_quantity", "product_quantity_in_stock",
          "product_quantity_return", "product_quantity_refunded", "product_reference", "product_name",
          "unit_price_tax_incl", "total_price_tax_incl", "reduction_percent", "reduction_amount_tax_incl",
          "total_refunded_tax_incl")  # fmt: skip
CANCELLED, REFUNDED, FAILED = "6", "7", "8"
"""States of orders that every shop has under these numbers."""
AMOUNTS = ("shipping", "total", "fees", "order_discount", "refunded")
TEXTS = ("presta_state", "presta_valid")


def table(records: list[tuple[str, xml_documents.Record]], fields: tuple[str, ...]) -> pl.DataFrame:
    """Records as a table of texts, with `file`."""
    schema = dict.fromkeys((*fields, "file"), pl.String)
    rows = [{name: record.get(name) for name in fields} | {"file": label} for label, record in records]
    return pl.DataFrame(rows, schema=schema)


def read(paths: Iterable[Path]) -> list[Part]:
    """One part per file of orders, one row per order_detail. Raises BadFile."""
    found = xml_documents.read(paths, KINDS)
    if not found["orders"] or not found["order_details"]:
        there = ", ".join(f"{len(records)} × {kind}" for kind, records in found.items() if records) or "nothing"
        raise BadFile("file.no_orders", path=", ".join(map(str, paths)), found=there)
    orders = table(found["orders"], ORDER).with_columns(pl.col("line").cast(pl.Int64))
    orders = orders.sort(pl.col("date_upd").fill_null(""), maintain_order=True)
    orders = orders.unique("id", keep="last", maintain_order=True).sort("line")
    details = table(found["order_details"], DETAIL).unique("id", keep="last", maintain_order=True).drop("file")
    emails = table(found["customers"], ("id", "email")).select(
        id_customer="id", email=pl.col("email").str.to_lowercase()
    )
    money = table(found["currencies"], ("id", "iso_code")).select(id_currency="id", currency="iso_code")
    references = sku_table(found)
    rows = orders.join(emails.unique("id_customer"), on="id_customer", how="left", maintain_order="left")
    rows = rows.join(money.unique("id_currency"), on="id_currency", how="left", maintain_order="left")
    details = details.rename({"id": "line_id", "id_order": "id"})
    rows = rows.join(details, on="id", how="left", maintain_order="left")
    rows = rows.join(references, on=["product_id", "product_attribute_id"], how="left", maintain_order="left")
    cells = _cells(rows)
    return [
        Part(label, cells.filter(pl.col("file") == label).drop("file"))
        for label in cells["file"].unique(maintain_order=True)
    ]


def sku_table(found: dict[str, list[tuple[str, xml_documents.Record]]]) -> pl.DataFrame:
    """`product_id, product_attribute_id, reference` of products and combinations."""
    products = table(found["products"], ("id", "reference")).select(
        product_id="id", product_attribute_id=pl.lit("0"), reference="reference"
    )
    combinations = table(found["combinations"], ("id", "id_product", "reference")).select(
        product_id="id_product", product_attribute_id="id", reference="reference"
    )
    both = pl.concat([products, combinations])
    return both.unique(["product_id", "product_attribute_id"], keep="last", maintain_order=True)


def sku_of(*references: str) -> pl.Expr:
    """The first reference that there is; else the numbers of product and combination."""
    numbers = pl.concat_str(pl.lit("id:"), "product_id", pl.lit("-"), pl.col("product_attribute_id").fill_null("0"))
    return pl.coalesce(*(pl.when(pl.col(name) != "").then(name) for name in references), numbers)


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    paid, units = number("unit_price_tax_incl"), number("product_quantity")
    share = (number("reduction_percent").fill_null(0) / 100).clip(0, 0.9999)
    full = paid / (1 - share) + number("reduction_amount_tax_incl").fill_null(0)
    discount = (full - paid) * units
    first = pl.int_range(pl.len()).over("id") == 0
    back = pl.max_horizontal(number("product_quantity_refunded"), number("product_quantity_return")).fill_null(0)
    name = pl.col("product_name")
    options = pl.col("product_attribute_id").fill_null("0") != "0"
    bare = pl.coalesce(pl.when(options).then(name.str.extract(r"^(.*?) - [^-]+ : .*$", 1)), name)
    heads = {
        "total": "total_paid_tax_incl", "shipping": "total_shipping_tax_incl", "fees": "total_wrapping_tax_incl",
        "order_discount": "total_discounts_tax_incl",
    }  # fmt: skip
    return rows.with_columns(pl.when(first).then(old).alias(new) for new, old in heads.items()).select(
        "file", "line", "line_id", *heads, "email", "currency",
        order_number="id",
        placed_at="date_add",
        presta_state="current_state",
        presta_valid="valid",
        customer_id=pl.coalesce(
            "email",
            pl.when(~pl.col("id_customer").is_in(["0", ""])).then(pl.concat_str(pl.lit("id:"), "id_customer")),
        ),
        sku=pl.when(pl.col("product_id").is_not_null()).then(sku_of("product_reference", "reference")),
        units="product_quantity",
        unit_price=pl.coalesce(written(full), "unit_price_tax_incl"),
        discount=written(pl.when(discount > 0).then(discount), 2),
        product_name=bare,
        product_code=pl.concat_str(pl.lit("id:"), "product_id"),
        back_units=written(pl.min_horizontal(back, units), 0),
        back_amount="total_refunded_tax_incl",
        in_stock="product_quantity_in_stock",
    )  # fmt: skip


def _why() -> pl.Expr:
    """Why a whole order is left out; null: it is not. `valid` says whether its state counts as paid."""
    state, valid = pl.col("presta_state"), pl.col("presta_valid")
    return (
        pl.when(state == CANCELLED)
        .then(pl.lit("order_cancelled"))
        .when(state == REFUNDED)
        .then(None)
        .when((state == FAILED) | (valid == "0"))
        .then(pl.lit("order_unpaid"))
        .when(valid != "1")
        .then(pl.lit("order_status"))
    )


def shape(frame: pl.DataFrame) -> Shaped:
    """See `ingest.whole_orders`."""
    frame = whole_orders.whole_or_nothing(frame)
    lines = frame.filter(pl.col("reason").is_null()).with_columns(refunded=pl.lit(None, pl.Float64))
    heads = whole_orders.heads_of(lines, AMOUNTS, TEXTS).with_columns(reason=_why())
    lines = lines.drop("refunded").join(heads.select("order_number", why="reason"), on="order_number", how="left")
    lines = lines.with_columns(
        reason=pl.coalesce("why", pl.when(pl.col("units") == 0).then(pl.lit("no_units"))),
        back_units=pl.col("back_units").cast(pl.Float64).cast(pl.Int64),
    )
    heads = heads.with_columns(
        pl.col("shipping", "fees").fill_null(0),
        tax_on_top=pl.lit(0, pl.Int64),
        off=pl.min_horizontal(pl.col("order_discount").fill_null(0), "gross"),
    ).with_columns(charges=pl.col("shipping"))
    parts = pl.col("gross") - pl.col("off") + pl.col("shipping") + pl.col("fees")
    heads = heads.with_columns(difference=pl.col("total") - parts)
    lines = whole_orders.spread(lines, heads, "off")
    given = whole_orders.cents(pl.col("back_amount"))
    lines = lines.with_columns(
        back_cents=pl.when(given > 0)
        .then(given)
        .otherwise((pl.col("cents") * pl.col("back_units") / pl.col("units")).round(0).cast(pl.Int64, strict=False))
    )
    told = whole_orders.came_back(lines, "back_units", "back_cents")
    some = told["order_number"].unique().implode()
    whole = (pl.col("presta_state") == REFUNDED) & ~pl.col("order_number").is_in(some)
    heads = heads.with_columns(refunded=pl.when(whole).then("total"))
    lines = lines.drop("why", "back_units", "back_cents", "back_amount")
    lines, returned, heads = whole_orders.refunds(lines, heads)
    wrapping = pl.format("order {}: a fee", "order_number")
    added = [
        whole_orders.rows_of(heads, "shipping", "shipping"),
        whole_orders.left_out(heads, "fees", pl.lit("order_fee"), wrapping),
        *whole_orders.left_over(heads),
        told,
        returned,
    ]
    frame = frame.drop("back_units", "back_amount")
    return whole_orders.gathered(frame, lines, added, whole_orders.taken_for_granted(heads))


PRESET = Preset(
    name="prestashop",
    columns={},
    channel="web",
    extra=dict.fromkeys(("total", "fees", "order_discount", "back_units", "back_amount", "in_stock"), "money")
    | dict.fromkeys(("presta_state", "presta_valid", "line_id"), "text"),
    levels_cut_off=True,
    shape=shape,
    read=read,
)
