"""Spending a limited budget where it earns most: pack by pack, by expected value per money spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import policy

Floats = npt.NDArray[np.float64]
MOST_PARTS = 200
"""Parts that a quantity is bought in at most, packs else; beyond, each is several packs."""


@dataclass(frozen=True, eq=False)
class Wish:
    """What would be ordered without a limit; one entry per variant, units, money and days."""

    quantity: Floats
    position: Floats
    pack: Floats
    minimum: Floats
    cost: Floats  # of one unit, above 0
    margin: Floats
    daily: Floats
    ratio: Floats
    days: Floats  # review + lead time
    holding: Floats  # of one unit left over for that time


def spend(wish: Wish, budget: float) -> Floats:
    """Units to buy of each variant within `budget`, in whole packs and at least the minimum or nothing.

    The value of a pack is (p - c)·units expected to be sold over review + lead time - holding·units expected to be
    left; packs are bought by value per cost, the best first (the first ones of a variant together, up to its minimum).
    One that no longer fits ends its variant's buying, the rest of the money goes on. Where nothing more is earned by
    buying, the packs of least loss come last.
    """
    bought = np.zeros(len(wish.quantity))
    parts = _parts(wish)
    left = float(budget)
    while len(parts.variant):
        running = np.cumsum(parts.cost)
        fits = int(np.searchsorted(running, left + 1e-9, side="right"))
        np.add.at(bought, parts.variant[:fits], parts.units[:fits])
        left -= float(running[fits - 1]) if fits else 0.0
        rest = parts.take(np.arange(fits, len(running)))
        over = rest.cost > left + 1e-9  # what can never be bought now ends its variant with it
        first_over = np.full(len(bought), np.iinfo(np.int64).max)
        np.minimum.at(first_over, rest.variant[over], rest.number[over])
        parts = rest.take(np.flatnonzero(rest.number < first_over[rest.variant]))
    return bought


def top_up(wish: Wish, missing: float) -> Floats:
    """Units to add so that an order grows by at least `missing` of money: the packs of most value per cost.

    `wish.quantity` is the most that may be added of each variant, `wish.position` what is there with the order. All
    zero where that does not suffice, or where nothing is missing.
    """
    added = np.zeros(len(wish.quantity))
    parts = _parts(wish)
    running = np.cumsum(parts.cost)
    if missing <= 0 or not len(running) or running[-1] < missing - 1e-9:
        return added
    enough = int(np.searchsorted(running, missing - 1e-9)) + 1
    np.add.at(added, parts.variant[:enough], parts.units[:enough])
    return added


@dataclass(frozen=True, eq=False)
class _Parts:
    """What can be bought at once, the best value per cost first; of one variant in its own order (`number`)."""

    variant: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    units: Floats
    cost: Floats

    def take(self, rows: npt.NDArray[np.int64]) -> _Parts:
        return _Parts(self.variant[rows], self.number[rows], self.units[rows], self.cost[rows])


def _parts(wish: Wish) -> _Parts:
    packs = np.rint(wish.quantity / wish.pack)
    first = np.minimum(np.ceil(wish.minimum / wish.pack - 1e-9), packs)
    more = np.minimum(packs - first, MOST_PARTS - 1)
    count = np.where(packs > 0, more + 1, 0).astype(np.int64)
    variant = np.repeat(np.arange(len(packs)), count)
    number = np.arange(len(variant)) - np.repeat(np.cumsum(count) - count, count)
    share = np.divide(number, more[variant], out=np.zeros(len(variant)), where=more[variant] > 0)
    until = (first[variant] + np.floor((packs - first)[variant] * share + 1e-9)) * wish.pack[variant]
    before = np.where(number > 0, np.concatenate([[0.0], until[:-1]])[: len(until)], 0.0)
    units = until - before
    cost = units * wish.cost[variant]
    ratio = np.divide(_value(wish, variant, before, until), cost, out=np.full_like(cost, -np.inf), where=cost > 0)
    order = np.lexsort((number, variant, -_never_rising(ratio, number)))
    return _Parts(variant[order], number[order], units[order], cost[order])


def _never_rising(ratio: Floats, number: npt.NDArray[np.int64]) -> Floats:
    """Ratios of which a later part of a variant is never above an earlier one: whole values would break the order."""
    found, step = ratio.copy(), 1
    while (reach := number >= step).any():  # the running minimum in doubling steps
        found[reach] = np.minimum(found[reach], found[np.flatnonzero(reach) - step])
        step *= 2
    return found


def _value(wish: Wish, variant: npt.NDArray[np.int64], before: Floats, until: Floats) -> Floats:
    """Expected margin of the units from `before` to `until`, less the holding of those left over."""
    shelf = np.floor(np.maximum(wish.position, 0))[variant]
    law = (wish.daily[variant], wish.ratio[variant])
    short = [policy.units_short(shelf + units, *law, days=wish.days[variant]) for units in (before, until)]
    sold = short[0] - short[1]
    return wish.margin[variant] * sold - wish.holding[variant] * (until - before - sold)


def margin_lost(wish: Wish, bought: Floats) -> float:
    """Margin expected to be lost over review + lead time by buying `bought` instead of the whole wish."""
    shelf = np.floor(np.maximum(wish.position, 0))
    short = [policy.units_short(shelf + q, wish.daily, wish.ratio, days=wish.days) for q in (bought, wish.quantity)]
    return float((np.maximum(wish.margin, 0) * np.maximum(short[0] - short[1], 0)).sum())
