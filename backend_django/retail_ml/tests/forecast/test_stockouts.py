"""Demand corrected for days without stock."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from retail_ml.forecast import stockouts
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.shelf import LEAVING, StockDays

START = date(2026, 1, 1)


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


def _variants(y: np.ndarray, *, product: np.ndarray, products: int) -> VariantSales:
    row, day = np.nonzero(y)
    n, units = len(y), y[np.nonzero(y)]
    ids, none = np.array([f"{i:04d}" for i in range(n)]), np.zeros(n, dtype=np.int64)
    there = np.ones(n, dtype=bool)
    return VariantSales(ids, product, products, none, none[:, None], there, row, day, units, units, y.shape[1])


def _shelf(out: np.ndarray, ran_out: np.ndarray) -> StockDays:
    ids = np.array([f"{i:04d}" for i in range(len(out))])
    return StockDays(ids, START, out, ran_out, np.ones(len(out), dtype=bool), {}, refused=False)


@pytest.mark.parametrize(
    ("level", "fill", "raw", "most"), [(30, 0.97, -0.02, 0.01), (22, 0.91, -0.08, 0.02), (14, 0.72, -0.26, 0.05)]
)
def test_bias_of_sales_and_of_the_corrected_rate(level: float, fill: float, raw: float, most: float) -> None:
    """Against the truth: sales miss what was lost, leaving such days out half of it, the exposure next to nothing."""
    truth, sold, out, ran_out = _reordered(level, seed=1)
    assert sold.sum() / truth.sum() / sold.shape[1] == pytest.approx(fill, abs=0.01)
    known = _variants(sold, product=np.arange(len(sold)), products=len(sold))
    corrected = sold.sum(axis=1) / stockouts.exposure(_shelf(out, ran_out), known).sum(axis=1)
    dropped = np.where(out | ran_out, 0, sold).sum(axis=1) / np.maximum((~(out | ran_out)).sum(axis=1), 1)

    def bias(rate: np.ndarray) -> float:
        return float(rate.sum() / truth.sum() - 1)

    assert bias(sold.mean(axis=1)) < raw
    assert bias(dropped) < -0.015
    assert abs(bias(corrected)) < most < -bias(dropped)
    errors = [np.abs(rate / truth - 1).mean() for rate in (sold.mean(axis=1), dropped, corrected)]
    assert errors[2] < 0.5 * errors[1] < 0.55 * errors[0]


def test_a_product_s_exposure_knows_which_of_its_sizes_were_out() -> None:
    """Of two sizes the one that sells three units in four is out in the second half: a quarter could be served."""
    rng = np.random.default_rng(0)
    y = rng.poisson(np.array([[6.0], [2.0]]), (2, 100)).astype(float)
    out = np.zeros(y.shape, dtype=bool)
    out[0, 50:] = True
    y[0, 50:] = 0.0
    known = _variants(y, product=np.zeros(2, dtype=int), products=1)
    found = stockouts.exposure(_shelf(out, np.zeros_like(out)), known)[0]
    assert (found[:50] == 1).all()
    assert found[50:].mean() == pytest.approx(0.25, abs=0.05)
    later = _variants(np.where(np.arange(100) < 60, y, 50.0), product=np.zeros(2, dtype=int), products=1)
    again = stockouts.exposure(_shelf(out, np.zeros_like(out)), later)[0]
    np.testing.assert_array_equal(again[:61], found[:61])  # what comes after a day does not move it


def test_what_has_left_the_range_and_what_has_not_come_yet() -> None:
    """A size that comes on day 30 and is never restocked after day 60 counts between, and 91 days of its absence."""
    y = np.ones((2, 200))
    out = np.zeros(y.shape, dtype=bool)
    out[1, :30] = out[1, 60:] = True
    y[out] = 0.0
    found = stockouts.exposure(_shelf(out, np.zeros_like(out)), _variants(y, product=np.zeros(2, int), products=1))[0]
    half = np.arange(200)
    assert found[(half < 60) | (half >= 60 + LEAVING)].tolist() == [1.0] * (200 - LEAVING)
    assert found[60 : 60 + LEAVING] == pytest.approx(0.5, abs=0.05)


def test_in_batches_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    y = rng.poisson(1.0, (30, 80)).astype(float)
    out = rng.random(y.shape) < 0.2
    y[out] = 0.0
    known = _variants(y, product=np.arange(30) % 7, products=8)
    one = stockouts.exposure(_shelf(out, np.zeros_like(out)), known)
    monkeypatch.setattr(stockouts, "BATCH", 5)
    np.testing.assert_array_equal(stockouts.exposure(_shelf(out, np.zeros_like(out)), known), one)
