"""Policies of the textbook that the service's own can be held against: exact and approximate (r, Q) and (s, S), lots.

Source: L. V. Snyder and Z.-J. M. Shen, *Fundamentals of Supply Chain Theory*, 2nd ed. (2019), chapters 3 to 5. Periods
are the caller's; h is money per unit and period, p per unit missing and period, K per order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retail_ml.errors import BadParameter
from retail_ml.inventory import formulas


def eoq_incremental(
    fixed_cost: float, demand: float, *, holding_rate: float, breaks: Sequence[float], prices: Sequence[float]
) -> tuple[float, int, float]:
    """Best lot, its bracket and yearly cost where only the units above a break get its price (section 3.4.3).

    >>> [round(x, 2) for x in eoq_incremental(8, 1300, holding_rate=0.3, breaks=[0, 400, 800],
    ...                                       prices=[0.75, 0.72, 0.68])]
    [304.05, 0, 1043.41]
    """
    starts, price = formulas.check_breaks(breaks, prices)
    above = np.concatenate([[0.0], np.cumsum(starts[1:] * -np.diff(price))])  # paid more for the units below the break
    lots = np.sqrt(2 * (fixed_cost + above) * demand / (holding_rate * price))
    inside = (lots >= starts) & (lots < np.append(starts[1:], np.inf))
    yearly = price * demand + (fixed_cost + above) * demand / lots + holding_rate * (price * lots + above) / 2
    j = int(np.argmin(np.where(inside, yearly, np.inf)))
    return float(lots[j]), j, float(yearly[j])


def eoq_backorders(
    fixed_cost: float, demand: float, holding_cost: float, *, shortage_cost: float
) -> tuple[float, float, float]:
    """Lot, share of it that is backordered, and yearly cost, where demand waits at a cost (section 3.5).

    >>> [round(x, 4) for x in eoq_backorders(8, 1300, 0.225, shortage_cost=5)]
    [310.8126, 0.0431, 66.9214]
    """
    h, p = holding_cost, shortage_cost
    lot = float(np.sqrt(2 * fixed_cost * demand * (h + p) / (h * p)))
    return lot, h / (h + p), float(np.sqrt(2 * fixed_cost * demand * h * p / (h + p)))


class NormalLeadTime:
    """(r, Q) policies under continuous review and normal demand over the lead time (sections 5.2 to 5.4).

    `demand` per period with standard deviation `sd`, `lead_time` in periods, `costs` (h, p, K).
    """

    def __init__(self, costs: tuple[float, float, float], *, demand: float, sd: float, lead_time: float) -> None:
        self.h, self.p, self.k = costs
        self.demand = demand
        self.mean, self.sd = demand * lead_time, sd * float(np.sqrt(lead_time))

    def _loss(self, x: float) -> float:
        return float(formulas.normal_loss(x, self.mean, self.sd))

    def _loss_2(self, x: float) -> float:
        """½·E[((D - x)+)²] = σ²/2·((z² + 1)·(1 - Φ(z)) - z·φ(z)) (C.33)."""
        from scipy.special import ndtr

        z = (x - self.mean) / self.sd
        return float(self.sd**2 / 2 * ((z * z + 1) * ndtr(-z) - z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)))

    def cost(self, r: float, lot: float) -> float:
        """Expected cost per period: K·D/Q + h·(r + Q/2 - μ) + (h + p)/Q·(n²(r) - n²(r + Q)) (5.7).

        >>> law = NormalLeadTime((0.225, 7.5, 8), demand=1300, sd=150, lead_time=1 / 12)
        >>> round(law.cost(126.8, 328.5), 6)
        78.071163
        """
        held = self.h * (r + lot / 2 - self.mean)
        return self.k * self.demand / lot + held + (self.h + self.p) / lot * (self._loss_2(r) - self._loss_2(r + lot))

    def r_for(self, lot: float) -> float:
        """The best reorder point of a lot: g(r) = g(r + Q), g(y) = h·(y - μ) + (h + p)·n(y) (5.8)."""

        def difference(r: float) -> float:
            return self.h * lot + (self.h + self.p) * (self._loss(r + lot) - self._loss(r))

        return _root(difference, self.mean - lot - 10 * self.sd, self.mean + 10 * self.sd)

    def with_expected_inventory_level(self) -> tuple[float, float, float]:
        """r, Q and cost where p is paid per unit missing whatever its wait: the "EIL" approximation (5.3.2)."""
        from scipy.special import ndtri

        lot = float(formulas.eoq(self.k, self.demand, self.h))
        for _ in range(500):
            r = self.mean + self.sd * float(ndtri(1 - lot * self.h / (self.p * self.demand)))
            new = float(np.sqrt(2 * self.demand * (self.k + self.p * self._loss(r)) / self.h))
            done, lot = abs(new - lot) < 1e-12, new
            if done:
                break
        cost = self.h * (r - self.mean + lot / 2) + self.demand / lot * (self.k + self.p * self._loss(r))
        return r, lot, cost

    def with_safety_stock(self) -> tuple[float, float]:
        """r, Q: economic lot, and the newsvendor's quantile of demand over the lead time (5.3.3)."""
        lot = float(formulas.eoq(self.k, self.demand, self.h))
        return formulas.newsvendor_normal(self.h, self.p, mean=self.mean, sd=self.sd)[0], lot

    def with_backorder_lot(self) -> tuple[float, float]:
        """r, Q: the lot with backorders, and its best reorder point (5.3.4)."""
        lot = eoq_backorders(self.k, self.demand, self.h, shortage_cost=self.p)[0]
        return self.r_for(lot), lot

    def with_loss_functions(self) -> tuple[float, float]:
        """r, Q where n(r + Q) and n²(r + Q) are taken as zero: n(r) = h·Q/(h + p) (5.3.5)."""
        lot = float(formulas.eoq(self.k, self.demand, self.h))
        for _ in range(500):
            short = self.h * lot / (self.h + self.p)
            r = _root(lambda x, short=short: short - self._loss(x), self.mean - 4 * lot, self.mean + 10 * self.sd)  # type: ignore[misc]
            new = float(np.sqrt(2 * (self.k * self.demand + (self.h + self.p) * self._loss_2(r)) / self.h))
            done, lot = abs(new - lot) < 1e-12, new
            if done:
                break
        return r, lot


def rq_poisson(costs: tuple[float, float, float], *, demand: float, lead_time: float) -> tuple[int, int, float]:
    """Best r, Q and cost under Poisson demand and continuous review (Federgruen & Zheng 1992; section 5.5.3).

    `costs` are (h, p, K). Q grows by the cheaper neighbour for as long as it is cheaper than the mean so far.

    >>> r, q, cost = rq_poisson((20, 150, 100), demand=1.5, lead_time=2)
    >>> r, q, round(cost, 6)
    (3, 5, 107.923581)
    """
    h, p, k = costs
    mean = demand * lead_time

    def g(y: int) -> float:
        return h * (y - mean) + (h + p) * float(formulas.poisson_loss(y, mean))

    y = formulas.newsvendor_poisson(h, p, mean=mean)[0]
    low, high, total = y, y, k * demand + g(y)  # lots r + 1 … r + Q are low … high
    while True:
        below, above = g(low - 1), g(high + 1)
        if min(below, above) >= total / (high - low + 1):
            return low - 1, high - low + 1, total / (high - low + 1)
        low, high = (low - 1, high) if below <= above else (low, high + 1)
        total += min(below, above)


def ss_cost(s: int, up_to: int, *, costs: tuple[float, float, float], demand: float) -> float:
    """Cost per period of ordering up to S at or below s, Poisson demand, periodic review (section 4.4.2).

    (K + Σ m(d)·G(S - d))/M(S - s) over d = 0…S - s - 1; G is the newsvendor's cost, m the renewal density, M its sum.

    >>> round(ss_cost(6, 18, costs=(1, 4, 5), demand=6), 6)
    10.193799
    """
    h, p, k = costs
    density = _renewals(up_to - s, demand)
    y = up_to - np.arange(up_to - s)
    one_period = h * (y - demand) + (h + p) * formulas.poisson_loss(y, demand)
    return float((k + (density * one_period).sum()) / density.sum())


def _renewals(count: int, demand: float) -> np.ndarray:
    from scipy.stats import poisson

    mass = poisson.pmf(np.arange(count), demand)
    density = np.empty(count)
    density[0] = 1 / (1 - mass[0])
    for j in range(1, count):
        density[j] = float(mass[1 : j + 1] @ density[j - 1 :: -1][:j]) / (1 - mass[0])
    return density


def ss_poisson(costs: tuple[float, float, float], *, demand: float) -> tuple[int, int, float]:
    """Best s, S and cost per period under Poisson demand (Zheng & Federgruen 1991; section 4.4.2).

    >>> s, S, cost = ss_poisson((1, 4, 5), demand=6)
    >>> s, S, round(cost, 6)
    (4, 10, 8.034112)
    """
    h, p, _ = costs

    def one_period(y: int) -> float:
        return h * (y - demand) + (h + p) * float(formulas.poisson_loss(y, demand))

    def cost(s: int, up_to: int) -> float:
        return ss_cost(s, up_to, costs=costs, demand=demand)

    best_y = formulas.newsvendor_poisson(h, p, mean=demand)[0]
    up_to, s = best_y, best_y - 1
    while cost(s, up_to) > one_period(s):
        s -= 1
    best = cost(s, up_to)
    candidate = up_to + 1
    while one_period(candidate) <= best:
        if cost(s, candidate) < best:
            up_to = candidate
            while cost(s, up_to) <= one_period(s + 1):
                s += 1
            best = cost(s, up_to)
        candidate += 1
    return s, up_to, best


def ss_power(costs: tuple[float, float, float], *, mean: float, sd: float) -> tuple[float, float]:
    """s, S by the power approximation of Ehrhardt & Mosier (1984), normal demand (4.77 to 4.80).

    >>> [round(x, 4) for x in ss_power((0.18, 0.70, 2.5), mean=50, sd=8)]
    [40.1946, 74.2902]
    """
    h, p, k = costs
    lot = 1.30 * mean**0.494 * (k / h) ** 0.506 * (1 + (sd / mean) ** 2) ** 0.116
    z = np.sqrt(lot / sd * h / p)
    s = float(0.973 * mean + sd * (0.183 / z + 1.063 - 2.192 * z))
    return s, s + lot


def wagner_whitin(fixed_cost: float, holding_cost: float, demand: Sequence[float]) -> tuple[list[float], float]:
    """Orders per period of least cost for known demand, and that cost (Wagner & Whitin 1958; section 3.7).

    >>> wagner_whitin(500, 2, [90, 120, 80, 70])
    ([210.0, 0.0, 150.0, 0.0], 1380.0)
    """
    if not len(demand) or min(demand) < 0:
        raise BadParameter(
            f"demand must be one number or more, none below 0; got {list(demand)}",
            code="bad_parameter.demand",
            demand=list(demand),
        )
    n = len(demand)
    best, until = np.zeros(n + 1), np.zeros(n, dtype=int)
    for t in range(n - 1, -1, -1):
        ahead = np.arange(n - t) * np.asarray(demand[t:], float)
        options = fixed_cost + holding_cost * np.cumsum(ahead) + best[t + 1 :]
        until[t] = t + 1 + int(np.argmin(options))
        best[t] = options.min()
    orders, t = [0.0] * n, 0
    while t < n:
        orders[t] = float(sum(demand[t : until[t]]))
        t = int(until[t])
    return orders, float(best[0])


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(f, low, high, xtol=1e-13, rtol=1e-15, maxiter=500))
