"""Orders below the least that a supplier takes, filled up with what earns most for its money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from retail_ml import frames
from retail_ml.inventory import filling, ordering
from retail_ml.inventory.ordering import UNITS
from retail_ml.tests.inventory.tables import AS_OF, stock
from retail_ml.tests.inventory.test_plan import RULES, assess

TODAY = AS_OF + timedelta(days=1)
NONE = frames.empty(frames.PRICE_BREAKS)
SELLING = ["v04", "v05", "v06", "v07", "v08", "v09"]


def shelves(**columns: Any) -> pl.DataFrame:
    """Goods that sell, all of one supplier: one has too few, of the others there are enough."""
    on_hand = [2.0, *[80.0] * (len(SELLING) - 1)]
    return assess(stock(SELLING, on_hand=on_hand, **columns))


def added(frame: pl.DataFrame, breaks: pl.DataFrame = NONE, **limits: Any) -> pl.DataFrame:
    ordered = frame.filter(pl.col(UNITS) > 0).with_columns(break_taken=pl.lit(value=False))
    found = filling.additions(ordered, frame, breaks, today=TODAY, rules=RULES, **limits)
    table = ordering.priced(filling.with_additions(ordered, frame, found), breaks)
    least = float(frame["minimum_order_value"].max())  # type: ignore[arg-type]
    assert not len(found) or float(table["estimated_cost"].sum()) >= least - 0.01
    assert table["filled_units"].sum() == found["units"].sum()
    plain = float(ordering.priced(ordered, breaks)["estimated_cost"].sum())
    assert float(table["estimated_cost"].sum()) == pytest.approx(plain + float(found["estimated_cost"].sum()))
    return found


def cost(frame: pl.DataFrame) -> float:
    return float(frame.filter(pl.col(UNITS) > 0)["estimated_cost"].sum())


def test_what_is_missing_is_added_in_packs_and_not_much_more():
    plain = shelves(pack_size=4.0, minimum_order=8.0)
    least = cost(plain) + 100
    found = added(plain.with_columns(minimum_order_value=pl.lit(least)))
    assert 100 <= found["estimated_cost"].sum() <= 100 + 8 * 5
    assert (found["units"] % 4 == 0).all()
    new = found.filter(pl.col("variant_id") != "v04")
    assert (new["units"] >= 8).all()


def test_nothing_is_added_where_nothing_is_missing_or_where_it_cannot_be_reached():
    plain = shelves()
    assert added(plain).is_empty()
    assert added(plain.with_columns(minimum_order_value=pl.lit(1e6))).is_empty()
    enough = plain.with_columns(minimum_order_value=pl.lit(cost(plain)))
    assert added(enough).is_empty()


def test_only_what_may_be_sold_is_added():
    plain = shelves()
    table = plain.with_columns(minimum_order_value=pl.lit(cost(plain) + 40))
    names = added(table)["variant_id"].to_list()
    assert names
    for column, value in (("active", False), ("season_over", True), ("confidence", "low"), ("daily_demand", 0.0)):
        changed = pl.when(pl.col("variant_id").is_in(names)).then(pl.lit(value)).otherwise(pl.col(column))
        assert not set(names) & set(added(table.with_columns(changed.alias(column)))["variant_id"])


def test_never_more_than_the_budget_leaves():
    plain = shelves()
    table = plain.with_columns(minimum_order_value=pl.lit(cost(plain) + 40))
    needed = float(added(table)["estimated_cost"].sum())
    assert added(table, budget=needed - 1).is_empty()
    assert added(table, budget=needed)["estimated_cost"].sum() == needed


def test_a_break_that_makes_the_order_cheaper_is_made_up_for():
    """The price falls to 4 from one unit beyond the order on: the first filling falls short, the next one does not."""
    plain = assess(stock(["v04"], on_hand=2.0))
    units = float(plain[UNITS][0])
    breaks = pl.DataFrame(
        {"variant_id": ["v04"], "minimum_quantity": [units + 1], "cost": [4.0]}, schema=frames.PRICE_BREAKS
    )
    found = added(plain.with_columns(minimum_order_value=pl.lit(cost(plain) + 3)), breaks)
    assert (units + found["units"][0]) * 4 >= cost(plain) + 3
    assert found["units"][0] > 1
