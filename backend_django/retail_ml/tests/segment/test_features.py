"""Features as of a day."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from retail_ml.segment.features import MONTH, bought_between, features, visits
from retail_ml.tests.segment.shops import AS_OF, Sale, busy, lines

THREE: list[Sale] = [
    ("anna", 90, 10.0), ("anna", 50, 20.0), ("anna", 50, 30.5), ("anna", 10, 40.0), ("anna", 5, -15.25),
    ("bert", 400, 99.99),
    ("cora", 3, 8.0), ("cora", 1, 12.0), ("cora", 0, -30.0),
    (None, 4, 500.0),
]  # fmt: skip


def test_golden_rfm_of_three_customers_by_hand():
    """Anna: days 90, 50 (two orders), 10; 100.50 less 15.25 returned. Cora returned more than she bought."""
    found = features(visits(lines(THREE), AS_OF), AS_OF)
    expected = {
        "recency_days": [10, 400, 1],
        "tenure_days": [90, 400, 3],
        "orders": [4, 1, 2],
        "visits": [3, 1, 2],
        "spent": [85.25, 99.99, -10.0],
        "avg_order_value": [85.25 / 4, 99.99, -5.0],
        "monthly": [4 * MONTH / 90, MONTH / 400, 2.0],
        "interval_days": [40.0, None, 2.0],
        "overdue": [10 / 40, None, 1 / 14],
    }
    for column, values in expected.items():
        assert found[column].to_list() == pytest.approx(values), column


def test_guests_are_counted_apart():
    seen = visits(lines(THREE), AS_OF)
    assert (seen.guest_orders, seen.guest_spent) == (1, 500.0)
    assert seen.ids.to_list() == ["anna", "bert", "cora"]


def test_customers_with_only_returns_have_no_features():
    seen = visits(lines([("a", 3, 5.0), ("z", 2, -5.0)]), AS_OF)
    assert seen.ids.to_list() == ["a", "z"]
    assert features(seen, AS_OF)["row"].to_list() == [0]


def test_an_order_reversed_on_its_day_is_no_order():
    reversed_at_once = lines([("a", 30, 5.0), ("a", 9, 80_000.0), ("a", 9, -80_000.0)])
    reversed_at_once = reversed_at_once.with_columns(variant_id=pl.lit("v"))
    assert features(visits(reversed_at_once, AS_OF), AS_OF)["recency_days"].to_list() == [30]


def test_features_do_not_see_the_future():
    earlier = AS_OF - timedelta(days=100)
    everything = busy()
    past_only = [sale for sale in everything if sale[1] >= 100]
    then = features(visits(lines(past_only), AS_OF), earlier).drop("row")
    assert_frame_equal(features(visits(lines(everything), AS_OF), earlier).drop("row"), then)


def test_bought_between_tells_repeats_from_first_visits():
    seen = visits(lines([("a", 50, 5.0), ("a", 20, 7.0), ("b", 20, 9.0), ("b", 10, -3.0)]), AS_OF)
    known = features(seen, AS_OF)
    came = bought_between(seen, known, AS_OF - timedelta(days=30), AS_OF)
    assert came.select("visits", "repeats", "spent", "spent_repeats").rows() == [(1, 1, 7, 7), (1, 0, 6, 0)]
