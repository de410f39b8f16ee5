"""The parts of a forecast multiply to the forecast, and say what was planted."""

from datetime import date, timedelta

import numpy as np
import pytest

from retail_ml.forecast.events import Event
from retail_ml.forecast.explain import PARTS, explain, kept
from retail_ml.forecast.history import History
from retail_ml.forecast.models import DAILY, Ensemble, WeekdayMean
from retail_ml.tests.forecast.shops import START, days, history


def made(model, past, horizon=60):
    fitted = model.fit(past)
    forecast = fitted.predict(horizon)
    return forecast, explain(past, forecast, fitted)


@pytest.mark.parametrize("name", sorted(DAILY))
def test_the_product_is_the_forecast(name):
    past = history(days(420, np.random.default_rng(1), season=0.4))
    forecast, found = made(DAILY[name](), past)
    product = np.prod([found.parts[part] for part in PARTS], axis=0)
    np.testing.assert_allclose(product, forecast, rtol=1e-9)
    assert (product == 0).any()  # Sundays: their closure is the reason
    np.testing.assert_array_equal(found.parts["closure"] == 0, forecast == 0)
    assert all(np.isfinite(found.parts[part]).all() for part in PARTS)


def test_several_series_and_nothing_at_all():
    y = np.stack([days(200, np.random.default_rng(2)), np.zeros(200), 3 * days(200, np.random.default_rng(3))])
    past = History(START, y, y.sum(axis=0) > 0)
    forecast, found = made(Ensemble(), past, 28)
    np.testing.assert_allclose(np.prod([found.parts[p] for p in PARTS], axis=0), forecast, rtol=1e-9)
    assert found.mean("level", series=1) == 0
    assert found.mean("level", series=2) > 2 * found.mean("level", series=0)


def test_a_planted_season_weekday_and_promotion_are_named():
    n = 730 + 90  # ends where the wave is at its height and begins to fall
    promotions = [Event("promotion", f"sale {k}", *(START + timedelta(days=d) for d in (a, a + 6)), uplift=None)
                  for k, a in enumerate((120, 300, 500, n + 7))]  # fmt: skip
    y = days(n, np.random.default_rng(4), season=0.5, noise=0.1)
    for first in (120, 300, 500):
        y[first : first + 7] *= 1.6
    past = History(START, y[None], y > 0, events=tuple(promotions))
    _, found = made(Ensemble(), past, 91)
    promoted = found.parts["promotion"][0]
    np.testing.assert_allclose(promoted[7:14], 1.6, rtol=0.08)
    assert (promoted[:7] == 1).all()
    assert (promoted[14:] == 1).all()
    season = found.parts["season"][0]
    # sin(2π t / 365.25) around its height: 1.5 then, 1 a quarter of a year later
    assert season[80:90].mean() == pytest.approx(1 / 1.48, rel=0.15)
    weekday = found.parts["weekday"][0]
    saturday, monday = ((START.weekday() + n + np.arange(91)) % 7 == d for d in (5, 0))
    assert (weekday[saturday] / weekday[monday][0]).mean() == pytest.approx(1.6 / 0.8, rel=0.06)
    assert found.mean("trend") == pytest.approx(1, abs=0.05)
    assert np.abs(np.log(found.parts["other"][0, :28])).mean() < 0.1


def test_what_a_file_keeps_multiplies_to_the_forecast_and_names_the_days():
    planned = (
        Event("promotion", "Black Friday", date(2024, 11, 29), date(2024, 11, 29), uplift=2.0),
        Event("closure", "Moving house", date(2024, 12, 3), date(2024, 12, 4)),
    )
    start = date(2023, 1, 1)
    sold = np.ones(690, dtype=bool)
    past = History(start, np.full((1, 690), 50.0), sold, country="ES", events=planned)
    model = WeekdayMean().fit(past)
    mean = model.predict(60)
    meta, arrays = kept(model, mean)
    np.testing.assert_allclose(arrays["explain"].prod(axis=0), mean[0], rtol=1e-9)
    named = {(one["date"], one["name"], one["open"]) for one in meta["named_days"]}
    assert {("2024-11-29", "Black Friday", True), ("2024-12-03", "Moving house", False)} <= named
    assert any(one["date"] == "2024-12-25" and one["kind"] == "holiday" for one in meta["named_days"])
    assert {"2024-12-03", "2024-12-04"} <= set(meta["closed"])
