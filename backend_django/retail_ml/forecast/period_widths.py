"""Widths of weekly and monthly forecasts: quantiles of the normalised error of single periods and of sums.

u = (actual − forecast) / (spread × √periods). The spread of a series is its own noise, shrunk to what series of its
volume have (Taylor's power law). The quantiles of u are kept by bins of volume and read between the bins, so that
series of almost the same volume get almost the same widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

Array = npt.NDArray[np.float64]

PER_BIN = 80
MOST_BINS = 12
LEAST = 0.02  # of the level: no series is more certain
FEWEST = 30  # errors below which the normal distribution gives the shape
PRIOR_LEVEL = 0.10**2  # variance of a level's error in a month, believed before anything is tested
PRIOR_WEIGHT = 2.0  # in folds
ROBUST = 1.4826 * 1.25  # a shared error may be this many times its median size: one wild fold does not set it
UNTESTED = 1.5  # standard deviations of the normal distribution where nothing was tested
TAYLOR = (0.3, 1.2)  # exponents that are believed
OWN_WEIGHT = 12.0  # periods of history at which a series' own noise and its volume's count the same


@dataclass(frozen=True)
class Errors:
    """Back-tested sums of `length` periods: `actual`, `forecast`, `spread` (rows,); `fold` (rows,) numbers them."""

    length: int
    actual: Array
    forecast: Array
    spread: Array
    fold: npt.NDArray[np.int64]


def spreads(noise: Array, level: Array, age: npt.NDArray[np.int64]) -> Array:
    """Standard deviation of one period, (series,), from the noise variance of each series and of its like.

    >>> found = spreads(np.array([4.0, 4.0, 400.0]), np.array([10.0, 10.0, 10.0]), np.array([100, 100, 1]))
    >>> bool(found[2] < 15 and 1.5 < found[0] < 4)
    True
    """
    level = np.maximum(level, 1e-6)
    known = (noise > 0) & (age >= 4)
    if known.sum() >= 8:
        x, z = np.log(level[known]), np.log(noise[known]) / 2
        far = x - x.mean()
        power = float(np.clip((far * z).sum() / max(float(np.square(far).sum()), 1e-9), *TAYLOR))
        expected = np.exp(z.mean() + power * (np.log(level) - x.mean()))
    else:
        relative = np.sqrt(noise[known].sum() / np.square(level[known]).sum()) if known.any() else 0.5
        expected = np.maximum(relative, 0.05) * level
    weight = age / (age + OWN_WEIGHT)
    found = np.sqrt(weight * noise + (1 - weight) * np.square(expected))
    return np.asarray(np.maximum(found, LEAST * level))


@dataclass(frozen=True)
class Widths:
    """`middle` (bins,): log volume per period in the middle of each bin; `u` (keys, bins, probabilities)."""

    middle: Array
    u: dict[int, Array]

    @classmethod
    def calibrate(
        cls, errors: Mapping[int, Errors | None], probabilities: Sequence[float], *, folds: float, month: float
    ) -> Self:
        """Learn from the errors by key (a window, a step ahead); `folds`: how many of them do not overlap.

        `month`: periods of a month.

        A key without errors has the widths of the one before it; without any, the normal distribution's.
        """
        p = np.array(probabilities)
        known = [e for e in errors.values() if e is not None]
        volume = np.log(np.maximum(known[0].forecast / known[0].length, 1e-3)) if known else np.zeros(1)
        bins = int(np.clip(len(volume) // PER_BIN, 1, MOST_BINS))
        middle = np.unique([float(np.median(part)) for part in np.array_split(np.sort(volume), bins)])
        edges = (middle[1:] + middle[:-1]) / 2
        last = np.tile(ndtri(p) * UNTESTED, (len(middle), 1))
        tables = {}
        for key, found in errors.items():
            last = last if found is None else _table(found, p, edges, (folds, PRIOR_LEVEL * key / month))
            tables[key] = last
        return cls(middle, tables)

    def quantiles(self, key: int, length: int, forecast: Array, spread: Array) -> Array:
        """Quantiles of the sum over `length` periods, (series, probabilities), never negative."""
        table = self.u[key]
        at = np.interp(np.log(np.maximum(forecast / length, 1e-3)), self.middle, np.arange(len(self.middle)))
        low = np.minimum(at.astype(int), max(len(self.middle) - 2, 0))
        high = np.minimum(low + 1, len(self.middle) - 1)
        share = (at - low)[:, None]
        u = (1 - share) * table[low] + share * table[high]
        return np.maximum(forecast[:, None] + u * (spread * np.sqrt(length))[:, None], 0.0)


def _table(errors: Errors, p: Array, edges: Array, level: tuple[float, float]) -> Array:
    """Quantiles of u per bin, (bins, probabilities).

    The error that all series of a fold share is taken out first: a few folds that happened to end high or low would
    move every quantile. Its variance comes back with Student's t. `level`: how many folds show it, and the variance
    that is believed before any does.
    """
    folds, prior = level
    width = errors.spread * np.sqrt(errors.length)
    ratio = _shared(errors)
    found = float(min(np.square(ratio - 1).mean(), np.square(ROBUST * np.median(np.abs(ratio - 1)))))
    common = (folds * found + PRIOR_WEIGHT * prior) / (folds + PRIOR_WEIGHT)
    u = (errors.actual / np.maximum(ratio, LEAST)[errors.fold] - errors.forecast) / width
    row = np.searchsorted(edges, np.log(np.maximum(errors.forecast / errors.length, 1e-3)), side="right")
    freedom = max(folds, 1.0) + PRIOR_WEIGHT
    student = stdtrit(freedom, p) * np.sqrt(1 + 1 / freedom)  # its centre is known from the same folds
    out = []
    for b in range(len(edges) + 1):
        mine = row == b if (row == b).sum() >= FEWEST else np.ones(len(u), dtype=bool)
        size = float(np.square(errors.forecast / width)[mine].mean())
        seen, count = float(np.square(u[mine]).mean()), int(mine.sum())
        shape = ndtri(p) * np.sqrt((seen * count + 4) / (count + 4)) if count < FEWEST else np.quantile(u[mine], p)
        middle = float(np.interp(0.5, p, shape))
        widened = np.sqrt(np.square(shape - middle) + common * size * np.square(student))
        out.append(np.maximum.accumulate(middle + np.sign(p - 0.5) * widened))
    return np.array(out)


def _shared(errors: Errors) -> Array:
    """Actual / forecast of all series together, (folds,); 1 where nothing was forecast."""
    actual = np.bincount(errors.fold, weights=errors.actual)
    forecast = np.bincount(errors.fold, weights=errors.forecast)
    return np.where(forecast > 0, actual / np.where(forecast > 0, forecast, 1.0), 1.0)
