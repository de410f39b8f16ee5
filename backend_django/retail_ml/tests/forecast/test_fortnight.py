"""Weeks that alternate are foretold, noise and a steady trend are not, and a turn of the rhythm is unlearned."""

from datetime import date, timedelta

import numpy as np
import pytest

from retail_ml.forecast.events import Event
from retail_ml.forecast.fortnight import fortnight
from retail_ml.forecast.history import History
from retail_ml.forecast.models import Ensemble
from retail_ml.tests.forecast.shops import START, days, history


def alternating(n, rng, *, lift=1.4, noise=0.1, turn=None):
    """Every other week sells `lift` times as much; from the day `turn` on it is the other one."""
    t = np.arange(n)
    phase = t // 7 + (t >= turn if turn is not None else 0)
    return days(n, rng, noise=noise) * np.where(phase % 2 == 0, lift, 1.0)


@pytest.mark.parametrize("n", [140, 147, 151])  # the last week may be any of the two, and incomplete
def test_the_rhythm_goes_on_in_step(n):
    y = alternating(n, np.random.default_rng(n), lift=1.44, noise=0.05)
    factor = fortnight(history(y), 28)[0]
    high = (n + np.arange(28)) // 7 % 2 == 0
    opened = (START.weekday() + n + np.arange(28)) % 7 != 6
    ratio = factor[high & opened].mean() / factor[~high & opened].mean()
    assert ratio == pytest.approx(1.44, abs=0.07)
    assert factor[(n + np.arange(28)) % 7 == 6] == pytest.approx(1.0)  # closed on Sundays: nothing was seen there
    whole = factor.reshape(2, 2, 7).mean(axis=1)
    np.testing.assert_allclose(whole, 1.0, atol=1e-9)  # over two weeks nothing is added


def test_noise_and_trends_have_none():
    rng = np.random.default_rng(3)
    t = np.arange(200)
    for y in (*(days(200, rng, noise=0.3) for _ in range(20)), days(200, rng, noise=0.1) * np.exp(0.004 * t)):
        np.testing.assert_array_equal(fortnight(history(y), 28), 1.0)
    np.testing.assert_array_equal(fortnight(history(alternating(60, rng)), 28), 1.0)  # too short to be sure
    rare = np.where(np.random.default_rng(4).random(200) < 0.4, alternating(200, rng), 0.0)
    np.testing.assert_array_equal(fortnight(history(rare, sold=np.ones(200, dtype=bool)), 28), 1.0)


def test_a_turn_of_the_rhythm_is_unlearned_and_distance_fades_it():
    rng = np.random.default_rng(5)
    fresh = fortnight(history(alternating(210, rng, turn=203)), 14)[0]
    turned = fortnight(history(alternating(240, rng, turn=140)), 14)[0]
    high = (240 + np.arange(14)) // 7 % 2 == 1
    assert turned[high].mean() > turned[~high].mean()
    assert np.ptp(fresh) < np.ptp(fortnight(history(alternating(210, rng)), 14)[0])
    far = np.log(fortnight(history(alternating(240, rng, noise=0.2)), 365)[0])
    assert 0 < np.abs(far[-28:]).max() < 0.7 * np.abs(far[:28]).max()


@pytest.mark.parametrize("seed", range(3))
def test_the_forecast_follows_and_its_days_are_narrower(seed):
    y = alternating(428, np.random.default_rng(seed), noise=0.1)
    model = Ensemble().fit(history(y[:400]))
    plain = Ensemble().fit(history(days(400, np.random.default_rng(seed), noise=0.1)))
    error = np.abs(model.predict(28)[0] - y[400:]).sum() / y[400:].sum()
    assert error < 0.1  # a mean of both weeks would be wrong by a sixth, and the noise comes on top
    widths = [np.sqrt(m.widths_.noise.var(axis=1)[0]) for m in (model, plain)]
    assert widths[0] == pytest.approx(widths[1], rel=0.25)


def test_later_days_change_nothing():
    y = alternating(300, np.random.default_rng(7))
    later = y.copy()
    later[200:] *= 5
    one, other = (fortnight(history(v).until(200), 28) for v in (y, later))
    np.testing.assert_array_equal(one, other)
    assert np.ptp(one) > 0.2


def test_a_closed_week_says_nothing():
    y = alternating(196, np.random.default_rng(8), noise=0.05)
    y[140:147] = 0
    shut = Event("closure", "works", START + timedelta(days=140), START + timedelta(days=146))
    found = fortnight(History(START, y[None], y > 0, events=(shut,)), 14)[0]
    assert np.isfinite(found).all()
    assert found[7:13].mean() < found[:6].mean()  # 196 days: the next week is an even one


def test_empty_and_tiny_histories():
    for y in ([0.0], [5.0] * 13, [5.0] * 14, np.zeros(200)):
        np.testing.assert_array_equal(fortnight(history(np.asarray(y), start=date(2024, 1, 3)), 3), 1.0)
