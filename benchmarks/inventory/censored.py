"""INV-4: mean demand behind sales of a shop that keeps running out; demand drawn, so that it is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from retail_ml.inventory import censoring

SKUS, DAYS, LOT_DAYS = 1_500, 365, 14
REORDER_DAYS = (16.0, 8.0, 3.0, 0.5)
"""The shop orders two weeks of demand when its position falls to so many days of it; delivery takes 5 to 11 days."""


def main() -> list[dict[str, Any]]:
    """Bias and MAPE of the mean per SKU: sales, sales of the days that did not run out, and the product's estimate."""
    return [_one(days) for days in REORDER_DAYS]


def _one(reorder_days: float) -> dict[str, Any]:
    asked, sold, out, ran_out = _shop(reorder_days)
    truth = asked.mean(axis=1)
    whole = ~(out | ran_out)
    found = censoring.demand_behind(sold, ~out, ran_out)
    means = {
        "sales": sold.mean(axis=1),
        "days that did not run out": (sold * whole).sum(axis=1) / np.maximum(whole.sum(axis=1), 1),
        "ours": found.sum(axis=1) / np.maximum((~out).sum(axis=1), 1),
    }
    told = {
        name: {
            "bias": round(float(mean.sum() / truth.sum() - 1), 4),
            "mape": round(float(np.mean(np.abs(mean / np.maximum(truth, 1e-9) - 1)[truth > 0])), 4),
        }
        for name, mean in means.items()
    }
    days_out = round(float((out | ran_out).mean()), 4)
    return {"fill": round(float(sold.sum() / asked.sum()), 4), "days_out": days_out, **told}


def _shop(reorder_days: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Asked, sold, days without stock, days that ran out: negative binomial demand of rates e^N(0, 1), shapes .1 up."""
    rng = np.random.default_rng(seed)
    rate, shape = np.exp(rng.normal(0, 1, SKUS)), rng.gamma(2, 0.5, SKUS) + 0.1
    asked = rng.negative_binomial(shape[:, None], (shape / (shape + rate))[:, None], (SKUS, DAYS)).astype(float)
    shelf, coming, arrivals = np.ceil(rate * LOT_DAYS), np.zeros(SKUS), np.zeros((SKUS, DAYS + 12))
    sold, out, ran_out = np.zeros_like(asked), np.zeros(asked.shape, bool), np.zeros(asked.shape, bool)
    for t in range(DAYS):
        shelf, coming = shelf + arrivals[:, t], coming - arrivals[:, t]
        out[:, t], ran_out[:, t] = shelf <= 0, (shelf > 0) & (asked[:, t] >= shelf)
        sold[:, t] = np.minimum(shelf, asked[:, t])
        shelf = shelf - sold[:, t]
        order = np.where(shelf + coming <= rate * reorder_days, np.ceil(rate * LOT_DAYS), 0.0)
        arrivals[np.arange(SKUS), t + rng.integers(5, 12, SKUS)] += order
        coming += order
    return asked, sold, out, ran_out
