"""lifetimes 0.11.3 as its documentation uses it: BG/NBD, and Gamma-Gamma on repeat orders."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl

from retail_ml.frames import MONEY
from retail_ml.segment.buying import History
from retail_ml.segment.space import Array
from retail_ml.segment.value import Expected, Shop

UNIT = 7.0
"""Days in its unit of time: it fits better in weeks than in days."""


def fitters() -> Any:
    """The module, or what to do without it."""
    try:
        import lifetimes
    except ImportError as missing:
        raise SystemExit("This benchmark compares with lifetimes: pip install --group bench") from missing
    return lifetimes


def fit_buying(who: History, *, modified: bool = False) -> Any:
    """Its BG/NBD (or MBG/NBD) in weeks; a small penalty where it does not converge, as its message advises."""
    lifetimes = fitters()
    kind = lifetimes.ModifiedBetaGeoFitter if modified else lifetimes.BetaGeoFitter
    return _fitted(kind, who.x, who.last / UNIT, who.age / UNIT)


def _fitted(kind: Any, *arrays: Array) -> Any:
    for penalty in (0.0, 1e-4, 1e-3, 1e-2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return kind(penalizer_coef=penalty).fit(*arrays)
            except fitters().utils.ConvergenceError:
                print(f"\nlifetimes ({kind.__name__}) did not converge with a penalty of {penalty}")
    raise SystemExit("lifetimes did not converge")


def fit_spending(visits: Array, mean: Array) -> Any:
    """Its Gamma-Gamma."""
    lifetimes = fitters()
    return _fitted(lifetimes.GammaGammaFitter, visits, mean)


def repeat_mean(shop: Shop) -> Array:
    """Mean spend of the visits after the first; 0 without any."""
    first = shop.seen.days.filter(pl.col("first") & (pl.col("day") <= shop.as_of)).select("row", "money")
    begun = (
        shop.known.select("row").join(first, on="row", how="left", maintain_order="left")["money"].to_numpy() / MONEY
    )
    x = shop.history.x
    return np.where(x > 0, np.maximum(shop.known["spent"].to_numpy() - begun, 0.0) / np.maximum(x, 1), 0.0)


def expect(shop: Shop, days: float) -> tuple[Expected, Array]:
    """Orders and revenue of the next `days`, and P(alive)."""
    who, mean = shop.history, repeat_mean(shop)
    model = fit_buying(who)
    use = (who.x > 0) & (mean > 0)
    money = fit_spending(who.x[use], mean[use])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        args = (who.x, who.last / UNIT, who.age / UNIT)
        orders = np.asarray(model.conditional_expected_number_of_purchases_up_to_time(days / UNIT, *args))
        alive = np.asarray(model.conditional_probability_alive(*args))
        value = np.asarray(money.conditional_expected_average_profit(who.x, mean))
    return Expected(orders, orders * value), alive
