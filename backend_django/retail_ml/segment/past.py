"""The shop's own past as a teacher: at earlier days the same models are fitted with what was known then, and what came
afterwards tells how much weight the customers' own last window deserves and how far off expectations are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from retail_ml.segment.features import Visits, bought_between, days_before
from retail_ml.segment.space import Array
from retail_ml.segment.value import SHARES, Expected, Shop

STEP = 90
"""Days between two origins."""
ORIGINS = 4
"""Origins that a band is learnt from, at most: a year of seasons."""
CUSTOMERS = 10
"""Customers that must be known at an origin."""
SAMPLE = 50_000
"""Customers that back-tests look at, at most: every k-th by id."""
LEVEL = 0.8
GROUP = 20
"""Customers behind each error quantile, at least."""
CENT = 0.005


@dataclass(frozen=True)
class Band:
    """What really came, by what had been expected: money a day at a few knots; arrays of shape (knots,).

    Between knots the bounds are interpolated; above the last they grow in proportion.
    """

    expected: Array
    lower: Array
    upper: Array

    @classmethod
    def fit(cls, expected: Array, actual: Array, days: float) -> Band:
        """The 10 % and 90 % quantiles of `actual` among customers of similar expectation (tenths, at most).

        >>> band = Band.fit(np.full(20, 10.0), np.arange(20.0), 10)
        >>> band.expected.tolist(), band.lower.round(2).tolist(), band.upper.round(2).tolist()
        ([1.0], [0.19], [1.71])
        """
        groups = int(np.clip(len(expected) // GROUP, 1, 10))
        edges = np.unique(np.quantile(expected, np.arange(groups) / groups))
        member = np.maximum(np.searchsorted(edges, expected, side="right") - 1, 0)
        inside = [member == g for g in range(len(edges))]
        low, high = np.array([np.quantile(actual[i], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) for i in inside]).T
        return cls(np.array([expected[i].mean() for i in inside]) / days, low / days, high / days)

    def bounds(self, expected: Array, days: float) -> tuple[Array, Array]:
        """Lower and upper bound of what comes in `days`; they always hold the expectation itself."""
        daily, last = expected / days, self.expected[-1]
        beyond = np.maximum(daily / last, 1.0) if last > 0 else np.ones(len(daily))
        lower = np.interp(daily, self.expected, self.lower) * beyond * days
        upper = np.interp(daily, self.expected, self.upper) * beyond * days
        return np.minimum(lower, expected), np.maximum(upper, expected)

    def coverage(self, expected: Array, actual: Array, days: float) -> float:
        """Share of customers whose spend came inside the bounds (to half a cent)."""
        lower, upper = self.bounds(expected, days)
        return round(float(((actual >= lower - CENT) & (actual <= upper + CENT)).mean()), 4)


class Past:
    """A sample of the customers, at any earlier day. Each day is fitted once."""

    def __init__(self, seen: Visits) -> None:
        step = -(-len(seen.ids) // SAMPLE)
        days = seen.days if step <= 1 else seen.days.filter(pl.col("row") % step == 0)
        self.seen = Visits(seen.ids, days, seen.guest_orders, seen.guest_spent)
        self.sampled = step > 1
        self._first = self.seen.first_day
        self._shops: dict[date, Shop] = {}
        self._came: dict[tuple[date, int], Expected] = {}

    def history(self, day: date) -> int:
        """Days from the first order to `day`."""
        return (day - self._first).days if self._first else 0

    def at(self, day: date) -> Shop:
        """The shop as it was known on that day."""
        if day not in self._shops:
            self._shops[day] = Shop(self.seen, day, remember=True)
        return self._shops[day]

    def came(self, day: date, days: int) -> Expected:
        """What the customers known on `day` bought in the `days` after it."""
        if (day, days) not in self._came:
            after = bought_between(self.seen, self.at(day).known, day, days_before(day, -days))
            self._came[day, days] = Expected(after["visits"].to_numpy(), after["spent"].to_numpy())
        return self._came[day, days]

    def window(self, as_of: date, days: float) -> int:
        """Length of the window to learn from on a day: `days`, at most half of the history behind it."""
        return int(min(days, self.history(as_of) // 2))

    def origins(self, as_of: date, window: int) -> list[date]:
        """Up to four days whose following `window` was over by `as_of`, 90 days apart, the newest first; each has at
        least half a window of history and 10 customers."""
        found = []
        for j in range(ORIGINS):
            day = days_before(as_of, window + STEP * j)
            if window < 1 or self.history(day) < max(window // 2, 1) or len(self.at(day).known) < CUSTOMERS:
                break
            found.append(day)
        return found

    def own_share(self, as_of: date, window: int) -> float:
        """The blend's w with the lowest squared error of orders in the last window before `as_of`; 0 without an origin.

        The newest origin alone: with four the errors of later windows were a little higher.
        """
        origins = self.origins(as_of, window)
        if not origins:
            return 0.0
        day = origins[0]
        shop, came = self.at(day), self.came(day, window).orders
        model = shop.model(window).orders
        own = shop.own_window(window, self.reach(day, window), first=False).orders
        squares = [float((((1 - w) * model + w * own - came) ** 2).sum()) for w in SHARES]
        return round(float(SHARES[int(np.argmin(squares))]), 2)

    def band(self, method: str, as_of: date, *, window: int, share: float) -> Band | None:
        """How far the expectations of a method were off at the origins known on `as_of`; None without any."""
        told, came = [], []
        for day in self.origins(as_of, window):
            shop = self.at(day)
            told.append(shop.expect(method, days=window, window=self.reach(day, window), share=share).revenue)
            came.append(self.came(day, window).revenue)
        if sum(map(len, told)) < GROUP:
            return None
        return Band.fit(np.concatenate(told), np.concatenate(came), window)

    def expect(self, method: str, day: date, *, window: int, share: float) -> Expected:
        """The expectation of a method for the `window` days after `day`."""
        return self.at(day).expect(method, days=window, window=self.reach(day, window), share=share)

    def reach(self, day: date, days: float) -> int:
        """Length of the own last window that stands for the next `days`: as long, where history is."""
        return int(max(min(days, self.history(day)), 1))
