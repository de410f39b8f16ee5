"""Order lines added up per day and variant, or customer, part by part: what most models need of a shop with many lines.

A part is a LazyFrame of order lines, computed wherever the engine in use computes; only its sums come back. They are
the same however the lines are parted, as long as the sale lines of an order stand in one part: units and money are
added in whole parts of one, and what a customer took back on the day it was bought is netted over all parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from retail_ml import engine, frames
from retail_ml.engine import EngineFault
from retail_ml.errors import BadFrame
from retail_ml.frames import DECIMALS, MONEY, ORDER_LINES, Schema

SUMS: Schema = {  # one row per day, kind of line and whether it was reversed on its day
    "day": pl.Date,
    "at": pl.Datetime("us", "UTC"),  # of the last of the lines
    "units": pl.Float64,
    "amount": pl.Float64,
    "is_return": pl.Boolean,
    "reversed": pl.Boolean,  # lines that `frames.net_same_day` takes out
    "lines": pl.Int64,  # how many order lines
    "orders": pl.Int64,  # orders with a sale; each is counted in one row of all, not a reversed one if it has another
}
"""What lines come to. Those of one row have units, and amounts, of one sign."""
DAILY: Schema = {"product_id": pl.String, "variant_id": pl.String, **SUMS}
"""What stands for ORDER_LINES where it does not matter who bought."""
CUSTOMER_DAYS: Schema = {"customer_id": pl.String, **SUMS}
"""What stands for ORDER_LINES where it does not matter what was bought; null: guests."""
PERSON = ("customer_id", "variant_id", "day")
"""Whose lines of which day are netted against one another."""
LEAST = 10.0**-DECIMALS


@dataclass(frozen=True)
class Kind:
    """A table of sums: by what, and in how many parts of one its units and money are counted."""

    schema: Schema
    by: tuple[str, ...]
    unit: int

    @property
    def row(self) -> tuple[str, ...]:
        """What the lines of one row have in common."""
        return (*self.by, "day", "units_sign", "amount_sign", "is_return", "reversed")


VARIANTS = Kind(DAILY, ("product_id", "variant_id"), 10**DECIMALS)
CUSTOMERS = Kind(CUSTOMER_DAYS, ("customer_id",), MONEY)


@dataclass(frozen=True)
class Counts:
    """How much there is in order lines; `lines` and `last` of the sales alone."""

    orders: int
    customers: int
    lines: int
    returns: int
    last: datetime | None


def read(part: pl.LazyFrame, time_zone: str) -> pl.DataFrame:
    """`frames.ORDER_LINES` of a part, checked. Raises BadFrame, and EngineFault where its files are not there."""
    try:
        table = part.collect()
    except FileNotFoundError as error:
        raise EngineFault(
            f"A part of the order lines cannot be read: {error}. Give every machine the folder under the same path, "
            "and write new files beside the old ones before they are renamed.",
            engine="files",
            what=str(error),
        ) from error
    table = frames.with_day(table, time_zone)
    signs(table)
    return frames.check(table, ORDER_LINES, name="order lines")


def signs(table: pl.DataFrame) -> None:
    """Raise BadFrame unless returns have negative units, and nothing else has."""
    wrong = table.filter(pl.col("is_return") != (pl.col("units") < 0)).height
    if wrong:
        raise BadFrame(
            f"In {wrong} row(s) of the order lines the sign of the units does not fit is_return: a return has negative "
            "units, a sale positive ones",
            code="bad_frame.signs",
            table="order lines",
            rows=wrong,
        )


def lines(parts: Sequence[pl.LazyFrame], *, time_zone: str) -> pl.DataFrame:
    """`DAILY` of all parts, in the order of product, variant and day.

    parts: order lines with the columns of `frames.ORDER_LINES`, `day` left out. They are read twice: first for the
    lines that may have been reversed on their day, then for the sums.

    >>> from datetime import UTC
    >>> at = [datetime(2026, 3, 2, 9, tzinfo=UTC)] * 3
    >>> table = pl.LazyFrame({"order_id": ["1", "2", "2"], "customer_id": ["a", "b", "b"], "product_id": ["p"] * 3,
    ...     "variant_id": ["v"] * 3, "at": at, "units": [2.0, 1.0, -1.0], "amount": [20.0, 10.0, -10.0],
    ...     "is_return": [False, False, True]}, schema_overrides={"at": pl.Datetime("us", "UTC")})
    >>> lines([table], time_zone="UTC").select("units", "amount", "reversed", "lines", "orders").rows()
    [(-1.0, -10.0, True, 1, 0), (2.0, 20.0, False, 1, 1), (1.0, 10.0, True, 1, 1)]
    """
    (found,) = _tables(parts, (VARIANTS,), time_zone)
    return found


def customer_lines(parts: Sequence[pl.LazyFrame], *, time_zone: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`CUSTOMER_DAYS` in the order of customer and day, and the `lines`, of one reading."""
    customers, variants = _tables(parts, (CUSTOMERS, VARIANTS), time_zone)
    return customers, variants


def counts(parts: Sequence[pl.LazyFrame], *, time_zone: str) -> Counts:
    """`counted` of all parts together."""
    found = engine.map(partial(_counted, time_zone), parts)
    customers = pl.concat([pl.Series("customer_id", [], dtype=pl.String), *(who for _, who in found)])
    told = [one for one, _ in found]
    orders, sold, returns = (sum(getattr(one, name) for one in told) for name in ("orders", "lines", "returns"))
    last = max((one.last for one in told if one.last is not None), default=None)
    return Counts(orders, customers.n_unique(), sold, returns, last)


def counted(table: pl.DataFrame) -> tuple[Counts, pl.Series]:
    """What is in `frames.ORDER_LINES`, and the ids of those who bought."""
    sold = table.filter(~pl.col("is_return"))
    who, last = sold["customer_id"].drop_nulls().unique(), sold["at"].max()
    returns = table.height - sold.height
    return Counts(sold["order_id"].n_unique(), len(who), sold.height, returns, last), who  # type: ignore[arg-type]


def _tables(parts: Sequence[pl.LazyFrame], kinds: tuple[Kind, ...], time_zone: str) -> list[pl.DataFrame]:
    looked = engine.map(partial(_suspects, time_zone), parts)
    none = pl.DataFrame(schema={name: ORDER_LINES[name] for name in PERSON})
    suspects = pl.concat([none, *(keys for keys, *_ in looked)]).unique()
    days = [pl.col("day").is_between(first, last) for _, first, last in looked]
    work = zip(parts, (suspects.filter(its) for its in days), strict=True)  # a part is told of its own days alone
    found = engine.map(partial(_added_up, kinds, time_zone), work)
    doubtful = [table for *_, table in found if table.height]
    rest = _netted(pl.concat(doubtful)) if doubtful else None
    tables = []
    for i, kind in enumerate(kinds):
        sums = [one[i] for one in found] + ([] if rest is None else [_sums(rest, kind)])
        tables.append(_joined(sums, kind) if sums else frames.empty(kind.schema))
    return tables


def _joined(sums: list[pl.DataFrame], kind: Kind) -> pl.DataFrame:
    """The sums of all parts in one table."""
    table = pl.concat(sums).group_by(kind.row)
    whole = table.agg(pl.col("at").max(), pl.col("units", "amount", "lines", "orders").sum())
    whole = whole.with_columns(pl.col("units", "amount") / kind.unit).sort(kind.row)
    return whole.select(pl.col(name).cast(dtype) for name, dtype in kind.schema.items())


def _suspects(time_zone: str, part: pl.LazyFrame) -> tuple[pl.DataFrame, Any, Any]:
    """Whose lines of which variant and day may add up to nothing: those among which is one that adds no units.

    And the first and the last day of the part.
    """
    back = read(part.filter(pl.col("customer_id").is_not_null() & (pl.col("units") < LEAST)), time_zone)
    ends = part.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).collect()
    days = ends.select(pl.all().dt.convert_time_zone(time_zone).dt.date())
    return back.select(PERSON).unique(), *days.row(0)


def _added_up(
    kinds: tuple[Kind, ...], time_zone: str, part: tuple[pl.LazyFrame, pl.DataFrame]
) -> tuple[pl.DataFrame, ...]:
    """Sums of what stays for certain, of each kind, and the lines of the suspects as they are.

    `counted`: does a line's order have a sale that stays for certain?
    """
    table = read(part[0], time_zone)
    table = table.join(part[1].with_columns(doubtful=True), on=PERSON, how="left", maintain_order="left")
    table = table.with_columns(pl.col("doubtful").fill_null(value=False))
    certain, doubtful = table.filter(~pl.col("doubtful")), table.filter("doubtful")
    sold = certain.filter(~pl.col("is_return"))["order_id"].unique().implode()
    certain = certain.with_columns(reversed=pl.lit(value=False), counted=pl.lit(value=False))
    doubtful = doubtful.with_columns(counted=pl.col("order_id").is_in(sold)).drop("doubtful")
    return *(_sums(certain, kind) for kind in kinds), doubtful


def _netted(doubtful: pl.DataFrame) -> pl.DataFrame:
    """All lines of the suspects, `reversed` as `frames.net_same_day` has it; those that stay first."""
    left = pl.col("units").sum().over(PERSON).round(DECIMALS)
    return doubtful.with_columns(reversed=left == 0).sort("reversed", maintain_order=True)


def _sums(table: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Sums per row of a kind, in whole parts of one; an order stands where the first of its sales stands."""
    sale = ~pl.col("is_return") & ~pl.col("counted")
    return (
        table.with_columns(
            (pl.col("units", "amount") * kind.unit).round().cast(pl.Int64),
            units_sign=pl.col("units").sign().cast(pl.Int8),
            amount_sign=pl.col("amount").sign().cast(pl.Int8),
            first=sale & pl.when(sale).then("order_id").is_first_distinct(),
        )
        .group_by(kind.row)
        .agg(
            pl.col("at").max(),
            pl.col("units", "amount").sum(),
            lines=pl.len().cast(pl.Int64),
            orders=pl.col("first").sum().cast(pl.Int64),
        )
    )


def _counted(time_zone: str, part: pl.LazyFrame) -> tuple[Counts, pl.Series]:
    return counted(read(part, time_zone))
