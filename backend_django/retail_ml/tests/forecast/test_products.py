"""The product level: learner, gate, fall-backs, choice, chunks, and nothing of the future in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retail_ml.forecast import backtest, bucket_panel, products, sample_cost
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.bucket_learners import DEFAULT, LEARNERS
from retail_ml.forecast.bucket_model import BucketModel, daily, shop_ahead
from retail_ml.forecast.bucket_panel import Panel
from retail_ml.forecast.buckets import Extras
from retail_ml.forecast.history import History
from retail_ml.forecast.levels import Trial
from retail_ml.forecast.models import BASELINE
from retail_ml.tests.forecast.shops import WEEK, history

DAYS = 480


def shop(n: int = 40, days: int = DAYS, seed: int = 1) -> np.ndarray:
    """Negative binomial products of very different volume; every third is sold in summer, every third in winter."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.7, 3.0, n)[:, None] + 0.05
    season = np.array([0.0, 0.8, -0.8])[np.arange(n) % 3][:, None] * np.sin(2 * np.pi * np.arange(days) / 364)
    mean = rate * (1 + season) * np.resize(WEEK, days)
    return rng.poisson(mean * rng.gamma(2.0, 0.5, mean.shape)).astype(float)


def trial_of(h: History) -> tuple[Trial, np.ndarray]:
    """The whole shop forecast by its own mean: products are what is tested here."""
    whole = h.summed()
    plan = backtest.plan(h.days)
    trial = Trial(whole, plan)
    level = float(whole.y.mean())
    for cutoff, (past, actual) in zip(plan.cutoffs, backtest.rolling_origins(whole, plan.cutoffs), strict=True):
        ahead = actual.shape[1]
        forecast = np.full((1, ahead), level) * past.open_ahead(ahead)
        trial.folds.setdefault("flat", []).append(Fold(cutoff, past.origin, forecast, actual, np.ones(ahead, bool)))
    return trial, level * h.open_ahead(365)


def train(h: History, **options) -> products.ProductsTrained:
    trial, ahead = trial_of(h)
    return products.train_products(h, trial, "flat", ahead, **options)


@pytest.fixture(scope="module")
def data() -> History:
    return history(shop())


@pytest.fixture(scope="module")
def trained(data: History) -> products.ProductsTrained:
    return train(data)


def test_the_learner_serves_a_shop_with_seasons_and_keeps_its_promise(trained, data):
    assert trained.name == DEFAULT
    assert trained.mean.shape == (40, 365)
    assert np.isfinite(trained.mean).all()
    assert (trained.mean >= 0).all()
    assert (trained.mean[:, (6 - DAYS) % 7 :: 7] == 0).all(), "closed on Sundays"
    assert trained.errors[DEFAULT]["crps_28"] < trained.errors[BASELINE]["crps_28"]
    assert trained.coverage["coverage_80_28"] == pytest.approx(0.80, abs=0.12)
    assert trained.coverage["coverage_95_28"] == pytest.approx(0.95, abs=0.06)
    assert trained.folds == len(trained.replayed) >= 4
    assert trained.spread.shape == (40,)


def test_summer_products_are_told_from_winter_products():
    y = shop(60, 800)  # ends in spring of the third year: summer lies ahead
    h = history(y)
    found = train(h).mean[:, :28].sum(axis=1)
    actual = shop(60, 828)[:, 800:].sum(axis=1)
    assert np.corrcoef(found, actual)[0, 1] > 0.8


def test_nothing_after_the_cutoff_reaches_the_forecast(data):
    """The same past with another future gives the same forecast, widths and receipts at the cutoff."""
    cutoff = 452
    y, other = data.y.copy(), data.y.copy()
    other[:, cutoff:] = other[::-1, cutoff:] * 50 + 7
    first, second = (train(history(z).until(cutoff)) for z in (y, other))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.widths.z, second.widths.z)
    assert first.errors == second.errors


def test_a_backtest_does_not_see_what_came_after_its_origin(data):
    """Within one training, too: sales after an origin change neither its forecast nor its model."""
    cutoff = products.FOLDS and backtest.plan(DAYS).cutoffs[-2]
    other = data.y.copy()
    other[:, cutoff:] *= 3
    forecasts = []
    for y in (data.y, other):
        panel = Panel(history(y))
        model = BucketModel().fit(panel, panel.table(), cutoff)
        numbers, chunk = panel.sample
        forecasts.append(daily(model, panel, chunk, numbers, origin=cutoff, shop=np.ones(60)))
    assert np.array_equal(*forecasts)


def test_chunks_change_no_number(monkeypatch):
    h = history(shop(30))
    extras = Extras(price=np.arange(30.0) + 1, titles=[f"{'red' if i % 2 else 'blue'} cup" for i in range(30)])
    means = []
    for size in (1_000, 7):
        panel = Panel(h, extras, chunk=size)
        model = BucketModel().fit(panel, panel.table(), h.days)
        parts = [daily(model, panel, c, n, origin=h.days, shop=np.ones(90)) for n, c in panel.chunks()]
        means.append(np.concatenate(parts))
    assert np.array_equal(*means)


def test_rows_are_capped_and_drawn_at_every_origin(monkeypatch):
    monkeypatch.setattr(bucket_panel, "MOST_ROWS", 400)
    panel = Panel(history(shop(30)))
    table = panel.table()
    assert len(table) <= 400
    assert set(table.origin.tolist()) == set(panel.origins(DAYS))


def test_what_a_sample_costs_is_measured_on_weeks_that_no_row_has_seen(monkeypatch):
    h = history(shop(60))
    assert train(h).cost is None, "all rows were learned from"
    every, end = len(Panel(h).table()), backtest.plan(DAYS).cutoffs
    monkeypatch.setattr(bucket_panel, "MOST_ROWS", 1_500)
    cost = train(h, seed=3).cost
    panel = Panel(h, seed=3)
    table = panel.table()
    assert (cost.rows, cost.drawn_from, cost.origins) == (len(table), every, 3)
    half = sample_cost.halved(table, seed=3)
    assert len(half) == pytest.approx(len(table) / 2, rel=0.05)
    weeks = [h.y[:, o : o + 28].reshape(60, 4, 7).sum(axis=2) for o in end[-3:]]
    sold = sum(float(week.sum()) for week in weeks)
    for rows, told in ((table, cost.whole), (half, cost.half)):
        missed = 0.0
        for origin, came in zip(end[-3:], weeks, strict=True):
            (numbers, chunk), days = panel.sample, panel.grid.before[origin + 7 * np.arange(5)]
            rates, _ = BucketModel(seed=3).fit(panel, rows, origin).rates(panel, chunk, numbers, origin)
            missed += float(np.abs(rates * np.diff(days) - came).sum())
        assert told == pytest.approx(missed / sold)
    assert cost.whole < cost.baseline


@pytest.mark.parametrize("name", list(LEARNERS))
def test_every_learner_runs_through_the_same_pipeline(name, data):
    panel = Panel(data)
    model = BucketModel(name, 3).fit(panel, panel.table(), DAYS)
    numbers, chunk = panel.sample
    found = daily(model, panel, chunk, numbers, origin=DAYS, shop=shop_ahead(panel, DAYS, 60))
    assert found.shape == (40, 60)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    expected = data.y[:, -182:].sum() / 182 * 28
    assert found[:, :28].sum() == pytest.approx(expected, rel=0.5)
    again = BucketModel(name, 3).fit(panel, panel.table(), DAYS)
    assert np.array_equal(found, daily(again, panel, chunk, numbers, origin=DAYS, shop=shop_ahead(panel, DAYS, 60)))


def test_the_gate_shuts_where_the_year_may_be_growth_or_chance():
    calm, grown = shop(30), shop(30) * np.geomspace(0.2, 5.0, DAYS)
    models = []
    for y, end in ((calm, DAYS), (calm, 300), (np.round(grown), DAYS), (calm, 150)):
        panel = Panel(history(y))
        models.append(BucketModel().fit(panel, panel.table(), end))
    assert [m.gated_ for m in models] == [False, True, True, False]
    assert models[1].whole_ is None
    assert models[1].apart_ is not None
    assert models[3].apart_ is None, "under 160 days nothing is learned"


@pytest.mark.parametrize("days", [1, 2, 10, 45, 100, 159, 170, 230])
def test_a_short_history_never_fails(days):
    found = train(history(shop(12, days) + (np.arange(days) == 0)))
    assert np.isfinite(found.mean).all()
    low, high = found.widths.total(found.mean[:, :28].sum(axis=1, dtype=float), 28, 0.8, spread=found.spread)
    assert np.isfinite(low).all()
    assert (high > low).all()


def test_strange_products_never_fail():
    y = shop(12)
    y[0] = 0  # never sold
    y[1, :-1] = 0  # sold today for the first time
    y[1, -1] = 3
    y[2] = -1  # only returns
    y[3, 200] = 100_000  # a freak day
    y[4, 60:] = 0  # not sold for more than a year
    found = train(history(y, sold=np.resize(WEEK, DAYS) > 0))
    assert np.isfinite(found.mean).all()
    assert found.mean[0].sum() == 0
    assert found.mean[1, :28].sum() > 0
    assert found.mean[2].sum() == 0
    assert found.mean[4, :28].sum() < 1
    assert np.isfinite(found.spread).all()


def test_the_model_asked_for_serves_and_noise_is_not_learned(data):
    assert train(data, asked="linear").name == "linear"
    rng = np.random.default_rng(5)
    noise = train(history(rng.poisson(3.0, (20, 300)).astype(float)))
    assert noise.errors[noise.name]["crps_28"] < noise.errors[BASELINE]["crps_28"]


def test_days_without_stock_say_nothing():
    """A product that was out of stock for the last weeks is forecast at what it sold before; a twin at its zeros."""
    y = np.tile(np.resize(WEEK, 300) > 0, (12, 1)) * 4.0
    y[:2, -60:] = 0
    there = np.ones(y.shape, dtype=bool)
    there[0, -60:] = False
    found = train(history(y), extras=Extras(available=there)).mean[:, :28].sum(axis=1)
    assert found[0] == pytest.approx(found[5], rel=0.35)
    assert found[1] < 0.65 * found[0]


def test_beyond_four_weeks_products_follow_the_shop(data):
    panel = Panel(data)
    model = BucketModel().fit(panel, panel.table(), DAYS)
    numbers, chunk = panel.sample
    ahead = shop_ahead(panel, DAYS, 365)
    doubled = ahead * np.where(np.arange(365) < 180, 1.0, 2.0)
    flat, risen = (daily(model, panel, chunk, numbers, origin=DAYS, shop=s) for s in (ahead, doubled))
    assert np.allclose(risen[:, :180], flat[:, :180])
    assert np.allclose(risen[:, 180:], 2 * flat[:, 180:], rtol=1e-5)
    late = flat[:, 250:].sum(axis=1) / (ahead[250:].sum() / products_base(panel))
    assert np.allclose(late, chunk.base(DAYS), rtol=0.15, atol=0.05)


def products_base(panel: Panel) -> float:
    from retail_ml.forecast.bucket_model import shop_base

    return shop_base(panel, panel.history.days)


def test_row_order_does_not_matter_where_all_are_learned_from(data):
    order = np.random.default_rng(0).permutation(40)
    panel, mixed = Panel(data), Panel(replace(data, y=data.y[order]))
    found = []
    for p in (panel, mixed):
        model = BucketModel("linear").fit(p, p.table(), DAYS)
        numbers, chunk = p.sample
        found.append(daily(model, p, chunk, numbers, origin=DAYS, shop=np.ones(28)))
    assert np.allclose(found[0][order], found[1], rtol=1e-4)
