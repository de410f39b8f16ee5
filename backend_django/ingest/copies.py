"""Rows that stand in the files twice because the files overlap, told from rows that an order really holds twice.

Two rules. Between files and sheets: the nth of some alike rows of an order is a copy of the nth in an earlier part.
Within a file whose rows stand order by order: when an order turns up again further down, whole and alike, two exports
were joined there, and the second is a copy.
"""

from __future__ import annotations

import polars as pl

SAME = ["order_number", "sku", "units", "placed_at", "unit_price", "discount", "customer_id", "country", "product_name"]
"""Rows with these alike are alike."""
SCATTERED = 0.1
"""More orders than this share in several places, and the file does not stand order by order."""


def mark(frame: pl.DataFrame) -> pl.DataFrame:
    """Give copies the reason `copy`; add `nth`, which numbers the alike rows that a part keeps 0, 1, …"""
    frame = _reason(frame, _joined_exports(frame))
    # Few rows share order and SKU: only they can be alike, and only they are compared in full.
    alike = frame.filter(pl.col("reason").is_null() & frame.select("part", "order_number", "sku").is_duplicated())
    nth = alike.select("row", nth=pl.int_range(pl.len(), dtype=pl.Int32).over("part", *SAME))
    frame = frame.with_columns(beside(frame, nth, "nth").fill_null(0))
    pairs = frame.filter(_fresh("part")).select("part", "order_number").unique()
    shared = pairs.group_by("order_number").len().filter(pl.col("len") > 1)
    if shared.is_empty():
        return frame
    twice = frame.filter(pl.col("reason").is_null()).select("row", "nth", *SAME)
    twice = twice.join(shared, on="order_number", how="semi", maintain_order="left")
    first = twice.select(pl.struct("nth", *SAME).is_first_distinct()).to_series()
    return _reason(frame, twice.filter(~first)["row"])


def older(frame: pl.DataFrame) -> pl.DataFrame:
    """Of an order that stands in several files one holds, whole: that `modified` last, else that in the last file.

    The others are marked as copies. For layouts that export orders as they are now: a refund in a later file makes no
    other row of the order new.
    """
    changed = ["modified"] if frame.schema.get("modified") == pl.String else []
    newest = (
        frame.sort(*changed, "part", nulls_last=False)
        .group_by("order_number")
        .agg(newest=pl.col("part").last(), files=pl.col("part").n_unique())
    )
    newest = newest.filter(pl.col("files") > 1).drop_nulls()
    if newest.is_empty():
        return frame
    both = frame.select("row", "order_number", "part").join(newest, on="order_number")
    return _reason(frame, both.filter(pl.col("part") != pl.col("newest"))["row"])


def _fresh(*columns: str) -> pl.Expr:
    """Whether a row's order (and these columns) differ from the row's before: the first row of a block."""
    change = [pl.col(c).ne_missing(pl.col(c).shift()) for c in ("order_number", *columns)]
    return pl.any_horizontal(change) | (pl.int_range(pl.len()) == 0)


def _joined_exports(frame: pl.DataFrame) -> pl.Series:
    """The second halves of orders that turn up again in their part, whole and alike."""
    none = pl.Series("row", dtype=pl.Int64)
    starts = frame.filter(_fresh("part")).select("part", "order_number", "row").drop_nulls()
    blocks = starts.group_by("part", "order_number").len()
    scattered = blocks.group_by("part").agg(several=(pl.col("len") > 1).sum(), orders=pl.len())
    orderly = scattered.filter(pl.col("several") <= (pl.col("orders") * SCATTERED).clip(lower_bound=1))
    again = blocks.filter(pl.col("len") > 1).join(orderly, on="part", how="semi").select("part", "order_number")
    if again.is_empty():
        return none
    order = ["part", "order_number"]
    rows = frame.filter(pl.col("reason").is_null()).select("row", "part", *SAME)
    rows = rows.join(again, on=order, how="semi", maintain_order="left")
    place, size = pl.int_range(pl.len(), dtype=pl.Int64).over(order), pl.len().over(order)
    # An invoice may stand in several places of either export: what repeats is the whole of it, from its middle on.
    rows = rows.with_columns(second=place * 2 >= size, middle=place * 2 == size)
    rows = rows.with_columns(nth=pl.int_range(pl.len(), dtype=pl.Int32).over("part", "second", *SAME))
    key = ["part", "nth", *SAME]
    found = rows.filter("second").join(rows.filter(~pl.col("second")), on=key, how="semi", nulls_equal=True)
    anew = rows.filter("middle").join(starts, on="row", how="semi").select(order)
    found = found.join(anew, on=order, how="semi")
    whole = found.group_by(order).agg(matched=pl.len()).join(rows.group_by(order).len(), on=order)
    whole = whole.filter(pl.col("matched") * 2 == pl.col("len"))
    return found.join(whole, on=order, how="semi", maintain_order="left")["row"].sort()


def _reason(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    if rows.is_empty():
        return frame
    copied = beside(frame, rows.to_frame("row").with_columns(copy=pl.lit("copy")), "copy")
    return frame.with_columns(reason=pl.coalesce("reason", copied))


def beside(frame: pl.DataFrame, some: pl.DataFrame, name: str) -> pl.Series:
    """Column `name` of `some` in the order of `frame`, by `row`: a join that copies one column and not all."""
    return frame.select("row").join(some, on="row", how="left", maintain_order="left")[name]
