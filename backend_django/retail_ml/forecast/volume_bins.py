"""Widths for thousands of products: quantiles of the normalised error of SUMS, by how hard a product is to forecast.

For the windows 1, 7, 14, 28, 56 and 91 days every product of every fold gives one z = (actual − forecast) ÷ ((forecast
+ c) × spread), with c half a unit per 28 days so that a product forecast at nothing has a width too. The spread is a
log-linear regression of the size of the relative error on the volume and the regularity of a product's sales; products
are put into bins by it, and each bin keeps the quantiles of its z. Nothing is added up from daily widths.

Products forecast at next to nothing have a bin of their own, below all others, and no part in the regression: they are
foretold as exactly as best sellers, to sell nothing again, and in one bin with these would halve their widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from retail_ml import engine
from retail_ml.forecast.bucket_errors import NEXT_TO_NOTHING, SLOTS, WINDOWS, Errors, small
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import FEWEST_TO_MEASURE, gamma_quantile

Array = npt.NDArray[np.float64]

HALF = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
PROBABILITIES = np.array([*HALF, 0.5, *(1 - p for p in reversed(HALF))])
PER_BIN = 60  # fewest products × folds in a bin
MOST_BINS = 8
FEWEST = 40  # fewest products × folds in all
LARGEST = 5.0  # relative errors above count as this in the regression of the spread
PENALTY = 10.0
SMALLEST, GONE = np.exp(-3.0), np.exp(-4.0)
"""The smallest spread that the regression gives, and the spread of what is forecast at next to nothing."""
WILDEST = 6.0
"""Relative errors of 28 days above count as this: a sale of what was forecast at nothing says nothing of the others
in its bin. Shorter windows, in which single sales weigh more, by the root of their length more."""


@dataclass(frozen=True)
class Spread:
    """log spread = regression on the columns of `Errors.columns` and log(forecast of 28 days + ½).

    `apart`: those forecast below NEXT_TO_NOTHING have the spread GONE instead.
    """

    centre: Array
    scale: Array
    coefficients: Array
    apart: bool = False

    @classmethod
    def fit(cls, errors: Errors) -> Self:
        """Learn from the window of 28 days, or the longest below it that is known.

        Those forecast at next to nothing are apart where enough of them and enough others are known.
        """
        days = errors.longest()
        row = errors.of_days(days)[2]
        gone = int((errors.rate[row] < NEXT_TO_NOTHING).sum())
        apart = min(gone, len(row) - gone) >= FEWEST
        errors = errors.alive() if apart else errors
        forecast, actual, row = errors.of_days(days)
        X = _columns(errors.columns[row], errors.rate[row])
        size = np.log(np.minimum(np.abs(actual - forecast) / (forecast + small(days)), LARGEST) + 0.1)
        scale = X.std(axis=0)
        law = cls(X.mean(axis=0), np.where(scale > 1e-9, scale, 1.0), np.empty(0))
        Z = law._design(X)
        found = np.linalg.solve(Z.T @ Z + PENALTY * np.eye(Z.shape[1]), Z.T @ (size - size.mean()))
        return cls(law.centre, law.scale, found, apart)

    def of(self, columns: Array | None, rate: Array) -> Array:
        """Spread of each product from its `columns` (None: average ones) and its forecast of 28 days, (products,)."""
        if columns is None:
            columns = np.tile(self.centre[:-1], (len(rate), 1))
        found = engine.by_row(self._design(_columns(columns, rate)), self.coefficients)
        found = np.exp(np.clip(found, -3.0, 3.0))
        return np.where(self.apart & (rate < NEXT_TO_NOTHING), GONE, np.maximum(found, SMALLEST))

    def _design(self, X: Array) -> Array:
        Z = np.clip((X - self.centre) / self.scale, -4, 4)
        return np.column_stack([np.ones(len(Z)), Z, np.square(Z[:, [0, 1, -1]])])


@dataclass(frozen=True)
class CompoundPoisson:
    """Without a back-test: relative variance = E[u²]/E[u] ÷ forecast + ¼ (a level error of one half)."""

    dispersion: float

    def of(self, columns: Array | None, rate: Array) -> Array:
        """Relative standard deviation of the sum of 28 days, (products,)."""
        return np.sqrt(self.variance(rate, 28))

    def variance(self, rate: Array, days: int) -> Array:
        """Relative variance of the sum of `days` days of products with this forecast of 28 days."""
        return self.dispersion / ((rate + 0.5) * days / 28) + 0.25 * max(1.0, days / 28)


def _columns(columns: Array, rate: Array) -> Array:
    return np.column_stack([columns, np.log(rate + 0.5)])


@dataclass(frozen=True)
class VolumeBins:
    """`edges` (bins − 1,) of the spread; `z` (windows, bins, probabilities) and `sd` (windows, bins) of the error.

    `law` gives a product its spread; it is not needed where the spread is known. Windows are WINDOWS.

    >>> z = np.tile((PROBABILITIES * 2 - 1), (6, 1, 1))
    >>> wide = VolumeBins(np.empty(0), z, np.full((6, 1), .5))
    >>> wide.quantiles(np.array([27.5]), 28, [.1, .5, .9], spread=np.ones(1)).round(1).tolist()
    [[5.1, 27.5, 49.9]]
    """

    edges: Array
    z: Array
    sd: Array
    law: Spread | CompoundPoisson | None = None

    @classmethod
    def calibrate(cls, errors: Errors, history: History) -> Self:
        """Learn from the errors of back-tests; from the shape of the sales alone where they are too few."""
        errors = errors.lately()
        if len(errors.of_days(errors.longest())[0]) < FEWEST:
            return cls.from_spread(history)
        law = Spread.fit(errors)
        spread = law.of(errors.columns, errors.rate)
        edges = _edges(spread)
        z = np.zeros((len(WINDOWS), len(edges) + 1, len(PROBABILITIES)))
        sd = np.zeros(z.shape[:2])
        for w, days in enumerate(WINDOWS):
            forecast, actual, row = errors.of_days(days)
            relative = np.minimum((actual - forecast) / (forecast + small(days)), WILDEST * np.sqrt(28 / min(days, 28)))
            found = relative / spread[row]
            at, common = np.searchsorted(edges, spread[row], side="right"), _common(errors, days)
            for b in range(z.shape[1]):
                sample = found[at == b]
                if len(sample) >= FEWEST // 2:
                    sd[w, b] = np.sqrt(np.square(sample).mean())
                    shared = common[0] / np.square(spread[row][at == b]).mean()
                    z[w, b] = _few_origins(_sample_quantiles(sample), sd[w, b], shared=shared, count=common[1])
                elif w:  # not tested: the window before it, grown by the root of the days
                    growth = np.sqrt(days / WINDOWS[w - 1])
                    z[w, b], sd[w, b] = z[w - 1, b] * growth, sd[w - 1, b] * growth
        return cls(edges, z, sd, law)

    @classmethod
    def from_spread(cls, history: History) -> Self:
        """Without a back-test: gamma distributions with the variance of `CompoundPoisson`."""
        sales = history.y[history.y > 0]
        law = CompoundPoisson(float(np.square(sales).mean() / sales.mean()) if sales.size else 1.0)
        rates = 512 / 2.0 ** np.arange(11)  # falling: the spread rises
        middle = np.array([512, *np.sqrt(rates[:-1] * rates[1:]), 0.5])
        own = law.of(None, middle)
        variance = np.array([law.variance(middle, days) for days in WINDOWS])
        z = (gamma_quantile(variance[..., None], PROBABILITIES) - 1) / own[None, :, None]
        return cls(law.of(None, rates), z, np.sqrt(variance) / own, law)

    def spread(self, columns: Array | None, rate: Array) -> Array:
        """How hard each product is to forecast, from `bucket_errors.columns` and its forecast of 28 days, (products,).

        Raises ValueError for bins that were read from a file without their law.
        """
        if self.law is None:
            raise ValueError("These bins have no law of the spread; use the spread that was stored beside them.")
        return self.law.of(columns, rate)

    def quantiles(
        self, mean: Array, days: int, probabilities: Sequence[float] | Array, *, spread: Array | None = None,
        rate: Array | None = None,
    ) -> Array:  # fmt: skip
        """Quantiles of the sum over `days` days whose forecast is `mean`, shape (*mean.shape, probabilities).

        `mean` (products,) or (products, …); `spread` (products,), found from `rate` alone (the forecast of 28 days;
        default: from `mean`) where it is not given. Rising in the probability, never negative.
        """
        if spread is None:
            spread = self.spread(None, mean * 28 / days if rate is None else rate)
        return self._at(np.asarray(mean, dtype=float), days, np.asarray(probabilities, dtype=float), spread)

    def total(
        self, mean: Array, days: int, coverage: float, *, spread: Array | None = None, rate: Array | None = None
    ) -> tuple[Array, Array]:
        """Bounds of the sum over `days` days, shape of `mean` each; the forecast itself lies between them."""
        found = self.quantiles(mean, days, ((1 - coverage) / 2, (1 + coverage) / 2), spread=spread, rate=rate)
        return np.minimum(found[..., 0], mean), np.maximum(found[..., 1], mean)

    def sd_total(self, mean: Array, days: int, *, spread: Array | None = None) -> Array:
        """Standard deviation of the sum over `days` days around its forecast `mean`, (products,)."""
        spread = self.spread(None, mean * 28 / days) if spread is None else spread
        table, growth = self._between(self.sd, days)
        return (mean + small(days)) * spread * table[np.searchsorted(self.edges, spread, side="right")] * growth

    def _at(self, mean: Array, days: int, probabilities: Array, spread: Array) -> Array:
        table, growth = self._between(self.z, days)
        at = np.array([np.interp(probabilities, PROBABILITIES, row) for row in table])
        z = at[np.searchsorted(self.edges, spread, side="right")] * (spread * growth)[:, None]
        z = z.reshape(len(mean), *[1] * (mean.ndim - 1), len(probabilities))
        return np.asarray(np.maximum(mean[..., None] + (mean[..., None] + small(days)) * z, 0.0))

    def _between(self, table: Array, days: int) -> tuple[Array, float]:
        """The table of a window of `days` days, between the calibrated ones in log(days), and its growth."""
        x = np.log(np.array(WINDOWS, dtype=float))
        at = float(np.clip(np.log(days), x[0], x[-1]))
        i = min(int(np.searchsorted(x, at, side="right")) - 1, len(x) - 2)
        share = (at - x[i]) / (x[i + 1] - x[i])
        return (1 - share) * table[i] + share * table[i + 1], max(1.0, float(np.sqrt(days / WINDOWS[-1])))


def _edges(spread: Array) -> Array:
    """Between bins of as many products each, and below them all SMALLEST where some are GONE."""
    living = spread[spread >= SMALLEST]
    bins = int(np.clip(len(living) // PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(living, np.arange(1, bins) / bins))
    return edges if len(living) == len(spread) else np.unique([SMALLEST, *edges])


def nested_coverage(
    errors: Errors, history: History, *, origins: Sequence[int], windows: Sequence[int]
) -> dict[str, float | None]:
    """Share of sums inside their interval on origins not used for calibrating: `coverage_80_28`, `coverage_95_28`, …

    The widths of each of `origins` come from what was known there. Products forecast at next to nothing do not count:
    that nothing came of nothing is no merit.
    """
    inside: dict[str, list[npt.NDArray[np.bool_]]] = {f"coverage_{c}_{w}": [] for w in windows for c in (80, 95)}
    for origin in origins:
        earlier, own = errors.known_at(origin), errors.at(origin)
        full = np.isfinite(earlier.actual[:, SLOTS.index(max(windows))])
        if len(np.unique(earlier.origin[full])) < FEWEST_TO_MEASURE or full.sum() < FEWEST:
            continue
        widths = VolumeBins.calibrate(earlier, history.until(origin))
        for days in windows:
            mean, actual, row = own.of_days(days)
            spread = widths.spread(own.columns[row], own.rate[row])
            counts = own.rate[row] >= NEXT_TO_NOTHING
            for coverage in (80, 95):
                lower, upper = widths.total(mean, days, coverage / 100, spread=spread)
                inside[f"coverage_{coverage}_{days}"].append(((actual >= lower) & (actual <= upper))[counts])
    joined = {key: np.concatenate(parts) if parts else np.empty(0) for key, parts in inside.items()}
    return {key: float(found.mean()) if found.size else None for key, found in joined.items()}


def _sample_quantiles(sample: Array) -> Array:
    """At PROBABILITIES, spread by the finite-sample factor 1 + 2/n."""
    return np.quantile(sample, np.clip(0.5 + (PROBABILITIES - 0.5) * (1 + 2 / len(sample)), 0, 1))


def _common(errors: Errors, days: int) -> tuple[float, float]:
    """Variance of actual ÷ forecast of all products together over the window, and how many windows fit side by side."""
    forecast, actual, row = errors.of_days(days)
    origins, at = np.unique(errors.origin[row], return_inverse=True)
    if not len(origins):
        return 0.0, 0.0
    ratio = np.bincount(at, actual) / np.maximum(np.bincount(at, forecast), 1e-9)
    apart = min(len(origins), (origins[-1] - origins[0]) / days + 1)
    return float(np.square(np.clip(ratio, 0, 5) - 1).mean()), float(apart)


def _few_origins(z: Array, sd: float, *, shared: float, count: float) -> Array:
    """Quantiles widened for a level error that all products of an origin share: of it there are as many as origins.

    That part of the variance gets Student's t with `count` degrees of freedom; the rest has many observations.
    """
    middle = PROBABILITIES == 0.5
    student = stdtrit(max(count, 1.0), PROBABILITIES) / np.where(middle, 1.0, ndtri(PROBABILITIES))
    student = np.where(middle, 1.0, np.square(student)) * (1 + 1 / max(count, 1.0))  # the centre is found there too
    share = min(shared / sd**2, 1.0) if sd > 0 else 0.0
    return np.maximum.accumulate(z * np.sqrt(1 + share * (student - 1)))
