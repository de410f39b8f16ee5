"""Goods whose season ends: what is still worth buying, what will be left, and how far to mark down.

Until the end the remaining demand is one period of a newsvendor (Snyder & Shen, *Fundamentals of Supply Chain Theory*,
2nd ed., 4.3): a unit missing costs p - c, a unit left over c - v, v being what it is still worth later. Demand over
the days left is negative binomial with the variant's mean per day and variance over mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import policy

Floats = npt.NDArray[np.float64]

SALVAGE_SHARE = 0.5
"""What a unit is still worth when its season is over, as a share of its cost: an assumption, to be shown as one."""
ELASTICITY = 2.0
"""By so many per cent demand rises when the price falls by one: an assumption, to be shown as one."""
STEPS = np.arange(0.0, 0.71, 0.05)
"""Markdowns tried, as shares of the price."""
MOST_SERVED = 0.995


def target(price: Floats, cost: Floats, *, salvage_share: float = SALVAGE_SHARE) -> Floats:
    """Probability with which the last order should cover the demand that is left: (p - c)/(p - v), at most 0.995.

    v is `salvage_share` of the cost. 0 where nothing is earned, NaN where cost or price is unknown.

    >>> target(np.array([10.0, 4.0, np.nan]), np.array([5.0, 5.0, 5.0])).round(4).tolist()
    [0.6667, 0.0, nan]
    """
    earned, risked = price - cost, price - salvage_share * cost
    share = np.divide(earned, risked, out=np.zeros_like(risked), where=risked > 0)
    return np.where(np.isfinite(risked), np.clip(share, 0.0, MOST_SERVED), np.nan)


def bounded(
    levels: tuple[Floats, Floats],
    law: tuple[Floats, Floats],
    *,
    days_left: Floats,
    lead_days: Floats,
    review_days: int,
    served: Floats,
) -> tuple[Floats, Floats]:
    """Reorder points and order-up-to levels that leave no more than the season can be expected to sell.

    `law` is units a day and variance over mean; `days_left` until the end, its last day included (inf or NaN: none);
    `served` is `target`, NaN counting as 0.80. No order that would come when the season is over; S is at
    most the `served` quantile of the demand that is left; and when no later order can come in time, this one is
    placed as soon as anything is missing.

    >>> s, S, law = np.array([20.0]), np.array([60.0]), (np.ones(1), np.full(1, 2.0))
    >>> for days in (7.0, 20.0, 40.0, np.inf):
    ...     found = bounded((s, S), law, days_left=np.array([days]), lead_days=np.array([7.0]), review_days=7,
    ...                     served=np.array([0.6]))
    ...     print([x[0].item() for x in found])
    [0.0, 0.0]
    [20.0, 21.0]
    [20.0, 42.0]
    [20.0, 60.0]
    """
    point, up_to = levels
    ends = np.isfinite(days_left)
    days = np.where(ends, np.maximum(days_left, 0.0), 1.0)
    share = np.where(np.isfinite(served), served, policy.TAU_BOUNDS[0])
    most = np.zeros(len(days))
    some = np.flatnonzero(ends & (share > 0))
    most[some] = policy.demand_quantile(share[some], law[0][some], law[1][some], days=days[some])
    most = np.where((days > lead_days) & (share > 0), most, 0.0)
    capped = np.where(ends, np.minimum(up_to, most), up_to)
    last = ends & (days <= lead_days + review_days)
    lowered = np.where(last, capped - 1, np.minimum(point, capped - 1))
    return np.where(ends, np.maximum(lowered, 0.0), point), np.maximum(capped, 0.0)


def left_over(stock: Floats, law: tuple[Floats, Floats], *, days_left: Floats) -> Floats:
    """Units expected to be left after `days_left`: E[(I - D)+]. `law` is units a day and variance over mean.

    >>> left_over(np.array([50.0]), (np.ones(1), np.full(1, 2.0)), days_left=np.array([30.0])).round(1).tolist()
    [20.0]
    """
    short = policy.units_short(stock, *law, days=days_left)
    return stock - np.minimum(law[0] * days_left - short, stock)


@dataclass(frozen=True, eq=False)
class Markdown:
    """What to ask for what is left, per variant: share off the price (0: none), and what it brings until the end."""

    off: Floats
    revenue: Floats
    """Expected revenue and salvage at this price."""
    unchanged: Floats
    """The same at today's price."""
    left: Floats
    """Units expected to be left at this price."""


def markdown(
    price: Floats,
    *,
    stock: Floats,
    law: tuple[Floats, Floats],
    days_left: Floats,
    salvage: Floats,
    elasticity: float = ELASTICITY,
) -> Markdown:
    """The markdown of most money until the end: argmax over p' of p'·E[min(I, D(p'))] + v·E[(I - D(p'))+].

    D(p') has mean D·(p'/p)^-ε and the same variance over mean; p' down to 30 % of the price, in steps of 5 %. `salvage`
    is v, money of one unit left.

    >>> found = markdown(np.full(2, 10.0), stock=np.array([200.0, 5.0]), law=(np.ones(2), np.full(2, 2.0)),
    ...                  days_left=np.full(2, 30.0), salvage=np.full(2, 2.0))
    >>> found.off.round(2).tolist(), (found.revenue >= found.unchanged).all().item()
    ([0.55, 0.0], True)
    """
    daily, ratio = law
    money = np.empty((len(STEPS), len(price)))
    left = np.empty_like(money)
    for i, off in enumerate(STEPS):
        rate = daily * (1 - off) ** -elasticity
        left[i] = left_over(stock, (rate, ratio), days_left=days_left)
        money[i] = price * (1 - off) * (stock - left[i]) + salvage * left[i]
    best = np.argmax(np.round(money, 6), axis=0)
    row = np.arange(len(price))
    return Markdown(STEPS[best], money[best, row], money[0], left[best, row])
