"""Promised coverage is kept where the truth is known, and the width of a sum is its own."""

from datetime import timedelta

import numpy as np
import pytest

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.intervals import RatioIntervals, nested_coverage
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


def test_coverage_of_days_and_sums_is_what_is_promised():
    rng = np.random.default_rng(11)
    measured = [nested_coverage(folds(rng, 13), horizon=28, step=28, coverages=(0.8, 0.95)) for _ in range(60)]
    for coverage, room in ((0.8, 0.04), (0.95, 0.025)):
        assert np.mean([m.days[coverage] for m in measured]) == pytest.approx(coverage, abs=room)
        assert np.mean([m.sums[coverage] for m in measured]) == pytest.approx(coverage, abs=room)


def test_coverage_needs_earlier_folds_and_uses_only_them():
    rng = np.random.default_rng(2)
    some = folds(rng, 6)
    found = nested_coverage(some, horizon=28, step=28, coverages=(0.8,))
    assert sorted(found.by_fold) == [f.cutoff for f in some[3:]]
    few = nested_coverage(some[:3], horizon=28, step=28, coverages=(0.8,))
    assert few.days[0.8] is None
    assert few.counted == 0
    last = some[-1]
    wild = Fold(last.cutoff, last.origin, last.forecast, last.actual * 50, last.counted)
    changed = nested_coverage([*some[:-1], wild], horizon=28, step=28, coverages=(0.8,))
    assert {k: v for k, v in changed.by_fold.items() if k != last.cutoff} == {
        k: v for k, v in found.by_fold.items() if k != last.cutoff
    }


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
