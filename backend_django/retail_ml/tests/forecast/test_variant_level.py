"""The level of variants: its widths and its evidence."""

from __future__ import annotations

from datetime import date

import numpy as np

from retail_ml.forecast import variant_level
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History
from retail_ml.forecast.models import BASELINE
from retail_ml.forecast.models.panel import base_rate
from retail_ml.forecast.products import ProductsTrained
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.forecast.volume_bins import VolumeBins
from retail_ml.shelf import StockDays

START = date(2026, 1, 1)
DAYS, STYLES = 336, 150


def _shop(seed: int) -> tuple[VariantSales, np.ndarray]:
    """150 styles in four sizes of one curve, in lots; every style's level wanders from month to month."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(1.0, 1.5, (STYLES, 1)) * rng.gamma(4, 0.25, (STYLES, DAYS // 28)).repeat(28, axis=1)
    share = rng.dirichlet(20 * np.array([0.1, 0.4, 0.3, 0.2]), STYLES)
    orders = rng.poisson((share[:, :, None] * level[:, None, :]).reshape(-1, DAYS))
    y = orders * rng.integers(1, 4, orders.shape)
    row, day = np.nonzero(y)
    n = STYLES * 4
    known = VariantSales(
        np.array([f"{i:04d}" for i in range(n)]), np.repeat(np.arange(STYLES), 4), STYLES, np.zeros(n, dtype=np.int64),
        np.tile(np.arange(4), STYLES)[:, None], np.ones(n, dtype=bool), row, day, y[row, day].astype(float),
        orders[row, day].astype(float), DAYS,
    )  # fmt: skip
    return known, y


def _trained(known: VariantSales, y: np.ndarray, *, stock: StockDays | None = None) -> variant_level.VariantsTrained:
    """Products by their base rate; everything from the days up to 28 before the end."""
    product = y.reshape(STYLES, 4, DAYS).sum(axis=1) * 1.0
    sold, today = np.ones(DAYS, dtype=bool), DAYS - 28

    def rate(days: int) -> np.ndarray:
        return base_rate(History(START, product[:, :days], sold[:days]))

    folds = [
        Fold(c, START, np.repeat(rate(c)[:, None], 28, axis=1), product[:, c : c + 28], np.ones(28, dtype=bool))
        for c in range(today - 28 * 6, today, 28)
    ]
    history = History(START, product[:, :today], sold[:today])
    mean = np.repeat(rate(today)[:, None], 365, axis=1).astype(np.float32)
    none = VolumeBins.from_spread(history)
    products = ProductsTrained("base_rate", mean, none, np.ones(STYLES), {}, {}, len(folds), folds, np.arange(STYLES))
    return variant_level.train(known.until(today), products, history, horizon=28, stock=stock)


def test_intervals_keep_their_promise_on_days_that_calibrated_nothing() -> None:
    """Shares, folds and widths from the days before; the 28 days after: 80 % within 5 points, 95 % within 3."""
    inside: list[np.ndarray] = []
    for seed in (0, 1, 2):
        known, y = _shop(seed)
        found = _trained(known, y)
        product = y.reshape(STYLES, 4, DAYS).sum(axis=1)[:, : DAYS - 28] * 1.0
        rate = base_rate(History(START, product, np.ones(DAYS - 28, dtype=bool)))
        mean = found.share * 28 * rate[found.product]
        actual = y[:, DAYS - 28 :].sum(axis=1)
        bounds = [found.widths.total(mean, 28, coverage, spread=found.spread) for coverage in (0.80, 0.95)]
        inside.append(np.array([((actual >= low) & (actual <= high)).mean() for low, high in bounds]))
    eighty, most = np.mean(inside, axis=0)
    assert 0.77 <= eighty <= 0.86
    assert 0.92 <= most <= 0.98


def test_the_evidence_stands_beside_what_is_simple() -> None:
    """Shares of a style beat each variant by itself and last week again; the coverage is of days not calibrated on."""
    known, y = _shop(3)
    found = _trained(known, y)
    own, naive, base = (found.errors[name]["wape_28"] for name in (variant_level.METHOD, BASELINE, "base_rate"))
    assert own is not None
    assert naive is not None
    assert base is not None
    assert own < base < naive
    coverage = found.coverage["coverage_80_28"]
    assert coverage is not None
    assert 0.7 < coverage < 0.9
    assert found.folds == 6
    assert 0.9 * STYLES * 4 < found.tested <= STYLES * 4  # those that were sold before the last cutoff
    assert 0 <= found.later <= 1


def test_a_shelf_that_was_empty_is_no_error() -> None:
    """Half of the variants are out in every second week: forecasts of demand are held to the days with stock."""
    known, y = _shop(4)
    out = np.zeros(y.shape, dtype=bool)
    out[::2] = np.arange(DAYS) // 7 % 2 == 1
    keep = ~out[known.row, known.day]
    sold = VariantSales(
        known.ids, known.product, known.products, known.category, known.values, known.active, known.row[keep],
        known.day[keep], known.units[keep], known.purchases[keep], DAYS,
    )  # fmt: skip
    shelf = StockDays(known.ids, START, out, np.zeros_like(out), np.ones(len(out), bool), {}, refused=False)
    bias = [_trained(sold, y, stock=stock).errors[variant_level.METHOD]["bias_28"] for stock in (None, shelf)]
    assert bias[0] is not None
    assert bias[1] is not None
    assert bias[0] > 0.2
    assert abs(bias[1]) < 0.05
