"""Every model keeps the contract, and none can see the future."""

import inspect
from datetime import date

import numpy as np
import pytest

from retail_ml.forecast import backtest
from retail_ml.forecast.features import NAMES, FeatureBuilder
from retail_ml.forecast.models import BASELINE, DAILY, PANEL, Forecaster, SeasonalNaive, WeekdayMean, WindowAverage
from retail_ml.forecast.models.learned import LearnedForecaster
from retail_ml.forecast.models.simple import yearly_shape
from retail_ml.tests.forecast.shops import START, days, history


def every(of: type) -> list[type]:
    found = []
    for sub in of.__subclasses__():
        found += [sub, *every(sub)]
    return sorted({c for c in found if not inspect.isabstract(c) and "name" in vars(c)}, key=lambda c: c.name)


def quick(model: type) -> Forecaster:
    small = {"max_rows": 400, "trees": 5, "rounds": 5}
    return model(**{k: v for k, v in small.items() if k in inspect.signature(model).parameters})


@pytest.fixture(scope="module")
def year():
    return history(days(420, np.random.default_rng(3), season=0.3))


def test_all_models_are_registered():
    assert {c.name for c in every(Forecaster)} == {*DAILY, *PANEL}
    assert BASELINE in DAILY


@pytest.mark.parametrize("model", every(Forecaster), ids=lambda c: c.name)
class TestContract:
    def test_constructor_only_stores(self, model):
        signature = inspect.signature(model)
        made = model()
        assert vars(made) == {name: p.default for name, p in signature.parameters.items()}

    def test_fit_returns_itself_learned_things_end_in_underscore(self, model, year):
        made = quick(model)
        before = dict(vars(made))
        assert made.fit(year) is made
        assert all(name.endswith("_") for name in set(vars(made)) - set(before))
        assert {name: vars(made)[name] for name in before} == before

    def test_predicts_finite_non_negative_closed_days_zero_and_the_same_again(self, model, year):
        first, again = (quick(model).fit(year).predict(365) for _ in range(2))
        assert first.shape == (1, 365)
        assert np.isfinite(first).all()
        assert (first >= 0).all()
        assert first[0].sum() > 0
        np.testing.assert_array_equal(first, again)
        closed = (year.origin.weekday() + 1 + np.arange(365)) % 7 == 6
        assert (first[0, closed] == 0).all()

    def test_a_longer_horizon_does_not_change_the_days_before(self, model, year):
        made = quick(model).fit(year)
        np.testing.assert_allclose(made.predict(120)[:, :10], made.predict(10))

    def test_nothing_after_the_cutoff_reaches_the_forecast(self, model, year):
        cutoff = 400
        changed = year.y.copy()
        changed[:, cutoff:] = 1e6
        moved = np.random.default_rng(0).random(year.days - cutoff) < 0.7
        other = history(changed, sold=np.r_[year.sold[:cutoff], moved])
        plan = backtest.Plan((cutoff,), 14, 7)
        folds = [backtest.replay(h, plan, lambda past: quick(model))[0].forecast for h in (year, other)]
        np.testing.assert_array_equal(*folds)

    def test_survives_odd_series(self, model):
        rng = np.random.default_rng(0)
        spike = days(120, rng)
        spike[60] *= 100
        shut = days(400, rng)
        shut[200:330] = 0
        odd = {
            "one day": np.array([5.0]),
            "three days": np.array([5.0, 0.0, 2.0]),
            "zeros": np.zeros(90),
            "returns": -np.ones(90),
            "spike": spike,
            "shut": shut,
            "closed at the end": np.r_[days(100, rng), np.zeros(60)],
        }
        for name, y in odd.items():
            if issubclass(model, LearnedForecaster) and len(y) < model.least_days:
                continue
            sold = (y > 0) if (y > 0).any() else np.ones(len(y), dtype=bool)
            forecast = quick(model).fit(history(y, sold=sold)).predict(30)
            assert np.isfinite(forecast).all(), name
            assert (forecast >= 0).all(), name
            if name == "spike":
                assert forecast.max() < 1e5, name


def test_features_read_nothing_after_their_origin():
    y = days(480, np.random.default_rng(5), season=0.4)
    builder = FeatureBuilder(history(y, sold=np.ones(480, dtype=bool)))
    origin, horizon = np.full(60, 419), np.arange(1, 61)
    before = builder.rows(np.zeros(60, dtype=int), origin, horizon)
    later = y.copy()
    later[420:] *= np.random.default_rng(6).uniform(0.8, 1.2, 60)  # within the cap, so that it stays as it is
    after = FeatureBuilder(history(later, sold=np.ones(480, dtype=bool))).rows(np.zeros(60, dtype=int), origin, horizon)
    np.testing.assert_array_equal(before.X, after.X)
    np.testing.assert_array_equal(before.level, after.level)
    assert not np.array_equal(before.ratio, after.ratio)  # the target did change
    assert before.X.shape == (60, len(NAMES))
    assert np.isfinite(before.X).all()  # last year is known here


def test_baselines_by_hand():
    y = np.arange(1.0, 29.0)
    assert SeasonalNaive().fit(history(y)).predict(9)[0].tolist() == [22, 23, 24, 25, 26, 27, 28, 22, 23]
    assert WindowAverage().fit(history(y)).predict(2)[0].tolist() == [11.5, 12.5]
    flat = WeekdayMean().fit(history(np.full(28, 4.0))).predict(3)
    np.testing.assert_allclose(flat, 4.0)


def test_no_yearly_wave_under_300_days():
    builder = FeatureBuilder(history(days(299, np.random.default_rng(1))))
    wave = [i for i, name in enumerate(NAMES) if name.startswith("year_")]
    assert not builder.ahead(30).X[:, wave].any()
    assert FeatureBuilder(history(days(300, np.random.default_rng(1)))).ahead(30).X[:, wave].any()


def test_plan_has_four_origins_where_the_data_allow():
    for n in (80, 120, 200, 400, 738):
        plan = backtest.plan(n)
        assert len(plan.cutoffs) >= 4, n
        assert plan.cutoffs[-1] + plan.horizon == n
    assert backtest.plan(40).cutoffs == ()
    past, after = next(backtest.rolling_origins(history(np.arange(60.0) + 1), (50,)))
    past.y[:] = -1  # a copy: the future cannot be changed or seen through it
    assert after[0, 0] == 51
    assert past.origin == date.fromordinal(START.toordinal() + 49)


def test_last_year_counts_less_when_it_was_growth():
    t = np.arange(728)
    wave = np.where(t % 364 < 182, 10.0, 30.0)
    steady, grown = (
        yearly_shape(history(np.where(t < 628, wave, wave * factor)), 28, exponent=0.85)
        for factor in (1.0, np.exp(0.5))
    )
    # a year ago it fell to a third: ^.85 when last year is to be believed, ^.425 after growth of e^.5 (g = .5)
    assert steady[0, 90] == pytest.approx((1 / 3) ** 0.85, rel=0.02)
    assert grown[0, 90] == pytest.approx((1 / 3) ** 0.425, rel=0.02)
