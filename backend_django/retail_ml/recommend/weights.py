"""The numbers in the formulas: defaults that were measured, and what tuning may put in their place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

USUAL_GAP = 32.0
"""Median days from one order of a customer to his next on another day, where the half-lives below were measured."""
SMALL_SHOP_ORDERS = 1_000
"""Below, old orders count nearly as much as new ones, and the popularity term of a basket keeps its default."""


@dataclass(frozen=True)
class Weights:
    """Half-lives are in days, powers are exponents of a trend factor, the rest are plain factors.

    Attributes
    ----------
    fit_half_life, ridge : float
        Person table: X = √D_h over each customer's 50 most recent products; penalty of the solves.
    profile_half_life, repeat_half_life : float
        Of a customer's profile (what goes with what he bought) and of the repeat term (what he buys again).
    repeat, popular, trend : float
        List "all": cf + repeat · r · trend(14)^trend + popular · p.
    novel_half_life, novel_popular, novel_trend : float
        List "novel": cf (with a half-life of its own) · trend(7)^novel_trend + novel_popular · p.
    basket_half_life, basket_size_power, basket_ridge : float
        Basket table: X = orders with weight 0.5^(age / h) · size^-power; penalty of the solves.
    basket_popular, basket_trend, basket_customer : float
        Basket score: (rows / mean row sum) · trend(14)^basket_trend + basket_popular · share_14 + customer's own score.
    together_half_life : float
        Bought together: orders count size^-0.5 · 0.5^(age / h).
    kappa : float
        Product page: weight n / (n + kappa) of the co-purchases of a product with n orders.
    likeness : float
        MMR on text similarity for novel lists: 0 ranks by score alone.
    rhythm : float
        Factor of this shop on the half-lives of customers (1: the shop for which they were measured).
    """

    fit_half_life: float = 60.0
    ridge: float = 100.0
    profile_half_life: float = 240.0
    repeat_half_life: float = 240.0
    repeat: float = 2.0
    popular: float = 0.3
    trend: float = 0.25
    novel_half_life: float = 240.0
    novel_popular: float = 0.3
    novel_trend: float = 1.0
    basket_half_life: float = 180.0
    basket_size_power: float = 0.0
    basket_ridge: float = 30.0
    basket_popular: float = 3.0
    basket_trend: float = 0.0
    basket_customer: float = 0.2
    together_half_life: float = 180.0
    kappa: float = 20.0
    likeness: float = 0.2
    rhythm: float = 1.0

    @classmethod
    def for_rhythm(cls, gap: float | None) -> Self:
        """Defaults with the customers' half-lives scaled to the median gap (days) between their orders.

        Kept within a tenth and four times the measured values; None (nobody came back yet) leaves them.

        >>> Weights.for_rhythm(16.0).repeat_half_life
        120.0
        """
        factor = 1.0 if gap is None else min(max(gap / USUAL_GAP, 0.1), 4.0)
        plain = cls()
        return replace(
            plain,
            fit_half_life=plain.fit_half_life * factor,
            profile_half_life=plain.profile_half_life * factor,
            repeat_half_life=plain.repeat_half_life * factor,
            novel_half_life=plain.novel_half_life * factor,
            rhythm=factor,
        )

    def for_size(self, orders: int) -> Self:
        """A copy for a shop of so many orders: in a small one no basket can be spared for being old.

        >>> Weights().for_size(300).basket_half_life, Weights().for_size(3_000).basket_half_life
        (720.0, 180.0)
        """
        if orders >= SMALL_SHOP_ORDERS:
            return self
        return replace(self, basket_half_life=720.0, basket_size_power=0.5, basket_ridge=5.0, together_half_life=720.0)

    def with_(self, **changes: float) -> Self:
        """A copy with other values."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """For a file or a receipt."""
        return asdict(self)
