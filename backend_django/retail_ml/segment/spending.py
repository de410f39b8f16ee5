"""What a customer spends per visit: the Gamma-Gamma model, over all visits, by our own maximum likelihood.

A visit's spend is gamma distributed around the customer's own mean, and those means vary among customers (p, q, v). All
visits count, not only repeats: a customer of one visit gets an estimate of his own.

Source: Fader & Hardie 2013, "The Gamma-Gamma model of monetary value", note 025; Colombo & Jiang 1999, "A stochastic
RFM model", Journal of Interactive Marketing 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, psi

from retail_ml.segment.buying import SCOUTS
from retail_ml.segment.likelihood import ENOUGH, maximise
from retail_ml.segment.space import Array

STARTS = np.log([[1.5, 3.0, 3.0], [6.0, 4.0, 1.0], [0.8, 2.0, 2.0]])
BOUNDS = np.array([[-4.0, 7.0], [np.log(1.05), 7.0], [-7.0, 9.0]])
"""Of log p, q, v with the mean spend scaled to one; q above 1, or the mean of all customers would be infinite."""


@dataclass(frozen=True)
class Spending:
    """A fitted Gamma-Gamma: p, q, v (v in money)."""

    p: float
    q: float
    v: float
    log_likelihood: float = float("nan")
    converged: bool = True
    prior: bool = False

    @property
    def mean(self) -> float:
        """What a visit of an unknown customer brings: p v / (q - 1)."""
        return self.p * self.v / (self.q - 1)

    def expected(self, visits: Array, mean: Array) -> Array:
        """E[M] = p (v + n m) / (p n + q - 1) for n visits of mean spend m (counted as 0 below 0); n = 0: `mean`.

        >>> Spending(6.25, 3.74, 15.44).expected(np.array([2.0, 0.0]), np.array([22.35, 0.0])).round(2).tolist()
        [24.66, 35.22]
        """
        paid = np.maximum(mean, 0.0)
        return np.asarray(self.p * (self.v + visits * paid) / (self.p * visits + self.q - 1))


def fit(visits: Array, mean: Array) -> Spending | None:
    """Maximum likelihood from the number and the mean spend of each customer's visits.

    Customers whose mean is not above 0 (given away, or returned) tell nothing of a gamma distribution and are left out;
    None where nobody is left. With a prior where fewer than 200 customers have two visits or more.
    """
    use = (visits > 0) & (mean > 0)
    n, m = visits[use], mean[use]
    if not len(n):
        return None
    unit = float(np.exp(np.log(m).mean()))  # the geometric mean: one wholesale buyer would move the arithmetic one
    prior = int((n > 1).sum()) < ENOUGH
    step = max(len(n) // SCOUTS, 1)
    scout = _Likelihood(n[::step], m[::step] / unit) if step > 1 else None
    found = maximise(_Likelihood(n, m / unit), STARTS, BOUNDS, prior=prior, scout=scout)
    p, q, v = (float(one) for one in found.parameters)
    return Spending(p, q, v * unit, found.log_likelihood - len(n) * float(np.log(unit)), found.converged, prior)


class _Likelihood:
    """The log-likelihood of means m over n visits, and its gradient by log p, q, v."""

    def __init__(self, n: Array, m: Array) -> None:
        self.values, member = np.unique(n, return_inverse=True)
        self.member, self.total = member.reshape(-1), n * m
        self.size = np.bincount(self.member).astype(np.float64)
        self.logs = np.bincount(self.member, weights=np.log(self.total))
        self.constant = -float(np.log(m).sum())

    def __call__(self, z: Array) -> tuple[float, Array]:
        p, q, v = np.exp(z)
        n, size = self.values, self.size
        reach = v + self.total
        spread = np.bincount(self.member, weights=np.log(reach))
        inverse = np.bincount(self.member, weights=1 / reach)
        shape, customers = p * n + q, size.sum()
        value = size @ (gammaln(shape) - gammaln(p * n)) + customers * (q * np.log(v) - gammaln(q))
        value += (p * n) @ self.logs - shape @ spread + self.constant
        d_p = (n * size) @ (psi(shape) - psi(p * n)) + n @ (self.logs - spread)
        d_q = size @ psi(shape) + customers * (np.log(v) - psi(q)) - spread.sum()
        d_v = customers * q / v - shape @ inverse
        return float(value), np.array([d_p * p, d_q * q, d_v * v])
