"""Values worked out by hand, and two published ones."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from retail_ml.forecast import metrics
from retail_ml.forecast.backtest import Fold, Plan
from retail_ml.forecast.intervals import RatioIntervals, gamma_quantile
from retail_ml.forecast.levels import Trial
from retail_ml.forecast.selection import choices, choose, score
from retail_ml.tests.forecast.shops import START, history

ACTUAL, FORECAST = np.array([0.0, 10.0, 20.0, 30.0]), np.array([5.0, 10.0, 10.0, 40.0])


SURE = [RatioIntervals(np.ones((1, 199)), np.full((1, 3), 1e-12), np.full((1, 5), 1e-12), 1e6)]


def test_by_hand():
    assert metrics.wape(ACTUAL, FORECAST) == pytest.approx(25 / 60)
    assert metrics.bias(ACTUAL, FORECAST) == pytest.approx(5 / 60)
    assert metrics.mae(ACTUAL, FORECAST) == pytest.approx(6.25)
    assert metrics.rmse(ACTUAL, FORECAST) == pytest.approx((225 / 4) ** 0.5)
    assert metrics.r2(ACTUAL, FORECAST) == pytest.approx(1 - 225 / 500)
    assert metrics.covered(ACTUAL, FORECAST - 5, FORECAST + 5) == 0.5


def test_unknown_is_none():
    zero = np.zeros(3)
    assert metrics.wape(zero, zero + 1) is None
    assert metrics.r2(zero, zero + 1) is None
    assert metrics.mase_scale(np.arange(7.0)) is None
    assert metrics.mase_scale(np.ones(20)) is None


def test_score_pools_folds_and_leaves_closures_out():
    y = np.arange(1.0, 29.0)
    counted = np.array([True] * 6 + [False])
    folds = [Fold(14, START, np.full((1, 7), 20.0), y[None, 14:21], counted)]
    found = score("x", folds, SURE, history(y), horizon=7)
    # actual 15…20 against 20: errors 5 4 3 2 1 0; the in-sample seasonal naive is off by 7 every day
    assert found.mae == pytest.approx(2.5)
    assert found.wape == pytest.approx(15 / 105)
    assert found.mase == pytest.approx(2.5 / 7)
    assert found.days == 6
    # the width is next to nothing: the score is the absolute error, of the sum 15 of 105, of the days 15 of 105
    assert (found.crps, found.crps_day) == (pytest.approx(15 / 105, rel=1e-3), pytest.approx(15 / 105, rel=1e-3))
    assert found.error == pytest.approx(15 / 105, rel=1e-3)


def test_quantile_score_of_a_normal_forecast_is_the_published_one():
    """CRPS of N(0, 1) at 0 is 2 φ(0) − 1/√π = .2337 (Gneiting & Raftery 2007, eq. 5), at 1.5 it is .9950."""
    p = (np.arange(2_000) + 0.5) / 2_000
    normal = ndtri(p)[:, None].repeat(2, axis=1)
    found = metrics.crps(np.array([0.0, 1.5]), normal, p)
    exact = [z * (2 * ndtr(z) - 1) + 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi) for z in (0, 1.5)]
    np.testing.assert_allclose(found, exact, rtol=2e-3)
    assert found[0] == pytest.approx(0.2337, abs=1e-3)


def test_gamma_quantile_is_the_chi_square_of_the_tables():
    # χ²(.95; 2) = 5.991, χ²(.95; 10) = 18.307 (any table): a χ² with k degrees / k is a gamma with variance 2 / k
    assert 2 * gamma_quantile(np.array([1.0]), 0.95)[0] == pytest.approx(5.991, abs=1e-3)
    assert 10 * gamma_quantile(np.array([0.2]), 0.95)[0] == pytest.approx(18.307, abs=1e-3)


def test_choice_never_falls_behind_the_baseline_and_ties_go_to_the_simpler():
    order = ["naive", "mean", "line", "forest"]
    assert choose({"naive": 1.0, "mean": 1.2, "line": 1.1, "forest": 1.01}, order, "naive") == "naive"
    assert choose({"naive": 1.0, "mean": 0.9, "line": 0.89, "forest": 0.895}, order, "naive") == "mean"
    assert choose({"naive": 1.0, "mean": 0.9, "line": 0.8, "forest": 0.7}, order, "naive") == "forest"


def fold(cutoff, error):
    """Seven days of 100, forecast too high by `error`."""
    return Fold(cutoff, START, np.full((1, 7), 100.0 + error), np.full((1, 7), 100.0), np.ones(7, dtype=bool), SURE[0])


def trial(errors, *, step=7):
    """A trial of seven-day forecasts from the errors of each candidate."""
    cutoffs = tuple(20 + step * k for k in range(len(next(iter(errors.values())))))
    past = history(np.linspace(50.0, 150.0, cutoffs[-1] + 7))
    found = Trial(past, Plan(cutoffs, 7, step))
    for name, values in errors.items():
        found.add(name, [fold(c, e) for c, e in zip(cutoffs, values, strict=True)])
    return found


def test_a_choice_knows_only_origins_that_were_over():
    # "late" becomes the better one at the third origin; its days are over at the fifth
    errors = {"seasonal_naive": [9.0] * 6, "early": [1, 1, 30, 30, 30, 30], "late": [8, 8, 0, 0, 0, 0]}
    scores = trial(errors, step=4).scores
    named = choices(scores, "none", ["seasonal_naive"], cutoffs=[20, 24, 28, 32, 36, 40], horizon=7)
    assert named == [None, None, None, None, "late", "late"]
    scores = trial({**errors, "early": [1, 1, 1, 30, 30, 30]}, step=4).scores
    named = choices(scores, "none", ["seasonal_naive"], cutoffs=[20, 24, 28, 32, 36, 40], horizon=7)
    assert named[4] == "early"  # the 30 of the fourth origin is known to nobody on day 36


def test_the_error_of_the_choice_is_not_flattered_by_it():
    rng = np.random.default_rng(1)
    best, replayed = [], []
    for _ in range(25):
        errors = {f"m{i}": rng.gamma(4.0, 2.5, 12) for i in range(6)}  # all alike: an error of 10 on average
        found = trial({"seasonal_naive": np.full(12, 40.0), **errors})
        best.append(min(s.error for s in found.scores.values()))
        procedure = found.procedure()
        replayed.append(procedure.score.error)
        assert len(procedure.folds) == 9
        assert procedure.baseline.error == pytest.approx(0.4, rel=1e-3)
    assert np.mean(best) < 0.085
    assert np.mean(replayed) == pytest.approx(0.1, abs=0.007)


def test_the_baseline_serves_where_choosing_does_not_pay():
    # each of the two was best until it had to forecast
    turns = {"a": [1, 1, 1, 60, 1, 1, 60, 1], "b": [2, 2, 2, 2, 60, 60, 2, 60]}
    found = trial({"seasonal_naive": [20.0] * 8, **turns})
    assert min(s.error for s in found.scores.values()) < 0.2
    assert found.procedure().score.error > 0.2
    assert found.best() == "seasonal_naive"


def test_without_evidence_the_default_serves():
    found = trial({"seasonal_naive": [10.0, 10.0], "ensemble": [30.0, 30.0]})
    assert found.best() == "ensemble"


def test_the_default_is_left_only_for_more_than_a_standard_error():
    naive = {"seasonal_naive": [40.0] * 8, "weekday_mean": [38.0] * 8}
    unsure = trial({**naive, "forest": [1, 18, 1, 18, 1, 18, 1, 18], "ensemble": [10.0] * 8})
    assert unsure.best() == "ensemble"
    sure = trial({**naive, "forest": [8, 9, 8, 9, 8, 9, 8, 9], "ensemble": [10.0] * 8})
    assert sure.best() == "forest"
    # over by day 48 are the origins of the days 20, 27, 34 and 41: from the fourth origin on the forest is known to win
    assert sure.procedure().names == ["ensemble"] * 3 + ["forest"] * 5


def test_the_default_serves_only_where_it_beats_the_mean_per_weekday():
    close = trial({"seasonal_naive": [40.0] * 8, "weekday_mean": [10.0] * 8, "ensemble": [9.9] * 8})
    assert close.best() == "weekday_mean"
    clear = trial({"seasonal_naive": [40.0] * 8, "weekday_mean": [10.0] * 8, "ensemble": [9.0] * 8})
    assert clear.best() == "ensemble"
