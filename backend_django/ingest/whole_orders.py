"""What a platform says of whole orders, turned into rows: discounts, shipping, tax, refunds, and what is left over.

Lines come in with `cents` (units × price − discount), heads are one row per order with its figures in cents. Every
function works on columns; what is taken for granted is noted, order by order.
"""

from __future__ import annotations

import polars as pl
from django.utils.translation import gettext_noop as _

from ingest import canonical, parse
from ingest.presets.base import Shaped

NOTES = {
    "discount_spread": _("a discount of the whole order, spread over its lines by their money"),
    "refund_whole": _("refunded whole: all its units are taken to have come back"),
    "refund_units": _("refunded what whole units of one line cost: these are taken to have come back"),
    "refund_spread": _("refunded in part: spread over its lines as a discount, no units came back"),
}
"""What was taken for granted of an order, because the file says no more."""
NOTED = {
    "code": pl.String,
    "order_number": pl.String,
    "part": pl.Int16,
    "line": pl.Int64,
    "cents": pl.Int64,
}
WITHDRAWN = {"order_cancelled": "cancelled", "order_test": "cancelled", "order_unpaid": "pending"}
"""Reason for which an order is left out → the status that it then has in the shop, if an earlier file brought it in."""


def cents(column: pl.Expr) -> pl.Expr:
    """Money as whole cents."""
    return (column.cast(parse.EXACT).round(2, "half_to_even") * 100).cast(pl.Int64)


def money(column: pl.Expr, dtype: pl.DataType | type[pl.DataType] = canonical.MONEY) -> pl.Expr:
    """Whole cents as money."""
    return (column.cast(pl.Decimal(38, 4)) / 100).round(4, "half_to_even").cast(dtype, strict=False)


def shares(total: str, weight: str, *, over: str) -> pl.Expr:
    """The cents of `total` (alike in every row of a group) allotted by `weight`; they add up to it.

    >>> table = pl.DataFrame({"order": [1, 1, 1], "off": [100] * 3, "w": [1, 1, 1]})
    >>> table.select(shares("off", "w", over="order")).to_series().to_list()
    [33, 34, 33]
    """
    upto, whole = pl.col(weight).cum_sum().over(over), pl.col(weight).sum().over(over)

    def allotted(part: pl.Expr) -> pl.Expr:
        return (pl.col(total) * part / whole).round(0).fill_nan(0).cast(pl.Int64, strict=False).fill_null(0)

    return allotted(upto) - allotted(upto - pl.col(weight))


def whole_or_nothing(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out the other lines of an order one of whose lines cannot be read."""
    broken = frame.filter(pl.col("reason") == "unreadable")["order_number"].drop_nulls().unique()
    too = pl.col("order_number").is_in(broken.implode()) & pl.col("reason").is_null()
    return frame.with_columns(reason=pl.when(too).then(pl.lit("order_incomplete")).otherwise(pl.col("reason")))


def heads_of(lines: pl.DataFrame, amounts: tuple[str, ...], texts: tuple[str, ...]) -> pl.DataFrame:
    """One row per order: its first row's place, `lines, gross, line_discount`, its `amounts` in cents, its `texts`.

    An amount that the file does not give is null.
    """
    whole = lines.with_columns(pl.col(name).cast(parse.EXACT) for name in amounts)
    return whole.group_by("order_number", maintain_order=True).agg(
        pl.col("row", "part", "line").first(),
        pl.col("placed_at", "customer_id", "currency").drop_nulls().first(),
        *(pl.col(name).cast(pl.String).drop_nulls().first() for name in texts),
        *(cents(pl.col(name).drop_nulls().first()).alias(name) for name in amounts),
        lines=pl.len(),
        gross=pl.col("cents").sum(),
        line_discount=cents(pl.col("discount")).sum(),
    )


def rows_of(heads: pl.DataFrame, entry: str, amount: str) -> pl.DataFrame:
    """One row per order that has this amount, of kind `entry` (shipping or tax)."""
    return heads.filter(pl.col(amount).fill_null(0) != 0).select(
        "row", "part", "line", "order_number", "placed_at", "customer_id", "reason",
        sku=pl.lit(entry),
        units=pl.lit(1, pl.Int64),
        unit_price=money(pl.col(amount), canonical.UNIT_PRICE),
        cents_in=pl.col(amount),
        cents=pl.col(amount),
        entry=pl.lit(entry),
    )  # fmt: skip


def left_out(heads: pl.DataFrame, amount: str, reason: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    """One row per order whose `amount` is not nothing: money that is left out, with its reason and what is wrong."""
    return heads.filter(pl.col(amount).fill_null(0) != 0).select(
        "row", "part", "line", "order_number", "placed_at", "customer_id",
        cents_in=pl.col(amount),
        cents=pl.col(amount),
        reason=pl.coalesce("reason", reason),
        detail=detail,
        entry=pl.lit("sale"),
    )  # fmt: skip


def spread(lines: pl.DataFrame, heads: pl.DataFrame, amount: str) -> pl.DataFrame:
    """Take each order's `amount` off its lines as a discount, by their money."""
    lines = lines.join(heads.select("order_number", off=pl.col(amount).fill_null(0)), on="order_number", how="left")
    off = pl.when(pl.col("off") != 0).then(shares("off", "weight", over="order_number")).otherwise(0)
    lines = lines.with_columns(weight=pl.col("cents").clip(lower_bound=0)).with_columns(off=off)
    return lines.with_columns(
        pl.col("cents", "cents_in") - pl.col("off"),
        discount=(pl.col("discount") + money(pl.col("off"))).cast(canonical.MONEY),
    ).drop("off", "weight")


def came_back(lines: pl.DataFrame, units: str, amount: str) -> pl.DataFrame:
    """One return per line that has `units` that came back, with `amount` in cents."""
    return lines.filter(pl.col(units).fill_null(0) > 0).select(
        "row", "part", "line", "order_number", "placed_at", "customer_id", "sku", "product_name", "reason",
        units=-pl.col(units),
        unit_price=money(pl.col(amount) / pl.col(units), canonical.UNIT_PRICE),
        cents_in=-pl.col(amount),
        cents=-pl.col(amount),
        entry=pl.lit("return"),
        of_row=pl.col("row"),
    )  # fmt: skip


def refunds(lines: pl.DataFrame, heads: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Allot refunds of which only the order's sum is known: the lines, the returns, and `heads` with `how` and `rest`.

    `heads` has `refunded`, `charges` (shipping and tax as stored) and `tax_on_top` in cents. Refunded whole: all units
    came back. As much as whole units of one line cost: these came back. Else it is a discount on the lines: nobody
    knows what came back. `rest` is what was refunded beyond the lines.
    """
    sums = lines.group_by("order_number").agg(goods=pl.col("cents").sum())
    heads = heads.join(sums, on="order_number", how="left", maintain_order="left")
    back, goods = pl.col("refunded").fill_null(0), pl.col("goods")
    # Where tax comes on top, a refund holds its share of it.
    net = (back * goods / (goods + pl.col("tax_on_top"))).round(0).fill_nan(0).cast(pl.Int64, strict=False).fill_null(0)
    heads = heads.with_columns(net=pl.when(back >= goods + pl.col("charges")).then(goods).otherwise(net))
    heads = heads.with_columns(net=pl.min_horizontal("net", "goods"))
    lines = lines.join(heads.select("order_number", "net", "goods"), on="order_number", how="left")
    each = pl.col("net") * pl.col("units") / pl.col("cents")
    fits = (pl.col("cents") > 0) & (pl.col("net") > 0) & (pl.col("net") <= pl.col("cents")) & (each % 1 == 0)
    lines = lines.with_columns(fits=fits.fill_null(value=False))
    lines = lines.with_columns(fits=pl.col("fits") & (pl.col("fits").sum().over("order_number") == 1))
    one = lines.filter("fits")["order_number"].implode()
    how = (
        pl.when(back <= 0)
        .then(None)
        .when(pl.col("net") == goods)
        .then(pl.lit("refund_whole"))
        .when(pl.col("order_number").is_in(one))
        .then(pl.lit("refund_units"))
        .otherwise(pl.lit("refund_spread"))
    )
    heads = heads.with_columns(how=how, rest=-(back - pl.col("net")), net=pl.col("net"))
    lines = lines.join(heads.select("order_number", "how"), on="order_number", how="left").with_columns(
        back_units=pl.when(pl.col("how") == "refund_whole")
        .then(pl.col("units"))
        .when((pl.col("how") == "refund_units") & pl.col("fits"))
        .then(each.round(0).cast(pl.Int64, strict=False)),
        back_cents=pl.when(pl.col("how") == "refund_whole").then(pl.col("cents")).otherwise(pl.col("net")),
    )
    returned = came_back(lines, "back_units", "back_cents")
    off = heads.select("order_number", net=pl.when(pl.col("how") == "refund_spread").then(pl.col("net")))
    return spread(lines.drop("net", "goods", "fits", "how", "back_units", "back_cents"), off, "net"), returned, heads


def refunds_of_lines(
    lines: pl.DataFrame, backs: pl.DataFrame, heads: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Put refunds that name their lines beside them: the lines, the returns with `of_row`, and the heads.

    `backs` are rows with `line_id` and `refund_amount`; one whose line is not there is matched like any return. One
    without units is a discount on its line. What `heads.refunded` has beyond them is `rest_told`; an order that has
    none of them keeps its `refunded`.
    """
    told = _beside_their_lines(backs, lines)
    only_money = (pl.col("units") == 0) & pl.col("of_row").is_not_null()
    cheaper = told.filter(only_money).group_by(row="of_row").agg(less=pl.col("amount").sum(), had=pl.col("had").first())
    cheaper = cheaper.select("row", less=pl.min_horizontal("less", "had"))
    lines = lines.join(cheaper, on="row", how="left", maintain_order="left").with_columns(pl.col("less").fill_null(0))
    sums = pl.concat(
        [
            told.filter(~only_money).select("order_number", "amount"),
            lines.select("order_number", amount="less").filter(pl.col("amount") > 0),
        ]
    )
    sums = sums.group_by("order_number").agg(named=pl.col("amount").sum())
    heads = heads.join(sums, on="order_number", how="left", maintain_order="left").with_columns(
        rest_told=pl.when(pl.col("named").is_not_null()).then(pl.col("named") - pl.col("refunded").fill_null(0)),
        refunded=pl.when(pl.col("named").is_null()).then(pl.col("refunded")),
    )
    lines = lines.with_columns(
        pl.col("cents", "cents_in") - pl.col("less"),
        discount=(pl.col("discount") + money(pl.col("less"))).cast(canonical.MONEY),
    )
    booked = pl.when(only_money).then(0).otherwise(-pl.col("amount"))
    told = told.with_columns(
        reason=pl.when(only_money).then(pl.coalesce("reason", pl.lit("refund_money"))).otherwise(pl.col("reason")),
        cents_in=booked,
        cents=booked,
    )
    return lines.drop("less"), told.select(*backs.columns, "of_row"), heads


def _beside_their_lines(backs: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """`backs` with `of_row`, `had` and SKU of their line: by its number, else by the SKU; and its reason, if any."""
    known = lines.select("order_number", "line_id", of_row="row", of_sku="sku", why="reason", had="cents")
    by_id = backs.join(known.drop_nulls("line_id"), on=["order_number", "line_id"], how="left", maintain_order="left")
    first = known.unique(["order_number", "of_sku"], keep="first", maintain_order=True).drop("line_id")
    by_sku = backs.join(first, left_on=["order_number", "sku"], right_on=["order_number", "of_sku"], how="left")
    by_sku = by_sku.select("row", sku_row="of_row", sku_why="why", sku_had="had")
    return by_id.join(by_sku, on="row", how="left", maintain_order="left").with_columns(
        of_row=pl.coalesce("of_row", "sku_row"),
        reason=pl.coalesce("reason", "why", "sku_why"),
        had=pl.coalesce("had", "sku_had"),
        sku=pl.coalesce("of_sku", "sku"),
        amount=cents(pl.col("refund_amount")),
    )


def left_over(heads: pl.DataFrame) -> list[pl.DataFrame]:
    """What of each order's total and of its refunds is no line, shipping or tax."""
    told = pl.format(
        "order {}: its total is {}, its parts add up to {}",
        "order_number",
        money(pl.col("total")),
        money(pl.col("total") - pl.col("difference")),
    )
    beyond = pl.format("order {}: refunded beyond its goods", "order_number")
    rounding = pl.col("difference").abs() <= pl.col("lines")
    why = pl.when(rounding).then(pl.lit("order_rounding")).otherwise(pl.lit("order_total"))
    rests = [name for name in ("rest", "rest_told") if name in heads.columns]
    return [
        left_out(heads, "difference", why, told),
        *(left_out(heads, name, pl.lit("refund_of_charges"), beyond) for name in rests),
    ]


def taken_for_granted(heads: pl.DataFrame) -> list[pl.DataFrame]:
    """The notes on discounts that were spread, and on refunds of which only the sum is known."""
    discounted = pl.when(pl.col("off") > 0).then(pl.lit("discount_spread"))
    return [noted(heads, discounted, "off"), noted(heads, pl.col("how"), "refunded")]


def noted(heads: pl.DataFrame, code: pl.Expr, amount: str) -> pl.DataFrame:
    """The notes of the orders that are brought in and have a code."""
    table = heads.filter(pl.col("reason").is_null()).select(
        "order_number", "part", "line", code=code, cents=pl.col(amount).fill_null(0)
    )
    return table.filter(pl.col("code").is_not_null()).select(pl.col(name).cast(dtype) for name, dtype in NOTED.items())


def gathered(frame: pl.DataFrame, lines: pl.DataFrame, added: list[pl.DataFrame], notes: list[pl.DataFrame]) -> Shaped:
    """The rows that were left out before, the lines, and what was added, in their order."""
    rest = frame.join(lines.select("row"), on="row", how="anti")
    if "of_row" not in lines.columns:
        lines = lines.with_columns(of_row=pl.lit(None, pl.Int64))
    if "entry" not in lines.columns:
        lines = lines.with_columns(entry=pl.lit("sale"))
    more = pl.concat(added, how="diagonal_relaxed").sort("row", maintain_order=True)
    more = more.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64) + frame.height)
    whole = pl.concat([rest, lines, more], how="diagonal_relaxed").sort("row")
    whole = whole.with_columns(pl.col("entry").fill_null("sale"), shipping=pl.lit(None), tax=pl.lit(None))
    return Shaped(whole, pl.concat(notes), more.height)
