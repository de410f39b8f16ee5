"""Day by day: deliveries, returns, sales as far as stock goes, and what is ordered from suppliers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from retail_ml.synthetic import demand, words
from retail_ml.synthetic.calendar import Calendar
from retail_ml.synthetic.catalogue import Range
from retail_ml.synthetic.people import People
from retail_ml.synthetic.plan import LINES_PER_ORDER, Plan
from retail_ml.synthetic.supply import Supply

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RETURN_RATE = {"store": 0.036, "online": 0.095}
"""Chance that a line of that channel comes back (some categories more, some less)."""
RETURN_FACTORS = {"VE": 1.3, "ZA": 1.4, "SA": 1.3, "PA": 1.2, "CO": 0.4, "BO": 0.6}
CANCELLED_RATE = {"store": 0.004, "online": 0.03}
UNPAID_EVERY = 20
"""One in so many online orders is never paid: it takes no stock, and is cancelled after a month."""
COUPON_RATE, COUPON_PERCENT = 0.04, 10
SHIPPING, FREE_SHIPPING = 495, 6_000
"""Cents that an online order pays for shipping, and the value from which on it pays none."""


@dataclass
class Log:
    """Columns that grow by an array a day."""

    parts: dict[str, list[Ints]] = field(default_factory=lambda: defaultdict(list))
    rows: int = 0

    def add(self, **columns: Ints) -> None:
        """Append arrays of one length."""
        for name, values in columns.items():
            self.parts[name].append(np.asarray(values, dtype=np.int64))
        self.rows += len(values)

    def columns(self, *names: str) -> dict[str, Ints]:
        """All rows of these columns; empty ones where nothing was added."""
        return {n: np.concatenate(self.parts[n]) if self.parts[n] else np.empty(0, np.int64) for n in names}


@dataclass
class Books:
    """Everything that happened, and what was missed."""

    orders: Log = field(default_factory=Log)
    lines: Log = field(default_factory=Log)
    returns: Log = field(default_factory=Log)
    shelf: Log = field(default_factory=Log)  # openings and write-offs
    variant_days: int = 0
    empty_days: int = 0
    lost_units: int = 0
    walked_out: int = 0


class Trade:
    """The shop while it runs. Each day draws from one generator in turn, so a longer shop begins with the same days."""

    def __init__(self, plan: Plan, calendar: Calendar, people: People, range_: Range) -> None:
        self.plan, self.calendar, self.people, self.range = plan, calendar, people, range_
        self.shoppers = demand.make_shoppers(plan, people)
        self.discounts = demand.discounts(plan, calendar, range_)
        self.generator = plan.stream("trade")
        self.books = Books()
        self.online_orders = 0
        self.on_hand = np.zeros(len(range_.style_of), dtype=np.int64)
        units_a_day = plan.orders / plan.base_days * LINES_PER_ORDER
        self.supply = Supply(plan, calendar, range_, units_a_day=units_a_day, generator=self.generator)
        self.due: dict[int, list[tuple[Ints, Ints, Ints, Ints]]] = defaultdict(list)
        self.seasons = demand.category_seasons()
        alike = np.arange(len(words.TASTES))[:, None] == range_.taste[None, :]
        self.attraction = range_.popularity * np.where(alike, demand.TASTE_BOOST, 1.0)
        factors = np.array([RETURN_FACTORS.get(category.code, 1.0) for category in words.CATEGORIES])
        self.return_factor = factors[range_.category]
        self.day_starts = np.searchsorted(people.day, np.arange(calendar.first + calendar.n + 1))

    def run(self) -> Books:
        """All days, from the first to the last."""
        for day in range(self.calendar.first, self.calendar.first + self.calendar.n):
            self._change_range(day)
            self.on_hand += self.supply.receive(day)
            self._take_back(day)
            sold = self._sell(day) if self.calendar.open[day] else np.zeros_like(self.on_hand)
            live = self._live(day)[self.range.style_of]
            if self.calendar.open[day]:
                self.books.variant_days += int(live.sum())
                self.books.empty_days += int((live & (self.on_hand == 0)).sum())
                self.supply.learn(day, sold, self._availability())
                self.supply.reorder(day, self.on_hand)
        return self.books

    def _live(self, day: int) -> npt.NDArray[np.bool_]:
        return (self.range.launch <= day) & (day < self.range.end)

    def _availability(self) -> Floats:
        """Share of each style's demand whose variant is in stock."""
        there = self.range.share * (self.on_hand > 0)
        return np.bincount(self.range.style_of, weights=there, minlength=len(self.range.styles)).astype(np.float64)

    def _change_range(self, day: int) -> None:
        """Put new styles on the shelf; sell what is left of ended ones to an outlet."""
        new = np.flatnonzero(self.range.launch[self.range.style_of] == day)
        if len(new):
            units = self.supply.opening_stock(new)
            self.on_hand[new] += units
            self.books.shelf.add(variant=new, units=units, day=np.full(len(new), day))
        old = np.flatnonzero((self.range.end[self.range.style_of] == day) & (self.on_hand > 0))
        if len(old):
            self.books.shelf.add(variant=old, units=-self.on_hand[old], day=np.full(len(old), day))
            self.on_hand[old] = 0

    def _take_back(self, day: int) -> None:
        """Book the returns that come in today, before the shop opens."""
        for line, variant, units, amount in self.due.pop(day, []):
            np.add.at(self.on_hand, variant, units)
            second = 34_200 + self.generator.integers(1_790, size=len(line))
            self.books.returns.add(line=line, units=units, amount=amount, day=np.full(len(line), day), second=second)

    def _weights(self, day: int) -> Floats:
        """How attractive each style is today, per taste: season, newness, price, and whether it is there."""
        off = self.discounts[day - self.calendar.first] / 100
        season = self.seasons[self.range.category, self.calendar.day_of_year[day]]
        age = np.where(self.range.launch > self.calendar.first, day - self.range.launch, 10_000)
        fresh = 1 + 0.6 * np.exp(-np.maximum(age, 0) / 45)
        there = self._availability()
        appeal = season * fresh * (1 - off) ** -demand.ELASTICITY * (0.25 + 0.75 * there) * (there > 0)
        return self.attraction * (appeal * self._live(day))[None, :]

    def _sell(self, day: int) -> Ints:
        """Serve today's visitors as far as stock goes; units sold per variant."""
        lo, hi = self.day_starts[day], self.day_starts[day + 1]
        customers, guests = self.people.customer[lo:hi], int(self.people.guests[day])
        who = demand.visitors(self.generator, self.shoppers, customers=customers, guests=guests)
        weights = self._weights(day)
        if not len(who.customer) or not (weights.sum(axis=1) > 0).all():
            self.books.walked_out += len(who.customer)
            return np.zeros_like(self.on_hand)
        month = int(str(self.calendar.dates[day])[5:7])
        extra = demand.EXTRA_LINES_IN_SALES if month in (1, 7) else demand.EXTRA_LINES
        wish = demand.wishes(self.generator, self.range, who=who, weights=weights, extra=extra)
        number = self.online_orders + np.cumsum(who.online)
        unpaid = who.online & (number % UNPAID_EVERY == 0)
        self.online_orders = int(number[-1])
        before = self.on_hand.copy()
        served = self._serve(wish, weights, unpaid=unpaid, on_sale=self._live(day)[self.range.style_of])
        self.books.walked_out += len(who.customer) - len(np.unique(served.order))
        back = self._book(day, who, unpaid=unpaid, served=served)
        sold = before - self.on_hand
        self.on_hand += back
        return sold

    def _serve(
        self, wish: demand.Wishes, weights: Floats, *, unpaid: npt.NDArray[np.bool_], on_sale: npt.NDArray[np.bool_]
    ) -> demand.Wishes:
        """What of the wishes the shelf gives; who would get nothing takes something that is there."""
        got = self._allocate(wish.variant, wish.units, free=unpaid[wish.order])
        self.books.lost_units += int(wish.units[~got].sum())
        order, variant, units = wish.order[got], wish.variant[got], wish.units[got]
        for _ in range(3):
            empty = np.setdiff1d(np.arange(len(unpaid)), order)
            if not len(empty) or not (on_sale & (self.on_hand > 0)).any():
                break
            other = self._second_choice(empty, weights)
            got = self._allocate(other, np.ones_like(other), free=unpaid[empty])
            order = np.concatenate([order, empty[got]])
            variant = np.concatenate([variant, other[got]])
            units = np.concatenate([units, np.ones(int(got.sum()), dtype=np.int64)])
        by_order = np.argsort(order, kind="stable")
        return demand.Wishes(order[by_order], variant[by_order], units[by_order])

    def _second_choice(self, orders: Ints, weights: Floats) -> Ints:
        """Who found nothing takes something that is there."""
        uniform = self.generator.random(len(orders))
        chances = weights.mean(axis=0)[self.range.style_of] * self.range.share * (self.on_hand > 0)
        return demand.choose(chances[None, :], np.zeros(len(orders), dtype=np.int64), uniform)

    def _allocate(self, variant: Ints, units: Ints, *, free: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Hand out stock in the order of the rows; which rows are served. `free` ones take none."""
        taken = np.where(free, 0, units)
        by_variant = np.argsort(variant, kind="stable")
        v, running = variant[by_variant], np.cumsum(taken[by_variant])
        begins = np.searchsorted(v, v, side="left")
        running = running - (running[begins] - taken[by_variant][begins]) if len(v) else running
        served = np.empty(len(v), dtype=bool)
        served[by_variant] = (running <= self.on_hand[v]) & (self.on_hand[v] > 0)
        self.on_hand -= np.bincount(variant, weights=taken * served, minlength=len(self.on_hand)).astype(np.int64)
        return served

    def _book(self, day: int, who: demand.Visitors, *, unpaid: npt.NDArray[np.bool_], served: demand.Wishes) -> Ints:
        """Write orders and lines, plan the returns; units per variant that cancelled orders give back tonight."""
        n = len(who.customer)
        gone = self.generator.random(n) < np.where(who.online, CANCELLED_RATE["online"], CANCELLED_RATE["store"])
        gone &= ~unpaid
        coupon = self.generator.random(n) < COUPON_RATE
        orders, row = np.unique(served.order, return_inverse=True)
        style = self.range.style_of[served.variant]
        off = self.discounts[day - self.calendar.first, style].astype(np.int64)
        off = np.where((off == 0) & coupon[served.order], COUPON_PERCENT, off)
        price = self.range.price[style]
        discount = (served.units * price * off + 50) // 100
        amount = served.units * price - discount
        first_line, first_order = self.books.lines.rows, self.books.orders.rows
        online = who.online[orders]
        subtotal = np.bincount(row, weights=amount, minlength=len(orders))
        self.books.orders.add(
            customer=who.customer[orders],
            day=np.full(len(orders), day),
            second=who.second[orders],
            online=online.astype(np.int64),
            state=np.where(unpaid, 3, np.where(gone, 2, np.where(who.online, 1, 0)))[orders],
            shipping=np.where(online & (subtotal < FREE_SHIPPING), SHIPPING, 0),
        )
        self.books.lines.add(
            order=first_order + row, variant=served.variant, units=served.units, price=price, discount=discount
        )
        chance = np.where(online[row], RETURN_RATE["online"], RETURN_RATE["store"]) * self.return_factor[style]
        chance[(gone | unpaid)[served.order]] = 0
        self._plan_returns(day, served, first_line=first_line, amount=amount, chance=chance)
        weights = served.units * gone[served.order]
        return np.bincount(served.variant, weights=weights, minlength=len(self.on_hand)).astype(np.int64)

    def _plan_returns(self, day: int, served: demand.Wishes, *, first_line: int, amount: Ints, chance: Floats) -> None:
        """Draw which of today's lines will come back, how much of them, and on which open day."""
        draws = self.generator.random((3, len(chance)))
        rows = np.flatnonzero(draws[0] < chance)
        units = served.units[rows]
        back = np.minimum(1 + (draws[1, rows] * units).astype(np.int64), units)
        delay = np.minimum(2 + (-9 * np.log1p(-draws[2, rows])).astype(np.int64), 30)
        when = self.supply.next_open(day + delay)
        money = (amount[rows] * back + units // 2) // units
        for due in np.unique(when):
            some = when == due
            self.due[int(due)].append((first_line + rows[some], served.variant[rows][some], back[some], money[some]))
