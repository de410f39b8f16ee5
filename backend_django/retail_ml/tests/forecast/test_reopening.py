"""A shop that is closed now: the longer it was, the longer it may be; closures with a known end do not count."""

from datetime import date, timedelta

import numpy as np
import pytest

from retail_ml.forecast import reopening
from retail_ml.forecast.entrances import forecast_products, forecast_total
from retail_ml.forecast.events import Event
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import RatioIntervals
from retail_ml.tests.forecast.shops import START, days, history
from retail_ml.tests.forecast.test_entrances import NAMES, frame

PROBABILITIES = (0.1, 0.5, 0.9)


def shut(silent, n=400, seed=1):
    y = days(n, np.random.default_rng(seed))
    y[n - silent :] = 0
    return y


def test_only_silence_that_nothing_explains_counts():
    assert reopening.silent_days(history(shut(90))) == 90
    assert reopening.silent_days(history(shut(4))) == 0  # a long weekend
    assert reopening.silent_days(history(days(400, np.random.default_rng(2)))) == 0
    assert reopening.silent_days(history(np.zeros(60))) == 0  # it never opened: nothing to open again
    y = shut(30)
    known = Event("closure", "works", START + timedelta(days=370), START + timedelta(days=399))
    assert reopening.silent_days(History(START, y[None], y > 0, events=(known,))) == 0
    rare = np.where(np.random.default_rng(3).random(400) < 0.1, 50.0, 0.0)
    rare[-12:] = 0
    assert reopening.silent_days(history(rare)) == 0  # twelve days are nothing in a shop that seldom sells


def test_the_law_of_the_wait():
    """Pareto with exponent 1: half of the closures that lasted 30 days last 30 more, a quarter 90 more."""
    found = reopening.still_closed(30, 90)
    np.testing.assert_allclose(found[[29, 89]], [0.5, 0.25])
    durations = 1 / np.random.default_rng(4).uniform(size=200_000)
    rest = durations[durations > 3] - 3
    np.testing.assert_allclose((rest > 7).mean(), reopening.still_closed(3, 7)[-1], atol=0.01)


def test_days_and_sums_are_mixtures():
    """An open day brings 10 for sure: its quantiles are 0 up to the probability of being closed, and 10 beyond."""
    closed = np.array([0.8, 0.45, 0.05])
    found = reopening.days(closed, lambda day, p: np.full(len(p), 10.0), PROBABILITIES)
    assert found.tolist() == [[0.0, 0.0, 10.0], [0.0, 10.0, 10.0], [10.0, 10.0, 10.0]]
    uniform = reopening.days(closed, lambda day, p: np.asarray(p), PROBABILITIES)  # an open day is uniform on 0 … 1
    np.testing.assert_allclose(
        uniform, [[0, 0, 0.5], [0, 0.05 / 0.55, 0.45 / 0.55], np.subtract(PROBABILITIES, 0.05) / 0.95]
    )
    # opens on day 0, 1, 2 with probability .2, .35, .4 and later with .05: the sum is 30, 20, 10 or 0
    total = reopening.total(closed, lambda first, p: np.full(len(p), 10.0 * (3 - first)), (0.04, 0.3, 0.6, 0.9))
    assert total.tolist() == [0.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize("function", [forecast_total, forecast_products])
def test_the_longer_closed_the_less_is_promised_and_the_upper_end_stays(function):
    answers = [function(frame({"a": shut(silent).tolist()}), 28) for silent in (0, 10, 90)]
    means = [float(a["daily"]["mean"].sum()) for a in answers]
    assert means[0] > 1.3 * means[1] > 1.3 * 1.3 * means[2] > 0
    lower, middle, upper = (answers[2]["cum"][name][-1] for name in ("q0.1", "q0.5", "q0.99"))
    assert lower == middle == 0.0  # more likely than not it stays closed for the four weeks
    assert upper > 0.8 * means[0]
    for answer in answers:
        q = answer["daily"].select(NAMES).to_numpy()
        assert np.isfinite(q).all()
        assert (np.diff(q, axis=1) >= 0).all()


def test_a_closed_shop_beats_a_forecast_that_supposes_it_open():
    """Closures whose length is unknown to the forecast: the mean over many of them is nearer to what came."""
    rng = np.random.default_rng(5)
    ours, supposed = [], []
    for _ in range(300):
        silent = 20
        wait = silent * (1 / rng.uniform() - 1)  # the law of the rule itself
        y = np.where(np.arange(1, 29) > wait, 100.0, 0.0)
        mean = 100.0 * (1 - reopening.still_closed(silent, 28))
        ours.append(np.square(y - mean).mean())
        supposed.append(np.square(y - 100.0).mean())
    assert np.mean(ours) < 0.6 * np.mean(supposed)


def test_a_level_seen_long_ago_is_wider():
    rng = np.random.default_rng(6)
    widths = RatioIntervals(rng.gamma(9, 1 / 9, (1, 199)), np.array([[0.01, 0.015, 0.02]]), np.full((1, 5), 0.012), 12)
    mean = np.full((1, 28), 10.0)
    fresh, old, older = (np.subtract(*widths.aged(d).total(mean, 0.8)[::-1])[0] for d in (0, 30, 180))
    assert fresh < old < older
    assert older == pytest.approx(fresh * np.sqrt(0.02 * (180 + 14) / 91 / 0.012), rel=0.2)
    assert (widths.aged(180).level >= widths.level).all()
    daily = [np.subtract(*w.daily(mean, 0.8)[::-1]).mean() for w in (widths, widths.aged(180))]
    assert daily[1] > 1.05 * daily[0]


def test_a_day_of_the_calendar_keeps_its_date():
    past = history(shut(20), start=date(2024, 3, 1))
    assert reopening.silent_days(past.until(380)) == 0
    assert reopening.silent_days(past) == 20
