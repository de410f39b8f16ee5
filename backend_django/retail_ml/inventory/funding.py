"""What a budget pays for of all that should be ordered, with the drafts that stand already counted in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import budget as budgets
from retail_ml.inventory import ordering
from retail_ml.inventory.ordering import UNITS
from retail_ml.inventory.policy import Rules

Floats = npt.NDArray[np.float64]

WHOLE = "units_without_drafts"
"""What would be ordered of a variant if nothing stood in drafts."""


@dataclass(frozen=True, eq=False)
class Funded:
    """`bought`: rows to order now; `left_out`: rows that are not, with `units` and `estimated_cost` (null: unknown)."""

    bought: pl.DataFrame
    left_out: pl.DataFrame
    in_drafts: float
    """Money of what stands in drafts."""
    margin_lost: float
    """Margin expected to be lost over review + lead time by what is left out."""


def within(frame: pl.DataFrame, budget: float, breaks: pl.DataFrame, rules: Rules) -> Funded:
    """What `budget` pays for beyond the drafts. `frame`: rows of `live.assess` with WHOLE; `breaks`: PRICE_BREAKS.

    It is spent on the whole wish, as if there were no drafts, and these are then taken off: so drafting twice adds
    nothing. A quantity is reckoned with the dearest price that any smaller one may have, so that it always suffices;
    drafts beyond the wish take of it. Rows whose cost is unknown are left out.
    """
    drafted = ordering.priced(frame.with_columns(pl.col("drafted").alias(UNITS)), breaks)
    in_drafts = float(drafted["estimated_cost"].sum())
    frame = frame.with_columns(pl.col(WHOLE).alias(UNITS), position=pl.col("position") - pl.col("drafted"))
    dearest = ordering.dearest(frame, breaks)
    known = np.isfinite(dearest)
    assumed = frame["effective_cost"].to_numpy().astype(float)
    frame = frame.with_columns(effective_cost=pl.Series(np.where(known, dearest, assumed), dtype=pl.Float64))
    whole, there = wish(frame, rules), frame["drafted"].to_numpy().astype(float)
    more = ordering.packed(frame, pl.Series(np.maximum(_spent(frame, known, budget, rules) - there, 0.0)))
    frame = frame.with_columns(position=pl.col("position") + pl.col("drafted"))
    if float((more * whole.cost)[known].sum()) > budget - in_drafts + 1e-6:
        rest = frame.with_columns(pl.Series(UNITS, more, dtype=pl.Float64))
        more = _spent(rest, known, max(budget - in_drafts, 0.0), rules)
    missing = np.maximum(whole.quantity - there - more, 0.0)
    out = frame.with_columns(
        units=pl.Series(missing, dtype=pl.Float64),
        estimated_cost=pl.Series(np.where(known, missing * whole.cost, np.nan), dtype=pl.Float64).fill_nan(None),
    )
    bought = frame.with_columns(pl.Series(UNITS, more, dtype=pl.Float64))
    lost = budgets.margin_lost(whole, np.minimum(there + more, whole.quantity))
    return Funded(bought.filter(pl.col(UNITS) > 0), out.filter(pl.col("units") > 0), in_drafts, lost)


def _spent(frame: pl.DataFrame, known: npt.NDArray[np.bool_], money: float, rules: Rules) -> Floats:
    """Units of each row that `money` buys; none of a row whose cost is unknown."""
    bought = np.zeros(len(frame))
    bought[known] = budgets.spend(wish(frame.filter(pl.Series(known, dtype=pl.Boolean)), rules), money)
    return bought


def wish(frame: pl.DataFrame, rules: Rules) -> budgets.Wish:
    """UNITS of each row of `live.assess` as what a budget is spent on."""

    def column(name: str) -> Floats:
        return frame[name].to_numpy().astype(float)

    days = rules.review_days + column("lead_days")
    return budgets.Wish(
        quantity=column(UNITS),
        position=column("position"),
        pack=column("pack_size"),
        minimum=column("minimum_order"),
        cost=column("effective_cost"),
        margin=column("unit_margin"),
        daily=column("daily_demand"),
        ratio=column("variance_ratio"),
        days=days,
        holding=column("effective_cost") * rules.holding_rate * days / 365,
    )
