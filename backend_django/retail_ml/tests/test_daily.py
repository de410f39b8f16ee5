"""Order lines added up: what comes out is what the lines themselves say, in however many parts they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from retail_ml import daily, engine, frames
from retail_ml.engine import Processes
from retail_ml.errors import BadFrame
from retail_ml.segment.features import visits
from retail_ml.segment.value import margin_share

ZONE = "Europe/Madrid"


def order_lines(seed: int = 1, orders: int = 600) -> pl.DataFrame:
    """Orders of few customers over few days, with guests, returns of the same day and later, and lines of no units."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for order in range(orders):
        at = datetime(2026, 3, 1, 6, tzinfo=UTC) + timedelta(minutes=int(rng.integers(60 * 24 * 20)))
        customer = None if rng.random() < 0.2 else f"c{rng.integers(12)}"
        for product in rng.choice(15, size=int(rng.integers(1, 4)), replace=False):
            units = float(rng.integers(0, 4)) if rng.random() < 0.1 else float(rng.integers(1, 4))
            price = round(float(rng.random() * 40), 2) * (rng.random() > 0.05)
            line = (f"o{order}", customer, f"p{product // 2}", f"v{product}")
            rows.append((*line, at, units, units * price, False))
            if units and rng.random() < 0.25:
                back = units if rng.random() < 0.7 else 1.0
                later = at + timedelta(minutes=int(rng.choice([5, 300, 4_000])))
                rows.append((*line, later, -back, -back * price, True))
    schema = {name: dtype for name, dtype in frames.ORDER_LINES.items() if name != "day"}
    return pl.DataFrame(rows, schema=schema, orient="row")


def parted(lines: pl.DataFrame, parts: int, seed: int) -> list[pl.LazyFrame]:
    """Sales of an order together, returns wherever chance puts them."""
    mine = pl.col("order_id").hash(seed) % parts
    back = pl.struct("order_id", "at", "variant_id").hash(seed + 1) % parts
    part = pl.when(pl.col("is_return")).then(back).otherwise(mine)
    return [lines.filter(part == i).lazy() for i in range(parts)]


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    return frames.with_day(order_lines(), ZONE)


@pytest.fixture(scope="module")
def whole(lines: pl.DataFrame) -> pl.DataFrame:
    return daily.lines([lines.drop("day").lazy()], time_zone=ZONE)


@pytest.mark.parametrize("parts", [2, 7, 40])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_in_however_many_parts(lines: pl.DataFrame, whole: pl.DataFrame, parts: int, seed: int):
    assert_frame_equal(daily.lines(parted(lines.drop("day"), parts, seed), time_zone=ZONE), whole)


def test_the_same_from_two_processes(lines: pl.DataFrame, whole: pl.DataFrame):
    with engine.using(Processes(2)):
        assert_frame_equal(daily.lines(parted(lines.drop("day"), 7, 1), time_zone=ZONE), whole)


def test_what_models_ask_of_the_lines_is_what_they_say(lines: pl.DataFrame, whole: pl.DataFrame):
    until = lines["day"].max()
    assert whole["reversed"].any()
    assert len(whole) < len(lines)
    for mine, theirs in ((whole, lines), (frames.net_same_day(whole), frames.net_same_day(lines))):
        for by in ([], ["product_id"], ["variant_id", "is_return"]):
            assert_frame_equal(frames.daily_sales(mine, by, until=until), frames.daily_sales(theirs, by, until=until))
        for day in lines["day"].unique():
            sold = [table.filter(~pl.col("is_return"), pl.col("day") <= day) for table in (mine, theirs)]
            assert frames.orders_in(sold[0]) == frames.orders_in(sold[1])
            paid = [table.filter(pl.col("units") > 0, pl.col("amount") > 0)["amount"].sum() for table in sold]
            assert paid[0] == pytest.approx(paid[1], rel=1e-12)
        assert mine["lines"].sum() == theirs.height
        last = [table.group_by("variant_id").agg(pl.col("at").max()).sort("variant_id") for table in (mine, theirs)]
        assert_frame_equal(*last)


def test_what_is_asked_of_customers_is_what_the_lines_say(lines: pl.DataFrame, whole: pl.DataFrame):
    customers, variants = daily.customer_lines(parted(lines.drop("day"), 7, 1), time_zone=ZONE)
    assert_frame_equal(variants, whole)
    assert len(customers) < len(lines) / 2
    costs = pl.DataFrame({"variant_id": [f"v{i}" for i in range(12)], "cost": [7.25 + i / 3 for i in range(12)]})
    assert margin_share(variants, costs) == margin_share(lines, costs)
    for day in lines["day"].unique():
        found, wanted = visits(customers, day), visits(lines, day)
        assert found.ids.equals(wanted.ids)
        assert_frame_equal(found.days, wanted.days)
        assert (found.guest_orders, found.guest_spent) == (wanted.guest_orders, wanted.guest_spent)


def test_counts_are_those_of_the_lines(lines: pl.DataFrame):
    found = daily.counts(parted(lines.drop("day"), 7, 1), time_zone=ZONE)
    sold = lines.filter(~pl.col("is_return"))
    assert found == daily.counted(lines)[0]
    assert found == daily.Counts(600, 12, sold.height, lines.height - sold.height, sold["at"].max())


def test_nothing_added_up_is_nothing():
    none = order_lines(orders=0)
    for parts in ([], [none.lazy()]):
        customers, variants = daily.customer_lines(parts, time_zone=ZONE)
        assert_frame_equal(customers, frames.empty(daily.CUSTOMER_DAYS))
        assert_frame_equal(variants, frames.empty(daily.DAILY))
        assert daily.counts(parts, time_zone=ZONE) == daily.Counts(0, 0, 0, 0, None)


def test_a_faulty_part_is_refused_as_the_whole_is(lines: pl.DataFrame):
    parts = parted(lines.drop("day"), 3, 1)
    with pytest.raises(BadFrame, match="the sign of the units"):
        daily.lines([*parts[:2], parts[2].with_columns(is_return=pl.lit(value=True))], time_zone=ZONE)
    with pytest.raises(BadFrame, match=r"order lines\.amount is empty"):
        daily.lines([*parts[:2], parts[2].with_columns(amount=pl.lit(None, pl.Float64))], time_zone=ZONE)
