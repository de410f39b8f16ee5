"""Days without stock, and demand corrected for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from retail_ml import frames
from retail_ml.forecast import stockouts
from retail_ml.tests.forecast import boutique

START = date(2026, 1, 1)


@pytest.fixture(scope="module")
def shop() -> boutique.Boutique:
    return boutique.make(orders=1_500, days=200, seed=5)


def _walk(shop: boutique.Boutique, **other: pl.DataFrame) -> stockouts.StockDays:
    start = shop.lines["day"].min()
    assert isinstance(start, date)
    ids = shop.stock["variant_id"].sort().to_numpy().astype(str)
    tables = {"stock_history": shop.stock_history, "stock": shop.stock, "lines": shop.lines} | other
    return stockouts.walk_back(**tables, ids=ids, start=start, days=(shop.shop.end - start).days + 1)


def test_walking_back_finds_what_walking_forward_shows(shop: boutique.Boutique) -> None:
    """The boutique begins with empty shelves: adding its movements up from the first day needs no stock of today."""
    found = _walk(shop)
    row = {v: i for i, v in enumerate(found.ids)}
    out, ran_out = np.zeros_like(found.out), np.zeros_like(found.out)
    changes: dict[tuple[int, date], list[float]] = {}
    moments = shop.stock_history.group_by("variant_id", "at", "day").agg(pl.col("units").sum()).sort("at")
    for variant, _, day, units in moments.iter_rows():
        changes.setdefault((row[variant], day), []).append(units)
    level = np.zeros(len(found.ids))
    for (variant, day), units in changes.items():
        if day < found.start:
            level[variant] += sum(units)
    for t in range(found.out.shape[1]):
        day = found.start + timedelta(days=t)
        for variant in range(len(level)):
            seen = level[variant] + np.cumsum(changes.get((variant, day), []))
            there = level[variant] > 0 or (seen > 0).any()
            out[variant, t] = not there
            ran_out[variant, t] = there and len(seen) > 0 and seen.min() <= 0
            level[variant] = seen[-1] if len(seen) else level[variant]
    assert found.trusted.all()
    assert not found.refused
    assert out.any()
    assert ran_out.any()
    np.testing.assert_array_equal(found.out, out)
    np.testing.assert_array_equal(found.ran_out, ran_out)


def test_the_shop_s_own_count_of_empty_shelves(shop: boutique.Boutique) -> None:
    """The simulation counts variants in the range without stock at night, on open days: within 2 per cent.

    (Orders cancelled at night bring a few units back after it has counted.)
    """
    found, truth = _walk(shop), shop.shop.truth
    life = shop.stock.sort("variant_id").join(truth.styles, left_on="product_id", right_on="product_code", how="left")
    life = life.sort("variant_id")
    day = np.arange(found.out.shape[1])
    launch = (life["launch"] - found.start).dt.total_days().to_numpy()[:, None]
    end = (life["end"] - found.start).dt.total_days().fill_null(10_000).to_numpy()[:, None]
    opened = truth.days.filter(pl.col("day") >= found.start)["open"].to_numpy()
    empty = ((found.out | found.ran_out) & (launch <= day) & (day < end) & opened).sum()
    assert empty == pytest.approx(truth.empty_days, rel=0.02)


def test_the_order_of_the_rows_changes_nothing(shop: boutique.Boutique) -> None:
    mixed = {
        n: getattr(shop, n).sample(fraction=1.0, shuffle=True, seed=1) for n in ("stock_history", "stock", "lines")
    }
    np.testing.assert_array_equal(_walk(shop).out, _walk(shop, **mixed).out)


def test_a_history_without_its_sales_is_refused(shop: boutique.Boutique) -> None:
    """Receipts alone: walking back ends far below zero."""
    found = _walk(shop, stock_history=shop.stock_history.filter(pl.col("kind") != "sale"))
    assert found.refused
    assert found.counts["below_zero"] > 0.2 * found.counts["with_history"]
    assert not found.trusted.any()
    assert not found.out.any()
    assert not found.ran_out.any()


def _changes(rows: list[tuple[str, int, float]]) -> pl.DataFrame:
    at = [datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=t) for _, t, _ in rows]
    return pl.DataFrame(
        {
            "variant_id": [v for v, _, _ in rows],
            "at": at,
            "day": [a.date() for a in at],
            "units": [u for _, _, u in rows],
            "kind": [""] * len(rows),
        },
        schema=frames.STOCK_HISTORY,
    )


def _sales(rows: list[tuple[str, int]]) -> pl.DataFrame:
    days = [START + timedelta(days=t) for _, t in rows]
    n = len(rows)
    columns = {"variant_id": [v for v, _ in rows], "day": days, "units": [1.0] * n, "is_return": [False] * n}
    return pl.DataFrame(columns, schema={name: frames.ORDER_LINES[name] for name in columns})


def test_one_contradiction_of_many_is_left_out_alone() -> None:
    """Variant 0 sold on days on which its history has nothing; the others are believed."""
    ids = np.array([f"v{i}" for i in range(8)])
    changes = _changes([(v, 0, 3.0) for v in ids] + [(v, 2, -3.0) for v in ids])
    shelf = pl.DataFrame({"variant_id": ids, "on_hand": [0.0] * 8})
    sold = _sales([("v0", 5), ("v0", 6), *((v, 2) for v in ids)])
    found = stockouts.walk_back(changes, shelf, sold, ids=ids, start=START, days=8)
    assert found.counts == {
        "variants": 8, "with_history": 8, "below_zero": 0, "sold_without_stock": 1, "trusted": 7
    }  # fmt: skip
    assert not found.out[0].any()
    assert found.out[1].tolist() == [False, False, False, True, True, True, True, True]
    assert found.ran_out[1].tolist() == [False, False, True, False, False, False, False, False]


def test_before_the_first_change() -> None:
    """`new` came with its first receipt, `old` had stock before the history began, `none` has no history."""
    ids = np.array(["new", "none", "old"])
    changes = _changes([("new", 3, 4.0), ("old", 3, 4.0)])
    shelf = pl.DataFrame({"variant_id": ids, "on_hand": [4.0, 0.0, 9.0]})
    found = stockouts.walk_back(changes, shelf, _sales([]), ids=ids, start=START, days=5)
    assert found.out.astype(int).tolist() == [[1, 1, 1, 0, 0], [0] * 5, [0] * 5]
    assert found.trusted.tolist() == [True, False, True]


def test_nothing_at_all() -> None:
    """No variants, no changes, no sales: empty answers."""
    empty = frames.empty(frames.STOCK_HISTORY)
    none = np.empty(0, dtype="<U1")
    found = stockouts.walk_back(
        empty, frames.empty(frames.STOCK), frames.empty(frames.ORDER_LINES), ids=none, start=START, days=3
    )
    assert found.out.shape == (0, 3)
    assert not found.refused
    of_products = stockouts.products(found, np.empty(0, dtype=np.int64), ids=np.array(["p"]))
    assert not of_products.trusted.any()
    rates = stockouts.censored_rates(np.zeros((1, 3)), np.ones((1, 3), bool), np.zeros((1, 3), bool))
    assert rates.rate.tolist() == [0.0]
    assert rates.days.tolist() == [0.0]
    assert np.isfinite(rates.expected).all()


@pytest.mark.parametrize(("mean", "shape", "x"), [(3.0, 0.7, 4.0), (0.4, 2.0, 1.0), (20.0, 5.0, 31.0), (2.0, 1e5, 3.0)])
def test_expectation_of_a_censored_day(mean: float, shape: float, x: float) -> None:
    """Against the sums over the distribution itself."""
    law = stats.nbinom(shape, shape / (shape + mean))
    values = np.arange(x, 5_000)
    weight = law.pmf(values)
    one, two = stockouts.expected_given_at_least(np.array([mean]), np.array([shape]), np.array([x]))
    assert one[0] == pytest.approx((values * weight).sum() / weight.sum(), rel=1e-4)
    assert two[0] == pytest.approx((values**2 * weight).sum() / weight.sum(), rel=1e-4)


def _reordered(level: float, *, seed: int, series: int = 600, days: int = 365) -> tuple[np.ndarray, ...]:
    """Negative binomial demand met from a stock that is reordered at `level` days of demand, late and lost."""
    rng = np.random.default_rng(seed)
    rate, shape = np.exp(rng.normal(0, 1, series)), rng.gamma(2, 0.5, series) + 0.1
    demand = rng.negative_binomial(shape[:, None], (shape / (shape + rate))[:, None], (series, days)).astype(float)
    stock, coming, arriving = np.ceil(rate * 14), np.zeros(series), np.zeros((series, days + 60))
    sold, out, ran_out = np.zeros_like(demand), np.zeros(demand.shape, bool), np.zeros(demand.shape, bool)
    for t in range(days):
        stock, coming = stock + arriving[:, t], coming - arriving[:, t]
        sold[:, t] = np.minimum(demand[:, t], stock)
        out[:, t], ran_out[:, t] = stock <= 0, (stock > 0) & (stock <= demand[:, t])
        stock = stock - sold[:, t]
        if t % 7 == 0:
            order = np.where(stock + coming <= rate * level, np.ceil(rate * 14), 0)
            arriving[np.arange(series), t + rng.integers(5, 25, series)] += order
            coming = coming + order
    return demand.mean(axis=1), sold, out, ran_out


@pytest.mark.parametrize(("level", "share", "raw"), [(22, 0.08, -0.07), (14, 0.25, -0.25), (8, 0.37, -0.37)])
def test_bias_of_sales_and_of_the_corrected_rate(level: float, share: float, raw: float) -> None:
    """Against the truth: sales miss as much as days are out, leaving such days out half of it, the correction ≤ 2 %."""
    truth, sold, out, ran_out = _reordered(level, seed=1)
    assert out.mean() == pytest.approx(share, abs=0.03)
    found = stockouts.censored_rates(sold, out, ran_out)
    dropped = np.where(out | ran_out, 0, sold).sum(axis=1) / np.maximum((~(out | ran_out)).sum(axis=1), 1)

    def bias(rate: np.ndarray) -> float:
        return float(rate.sum() / truth.sum() - 1)

    assert bias(sold.mean(axis=1)) < raw
    assert bias(dropped) < -0.03
    assert abs(bias(found.rate)) < 0.02
    assert abs(bias(found.expected.mean(axis=1))) < 0.02
    errors = [np.abs(rate / truth - 1).mean() for rate in (sold.mean(axis=1), dropped, found.rate)]
    assert errors[2] < 0.5 * errors[1] < 0.5 * errors[0]


def test_exposure_of_a_busy_season() -> None:
    """Out of stock in the slow half: the mean of the other half is twice too high unless the exposure says so."""
    rng = np.random.default_rng(0)
    exposure = np.repeat([1.5, 0.5], 100)
    sold = rng.poisson(2.0 * exposure, (300, 200)).astype(float)
    out = np.zeros(sold.shape, bool)
    out[:, 100:] = True
    none = np.zeros_like(out)
    found = stockouts.censored_rates(np.where(out, 0, sold), out, none, exposure=exposure)
    assert found.rate.mean() == pytest.approx(2.0, rel=0.01)
    assert stockouts.censored_rates(np.where(out, 0, sold), out, none).rate.mean() == pytest.approx(3.0, rel=0.01)


def test_closed_days_are_no_days() -> None:
    sold = np.array([[4.0, 0.0, 4.0, 0.0]])
    none = np.zeros(sold.shape, bool)
    usable = np.array([True, False, True, False])
    assert stockouts.censored_rates(sold, none, none, usable=usable).rate.tolist() == [4.0]
