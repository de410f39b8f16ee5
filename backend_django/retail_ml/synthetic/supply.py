"""The owner's ordering: an estimate of demand, a look at the shelf once a week, lead times that vary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from retail_ml.synthetic import words
from retail_ml.synthetic.calendar import Calendar
from retail_ml.synthetic.catalogue import Range
from retail_ml.synthetic.demand import category_seasons
from retail_ml.synthetic.plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REVIEW_DAYS = 7
MEMORY = 1 / 35
"""Weight of today in the owner's estimate of a style's sales."""
SAFETY = 0.75
"""Standard deviations of demand and lead time kept as safety stock: not enough for every week, as in life."""
COVER_DAYS = 30
"""Days of demand that an order brings on top of the reorder point."""


class Supply:
    """Estimates, open purchase orders, deliveries. Positions of days are those of the calendar."""

    def __init__(
        self, plan: Plan, calendar: Calendar, range_: Range, *, units_a_day: float, generator: np.random.Generator
    ) -> None:
        self.calendar, self.range, self.generator = calendar, range_, generator
        self.expected = np.cumsum(calendar.expected)
        self.seasons = category_seasons()
        self.minimum = np.array([minimum_order(plan, s) for s in words.SUPPLIERS]) * 100
        guess = range_.popularity / _popularity_on_sale(range_, calendar.first) * units_a_day
        error = plan.stream("range", 1_000_000).normal(0, 0.35, len(guess))
        self.sold = guess * np.exp(error) * 12.0  # numerator and denominator of the rate per expected day
        self.exposed = np.full(len(guess), 12.0)
        self.on_order = np.zeros(len(range_.style_of), dtype=np.int64)
        self.waited = np.zeros(len(words.SUPPLIERS), dtype=np.int64)
        self.arriving: dict[int, list[tuple[Ints, Ints]]] = defaultdict(list)
        self.orders: list[tuple[int, int, int, int]] = []  # supplier, ordered, expected, received
        self.lines: list[tuple[int, Ints, Ints]] = []  # row of the order, variants, units

    def next_open(self, days: Ints) -> Ints:
        """The first open day from each of `days` on."""
        closed = ~self.calendar.open[days]
        while closed.any():
            days = days + closed
            closed = ~self.calendar.open[days]
        return days

    def opening_stock(self, variants: Ints) -> Ints:
        """Units with which new variants start: what the owner expects of 25 to 60 days, at least one."""
        days = self.generator.uniform(25, 60, size=len(variants))
        style = self.range.style_of[variants]
        units = self.sold[style] / self.exposed[style] * self.range.share[variants] * days
        return np.maximum(np.ceil(units + 0.4), 1).astype(np.int64)

    def receive(self, day: int) -> Ints:
        """Units per variant that arrive today."""
        units = np.zeros_like(self.on_order)
        for variants, amounts in self.arriving.pop(day, []):
            units[variants] += amounts
        self.on_order -= units
        return units

    def learn(self, day: int, sold: Ints, availability: Floats) -> None:
        """Bring the estimate up to date with today's sales of the styles that were there."""
        units = np.bincount(self.range.style_of, weights=sold, minlength=len(self.sold))
        live = (self.range.launch <= day) & (day < self.range.end) & (availability > 0.3)
        seen = np.where(live, self.calendar.expected[day] * availability, 0)
        keep = np.where(live, 1 - MEMORY, 1.0)
        self.sold = self.sold * keep + np.where(live, units, 0)
        self.exposed = self.exposed * keep + seen

    def reorder(self, day: int, on_hand: Ints) -> None:
        """Look through the suppliers whose day it is, and order what is needed."""
        for supplier, terms in enumerate(words.SUPPLIERS):
            if terms.weekday == self.calendar.weekday[day]:
                self._order(day, supplier, on_hand=on_hand)

    def _order(self, day: int, supplier: int, *, on_hand: Ints) -> None:
        terms = words.SUPPLIERS[supplier]
        lead = round(terms.lead_mean)
        style = self.range.style_of
        mine = (self.range.supplier[style] == supplier) & (self.range.launch[style] <= day)
        mine &= self.range.end[style] - day > lead + 25
        rows = np.flatnonzero(mine)
        rate = (self.sold / np.maximum(self.exposed, 1))[style[rows]] * self.range.share[rows]
        ahead = self.seasons[self.range.category, self.calendar.day_of_year[day + lead + 7]]
        today = self.seasons[self.range.category, self.calendar.day_of_year[day - 15]]
        rate = rate * np.clip(ahead / np.maximum(today, 0.05), 0.3, 2.5)[style[rows]]
        until = self.expected[day + lead + REVIEW_DAYS] - self.expected[day]
        mean = rate * until
        point = mean + SAFETY * np.sqrt(1.2 * mean + (rate * terms.lead_sd) ** 2)
        position = on_hand[rows] + self.on_order[rows]
        cover = rate * (self.expected[day + lead + REVIEW_DAYS + COVER_DAYS] - self.expected[day + lead + REVIEW_DAYS])
        pack = self.range.pack[rows]
        wanted = np.where(position <= point, np.ceil((point + cover - position) / pack), 0) * pack
        units = np.maximum(wanted, 0).astype(np.int64)
        value = float((units * self.range.cost[style[rows]]).sum())
        if value <= 0:
            return
        if value < self.minimum[supplier]:
            self.waited[supplier] += 1
            if value < 0.6 * self.minimum[supplier] and self.waited[supplier] < 3:
                return
            more = min(self.minimum[supplier] / value, 3.0)
            units = (np.ceil(units * more / pack) * pack).astype(np.int64)
        self.waited[supplier] = 0
        some = units > 0
        self._send(day, supplier, variants=rows[some], units=units[some])

    def _send(self, day: int, supplier: int, *, variants: Ints, units: Ints) -> None:
        """Place the order; it comes on the open day nearest to a lead time drawn from a gamma distribution."""
        terms = words.SUPPLIERS[supplier]
        shape = (terms.lead_mean / terms.lead_sd) ** 2
        days = max(1, round(self.generator.gamma(shape, terms.lead_mean / shape)))
        step = -1 if self.generator.random() < 0.5 and days > 5 else 1
        arrives = day + days
        while not self.calendar.open[arrives]:
            arrives += step
        self.on_order[variants] += units
        self.arriving[arrives].append((variants, units))
        self.lines.append((len(self.orders), variants, units))
        self.orders.append((supplier, day, day + round(terms.lead_mean), arrives))


def minimum_order(plan: Plan, terms: words.SupplierWords) -> int:
    """The order value that a supplier asks of a shop of this size, in whole euros."""
    return max(10, round(terms.minimum * min(plan.size**0.5, 4.0) / 10) * 10)


def _popularity_on_sale(range_: Range, first: int) -> float:
    """Sum of the popularity of the styles of the first day: what a new style competes with."""
    return float(range_.popularity[range_.launch == first].sum())
