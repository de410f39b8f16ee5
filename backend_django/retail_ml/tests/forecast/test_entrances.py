"""The functions for outside data: every kind of frame, holes, strange numbers, and answers that are always finite."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from retail_ml.errors import BadFrame, BadParameter
from retail_ml.forecast.entrances import forecast_products, forecast_total
from retail_ml.forecast.long_frames import NAMES, read

START = date(2025, 1, 6)  # a Monday


def frame(series: dict[Any, Any], start: date = START) -> pl.DataFrame:
    """One row per series and day."""
    parts = [
        pl.DataFrame({"unique_id": [name] * len(y), "ds": [start + timedelta(days=i) for i in range(len(y))], "y": y})
        for name, y in series.items()
    ]
    return pl.concat(parts, how="vertical_relaxed")


def noisy(days: int, *, seed: int = 0, mean: float = 100.0) -> list[float]:
    """Sundays closed."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(8, mean / 8, days)
    y[(np.arange(days) % 7) == 6] = 0.0
    return y.round(2).tolist()


def check(answer: dict[str, Any], ids: list[Any], horizon: int) -> None:
    """The shape of every answer, and quantiles that rise, are finite and not negative."""
    daily, cum = answer["daily"], answer["cum"]
    assert daily.columns == ["unique_id", "ds", "mean", *NAMES]
    assert cum.columns == ["unique_id", "window", *NAMES]
    assert daily["unique_id"].to_list() == [i for i in ids for _ in range(horizon)]
    for table in (daily, cum):
        q = table.select(NAMES).to_numpy()
        assert np.isfinite(q).all()
        assert (q >= 0).all()
        assert (np.diff(q, axis=1) >= 0).all()
    assert np.isfinite(daily["mean"].to_numpy()).all()
    assert cum["window"].max() == horizon


@pytest.mark.parametrize("function", [forecast_total, forecast_products])
@pytest.mark.parametrize(
    "y",
    [
        [5.0] * 90,
        [0.0] * 40,
        [3.0],
        [0.0, 0.0, 7.0],
        [-4.0] * 30,
        [*noisy(60), -1e4, 1e15],
        [1e300] * 50,
        [float("inf")],
    ],
    ids=["constant", "zeros", "one", "late", "negative", "freaks", "huge", "infinite"],
)
def test_strange_series_have_finite_answers(function: Any, y: list[float]) -> None:
    check(function(frame({"x": y}), 10), ["x"], 10)


def test_series_of_their_own_length_end_together() -> None:
    long, short = frame({"b": noisy(120)}), frame({"a": noisy(50, seed=1)}, START + timedelta(days=60))
    answer = forecast_total(pl.concat([long, short]), 7)
    check(answer, ["a", "b"], 7)
    assert answer["daily"]["ds"].min() == START + timedelta(days=120)


def test_rows_in_any_order_and_days_left_out_change_nothing() -> None:
    train = frame({"a": noisy(80), "b": noisy(80, seed=1)})
    mixed = train.filter(pl.col("y") > 0).sample(fraction=1.0, shuffle=True, seed=3)
    assert mixed["ds"].max() == train["ds"].max()  # a table without its last days ends earlier
    for function in (forecast_total, forecast_products):
        whole, holes = function(train, 8), function(mixed, 8)
        assert whole["daily"].equals(holes["daily"])
        assert whole["cum"].equals(holes["cum"])


def test_closed_days_and_the_country_reach_the_forecast() -> None:
    y = noisy(700)
    easter = [i for i in range(700) if (START + timedelta(days=i)) in (date(2025, 4, 18), date(2026, 4, 3))]
    for day in easter:
        y[day] = 0.0
    train = frame({"a": y[:440]})  # to 21 March 2026
    for country, opened in (("United Kingdom", False), ("GB", False), ("Nowhere", None), (None, None)):
        daily = forecast_total(train, 28, country)["daily"]
        sundays = daily.filter(pl.col("ds").dt.weekday() == 7)
        assert sundays[NAMES[-1]].max() == 0.0
        if opened is not None:
            assert daily.filter(pl.col("ds") == date(2026, 4, 3))["mean"].item() == 0.0


@pytest.mark.parametrize("kind", [pl.Datetime("ns"), pl.Datetime("us", "Europe/Madrid"), pl.Date])
def test_days_come_back_as_they_were_given(kind: Any) -> None:
    train = frame({3: noisy(40), 20: noisy(40)})
    zone = getattr(kind, "time_zone", None)
    if kind != pl.Date:
        train = train.with_columns(pl.col("ds").cast(pl.Datetime(kind.time_unit)).dt.replace_time_zone(zone))
    daily = forecast_total(train, 3)["daily"]
    assert daily["ds"].dtype == kind
    assert daily["unique_id"].to_list() == [3, 3, 3, 20, 20, 20]
    first = daily["ds"][0]
    assert (first.date() if isinstance(first, datetime) else first) == START + timedelta(days=40)


def test_price_and_text_may_be_missing_in_part() -> None:
    train = frame({"a": noisy(60), "b": noisy(60, seed=2)}).with_columns(
        price=pl.when(pl.col("unique_id") == "a").then(2.5),
        text=pl.when(pl.col("unique_id") == "b").then(pl.lit("Mug")),
    )
    table = read(train)
    assert table.price[0] == 2.5
    assert np.isnan(table.price[1])
    assert table.titles == ["", "Mug"]
    check(forecast_products(train, 30), ["a", "b"], 30)


def test_several_rows_of_a_day_are_added_up() -> None:
    train = frame({"a": [1.0, 2.0, 4.0]})
    assert read(pl.concat([train, train])).y.tolist() == [[2.0, 4.0, 8.0]]


@pytest.mark.parametrize("horizon", [0, 366, 2.5, True])
def test_horizons_outside_a_year_are_refused(horizon: Any) -> None:
    with pytest.raises(BadParameter, match="horizon must be a whole number from 1 to 365"):
        forecast_total(frame({"a": [1.0]}), horizon)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (pl.DataFrame({"unique_id": ["a"], "day": [START], "y": [1.0]}), "lacks the column"),
        (frame({"a": [1.0]}).clear(), "no rows"),
        (
            pl.DataFrame({"unique_id": ["a"], "ds": [None], "y": [1.0]}, schema_overrides={"ds": pl.Date}),
            "ds is missing",
        ),
        ([1, 2], "a frame of polars or pandas"),
    ],
)
def test_tables_that_say_too_little_are_refused(train: Any, said: str) -> None:
    with pytest.raises(BadFrame, match=said):
        forecast_total(train, 7)


@pytest.mark.parametrize("function", [forecast_total, forecast_products])
def test_what_came_later_leaves_no_trace(function: Any) -> None:
    """Nothing that is remembered between calls (calendars, guessed countries, prices, titles) lets the future in."""
    ids = ["a", "b", "c"]
    full = frame({name: noisy(260, seed=i) for i, name in enumerate(ids)}).with_columns(
        price=pl.lit(2.0), text=pl.col("unique_id")
    )
    cut = START + timedelta(days=230)
    after = pl.col("ds") >= cut
    wild = full.with_columns(
        y=pl.when(after).then(pl.col("y") * 50 + 7).otherwise(pl.col("y")),  # Sundays open too
        price=pl.when(after).then(900.0).otherwise(pl.col("price")),
        text=pl.when(after).then(pl.lit("Sale")).otherwise(pl.col("text")),
    )
    before = function(full.filter(~after), 7)
    function(wild, 7)
    again = function(wild.filter(~after), 7)
    for table in ("daily", "cum"):
        assert again[table].equals(before[table])
    last = pl.col("ds") == cut - timedelta(days=2)  # a Friday
    moved = full.filter(~after).with_columns(y=pl.when(last).then(300.0).otherwise(pl.col("y")))
    assert not function(moved, 7)["daily"].equals(before["daily"])  # the last day known does count
