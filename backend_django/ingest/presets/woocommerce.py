"""WooCommerce: what its REST interface (v3) answers, kept as JSON files: orders, refunds, customers.

A line's `total` is without tax, always; where the shop's prices hold it, its tax is added here. Refunds name lines. An
account may order under another e-mail than its own, and a person with an account as a guest: both are one customer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from ingest import documents, whole_orders
from ingest.errors import BadFile
from ingest.presets.base import Preset, Shaped
from ingest.readers import Part

KINDS = {
    "orders": ("line_items", "billing"),
    "refunds": ("line_items", "amount"),
    "products": ("regular_price",),
    "customers": ("email", "is_paying_customer"),
}
TEXT = pl.String
LINE = pl.Struct(
    dict.fromkeys(
        ("id", "name", "parent_name", "product_id", "variation_id", "quantity", "sku", "subtotal", "subtotal_tax",
         "total", "total_tax"),
        TEXT,
    )
)  # fmt: skip
FEE = pl.Struct({"total": TEXT, "total_tax": TEXT})
ORDER = pl.Struct(
    {
        **dict.fromkeys(
            ("id", "number", "status", "currency", "date_created", "date_created_gmt", "date_modified_gmt",
             "prices_include_tax", "shipping_total", "shipping_tax", "total", "total_tax", "customer_id",
             "created_via"),
            TEXT,
        ),
        "billing": pl.Struct({"email": TEXT, "country": TEXT, "phone": TEXT}),
        "shipping": pl.Struct({"country": TEXT}),
        "line_items": pl.List(LINE),
        "fee_lines": pl.List(FEE),
        "refunds": pl.List(pl.Struct({"id": TEXT, "total": TEXT})),
    }
)  # fmt: skip
CANCELLED, UNPAID = ("cancelled", "trash"), ("pending", "failed", "on-hold", "checkout-draft", "auto-draft", "draft")
PAID = ("processing", "completed", "refunded")
AMOUNTS = ("shipping", "tax", "total", "fees", "fee_discount", "refunded")
TEXTS = ("woo_status",)
REFUND: dict[str, Any] = dict.fromkeys(
    ("order_id", "refund_id", "at", "amount", "of_line", "product", "name", "sku", "quantity", "net", "with_tax"), TEXT
)


def read(paths: Iterable[Path]) -> list[Part]:
    """One part per file of orders, with the refunds of its orders. Raises BadFile."""
    found = [documents.read(path, KINDS) for path in documents.files_of(paths, (".json", ".ndjson", ".jsonl"))]
    of_kind = {kind: [one for one in found if one and one.kind == kind] for kind in KINDS}
    if not of_kind["orders"]:
        raise BadFile("file.no_orders", path=", ".join(map(str, paths)), found=_counted(of_kind))
    tables = [documents.table(one, ORDER).with_columns(file=pl.lit(n)) for n, one in enumerate(of_kind["orders"])]
    orders = _people(pl.concat(tables), _accounts(of_kind["customers"]))
    modified = pl.col("date_modified_gmt").fill_null("")
    newest = orders.with_columns(modified=modified).sort("modified", "file").group_by("id").agg(pl.col("file").last())
    refunds = _refund_lines(of_kind["refunds"])
    heads = _heads(orders, refunds)
    lines = pl.concat(
        [_lines(heads), _returns(heads.join(newest, on=["id", "file"], how="semi"), refunds)], how="diagonal"
    )
    return [
        Part(one.label, lines.filter(pl.col("file") == n).drop("file").sort("line", maintain_order=True))
        for n, one in enumerate(of_kind["orders"])
    ]


def _counted(of_kind: dict[str, list[documents.Document]]) -> str:
    return ", ".join(f"{len(found)} × {kind}" for kind, found in of_kind.items() if found) or "nothing"


def _accounts(found: list[documents.Document]) -> pl.DataFrame:
    """`customer_id, account`: the e-mail of each account."""
    fields = pl.Struct({"id": TEXT, "email": TEXT})
    empty = pl.DataFrame(schema={"customer_id": TEXT, "account": TEXT})
    tables = [documents.table(one, fields).select(customer_id="id", account=_email("email")) for one in found]
    return pl.concat([empty, *tables]).drop_nulls().unique("customer_id", keep="last")


def _email(column: str | pl.Expr) -> pl.Expr:
    text = (pl.col(column) if isinstance(column, str) else column).str.strip_chars().str.to_lowercase()
    return pl.when(text != "").then(text)


def _people(orders: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Add `person`: an account's own e-mail, else the first that it ordered under; a guest's; else the account."""
    account = pl.when(pl.col("customer_id").is_in(["0", ""]).not_()).then(pl.col("customer_id"))
    orders = orders.with_columns(customer_id=account, billed=_email(pl.col("billing").struct.field("email")))
    under = orders.drop_nulls(["customer_id", "billed"]).sort("date_created_gmt")
    under = under.group_by("customer_id", maintain_order=True).agg(first=pl.col("billed").first())
    orders = orders.join(accounts, on="customer_id", how="left", maintain_order="left")
    orders = orders.join(under, on="customer_id", how="left", maintain_order="left")
    nameless = pl.concat_str(pl.lit("account:"), pl.col("customer_id"))
    return orders.with_columns(person=pl.coalesce("account", "first", "billed", nameless))


def number(text: str | pl.Expr) -> pl.Expr:
    """Text as a number; null: it is none."""
    return (pl.col(text) if isinstance(text, str) else text).cast(pl.Float64, strict=False)


def written(value: pl.Expr, decimals: int = 8) -> pl.Expr:
    """A number as the text of a table's cell."""
    return value.round(decimals).cast(pl.Decimal(38, decimals), strict=False).cast(TEXT)


def _heads(orders: pl.DataFrame, refunds: pl.DataFrame) -> pl.DataFrame:
    """The orders with the fields that all their rows share."""
    held = pl.col("prices_include_tax").str.to_lowercase() == "true"
    fee = pl.element().struct.field("total").cast(pl.Float64, strict=False).fill_null(0)
    taxed = fee + pl.element().struct.field("total_tax").cast(pl.Float64, strict=False).fill_null(0)
    fees = pl.when(held).then(pl.col("fee_lines").list.eval(taxed)).otherwise(pl.col("fee_lines").list.eval(fee))
    told = pl.col("refunds").list.eval(pl.element().struct.field("total").cast(pl.Float64, strict=False).abs())
    amounts = refunds.unique("refund_id").group_by(id="order_id").agg(amount=number("amount").sum())
    heads = orders.join(amounts, on="id", how="left", maintain_order="left").with_columns(
        held=held.fill_null(value=False), fee=fees
    )
    shipping = pl.when(held).then(number("shipping_total") + number("shipping_tax").fill_null(0))
    refunded = pl.max_horizontal(told.list.sum().fill_null(0), pl.col("amount").fill_null(0))
    whole = (pl.col("status") == "refunded") & (refunded == 0)
    gmt = pl.when(pl.col("date_created_gmt").str.len_chars() > 0).then(pl.concat_str("date_created_gmt", pl.lit("Z")))
    return heads.select(
        "id", "line", "file", "held", "currency", "line_items", "total",
        order_number=pl.coalesce(pl.when(pl.col("number") != "").then(pl.col("number")), "id"),
        placed_at=pl.coalesce(gmt, "date_created"),
        woo_status=pl.col("status").str.strip_prefix("wc-"),
        modified="date_modified_gmt",
        customer_id="person",
        email=pl.coalesce("account", "billed"),
        country=pl.coalesce(
            *(pl.when(field != "").then(field) for field in
              (pl.col(name).struct.field("country") for name in ("shipping", "billing")))
        ),
        channel=pl.when(pl.col("created_via").str.contains("(?i)pos|point")).then(pl.lit("store")).otherwise(pl.lit("web")),
        shipping=pl.coalesce(written(shipping.otherwise(number("shipping_total"))), "shipping_total"),
        tax=pl.when(held).then(pl.lit("0")).otherwise("total_tax"),
        fees=written(pl.col("fee").list.eval(pl.element().clip(lower_bound=0)).list.sum().fill_null(0)),
        fee_discount=written(pl.col("fee").list.eval(-pl.element().clip(upper_bound=0)).list.sum().fill_null(0)),
        refunded=pl.when(whole).then("total").otherwise(written(refunded)),
    )  # fmt: skip


def _lines(heads: pl.DataFrame) -> pl.DataFrame:
    """One row per line, its price and discount with the tax where the shop's prices hold it."""
    rows = heads.explode("line_items", empty_as_null=True)
    rows = rows.with_columns(
        pl.col("line_items").struct.field(field.name).alias(f"item_{field.name}") for field in LINE.fields
    ).drop("line_items", "id")
    tax = {
        name: pl.when("held").then(number(f"item_{name}_tax").fill_null(0)).otherwise(0)
        for name in ("subtotal", "total")
    }
    paid = number("item_total") + tax["total"]
    full = pl.max_horizontal(number("item_subtotal") + tax["subtotal"], paid)
    units = number("item_quantity")
    price = pl.when(units == 0).then(pl.lit("0")).otherwise(pl.coalesce(written(full / units.abs()), "item_total"))
    first = pl.int_range(pl.len()).over("order_number", "file") == 0
    alone = ("total", "shipping", "tax", "fees", "fee_discount", "refunded")
    return rows.with_columns(pl.when(first).then(name).alias(name) for name in alone).select(
        "line", "file", "order_number", "placed_at", "woo_status", "modified", "customer_id", "email", "country",
        "channel", "currency", *alone,
        sku=sku_of(pl.col("item_sku"), pl.col("item_product_id"), pl.col("item_variation_id")),
        units="item_quantity",
        unit_price=price,
        discount=written(full - paid, 2),
        product_name=pl.coalesce(pl.when(pl.col("item_parent_name") != "").then("item_parent_name"), "item_name"),
        product_code=code_of(pl.col("item_product_id")),
        line_id="item_id",
        entry=pl.lit("sale"),
    )  # fmt: skip


def sku_of(sku: pl.Expr, product: pl.Expr, variation: pl.Expr) -> pl.Expr:
    """The SKU; without one, the number of the variation or product. Null: the product is no more, its name says it."""
    ids = [pl.when(~field.is_in(["0", ""])).then(field) for field in (variation, product)]
    return pl.coalesce(pl.when(sku.str.strip_chars() != "").then(sku), pl.concat_str(pl.lit("id:"), pl.coalesce(ids)))


def code_of(product: pl.Expr) -> pl.Expr:
    """What the variations of one product share."""
    return pl.when(~product.is_in(["0", ""])).then(pl.concat_str(pl.lit("id:"), product))


def _refund_lines(found: list[documents.Document]) -> pl.DataFrame:
    """One row per refunded line: `REFUND`; a refund without lines has one row of nulls.

    Read record by record: their `meta_data` holds the line's number among values of any shape.
    """
    rows: list[dict[str, Any]] = []
    for document in found:
        for refund in documents.records(document):
            order = refund.get("parent_id") or refund.get("order_id") or _of_folder(document.path)
            if order is None:
                raise BadFile("file.refund_of_what", path=str(document.path), refund=refund.get("id"))
            head = {
                "order_id": order, "refund_id": refund.get("id"), "amount": refund.get("amount"),
                "at": refund.get("date_created_gmt") or refund.get("date_created"),
            }  # fmt: skip
            lines = refund.get("line_items")
            for line in lines if isinstance(lines, list) and lines else [{}]:
                rows.append(head | (_refund_line(line) if isinstance(line, dict) else {}))
    texts = [{name: None if row.get(name) is None else str(row[name]) for name in REFUND} for row in rows]
    return pl.DataFrame(texts, schema=REFUND).unique(maintain_order=True)


def _of_folder(path: Path) -> str | None:
    """The order's number where the refunds lie in a folder named by it: `orders/731/refunds.json`."""
    return next((part.name for part in path.parents if part.name.isdigit()), None)


def _refund_line(line: dict[str, Any]) -> dict[str, Any]:
    meta = line.get("meta_data")
    named = [m.get("value") for m in meta if isinstance(m, dict) and m.get("key") == "_refunded_item_id"] if isinstance(
        meta, list) else []  # fmt: skip
    net, tax = (abs(_plain(line.get(name))) for name in ("total", "total_tax"))
    return {
        "of_line": named[0] if named else None, "product": line.get("variation_id") or line.get("product_id"),
        "name": line.get("name"), "sku": line.get("sku"), "quantity": line.get("quantity"), "net": net,
        "with_tax": net + tax,
    }  # fmt: skip


def _plain(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def _returns(heads: pl.DataFrame, refunds: pl.DataFrame) -> pl.DataFrame:
    """One row per refunded line of the orders at hand."""
    fields = ["line", "file", "held", "order_number", "woo_status", "modified", "customer_id", "currency"]
    rows = heads.select("id", *fields).join(refunds.drop_nulls("net"), left_on="id", right_on="order_id")
    amount = pl.when("held").then("with_tax").otherwise("net")
    units = number("quantity").abs()
    utc = pl.when(pl.col("at").str.len_chars() > 0).then(pl.concat_str("at", pl.lit("Z")))
    return rows.select(
        "line", "file", "order_number", "woo_status", "modified", "customer_id", "currency",
        placed_at=utc,
        sku=pl.coalesce(pl.when(pl.col("sku") != "").then("sku"), pl.concat_str(pl.lit("id:"), "product"), "name"),
        units=pl.coalesce(written(-units, 0), "quantity"),
        unit_price=pl.when(units > 0).then(written(number(amount) / units)).otherwise(pl.lit("0")),
        product_name="name",
        refund_amount=amount,
        return_number=pl.concat_str("order_number", pl.lit("-R"), "refund_id"),
        line_id="of_line",
        entry=pl.lit("return"),
    )  # fmt: skip


def _why() -> pl.Expr:
    """Why a whole order is left out; null: it is not."""
    status = pl.col("woo_status")
    return (
        pl.when(status.is_in(CANCELLED))
        .then(pl.lit("order_cancelled"))
        .when(status.is_in(UNPAID))
        .then(pl.lit("order_unpaid"))
        .when(~status.is_in(PAID))
        .then(pl.lit("order_status"))
    )


def shape(frame: pl.DataFrame) -> Shaped:
    """See `ingest.whole_orders`."""
    frame = whole_orders.whole_or_nothing(frame)
    good = frame.filter(pl.col("reason").is_null())
    lines, backs = good.filter(pl.col("entry") == "sale"), good.filter(pl.col("entry") == "return")
    heads = whole_orders.heads_of(lines, AMOUNTS, TEXTS).with_columns(reason=_why())
    lines = lines.join(heads.select("order_number", why="reason"), on="order_number", how="left").with_columns(
        reason=pl.coalesce("why", pl.when(pl.col("units") == 0).then(pl.lit("no_units")))
    )
    heads = heads.with_columns(
        pl.col("shipping", "fees").fill_null(0),
        tax_on_top=pl.col("tax").fill_null(0),
        off=pl.min_horizontal(pl.col("fee_discount").fill_null(0), "gross"),
    )
    heads = heads.with_columns(
        charges=pl.col("shipping") + pl.col("tax_on_top"),
        difference=(
            pl.col("total")
            - pl.col("gross")
            + pl.col("off")
            - pl.col("shipping")
            - pl.col("fees")
            - pl.col("tax_on_top")
        ),
    )
    lines = whole_orders.spread(lines, heads, "off")
    lines, told, heads = whole_orders.refunds_of_lines(lines, backs, heads)
    lines, returned, heads = whole_orders.refunds(lines, heads)
    fee = pl.format("order {}: a fee", "order_number")
    added = [
        whole_orders.rows_of(heads, "shipping", "shipping"),
        whole_orders.rows_of(heads, "tax", "tax_on_top"),
        whole_orders.left_out(heads, "fees", pl.lit("order_fee"), fee),
        *whole_orders.left_over(heads),
        returned,
    ]
    rows = pl.concat([lines.drop("why"), told], how="diagonal_relaxed")
    return whole_orders.gathered(frame, rows, added, whole_orders.taken_for_granted(heads))


PRESET = Preset(
    name="woocommerce",
    columns={},
    channel="web",
    extra=dict.fromkeys(("total", "fees", "fee_discount", "refunded", "refund_amount"), "money")
    | dict.fromkeys(("woo_status", "modified", "line_id", "return_number", "entry"), "text"),
    of_order=(),
    sku_from_name=True,
    shape=shape,
    read=read,
)
