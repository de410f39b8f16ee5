"""The whole shop: what serves, what is refused, what little data gets, and nothing from after the cutoff."""

from datetime import timedelta
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from retail_ml import frames
from retail_ml.errors import BadParameter, NotEnoughHistory, UnknownId
from retail_ml.forecast import backtest, levels, shop
from retail_ml.forecast.events import Event
from retail_ml.forecast.levels import Trial
from retail_ml.forecast.models import SIMPLE, SeasonalNaive
from retail_ml.forecast.serving import Forecasts
from retail_ml.tests.forecast.shops import START, days, history, lines, products, shop_lines


def best_of(y, names):
    h = history(y)
    trial = Trial(h, backtest.plan(h.days))
    levels.try_daily(trial, levels.candidates(h, trial.plan, [*(m.name for m in SIMPLE), *names]), seed=1)
    return trial.best(), trial


def train(frame, n, *, names=("linear",), category="", extra=()):
    data = shop.read(frame, as_of=START + timedelta(days=n - 1))
    trials = shop.try_total(data, list(names), seed=1, step=lambda done: None)
    ids = sorted({*frame["product_id"].to_list(), *extra})
    tables = shop.Tables(products(ids, category=category))
    forecast = shop.assemble(data, trials, {t: x.best() for t, x in trials.items()}, tables=tables, seed=1)
    meta, arrays, _ = shop.stored(forecast)
    return forecast, Forecasts(meta, arrays)


@pytest.fixture(scope="module")
def trained():
    return train(shop_lines(300, 1), 300, category="toys", extra=("never",))


def test_planted_season_is_served_by_a_model_that_knows_it():
    y = days(760, np.random.default_rng(8), season=0.6)
    best, trial = best_of(y, ["seasonal_profile", "linear", "gradient_boosting"])
    assert best in ("seasonal_profile", "linear", "gradient_boosting")
    assert trial.scores[best].wape < 0.9 * min(trial.scores[m.name].wape for m in SIMPLE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pure_noise_is_served_by_a_simple_one(seed):
    best, _ = best_of(days(400, np.random.default_rng(seed), noise=0.5), ["seasonal_profile", "linear"])
    assert best in {m.name for m in SIMPLE}


class Level(SeasonalNaive):
    """A candidate that has its own level at the first origins and after them."""

    fitted: ClassVar[list[int]] = []

    def __init__(self, early, late):
        self.early, self.late = early, late

    def _fit(self, history):
        self.fitted.append(history.days)

    def _forecast(self, horizon):
        level = self.early if len(self.fitted) <= 3 else self.late
        return np.full((1, horizon), level)


@pytest.mark.parametrize(
    ("early", "late", "origins"), [(150.0, 100.0, 3), (143.0, 150.0, 12), (100.0, 100.0, 12)], ids=str
)
def test_who_is_behind_at_the_first_origins_is_tried_no_further(monkeypatch, early, late, origins):
    trial = Trial(history(np.tile([60.0, 140.0], 380)), backtest.plan(760))
    made = {"default": (100.0, 100.0), "rival": (early, late)}
    monkeypatch.setattr(levels, "_make", lambda name, past, **_: Level(*made[name]))
    Level.fitted.clear()
    levels.try_daily(trial, ["default"], seed=1)
    Level.fitted.clear()
    levels.try_daily(trial, ["rival"], seed=1, racing="default")
    assert len(Level.fitted) == origins
    assert Level.fitted == list(trial.plan.cutoffs[:origins])
    behind = origins == 3
    assert trial.given_up == ({"rival": 3} if behind else {})
    assert ("rival" in trial.scores, "rival" in trial.folds) == (not behind, not behind)


def test_a_race_changes_nothing_of_who_goes_on():
    h = history(days(760, np.random.default_rng(8)))
    whole, raced = Trial(h, backtest.plan(h.days)), Trial(h, backtest.plan(h.days))
    levels.try_daily(whole, ["seasonal_naive", "linear"], seed=1)
    levels.try_daily(raced, ["seasonal_naive"], seed=1)
    levels.try_daily(raced, ["linear"], seed=1, racing="seasonal_naive")
    assert raced.scores == whole.scores


def test_nothing_better_than_naive_serves_naive():
    rng = np.random.default_rng(4)
    y = 1_000 * np.exp(np.cumsum(rng.normal(0, 0.12, 420)))  # a random walk: the last days are all there is to know
    best, trial = best_of(y, ["linear"])
    assert best == "seasonal_naive"
    assert all(s.error >= trial.scores[best].error for s in trial.scores.values())


def test_a_change_after_the_cutoff_changes_nothing_stored():
    frame = shop_lines(260, 2)
    later = frame.with_columns(
        amount=pl.when(pl.col("day") >= START + timedelta(days=200))
        .then(pl.col("amount") * 7)
        .otherwise(pl.col("amount"))
    )
    stored = [shop.stored(train(f, 200)[0]) for f in (frame, later)]
    assert stored[0][0] == stored[1][0]
    for key, array in stored[0][1].items():
        np.testing.assert_array_equal(array, stored[1][1][key], err_msg=key)
    earlier = frame.with_columns(
        amount=pl.when(pl.col("day") == START + timedelta(days=199))
        .then(pl.col("amount") * 7)
        .otherwise(pl.col("amount"))
    )
    moved = shop.stored(train(earlier, 200)[0])[1]["total_sales_mean"]
    assert not np.array_equal(moved, stored[0][1]["total_sales_mean"])


def test_row_order_does_not_matter_to_the_last_bit():
    frame = shop_lines(160, 3).with_columns(amount=pl.col("amount") * 0.37)  # sums that depend on the order
    shuffled = frame.sample(fraction=1, shuffle=True, seed=5)
    one, other = (shop.stored(train(f, 160, names=("gradient_boosting",))[0])[1] for f in (frame, shuffled))
    for key, array in one.items():
        np.testing.assert_array_equal(array, other[key], err_msg=key)


def test_weighed_goods_that_go_back_the_same_day_are_no_demand():
    bought = lines([("1", "p", 0, 1, 1.0), ("2", "p", 0, 1, 2.0), ("3", "p", 0, -1, -3.0)])
    kilos = bought.with_columns(customer_id=pl.lit("7"), units=pl.Series([0.1, 0.2, -0.3]))  # 0.1 + 0.2 - 0.3 is not 0
    assert frames.net_same_day(kilos).is_empty()


def test_answers(trained):
    _, forecasts = trained
    assert forecasts.dates(1) == [START + timedelta(days=300)]
    for level, object_id in (("total", ""), ("category", "toys"), ("product", "p1"), ("product", "never")):
        for n in (1, 30, 365):
            for coverage in (0.5, 0.99):
                for x in forecasts.ahead(level, object_id, days=n, coverage=coverage).values():
                    assert len(x.mean) == n
                    for values in (x.mean, x.lower, x.upper, [x.total, x.total_lower, x.total_upper]):
                        assert np.isfinite(values).all()
                        assert min(values) >= 0
                    assert (x.lower <= x.mean).all()
                    assert (x.mean <= x.upper).all()
                    assert x.total_lower <= x.total <= x.total_upper
                    assert x.total == pytest.approx(x.mean.sum())
    x = forecasts.ahead("total", "", days=28, coverage=0.95)["sales"]
    assert x.total_upper - x.total_lower < 0.9 * (x.upper - x.lower).sum()


def test_categories_and_products_add_up_to_a_shop(trained):
    forecast, forecasts = trained
    assert forecasts.ids("category").tolist() == ["other", "toys"]
    total = forecasts.ahead("total", "", days=28, coverage=0.8)["units"].total
    found = forecasts.demand("product", 28)
    assert found.mean.sum() == pytest.approx(total, rel=0.25)
    assert (found.sd > 0).all()
    assert 0 < found.mean[forecasts.row("product", "never")] < found.mean.min() + found.mean.max()
    of_variants = forecasts.demand("variant", 28).mean
    assert of_variants.sum() == pytest.approx(found.mean.sum() - found.mean[forecasts.row("product", "never")])
    assert (
        forecast.product.errors["seasonal_naive"]["wape_28"] > forecast.product.errors[forecast.product.name]["wape_28"]
    )


@pytest.mark.parametrize(
    ("level", "object_id", "error"),
    [
        ("category", "hats", UnknownId),
        ("product", "", UnknownId),
        ("shelf", "x", BadParameter),
        ("variant", "x", UnknownId),
    ],
)
def test_unknown_ids(trained, level, object_id, error):
    with pytest.raises(error) as caught:
        trained[1].ahead(level, object_id, days=7, coverage=0.8)
    if level == "category":
        assert "other, toys" in str(caught.value)


@pytest.mark.parametrize("bad", [{"days": 0}, {"days": 366}, {"coverage": 0.4}, {"coverage": 0.999}])
def test_parameters_out_of_range(trained, bad):
    with pytest.raises(BadParameter):
        trained[1].ahead("total", "", **{"days": 7, "coverage": 0.8, **bad})


def many(n, day=lambda i: i, units=lambda i: 2, amount=lambda i: 10.0):
    return lines([(f"o{i}", f"p{i % 3}", day(i), units(i), amount(i)) for i in range(n)])


DEGENERATE = {
    "ten in ten days": (many(10), 10),
    "ten on one day": (many(10, day=lambda i: 0), 1),
    "ten today only": (many(10, day=lambda i: 5), 5),
    "ten in a year": (many(10, day=lambda i: 37 * i), 400),
    "thirty": (many(30, day=lambda i: 2 * i), 60),
    "a day a hundred times the others": (many(120, amount=lambda i: 1_000.0 if i == 60 else 10.0), 120),
    "shut for three months": (many(160, day=lambda i: i if i < 80 else i + 90), 250),
    "shut at the end": (many(100), 190),
    "free": (many(40, amount=lambda i: 0.0), 40),
    "more returned than sold": (
        lines([(f"o{i}", "p", i, 1, 10.0) for i in range(40)] + [(f"o{i}", "p", i + 1, -2, -30.0) for i in range(39)]),
        40,
    ),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_odd_shops_get_a_finite_answer_that_says_how_little_it_knows(name):
    frame, n = DEGENERATE[name]
    forecast, forecasts = train(frame, n)
    for level, object_id in (("total", ""), ("product", frame["product_id"][0])):
        for x in forecasts.ahead(level, object_id, days=60, coverage=0.95).values():
            for values in (x.mean, x.lower, x.upper, [x.total, x.total_lower, x.total_upper]):
                assert np.isfinite(values).all()
            assert min(*x.mean, x.total) >= 0
            returned = name == "more returned than sold"  # then a day below nothing is possible, and is said to be
            assert (min(x.lower) < 0) == (x.total_lower < 0) == (returned and level == "total")
    notes = dict(forecast.data.notes)
    if name not in ("a day a hundred times the others", "shut for three months"):
        assert notes
    if name == "shut at the end":
        assert notes["quiet"]["days"] == 90
        assert forecasts.ahead("total", "", days=7, coverage=0.8)["sales"].total == pytest.approx(70, rel=0.2)
    if name.startswith("a day"):
        assert forecasts.ahead("total", "", days=7, coverage=0.8)["sales"].total == pytest.approx(70, rel=0.3)
    if name == "ten in a year":
        x = forecasts.ahead("total", "", days=30, coverage=0.95)["sales"]
        assert x.total == pytest.approx(30 * 100 / 400, rel=0.6)
        assert x.total_upper > 2 * x.total


def test_nine_sales_are_refused():
    with pytest.raises(NotEnoughHistory) as caught:
        shop.read(many(9), as_of=START + timedelta(days=20))
    assert caught.value.details == {"found": 9, "needed": 10}
    with pytest.raises(NotEnoughHistory):
        shop.read(frames.empty(frames.ORDER_LINES), as_of=START)


def test_returns_are_not_sales():
    frame = lines([(f"o{i}", "p", i, -1, -5.0) for i in range(50)])
    with pytest.raises(NotEnoughHistory):
        shop.read(frame, as_of=START + timedelta(days=60))


def test_a_stated_promotion_of_a_part_lifts_its_forecast_on_its_days_alone():
    frame, until = shop_lines(120, 1), START + timedelta(days=119)
    first = until + timedelta(days=3)
    sale = Event("promotion", "Toys week", first, first + timedelta(days=6), "category", "toys", 1.5)

    def mean(*planned):
        data = shop.read(frame, as_of=until, planned=planned)
        trials = shop.try_total(data, [], seed=1, step=lambda done: None)
        ids = sorted(set(frame["product_id"].to_list()))
        best = {t: x.best() for t, x in trials.items()}
        tables = shop.Tables(products(ids, category="toys"))
        return shop.assemble(data, trials, best, tables=tables, seed=1).category["units"].mean

    lifted, plain = mean(sale)[-1], mean()[-1]
    np.testing.assert_allclose(lifted[2:9], 1.5 * plain[2:9])
    np.testing.assert_allclose(np.delete(lifted, range(2, 9)), np.delete(plain, range(2, 9)))
