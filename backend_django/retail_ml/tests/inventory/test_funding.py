"""A budget is never exceeded, drafts are part of it, and drafting twice adds nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml import frames
from retail_ml.inventory import funding, ordering, policy
from retail_ml.inventory.funding import WHOLE
from retail_ml.inventory.ordering import UNITS
from retail_ml.inventory.policy import Rules

RULES = Rules()
ROW = st.fixed_dictionaries(
    {
        "position": st.integers(0, 5), "reorder_point": st.integers(0, 30), "lot": st.integers(1, 40),
        "pack_size": st.integers(1, 12), "minimum_order": st.integers(1, 20), "drafted": st.integers(0, 3),
        "cost": st.one_of(st.none(), st.floats(0.01, 50)), "unit_margin": st.floats(-2, 30),
        "daily_demand": st.floats(0, 5), "lead_days": st.floats(0, 40),
        "breaks": st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 60)), max_size=3, unique_by=lambda b: b[0]),
    }
)  # fmt: skip


def table(rows: list[dict[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of an assessment and their price breaks. `drafted` counts packs, smallest orders at the least."""
    frame = pl.DataFrame(
        [{"variant_id": str(n), **{k: v for k, v in row.items() if k != "breaks"}} for n, row in enumerate(rows)],
        schema_overrides={"cost": pl.Float64, "drafted": pl.Float64, "position": pl.Float64},
    ).with_columns(
        pl.col("pack_size", "minimum_order", "reorder_point").cast(pl.Float64),
        order_up_to=pl.col("reorder_point").cast(pl.Float64) + pl.col("lot"),
        effective_cost=pl.col("cost").fill_null(5.0),
        variance_ratio=pl.lit(1.5),
        active=pl.lit(value=True),
        season_over=pl.lit(value=False),
    )
    asked = pl.Series(np.where(frame["drafted"] > 0, frame["drafted"] * frame["pack_size"], 0.0))
    drafted = pl.Series(ordering.packed(frame, asked), dtype=pl.Float64)
    frame = frame.with_columns(drafted=drafted, position=pl.col("position") + drafted)
    breaks = [(str(n), float(least), cost) for n, row in enumerate(rows) for least, cost in row["breaks"]]
    return _wanted(frame), pl.DataFrame(breaks, schema=frames.PRICE_BREAKS, orient="row")


def _wanted(frame: pl.DataFrame) -> pl.DataFrame:
    """With what is ordered of each row, drafts counted, as the assessment has it; and without them."""
    units = policy.order_quantity(
        frame["position"].to_numpy(),
        reorder_point=frame["reorder_point"].to_numpy(),
        order_up_to=frame["order_up_to"].to_numpy(),
        pack=frame["pack_size"].to_numpy(),
        minimum=frame["minimum_order"].to_numpy(),
    )
    frame = frame.with_columns(pl.Series(UNITS, np.where(frame["daily_demand"] > 0, units, 0.0)))
    return frame.with_columns(pl.Series(WHOLE, ordering.without_drafts(frame), dtype=pl.Float64))


def drafted_too(frame: pl.DataFrame, bought: pl.DataFrame) -> pl.DataFrame:
    """The table once `bought` stands in drafts as well."""
    more = (
        frame.select("variant_id")
        .join(bought.select("variant_id", more=UNITS), on="variant_id", how="left", maintain_order="left")["more"]
        .fill_null(0.0)
    )
    return frame.with_columns(drafted=pl.col("drafted") + more, position=pl.col("position") + more)


def money(frame: pl.DataFrame, breaks: pl.DataFrame, units: str) -> float:
    return float(ordering.priced(frame.with_columns(pl.col(units).alias(UNITS)), breaks)["estimated_cost"].sum())


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(ROW, min_size=1, max_size=6), budget=st.floats(0, 3_000))
def test_a_budget_is_never_exceeded_and_spent_once(rows, budget):
    frame, breaks = table(rows)
    found = funding.within(frame, budget, breaks, RULES)
    spent = money(found.bought, breaks, UNITS)
    assert spent <= max(budget - found.in_drafts, 0.0) + 1e-6
    assert (found.bought[UNITS] % found.bought["pack_size"] == 0).all()
    assert (found.bought[UNITS] >= found.bought["minimum_order"]).all()
    assert found.margin_lost >= -1e-9
    if not frame["drafted"].sum():
        again = funding.within(drafted_too(frame, found.bought), budget, breaks, RULES)
        assert again.bought.is_empty(), "drafted twice"
        assert again.left_out["units"].sum() == pytest.approx(found.left_out["units"].sum())


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(ROW, min_size=1, max_size=6))
def test_all_that_the_wish_costs_buys_all_whose_cost_is_known(rows):
    frame, breaks = table([{**row, "drafted": 0} for row in rows])
    found = funding.within(frame, 1e9, breaks, RULES)
    whole = frame.filter(pl.col(WHOLE) > 0)
    known = np.isfinite(ordering.dearest(whole.with_columns(pl.col(WHOLE).alias(UNITS)), breaks))
    assert (
        found.bought["variant_id"].to_list() == whole.filter(pl.Series(known, dtype=pl.Boolean))["variant_id"].to_list()
    )
    assert (
        found.left_out["variant_id"].to_list()
        == whole.filter(pl.Series(~known, dtype=pl.Boolean))["variant_id"].to_list()
    )
    assert found.left_out["estimated_cost"].null_count() == len(found.left_out)


def test_drafts_beyond_the_wish_take_of_the_budget():
    row = {"position": 0, "reorder_point": 5, "lot": 5, "pack_size": 1, "minimum_order": 1, "drafted": 0, "cost": 10.0,
           "unit_margin": 5.0, "daily_demand": 1.0, "lead_days": 7.0, "breaks": []}  # fmt: skip
    frame, breaks = table([row, {**row, "drafted": 30}])
    assert funding.within(frame, 350.0, breaks, RULES).bought[UNITS].to_list() == [5.0]
    assert funding.within(frame, 300.0, breaks, RULES).bought.is_empty()
    assert funding.within(frame, 1_000.0, breaks, RULES).bought[UNITS].to_list() == [10.0]
