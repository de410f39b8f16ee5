"""What a customer is likely to spend: the simple first model, `simple_rate`, and the naive ones it must beat.

Half of the expectation is the customer's own rate, shrunk to the shop's, times the activity of customers who looked
the same at an earlier day (for revenue: times the own mean visit, shrunk to the shop's); the other half is what the
customer did in the last window, its very first visit apart. It has no notion of a customer's death and none of the
season: activity over h days is taken from the shop's own window of (at most) that length and stretched to h.

Sources: gamma-Poisson shrinkage: Ehrenberg 1959, "The pattern of consumer purchases", Applied Statistics 8;
credibility of a mean: Bühlmann & Straub 1970, "Glaubwürdigkeit für Schadensätze".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.segment.features import MONEY, Visits, bought_between, days_before, features
from retail_ml.segment.space import Array

RECENCY_BANDS = (30, 60, 90, 180, 365)
VISIT_BANDS = (1, 2, 5, 11)
PRIOR_ORDERS = 5.0
"""Expected orders that a cell of the activity table borrows from the cells around it."""
OWN_SHARE = 0.5
"""Weight of the customer's own last window in the simple model; fixed, not learnt."""
SIMPLE = "simple_rate"
METHODS = (SIMPLE, "previous_window", "previous_window_repeats", "mean_rate")


@dataclass(frozen=True)
class Expected:
    """Orders (visits) and revenue expected of each customer over a period; shape (n,) each."""

    orders: Array
    revenue: Array


def gamma_poisson(repeats: Array, days: Array) -> tuple[float, float]:
    """Shape r and rate alpha (days) of the gamma distribution of order rates among customers.

    By moments: mean = sum x / sum T, variance = sum((x - mean T)² - mean T) / sum T²; at least (mean / 20)² so that
    equal customers do not give an infinite shape. repeats: orders after the first; days: since the first.

    >>> r, alpha = gamma_poisson(np.array([0.0, 4.0]), np.array([100.0, 100.0]))
    >>> round(r, 3), round(alpha, 1)
    (2.0, 100.0)
    """
    total = days.sum()
    if total <= 0:
        return 1.0, 365.0
    mean = max(repeats.sum(), 0.5) / total
    variance = (((repeats - mean * days) ** 2 - mean * days).sum()) / (days**2).sum()
    variance = max(variance, (mean / 20) ** 2)
    return float(mean**2 / variance), float(mean / variance)


def rates(known: pl.DataFrame) -> tuple[Array, dict[str, float]]:
    """Visits a day of each customer, (r + x) / (alpha + T), and the parameters. known: `FEATURES`."""
    repeats = known["visits"].to_numpy().astype(np.float64) - 1
    days = known["tenure_days"].to_numpy().astype(np.float64)
    r, alpha = gamma_poisson(repeats, days)
    return (r + repeats) / (alpha + days), {"r": r, "alpha_days": alpha}


def mean_visit(seen: Visits, known: pl.DataFrame, as_of: date) -> tuple[Array, float]:
    """Expected spend of one visit of each customer, at least 0, and the credibility constant k.

    (n m + k M) / (n + k) with the customer's own mean m over n visits; k = variance within customers / variance
    between them, between 0.1 and 50; M = the mean of all m, weighted by their credibility n / (n + k).
    """
    n = known["visits"].to_numpy().astype(np.float64)
    spent = np.maximum(known["spent"].to_numpy(), 0.0)
    overall, own = spent.sum() / n.sum(), spent / n
    squares = (
        seen.days.lazy()
        .filter((pl.col("day") <= as_of) & (pl.col("orders") > 0))
        .group_by("row")
        .agg(((pl.col("money") / MONEY - (pl.col("money") / MONEY).mean()) ** 2).sum().alias("ss"))
        .sort("row")
        .collect()["ss"]
        .to_numpy()
    )
    freedom = n.sum() - len(n)
    if freedom < 1 or len(n) < 2:
        return np.full(len(n), overall), 50.0
    within = squares.sum() / freedom
    between = ((n * (own - overall) ** 2).sum() - (len(n) - 1) * within) / (n.sum() - (n**2).sum() / n.sum())
    k = float(np.clip(within / between, 0.1, 50.0)) if between > 0 else 50.0
    overall = np.average(own, weights=n / (n + k))
    return (n * own + k * overall) / (n + k), k


def cells(known: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Band of recency and band of visits of each customer.

    >>> [band.tolist() for band in cells(pl.DataFrame({"recency_days": [30, 31, 400], "visits": [1, 5, 12]}))]
    [[0, 1, 5], [0, 2, 4]]
    """
    recency = np.searchsorted(RECENCY_BANDS, known["recency_days"].to_numpy(), side="left")
    return recency, np.searchsorted(VISIT_BANDS, known["visits"].to_numpy(), side="left")


def ratio_table(known: pl.DataFrame, observed: Array, expected: Array, prior: float) -> Array:
    """Observed / expected per cell (recency band × visit band), each borrowing from its recency band, and that
    from all; shape (6, 5).

    prior: how much expectation is borrowed. The same formula with `expected` = 1 gives shrunken shares.
    """
    recency, often = cells(known)
    shape = (len(RECENCY_BANDS) + 1, len(VISIT_BANDS) + 1)
    seen, hoped = np.zeros(shape), np.zeros(shape)
    np.add.at(seen, (recency, often), observed)
    np.add.at(hoped, (recency, often), expected)
    overall = seen.sum() / max(hoped.sum(), 1e-12)
    band = (seen.sum(axis=1) + prior * overall) / (hoped.sum(axis=1) + prior)
    return np.asarray((seen + prior * band[:, None]) / (hoped + prior))


def activity(seen: Visits, as_of: date, window: int) -> Array:
    """How much more, or less, than their rate customers bought in the last `window` days, by cell; shape (6, 5)."""
    then = days_before(as_of, window)
    known = features(seen, then)
    expected = rates(known)[0] * window
    observed = bought_between(seen, known, then, as_of)["visits"].to_numpy()
    return ratio_table(known, observed, expected, PRIOR_ORDERS)


def simple_rate(seen: Visits, known: pl.DataFrame, as_of: date, *, days: float, window: int) -> Expected:
    """The simple model as of a day: orders and revenue of the next `days`, activity from the last `window` days."""
    table = activity(seen, as_of, window)
    orders = rates(known)[0] * table[cells(known)] * days
    revenue = orders * mean_visit(seen, known, as_of)[0]
    own = naive(seen, known, as_of, days=days, window=window)["previous_window_repeats"]
    return Expected(
        OWN_SHARE * own.orders + (1 - OWN_SHARE) * orders, OWN_SHARE * own.revenue + (1 - OWN_SHARE) * revenue
    )


def naive(seen: Visits, known: pl.DataFrame, as_of: date, *, days: float, window: int) -> dict[str, Expected]:
    """What needs no model: each customer's own last `window` days again (with and without its very first visit), and
    everybody like the average customer of that window. By name (`METHODS`)."""
    past = bought_between(seen, known, days_before(as_of, window), as_of)
    scale = days / window
    visits, repeats, spent, spent_repeats = (
        past[c].to_numpy() * scale for c in ("visits", "repeats", "spent", "spent_repeats")
    )
    return {
        "previous_window": Expected(visits, spent),
        "previous_window_repeats": Expected(repeats, spent_repeats),
        "mean_rate": Expected(np.full(len(visits), visits.mean()), np.full(len(spent), spent.mean())),
    }


def expect(method: str, seen: Visits, known: pl.DataFrame, as_of: date, *, days: float, window: int) -> Expected:
    """The expectation of one of `METHODS` for the `days` after `as_of`; nothing after `as_of` is looked at."""
    if method == SIMPLE:
        return simple_rate(seen, known, as_of, days=days, window=window)
    return naive(seen, known, as_of, days=days, window=window)[method]
