"""What a customer is likely to buy and spend: MBG/NBD with Gamma-Gamma, blended with the customer's own last window,
and the naive predictions that it must beat.

    E = (1 - w) · E[Y(t)] · E[M]  +  w · what the customer did in the last window, its very first visit apart

w comes from the shop's own past (`past`). Source of the blend: forecast combination, Bates & Granger 1969, "The
combination of forecasts", Operational Research Quarterly 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from retail_ml.frames import DECIMALS
from retail_ml.segment import buying, spending
from retail_ml.segment.buying import Buying, History
from retail_ml.segment.features import Visits, bought_between, days_before, features
from retail_ml.segment.space import Array
from retail_ml.segment.spending import Spending

BLEND, MODEL = "mbg_nbd_blend", "mbg_nbd"
NAIVE = ("previous_window", "previous_window_repeats", "personal_rate", "mean_rate")
METHODS = (BLEND, MODEL, *NAIVE)
SHARES = np.arange(0, 1.0001, 0.05)
"""Weights w that are tried for the own last window."""


@dataclass(frozen=True)
class Expected:
    """Orders (visits) and revenue expected of each customer over a period; shape (n,) each."""

    orders: Array
    revenue: Array

    def mixed(self, other: Expected, share: float) -> Expected:
        """(1 - share) of this and `share` of the other."""
        return Expected(
            (1 - share) * self.orders + share * other.orders, (1 - share) * self.revenue + share * other.revenue
        )


class Shop:
    """The customers as they were known on a day, and the models fitted to that and nothing later.

    `known`: `features.FEATURES`, one row per customer with an order by `as_of`. `remember`: keep the own windows that
    were asked for (a day of the past is asked again and again; a million customers' would only fill memory).
    """

    def __init__(self, seen: Visits, as_of: date, *, remember: bool = False) -> None:
        self.seen, self.as_of = seen, as_of
        self.known = features(seen, as_of)
        self._windows: dict[int, pl.DataFrame] | None = {} if remember else None

    @cached_property
    def visits(self) -> Array:
        """Days with an order, n = x + 1."""
        return self.known["visits"].to_numpy().astype(np.float64)

    @cached_property
    def mean_visit(self) -> Array:
        """Own spend per visit, net of returns; may be zero or negative."""
        return np.asarray(self.known["spent"].to_numpy() / self.visits)

    @cached_property
    def history(self) -> History:
        """x, t_x and T in days."""
        age = self.known["tenure_days"].to_numpy().astype(np.float64)
        return History(self.visits - 1, age - self.known["recency_days"].to_numpy(), age)

    @cached_property
    def buying(self) -> Buying:
        """MBG/NBD in days."""
        return buying.fit(self.history)

    @cached_property
    def spending(self) -> Spending | None:
        """Gamma-Gamma over all visits; None where nobody has paid anything."""
        return spending.fit(self.visits, self.mean_visit)

    @cached_property
    def money(self) -> Array:
        """E[M]: expected spend of one visit of each customer."""
        if self.spending is None:
            return np.zeros(len(self.known))
        return self.spending.expected(self.visits, self.mean_visit)

    def model(self, days: float) -> Expected:
        """MBG/NBD and Gamma-Gamma for the next `days`."""
        orders = self.buying.expected(self.history, np.array([days]))[:, 0]
        return Expected(orders, orders * self.money)

    def own_window(self, days: float, window: int, *, first: bool) -> Expected:
        """Each customer's own last `window` days again, stretched to `days`. first: with the very first visit."""
        past = (self._windows or {}).get(window)
        if past is None:
            past = bought_between(self.seen, self.known, days_before(self.as_of, window), self.as_of)
        if self._windows is not None:
            self._windows[window] = past
        names = ("visits", "spent") if first else ("repeats", "spent_repeats")
        return Expected(*(past[name].to_numpy() * (days / window) for name in names))

    def naive(self, days: float, window: int) -> dict[str, Expected]:
        """What needs no model, by name (`NAIVE`): the own last window again, with and without the very first visit;
        the own lifelong rate of repeat visits, x / T, at the own mean spend; everybody like the average customer of
        the last window."""
        mean, n = self.own_window(days, window, first=True), len(self.known)
        rate = self.history.x / np.maximum(self.history.age, 1.0) * days
        return {
            "previous_window": mean,
            "previous_window_repeats": self.own_window(days, window, first=False),
            "personal_rate": Expected(rate, rate * np.maximum(self.mean_visit, 0.0)),
            "mean_rate": Expected(np.full(n, mean.orders.mean()), np.full(n, mean.revenue.mean())),
        }

    def expect(self, method: str, *, days: float, window: int, share: float) -> Expected:
        """The expectation of one of `METHODS` for the `days` after `as_of`. share: the blend's w."""
        if method == MODEL:
            return self.model(days)
        if method == BLEND:
            return self.model(days).mixed(self.own_window(days, window, first=False), share)
        return self.naive(days, window)[method]


def flat_discount(months: int, rate: float) -> float:
    """What an even flow, discounted at a monthly rate, is of the plain sum: the mean of 1 / (1 + rate)^j.

    >>> round(flat_discount(12, 0.01), 4)
    0.9379
    """
    return float(((1 + rate) ** -np.arange(1.0, months + 1)).mean())


def margin_share(lines: pl.DataFrame, costs: pl.DataFrame) -> tuple[float | None, float]:
    """Margin over revenue of the sales whose cost is known, and those sales' share of all revenue.

    lines: `frames.ORDER_LINES` or `daily.DAILY`; costs: columns `variant_id` and `cost` (a unit; null: unknown).
    Returns are left out on both sides. None where the known costs cover less than half of the revenue: the rest may be
    another trade.

    >>> lines = pl.DataFrame({"variant_id": ["a", "b"], "units": [2.0, 1.0], "amount": [30.0, 10.0],
    ...     "is_return": [False, False]})
    >>> margin_share(lines, pl.DataFrame({"variant_id": ["a", "b"], "cost": [6.0, None]}))
    (0.6, 0.75)
    """
    sold = lines.lazy().filter(~pl.col("is_return")).join(costs.lazy(), on="variant_id", how="left")
    priced = pl.col("cost").is_not_null()
    found = sold.select(
        revenue=pl.col("amount").sum(),
        known=pl.col("amount").filter(priced).sum(),
        cost=(pl.col("units") * pl.col("cost")).sum(),
    ).select(pl.all().round(DECIMALS)).collect()  # fmt: skip
    revenue, known, cost = (float(value) for value in found.row(0))
    covered = known / revenue if revenue > 0 else 0.0
    return (1 - cost / known if covered >= 0.5 else None), covered
