"""From quantities to an order that a supplier accepts: packs, price breaks, money, days.

The tables here have one row per variant and the columns of `live.assess`; `breaks` is `frames.PRICE_BREAKS`.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import policy, receipts
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.receipts import Receipts

Floats = npt.NDArray[np.float64]

UNITS = "recommended_order_quantity"


def whole_packs(units: Floats, *, pack: Floats, minimum: Floats) -> Floats:
    """The smallest quantity of whole packs that is at least `units` and at least `minimum`; 0 for no units.

    >>> whole_packs(np.array([1.0, 13.0, 24.0000000001, 0.0]), pack=np.full(4, 12.0), minimum=np.ones(4)).tolist()
    [12.0, 24.0, 24.0, 0.0]
    """
    packs = np.ceil(np.maximum(units, minimum) / pack - 1e-9)
    return np.where(units > 0, packs * pack, 0.0)


def packed(frame: pl.DataFrame, units: pl.Series) -> Floats:
    """`units` of each row in whole packs, and at least its smallest order; 0 where there are none."""
    pack, minimum = frame["pack_size"].to_numpy(), frame["minimum_order"].to_numpy()
    return whole_packs(units.to_numpy(), pack=pack, minimum=minimum)


def without_drafts(frame: pl.DataFrame) -> Floats:
    """Units that would be ordered of each row if nothing stood in drafts; needs the levels and `drafted`."""

    def column(name: str) -> Floats:
        return frame[name].to_numpy().astype(float)

    whole = policy.order_quantity(
        column("position") - column("drafted"),
        reorder_point=column("reorder_point"),
        order_up_to=column("order_up_to"),
        pack=column("pack_size"),
        minimum=column("minimum_order"),
    )
    wanted = frame["active"] & (frame["daily_demand"] > 0) & ~frame["season_over"]
    return np.where(column("drafted") > 0, np.where(wanted.to_numpy(), whole, 0.0), column(UNITS))


def season_over(season_end: pl.Series, lead_days: Floats, *, today: date) -> npt.NDArray[np.bool_]:
    """Would an order of today come on the last day of its season or later? Never where there is no end.

    >>> ends = pl.Series([date(2026, 7, 8), date(2026, 7, 9), None])
    >>> season_over(ends, np.full(3, 6.5), today=date(2026, 7, 1)).tolist()
    [True, False, False]
    """
    days = (season_end.cast(pl.Date) - today).dt.total_days().cast(pl.Float64).fill_null(float("inf")).to_numpy()
    return np.asarray(days <= np.ceil(np.maximum(lead_days, 0) - 1e-9))


def priced(frame: pl.DataFrame, breaks: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `unit_cost`, money of one unit at the quantity of its row, and `estimated_cost` of all.

    The cost is that of the highest break which the quantity reaches, else the variant's own `cost`; null where it is
    unknown (zero and less count as unknown). Needs `variant_id, recommended_order_quantity, cost`.

    >>> frame = pl.DataFrame({"variant_id": ["a", "b"], "recommended_order_quantity": [24.0, 2.0], "cost": [4.0, None]})
    >>> breaks = pl.DataFrame({"variant_id": ["a", "a"], "minimum_quantity": [12.0, 36.0], "cost": [3.5, 3.0]})
    >>> priced(frame, breaks).select("unit_cost", "estimated_cost").rows()
    [(3.5, 84.0), (None, None)]
    """
    known = breaks.filter(pl.col("cost") > 0).select("variant_id", "minimum_quantity", break_cost="cost")
    found = frame.with_row_index("_row").drop("unit_cost", "estimated_cost", strict=False).sort(UNITS)
    found = found.join_asof(
        known.sort("minimum_quantity"), left_on=UNITS, right_on="minimum_quantity", by="variant_id",
        strategy="backward", check_sortedness=False,
    ).sort("_row")  # fmt: skip
    own = pl.when(pl.col("cost") > 0).then("cost")
    found = found.with_columns(unit_cost=pl.coalesce("break_cost", own))
    found = found.with_columns(estimated_cost=pl.col("unit_cost") * pl.col(UNITS))
    return found.drop("_row", "minimum_quantity", "break_cost", strict=False)


def dearest(frame: pl.DataFrame, breaks: pl.DataFrame) -> Floats:
    """The highest cost that any quantity up to the row's may have: what a budget has to reckon with; NaN: unknown."""
    within = breaks.join(frame.select("variant_id", UNITS, own="cost"), on="variant_id")
    within = within.filter((pl.col("minimum_quantity") <= pl.col(UNITS)) & (pl.col("cost") > 0))
    top = within.group_by("variant_id").agg(
        top=pl.col("cost").max(), starts=pl.col("minimum_quantity").min()
    )  # fmt: skip
    joined = frame.select("variant_id", "cost", "pack_size", "minimum_order").join(
        top, on="variant_id", how="left", maintain_order="left"
    )
    smallest = pl.max_horizontal("pack_size", "minimum_order")
    own = pl.when((pl.col("cost") > 0) & (pl.col("starts").is_null() | (pl.col("starts") > smallest))).then("cost")
    # A quantity below the first break, at an unknown cost of its own, is worth no money that one could reckon with.
    unknown = pl.col("starts").is_not_null() & (pl.col("starts") > smallest) & own.is_null()
    found = joined.select(x=pl.when(~unknown).then(pl.max_horizontal("top", own)))["x"]
    return found.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def best_breaks(frame: pl.DataFrame, breaks: pl.DataFrame, *, today: date, rules: Rules) -> pl.DataFrame:
    """`frame` with quantities raised to a price break where that costs less a year; `break_taken` says which were.

    All-units discounts: the quantity Q of least c·D + K·D/Q + h·c·Q/2 among the quantity needed and the breaks above
    it, in whole packs (Snyder & Shen, Fundamentals of Supply Chain Theory, 2nd ed., section 3.4). None is taken that
    would lift the position above the reorder point by more than `policy.LOT_DAYS` days of demand, or would last
    beyond the end of the season, or rests on little history (`confidence` low).
    """
    wanted = frame.with_row_index("_row")
    higher = wanted.join(breaks.filter(pl.col("cost") > 0).rename({"cost": "_cost"}), on="variant_id")
    packs = (pl.col("minimum_quantity") / pl.col("pack_size") - 1e-9).ceil() * pl.col("pack_size")
    room, season = rooms(today)
    higher = higher.with_columns(_units=packs).filter(
        pl.col("_units") > pl.col(UNITS),
        pl.col("_units") <= room,
        season.is_null() | (pl.col("_units") <= season),
        pl.col("confidence") != "low",
    )
    now = priced(frame, breaks)
    base = now.with_row_index("_row").select("_row", "daily_demand", _units=UNITS, _cost="unit_cost")
    options = pl.concat([base, higher.select(base.columns)]).filter(pl.col("_units") > 0)
    yearly = pl.col("daily_demand") * 365
    cost = pl.col("_cost") * (yearly + rules.holding_rate * pl.col("_units") / 2)
    options = options.with_columns(_total=cost + rules.order_cost * yearly / pl.col("_units"))
    # A row without a known cost has no total: it keeps its quantity.
    best = options.sort("_row", "_total", "_units", nulls_last=True).unique("_row", keep="first", maintain_order=True)
    found = wanted.join(best.select("_row", "_units"), on="_row", how="left", maintain_order="left")
    raised = now["unit_cost"].is_not_null() & (found["_units"].fill_null(0.0) > found[UNITS])
    units = pl.when(raised).then(pl.col("_units")).otherwise(pl.col(UNITS))
    return found.with_columns(units.alias(UNITS), break_taken=raised).drop("_row", "_units")


def rooms(today: date) -> tuple[pl.Expr, pl.Expr]:
    """Units that may be ordered of a row beyond its need, and those that sell until its season ends (null: no end).

    They lift the position to `policy.LOT_DAYS` of demand above the reorder point at most.
    """
    above = pl.col("reorder_point") + policy.LOT_DAYS * pl.col("daily_demand") - pl.col("position")
    season = (pl.col("season_end") - pl.lit(today)).dt.total_days() * pl.col("daily_demand") - pl.col("position")
    return above, season


def next_breaks(frame: pl.DataFrame, breaks: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `next_break_units` and `next_break_cost`: the next price break above its quantity, null for none."""
    above = frame.select("variant_id", UNITS, "unit_cost").join(
        breaks.rename({"cost": "next_break_cost"}), on="variant_id"
    )
    above = above.filter(
        pl.col("minimum_quantity") > pl.col(UNITS), pl.col("next_break_cost") < pl.col("unit_cost")
    ).sort("minimum_quantity")
    first = above.unique("variant_id", keep="first", maintain_order=True)
    first = first.select("variant_id", "next_break_cost", next_break_units="minimum_quantity")
    return frame.join(first, on="variant_id", how="left", maintain_order="left")


def scheduled(frame: pl.DataFrame, *, today: date) -> pl.DataFrame:
    """`frame` with what ordering today brings.

    `expected_on` = today + the lead time in whole days; `stockout_date_with_order`, the likely day on which all has
    sold if it is ordered (null beyond two years): a shelf that is empty before it comes is counted from then on;
    `cover_days`, days of demand that are there once it has come: what then is left, what is on order, and this.
    """

    def column(name: str) -> Floats:
        return frame[name].to_numpy().astype(float)

    free, coming, daily = column("free_stock"), column("on_order"), column("daily_demand")
    lead = np.ceil(np.maximum(column("lead_days"), 0) - 1e-9)
    units, ratio = column(UNITS), column("variance_ratio")
    listed = Receipts.listed(frame)
    arrived = listed.within(lead)
    left = np.maximum(free + arrived - daily * lead, 0)
    first = receipts.days_until_out(daily, ratio, on_hand=free, receipts=listed.plus(lead, units), probability=0.5)
    again = receipts.days_until_out(daily, ratio, on_hand=left + units, receipts=listed.after(lead), probability=0.5)
    days = np.where(first <= lead, lead + again, first)
    there = left + np.maximum(coming - arrived, 0) + units
    cover = np.divide(there, daily, out=np.full(len(daily), np.nan), where=daily > 0)
    last = pl.Series(np.maximum(days - 1, 0), dtype=pl.Float64).fill_nan(None).cast(pl.Int64)
    table = frame.with_columns(_lead=pl.Series(lead).cast(pl.Int64), _last=last).with_columns(
        expected_on=pl.lit(today) + pl.duration(days="_lead"),
        stockout_date_with_order=pl.lit(today) + pl.duration(days="_last"),
        cover_days=pl.Series(cover, dtype=pl.Float64).fill_nan(None).round(1),
    )
    return table.drop("_lead", "_last")


def by_supplier(frame: pl.DataFrame) -> pl.DataFrame:
    """What each supplier would get, the dearest order first; rows without a supplier under a null one, last.

    Columns `supplier_id, supplier, lines, units, estimated_cost` (of the lines whose cost is known), `without_cost`,
    `minimum_order_value`, `missing_to_minimum` (0: reached; null: no supplier).
    """
    found = frame.group_by("supplier_id").agg(
        supplier=pl.col("supplier").first(),
        lines=pl.len().cast(pl.Int64),
        units=pl.col(UNITS).sum(),
        estimated_cost=pl.col("estimated_cost").sum().round(2),
        without_cost=pl.col("estimated_cost").null_count().cast(pl.Int64),
        minimum_order_value=pl.col("minimum_order_value").first(),
    )
    missing = (pl.col("minimum_order_value") - pl.col("estimated_cost")).clip(lower_bound=0).round(2)
    found = found.with_columns(missing_to_minimum=pl.when(pl.col("supplier_id").is_not_null()).then(missing))
    known = pl.col("supplier_id").is_null()
    return found.sort(known, "estimated_cost", "supplier_id", descending=[False, True, False])
