"""What shoppers want on a day: discounts, seasons of categories, and the baskets that they carry to the till."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from retail_ml.synthetic import words
from retail_ml.synthetic.calendar import Calendar, black_friday
from retail_ml.synthetic.catalogue import NEVER, Range
from retail_ml.synthetic.people import People
from retail_ml.synthetic.plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ELASTICITY = 1.8
"""A style at a price of (1 - d) sells (1 - d) ** -ELASTICITY times as much."""
TASTE_BOOST = 3.0
"""How much more a customer likes a style of the own taste than another."""
LOOK_SHARE = 0.35
"""Chance that a further line of a basket is a mate of its first style, as long as one is for sale."""
EXTRA_LINES, EXTRA_LINES_IN_SALES = 1.0, 1.3
"""Further lines of a basket on average, before what is not in stock."""


def discounts(plan: Plan, calendar: Calendar, range_: Range) -> npt.NDArray[np.int8]:
    """Per cent off for each day (rows) and style (columns): sales weeks, black week, promotions, clearance."""
    days = np.arange(calendar.first, calendar.first + calendar.n)
    table = np.zeros((calendar.n, len(range_.styles)), dtype=np.int8)
    settled = days[:, None] - range_.launch[None, :] >= 60
    settled |= range_.launch[None, :] == calendar.first
    in_sales = np.array([style.in_sales for style in range_.styles])
    dates = [calendar.at(int(day)) for day in days]
    sales = np.array([_sales_percent(day) for day in dates], dtype=np.int8)
    table = np.maximum(table, np.where(settled & in_sales[None, :], sales[:, None], 0).astype(np.int8))
    black = np.array([-4 <= (day - black_friday(day.year)).days <= 1 for day in dates])
    table[black] = np.maximum(table[black], 20)
    promoted = np.array([_promoted_category(plan, day) for day in dates])
    table = np.maximum(table, np.where(promoted[:, None] == range_.category[None, :], 15, 0).astype(np.int8))
    left = range_.end[None, :] - days[:, None]
    return np.where((left > 0) & (left <= 30) & (range_.end < NEVER)[None, :], np.maximum(table, 40), table)


def _promoted_category(plan: Plan, day: date) -> int:
    """One category is promoted for a week of each month; -1 on the other days."""
    generator = plan.stream("months", day.year * 12 + day.month)
    category, begin = int(generator.integers(len(words.CATEGORIES))), int(generator.integers(4, 20))
    return category if begin <= day.day < begin + 7 else -1


def _sales_percent(day: date) -> int:
    """Winter and summer sales: 30 per cent, from the middle of the month 40."""
    if (day.month == 1 and day.day >= 7) or day.month == 7:
        return 30 if day.day <= 16 else 40
    return 0


def category_seasons() -> Floats:
    """Demand of each category (rows) by day of the year (columns 0…366), with mean 1."""
    angle = 2 * np.pi * np.arange(367) / 365.25
    rows = [1 + c.season * np.cos(angle - 2 * np.pi * c.peak / 365.25) for c in words.CATEGORIES]
    return np.array(rows)


@dataclass(frozen=True)
class Shoppers:
    """What customers are like, by row of `People`: taste, sizes, and how often they buy online."""

    taste: Ints
    letters: Ints
    shoes: Ints
    online: Floats


def make_shoppers(plan: Plan, people: People) -> Shoppers:
    """Draw tastes, sizes and channels of all customers."""
    n = len(people.rate)
    return Shoppers(
        taste=plan.stream("people", 0).integers(len(words.TASTES), size=n),
        letters=_sizes(plan.stream("people", 1).random(n), "letters"),
        shoes=_sizes(plan.stream("people", 2).random(n), "shoes"),
        online=np.array([0.05, 0.30, 0.90])[np.searchsorted([0.5, 0.8], plan.stream("people", 3).random(n))],
    )


def _sizes(uniform: Floats, system: str) -> Ints:
    steps = np.cumsum(words.SIZE_SHARES[system])[:-1]
    return np.searchsorted(steps, uniform).astype(np.int64)


@dataclass(frozen=True)
class Visitors:
    """The orders of one day, sorted by time: customer (-1: a guest), taste, sizes, channel, second of the day."""

    customer: Ints
    taste: Ints
    letters: Ints
    shoes: Ints
    online: npt.NDArray[np.bool_]
    second: Ints


def visitors(generator: np.random.Generator, shoppers: Shoppers, *, customers: Ints, guests: int) -> Visitors:
    """Who comes today, and when."""
    n = len(customers) + guests
    customer = np.concatenate([customers, np.full(guests, -1)])
    online = generator.random(n) < np.concatenate([shoppers.online[customers], np.full(guests, 0.35)])
    when, inside = generator.random(n), generator.random(n)
    store = np.where(when < 0.42, 10 + 4 * inside, 17 + 3.5 * inside)
    second = (3600 * np.where(online, 10 + 13 * np.sqrt(inside), store)).astype(np.int64)
    order = np.argsort(second, kind="stable")

    def mixed(own: Ints, drawn: Ints) -> Ints:
        return np.concatenate([own[customers], drawn])[order]

    return Visitors(
        customer=customer[order],
        taste=mixed(shoppers.taste, generator.integers(len(words.TASTES), size=guests)),
        letters=mixed(shoppers.letters, _sizes(generator.random(guests), "letters")),
        shoes=mixed(shoppers.shoes, _sizes(generator.random(guests), "shoes")),
        online=online[order],
        second=second[order],
    )


@dataclass(frozen=True)
class Wishes:
    """Lines that the visitors would like, sorted by order: row of the order, variant, units."""

    order: Ints
    variant: Ints
    units: Ints


def wishes(generator: np.random.Generator, range_: Range, *, who: Visitors, weights: Floats, extra: float) -> Wishes:
    """Baskets: `weights` are the styles' attractions per taste (rows) today; `extra` further lines on average."""
    n = len(who.customer)
    first = choose(weights, who.taste, generator.random(n))
    counts = np.minimum(generator.poisson(extra, n), 5)
    order = np.repeat(np.arange(n), counts)
    further = choose(weights, who.taste[order], generator.random(len(order)))
    mate = range_.mates[first[order], generator.integers(3, size=len(order))]
    wanted = (generator.random(len(order)) < LOOK_SHARE) & (mate >= 0)
    wanted &= weights[who.taste[order], mate] > 0
    style = np.concatenate([first, np.where(wanted, mate, further)])
    order = np.concatenate([np.arange(n), order])
    _, kept = np.unique(order * len(range_.styles) + style, return_index=True)
    kept.sort()
    kept = kept[np.argsort(order[kept], kind="stable")]
    order, style = order[kept], style[kept]
    several = np.array([c.several for c in words.CATEGORIES])[range_.category[style]]
    more, many = generator.random(len(style)), generator.random(len(style))
    units = 1 + (more < several) * (1 + (many < 0.25)).astype(np.int64)
    return Wishes(order, _variants(generator, range_, who=who, order=order, style=style), units)


def choose(weights: Floats, row: Ints, uniform: Floats) -> Ints:
    """A column for each `row`, with the chances of that row of `weights`.

    >>> choose(np.array([[1.0, 3.0], [1.0, 0.0]]), np.array([0, 0, 1]), np.array([0.2, 0.3, 0.9])).tolist()
    [0, 1, 0]
    """
    steps = np.cumsum(weights, axis=1)
    steps = steps / steps[:, -1:] + np.arange(len(weights))[:, None]
    flat = np.searchsorted(steps.ravel(), row + uniform, side="right") - row * weights.shape[1]
    return np.minimum(flat, weights.shape[1] - 1)


def _variants(generator: np.random.Generator, range_: Range, *, who: Visitors, order: Ints, style: Ints) -> Ints:
    """Colour by its share; the own size, one time in five a neighbour (a present, another cut)."""
    colour = (generator.random(len(style))[:, None] > range_.colour_steps[style]).sum(axis=1)
    colour = np.minimum(colour, range_.n_colours[style] - 1)
    sizes = range_.n_sizes[style]
    own = np.where(sizes == 5, who.letters[order], np.where(sizes == 6, who.shoes[order], 0))
    other = generator.random(len(style))
    size = np.clip(own + (other < 0.1).astype(np.int64) - (other > 0.9), 0, sizes - 1)
    return range_.first_variant[style] + colour * sizes + size
