"""Widths of daily forecasts from the errors of the back-test, for a day and, apart from it, for a sum of days.

A day is forecast × level error × day noise. The level error (is the whole month too high?) is taken per block of
28 days, the day noise pooled over all days; both as ratios actual / forecast. The width of a SUM comes from
the ratios of the sums themselves over 7, 14, 28, 56 and 91 days: errors of neighbouring days share their level,
so adding daily bounds would be too wide, and adding variances too narrow.

A ratio has mean 1 and is never negative: its quantiles are those of a gamma distribution with the variance found.
Few folds make that variance uncertain: single wild folds are cut, it is shrunk towards a prior (sd .10 for the level)
with the weight of four folds, and widened by Student's t (the mean of 1 is given, so only the variance is uncertain).
Beyond the tested horizon the sd grows with the root of the horizon. Where more was returned than sold on some days,
ratios may be negative: sums then have a normal distribution. Long closures and days forecast at almost nothing are
no demand and stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtri, stdtrit

from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History

Array = npt.NDArray[np.float64]

BLOCKS = (28, 56, 91)  # ends of the blocks of the horizon, in days
ENDS = tuple(zip((0, *BLOCKS[:-1]), BLOCKS, strict=True))
WINDOWS = (7, 14, 28, 56, 91)  # lengths of the sums that are calibrated, in days
PRIOR_LEVEL = 0.10**2
PRIOR_WEIGHT = 4.0
MOST = 5.0  # ratios above count as this
WILD = 2.5  # robust standard deviations beyond which the error of a fold is cut
GRID = (np.arange(199) + 0.5) / 199
NODES = (np.arange(31) + 0.5) / 31
FEWEST_TO_MEASURE = 3
"""Folds that widths need to stand on; with fewer the spread of the days seen gives them."""


@dataclass(frozen=True)
class RatioIntervals:
    """`noise` (series, 199) quantiles; `level` (series, blocks), `sums` (series, windows) variances; `freedom`.

    >>> tight = RatioIntervals(np.ones((1, 199)), np.full((1, 3), .01), np.full((1, 5), .01), 50.0)
    >>> lower, upper = tight.total(np.full((1, 7), 10.0), 0.95)
    >>> round(float(lower[0])), round(float(upper[0]))
    (57, 85)
    """

    noise: Array
    level: Array
    sums: Array
    freedom: float

    @classmethod
    def calibrate(cls, folds: Sequence[Fold], *, horizon: int, step: int) -> Self:
        """Learn the widths from folds whose first `horizon` days are known; at least one of them."""
        noise = [_noise(folds, series, horizon) for series in range(len(folds[0].forecast))]
        spread = np.array([_variance(sample) for sample in noise])
        freedom = max(1.0, len(folds) * min(1.0, step / horizon)) + PRIOR_WEIGHT
        level = np.maximum.accumulate(_levels(folds, spread), axis=1)
        return cls(np.array([_grid(sample) for sample in noise]), level, _sums(folds, spread), freedom)

    @classmethod
    def from_spread(cls, history: History, expected: Array) -> Self:
        """For little data: the spread of the last 8 weeks around `expected` (series, days).

        Where sales are rare, of as many days as hold 20 with a sale.
        """
        last = np.flatnonzero(history.usable)[-history.in_open_days(history.enough_days(56)) :]
        sold = history.capped / history.kept[:, None]
        seen = np.where(history.y < 0, history.y, sold)[:, last]  # returns are seen, freak days are cut
        noise = [
            np.clip(y[f > 0] / f[f > 0], -4 * MOST, 4 * MOST) for y, f in zip(seen, expected[:, last], strict=True)
        ]
        spread = np.array([_variance(sample) for sample in noise])
        count = max(len(last), 1)
        level = np.outer(PRIOR_LEVEL + spread / count, np.maximum(np.array(BLOCKS) / 28, 1.0))
        open_days = np.array([history.in_open_days(w) for w in WINDOWS])
        sums = spread[:, None] / open_days + np.outer(
            PRIOR_LEVEL + spread / count, np.maximum(np.array(WINDOWS) / 28, 1)
        )
        return cls(np.array([_grid(sample) for sample in noise]), level, sums, max(float(count - 1), 1.0))

    def quantiles(self, mean: Array, probabilities: Sequence[float]) -> Array:
        """Quantiles of each single day of `mean` (series, days ahead from day 1 on): (probabilities, series, days).

        >>> tight = RatioIntervals(np.ones((1, 199)), np.full((1, 3), .01), np.full((1, 5), .01), 50.0)
        >>> tight.quantiles(np.full((1, 2), 10.0), [0.1, 0.5, 0.9])[:, 0, 0].round(1).tolist()
        [8.8, 10.0, 11.3]
        """
        out = np.zeros((len(probabilities), *mean.shape))
        for first, last, block, growth in _blocks(mean.shape[1]):
            for series in range(len(mean)):
                ratio = self._day_quantiles(series, self.level[series, block] * growth, probabilities)
                out[:, series, first:last] = mean[series, first:last] * ratio[:, None]
        return out

    def total_quantiles(self, mean: Array, probabilities: Sequence[float]) -> Array:
        """Quantiles of the sum over all days of `mean` (series, days from day 1 on): (probabilities, series)."""
        if mean.shape[1] == 1:
            return self.quantiles(mean, probabilities)[:, :, 0]
        return self._of_sums(self.sum_variance(mean.shape[1]), probabilities) * mean.sum(axis=1)

    def between(self, mean: Array, first: int, last: int, *, coverage: float) -> tuple[Array, Array]:
        """Bounds of the sum over the days `first` to `last` − 1 ahead (day 1 is 0), (series,) each.

        Its variance is that of the level error of the block in which it ends, growing with the days beyond the last
        block, and of its days' noise. Never narrower, as a share, than the sum of as many days from day 1 on.

        >>> wide = RatioIntervals(np.ones((1, 199)), np.array([[.01, .02, .03]]), np.full((1, 5), .01), 50.0)
        >>> ahead = np.full((1, 365), 10.0)
        >>> [round(float(wide.between(ahead, d, d + 30, coverage=.8)[1][0])) for d in (0, 30, 330)]
        [340, 369, 437]
        """
        part = mean[:, first:last]
        if first == 0:
            return self.total(part, coverage)
        block = min(int(np.searchsorted(BLOCKS, last)), len(BLOCKS) - 1)
        level = self.level[:, block] * max(1.0, (first + last) / 2 / BLOCKS[-1])
        noise = np.array([_variance(row) for row in self.noise]) / np.maximum((part > 0).sum(axis=1), 1)
        variance = np.maximum(level + noise, self.sum_variance(last - first))
        whole = part.sum(axis=1)
        lower, upper = self._of_sums(variance, tails(coverage)) * whole
        return np.minimum(lower, whole), np.maximum(upper, whole)

    def _of_sums(self, variance: Array, probabilities: Sequence[float]) -> Array:
        """Quantiles of actual / forecast of a sum with this `variance` (series,): (probabilities, series)."""
        signed = self.noise[:, 0] < 0
        out = []
        for p in probabilities:
            student = (stdtrit(self.freedom, p) / ndtri(p)) ** 2 if abs(p - 0.5) > 1e-6 else 1.0
            positive = gamma_quantile(np.minimum(variance * student, widest(p)), p)
            out.append(np.where(signed, 1 + ndtri(p) * np.sqrt(variance * student), positive))
        return np.array(out)

    def aged(self, days: int) -> RatioIntervals:
        """As wide as they are for a level last seen `days` days ago: its error has gone on growing meanwhile.

        >>> tight = RatioIntervals(np.ones((1, 199)), np.array([[.01, .02, .03]]), np.full((1, 5), .01), 50.0)
        >>> old = tight.aged(91)
        >>> old.level.round(3).tolist(), old.sums.round(3)[0, [0, -1]].tolist()
        ([[0.035, 0.044, 0.054]], [0.031, 0.045])
        """
        if not days:
            return self
        level = np.column_stack([self._level_after(days + last / 2 + first / 2) for first, last in ENDS])
        noise = np.array([_variance(row) for row in self.noise])[:, None] / np.array(WINDOWS)
        sums = np.column_stack([self._level_after(days + w / 2) for w in WINDOWS]) + noise
        return replace(self, level=np.maximum(self.level, level), sums=np.maximum(self.sums, sums))

    def _level_after(self, days: float) -> Array:
        """Variance of the level error `days` days after the last day known, (series,)."""
        block = min(int(np.searchsorted(BLOCKS, days)), len(BLOCKS) - 1)
        return self.level[:, block] * max(1.0, days / BLOCKS[-1])

    def daily(self, mean: Array, coverage: float) -> tuple[Array, Array]:
        """Bounds of each single day of `mean` (series, days ahead from day 1 on), (series, days) each."""
        lower, upper = self.quantiles(mean, tails(coverage))
        return np.minimum(lower, mean), np.maximum(upper, mean)

    def total(self, mean: Array, coverage: float) -> tuple[Array, Array]:
        """Bounds of the sum over all days of `mean` (series, days ahead from day 1 on), (series,) each."""
        lower, upper = self.total_quantiles(mean, tails(coverage))
        whole = mean.sum(axis=1)
        return np.minimum(lower, whole), np.maximum(upper, whole)

    def sum_variance(self, days: int) -> Array:
        """Variance of actual / forecast of a sum over `days` days, (series,)."""
        if days >= WINDOWS[-1]:
            return self.sums[:, -1] * days / WINDOWS[-1]
        one = self.level[:, 0] + np.array([_variance(row) for row in self.noise])
        nodes = np.column_stack([one, self.sums])
        x, at = np.log(np.array([1, *WINDOWS])), np.log(days)
        return np.array([np.interp(at, x, row) for row in nodes])

    def _day_quantiles(self, series: int, variance: float, probabilities: Sequence[float]) -> Array:
        student = self.freedom / (self.freedom - 2) if self.freedom > 2.5 else 5.0
        most = widest(max(probabilities))
        nodes = gamma_quantile(np.full(len(NODES), min(variance * student, most)), NODES)
        return np.asarray(np.quantile(np.outer(nodes, self.noise[series]), probabilities))


def tails(coverage: float) -> list[float]:
    """The two probabilities between which an interval of this coverage lies.

    >>> tails(0.8)
    [0.1, 0.9]
    """
    return [round((1 - coverage) / 2, 12), round((1 + coverage) / 2, 12)]


def gamma_quantile(variance: Array, p: float | Array) -> Array:
    """Quantile `p` of the gamma distribution with mean 1 and this variance.

    >>> [round(float(gamma_quantile(np.array([v]), .975)[0]), 2) for v in (1e-9, .01, 1.0)]
    [1.0, 1.21, 3.69]
    """
    variance = np.maximum(variance, 1e-8)
    return np.asarray(gammaincinv(1 / variance, p) * variance)


@cache
def widest(p: float) -> float:
    """The variance at which the upper quantile `p` is greatest; infinite for the lower half.

    Beyond it more variance only moves more of the distribution to 0, and its upper quantile comes back down.

    >>> round(widest(0.9)), widest(0.1)
    (5, inf)
    """
    if p <= 0.5:
        return float("inf")
    variance = np.geomspace(0.1, 1e5, 1000)
    return float(variance[gamma_quantile(variance, p).argmax()])


@dataclass(frozen=True)
class Coverage:
    """Share of days (`days`) and of sums over the horizon (`sums`) inside their interval, by coverage promised.

    None where nothing could be counted; `by_fold` has the days of each measured cutoff; `counted` days in all.
    """

    days: dict[float, float | None]
    sums: dict[float, float | None]
    by_fold: dict[int, dict[float, float]]
    counted: int


def widths_at(
    folds: Sequence[Fold], *, horizon: int, step: int, spread: Callable[[Fold], RatioIntervals]
) -> list[RatioIntervals]:
    """The widths that would have been served at each fold: from its past alone.

    The model's own where it gives them; else from the model's earlier folds, as far as they were known at the origin;
    and with fewer than FEWEST_TO_MEASURE such, `spread` gives them.
    """
    out = []
    for fold in folds:
        earlier = [f.known_at(fold.cutoff) for f in folds if f.cutoff + horizon <= fold.cutoff]
        if fold.widths is not None:
            out.append(fold.widths)
        elif len(earlier) >= FEWEST_TO_MEASURE:
            out.append(RatioIntervals.calibrate(earlier, horizon=horizon, step=step))
        else:
            out.append(spread(fold))
    return out


def nested_coverage(
    folds: Sequence[Fold], widths: Sequence[RatioIntervals], *, horizon: int, coverages: Sequence[float]
) -> Coverage:
    """Coverage of the widths that belong to each fold (see `widths_at`).

    Days count where something was forecast or sold.

    >>> nested_coverage([], [], horizon=28, coverages=(0.8,)).days
    {0.8: None}
    """
    inside: dict[float, list[Array]] = {c: [] for c in coverages}
    whole: dict[float, list[Array]] = {c: [] for c in coverages}
    by_fold: dict[int, dict[float, float]] = {}
    for fold, width in zip(folds, widths, strict=True):
        mean, actual = fold.forecast[:, :horizon], fold.actual[:, :horizon]
        counts = fold.counted[:horizon] & ((mean > 0) | (actual > 0))
        if not counts.any():
            continue
        for coverage in coverages:
            inside[coverage].append(_inside(actual, *width.daily(mean, coverage))[counts])
            whole[coverage].append(_inside(actual.sum(axis=1), *width.total(mean, coverage)))
            by_fold.setdefault(fold.cutoff, {})[coverage] = float(inside[coverage][-1].mean())
    shares = [{c: float(np.concatenate(x[c]).mean()) if x[c] else None for c in coverages} for x in (inside, whole)]
    return Coverage(shares[0], shares[1], by_fold, sum(x.size for x in inside[coverages[0]]))


def _inside(actual: Array, lower: Array, upper: Array) -> Array:
    """Is each value inside, give or take rounding?"""
    room = 1e-9 * np.maximum(np.abs(actual), 1.0)
    return np.asarray((actual >= lower - room) & (actual <= upper + room))


def _blocks(days: int) -> list[tuple[int, int, int, float]]:
    """Blocks of the horizon as (first, one past the last, index of the calibrated block, growth of variance)."""
    out = [(a, min(b, days), i, 1.0) for i, (a, b) in enumerate(ENDS) if a < days]
    for first in range(BLOCKS[-1], days, 28):
        last = min(first + 28, days)
        out.append((first, last, len(BLOCKS) - 1, (first + last) / 2 / BLOCKS[-1]))
    return out


def _ratio(fold: Fold, first: int, last: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """actual / forecast of the sums over days first…last, and where that can be said: (series,) each."""
    counted = fold.counted[first:last]
    forecast = fold.forecast[:, first:last][:, counted].sum(axis=1)
    actual = fold.actual[:, first:last][:, counted].sum(axis=1)
    known = (forecast > 0) & (fold.actual.shape[1] >= last) & (2 * counted.sum() >= last - first)
    return np.clip(actual / np.where(forecast > 0, forecast, 1.0), -MOST, MOST), known


def _noise(folds: Sequence[Fold], series: int, horizon: int) -> Array:
    """Day / forecast, divided by the level error of its fold; almost closed days stay out."""
    samples = []
    for fold in folds:
        f, y = fold.forecast[series, :horizon], fold.actual[series, :horizon]
        use = fold.counted[:horizon] & (f > 0.05 * f.mean())
        if use.any() and y[use].sum() > 0:
            samples.append(np.clip(y[use] / f[use] / (y[use].sum() / f[use].sum()), -4 * MOST, 4 * MOST))
    return np.concatenate(samples) if samples else np.empty(0)


def _variance(sample: Array) -> float:
    """Variance around 1, with three more observations at a variance of 1 when there are fewer than 14."""
    extra = 3.0 if len(sample) < 14 else 0.0
    return float((np.square(sample - 1).sum() + extra) / max(len(sample) + extra, 1.0))


def _grid(sample: Array) -> Array:
    """199 quantiles, spread by the finite-sample factor 1 + 1/n; a gamma distribution below 14 observations."""
    if len(sample) < 14:
        return gamma_quantile(np.full(len(GRID), _variance(sample)), GRID)
    return np.quantile(sample, np.clip(0.5 + (GRID - 0.5) * (1 + 1 / len(sample)), 0, 1))


def _second_moments(folds: Sequence[Fold], first: int, lasts: Sequence[int]) -> tuple[Array, Array | float]:
    """Mean of (ratio − 1)² over the folds that know days first…last, and their number: (series,) each.

    Single errors beyond WILD robust standard deviations are cut to that.
    """
    if not folds:
        return np.zeros(1), 0.0
    found = [_ratio(fold, first, last) for fold, last in zip(folds, lasts, strict=True)]
    ratios, known = (np.array(part) for part in zip(*found, strict=True))
    errors = np.where(known, np.abs(ratios - 1), np.nan)
    errors[:, ~known.any(axis=0)] = 0.0
    errors = np.minimum(errors, WILD * 1.4826 * _median(errors))
    return np.nanmean(np.square(errors), axis=0), known.sum(axis=0)


def _median(values: Array) -> Array:
    """Median of the known values (not NaN, one at least) of each column: `np.nanmedian` without its loop."""
    rising, column = np.sort(values, axis=0), np.arange(values.shape[1])
    known = np.isfinite(values).sum(axis=0)
    return np.asarray((rising[(known - 1) // 2, column] + rising[known // 2, column]) / 2)


def _levels(folds: Sequence[Fold], spread: Array) -> Array:
    """Variance of the level error per block; an untested block grows from the one before it.

    The first block takes what is known of it, of a week or more: short histories have no more.
    """
    out: list[Array] = []
    for first, last in ENDS:
        ends = [min(last, fold.actual.shape[1]) if first == 0 else last for fold in folds]
        usable = [(fold, end) for fold, end in zip(folds, ends, strict=True) if end - first >= 7]
        found, count = _second_moments([fold for fold, _ in usable], first, [end for _, end in usable])
        by_chance = spread * np.mean([1 / (end - first) for _, end in usable] or [0.0])
        prior = out[-1] * last / first if out else np.full(len(spread), PRIOR_LEVEL)
        out.append((count * np.maximum(found - by_chance, 0.0) + PRIOR_WEIGHT * prior) / (count + PRIOR_WEIGHT))
    return np.column_stack(out)


def _sums(folds: Sequence[Fold], spread: Array) -> Array:
    """Variance of the ratio of sums per window, shrunk to level prior + day noise / days."""
    out: list[Array] = []
    for days in WINDOWS:
        found, count = _second_moments(folds, 0, [days] * len(folds))
        prior = PRIOR_LEVEL + spread / days if days <= 28 else out[-1] * days / WINDOWS[WINDOWS.index(days) - 1]
        out.append((count * found + PRIOR_WEIGHT * prior) / (count + PRIOR_WEIGHT))
    return np.column_stack(out)
