"""The stock of the past, rebuilt from what was on the shelf when something was sold, so that stock-outs can be seen.

A sale whose level is known exactly closes a stretch: between two such sales one delivery is taken to have come, as
large as what was sold and left. It is taken to have come as long before the next sale as this variant's sales are
apart (median), but not before the sale before: that long a thing waits for a buyer when it is there.
"""

from __future__ import annotations

import polars as pl
from django.db import transaction

from ingest import bulk, canonical, journal, load
from ingest.counts import Counts
from products.models import ProductVariant, StockMovement

MARK = "shelf:"
"""References of these movements begin with it; no other movement's does."""
LEVELS = {"sku": pl.String, "at": canonical.AT, "units": pl.Int64, "level": pl.Int64, "order_number": pl.String}
"""Sales with `level`, units on the shelf before; null: there was at least as much as was sold."""
DAY = 86_400


def movements(levels: pl.DataFrame) -> pl.DataFrame:
    """`canonical.MOVEMENTS` that agree with every level, and with every sale.

    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 3, 9)]
    >>> sold = pl.DataFrame({"sku": ["A"] * 3, "at": at, "units": [1, 2, 1], "level": [None, 2, None],
    ...                      "order_number": ["1", "2", "3"]}, schema=LEVELS)
    >>> [(kind, units, moment.day) for _, kind, units, moment, _ in movements(sold).rows()]
    [('opening', 3, 28), ('sale', -1, 1), ('sale', -2, 3), ('receipt', 2, 5), ('sale', -1, 9)]
    """
    rows = _stretches(levels)
    # A second later at the earliest, so that a shelf that was empty is seen to have been.
    after = pl.col("before") + pl.duration(seconds=1)
    came = pl.min_horizontal("at", pl.max_horizontal(pl.col("at") - pl.duration(seconds=pl.col("wait")), after))
    deliveries = rows.filter("starts").with_columns(units=pl.col("needed") - pl.col("had"), at=came)
    receipt = pl.when(pl.col("before").is_null()).then(pl.lit("opening")).otherwise(pl.lit("receipt"))
    kind = pl.when(pl.col("units") > 0).then(receipt).otherwise(pl.lit("write_off"))
    beyond = rows.filter(pl.col("units") > pl.col("level")).with_columns(units=pl.col("units") - pl.col("level"))
    parts = [
        deliveries.filter(pl.col("units") != 0).with_columns(kind=kind, end=pl.lit(":in")),
        rows.with_columns(kind=pl.lit("sale"), units=-pl.col("units"), end=pl.lit("")),
        beyond.with_columns(kind=pl.lit("receipt"), end=pl.lit(":beyond")),
    ]
    named = pl.concat_str("reference", "end")
    table = pl.concat([part.select("sku", "kind", "units", "at", reference=named) for part in parts])
    return table.sort("sku", "at", "reference")


def _stretches(levels: pl.DataFrame) -> pl.DataFrame:
    """The sales in their order, with what their stretch needs at its start, what was there, how long things wait."""
    nth = pl.int_range(pl.len(), dtype=pl.Int64).over("order_number")
    exact = pl.col("level").is_not_null()
    rows = levels.with_columns(reference=pl.format("shelf:{}/{}", "order_number", nth), exact=exact)
    rows = rows.sort("sku", "at", "reference").with_columns(pl.col("level").clip(lower_bound=0))
    rows = rows.with_columns(stretch=pl.col("exact").cast(pl.Int64).shift(1, fill_value=0).cum_sum().over("sku"))
    one = ["sku", "stretch"]
    rows = rows.with_columns(
        closed=pl.col("exact").any().over(one),
        left=pl.col("level").sum().over(one),
        sold=pl.col("units").filter(~pl.col("exact")).sum().over(one),
        most=pl.col("units").max().over(one),
        before=pl.col("at").shift(1).over("sku"),
        had=(pl.col("level") - pl.col("units")).clip(lower_bound=0).shift(1).over("sku").fill_null(0),
        starts=pl.int_range(pl.len()).over(one) == 0,
    )
    # Nobody says what is left after the last sale: if it takes a delivery at all, one more such sale is there.
    still = pl.when(pl.col("had") >= pl.col("sold")).then("had").otherwise(pl.col("sold") + pl.col("most"))
    apart = pl.col("at").diff().dt.total_seconds()
    wait = apart.filter(apart > 0).median().over("sku").fill_null(DAY).clip(1).cast(pl.Int64)
    needed = pl.when("closed").then(pl.col("left") + pl.col("sold")).otherwise(still)
    return rows.with_columns(needed=needed, wait=wait)


@transaction.atomic
def write(levels: pl.DataFrame) -> Counts:
    """Write the movements of every SKU whose stock nothing else has moved up to its last sale.

    An SKU whose history is stored takes the new one, unless sales of the stored one are not among `levels`: then it is
    kept, for the files are a part of the shop's sales. Counts are of SKUs.
    """
    wanted = movements(levels)
    stored, others = _stored(wanted["sku"].unique())
    last = levels.group_by("sku").agg(last=pl.col("at").max())
    moved = others.join(last, on="sku").filter(pl.col("at") <= pl.col("last"))["sku"]
    sales = stored.filter(pl.col("kind") == "sale")
    missing = sales.join(wanted, on="reference", how="anti")["sku"]
    kept = pl.concat([moved, missing]).unique()
    counted = others.filter(~pl.col("sku").is_in(stored["sku"].unique().implode()))["sku"]
    kept = pl.concat([kept, counted]).unique()
    wanted = wanted.filter(~pl.col("sku").is_in(kept.implode()))
    whole = wanted.with_columns(pl.col("at").dt.truncate("1s"))
    # What the new history has not is emptied and not deleted: an undone import then finds it.
    key = ["kind", "reference"]
    idle = stored.filter(~pl.col("sku").is_in(kept.implode())).join(whole, on=key, how="anti")
    whole = pl.concat([whole, idle.select(whole.columns).with_columns(units=pl.lit(0, pl.Int64))])
    was = stored.select(*key, "id", "variant_id", was="units", was_at="at")
    both = whole.join(was, on=key, how="left", maintain_order="left")
    new = both.filter(pl.col("id").is_null()).select(whole.columns)
    differs = both.filter((pl.col("units") != pl.col("was")) | (pl.col("at") != pl.col("was_at")))
    journal.hold(StockMovement, both.drop_nulls("id").join(differs, on="id", how="anti")["id"])
    _change(differs)
    load.movements(new)
    touched = pl.concat([new["sku"], differs["sku"]]).unique()
    before = set(stored["sku"])
    made = sum(sku not in before for sku in touched)
    return Counts(made, whole["sku"].n_unique() - len(touched), len(touched) - made, len(kept))


def _change(differs: pl.DataFrame) -> None:
    """Give stored movements other units and moments, and their variants the difference."""
    noted = journal.read(StockMovement, differs["id"])
    bulk.update(StockMovement, differs.select("id", "units", "at"))
    sums = differs.group_by(id="variant_id").agg(stock=(pl.col("units") - pl.col("was")).sum()).sort("id")
    bulk.update(ProductVariant, sums.filter(pl.col("stock") != 0), add=True)
    journal.note(StockMovement, noted)


def _stored(skus: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The movements of these SKUs: `id, variant_id, sku, kind, units, at, reference`; this module's, and others."""
    found = bulk.fetch(ProductVariant, ["id", "sku"], key="sku", values=skus)
    ids = pl.DataFrame(found, schema={"variant_id": pl.Int64, "sku": pl.String}, orient="row")
    columns = ["id", "variant_id", "kind", "units", bulk.epoch("at"), "reference"]
    rows = bulk.fetch(StockMovement, columns, key="variant_id", values=ids["variant_id"])
    names = {"id": pl.Int64, "variant_id": pl.Int64, "kind": pl.String, "units": pl.Int64, "seconds": pl.Int64,
             "reference": pl.String}  # fmt: skip
    table = pl.DataFrame(rows, schema=names, orient="row").join(ids, on="variant_id")
    at = pl.from_epoch("seconds", time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    table = table.with_columns(at=at).drop("seconds")
    mine = pl.col("reference").str.starts_with(MARK).fill_null(value=False)
    return table.filter(mine), table.filter(~mine)
