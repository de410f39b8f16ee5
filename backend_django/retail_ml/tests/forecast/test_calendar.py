"""Closed days are learned, and silence in a shop that seldom sells is not taken for a closure."""

from datetime import date

import numpy as np

from retail_ml.forecast import calendar, closures
from retail_ml.tests.forecast.shops import history


def test_closed_weekday_needs_silence_that_is_improbable():
    open_six = np.resize([True] * 6 + [False], 70)
    assert calendar.learn(date(2024, 1, 1), open_six).closed_weekdays == {6}
    rng = np.random.default_rng(0)
    seldom = rng.random(400) < 0.08
    assert calendar.learn(date(2024, 1, 1), seldom).closed_weekdays == frozenset()


def test_a_weekday_opened_lately_is_open():
    sold = np.resize([True] * 6 + [False], 600)
    sold[-60:] = True
    assert calendar.learn(date(2024, 1, 1), sold).closed_weekdays == frozenset()


def test_christmas_shutdown_returns_but_a_refurbishment_does_not():
    start = date(2024, 6, 3)
    sold = np.ones(300, dtype=bool)
    christmas = (date(2024, 12, 24) - start).days
    sold[christmas : christmas + 5] = False
    learned = calendar.learn(start, sold)
    assert learned.is_open(date(2025, 12, 23), 7).tolist() == [True, False, False, False, False, False, True]
    sold[christmas - 60 : christmas + 60] = False  # four months: not a Christmas shutdown
    assert calendar.learn(start, sold).shutdowns == ()


def test_long_closure_stays_out_of_levels():
    y = np.full(200, 10.0)
    y[150:190] = 0.0
    h = history(y)
    assert h.closed_long.sum() == 40
    assert h.usable.sum() == 160


def test_closures_in_a_sparse_shop_need_to_be_long():
    rng = np.random.default_rng(1)
    sold = rng.random(365) < 0.08
    assert not closures.closures(sold, np.ones(365, dtype=bool)).any()


def test_shutdown_uses_month_and_day_across_new_year():
    start = date(2024, 9, 2)
    sold = np.ones(200, dtype=bool)
    eve = (date(2024, 12, 31) - start).days
    sold[eve : eve + 3] = False
    learned = calendar.learn(start, sold)
    assert learned.is_open(date(2025, 12, 30), 5).tolist() == [True, False, False, False, True]
