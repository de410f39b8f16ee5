"""Promised coverage is kept where the truth is known, and the width of a sum is its own."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.intervals import RatioIntervals, nested_coverage, widths_at
from retail_ml.tests.forecast.shops import START, history


def folds(rng, count, *, level=0.1, noise=0.3, ahead=28, start=400):
    """Forecasts of 100 a day; the truth has a level error common to a fold and independent day noise."""
    out = []
    for k in range(count):
        truth = 100 * rng.gamma(1 / level**2, level**2) * rng.gamma(1 / noise**2, noise**2, (1, ahead))
        cutoff = start + 28 * k
        day = START + timedelta(days=cutoff - 1)
        out.append(Fold(cutoff, day, np.full((1, ahead), 100.0), truth, np.ones(ahead, dtype=bool)))
    return out


def served(some, *, horizon=28, step=28, spread=None):
    """The folds that can be calibrated from earlier ones, and their widths."""
    widths = widths_at(some, horizon=horizon, step=step, spread=spread or (lambda fold: None))
    kept = [(f, w) for f, w in zip(some, widths, strict=True) if w is not None]
    return [f for f, _ in kept], [w for _, w in kept]


def coverage(some, coverages):
    return nested_coverage(*served(some), horizon=28, coverages=coverages)


def test_coverage_of_days_and_sums_is_what_is_promised():
    rng = np.random.default_rng(11)
    measured = [coverage(folds(rng, 13), (0.8, 0.95)) for _ in range(60)]
    for promised, room in ((0.8, 0.04), (0.95, 0.025)):
        assert np.mean([m.days[promised] for m in measured]) == pytest.approx(promised, abs=room)
        assert np.mean([m.sums[promised] for m in measured]) == pytest.approx(promised, abs=room)


def test_widths_of_an_origin_come_from_its_past_only():
    rng = np.random.default_rng(2)
    some = folds(rng, 6)
    asked = []
    first = widths_at(some, horizon=28, step=28, spread=lambda fold: asked.append(fold.cutoff))
    assert asked == [f.cutoff for f in some[:3]]  # three earlier folds are needed to calibrate
    found = coverage(some, (0.8,))
    assert sorted(found.by_fold) == [f.cutoff for f in some[3:]]
    last = some[-1]
    wild = Fold(last.cutoff, last.origin, last.forecast, last.actual * 50, last.counted)
    again = widths_at([*some[:-1], wild], horizon=28, step=28, spread=lambda fold: None)
    for before, after in zip(first[3:], again[3:], strict=True):
        np.testing.assert_array_equal(before.noise, after.noise)
        np.testing.assert_array_equal(before.sums, after.sums)
    changed = coverage([*some[:-1], wild], (0.8,))
    assert {k: v for k, v in changed.by_fold.items() if k != last.cutoff} == {
        k: v for k, v in found.by_fold.items() if k != last.cutoff
    }
    own = RatioIntervals(first[3].noise, first[3].level, first[3].sums, 3.0)
    assert widths_at([replace(last, widths=own)], horizon=28, step=28, spread=lambda fold: None) == [own]


def test_quantiles_agree_with_bounds_and_with_the_truth():
    rng = np.random.default_rng(12)
    widths = RatioIntervals.calibrate(folds(rng, 40), horizon=28, step=28)
    mean = np.full((1, 28), 100.0)
    days = widths.quantiles(mean, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(days[[0, 2]], widths.daily(mean, 0.8))
    np.testing.assert_allclose(widths.total_quantiles(mean, [0.1, 0.9]), widths.total(mean, 0.8))
    # the truth: 100 × gamma(sd .1) × gamma(sd .3), so log sd about .31 a day; the sum of 28 days √(.1² + .3²/28) = .115
    truth = 100 * rng.gamma(100, 1 / 100, 200_000) * rng.gamma(1 / 0.09, 0.09, 200_000)
    np.testing.assert_allclose(days[:, 0, 0], np.quantile(truth, [0.1, 0.5, 0.9]), rtol=0.06)
    low, high = widths.total(mean, 0.6827)  # one standard deviation to each side
    assert (high[0] - low[0]) / 2 == pytest.approx(2_800 * 0.115, rel=0.2)


def test_closures_and_days_forecast_at_nothing_stay_out_of_the_widths():
    rng = np.random.default_rng(13)
    some = folds(rng, 8)
    shut = np.arange(28) < 9
    closed = [replace(f, actual=np.where(shut, 0.0, f.actual), counted=~shut) for f in some]
    tiny = [replace(f, forecast=np.where(shut, 0.5, f.forecast), actual=np.where(shut, 40.0, f.actual)) for f in some]
    plain, odd, low = (RatioIntervals.calibrate(x, horizon=28, step=28) for x in (some, closed, tiny))
    assert odd.noise[0, [20, 180]] == pytest.approx(plain.noise[0, [20, 180]], rel=0.15)
    assert low.noise[0, [20, 180]] == pytest.approx(plain.noise[0, [20, 180]], rel=0.25)


def test_one_wild_fold_does_not_decide_the_level():
    rng = np.random.default_rng(14)
    some = folds(rng, 8, level=0.05, noise=0.1)
    wild = [*some[:-1], replace(some[-1], actual=some[-1].actual * 3)]
    calm, other = (RatioIntervals.calibrate(x, horizon=28, step=28) for x in (some, wild))
    assert np.sqrt(other.level[0, 0]) < 2 * np.sqrt(calm.level[0, 0])  # uncut it would be seven times


def test_days_below_nothing_are_possible_where_they_were():
    rng = np.random.default_rng(15)
    returned = [replace(f, actual=np.where(rng.random((1, 28)) < 0.15, -60.0, f.actual)) for f in folds(rng, 8)]
    widths = RatioIntervals.calibrate(returned, horizon=28, step=28)
    lower, _ = widths.daily(np.full((1, 28), 100.0), 0.8)
    assert (lower < -30).all()
    low, high = widths.total(np.full((1, 1), 100.0), 0.8)
    assert low[0] < 0 < high[0]


def test_sum_is_narrower_than_added_bounds_and_wider_than_independent_days():
    rng = np.random.default_rng(3)
    widths = RatioIntervals.calibrate(folds(rng, 12, level=0.2), horizon=28, step=28)
    mean = np.full((1, 28), 100.0)
    lower, upper = widths.daily(mean, 0.95)
    low, high = widths.total(mean, 0.95)
    added = (upper - lower).sum()
    independent = np.sqrt(np.square(upper - lower).sum())
    assert independent * 1.3 < high[0] - low[0] < added * 0.9


def test_width_grows_with_coverage_and_horizon_and_stays_in_bounds():
    rng = np.random.default_rng(4)
    widths = RatioIntervals.calibrate(folds(rng, 8), horizon=28, step=28)
    mean = np.full((1, 365), 50.0)
    spans = []
    for coverage in (0.5, 0.8, 0.95, 0.99):
        lower, upper = widths.daily(mean, coverage)
        assert (lower >= 0).all()
        assert (lower <= mean).all()
        assert (upper >= mean).all()
        spans.append((upper - lower).mean())
    assert spans == sorted(spans)
    lower, upper = widths.daily(mean, 0.9)
    width = (upper - lower)[0]
    assert width[364] > width[100] > width[10]
    relative = [np.subtract(*widths.total(mean[:, :n], 0.9)[::-1])[0] / n for n in (91, 180, 365)]
    assert relative[0] * 1.2 < relative[1]
    assert relative[1] * 1.2 < relative[2]


def test_few_folds_are_wider_than_many():
    rng = np.random.default_rng(5)
    many = RatioIntervals.calibrate(folds(rng, 12), horizon=28, step=28)
    fewer = RatioIntervals(many.noise, many.level, many.sums, 3.0)
    mean = np.full((1, 28), 10.0)
    assert np.subtract(*fewer.total(mean, 0.95)[::-1])[0] > 1.2 * np.subtract(*many.total(mean, 0.95)[::-1])[0]


def test_spread_of_one_day_is_very_wide():
    one = history(np.array([10.0]))
    widths = RatioIntervals.from_spread(one, one.y)
    low, high = widths.total(np.full((1, 7), 10.0), 0.95)
    assert low[0] < 20
    assert high[0] > 200


@pytest.mark.parametrize("days", [1, 7, 30, 91, 182, 365])
@pytest.mark.parametrize("coverage", [0.8, 0.95, 0.99])
def test_knowing_next_to_nothing_is_never_a_narrow_interval(days: int, coverage: float):
    """One day is all that is known: an upper bound at the forecast itself would claim to be sure of it."""
    one = history([100.0])
    widths = RatioIntervals.from_spread(one, np.full((1, 1), 100.0))
    mean = np.full((1, days), 100.0)
    lower, upper = widths.daily(mean, coverage)
    assert (upper > 2 * mean).all()
    assert (lower < mean / 2).all()
    low, high = widths.total(mean, coverage)
    assert high[0] > 2 * mean.sum()
    assert low[0] < mean.sum() / 2
