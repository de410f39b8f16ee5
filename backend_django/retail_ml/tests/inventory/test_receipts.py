"""When goods come, and when shelves run empty with them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml import frames
from retail_ml.inventory import policy, receipts
from retail_ml.inventory.receipts import Receipts

TODAY = date(2026, 7, 1)


def orders(*lines: tuple, draft: bool = False) -> pl.DataFrame:
    """Lines of one supplier: (variant, ordered, expected, units), days counted from today."""
    rows = [
        {
            "variant_id": v, "order_id": str(i), "number": f"PO-{i}", "supplier_id": "1",
            "ordered": None if a is None else TODAY + timedelta(days=a),
            "expected": None if b is None else TODAY + timedelta(days=b), "units": float(n), "draft": draft,
        }
        for i, (v, a, b, n) in enumerate(lines)
    ]  # fmt: skip
    return frames.check(pl.DataFrame(rows, schema=frames.OPEN_ORDERS), frames.OPEN_ORDERS, name="open orders")


def expected(table: pl.DataFrame, *, on_order: float, lead: float = 10.0, sd: float = 2.0) -> Receipts:
    return receipts.expected(
        table, pl.Series(["v"]), on_order=np.array([on_order]), lead=(np.array([lead]), np.array([sd])), today=TODAY
    )


def test_each_delivery_on_its_day_and_drafts_on_none():
    found = expected(orders(("v", -3, 4, 5), ("v", -1, 4, 2), ("v", -1, 20, 7), ("other", -1, 1, 9)), on_order=14)
    assert (found.days.tolist(), found.units.tolist()) == ([[4.0, 20.0]], [[7.0, 7.0]])
    assert found.within(np.array([4.0])).tolist() == [0.0]  # what comes on day 4 cannot be sold on days 0 to 3
    assert found.within(5.0).tolist() == [7.0]
    drafted = expected(orders(("v", None, 4, 5), draft=True), on_order=0)
    assert drafted.next_days.tolist() == [np.inf]


def test_without_a_promise_a_lead_time_after_the_order_and_without_a_list_after_a_whole_one():
    found = expected(orders(("v", -4, None, 5)), on_order=8)
    assert (found.days.tolist(), found.units.tolist()) == ([[6.0, 10.0]], [[5.0, 3.0]])


def test_who_is_late_is_waited_for_longer():
    on_time, late, later = (expected(orders(("v", -10, day, 5)), on_order=5) for day in (0, -3, -9))
    assert on_time.next_days[0] == 0
    assert 1 <= late.next_days[0] < 10
    assert on_time.late_number[0] == ""
    assert (later.late_days[0], later.late_units[0], later.late_number[0]) == (9.0, 5.0, "PO-0")


def test_late_within_the_usual_spread_is_not_called_late():
    assert expected(orders(("v", -12, -2, 5)), on_order=5, sd=2.0).late_days[0] == 0
    assert expected(orders(("v", -13, -3, 5)), on_order=5, sd=2.0).late_days[0] == 3


def test_no_more_than_eight_deliveries_are_looked_at_apart():
    found = expected(orders(*[("v", -1, day, 1) for day in range(1, 15)]), on_order=14)
    assert found.days.shape == (1, receipts.MOST_RECEIPTS)
    assert found.units.sum() == 14
    assert found.days[0, -1] == 14


# --- days until sold out --------------------------------------------------------------------------


def days(on_hand, *, daily=1.0, ratio=1.5, on_order=0.0, lead=7.0, q=0.5):
    coming = Receipts(
        np.array([[lead]]), np.array([[on_order]]), np.zeros(1), np.zeros(1), np.array([""], dtype=object)
    )
    return float(
        receipts.days_until_out(
            np.array([daily]), np.array([ratio]), on_hand=np.array([on_hand], float), receipts=coming, probability=q
        )[0]
    )


def test_stock_out_dates():
    assert days(0) == 0
    assert days(-4) == 0
    assert np.isnan(days(5, daily=0.0))
    assert np.isnan(days(100_000))
    assert days(30) == pytest.approx(30, abs=2)
    assert days(30, q=0.1) < days(30) < days(30, q=0.9)
    assert days(30, on_order=20) == pytest.approx(50, abs=2)
    assert days(3, on_order=20, lead=30) == days(3)  # gone before it comes
    assert days(3, on_order=20, lead=0) == pytest.approx(23, abs=2)  # it comes this morning


@given(st.floats(0, 500), st.floats(0.01, 20), st.floats(1.05, 20))
@settings(max_examples=60, deadline=None)
def test_stock_out_day_is_the_first_that_reaches_the_probability(stock, daily, ratio):
    t = days(stock, daily=daily, ratio=ratio)
    law = (np.array([stock - 1]), np.array([daily]), np.array([ratio]))
    if np.isnan(t):
        assert policy.probability_above(*law, days=float(policy.HORIZON))[0] < 0.5
        return
    if t == 0:
        return
    assert policy.probability_above(*law, days=t)[0] >= 0.5 - 1e-9
    assert t == 1 or policy.probability_above(*law, days=t - 1)[0] < 0.5


def test_half_of_the_shelves_are_empty_by_the_date_and_a_tenth_by_the_early_one():
    """Shelves with deliveries on known days, emptied by demand drawn from the very law: the dates are what they say."""
    rng = np.random.default_rng(11)
    n, horizon = 4_000, 400
    daily, ratio = rng.uniform(0.3, 6, n), rng.uniform(1.2, 5, n)
    stock = np.ceil(daily * rng.uniform(5, 40, n))
    when = np.sort(rng.integers(1, 40, (n, 2)), axis=1).astype(float)
    units = np.ceil(daily[:, None] * rng.uniform(5, 30, (n, 2)))
    coming = Receipts(when, units, np.zeros(n), np.zeros(n), np.full(n, "", dtype=object))
    half, early = (
        receipts.days_until_out(daily, ratio, on_hand=stock, receipts=coming, probability=q) for q in (0.5, 0.1)
    )
    left, out = stock.copy(), np.full(n, np.inf)
    for t in range(horizon):
        left += (units * (when == t)).sum(axis=1)
        left = np.maximum(left - rng.negative_binomial(daily / (ratio - 1), 1 / ratio), 0)
        out = np.where((left <= 0) & np.isinf(out), t + 1, out)
    known = np.isfinite(half) & (half < horizon)
    assert 0.40 <= (out[known] <= half[known]).mean() <= 0.60
    assert 0.05 <= (out[known] <= early[known]).mean() <= 0.15


@given(
    st.floats(0, 200), st.floats(0.01, 10), st.floats(1.05, 10),
    st.lists(st.tuples(st.floats(0, 60), st.floats(1, 100)), max_size=5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_projection_is_bounded_and_falls_between_deliveries(stock, daily, ratio, coming):
    expected, lower, arriving = receipts.projected(stock, (daily, ratio), coming=coming, days=40)
    assert (lower >= 0).all()
    assert (lower <= expected + 1e-9).all()
    assert arriving.sum() == pytest.approx(sum(units for when, units in coming if when < 40))
    before = np.r_[stock, expected[:-1]] + arriving
    assert (expected <= before + 1e-6).all()
    assert (before - expected <= daily + 1e-6).all()  # no more is lost in a day than is asked for


def test_a_projection_is_the_mean_of_shelves_that_run_empty():
    rng = np.random.default_rng(3)
    left = np.full(40_000, 12.0)
    means = []
    for t in range(20):
        left += 15.0 * (t == 10)
        left = np.maximum(left - rng.negative_binomial(1.5 / (2.0 - 1), 1 / 2.0, len(left)), 0)
        means.append(left.mean())
    expected, _, _ = receipts.projected(12.0, (1.5, 2.0), coming=[(10.0, 15.0)], days=20)
    assert np.abs(expected - means).max() < 0.35
    assert np.abs(expected[:10] - means[:10]).max() < 0.1


def test_the_projection_is_the_sum_of_its_days():
    """Day by day, as the formula reads; the function takes the days between two deliveries at once."""
    law, stock, days = (1.3, 1.8), 11.0, 45
    for coming in ([], [(0.0, 4.0)], [(0.5, 2.0), (7.0, 9.0), (7.2, 3.0), (30.0, 1.0)], [(44.9, 5.0), (50.0, 8.0)]):
        expected, lower, arriving = receipts.projected(stock, law, coming=coming, days=days)
        daily, ratio = np.array([law[0]]), np.array([law[1]])
        level, since, yesterday = stock, 0, stock
        for t in range(days):
            came = sum(units for when, units in coming if int(when) == t and when < days)
            assert arriving[t] == came
            if came:
                level, since = yesterday + came, t
            ahead = float(t + 1 - since)
            short = policy.units_short(np.array([level]), daily, ratio, days=ahead)[0]
            yesterday = max(level - law[0] * ahead + short, 0.0)
            assert expected[t] == pytest.approx(yesterday, abs=1e-12)
            most = policy.demand_quantile(0.9, daily, ratio, days=float(t + 1))[0]
            assert lower[t] == pytest.approx(min(max(stock + arriving[: t + 1].sum() - most, 0.0), yesterday))
    assert receipts.projected(stock, law, coming=[], days=0)[0].tolist() == []
