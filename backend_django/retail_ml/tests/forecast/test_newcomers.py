"""Products that nobody knows yet."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from retail_ml.forecast import look_alikes, newcomers
from retail_ml.forecast.history import History

START = date(2025, 1, 1)
DAYS = 500
KINDS = ("candle", "lamp", "basket")
RATES = np.array([0.3, 1.5, 6.0])


def _table(names: list[str], **other: list[object]) -> pl.DataFrame:
    n = len(names)
    columns = {"name": names, "category": [""] * n, "brand": [""] * n, "price": [5.0] * n} | other
    return pl.DataFrame(columns, schema_overrides={"price": pl.Float64})


def _shop(seed: int = 3, *, each: int = 70) -> tuple[History, look_alikes.Looks, np.ndarray, np.ndarray]:
    """Products of three kinds whose rates differ twentyfold; a new one every few days, slow or quick for its kind.

    The shop's level is held steady by one product that sells always. Returns kind and true rate too.
    """
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(3), each)
    begin = rng.integers(29, DAYS, len(kind))
    rate = RATES[kind] * rng.gamma(2, 0.5, len(kind))
    y = rng.poisson(rate[:, None], (len(kind), DAYS)).astype(float)
    y[np.arange(DAYS) < begin[:, None]] = 0.0
    always = np.full((1, DAYS), 400.0)
    names = ["till roll", *(f"{KINDS[k]} number{i}" for i, k in enumerate(kind))]
    history = History(START, np.concatenate([always, y]), np.ones(DAYS, dtype=bool))
    return history, look_alikes.looks(_table(names)), np.append(-1, kind), np.append(400.0, rate)


@pytest.fixture(scope="module")
def shop() -> tuple[History, look_alikes.Looks, np.ndarray, np.ndarray]:
    return _shop()


def test_a_newcomer_is_believed_to_sell_like_its_kind(shop) -> None:
    """Without a sale of its own: within 40 % of its kind's mean, and kinds in their order."""
    history, looks, kind, rate = shop
    cut = 420
    past = history.until(cut)
    model = newcomers.learn(past, looks)
    first = np.where((history.y > 0).any(axis=1), (history.y > 0).argmax(axis=1), DAYS)
    rows = np.flatnonzero(first >= cut)
    found = model.forecast(rows)
    mean = [float(found.rate[kind[rows] == k].mean()) for k in range(3)]
    truth = [float(rate[1:][kind[1:] == k].mean()) for k in range(3)]
    assert mean == pytest.approx(truth, rel=0.4)
    assert found.prior == pytest.approx(found.rate)
    for row, named in zip(rows, found.look_alikes, strict=True):
        assert len(named) == newcomers.SHOWN
        assert set(kind[named]) == {kind[row]}


def test_own_sales_take_over(shop) -> None:
    """A product of a slow kind that sells much is soon believed; its prior does not change."""
    history, looks, _, _ = shop
    y = history.y.copy()
    y[1] = 0.0  # a candle
    rates = []
    for age in (3, 14, 27):
        y[1, DAYS - age :] = 6.0
        model = newcomers.learn(History(START, y, history.sold), looks)
        rates.append(float(model.forecast(np.array([1])).rate[0]))
    assert RATES[0] < rates[0] < rates[1] < rates[2] < 6.5
    assert rates[2] > 3.0


def test_a_product_listed_long_ago_that_never_sold_fades(shop) -> None:
    history, looks, _, _ = shop
    y = history.y.copy()
    y[1] = 0.0
    model = newcomers.learn(History(START, y, history.sold), looks)
    today, month, year = (float(model.forecast(np.array([1]), listed=np.array([d])).rate[0]) for d in (500, 470, 135))
    assert year < month < today
    assert year == pytest.approx(today * model.weight / (model.weight + 365))


def test_better_than_the_mean_of_all_newcomers_and_as_wide_as_promised(shop) -> None:
    """Everything of a product from its first sale on is unknown when it is forecast at age 0; 7, 14 days at 7, 14."""
    errors: dict[tuple[str, int], list[float]] = {}
    inside: list[np.ndarray] = []
    for seed in (3, 4, 5):
        history, looks, _, _ = _shop(seed)
        first = np.where((history.y > 0).any(axis=1), (history.y > 0).argmax(axis=1), DAYS)
        for age in (0, 7, 14):
            for cut in (330, 380, 430):
                rows = np.flatnonzero((first + age > cut - 25) & (first + age <= cut))
                if age == 0:
                    rows = np.flatnonzero((first >= cut) & (first < cut + 25))
                model = newcomers.learn(history.until(cut), looks)
                found = model.forecast(rows)
                at = np.maximum(first[rows], cut)
                actual = np.array([history.y[r, a : a + 28].sum() for r, a in zip(rows, at, strict=True)])
                naive = np.nanmean(model.rates[0]) * model.starts.level[-1]
                errors.setdefault(("model", age), []).extend(np.abs(actual - 28 * found.rate))
                errors.setdefault(("naive", age), []).extend(np.abs(actual - 28 * naive))
                bounds = found.quantiles(28 * found.rate, 28, (0.1, 0.9))
                inside.append((actual >= bounds[:, 0]) & (actual <= bounds[:, 1]))
    for age, most in ((0, 0.75), (7, 0.5), (14, 0.5)):
        assert np.sum(errors["model", age]) < most * np.sum(errors["naive", age])
    assert 0.72 <= float(np.concatenate(inside).mean()) <= 0.9


def test_nothing_after_the_cutoff_changes_the_forecast_made_there(shop) -> None:
    history, looks, _, _ = shop
    other = history.y.copy()
    other[:, 400:] = np.random.default_rng(1).poisson(50, other[:, 400:].shape)
    rows = np.arange(1, 40)
    one = newcomers.learn(history.until(400), looks).forecast(rows)
    two = newcomers.learn(History(START, other, history.sold).until(400), looks).forecast(rows)
    np.testing.assert_array_equal(one.rate, two.rate)
    np.testing.assert_array_equal(one.spread, two.spread)


def test_a_past_newcomer_is_forecast_from_those_whose_days_were_over(shop) -> None:
    """What anybody sells from the day on which it began changes nothing in its own replayed prior."""
    history, looks, _, _ = shop
    starts = newcomers.Starts.of(history)
    line = len(starts.rows) // 2
    began = int(starts.began[line])
    other = history.y.copy()
    other[1:, began:] *= 9

    def prior(y: np.ndarray) -> float:
        model = newcomers.learn(History(START, y, history.sold), looks)
        return float(newcomers._replayed(model.starts, looks, rates=model.rates[0], age=0).prior[line])

    assert prior(history.y) > 0
    assert prior(other) == prior(history.y)


def test_the_order_of_the_products_changes_nothing(shop) -> None:
    history, _, kind, _ = shop
    names = ["till roll", *(f"{KINDS[k]} number{i}" for i, k in enumerate(kind[1:]))]
    back = np.arange(len(names))[::-1]
    one = newcomers.learn(history, look_alikes.looks(_table(names)))
    two = newcomers.learn(History(START, history.y[back], history.sold), look_alikes.looks(_table(names[::-1])))
    rows = np.arange(1, 30)
    np.testing.assert_allclose(one.forecast(rows).rate, two.forecast(len(names) - 1 - rows).rate, rtol=1e-9)


def test_a_young_shop_has_all_products_stand_in() -> None:
    """Everything is new: nobody's beginning was seen; the answer is wide and says what it stands on."""
    y = np.array([[2.0] * 20, [4.0] * 20, [0.0] * 20])
    history = History(START, y, np.ones(20, dtype=bool))
    model = newcomers.learn(history, look_alikes.looks(_table(["Blue mug", "Red candle", "Green mug"])))
    found = model.forecast(np.array([2]))
    assert model.established
    assert 2.0 < float(found.rate[0]) < 4.0
    low, high = found.quantiles(28 * found.rate, 28, (0.025, 0.975))[0]
    assert high > 50 * low
    assert model.starts.newcomers().tolist() == [False, False, True]


@pytest.mark.parametrize("days", [1, 10])
def test_nothing_sold(days: int) -> None:
    history = History(START, np.zeros((2, days)), np.zeros(days, dtype=bool))
    model = newcomers.learn(history, look_alikes.looks(_table(["", "Mug"])))
    found = model.forecast(np.arange(2), listed=np.zeros(2, dtype=np.int64))
    assert found.rate.tolist() == [0.0, 0.0]
    assert np.isfinite(found.spread).all()
    assert newcomers.appearing_share(history)[28] is None


def test_likeness() -> None:
    """Words decide, category and brand add, a far price takes away; what is unknown is alike to nothing."""
    table = _table(
        ["Ivory wall clock", "Red wall clock", "Ivory wall clock", "Ivory wall clock", "Teapot", ""],
        category=["home", "home", "home", "home", "home", ""],
        price=[10.0, 10.0, 10.0, 100.0, 10.0, None],
    )
    found = look_alikes.looks(table).likeness(np.array([0, 5]), np.arange(1, 6))
    red, same, dear, teapot, nothing = found[0]
    assert same == pytest.approx(1.25)
    assert same > red > teapot == pytest.approx(0.25)
    assert dear < 0.05
    assert nothing == 0.0
    assert found[1].tolist() == [0.0] * 5


def test_share_of_what_is_yet_to_appear() -> None:
    """One product of ten sells as much as each, from day 300 on: a tenth of the origin before it, nothing later."""
    y = np.ones((10, 400))
    y[9, :300] = 0.0
    history = History(START, y, np.ones(400, dtype=bool))
    origins = np.arange(400 - 28, 181, -28)
    new = sum(min(28, o + 28 - 300) for o in origins if o <= 300 < o + 28)
    total = sum(28 * 9 + max(0, min(28, o + 28 - 300)) for o in origins)
    assert newcomers.appearing_share(history, windows=(28,))[28] == pytest.approx(new / total)
    assert newcomers.appearing_share(history.until(250), windows=(28,))[28] is None
