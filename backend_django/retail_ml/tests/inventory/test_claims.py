"""What alerts claim, and what came: from sales and stock of the days after, and of no others."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from retail_ml import frames
from retail_ml.inventory import alerts, claims
from retail_ml.tests.inventory.tables import lines, stock
from retail_ml.tests.inventory.test_plan import assess, one

AS_OF = date(2026, 6, 30)


def moved(shelves: dict[str, np.ndarray]) -> pl.DataFrame:
    """Stock movements that leave each variant with so many units on the evening of each day up to AS_OF."""
    rows = []
    for variant, evening in shelves.items():
        first = AS_OF - timedelta(days=len(evening) - 1)
        for t, units in enumerate(np.diff(np.r_[0, evening])):
            if units:
                at = datetime.combine(first + timedelta(days=t), time(12), tzinfo=UTC)
                kind = "sale" if units < 0 else "receipt"
                rows.append({"variant_id": variant, "at": at, "day": at.date(), "units": float(units), "kind": kind})
    return pl.DataFrame(rows, schema=frames.STOCK_HISTORY)


def claim(code: str, variant: str = "v", *, ago: int, days: int, **values: Any) -> dict[str, Any]:
    """A claim made `ago` days before AS_OF about the `days` after it."""
    on = AS_OF - timedelta(days=ago)
    row = {"code": code, "variant_id": variant, "abc": "A", "made_on": on, "due_on": on + timedelta(days=days)}
    return {**row, "units": None, "stock": None, "bound": None, "unit_money": 5.0, **values}


SCHEMA = {
    **dict.fromkeys(("code", "variant_id", "abc"), pl.String), "made_on": pl.Date, "due_on": pl.Date,
    **dict.fromkeys(("units", "stock", "bound", "unit_money"), pl.Float64),
}  # fmt: skip


def came(rows: list[dict[str, Any]], sold: dict[str, np.ndarray], shelves: dict[str, np.ndarray] | None) -> list[dict]:
    ids = sorted(sold)
    on_hand = [float(shelves[v][-1]) if shelves else 5.0 for v in ids]
    history = moved(shelves) if shelves else None
    abc = pl.DataFrame({"variant_id": ids, "abc": ["A"] * len(ids)})
    table = pl.DataFrame(rows, schema=SCHEMA)
    return claims.outcomes(table, lines(sold), stock(ids, on_hand=on_hand), history, abc=abc, as_of=AS_OF).to_dicts()


def test_sold_out_and_what_was_missed():
    """Two a day for 90 days, then the shelf is empty for the last ten: ten days at two a day are missed."""
    sold = {"v": np.r_[np.full(90, 2.0), np.zeros(10)], "w": np.full(100, 2.0)}
    shelves = {"v": np.r_[200.0 - 2 * np.arange(1, 91), np.full(10, 20.0)], "w": 400.0 - 2 * np.arange(1, 101)}
    shelves["v"] = np.maximum(180.0 - 2 * np.arange(1, 101), 0)
    rows = [claim("REORDER", ago=14, days=14), claim("REORDER", ago=14, days=3), claim("OUT_OF_STOCK", ago=9, days=9)]
    found = came(rows, sold, shelves)
    assert [row["came_true"] for row in found] == [True, False, True]
    # the day on which the last went counts as half a day without stock: 10.5 days, rate 2 on days with stock
    assert found[0]["units_came"] == pytest.approx(2 * 10.5, rel=0.02)
    assert found[0]["money_came"] == pytest.approx(5 * found[0]["units_came"])
    assert found[1]["units_came"] == 0
    assert found[0]["base_rate"] == 0.5  # of v and w one sold out
    assert (found[1]["base_rate"], found[2]["base_rate"]) == (0.0, None)


def test_a_delivery_that_was_hurried_does_not_make_the_alert_wrong():
    """One a day; a delivery after three days keeps the shelf from running empty: five would have been too few."""
    sold = {"v": np.full(100, 1.0)}
    before, after = 98.0 - np.arange(1, 94), 30.0 - np.arange(1, 8)  # five are left, then 25 come in
    shelves = {"v": np.r_[before, after]}
    rows = [claim("REORDER", ago=7, days=7, stock=5.0), claim("REORDER", ago=7, days=7, stock=8.0)]
    found = came(rows, sold, shelves)
    assert [(row["came_true"], row["units_came"]) for row in found] == [(True, 0.0), (False, 0.0)]


def test_what_was_missed_is_not_estimated_too_high():
    """Shelves that run empty by chance: what is said to be missed is what was really asked for, on average."""
    rng = np.random.default_rng(8)
    n, long, asked = 400, 140, 0.0
    sold, shelves, truth = {}, {}, 0.0
    for i in range(n):
        asked = rng.poisson(0.25, long)
        left, evening, bought = 28.0, [], []
        for t in range(long):
            got = min(left, asked[t])
            left -= got
            bought.append(got)
            evening.append(left)
        name = f"v{i:03}"
        sold[name], shelves[name] = np.array(bought), np.array(evening)
        truth += float((asked - np.array(bought))[-30:].sum())
    found = came([claim("REORDER", name, ago=30, days=30) for name in sold], sold, shelves)
    said = sum(row["units_came"] or 0.0 for row in found)
    assert truth > 2_000
    assert said == pytest.approx(truth, rel=0.1)


def test_what_was_never_there_has_no_rate():
    (found,) = came(
        [claim("OUT_OF_STOCK", ago=9, days=9)], {"v": np.r_[5.0, np.zeros(119)]}, {"v": np.r_[1.0, np.zeros(119)]}
    )
    assert (found["came_true"], found["unknown"]) == (None, "never_there")


def test_what_lies_is_held_against_the_sales():
    sold = {"v": np.r_[np.zeros(40), np.full(60, 1.0)]}
    rows = [
        claim("DEAD_STOCK", ago=80, days=20, stock=10.0, units=10.0, bound=0.0),
        claim("DEAD_STOCK", ago=60, days=20, stock=50.0, units=50.0, bound=0.0),
        claim("OVERSTOCK", ago=50, days=40, stock=100.0, units=30.0, bound=70.0),
        claim("OVERSTOCK", ago=50, days=40, stock=60.0, units=30.0, bound=30.0),
        claim("SEASON_END_RISK", ago=30, days=30, stock=100.0, units=10.0, bound=90.0),
        claim("REORDER_SOON", ago=7, days=7, stock=12.0, bound=7.0, unit_money=None),
        claim("REORDER_SOON", ago=7, days=7, stock=12.0, bound=8.0, unit_money=None),
    ]
    found = came(rows, sold, None)
    assert [row["came_true"] for row in found] == [True, False, True, False, True, True, False]
    assert [row["units_came"] for row in found[:5]] == [10, 30, 30, 20, 70]
    assert [row["money_came"] for row in found[5:]] == [None, None]


def test_only_the_days_of_the_claim_decide():
    """What happened before the claim was made, or after its last day, changes nothing."""
    base = np.full(100, 1.0)
    rows = [claim("OVERSTOCK", ago=50, days=20, stock=40.0, units=20.0, bound=20.0)]
    (plain,) = came(rows, {"v": base}, None)
    around = base.copy()
    around[:50], around[71:] = 9.0, 9.0  # day 49 is the day of the claim, 50 to 69 decide
    around[49] = 9.0
    around[70] = 9.0
    assert came(rows, {"v": around}, None) == [plain]
    inside = base.copy()
    inside[69] = 2.0
    assert came(rows, {"v": inside}, None)[0]["came_true"] is not plain["came_true"]


def test_what_cannot_be_known_says_why():
    rows = [
        claim("REORDER", ago=14, days=7), claim("DEAD_STOCK", "gone", ago=14, days=7, stock=1.0, units=1.0, bound=0.0),
        claim("DEAD_STOCK", ago=14, days=7, stock=9.0, units=9.0, bound=0.0),
    ]  # fmt: skip
    found = came(rows, {"v": np.full(60, 1.0)}, None)
    assert [(row["came_true"], row["unknown"]) for row in found] == [
        (None, "no_stock_history"), (None, "gone"), (False, ""),
    ]  # fmt: skip
    assert {found[0][name] for name in ("units_came", "money_came", "base_rate")} == {None}
    other = came([rows[0]], {"v": np.full(60, 1.0), "w": np.full(60, 1.0)}, {"v": np.zeros(60), "w": np.full(60, 3.0)})
    assert other[0]["unknown"] == "not_trusted"  # v was never moved, nobody knows what was there


# --- what is claimed ------------------------------------------------------------------------------


def claimed(**columns: Any) -> dict[tuple[str, str], dict[str, Any]]:
    frame = assess(stock(["v05"], **columns))
    return {(row["kind"], row["code"]): row for row in claims.make(frame, review_days=7).to_dicts()}


def test_every_code_with_an_event_is_claimed_with_its_days_and_probability():
    found = claimed(on_hand=20.0)
    row = one(on_hand=20.0)
    reorder = found["alert", "REORDER_NOW"]
    assert reorder["days"] == found["suggestion", "REORDER"]["days"] == row["lead_days"] == 7
    assert reorder["probability"] == row["gone_before_receipt"] == pytest.approx(row["probability"], abs=1e-4)
    assert reorder["money"] == pytest.approx(row["short_before"] * 5.0)
    assert ("rule", "BELOW_7_DAYS") not in found, "20 units are more than 7 days"
    assert ("rule", "BELOW_7_DAYS") in claimed(on_hand=3.0)
    over = claimed(on_hand=900.0)["alert", "OVERSTOCK"]
    assert (over["days"], over["bound"], over["stock"]) == (97, 900.0 - over["units"], 900.0)
    assert over["probability"] >= 0.95
    assert claimed(on_hand=0.0)["alert", "OUT_OF_STOCK"]["days"] == 14
    assert claimed(on_hand=0.0).keys() == {("alert", "OUT_OF_STOCK")}, "an empty shelf cannot sell out"


def test_every_claim_has_the_same_columns_and_nothing_is_claimed_of_nothing():
    assert claims.make(assess(stock(["v05"])).clear(), review_days=7).is_empty()
    dead = claims.make(assess(stock(["v11"], on_hand=10.0)), review_days=7)
    assert dead["code"].to_list() == ["DEAD_STOCK"]
    assert dict(dead.schema) == claims.SCHEMA


def test_a_season_that_is_over_is_a_fact_and_no_claim():
    ends = [AS_OF + timedelta(days=days) for days in (1, 0)]  # today is the day after AS_OF
    assert one(on_hand=400.0, season_end=ends[1])["code"] == "SEASON_END_RISK"
    assert claimed(on_hand=400.0, season_end=ends[0])["alert", "SEASON_END_RISK"]["days"] == 1
    assert ("alert", "SEASON_END_RISK") not in claimed(on_hand=400.0, season_end=ends[1])


def test_probabilities_are_those_of_the_events():
    """Drawn from the very law that the plan states, events happen as often as claimed."""
    rng = np.random.default_rng(4)
    row = one(on_hand=30.0)
    draws = rng.negative_binomial(
        row["daily_demand"] * 7 / (row["variance_ratio"] - 1), 1 / row["variance_ratio"], 20_000
    )
    gone = claimed(on_hand=30.0)["alert", "REORDER_NOW"]
    assert (draws >= 30).mean() == pytest.approx(gone["probability"], abs=0.015)
    level = row["reorder_point"] + 6
    soon = claimed(on_hand=level)["alert", "REORDER_SOON"]
    assert (draws >= soon["bound"]).mean() == pytest.approx(soon["probability"], abs=0.015)


def test_codes_with_an_event_are_codes_of_alerts():
    assert set(claims.EVENTS) - {claims.SUGGESTION, claims.RULE} <= set(alerts.CODES)
