"""Weekly and monthly series: strange tables, calendars of periods, promises of the widths, and no look ahead."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from retail_ml.errors import BadParameter
from retail_ml.forecast import period_learner
from retail_ml.forecast.long_frames import NAMES
from retail_ml.forecast.period_levels import LEVEL, Panel, members, yearly_shape
from retail_ml.forecast.period_widths import Errors, Widths, spreads
from retail_ml.forecast.periods import Mix, forecast, forecast_periods

MONTHS = pl.date_range(date(2020, 1, 1), date(2025, 12, 1), "1mo", eager=True)


def monthly(series: dict[Any, Any]) -> pl.DataFrame:
    """Series that end in December 2025."""
    return pl.concat(
        [pl.DataFrame({"unique_id": [k] * len(y), "ds": MONTHS[-len(y) :], "y": y}) for k, y in series.items()],
        how="vertical_relaxed",
    )


def parts(count: int, periods: int, *, seed: int = 0) -> np.ndarray:
    """Intermittent demand: Poisson orders of geometric size, rates drawn for every series."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.7, 0.8, (count, 1))
    return rng.poisson(rate, (count, periods)) * rng.geometric(0.5, (count, periods)).astype(float)


@pytest.mark.parametrize("horizon", [1, 7, 36])
@pytest.mark.parametrize(
    "y",
    [[5.0] * 30, [0.0] * 12, [3.0], [2.0, 4.0], [0.0, 0.0, 7.0], [-4.0] * 9, [1.0, 2.0, 1e15, 3.0] * 4, [1e300] * 5],
    ids=["constant", "zeros", "one", "two", "late", "negative", "freaks", "huge"],
)
def test_strange_series_have_finite_answers(y: list[float], horizon: int) -> None:
    answer = forecast_periods(monthly({"x": y}), horizon, "M")
    assert answer["daily"].columns == ["unique_id", "ds", "mean", *NAMES]
    assert answer["cum"]["window"].to_list() == list(range(1, horizon + 1))
    for table in answer.values():
        q = table.select(NAMES).to_numpy()
        assert np.isfinite(q).all()
        assert (q >= 0).all()
        assert (np.diff(q, axis=1) >= 0).all()
    assert np.isfinite(answer["daily"]["mean"].to_numpy()).all()


def test_a_constant_is_forecast_as_itself_and_an_unknown_one_widely() -> None:
    long = forecast_periods(monthly({"x": [20.0] * 40}), 3, "M")["daily"]
    short = forecast_periods(monthly({"x": [20.0] * 2}), 3, "M")["daily"]
    assert long["mean"].to_list() == pytest.approx([20.0] * 3)
    width = [d["q0.9"][0] - d["q0.1"][0] for d in (long, short)]
    assert width[1] > 2 * width[0] > 0


@pytest.mark.parametrize(
    ("freq", "days", "following"),
    [
        ("W", [date(2026, 1, 4), date(2026, 1, 18), date(2026, 1, 25)], date(2026, 2, 1)),  # Sundays, one left out
        ("1w", [date(2026, 1, 5), date(2026, 1, 12)], date(2026, 1, 19)),
        ("ME", [date(2025, 12, 31), date(2026, 1, 31)], date(2026, 2, 28)),
        ("monthly", [date(2025, 12, 15), date(2026, 1, 15)], date(2026, 2, 15)),
    ],
)
def test_days_go_on_as_they_were(freq: str, days: list[date], following: date) -> None:
    train = pl.DataFrame({"unique_id": ["a"] * len(days), "ds": days, "y": [1.0] * len(days)})
    assert forecast_periods(train, 2, freq)["daily"]["ds"][0] == following


def test_other_frequencies_and_horizons_are_refused() -> None:
    with pytest.raises(BadParameter, match="freq must name weeks"):
        forecast_periods(monthly({"x": [1.0]}), 3, "D")
    with pytest.raises(BadParameter, match="from 1 to 36"):
        forecast_periods(monthly({"x": [1.0]}), 37, "M")


def test_row_order_changes_nothing() -> None:
    y = parts(30, 40)
    train = monthly({f"p{i:02d}": row.tolist() for i, row in enumerate(y)})
    one, two = (forecast_periods(t, 3, "M") for t in (train, train.sample(fraction=1.0, shuffle=True, seed=1)))
    assert one["daily"].equals(two["daily"])
    assert one["cum"].equals(two["cum"])


def test_members_and_learner_see_nothing_after_their_origin() -> None:
    y = parts(60, 60)
    changed = y.copy()
    changed[:, 48:] = 99.0
    a, b = (Panel.of(x, season=12) for x in (y, changed))
    assert np.array_equal(members(a, 48, 6), members(b, 48, 6))
    learned = [period_learner.fit(p, 42, 6) for p in (a, b)]
    assert learned[0] is not None
    assert learned[1] is not None
    assert np.array_equal(learned[0].predict(48, 6), learned[1].predict(48, 6))


def test_last_year_is_a_season_in_a_steady_series_and_not_in_a_growing_one() -> None:
    t = np.arange(48)
    wave = 100 * (1 + 0.6 * np.sin(2 * np.pi * t / 12))
    steady = yearly_shape(Panel.of(wave[None], season=12), 48, 12)[0]
    growing = yearly_shape(Panel.of((wave * np.exp(t / 12))[None], season=12), 48, 12)[0]
    assert np.ptp(np.log(steady)) > 0.7
    assert np.ptp(np.log(growing)) < 0.5 * np.ptp(np.log(steady))
    mean = forecast(Panel.of(wave[None], season=12), 12)[0][0]
    flat = np.abs(wave[-12:] - wave[-12:].mean()).mean()
    assert np.abs(mean - wave[-12:]).mean() < 0.75 * flat


def test_the_learner_is_gated_by_few_origins_and_by_growth() -> None:
    y = parts(60, 60)
    whole = period_learner.fit(Panel.of(y, season=12), 54, 6)
    growing = period_learner.fit(Panel.of(y * np.exp(np.arange(60) / 10), season=12), 54, 6)
    short = period_learner.fit(Panel.of(y[:, :14], season=12), 11, 3)
    assert whole is not None
    assert growing is not None
    assert short is not None
    assert (whole.gated, growing.gated, short.gated) == (False, True, True)
    assert period_learner.fit(Panel.of(y[:3], season=12), 54, 6) is None


def test_intermittent_series_fall_inside_their_intervals_as_often_as_promised() -> None:
    y = parts(400, 54, seed=1)
    mean, single, sums = forecast(Panel.of(y[:, :48], season=12), 6)
    actual = y[:, 48:].sum(axis=1)
    low, high = sums[6][:, NAMES.index("q0.1")], sums[6][:, NAMES.index("q0.9")]
    assert 0.75 < ((actual >= low) & (actual <= high)).mean() < 0.89
    assert 0.92 < (actual <= sums[6][:, NAMES.index("q0.95")]).mean() < 0.98
    assert abs(mean.sum() / y[:, 48:].sum() - 1) < 0.1
    assert single.shape == (400, 6, len(NAMES))


def test_the_mix_prefers_what_did_better() -> None:
    rng = np.random.default_rng(0)
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.2, (40, 60)), axis=1))  # the last value says all
    noise = rng.poisson(30, (40, 60)).astype(float)  # the mean says all
    quick, slow = (Mix.of(Panel.of(y, season=12), 3).shares.mean(axis=0) for y in (walk, noise))
    assert quick[LEVEL + 2] > slow[LEVEL + 2]
    assert slow[:2].sum() > quick[:2].sum()


def test_errors_that_all_series_share_do_not_move_the_middle() -> None:
    """Folds that all ended low say that a level may be wrong, not that the next one will be low too."""
    rng = np.random.default_rng(2)
    forecast_ = rng.gamma(5, 10, 300)
    fold = np.repeat([0, 1, 2], 100)
    low = Errors(3, forecast_ * 0.8 + rng.normal(0, 5, 300), forecast_, np.full(300, 3.0), fold)
    widths = Widths.calibrate({3: low}, (0.1, 0.5, 0.9), folds=3.0, month=1.0)
    q = widths.quantiles(3, 3, np.array([50.0]), np.array([3.0]))[0]
    assert q[1] == pytest.approx(50, abs=2)
    assert q[2] - q[0] > 2 * 1.28 * 0.15 * 50


def test_a_shared_error_of_few_folds_widens() -> None:
    rng = np.random.default_rng(1)
    forecast_ = np.full(200, 50.0)
    fold = np.repeat([0, 1], 100)
    level = np.repeat([1.3, 0.7], 100)
    own = Errors(3, forecast_ + rng.normal(0, 5, 200), forecast_, np.full(200, 3.0), fold)
    shared = Errors(3, forecast_ * level + rng.normal(0, 5, 200), forecast_, np.full(200, 3.0), fold)
    at = (0.025, 0.5, 0.975)
    spans = []
    for errors, folds in ((own, 2.0), (shared, 2.0), (shared, 50.0)):
        widths = Widths.calibrate({3: errors}, at, folds=folds, month=1.0)
        q = widths.quantiles(3, 3, np.array([50.0]), np.array([3.0]))[0]
        spans.append(q[2] - q[0])
    assert spans[2] > 1.3 * spans[0]
    assert spans[1] > 1.2 * spans[2]


def test_a_power_that_is_not_believed_keeps_the_size_of_the_spread() -> None:
    """Ten series of almost one size, the larger of them the calmer by chance: a slope of −2 among them is no law."""
    level = np.linspace(8_000.0, 20_000.0, 10)
    noise = np.square(3_000.0 * (12_000.0 / level) ** 2)
    young = np.full(10, 4)
    found = spreads(noise, level, young)
    size = np.exp(np.log(np.sqrt(noise)).mean())
    assert ((found > size / 3) & (found < 3 * size)).all()
    counts = spreads(100 * level, level, young)  # a slope of ½ is a law: the spread of orders of 100 units
    np.testing.assert_allclose(counts, 10 * np.sqrt(level), rtol=1e-6)


def test_widths_of_a_young_shops_categories_are_of_the_size_of_its_sales() -> None:
    """Nine months of ten categories of one size, where the larger are the calmer: quantiles of hundreds of times
    the mean came out of it once."""
    rng = np.random.default_rng(1)
    level = np.linspace(8_000.0, 20_000.0, 10)[:, None]
    y = level * np.exp(rng.normal(0, 0.4, (10, 9)) * (10_000.0 / level) ** 2)
    daily = forecast_periods(monthly({f"c{i}": list(row) for i, row in enumerate(y)}), 3, "M")["daily"]
    assert (daily["q0.975"] < 8 * daily["mean"]).all()
    assert (daily["q0.9"] > 1.05 * daily["mean"]).all()
