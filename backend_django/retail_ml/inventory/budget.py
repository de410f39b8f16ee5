"""Spending a limited budget where it earns most: pack by pack, by expected value per money spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import policy

Floats = npt.NDArray[np.float64]
STEPS = 12
"""Parts that a quantity is bought in at most; each is whole packs, the first at least the minimum."""


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

    The value of a part is (p - c)·units expected to be sold over review + lead time - holding·units expected to be
    left; parts are bought by value per cost, the best first. A part that no longer fits ends its variant's buying,
    the rest of the money goes on. Where nothing more is earned by buying, the parts of least loss come last.
    """
    bought = np.zeros(len(wish.quantity))
    if not len(bought):
        return bought
    edges = _edges(wish)
    units = np.diff(edges, axis=1)
    cost = units * wish.cost[:, None]
    ratio = np.divide(_value(wish, edges), cost, out=np.full_like(cost, -np.inf), where=cost > 0)
    # a later part never comes before an earlier one of the same variant
    ratio = np.minimum.accumulate(ratio, axis=1)
    variant, part = np.divmod(np.arange(cost.size), cost.shape[1])
    order = np.lexsort((variant, part, -ratio.ravel()))
    order = order[units.ravel()[order] > 0]
    left = float(budget)
    while len(order):
        running = np.cumsum(cost.ravel()[order])
        fits = int(np.searchsorted(running, left + 1e-9, side="right"))
        np.add.at(bought, variant[order[:fits]], units.ravel()[order[:fits]])
        left -= float(running[fits - 1]) if fits else 0.0
        rest = order[fits:]
        if not len(rest):
            break
        over = cost.ravel()[rest] > left + 1e-9  # what can never be bought now ends its variant with it
        first_over = np.full(len(bought), cost.shape[1])
        np.minimum.at(first_over, variant[rest[over]], part[rest[over]])
        order = rest[part[rest] < first_over[variant[rest]]]
    return bought


def _edges(wish: Wish) -> Floats:
    """Cumulative units of the parts, (N, STEPS + 1), from 0 to the quantity."""
    packs = np.rint(wish.quantity / wish.pack)
    first = np.minimum(np.ceil(wish.minimum / wish.pack - 1e-9), packs)
    steps = first[:, None] + np.floor((packs - first)[:, None] * np.arange(STEPS) / (STEPS - 1) + 1e-9)
    return np.concatenate([np.zeros((len(packs), 1)), steps], axis=1) * wish.pack[:, None]


def _value(wish: Wish, edges: Floats) -> Floats:
    short = policy.units_short(
        np.floor(np.maximum(wish.position, 0))[:, None] + edges,
        wish.daily[:, None],
        wish.ratio[:, None],
        days=wish.days[:, None],
    )
    sold = -np.diff(short, axis=1)
    return wish.margin[:, None] * sold - wish.holding[:, None] * (np.diff(edges, axis=1) - sold)


def margin_lost(wish: Wish, bought: Floats) -> float:
    """Margin expected to be lost over review + lead time by buying `bought` instead of the whole wish."""
    shelf = np.floor(np.maximum(wish.position, 0))
    short = [policy.units_short(shelf + q, wish.daily, wish.ratio, days=wish.days) for q in (bought, wish.quantity)]
    return float((np.maximum(wish.margin, 0) * np.maximum(short[0] - short[1], 0)).sum())
