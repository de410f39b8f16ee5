"""Maximum likelihood for the models of buying and spending: logarithms of the parameters, analytic gradients.

Where there is little data a weak prior, N(0, 1.5) on each logarithm in scaled units, keeps the estimate finite; it is
switched off where there is enough, since it would pull a large shop's parameters by some per cent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retail_ml.segment.space import Array

PRIOR_SD = 1.5
ENOUGH = 200
"""Customers who came back from which the likelihood stands alone."""

Objective = Callable[[Array], tuple[float, Array]]
"""Log parameters → log-likelihood and its gradient by them."""


@dataclass(frozen=True)
class Estimate:
    """Parameters in scaled units, log-likelihood (without the prior) and whether the optimiser was satisfied."""

    parameters: Array
    log_likelihood: float
    converged: bool
    prior: bool


def distinct_rows(*columns: Array) -> tuple[list[Array], NDArray[np.intp]]:
    """The distinct rows of a table, sorted, and the number of its distinct row for each row.

    >>> [c.tolist() for c in distinct_rows(np.array([2.0, 1.0, 2.0]), np.array([7.0, 7.0, 7.0]))[0]]
    [[1.0, 2.0], [7.0, 7.0]]
    """
    key = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        key = np.unique(key * len(values) + place.reshape(-1), return_inverse=True)[1].reshape(-1)
    first = np.zeros(int(key.max(initial=-1)) + 1, dtype=np.intp)
    first[key] = np.arange(len(key))
    return [column[first] for column in columns], key


def maximise(
    likelihood: Objective, starts: Array, bounds: Array, *, prior: bool, scout: Objective | None = None
) -> Estimate:
    """The best of L-BFGS-B from each start. starts: shape (s, k), log parameters; bounds: shape (k, 2).

    scout: the likelihood of a part of the data, on which the starts are tried where all of it would be slow.

    >>> def bell(z):
    ...     return float(-((z - 1) ** 2).sum()), -2 * (z - 1)
    >>> maximise(bell, np.zeros((1, 2)), np.array([[-5.0, 5.0]] * 2), prior=False).parameters.round(4).tolist()
    [2.7183, 2.7183]
    """
    if scout is not None:
        starts = np.log(maximise(scout, starts, bounds, prior=prior).parameters)[None]
    weight = 1 / PRIOR_SD**2 if prior else 0.0

    def loss(z: Array) -> tuple[float, Array]:
        value, gradient = likelihood(z)
        return -value + weight * float(z @ z) / 2, -gradient + weight * z

    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
    found = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for start in starts]
    best = min(found, key=lambda one: one.fun)
    return Estimate(np.exp(best.x), likelihood(best.x)[0], bool(best.success), prior)
