"""Widths of products: coverage by volume and regularity, windows between the calibrated ones, too little data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.bucket_errors import COLUMNS, Errors
from retail_ml.forecast.volume_bins import PROBABILITIES, SMALLEST, Spread, VolumeBins, _few_origins, nested_coverage
from retail_ml.tests.forecast.shops import START, history

WINDOWS = (7, 28)


def errors(rng: np.random.Generator, n: int, count: int, *, step: int = 28, ahead: int = 28) -> list[Errors]:
    """Negative binomial products whose regularity differs: every second one sells in lots of about eight."""
    rate = 0.3 + rng.gamma(1.0, 3.0, n)
    lots = np.where(np.arange(n) % 2, 8.0, 1.0)
    out = []
    for k in range(count):
        level = rng.gamma(100, 1 / 100)
        actual = rng.poisson(rate[:, None] / lots[:, None] * np.ones(ahead) * level) * lots[:, None]
        forecast = np.repeat(rate[:, None], ahead, axis=1)
        fold = Fold(200 + step * k, START, forecast, actual, np.ones(ahead, dtype=bool))
        columns = np.zeros((n, len(COLUMNS)))
        columns[:, 0] = np.log(lots)
        out.append(Errors.of(fold, columns))
    return out


def test_sums_are_covered_on_origins_that_were_not_calibrated_on():
    rng = np.random.default_rng(6)
    past = history(np.ones((100, 500)))
    found = []
    for _ in range(25):
        parts = errors(rng, 100, 8)
        origins = [int(e.origin[0]) for e in parts]
        found.append(nested_coverage(Errors.joined(parts), past, origins=origins, windows=WINDOWS))
    for window in WINDOWS:
        assert np.mean([f[f"coverage_80_{window}"] for f in found]) == pytest.approx(0.80, abs=0.05)
        assert np.mean([f[f"coverage_95_{window}"] for f in found]) == pytest.approx(0.95, abs=0.025)


def test_products_that_sell_in_lots_get_wider_intervals_and_both_kinds_are_covered():
    rng = np.random.default_rng(7)
    lots = np.arange(300) % 2 == 1
    inside = []
    for _ in range(12):
        parts = errors(rng, 300, 5, step=14)
        widths = VolumeBins.calibrate(Errors.joined(parts[:-1]), history(np.ones((2, 300))))
        mean, actual, _ = parts[-1].of_days(28)
        spread = widths.spread(parts[-1].columns, parts[-1].rate)
        assert np.median(spread[lots]) > 1.25 * np.median(spread[~lots])
        lower, upper = widths.total(mean, 28, 0.80, spread=spread)
        assert (lower <= mean).all()
        assert (upper >= mean).all()
        inside.append((actual >= lower) & (actual <= upper))
    for part in (lots, ~lots):
        assert np.mean(inside, axis=0)[part].mean() == pytest.approx(0.80, abs=0.06)


@pytest.mark.parametrize("days", [1, 7, 10, 28, 91, 365])
def test_quantiles_rise_are_finite_and_never_negative(days: int):
    widths = VolumeBins.calibrate(Errors.joined(errors(np.random.default_rng(8), 200, 4, ahead=91)), history([1.0]))
    mean = np.array([0.0, 0.2, 3.0, 500.0])
    found = widths.quantiles(mean, days, np.linspace(0.01, 0.99, 25), spread=widths.spread(None, mean * 28 / days))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()
    assert found[0, -1] > 0, "a forecast of nothing is not certain"


def test_a_level_error_that_all_products_share_is_widened_for_few_origins():
    """The same common error, seen at two origins or at eight: 400 products each time."""
    sample = np.random.default_rng(9).normal(0.0, 0.2, 4_000)
    z = np.quantile(sample, PROBABILITIES)
    none, few, many = (_few_origins(z, 0.2, shared=s, count=n) for s, n in ((0.0, 2), (0.02, 2), (0.02, 8)))
    assert np.allclose(none, z)
    assert np.ptp(few) > 1.5 * np.ptp(many) > 1.5 * np.ptp(none)


def test_a_few_products_fall_back_on_compound_poisson():
    widths = VolumeBins.calibrate(Errors.none(), history(np.tile([0.0, 3.0], (2, 30))))
    mean = np.array([28.0])
    # variance: 28 × E[u²]/E[u] = 28 × 3, and (half the forecast)² = 196
    assert widths.sd_total(mean, 28)[0] == pytest.approx(np.sqrt(84 + 196), rel=0.25)
    lower, upper = widths.total(np.array([0.0]), 28, 0.95)
    assert lower[0] == 0
    assert upper[0] > 0


def test_a_window_between_two_calibrated_ones_lies_between_them():
    widths = VolumeBins.calibrate(Errors.joined(errors(np.random.default_rng(3), 300, 4)), history([1.0]))
    spread, relative = np.ones(1), []
    for days in (7, 10, 14):
        upper = widths.quantiles(np.array([3.0 * days]), days, [0.9], spread=spread)[0, 0]
        relative.append((upper + 0.5 * days / 28) / (3.0 * days + 0.5 * days / 28))
    assert relative[0] > relative[1] > relative[2]


def test_no_law_no_guess():
    stored = VolumeBins(np.empty(0), np.zeros((6, 1, len(PROBABILITIES))), np.zeros((6, 1)))
    with pytest.raises(ValueError, match="spread"):
        stored.total(np.array([1.0]), 7, 0.8)


def test_big_sales_of_what_was_forecast_at_nothing_do_not_blow_up_the_others():
    """Forecasts of last week repeated: one product in eight sold nothing then and plenty now."""
    rng = np.random.default_rng(9)
    parts = []
    for k in range(4):
        actual = rng.poisson(2.0, (160, 28)) * 40.0
        forecast = np.tile(rng.poisson(2.0, (160, 7)) * 40.0, 4)
        forecast[::8] = 0.0
        parts.append(Errors.of(Fold(100 + 7 * k, START, forecast, actual, np.ones(28, dtype=bool))))
    bins = VolumeBins.calibrate(Errors.joined(parts), history(np.ones((160, 130))))
    for days in (1, 7, 28):
        top = bins.quantiles(np.full(160, 80.0 * days), days, [0.975], rate=np.full(160, 2240.0))
        assert top.max() < 40 * 80.0 * days  # without a bound: 6,700 for a single day


def beside_the_gone(back: int = 0) -> VolumeBins:
    """200 products that sell, and 800 that are forecast at nothing, `back` of which sell three units all the same."""
    rng = np.random.default_rng(0)
    actual = rng.gamma(4, 0.25, (200, 1)) * rng.poisson(1.0, (200, 28))
    silent = np.zeros((800 if back else 0, 28))
    silent[:back, 5] = 3.0
    forecast = np.vstack([np.ones((200, 28)), np.full(silent.shape, 0.001)])
    fold = Fold(300, START, forecast, np.vstack([actual, silent]), np.ones(28, dtype=bool))
    return VolumeBins.calibrate(Errors.of(fold), history(actual))


@pytest.mark.parametrize("days", [1, 7, 28])
def test_what_has_gone_says_nothing_of_what_sells(days: int):
    """The forecasts of the gone are nearly exact, like those of best sellers: in one bin they halved its widths."""
    found = [
        w.quantiles(np.array([1.0 * days]), days, (0.1, 0.5, 0.9)) for w in (beside_the_gone(), beside_the_gone(40))
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=0.05)


def test_what_has_gone_has_the_widths_of_its_own_kind():
    """One in twenty comes back with three units."""
    gone = np.array([0.028])
    middle, low, high = beside_the_gone(40).quantiles(gone, 28, (0.5, 0.9, 0.975))[0]
    assert middle <= low < 0.03
    assert 3.0 <= high < 6.0
    assert beside_the_gone(40).sd_total(gone, 28)[0] == pytest.approx(3.0 * np.sqrt(0.05), rel=0.05)


def test_few_that_have_gone_are_left_among_the_others():
    law = beside_the_gone().law
    assert isinstance(law, Spread)
    assert not law.apart
    assert law.of(None, np.array([0.0, 28.0])).min() >= SMALLEST


def test_that_nothing_came_of_nothing_is_no_merit():
    parts = errors(np.random.default_rng(8), 150, 8)
    idle = [replace(e, rate=0 * e.rate, forecast=0 * e.forecast, actual=0 * e.actual) for e in parts]
    origins, past = [int(e.origin[0]) for e in parts], history(np.ones((150, 500)))
    alone = nested_coverage(Errors.joined(parts), past, origins=origins, windows=WINDOWS)
    beside = nested_coverage(Errors.joined([*parts, *idle]), past, origins=origins, windows=WINDOWS)
    assert beside == pytest.approx(alone, abs=0.02)
    assert alone["coverage_80_28"] < 0.9
