"""Times that are no dates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from retail_ml.recommend.clock import on_one_clock

NOW = 400.0


def trade(seed: int = 0, customers: int = 60) -> pl.DataFrame:
    """Orders of customers who come when they like; one line each; order ids in the order of time."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, customers, 500)
    when = np.sort(rng.uniform(0, 390, 500))
    return pl.DataFrame({"order": np.arange(500), "customer": owner, "product": rng.integers(0, 9, 500), "time": when})


def numbered(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(time=pl.int_range(1, pl.len() + 1).over("customer").cast(pl.Float64))


def ages(lines: pl.DataFrame) -> np.ndarray:
    return NOW - on_one_clock(lines, now=NOW)["time"].to_numpy()


def test_dates_stay_what_they_are():
    for lines in (trade(), trade().with_columns(pl.col("time").floor()), trade().with_columns(customer=pl.lit(-1))):
        assert on_one_clock(lines, now=NOW)["time"].to_list() == lines["time"].to_list()


@pytest.mark.parametrize("ends", [False, True])
def test_order_numbers_are_counted_back_from_each_customers_last(ends):
    lines = numbered(trade())
    if ends:
        lines = lines.with_columns(time=pl.col("time") - pl.col("time").max().over("customer"))
    age = on_one_clock(lines, now=NOW).with_columns(age=NOW - pl.col("time"))
    for _, own in age.partition_by("customer", as_dict=True).items():
        assert own.sort("order")["age"].to_list() == [14 + 28 * i for i in reversed(range(len(own)))]


def test_guests_among_order_numbers_are_spread_between_them():
    lines = numbered(trade()).with_columns(customer=pl.when(pl.col("order") % 5 == 0).then(-1).otherwise("customer"))
    lines = pl.concat([lines.filter(pl.col("customer") < 0), numbered(lines.filter(pl.col("customer") >= 0))])
    age = on_one_clock(lines, now=NOW).with_columns(age=NOW - pl.col("time"))
    guests, known = age.filter(pl.col("customer") < 0)["age"], age.filter(pl.col("customer") >= 0)["age"]
    assert known.min() < guests.min() < guests.max() < known.max()
    assert len(age) == len(lines)


def test_days_since_the_first_order_end_with_now():
    lines = trade().with_columns(time=pl.col("time") - pl.col("time").min().over("customer"))
    found = on_one_clock(lines, now=NOW).with_columns(age=NOW - pl.col("time"))
    assert found.group_by("customer").agg(pl.col("age").min())["age"].to_list() == pytest.approx([0.5] * 60)
    gaps = [frame.sort("order").select(pl.col("time").diff().over("customer"))["time"] for frame in (lines, found)]
    assert gaps[0].to_list() == pytest.approx(gaps[1].to_list())


def test_one_time_or_one_number_for_each_order_is_a_year_in_the_order_of_the_ids():
    one = trade().with_columns(time=pl.lit(0.0))
    each = pl.concat([trade(seed).with_columns(order=pl.col("order") + 500 * seed) for seed in range(2)])
    each = each.with_columns(time=pl.col("order").cast(pl.Float64) + 100_000)
    for lines in (one, each):
        age = ages(lines)
        assert 0 < age.min() < age.max() < 365
        assert (np.diff(age[np.argsort(lines["order"].to_numpy())]) < 0).all()


def test_few_lines_are_no_trouble():
    for count in range(4):
        lines = numbered(trade()).head(count)
        assert len(on_one_clock(lines, now=NOW)) == count
