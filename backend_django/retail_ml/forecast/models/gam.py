"""A penalised log-link regression on the calendar: trend, season, weekday, closures, feasts, promotions.

A generalised additive model in the sense of Hastie & Tibshirani (1990) with the terms of Taylor & Letham (2018):
log E[y] is a sum of a piecewise linear trend, yearly harmonics, weekday effects and effects of named days. The
variance is taken to grow with mean^1.5 (between counts and amounts); every coefficient has a normal prior around its
own prior mean, so that what was never or seldom seen has no effect, or the stated one. Fitted by penalised iteratively
re-weighted least squares (McCullagh & Nelder 1989, 2.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from retail_ml.forecast.backtest import LONG
from retail_ml.forecast.features import calendar_terms
from retail_ml.forecast.history import History
from retail_ml.forecast.models.base import Array, Forecaster, credibility

CHANGEPOINTS = 12
LAST_CHANGE = 0.95  # share of the history that holds the changepoints
SLOPE = 0.5  # prior sd of the log growth per year
CHANGE = (0.1, 0.8)  # prior sd of a change of it at one of 12 changepoints a year: last year is credible, or is not
DAMPING = 60.0  # days: the slope ahead fades by 1 / e in so many
HARMONICS = 10
YEARLY_FROM = 300
WAVE = 0.2  # prior sd of the first harmonic; the k-th has WAVE / k
WEEKDAY = 0.5
POWER = 1.5
ROUNDS = 12
SPECIAL = ("closure", "holiday", "promotion")
"""Groups of terms that belong to named days, not to the run of the shop."""
FAR = 6.0  # logarithms are kept within ± FAR of the mean


@dataclass(frozen=True)
class Design:
    """Columns of the regression: `X` (days, columns), prior `mean` and `sd` (columns,), `group` (columns,) by name."""

    X: Array
    mean: Array
    sd: Array
    group: tuple[str, ...]


class Gam(Forecaster):
    """The regression, one per series."""

    name: ClassVar[str] = "gam"
    least_days: ClassVar[int] = 28

    def _fit(self, history: History) -> None:
        self.believed_ = credibility(history)
        use, y = history.usable, history.capped
        self.scale_ = np.maximum(y[:, use].mean(axis=1), 1e-9)
        self.design_ = self._columns(history.days + LONG)
        columns = self.design_
        fits = []
        for series in range(len(y)):
            sd = self._sd(columns, series)
            fits.append(fit(columns.X[: history.days][use], y[series, use] / self.scale_[series], columns.mean, sd))
        self.coefficients_ = np.array(fits)
        self.cap_, self.top_ = self.top_, np.full(len(y), np.inf)

    def _forecast(self, horizon: int) -> Array:
        """The cap holds for the days without the effects of named days: a promotion may exceed all that was seen."""
        parts = self.parts(self.history_.days, horizon)
        plain = sum(effect for group, effect in parts.items() if group not in SPECIAL)
        base = self.scale_[:, None] * np.exp(np.clip(plain, -FAR, FAR))
        return np.minimum(base, self.cap_[:, None]) * self.special(self.history_.days, horizon)

    def special(self, first: int, days: int) -> Array:
        """The factor of named days (beside closures, holidays, promotions) from day `first` on, (series, days)."""
        found = [effect for group, effect in self.parts(first, days).items() if group in SPECIAL]
        return np.exp(np.clip(sum(found, np.zeros((len(self.scale_), days))), -FAR, FAR))

    def parts(self, first: int, days: int) -> dict[str, Array]:
        """Logarithmic effect of each group of terms from day `first` of the history on, (series, days) each."""
        design = self._design(first + days)
        X = design.X[first : first + days]
        out: dict[str, Array] = {}
        for group in dict.fromkeys(design.group):
            own = np.array([g == group for g in design.group])
            out[group] = self.coefficients_[:, own] @ X[:, own].T
        return out

    def _sd(self, design: Design, series: int) -> Array:
        """Prior sds. What a growing shop did last year is put down to its trend rather than to the season."""
        believed = max(float(self.believed_[series]), 1e-3)
        change = CHANGE[0] * believed + CHANGE[1] * (1 - believed)
        factor = {"season": believed, "change": change}
        return design.sd * np.array([factor.get(group, 1.0) for group in design.group])

    def _design(self, days: int) -> Design:
        """The columns of at least the first `days` days from the start of the history on."""
        return self.design_ if len(self.design_.X) >= days else self._columns(days)

    def _columns(self, days: int) -> Design:
        history = self.history_
        weekday = (history.start.weekday() + np.arange(days)) % 7
        columns = [("level", 0.0, 10.0, np.ones(days)), *_trend(history.days, days)]
        columns += [("weekday", 0.0, WEEKDAY, weekday == d) for d in range(7)]
        if history.days >= YEARLY_FROM:
            columns += _waves(history, days)
        columns += calendar_terms(history, days)
        groups, means, sds, values = zip(*columns, strict=True)
        return Design(np.column_stack(values).astype(float), np.array(means), np.array(sds), groups)


Column = tuple[str, float, float, Array]
"""Group, prior mean, prior sd, values per day."""


def fit(X: Array, y: Array, mean: Array, sd: Array) -> Array:
    """Coefficients b that maximise the quasi-likelihood of log E[y] = X b under b ~ normal(mean, sd), (columns,).

    `X` (days, columns); `y` (days,) ≥ 0 with a mean near 1; the dispersion is estimated by Pearson's statistic.

    >>> X = np.column_stack([np.ones(200), np.arange(200) % 2])
    >>> fit(X, np.where(X[:, 1] > 0, 1.5, 0.5), np.zeros(2), np.array([10.0, 10.0])).round(2).tolist()
    [-0.69, 1.1]
    """
    b: Array = mean.copy()
    dispersion = 1.0
    precision = 1 / np.square(sd)
    for _ in range(ROUNDS):
        before, eta = b, np.clip(X @ b, -FAR, FAR)
        mu = np.exp(eta)
        weighted = X * (mu ** (2 - POWER) / dispersion)[:, None]
        pulled = weighted.T @ (eta + y / mu - 1) + precision * mean
        b = np.asarray(np.linalg.solve(weighted.T @ X + np.diag(precision), pulled), dtype=float)
        mu = np.exp(np.clip(X @ b, -FAR, FAR))
        dispersion = max(float((np.square(y - mu) / mu**POWER).sum()) / max(len(y) - 10, len(y) / 2), 1e-3)
        if np.abs(b - before).max() < 1e-3:
            break
    return b


def _trend(known: int, days: int) -> list[Column]:
    """A slope and its changes, in years before the end of the `known` days; beyond the end the slope fades."""
    t = np.arange(days, dtype=float)
    beyond = np.maximum(t - known, 0)
    year = np.where(t <= known, t - known, DAMPING * (1 - np.exp(-beyond / DAMPING))) / 365
    span = LAST_CHANGE * known / (CHANGEPOINTS + 1)
    sd = float(np.sqrt(12 * span / 365))
    out: list[Column] = [("trend", 0.0, SLOPE, year)]
    return out + [
        ("change", 0.0, sd, np.maximum(year - (span * k - known) / 365, 0.0)) for k in range(1, CHANGEPOINTS + 1)
    ]


def _waves(history: History, days: int) -> list[Column]:
    """Harmonics of the year."""
    first = history.start.timetuple().tm_yday
    angle = 2 * np.pi * (first + np.arange(days)) / 365.25
    return [("season", 0.0, WAVE / k, wave(k * angle)) for k in range(1, HARMONICS + 1) for wave in (np.sin, np.cos)]
