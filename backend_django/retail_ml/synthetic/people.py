"""Customers and when they buy: the MBG/NBD process in operational time, so that its parameters are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.synthetic.calendar import Calendar
from retail_ml.synthetic.plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RATE_SHAPE, RATE_SCALE = 1.2, 62.0
"""Purchases per operational day of one customer: Gamma(shape r, scale 1/alpha)."""
DROPOUT_A, DROPOUT_B = 1.0, 2.1
"""Chance to leave for good after a purchase (the first included) of one customer: Beta(a, b)."""
GUEST_SHARE = 0.15
GROWTH = 0.05
"""Growth a year of new customers and of guests."""


@dataclass(frozen=True)
class People:
    """Customers in the order in which they were won, and all purchases.

    `born` is the operational time of the first purchase, `born_day` its position in the calendar; purchases are
    (`customer`, `day`, `at`): row of the customer, position of the day, operational time; sorted by day, customer
    and time. `guests` counts the guest orders of each day of the calendar.
    """

    rate: Floats
    dropout: Floats
    born: Floats
    born_day: Ints
    customer: Ints
    day: Ints
    at: Floats
    guests: Ints


def operational_time(calendar: Calendar) -> Floats:
    """Cumulated demand factor at the end of each day: the clock on which customers buy at a constant rate."""
    return np.cumsum(calendar.factor)


def make_people(plan: Plan, calendar: Calendar) -> People:
    """Draw customers and purchases so that about `plan.orders` orders fall into the base days.

    The buying process is the modified BG/NBD: a customer buys at gaps Exp(rate) and leaves with chance `dropout`
    after each purchase, the first included (Batislam, Denizel, Filiztekin 2007, Int. J. Research in Marketing 24).
    """
    clock = operational_time(calendar)
    growth = (1 + GROWTH) ** ((np.arange(len(clock)) - calendar.first) / 365)
    base_end = calendar.first + plan.base_days
    inflow = np.cumsum(calendar.factor * growth)
    rate = _inflow_rate(plan, calendar, inflow=inflow[:base_end], clock=clock[:base_end])
    end = calendar.first + calendar.n
    lam, drop, born, customer, day, at = _draw(plan, calendar, inflow=inflow[:end] * rate, clock=clock[:end])
    expected = calendar.expected * growth
    expected[: calendar.first] = 0
    guest_rate = plan.orders * GUEST_SHARE / expected[calendar.first : base_end].sum()
    guests = plan.stream("guests").poisson((guest_rate * calendar.factor * growth)[calendar.first : end])
    inside = day >= calendar.first
    order = np.lexsort((at[inside], customer[inside], day[inside]))
    return People(
        rate=lam,
        dropout=drop,
        born=born,
        born_day=np.searchsorted(clock, born, side="right").astype(np.int64),
        customer=customer[inside][order],
        day=day[inside][order],
        at=at[inside][order],
        guests=np.concatenate([np.zeros(calendar.first, dtype=np.int64), guests]),
    )


def _inflow_rate(plan: Plan, calendar: Calendar, *, inflow: Floats, clock: Floats) -> float:
    """New customers per unit of inflow with which the base days hold the wanted number of purchases.

    The number grows with the rate, in steps: proportional guesses, kept inside what is known to be too few or too many.
    """
    wanted = plan.orders * (1 - GUEST_SHARE)
    rate, low, high = plan.orders / plan.base_days / 4, 0.0, np.inf
    best, nearest = rate, np.inf
    for _ in range(16):
        found = int((_draw(plan, calendar, inflow=inflow * rate, clock=clock)[4] >= calendar.first).sum())
        if abs(found - wanted) < nearest:
            best, nearest = rate, abs(found - wanted)
        if nearest <= max(1.0, 0.002 * wanted):
            break
        low, high = (rate, high) if found < wanted else (low, rate)
        rate *= float(np.clip(wanted / max(found, 1), 0.2, 5.0))
        if not low < rate < high:
            rate = float(np.sqrt(low * high)) if low else high / 2
    return best


def _draw(
    plan: Plan, calendar: Calendar, *, inflow: Floats, clock: Floats
) -> tuple[Floats, Floats, Floats, Ints, Ints, Floats]:
    """Rates, dropouts and births of the customers won, and all purchases up to the end of `clock`.

    Customer k is the same one whatever the inflow and the horizon: only the moment of its birth moves.
    """
    born = _births(plan, calendar, inflow=inflow, clock=clock)
    n = len(born)
    rate = plan.stream("rates").gamma(RATE_SHAPE, 1 / RATE_SCALE, size=n)
    dropout = plan.stream("dropouts").beta(DROPOUT_A, DROPOUT_B, size=n)
    who, when = [np.arange(n)], [born]
    alive, now = np.arange(n), born.copy()
    round_ = 0
    while len(alive):
        leaves = plan.stream("deaths", round_).random(n)[alive] < dropout[alive]
        alive, now = alive[~leaves], now[~leaves]
        gaps = plan.stream("repeats", round_).standard_exponential(n)[alive] / rate[alive]
        now = now + gaps
        inside = now < clock[-1]
        alive, now = alive[inside], now[inside]
        who.append(alive)
        when.append(now)
        round_ += 1
    customer, at = np.concatenate(who), np.concatenate(when)
    return rate, dropout, born, customer, np.searchsorted(clock, at, side="right").astype(np.int64), at


def _births(plan: Plan, calendar: Calendar, *, inflow: Floats, clock: Floats) -> Floats:
    """Operational times of the first purchases: a Poisson process with cumulated intensity `inflow`."""
    generator, parts, reached = plan.stream("births"), [], 0.0
    while reached < inflow[-1]:
        part = reached + np.cumsum(generator.standard_exponential(4_096))
        parts.append(part)
        reached = float(part[-1])
    marks = np.concatenate(parts) if parts else np.empty(0)
    marks = marks[marks < inflow[-1]]
    day = np.searchsorted(inflow, marks, side="right")
    before = np.where(day > 0, inflow[day - 1], 0.0)
    share = (marks - before) / (inflow[day] - before)
    return clock[day] - calendar.factor[day] * (1 - share)
