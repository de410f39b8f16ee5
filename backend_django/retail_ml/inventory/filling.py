"""Filling an order up to the least that a supplier takes, with the goods that earn most for their money."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import budget as budgets
from retail_ml.inventory import funding, ordering
from retail_ml.inventory.ordering import UNITS
from retail_ml.inventory.policy import Rules

Floats = npt.NDArray[np.float64]

ROUNDS = 5
"""Times that an order is filled anew where a price break that was reached made it cheaper than its minimum again."""
CENT = 0.005
ADDED = {
    "supplier_id": pl.String, "variant_id": pl.String, "sku": pl.String, "product_name": pl.String,
    "units": pl.Float64, "estimated_cost": pl.Float64,
}  # fmt: skip


def additions(
    ordered: pl.DataFrame,
    stock: pl.DataFrame,
    breaks: pl.DataFrame,
    *,
    today: date,
    rules: Rules,
    budget: float | None = None,
) -> pl.DataFrame:
    """What to add so that every supplier of `ordered` gets the least it takes: `ADDED`, a row per variant.

    `ordered`: rows to order; `stock`: rows of `live.assess`, all of the suppliers in question; `breaks`:
    `frames.PRICE_BREAKS`. Added is what sells, with a known cost and not on little history, up to `policy.LOT_DAYS` of
    demand above the reorder point and to the season's end; `estimated_cost` is by how much the line becomes dearer.
    Nothing where that does not suffice, or where it costs more than what is left of `budget` (the order that misses
    least comes first).
    """
    names = short_of_minimum(ordered, breaks)
    if not names:
        return pl.DataFrame(schema=ADDED)
    found, left = [pl.DataFrame(schema=ADDED)], np.inf if budget is None else budget
    rest = stock.join(ordered.select("variant_id"), on="variant_id", how="anti")
    table = pl.concat([ordered, rest.with_columns(pl.lit(0.0).alias(UNITS))], how="diagonal")
    table = table.filter(pl.col("supplier_id").is_in(names))
    of = breaks.join(table.select("variant_id", "supplier_id"), on="variant_id", maintain_order="left")
    own = {key[0]: some.drop("supplier_id") for key, some in of.partition_by("supplier_id", as_dict=True).items()}
    lines = table.partition_by("supplier_id", as_dict=True)
    for name in names:
        added = _filled(lines[(name,)], own.get(name, breaks.clear()), today=today, rules=rules)
        cost = float(added["estimated_cost"].sum())
        if len(added) and cost <= left + CENT:
            found.append(added)
            left -= cost
    return pl.concat(found)


def short_of_minimum(ordered: pl.DataFrame, breaks: pl.DataFrame) -> list[str]:
    """Suppliers of `ordered` that would get less than the least they take, the one that misses least first."""
    short = ordering.by_supplier(ordering.priced(ordered, breaks))
    short = short.filter(pl.col("supplier_id").is_not_null(), pl.col("missing_to_minimum") > CENT)
    return short.sort("missing_to_minimum", "supplier_id")["supplier_id"].to_list()


def with_additions(ordered: pl.DataFrame, stock: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """`ordered` with the `additions` in it: `filled_units` says how many units of each row they are."""
    units = added.select("variant_id", filled_units="units")
    rest = stock.join(ordered.select("variant_id"), on="variant_id", how="anti").join(
        units, on="variant_id", how="semi"
    )
    rest = rest.with_columns(pl.lit(0.0).alias(UNITS), break_taken=pl.lit(value=False))
    table = pl.concat([ordered, rest], how="diagonal")
    table = table.join(units, on="variant_id", how="left", maintain_order="left")
    table = table.with_columns(pl.col("filled_units").fill_null(0.0))
    return table.with_columns((pl.col(UNITS) + pl.col("filled_units")).alias(UNITS))


def _filled(lines: pl.DataFrame, breaks: pl.DataFrame, *, today: date, rules: Rules) -> pl.DataFrame:
    """`ADDED` of one supplier, whose rows these are; empty where it cannot be reached."""
    units, room, added = lines[UNITS].to_numpy().astype(float), _room(lines, today), np.zeros(len(lines))
    minimum = float(lines["minimum_order_value"].max() or 0.0)  # type: ignore[arg-type]
    before = _costs(lines, units, breaks)
    for _ in range(ROUNDS):
        now = _costs(lines, units + added, breaks)
        missing = minimum - float(np.nansum(now))
        if missing <= CENT:
            break
        cost = _prices(lines, np.maximum(units + added, lines["minimum_order"].to_numpy()), breaks)
        wish = _wish(lines, (units + added, room - added, cost), rules)
        more = budgets.top_up(wish, missing)
        if not more.any():
            return pl.DataFrame(schema=ADDED)
        added += more
    else:
        return pl.DataFrame(schema=ADDED)
    dearer = _costs(lines, units + added, breaks) - np.nan_to_num(before)
    table = lines.with_columns(units=pl.Series(added), estimated_cost=pl.Series(dearer, dtype=pl.Float64))
    return table.filter(pl.col("units") > 0).select(list(ADDED))


def _room(lines: pl.DataFrame, today: date) -> Floats:
    """Units in whole packs that may be added to each row."""
    sells = pl.col("active") & (pl.col("daily_demand") > 0) & ~pl.col("season_over") & (pl.col("order_up_to") > 0)
    most = pl.min_horizontal(*ordering.rooms(today)) - pl.col(UNITS)
    packs = ((most / pl.col("pack_size")).floor() * pl.col("pack_size")).clip(lower_bound=0)
    packs = pl.when((pl.col(UNITS) > 0) | (packs >= pl.col("minimum_order"))).then(packs).otherwise(0.0)
    wanted = sells & (pl.col("confidence") != "low")
    return lines.select(x=pl.when(wanted).then(packs).otherwise(0.0))["x"].to_numpy().astype(float)


def _wish(lines: pl.DataFrame, order: tuple[Floats, Floats, Floats], rules: Rules) -> budgets.Wish:
    """Units ordered, units that may be added, and cost of one, as what a budget is spent on."""
    units, room, cost = order
    known = np.isfinite(cost) & (cost > 0)
    table = lines.with_columns(
        pl.Series(UNITS, np.where(known, np.maximum(room, 0.0), 0.0)),
        position=pl.col("position") + pl.Series(units),
        minimum_order=pl.when(pl.Series(units) > 0).then("pack_size").otherwise("minimum_order"),
        effective_cost=pl.Series(np.where(known, cost, 1.0)),
    )
    return funding.wish(table, rules)


def _prices(lines: pl.DataFrame, units: Floats, breaks: pl.DataFrame) -> Floats:
    """Cost of one unit of each row where so many are ordered; NaN: unknown."""
    priced = ordering.priced(lines.with_columns(pl.Series(UNITS, units)), breaks)
    return priced["unit_cost"].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _costs(lines: pl.DataFrame, units: Floats, breaks: pl.DataFrame) -> Floats:
    return _prices(lines, units, breaks) * units
