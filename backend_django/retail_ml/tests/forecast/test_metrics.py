"""Values worked out by hand, and two published ones."""

import numpy as np
import pytest

from retail_ml.forecast import metrics
from retail_ml.forecast.backtest import Fold, Plan
from retail_ml.forecast.intervals import gamma_quantile
from retail_ml.forecast.levels import Trial
from retail_ml.forecast.selection import choices, choose, score
from retail_ml.tests.forecast.shops import START, history

ACTUAL, FORECAST = np.array([0.0, 10.0, 20.0, 30.0]), np.array([5.0, 10.0, 10.0, 40.0])


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
    found = score("x", folds, history(y), horizon=7, sparse=False)
    # actual 15…20 against 20: errors 5 4 3 2 1 0; the in-sample seasonal naive is off by 7 every day
    assert found.mae == pytest.approx(2.5)
    assert found.wape == pytest.approx(15 / 105)
    assert found.mase == pytest.approx(2.5 / 7)
    assert found.days == 6


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
    return Fold(cutoff, START, np.full((1, 7), 100.0 + error), np.full((1, 7), 100.0), np.ones(7, dtype=bool))


def trial(errors, *, step=7):
    """A trial of seven-day forecasts from the errors of each candidate."""
    cutoffs = tuple(20 + step * k for k in range(len(next(iter(errors.values())))))
    past = history(np.linspace(50.0, 150.0, cutoffs[-1] + 7))
    found = Trial(past, Plan(cutoffs, 7, step))
    for name, values in errors.items():
        found.folds[name] = [fold(c, e) for c, e in zip(cutoffs, values, strict=True)]
        found.scores[name] = score(name, found.folds[name], past, horizon=7, sparse=False)
    return found


def test_a_choice_knows_only_origins_that_were_over():
    # "late" becomes the better one at the third origin; its days are over at the fifth
    errors = {"seasonal_naive": [9.0] * 6, "early": [1, 1, 30, 30, 30, 30], "late": [8, 8, 0, 0, 0, 0]}
    scores = trial(errors, step=4).scores
    named = choices(scores, list(scores), "seasonal_naive", cutoffs=[20, 24, 28, 32, 36, 40], horizon=7)
    assert named == [None, None, None, None, "late", "late"]
    scores = trial({**errors, "early": [1, 1, 1, 30, 30, 30]}, step=4).scores
    named = choices(scores, list(scores), "seasonal_naive", cutoffs=[20, 24, 28, 32, 36, 40], horizon=7)
    assert named[4] == "early"  # the 30 of the fourth origin is known to nobody on day 36


def test_the_error_of_the_choice_is_not_flattered_by_it():
    rng = np.random.default_rng(1)
    best, replayed = [], []
    for _ in range(60):
        errors = {f"m{i}": rng.gamma(4.0, 2.5, 12) for i in range(8)}  # all alike: an error of 10 on average
        found = trial({"seasonal_naive": np.full(12, 40.0), **errors})
        best.append(min(s.error for s in found.scores.values()))
        procedure = found.procedure()
        replayed.append(procedure.score.error)
        assert len(procedure.folds) == 9
        assert procedure.baseline.error == pytest.approx(40)
    assert np.mean(best) < 8.5
    assert np.mean(replayed) == pytest.approx(10, abs=0.5)


def test_the_baseline_serves_where_choosing_does_not_pay():
    # each of the two was best until it had to forecast
    turns = {"a": [1, 1, 1, 60, 1, 1, 60, 1], "b": [2, 2, 2, 2, 60, 60, 2, 60]}
    found = trial({"seasonal_naive": [20.0] * 8, **turns})
    assert min(s.error for s in found.scores.values()) < 20
    assert found.procedure().score.error > 20
    assert found.best() == "seasonal_naive"
