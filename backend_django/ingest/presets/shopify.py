"""Shopify's export of orders, old and new layouts: one row per line, the order's own fields on its first row only.

It has no customers' numbers, says of refunds only what the whole order got back, and gives an order's discount both on
lines and as a sum. Whether tax is in the prices, follows from Subtotal, Shipping, Taxes and Total of each order.
"""

from __future__ import annotations

import polars as pl

from ingest import whole_orders
from ingest.presets.base import Preset, Shaped

UNPAID = ("pending", "voided", "expired", "unpaid")
"""Values of Financial Status of orders that nobody has paid; voided: the payment was called off."""
AMOUNTS = ("subtotal", "shipping", "tax", "duties", "total", "order_discount", "refunded")
TEXTS = ("financial_status", "cancelled_at", "payment_method", "tags")


def shape(frame: pl.DataFrame) -> Shaped:
    """See `ingest.whole_orders`."""
    frame = whole_orders.whole_or_nothing(_named(frame))
    lines = frame.filter(pl.col("reason").is_null())
    heads = whole_orders.heads_of(lines, AMOUNTS, TEXTS).with_columns(reason=_why())
    goods = pl.col("requires_shipping").cast(pl.String).str.to_lowercase().is_in(["false", "no", "0"]).not_()
    lines = lines.join(heads.select("order_number", why="reason"), on="order_number", how="left").with_columns(
        reason=pl.coalesce(
            "why",
            pl.when(pl.col("units") == 0).then(pl.lit("no_units")),
            pl.when(~goods).then(pl.lit("not_a_product")),
        )
    )
    heads = _settled(heads)
    lines = whole_orders.spread(lines, heads, "off")
    lines, returned, heads = whole_orders.refunds(lines, heads)
    added = [
        whole_orders.rows_of(heads, "shipping", "shipping_kept"),
        whole_orders.rows_of(heads, "tax", "tax_on_top"),
        *whole_orders.left_over(heads),
        returned,
    ]
    return whole_orders.gathered(frame, lines.drop("why"), added, whole_orders.taken_for_granted(heads))


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """The customer by e-mail, else telephone, else name and postcode; a shop's own till is its store."""
    text = {name: pl.col(name).cast(pl.String) for name in ("phone", "billing_name", "billing_zip", "channel")}
    phone = text["phone"].str.replace_all(r"[^\d+]", "")
    postcode = text["billing_zip"].str.replace_all(r"^'|\s", "").str.to_uppercase()
    person = pl.concat_str(text["billing_name"].str.to_lowercase(), postcode, separator=" ")
    channel = text["channel"].str.to_lowercase().str.slice(0, 40)
    return frame.with_columns(
        customer_id=pl.coalesce(
            "customer_id",
            pl.when(phone.str.len_chars() >= 6).then(pl.concat_str(pl.lit("tel:"), phone)),
            pl.concat_str(pl.lit("name:"), person.str.slice(0, 110)),
        ),
        country=pl.coalesce("country", pl.col("billing_country").cast(pl.String)),
        channel=pl.when(channel == "pos").then(pl.lit("store")).otherwise(channel),
    )


def _why() -> pl.Expr:
    """Why a whole order is left out; null: it is not."""
    test = pl.col("payment_method").str.contains(r"(?i)bogus|for testing") | pl.col("tags").str.contains(
        r"(?i)(?:^|,\s*)test(?:\s*,|$)"
    )
    return (
        pl.when(test)
        .then(pl.lit("order_test"))
        .when(pl.col("cancelled_at").is_not_null())
        .then(pl.lit("order_cancelled"))
        .when(pl.col("financial_status").str.to_lowercase().is_in(UNPAID))
        .then(pl.lit("order_unpaid"))
    )


def _settled(heads: pl.DataFrame) -> pl.DataFrame:
    """Add `off` (the order's discount that its lines do not have), `shipping_kept, tax_on_top, charges, difference`.

    Four readings of an order are tried: tax in the prices or on top of them, and a discount on the shipping or none.
    The one that gives its total is right. Where none does, that which most orders of the file have is taken.
    """
    unsaid = pl.col("order_discount").fill_null(0) - pl.col("line_discount")
    above = pl.col("gross") - pl.col("subtotal")
    off = pl.when((above > 0) & (above <= unsaid + pl.col("lines"))).then(above).otherwise(0).fill_null(0)
    heads = heads.with_columns(pl.col("shipping", "tax", "duties").fill_null(0), off=off)
    less = (unsaid - pl.col("off")).clip(lower_bound=0)
    freight = {0: pl.col("shipping"), 1: (pl.col("shipping") - less).clip(lower_bound=0)}
    goods = pl.col("gross") - pl.col("off")
    readings = [(tax, free) for free in (0, 1) for tax in (0, 1)]
    misses = [
        pl.col("total") - (goods + freight[free] + pl.col("duties") + tax * pl.col("tax")) for tax, free in readings
    ]
    heads = heads.with_columns(pl.concat_list(misses).alias("misses"))
    best = pl.col("misses").list.eval(pl.element().abs()).list.arg_min()
    heads = heads.with_columns(best=best, least=pl.col("misses").list.eval(pl.element().abs()).list.min())
    clear = heads.filter((pl.col("least") <= pl.col("lines")) & (pl.col("tax") != 0))
    usual = clear["best"].mode().sort().first() if clear.height else 0
    reading = pl.when(pl.col("least") <= pl.col("lines")).then(pl.col("best")).otherwise(usual).fill_null(usual)
    heads = heads.with_columns(best=reading.cast(pl.Int64))
    on_top, free = pl.col("best") % 2 == 1, pl.col("best") >= 2
    kept = pl.when(free).then(freight[1]).otherwise(freight[0])
    heads = heads.with_columns(
        shipping_kept=kept,
        tax_on_top=pl.when(on_top).then(pl.col("tax")).otherwise(0) + pl.col("duties"),
        difference=pl.col("misses").list.get(pl.col("best")).fill_null(0),
    )
    return heads.with_columns(charges=pl.col("shipping_kept") + pl.col("tax_on_top"))


PRESET = Preset(
    name="shopify",
    columns={
        "order_number": ("Name",),
        "placed_at": ("Created at",),
        "sku": ("Lineitem sku",),
        "units": ("Lineitem quantity",),
        "unit_price": ("Lineitem price",),
        "product_name": ("Lineitem name",),
        "email": ("Email",),
        "country": ("Shipping Country",),
        "discount": ("Lineitem discount",),
        "shipping": ("Shipping",),
        "tax": ("Taxes",),
        "channel": ("Source",),
        "currency": ("Currency",),
        "subtotal": ("Subtotal",),
        "total": ("Total",),
        "duties": ("Duties",),
        "order_discount": ("Discount Amount",),
        "refunded": ("Refunded Amount",),
        "financial_status": ("Financial Status",),
        "cancelled_at": ("Cancelled at",),
        "requires_shipping": ("Lineitem requires shipping",),
        "payment_method": ("Payment Method",),
        "tags": ("Tags",),
        "phone": ("Phone", "Billing Phone"),
        "billing_name": ("Billing Name",),
        "billing_zip": ("Billing Zip",),
        "billing_country": ("Billing Country",),
    },
    channel="web",
    optional=("product_name", "email", "country", "discount", "shipping", "tax", "channel", "currency"),
    extra=dict.fromkeys(("subtotal", "total", "duties", "order_discount", "refunded"), "money")
    | dict.fromkeys(
        (
            "financial_status", "cancelled_at", "requires_shipping", "payment_method", "tags", "phone",
            "billing_name", "billing_zip", "billing_country",
        ),
        "text",
    ),
    of_order=(
        "placed_at", "email", "country", "channel", "currency", "phone", "billing_name", "billing_zip",
        "billing_country",
    ),
    sku_from_name=True,
    shape=shape,
)  # fmt: skip
