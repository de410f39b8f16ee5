"""Textbook formulas of inventory theory, over arrays: economic lots, newsvendors, loss functions.

Sources: L. V. Snyder and Z.-J. M. Shen, *Fundamentals of Supply Chain Theory*, 2nd ed. (2019), chapters 3
and 4 and appendix C; P. H. Zipkin, *Foundations of Inventory Management* (2000), appendix C. A loss function is
E[(D - x)+], the expected units short when x units are there. All arguments broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.ArrayLike


def eoq(fixed_cost: Numbers, demand: Numbers, holding_cost: Numbers) -> Floats:
    """Economic order quantity √(2·K·D/h) (Harris 1913; Snyder & Shen 3.2). Zero where D is zero.

    `fixed_cost` money per order, `demand` units per year, `holding_cost` money per unit and year (above 0).

    >>> round(float(eoq(8, 1300, 0.225)), 4)
    304.0468
    """
    return np.sqrt(2 * np.asarray(fixed_cost, float) * np.asarray(demand, float) / np.asarray(holding_cost, float))


def eoq_cost(quantity: Numbers, fixed_cost: Numbers, demand: Numbers, holding_cost: Numbers) -> Floats:
    """Ordering and holding cost per year of lots of `quantity` units: K·D/Q + h·Q/2.

    >>> round(float(eoq_cost(250, 8, 1300, 0.225)), 3)
    69.725
    """
    q = np.asarray(quantity, float)
    return np.asarray(fixed_cost, float) * np.asarray(demand, float) / q + np.asarray(holding_cost, float) * q / 2


def eoq_all_units(
    fixed_cost: float, demand: float, *, holding_rate: float, breaks: Sequence[float], prices: Sequence[float]
) -> tuple[float, int, float]:
    """Best lot, its bracket and its yearly cost when all units get the price of the bracket (Snyder & Shen 3.4.2).

    `breaks[j]` is the smallest quantity at `prices[j]`; `holding_rate` the share of the price per year. Raises
    BadParameter when the two lists differ in length, are empty, or `breaks` do not rise from zero.

    >>> eoq_all_units(8, 1300, holding_rate=0.3, breaks=[0, 400, 800], prices=[0.75, 0.72, 0.68])
    (800.0, 2, 978.6)
    """
    starts, price = check_breaks(breaks, prices)
    best = eoq(fixed_cost, demand, holding_rate * price)
    reachable = best < np.append(starts[1:], np.inf)
    lots = np.maximum(best, starts)
    cost = np.where(reachable, price * demand + eoq_cost(lots, fixed_cost, demand, holding_rate * price), np.inf)
    j = int(np.argmin(cost))
    return float(lots[j]), j, round(float(cost[j]), 10)


def check_breaks(breaks: Sequence[float], prices: Sequence[float]) -> tuple[Floats, Floats]:
    """Breaks and prices as arrays. Raises BadParameter unless `breaks` rise from zero and are as many as `prices`.

    >>> check_breaks([0, 12], [2.0, 1.5])[1].tolist()
    [2.0, 1.5]
    """
    starts, price = np.asarray(breaks, float), np.asarray(prices, float)
    if len(starts) != len(price) or not len(starts) or starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise BadParameter(
            f"breaks must rise from 0 and be as many as prices; got {list(breaks)} and {list(prices)}",
            breaks=list(breaks),
            prices=list(prices),
        )
    return starts, price


def normal_loss(x: Numbers, mean: Numbers, sd: Numbers) -> Floats:
    """E[(D - x)+] for normal demand: σ·(φ(z) - z·(1 - Φ(z))) (Snyder & Shen C.31).

    >>> round(float(normal_loss(18, 15, 3)), 6)
    0.249946
    """
    from scipy.special import ndtr

    z = (np.asarray(x, float) - np.asarray(mean, float)) / np.asarray(sd, float)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.asarray(sd, float) * (density - z * ndtr(-z)))


def poisson_loss(x: Numbers, mean: Numbers) -> Floats:
    """E[(D - x)+] for Poisson demand and whole x (Snyder & Shen C.41).

    >>> round(float(poisson_loss(18, 15)), 6)
    0.51761
    """
    from scipy.special import gammainc

    k, mu = np.broadcast_arrays(np.floor(np.asarray(x, float)), np.asarray(mean, float))
    above, at_least = gammainc(np.maximum(k, 0) + 1, mu), gammainc(np.maximum(k, 1), mu)
    return np.asarray(np.where(k <= 0, mu - k, mu * at_least - k * above))


def nb_parameters(mean: Numbers, variance: Numbers) -> tuple[Floats, Floats]:
    """(r, p) of the negative binomial with this mean (above 0) and variance (above the mean).

    P(D = k) = C(k + r - 1, k)·p^r·(1 - p)^k, with p = mean/variance and r = mean²/(variance - mean).

    >>> [float(x) for x in nb_parameters(2.0, 4.0)]
    [2.0, 0.5]
    """
    mu, var = np.asarray(mean, float), np.asarray(variance, float)
    return mu * mu / (var - mu), mu / var


def nb_above(x: Numbers, r: Numbers, p: Numbers) -> Floats:
    """P(D > x) for negative binomial demand: the regularised incomplete beta I_{1-p}(x + 1, r). 1 below zero.

    >>> round(float(nb_above(0, 2.0, 0.5)), 6)
    0.75
    """
    from scipy.special import betainc

    k = np.floor(np.asarray(x, float))
    above = betainc(np.maximum(k, 0) + 1, np.asarray(r, float), 1 - np.asarray(p, float))
    return np.asarray(np.where(k < 0, 1.0, above))


def nb_loss(x: Numbers, r: Numbers, p: Numbers) -> Floats:
    """E[(D - x)+] for negative binomial demand and whole x: μ·P(D' ≥ x) - x·P(D > x), D' ~ NB(r + 1, p) (Zipkin C.2).

    >>> round(float(nb_loss(14, 6, 0.3)), 6)
    2.682946
    """
    k, r_, p_ = np.broadcast_arrays(np.floor(np.asarray(x, float)), np.asarray(r, float), np.asarray(p, float))
    mu = r_ * (1 - p_) / p_
    partial = mu * nb_above(k - 1, r_ + 1, p_) - k * nb_above(k, r_, p_)
    return np.asarray(np.where(k <= 0, mu - k, np.maximum(partial, 0.0)))


def nb_quantile(q: Numbers, r: Numbers, p: Numbers) -> Floats:
    """The smallest whole x with P(D ≤ x) ≥ q for negative binomial demand, 0 < q < 1.

    Found by doubling and halving on the distribution function itself, for all entries at once.

    >>> nb_quantile([0.25, 0.5, 0.95], 2.0, 0.5).tolist()
    [0.0, 1.0, 6.0]
    """
    shape = np.broadcast_shapes(*(np.shape(a) for a in (q, r, p)))
    q_, r_, p_ = (np.broadcast_to(np.asarray(a, float), shape).ravel() for a in (q, r, p))
    low = np.full(q_.shape, -1.0)  # P(D ≤ low) < q
    high = np.ceil(r_ * (1 - p_) / p_) + 1

    def short(x: Floats, at: Ints) -> Bools:
        """Is P(D ≤ x) below q? Of the entries `at` alone: most are settled early."""
        return nb_above(x, r_[at], p_[at]) > 1 - q_[at]

    left = np.arange(len(q_))
    while len(left := left[short(high[left], left)]):
        low[left], high[left] = high[left], 2 * high[left] + 1
    left = np.flatnonzero(high - low > 1)
    while len(left):
        middle = np.floor((low[left] + high[left]) / 2)
        up = short(middle, left)
        low[left[up]], high[left[~up]] = middle[up], middle[~up]
        left = left[high[left] - low[left] > 1]
    return high.reshape(shape)


def newsvendor_normal(holding_cost: float, shortage_cost: float, *, mean: float, sd: float) -> tuple[float, float]:
    """Best stock and its expected cost for one period of normal demand: Φ(z) = p/(p + h) (Snyder & Shen 4.3.2).

    >>> level, cost = newsvendor_normal(0.18, 0.70, mean=50, sd=8)
    >>> round(level, 4), round(cost, 4)
    (56.604, 1.9976)
    """
    from scipy.special import ndtri

    level = mean + sd * float(ndtri(shortage_cost / (shortage_cost + holding_cost)))
    short = float(normal_loss(level, mean, sd))
    return level, holding_cost * (level - mean) + (holding_cost + shortage_cost) * short


def newsvendor_poisson(holding_cost: float, shortage_cost: float, *, mean: float) -> tuple[int, float]:
    """Best stock and its expected cost for one period of Poisson demand: smallest S with F(S) ≥ p/(p + h).

    >>> level, cost = newsvendor_poisson(1, 4, mean=6)
    >>> level, round(cost, 4)
    (8, 3.5701)
    """
    from scipy.stats import poisson

    level = int(poisson.ppf(shortage_cost / (shortage_cost + holding_cost), mean))
    short = float(poisson_loss(level, mean))
    return level, holding_cost * (level - mean) + (holding_cost + shortage_cost) * short
