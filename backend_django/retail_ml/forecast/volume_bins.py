"""Widths for thousands of products: quantiles of the normalised error of SUMS, by sales volume.

For the windows 1, 7, 14, 28, 56 and 91 days every product of every fold gives one z = actual / (forecast + c), with
c half a unit per 28 days so that a product forecast at nothing has a width too. Products are put into bins by their
forecast rate per 28 days, and each bin keeps the quantiles of its z. Nothing is added up from daily widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import FEWEST_TO_MEASURE, gamma_quantile

Array = npt.NDArray[np.float64]

WINDOWS = (1, 7, 14, 28, 56, 91)
HALF = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
PROBABILITIES = np.array([*HALF, 0.5, *(1 - p for p in reversed(HALF))])
PER_BIN = 60  # fewest products × folds in a bin
MOST_BINS = 12
FEWEST = 40  # fewest products × folds in all


@dataclass(frozen=True)
class VolumeBins:
    """`edges` (bins − 1,) of the rate per 28 days; `z` (windows, bins, probabilities); `sd` (windows, bins).

    >>> wide = VolumeBins(np.empty(0), np.tile(PROBABILITIES * 2, (6, 1, 1)), np.full((6, 1), .5))
    >>> lower, upper = wide.total(np.array([27.5]), 28, 0.80)
    >>> lower.round(1).tolist(), upper.round(1).tolist()
    ([5.6], [50.4])
    """

    edges: Array
    z: Array
    sd: Array

    @classmethod
    def calibrate(cls, folds: Sequence[Fold], history: History) -> Self:
        """Learn from folds of all products; from the shape of the sales alone where the folds are too few."""
        rate = np.concatenate([_rate(fold) for fold in folds]) if folds else np.empty(0)
        if len(rate) < FEWEST:
            return cls.from_spread(history)
        bins = int(np.clip(len(rate) // PER_BIN, 1, MOST_BINS))
        edges = np.unique(np.quantile(rate, np.arange(1, bins) / bins))
        z = np.zeros((len(WINDOWS), len(edges) + 1, len(PROBABILITIES)))
        sd = np.zeros(z.shape[:2])
        for w, days in enumerate(WINDOWS):
            found, at = _errors(folds, days, edges)
            common, count = _common(folds, days)
            for b in range(z.shape[1]):
                sample = found[at == b]
                if len(sample) >= FEWEST // 2:
                    stretched = np.clip(0.5 + (PROBABILITIES - 0.5) * (1 + 2 / len(sample)), 0, 1)
                    sd[w, b] = np.sqrt(np.square(sample - 1).mean())
                    z[w, b] = _few_folds(np.quantile(sample, stretched), common, sd[w, b], count)
                elif w:  # not tested: the window before it, grown by the root of the days
                    growth = np.sqrt(days / WINDOWS[w - 1])
                    z[w, b] = np.maximum(1 + (z[w - 1, b] - 1) * growth, 0.0)
                    sd[w, b] = sd[w - 1, b] * growth
        return cls(edges, z, sd)

    @classmethod
    def from_spread(cls, history: History) -> Self:
        """Without a back-test: compound Poisson. Variance = forecast × E[u²]/E[u] + (half the forecast)²."""
        sales = history.y[history.y > 0]
        dispersion = float(np.square(sales).mean() / sales.mean()) if sales.size else 1.0
        edges = np.array([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
        middle = np.array([0.5, *np.sqrt(edges[:-1] * edges[1:]), 512])
        z = np.zeros((len(WINDOWS), len(middle), len(PROBABILITIES)))
        sd = np.zeros(z.shape[:2])
        for w, days in enumerate(WINDOWS):
            variance = dispersion / (middle * days / 28) + 0.25 * max(1.0, days / 28)
            z[w] = gamma_quantile(variance[:, None], PROBABILITIES[None, :])
            sd[w] = np.sqrt(variance)
        return cls(edges, z, sd)

    def total(self, mean: Array, days: int, coverage: float, *, rate: Array | None = None) -> tuple[Array, Array]:
        """Bounds of the sum over `days` days, (products,) each; `mean` (products,) is the forecast of that sum.

        `rate` (products,) is the forecast per 28 days that decides the bin (default: from `mean`).
        """
        b = np.searchsorted(self.edges, mean * 28 / days if rate is None else rate, side="right")
        table, growth = self._between(self.z, days)
        low, high = (_at(table, p)[b] for p in ((1 - coverage) / 2, (1 + coverage) / 2))
        base = mean + _small(days)
        lower = base * np.maximum(1 + (low - 1) * growth, 0.0)
        upper = base * (1 + (high - 1) * growth)
        return np.clip(lower, 0.0, mean), np.maximum(upper, mean)

    def sd_total(self, mean: Array, days: int) -> Array:
        """Standard deviation of the sum over `days` days around its forecast `mean`, (products,)."""
        table, growth = self._between(self.sd, days)
        return (mean + _small(days)) * table[np.searchsorted(self.edges, mean * 28 / days, side="right")] * growth

    def _between(self, table: Array, days: int) -> tuple[Array, float]:
        """The table of a window of `days` days, between the calibrated ones in log(days), and its growth."""
        x = np.log(np.array(WINDOWS, dtype=float))
        at = float(np.clip(np.log(days), x[0], x[-1]))
        i = min(int(np.searchsorted(x, at, side="right")) - 1, len(x) - 2)
        share = (at - x[i]) / (x[i + 1] - x[i])
        return (1 - share) * table[i] + share * table[i + 1], max(1.0, float(np.sqrt(days / WINDOWS[-1])))


def nested_coverage(folds: Sequence[Fold], history: History, *, windows: Sequence[int]) -> dict[str, float | None]:
    """Share of sums inside their interval on folds not used for calibrating: `coverage_80_28`, `coverage_95_28`, …

    Products without any sale in the sum and without a forecast do not count.
    """
    out: dict[str, float | None] = {}
    inside: dict[str, list[npt.NDArray[np.bool_]]] = {f"coverage_{c}_{w}": [] for w in windows for c in (80, 95)}
    for fold in folds:
        earlier = [f.known_at(fold.cutoff) for f in folds if f.cutoff + max(windows) <= fold.cutoff]
        if len(earlier) < FEWEST_TO_MEASURE or sum(len(f.forecast) for f in earlier) < FEWEST:
            continue
        widths = VolumeBins.calibrate(earlier, history.until(fold.cutoff))
        for days in windows:
            mean, actual = fold.forecast[:, :days].sum(axis=1), fold.actual[:, :days].sum(axis=1)
            counts = (mean > 0) | (actual > 0)
            for coverage in (80, 95):
                lower, upper = widths.total(mean, days, coverage / 100)
                inside[f"coverage_{coverage}_{days}"].append(((actual >= lower) & (actual <= upper))[counts])
    for key, parts in inside.items():
        joined = np.concatenate(parts) if parts else np.empty(0)
        out[key] = float(joined.mean()) if joined.size else None
    return out


def _small(days: int) -> float:
    return 0.5 * days / 28


def _at(table: Array, p: float) -> Array:
    return np.array([np.interp(p, PROBABILITIES, row) for row in table])


def _common(folds: Sequence[Fold], days: int) -> tuple[float, int]:
    """Variance of actual / forecast of all products together over the window, and the folds that show it."""
    ratios = [
        float(fold.actual[:, :days].sum() / fold.forecast[:, :days].sum())
        for fold in folds
        if fold.actual.shape[1] >= days and fold.forecast[:, :days].sum() > 0
    ]
    return (float(np.square(np.array(ratios) - 1).mean()), len(ratios)) if ratios else (0.0, 0)


def _few_folds(z: Array, common: float, sd: float, count: int) -> Array:
    """Quantiles widened for a level error that all products of a fold share: of it there are as many as folds.

    That part of the variance gets Student's t with `count` degrees of freedom; the rest has many observations.
    """
    student = np.square(stdtrit(max(count, 1), PROBABILITIES) / np.where(PROBABILITIES == 0.5, 1, ndtri(PROBABILITIES)))
    student = np.where(PROBABILITIES == 0.5, 1.0, student)
    share = min(common / sd**2, 1.0) if sd > 0 else 0.0
    student *= 1 + 1 / max(count, 1)  # the centre is found from the same folds
    return np.maximum(1 + (z - 1) * np.sqrt(1 + share * (student - 1)), 0.0)


def _rate(fold: Fold) -> Array:
    days = min(28, fold.forecast.shape[1])
    return fold.forecast[:, :days].sum(axis=1) * 28 / max(days, 1)


def _errors(folds: Sequence[Fold], days: int, edges: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """z of every product and fold whose `days` days are known, and its bin. Single days: four days of each fold."""
    found, bins = [], []
    for fold in folds:
        if fold.actual.shape[1] < days:
            continue
        b = np.searchsorted(edges, _rate(fold), side="right")
        open_days = np.flatnonzero((fold.forecast.sum(axis=0) > 0) & fold.counted)[:28]
        starts = open_days[:: max(1, len(open_days) // 4)] if days == 1 else np.array([0])
        for start in starts:
            mean = fold.forecast[:, start : start + days].sum(axis=1)
            actual = np.maximum(fold.actual[:, start : start + days].sum(axis=1), 0.0)
            found.append(actual / (mean + _small(days)))
            bins.append(b)
    return (np.concatenate(found), np.concatenate(bins)) if found else (np.empty(0), np.empty(0, dtype=np.int64))
