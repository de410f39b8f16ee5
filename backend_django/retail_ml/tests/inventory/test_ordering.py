"""What is ordered of a variant, in which packs, at which price, and when it comes. Several of these cases are the bugs
of other systems: drafts that did not count, packs of 1.02, orders for goods whose life had ended."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml import frames
from retail_ml.inventory import formulas, live, ordering, standing
from retail_ml.inventory.ordering import UNITS
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import products, stock

TODAY = date(2026, 7, 1)
RULES = Rules()


def assessed(*, levels: dict[str, Any] | None = None, **columns: Any) -> pl.DataFrame:
    """One variant, with levels and stock as given: reorder point 3, order up to 4, half a unit a day."""
    found = {"daily": 0.5, "reorder_point": 3.0, "order_up_to": 4.0, "confidence": 2, **(levels or {})}
    arrays = {name: np.array([found.get(name, value)]) for name, value in standing.UNKNOWN.items()}
    arrays["variant_id"] = np.array(["v"])
    rows = stock(["v"], **{"on_hand": 3.0, **columns})
    as_of = TODAY - timedelta(days=1)
    return live.assess(arrays, rows, products(["v"]), days=(as_of, TODAY), rules=RULES).frame


def ordered(**columns: Any) -> float:
    return float(assessed(**columns)[UNITS][0])


def breaks(*rows: tuple[float, float]) -> pl.DataFrame:
    found = [("v", least, cost) for least, cost in rows]
    return pl.DataFrame(found, schema=frames.PRICE_BREAKS, orient="row")


# --- how many -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_hand", "units"), [(2.0, 2.0), (3.0, 1.0), (4.0, 0.0)])
def test_it_is_ordered_at_the_reorder_point_already(on_hand, units):
    assert ordered(on_hand=on_hand) == units


def test_one_needed_of_a_pack_of_twelve_is_twelve():
    assert ordered(pack_size=12.0) == 12


@pytest.mark.parametrize("on_hand", [3.0, 2.9999999999, 3.0000000001 - 1e-10])
def test_decimals_of_the_stock_make_no_second_pack(on_hand):
    assert ordered(on_hand=on_hand) == 1


@pytest.mark.parametrize("column", ["on_order", "drafted"])
def test_what_is_on_order_or_drafted_counts_as_there(column):
    assert ordered(on_hand=0.0, **{column: 3.0}) == 1
    assert ordered(on_hand=0.0, **{column: 4.0}) == 0


def test_the_smallest_order_is_kept_in_whole_packs():
    assert ordered(minimum_order=10.0, pack_size=6.0) == 12


@settings(deadline=None)
@given(
    units=st.floats(0, 500), pack=st.integers(1, 30), minimum=st.integers(1, 60),
)  # fmt: skip
def test_whole_packs_are_the_smallest_that_do(units, pack, minimum):
    found = float(ordering.whole_packs(np.array([units]), pack=np.array([pack]), minimum=np.array([minimum]))[0])
    if not units:
        assert found == 0
        return
    assert found % pack == 0
    assert found >= max(units, minimum) - 1e-6
    assert found - pack < max(units, minimum)


# --- when -----------------------------------------------------------------------------------------


def test_a_smallest_order_of_one_and_a_week_of_lead_time_come_in_a_week():
    row = ordering.scheduled(assessed(lead_time_days=7.0, minimum_order=1.0), today=TODAY).to_dicts()[0]
    assert row["expected_on"] == date(2026, 7, 8)


def test_with_the_order_the_shelf_lasts_longer_if_it_lasts_until_it_comes():
    frame = assessed(on_hand=6.0, lead_time_days=4.0, levels={"reorder_point": 8.0, "order_up_to": 20.0})
    row = ordering.scheduled(frame, today=TODAY).to_dicts()[0]
    assert row["stockout_date_with_order"] > row["estimated_stockout_date"] + timedelta(days=20)
    assert row["cover_days"] == pytest.approx((6 - 4 * 0.5 + 14) / 0.5, abs=0.1)
    late = ordering.scheduled(assessed(on_hand=1.0, lead_time_days=40.0), today=TODAY).to_dicts()[0]
    assert late["estimated_stockout_date"] < late["expected_on"] < late["stockout_date_with_order"]


@pytest.mark.parametrize(
    ("season_end", "units"), [(TODAY, 0), (TODAY + timedelta(days=7), 0), (TODAY + timedelta(days=8), 1), (None, 1)]
)
def test_nothing_is_ordered_that_would_come_when_its_season_is_over(season_end, units):
    row = assessed(season_end=season_end, lead_time_days=7.0).to_dicts()[0]
    assert (row[UNITS], row["season_over"]) == (units, not units)
    assert row["code"] != "REORDER_NOW" or units


# --- at which price -------------------------------------------------------------------------------


def test_the_break_of_a_text_book_is_taken():
    """Snyder & Shen 3.6: K 8, i .3, 1,300 a year, .75 / .72 from 400 / .68 from 800: 800 units at 978.60 a year."""
    rules = Rules(holding_rate=0.3, order_cost=8.0)
    need = float(np.round(formulas.eoq(8, 1300, 0.3 * 0.75)))
    frame = assessed(cost=0.75, levels={"daily": 1300 / 365, "reorder_point": 1_000.0})
    frame = frame.with_columns(pl.lit(need).alias(UNITS))
    found = ordering.best_breaks(frame, breaks((400, 0.72), (800, 0.68)), today=TODAY, rules=rules)
    assert found.select(UNITS, "break_taken").row(0) == (800.0, True)
    priced = ordering.priced(found, breaks((400, 0.72), (800, 0.68)))
    assert priced.select("unit_cost", "estimated_cost").row(0) == (0.68, pytest.approx(544))
    yearly = 0.68 * 1300 + float(formulas.eoq_cost(800, 8, 1300, 0.3 * 0.68))
    assert yearly == pytest.approx(978.60)


@pytest.mark.parametrize(
    "why",
    [{"levels": {"daily": 1.0, "reorder_point": 50.0, "order_up_to": 60.0}, "on_hand": 50.0},
     {"levels": {"daily": 5.0, "reorder_point": 50.0, "order_up_to": 60.0, "confidence": 0}, "on_hand": 50.0},
     {"levels": {"daily": 5.0, "reorder_point": 50.0, "order_up_to": 60.0}, "on_hand": 50.0,
      "season_end": TODAY + timedelta(days=30)}],
    ids=["too much for ninety days", "little history", "beyond the season"],
)  # fmt: skip
def test_a_break_is_not_taken_at_any_price(why):
    frame = assessed(cost=5.0, **why)
    found = ordering.best_breaks(frame, breaks((120, 1.0)), today=TODAY, rules=RULES)
    assert found.select(UNITS, "break_taken").row(0) == (10.0, False)
    after = ordering.next_breaks(ordering.priced(found, breaks((120, 1.0))), breaks((120, 1.0)))
    assert after.select("unit_cost", "next_break_units", "next_break_cost").row(0) == (5.0, 120.0, 1.0)


def test_without_a_cost_no_price_is_made_up():
    frame = assessed(cost=None)
    found = ordering.best_breaks(frame, breaks((12, 3.0)), today=TODAY, rules=RULES)
    assert found[UNITS][0] == 1
    assert ordering.priced(found, breaks((12, 3.0))).select("unit_cost", "estimated_cost").row(0) == (None, None)


def test_a_budget_reckons_with_the_dearest_price_that_a_smaller_order_may_have():
    frame = assessed(cost=4.0).with_columns(pl.lit(24.0).alias(UNITS))
    assert ordering.dearest(frame, breaks((12, 3.0))).tolist() == [4.0]
    assert ordering.dearest(frame, breaks((1, 5.0), (12, 3.0))).tolist() == [5.0]
    none = assessed(cost=None).with_columns(pl.lit(24.0).alias(UNITS))
    assert np.isnan(ordering.dearest(none, breaks((12, 3.0)))).all()
    assert ordering.dearest(none, breaks((1, 5.0), (12, 3.0))).tolist() == [5.0]


# --- from whom ------------------------------------------------------------------------------------


def test_each_supplier_gets_its_sums_and_what_is_missing_to_its_smallest_order():
    frame = pl.DataFrame(
        {
            "supplier_id": ["1", "1", "2", None],
            "supplier": ["Norte", "Norte", "Sur", None],
            UNITS: [2.0, 3.0, 1.0, 7.0],
            "estimated_cost": [20.0, None, 100.0, 500.0],
            "minimum_order_value": [50.0, 50.0, 90.0, None],
        }
    )
    assert ordering.by_supplier(frame).rows() == [
        ("2", "Sur", 1, 1.0, 100.0, 0, 90.0, 0.0),
        ("1", "Norte", 2, 5.0, 20.0, 1, 50.0, 30.0),
        (None, None, 1, 7.0, 500.0, 0, None, None),
    ]
