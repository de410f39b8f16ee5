"""Widths of variants."""

from __future__ import annotations

from datetime import date

import numpy as np

from retail_ml.forecast import variant_widths, variants
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.buckets import Grid
from retail_ml.forecast.history import History
from retail_ml.forecast.models.panel import base_rate
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.forecast.volume_bins import VolumeBins

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


def test_intervals_keep_their_promise_on_days_that_calibrated_nothing() -> None:
    """Shares, folds and widths from the days before; the 28 days after: 80 % within 5 points, 95 % within 3."""
    inside: list[np.ndarray] = []
    for seed in (0, 1, 2):
        known, y = _shop(seed)
        product = y.reshape(STYLES, 4, DAYS).sum(axis=1) * 1.0
        sold = np.ones(DAYS, dtype=bool)

        def rate(days: int, product: np.ndarray = product, sold: np.ndarray = sold) -> np.ndarray:
            return base_rate(History(START, product[:, :days], sold[:days]))

        today = DAYS - 28
        folds = [
            Fold(c, START, np.repeat(rate(c)[:, None], 28, axis=1), product[:, c : c + 28], np.ones(28, dtype=bool))
            for c in range(today - 28 * 6, today, 28)
        ]
        past, grid = known.until(today), Grid(History(START, np.zeros((1, today)), sold[:today]))
        widths = VolumeBins.calibrate(variant_widths.errors(past, folds, grid), grid.history)
        mean = variants.learn(past).of(28 * rate(today))
        spread = variant_widths.spreads(past, grid, widths, rate=mean)
        actual = y[:, today:].sum(axis=1)
        bounds = [widths.total(mean, 28, coverage, spread=spread) for coverage in (0.80, 0.95)]
        inside.append(np.array([((actual >= low) & (actual <= high)).mean() for low, high in bounds]))
    eighty, most = np.mean(inside, axis=0)
    assert 0.77 <= eighty <= 0.86
    assert 0.92 <= most <= 0.98
