"""The regression learns what was planted and nothing else; the ensemble weighs, falls back and covers as it says."""

import sys
from datetime import date, timedelta

import numpy as np
import pytest

from retail_ml.forecast import backtest, boosting, levels
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.events import Event
from retail_ml.forecast.history import History
from retail_ml.forecast.models import (
    DEFAULT,
    NAIVE,
    SIMPLE,
    Ensemble,
    Gam,
    HistoricAverage,
    SeasonalProfile,
    WeekdayMean,
)
from retail_ml.forecast.models.ensemble import members, origins, weights
from retail_ml.tests.forecast.shops import START, WEEK, days, history


def event(kind, first, length=1, *, name="x", uplift=None):
    begin = START + timedelta(days=first)
    return Event(kind, name, begin, begin + timedelta(days=length - 1), uplift=uplift)


def with_events(y, events, **place):
    return History(START, y[None], y > 0, events=tuple(events), **place)


def factor(y, events, *, model=Gam, ahead=7):
    """The forecast of the days ahead with the events, over the one without those that are still to come."""
    known = [e for e in events if e.last < START + timedelta(days=len(y))]
    with_, without = (model().fit(with_events(y, some)).predict(ahead)[0] for some in (events, known))
    opened = without > 0
    return with_[opened] / without[opened]


class TestPromotions:
    def test_unknown_and_never_seen_changes_nothing(self):
        y = days(200, np.random.default_rng(1))
        np.testing.assert_allclose(factor(y, [event("promotion", 200, 7)]), 1.0)

    @pytest.mark.parametrize("model", [Gam, Ensemble])
    def test_a_stated_uplift_is_believed_until_the_past_speaks(self, model):
        y = days(200, np.random.default_rng(1), noise=0.1)
        np.testing.assert_allclose(factor(y, [event("promotion", 200, 7, uplift=2.0)], model=model), 2.0)
        past = [event("promotion", d, 10, uplift=2.0) for d in (60, 120)]  # twice promised, and nothing came of it
        found = factor(y, [*past, event("promotion", 200, 7, uplift=2.0)], model=model)
        assert found == pytest.approx(1.0, abs=0.15)

    @pytest.mark.parametrize(("length", "noise", "low", "high"), [(28, 0.1, 1.7, 1.9), (1, 0.5, 1.15, 1.6)])
    def test_the_effect_of_past_ones_is_learned_and_shrunk(self, length, noise, low, high):
        """28 quiet days tell 1.8; one day among noisy ones weighs as much as the prior: half of it, √1.8 = 1.34."""
        y = days(300, np.random.default_rng(2), noise=noise)
        y[100 : 100 + length] = 1.8 * 1_000 * WEEK[(100 + np.arange(length)) % 7]
        found = factor(y, [event("promotion", 100, length), event("promotion", 300, 7)])
        assert low < found[0] < high

    def test_promotions_of_another_name_may_do_the_opposite(self):
        y = days(400, np.random.default_rng(4), noise=0.1)
        y[50:71] *= 2.0
        y[250:271] *= 0.6
        past = [event("promotion", 50, 21, name="Black Friday 2024"), event("promotion", 250, 21, name="Clearance")]
        up = factor(y, [*past, event("promotion", 400, 7, name="Black Friday 2025")])
        down = factor(y, [*past, event("promotion", 400, 7, name="clearance")])
        assert up[0] > 1.5
        assert down[0] < 0.8

    def test_days_of_a_promotion_do_not_raise_the_level_after_it(self):
        y = days(150, np.random.default_rng(3), noise=0.1)
        promoted = y.copy()
        promoted[-14:] *= 2.0
        ahead = [Ensemble().fit(with_events(promoted, e)).predict(7).sum() for e in ([event("promotion", 136, 14)], [])]
        truth = Ensemble().fit(with_events(y, [])).predict(7).sum()
        assert ahead[0] == pytest.approx(truth, rel=0.12)
        assert ahead[1] > 1.25 * truth


class TestClosures:
    def test_a_closed_day_is_0_and_the_weekly_phase_holds(self):
        y = days(200, np.random.default_rng(4), noise=0.05)
        y[100:103] = 0
        shut = [event("closure", 100, 3), event("closure", 202, 2)]
        forecast = Ensemble().fit(with_events(y, shut)).predict(14)[0]
        assert (forecast[2:4] == 0).all()
        expected = 1_000 * WEEK[(200 + np.arange(14)) % 7]
        kept = (expected > 0) & (forecast > 0)
        np.testing.assert_allclose(forecast[kept], expected[kept], rtol=0.15)

    def test_the_day_before_a_closure_is_learned(self):
        y = days(400, np.random.default_rng(5), noise=0.1)
        shut = [event("closure", d) for d in (50, 101, 152, 204, 253, 304, 354, 402)]  # working days
        for e in shut[:-1]:
            day = (e.first - START).days
            y[day], y[day - 1] = 0, y[day - 1] * 1.8
        forecast = Gam().fit(with_events(y, shut)).predict(3)[0]
        plain = Gam().fit(with_events(y, shut[:-1])).predict(3)[0]
        assert forecast[1] > 1.3 * plain[1]
        assert forecast[2] == 0

    def test_an_open_holiday_has_an_effect_of_its_own_name(self):
        y = days(730, np.random.default_rng(6), noise=0.1)
        feasts = [event("holiday", d, name="fair") for d in (30, 394, 731)]
        feasts += [event("holiday", d, name="match") for d in (60, 424, 733)]
        for d in (30, 394):
            y[d] *= 2.5
        model = Gam().fit(with_events(y, feasts))
        plain = Gam().fit(with_events(y, [e for e in feasts if e.first < START + timedelta(days=730)]))
        ratio = model.predict(5)[0] / np.maximum(plain.predict(5)[0], 1e-9)
        assert 1.4 < ratio[1] < 2.5  # seen twice: shrunk
        assert ratio[3] == pytest.approx(1.0, abs=0.2)


def test_last_year_of_a_growing_shop_is_growth():
    t = np.arange(760)
    rng = np.random.default_rng(7)
    grown = 1_000 * np.exp(1.5 * t / 365) * rng.gamma(50, 1 / 50, 760)
    model = Gam().fit(history(grown))
    season = model.parts(760, 90)["season"][0]
    assert np.abs(season).max() < 0.1
    assert model.predict(28)[0].mean() == pytest.approx(1_000 * np.exp(1.5 * 774 / 365), rel=0.15)
    wave = days(760, rng, season=0.5, noise=0.1)
    assert np.ptp(Gam().fit(history(wave)).parts(760, 365)["season"][0]) > 0.7


def test_no_yearly_shape_under_300_days():
    assert "season" not in Gam().fit(history(days(299, np.random.default_rng(8), season=0.5))).parts(0, 10)
    assert "season" in Gam().fit(history(days(300, np.random.default_rng(8), season=0.5))).parts(0, 10)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (25, {"weekday_mean"}),
        (60, {"gam", "weekday_mean"}),
        (119, {"gam", "weekday_mean"}),
        (120, {"gam", "weekday_mean", "lightgbm"}),
        (380, {"gam", "weekday_mean", "lightgbm", "seasonal_profile"}),
    ],
)
def test_members_by_length(length, expected):
    assert set(members(history(days(length, np.random.default_rng(9))))) == expected


def test_far_ahead_only_regression_and_last_year_speak():
    model = Ensemble().fit(history(days(500, np.random.default_rng(10))))
    shares = model.shares(365)[0]
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    far = {name for name, row in zip(model.names_, shares[:, 90:], strict=True) if row.any()}
    assert far == {Gam.name, SeasonalProfile.name}
    learned = shares[model.names_.index("lightgbm")]
    assert learned[27] > learned[40] > 0 == learned[56]
    assert sum(model.importances_.values()) == pytest.approx(1.0)
    assert Ensemble().fit(history(days(60, np.random.default_rng(10)))).importances_ == {}


def fold(cutoff, errors, name):
    return {name: Fold(cutoff, START, np.full((1, 28), 100.0 + errors), np.full((1, 28), 100.0), np.ones(28, bool))}


def test_weights_follow_the_error_and_are_equal_without_evidence():
    assert weights({"a": [], "b": []}, ["a", "b"], 1, days=(0, 28)).tolist() == [[0.5, 0.5]]
    many, few = (
        weights(
            {name: [fold(c, e, name)[name] for c in range(100, 100 + 14 * n, 14)] for name, e in (("a", 5), ("b", 10))},
            ["a", "b"],
            1,
            days=(0, 28),
        )
        for n in (8, 1)
    )
    # errors 5 and 10: 16 to 1, so .8 × 16/17 + .1 = .853 for the better one; a span of 126 days is trusted by
    # 126 / (126 + 56) = .692, one of 28 days by 28 / 84 = .333
    assert many[0, 0] == pytest.approx(0.5 + 0.692 * (0.853 - 0.5), abs=1e-3)
    assert few[0, 0] == pytest.approx(0.5 + 0.333 * (0.853 - 0.5), abs=1e-3)


def test_replays_end_before_the_last_day_and_short_histories_have_some():
    for n in (60, 90, 150, 250, 800):
        cutoffs = origins(n)
        assert max(cutoffs) <= n - 7
        assert min(cutoffs) >= max(42, n // 3)
    assert len(origins(90)) >= 4


def test_a_day_changed_after_an_origin_changes_neither_its_forecast_nor_its_width():
    y = days(420, np.random.default_rng(11), season=0.3)
    later = y.copy()
    later[400:] *= 7
    plan = backtest.Plan((400,), 14, 7)
    one, other = (backtest.replay(history(v, sold=y > 0), plan, lambda past: Ensemble())[0] for v in (y, later))
    np.testing.assert_array_equal(one.forecast, other.forecast)
    for name in ("noise", "level", "sums"):
        np.testing.assert_array_equal(getattr(one.widths, name), getattr(other.widths, name))
    moved = y.copy()
    moved[399] *= 3
    changed = backtest.replay(history(moved, sold=y > 0), plan, lambda past: Ensemble())[0]
    assert not np.array_equal(changed.forecast, one.forecast)


def test_a_young_shop_gets_honest_intervals():
    inside, sums = {0.8: [], 0.95: []}, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drift = np.exp(np.cumsum(rng.normal(0, 0.01, 118)))
        y = days(118, rng, noise=0.3) * drift
        model = Ensemble().fit(history(y[:90]))
        mean = model.predict(28)
        opened = mean[0] > 0
        for coverage, found in inside.items():
            lower, upper = model.widths_.daily(mean, coverage)
            found.append(((y[90:] >= lower[0]) & (y[90:] <= upper[0]))[opened])
        low, high = model.widths_.total(mean, 0.8)
        sums.append(low[0] <= y[90:].sum() <= high[0])
    assert 0.75 <= np.mean(inside[0.8]) <= 0.87
    assert 0.92 <= np.mean(inside[0.95]) <= 0.98
    assert np.mean(sums) >= 0.65


def test_without_lightgbm_the_same_ensemble_runs_on_scikit_learn(monkeypatch):
    y = days(200, np.random.default_rng(12), noise=0.1)
    usual = Ensemble().fit(history(y)).predict(28)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    boosting.available.cache_clear()
    without = Ensemble().fit(history(y))
    boosting.available.cache_clear()
    assert without.learned_.boosted_.estimator_ is not None
    np.testing.assert_allclose(without.predict(28), usual, rtol=0.1)


def served(y, names=("linear", DEFAULT)):
    past = history(y)
    trial = levels.Trial(past, backtest.plan(past.days))
    simple = [m.name for m in SIMPLE]
    levels.try_daily(trial, levels.candidates(past, trial.plan, [*simple, *names]), seed=1)
    return trial


@pytest.mark.parametrize("seed", range(4))
def test_pure_noise_is_served_a_forecast_without_model(seed):
    rng = np.random.default_rng(seed)
    trial = served(1_000 * rng.gamma(4.0, 0.25, 420))
    assert trial.best() in NAIVE
    # a mean is what noise asks for, not the last week; and choosing it, replayed, beats the last week clearly
    assert trial.best() in (WeekdayMean.name, HistoricAverage.name)
    assert trial.procedure().score.error < 0.9 * trial.procedure().baseline.error


@pytest.mark.parametrize("seed", range(2))
def test_a_planted_season_is_not(seed):
    y = days(700, np.random.default_rng(seed), season=0.6)
    trial = served(y)
    best = trial.best()
    assert best not in {m.name for m in SIMPLE}
    assert trial.scores[best].error < 0.9 * min(trial.scores[name].error for name in NAIVE)
    ahead = levels.finish(trial, best, seed=1).mean[0, :182]
    truth = 1_000 * WEEK[(700 + np.arange(182)) % 7] * (1 + 0.6 * np.sin(2 * np.pi * (700 + np.arange(182)) / 365.25))
    assert np.abs(ahead - truth).sum() / truth.sum() < 0.15


def test_the_days_of_a_year_ahead_grow_less_certain():
    model = Ensemble().fit(history(days(500, np.random.default_rng(13), season=0.3)))
    mean = model.predict(365)
    lower, upper = model.widths_.daily(mean, 0.8)
    opened = mean[0] > 0
    width = ((upper - lower) / np.where(opened, mean, 1))[0]
    by_quarter = [width[a : a + 91][opened[a : a + 91]].mean() for a in (0, 91, 182, 273)]
    assert by_quarter == sorted(by_quarter)
    assert by_quarter[3] > 1.15 * by_quarter[0]


def test_holidays_of_the_country_are_closed_when_they_were():
    y = days(800, np.random.default_rng(14), noise=0.1)
    for christmas in (date(2024, 12, 25), date(2025, 12, 25)):
        y[(christmas - START).days] = 0
    past = History(START, y[None, :700], y[:700] > 0, "GB")
    ahead = Ensemble().fit(past).predict(40)[0]
    assert ahead[(date(2025, 12, 25) - past.origin).days - 1] == 0
