"""How often a customer will come: BG/NBD and MBG/NBD by our own maximum likelihood.

While a customer is active, visits follow a Poisson process with a rate of his own (gamma, r and alpha, among all);
after a visit he may leave for good with a probability of his own (beta, a and b). In the BG/NBD nobody can leave before
the first repeat visit, so one-time buyers are "alive" for ever; in the MBG/NBD, the default, one can leave after the
very first visit.

Sources: Fader, Hardie & Lee 2005, "Counting your customers the easy way", Marketing Science 24; Batislam, Denizel &
Filiztekin 2007, "Empirical validation and comparison of models for customer base analysis", Int. J. of Research in
Marketing 24; conditional expectation with Euler's transformation of 2F1 (Abramowitz & Stegun 15.3.3), which neither
over- nor underflows with hundreds of visits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, hyp2f1, psi

from retail_ml import engine
from retail_ml.segment.likelihood import ENOUGH, Estimate, distinct_rows, maximise
from retail_ml.segment.space import Array

STARTS = np.log([[0.5, 5.0, 0.8, 2.0], [1.5, 20.0, 0.3, 3.0], [0.2, 2.0, 1.5, 1.5]])
BOUNDS = np.array([[-7.0, 5.0], [-7.0, 8.0], [-7.0, 4.0], [-7.0, 7.0]])
"""Of log r, alpha, a, b in scaled time: wide, but no power of them overflows."""
SCOUTS = 2_000
"""Rows, evenly spread, on which the three starts are tried; the best then goes through all."""
LEAST, MOST = 5_000, 200_000
"""Customers that are one part of the work, at most; and at least, since each costs but microseconds."""
MEAN_AGE = 10.0
"""What the mean age of a customer is scaled to while fitting."""


@dataclass(frozen=True)
class History:
    """What the models know of customers, shape (n,) each, in one unit of time of the caller's choice (days, weeks).

    `x`: repeat visits; `last`: from the first visit to the last (t_x); `age`: from the first visit to now (T).
    """

    x: Array
    last: Array
    age: Array


@dataclass(frozen=True)
class Buying:
    """A fitted model: r, alpha (in the caller's time), a, b; MBG/NBD, or BG/NBD with `modified` False."""

    r: float
    alpha: float
    a: float
    b: float
    modified: bool = True
    log_likelihood: float = float("nan")
    converged: bool = True
    prior: bool = False

    def alive(self, who: History) -> Array:
        """Probability of still being a customer, P(alive).

        MBG/NBD: 1 / (1 + a/(b+x) ((alpha+T)/(alpha+t_x))^(r+x)); BG/NBD: b+x-1, and 1 for one-time buyers.

        >>> one = History(np.array([2.0]), np.array([30.43]), np.array([38.86]))
        >>> Buying(0.242593, 4.413532, 0.792886, 2.425752, modified=False).alive(one).round(4).tolist()
        [0.7266]
        """
        return np.asarray(expit(-self._log_odds_gone(who)))

    def _log_odds_gone(self, who: History) -> Array:
        steps = self.b + who.x - (0 if self.modified else 1)
        repeated = np.ones(len(who.x), dtype=bool) if self.modified else who.x > 0
        odds = np.log(self.a / np.where(repeated, steps, 1.0))
        odds += (self.r + who.x) * np.log((self.alpha + who.age) / (self.alpha + who.last))
        return np.where(repeated, odds, -np.inf)

    def buys_within(self, who: History, time: float) -> Array:
        """Probability of at least one visit within `time`: P(alive) (1 - ((alpha+T)/(alpha+T+time))^(r+x))."""
        reach = self.alpha + who.age
        return np.asarray(self.alive(who) * -np.expm1((self.r + who.x) * np.log(reach / (reach + time))))

    def time_until(self, who: History, share: float) -> Array:
        """Time until a next visit has happened with the probability `share`; infinite where it never reaches that.

        t = (alpha+T) ((1 - share/P(alive))^(-1/(r+x)) - 1).

        >>> model, one = Buying(0.5, 6.0, 0.9, 1.6), History(np.array([5.0]), np.array([30.0]), np.array([32.0]))
        >>> model.buys_within(one, float(model.time_until(one, 0.5)[0])).round(9).tolist()
        [0.5]
        """
        alive = self.alive(who)
        reachable = alive > share
        left = np.where(reachable, 1 - share / np.where(reachable, alive, 1.0), 1.0)
        grown = np.minimum(-np.log(left) / (self.r + who.x), 700.0)
        return np.where(reachable, (self.alpha + who.age) * np.expm1(grown), np.inf)

    def expected(self, who: History, times: Array) -> Array:
        """Visits expected within each of `times`, E[Y(t)]; shape (n, len(times)).

        P(alive) (a+b+x)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+b-r; a+b+x; z)], z = t/(alpha+T+t); BG/NBD: x-1 for x
        outside P(alive). Equal (x, T) are computed once.

        >>> one = History(np.array([2.0]), np.array([30.43]), np.array([38.86]))
        >>> model = Buying(0.242593, 4.413532, 0.792886, 2.425752, modified=False)
        >>> model.expected(one, np.array([39.0])).round(5).tolist()
        [[1.22591]]
        """
        pairs, back = _distinct(who)
        return np.asarray(self.alive(who)[:, None] * by_block(self.expected_if_alive, pairs, times=times)[back])

    def expected_if_alive(self, who: History, times: Array) -> Array:
        """E[Y(t)] / P(alive): the visits expected of somebody still active; shape (n, len(times))."""
        x, reach = who.x[:, None], self.alpha + who.age[:, None]
        c = self.a + self.b + x - (0 if self.modified else 1)
        z = times / (reach + times)
        a = self.a if abs(self.a - 1) > 1e-6 else self.a + 2e-6
        series = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a - 1, a + self.b - self.r - (not self.modified), c, z)
        return np.asarray(np.maximum(c / (a - 1) * (1 - series), 0.0))

    def discount(self, who: History, times: Array, rate: float) -> Array:
        """What each customer's visits, discounted at `rate` a period, are of the plain sum; shape (n,).

        times: the ends of periods 1, 2, …: Σ (E[Y(t_j)] - E[Y(t_j-1)]) / (1 + rate)^j over E[Y(t_k)].
        """
        pairs, back = _distinct(who)
        return by_block(self._discounted, pairs, times=times, rate=rate)[back]

    def _discounted(self, who: History, times: Array, rate: float) -> Array:
        reached = self.expected_if_alive(who, times)
        factors = (1 + rate) ** -np.arange(1.0, len(times) + 1)
        flows = np.diff(reached, axis=1, prepend=0.0)
        return np.asarray(engine.by_row(flows, factors) / np.maximum(reached[:, -1], 1e-300))

    def newcomer(self, times: Array) -> Array:
        """Repeat visits expected of somebody who has just come for the first time, E[X(t)]; shape of `times`."""
        fresh = History(np.zeros(1), np.zeros(1), np.zeros(1))
        if self.modified:
            return np.asarray(self.expected(fresh, times)[0])
        z, a = times / (self.alpha + times), self.a if abs(self.a - 1) > 1e-6 else self.a + 2e-6
        c = a + self.b - 1
        series = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a - 1, c - self.r, c, z)
        return np.asarray(c / (a - 1) * (1 - series))


def by_block(fn: Callable[..., Array], who: History, **told: Any) -> Array:
    """fn(who, **told), an array of a row per customer, in blocks of customers: a method of a model, or a function."""
    where = engine.blocks(len(who.x), most=MOST, least=LEAST)
    if not where:
        return fn(who, **told)
    parts = (History(who.x[rows], who.last[rows], who.age[rows]) for rows in where)
    found = engine.map(partial(fn, **told), parts, rows=[rows.stop - rows.start for rows in where])
    return found[0] if len(found) == 1 else np.concatenate(found)


def _distinct(who: History) -> tuple[History, NDArray[np.intp]]:
    """Each (x, T) once, and where every customer finds his."""
    (x, age), back = distinct_rows(who.x, who.age)
    return History(x, np.zeros(len(x)), age), back


def log_likelihoods(model: Buying, who: History) -> Array:
    """Log-likelihood of each customer under the model; shape (n,).

    >>> one = History(np.array([0.0, 200.0]), np.array([0.0, 38.0]), np.array([40.0, 40.0]))
    >>> log_likelihoods(Buying(0.25, 4.0, 0.8, 2.5, modified=False), one).round(4).tolist()
    [-0.5995, 100.7957]
    """
    x, extra = who.x, 1 if model.modified else 0
    a, b, r, alpha = model.a, model.b, model.r, model.alpha
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + who.age)
    stayed = gammaln(b + x + extra) - gammaln(a + b + x + extra) - gammaln(b) + gammaln(a + b)
    return np.asarray(common + stayed + np.logaddexp(0, model._log_odds_gone(who)))


def fit(who: History, *, modified: bool = True) -> Buying:
    """Maximum likelihood over customers; with a prior where fewer than 200 came back (`likelihood`).

    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(10, 300, 2_000)
    >>> rate = rng.gamma(0.8, 1 / 40, 2_000)
    >>> x = rng.poisson(rate * age).astype(float)
    >>> model = fit(History(x, age * x / (x + 1), age))
    >>> 0.6 < model.r < 1.4 and model.a / (model.a + model.b) < 0.1
    True
    """
    unit = MEAN_AGE / max(float(who.age.mean()), 1e-9)
    distinct, member = distinct_rows(who.x, who.last, who.age)
    rows = np.stack(distinct) * np.array([[1.0], [unit], [unit]])
    count = np.bincount(member)
    prior = int((who.x > 0).sum()) < ENOUGH
    found = _estimate(rows, count.astype(np.float64), modified, prior)
    r, alpha, a, b = (float(p) for p in found.parameters)
    # the likelihood of times in the caller's unit: each of the x visits is a density
    size = found.log_likelihood + float(who.x.sum()) * float(np.log(unit))
    return Buying(r, alpha / unit, a, b, modified, size, found.converged, prior)


def _estimate(rows: Array, count: Array, modified: bool, prior: bool) -> Estimate:
    step = max(rows.shape[1] // SCOUTS, 1)
    scout = _Likelihood(rows[:, ::step], count[::step], modified)
    return maximise(_Likelihood(rows, count, modified), STARTS, BOUNDS, prior=prior, scout=scout if step > 1 else None)


class _Likelihood:
    """The log-likelihood of rows (x, t_x, T), each counted so many times, and its gradient by the log parameters."""

    def __init__(self, rows: Array, count: Array, modified: bool) -> None:
        self.x, self.last, self.age = rows
        self.count, self.extra = count, 1 if modified else 0
        self.values, member = np.unique(self.x, return_inverse=True)
        self.member = member.reshape(-1)
        self.size = np.bincount(self.member, weights=count)
        self.can_leave = np.ones(len(self.x), dtype=bool) if modified else self.x > 0
        self.customers = float(count.sum())

    def __call__(self, z: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(z)
        v, m, n, c = self.values, self.size, self.customers, self.extra
        late, early = np.log(alpha + self.age), np.log(alpha + self.last)
        steps = np.where(v + c > 0, b + v - 1 + c, 1.0)
        odds = (np.log(a / steps))[self.member] + (r + self.x) * (late - early)
        odds[~self.can_leave] = -np.inf
        gone = expit(odds)
        total = self.count @ (np.logaddexp(0, odds) - (r + self.x) * late)
        total += m @ (gammaln(r + v) + gammaln(b + v + c) - gammaln(a + b + v + c))
        total += n * (r * np.log(alpha) - gammaln(r) - gammaln(b) + gammaln(a + b))
        waited = self.count * gone
        by_x = np.bincount(self.member, weights=waited, minlength=len(v))
        shift = (r + self.x) * (self.count - waited)
        d_r = m @ psi(r + v) + n * (np.log(alpha) - psi(r)) - self.count @ late + waited @ (late - early)
        d_alpha = n * r / alpha - (shift / (alpha + self.age)).sum()
        d_alpha -= ((r + self.x) * waited / (alpha + self.last)).sum()
        both = n * psi(a + b) - m @ psi(a + b + v + c)
        d_a = both + by_x.sum() / a
        d_b = both + m @ psi(b + v + c) - n * psi(b) - (by_x / steps).sum()
        return float(total), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])
