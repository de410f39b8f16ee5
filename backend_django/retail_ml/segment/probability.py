"""The chance of an order within 90 days: what happened to customers of the same recency and number of visits.

Origins lie 90 days apart, up to four (a year of seasons); the newest one is the test, foretold from the older.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from retail_ml.segment.features import Visits, bought_between, days_before, features
from retail_ml.segment.space import Array
from retail_ml.segment.value import cells, ratio_table

DAYS = 90
ORIGINS = 4
WARM_UP = 30
"""Days of history that an origin needs behind it."""
CUSTOMERS = 30
PRIOR = 10.0
"""Customers that a cell borrows from the cells around it."""


@dataclass(frozen=True)
class Chance:
    """The table (recency band × visit band), its receipt, or the reason why there is none."""

    table: Array | None = None
    receipt: dict[str, Any] = field(default_factory=dict)
    reason: dict[str, Any] | None = None

    def of(self, known: pl.DataFrame) -> Array | None:
        """The chance of each customer of `known` (`FEATURES`); None without a table."""
        return None if self.table is None else self.table[cells(known)]


def auc(score: Array, hit: Array) -> float | None:
    """Chance that a hit has the higher score (ties count half); null when all or none are hits.

    >>> auc(np.array([0.1, 0.4, 0.4]), np.array([0.0, 1.0, 0.0]))
    0.75
    """
    hits = hit.sum()
    misses = len(hit) - hits
    if hits == 0 or misses == 0:
        return None
    return float((rankdata(score)[hit > 0].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _table(pairs: list[tuple[pl.DataFrame, Array]]) -> tuple[Array, float]:
    known = pl.concat([features for features, _ in pairs])
    hit = np.concatenate([hit for _, hit in pairs])
    return np.clip(ratio_table(known, hit, np.ones(len(hit)), PRIOR), 0.001, 0.999), float(hit.mean())


def learn(seen: Visits, as_of: date) -> Chance:
    """The chance table as of a day, tested on the last 90 days.

    Not given (with the reason) where history does not hold two origins of 30 customers, or where the table foretells
    the last 90 days no better than the share of all customers that bought (Brier score).
    """
    pairs = []
    for j in range(1, ORIGINS + 1):
        origin = days_before(as_of, DAYS * j)
        if seen.first_day is None or (origin - seen.first_day).days < WARM_UP:
            break
        known = features(seen, origin)
        if len(known) < CUSTOMERS:
            break
        came = bought_between(seen, known, origin, days_before(origin, -DAYS))
        pairs.append((known, (came["visits"].to_numpy() > 0).astype(np.float64)))
    if len(pairs) < 2:
        return Chance(reason={"code": "segment.no_probability_history", "params": {"needed": 2 * DAYS + WARM_UP}})
    known, hit = pairs[0]
    table, base = _table(pairs[1:])
    score = table[cells(known)]
    area = auc(score, hit)
    brier, base_brier = float(((score - hit) ** 2).mean()), float(((base - hit) ** 2).mean())
    receipt = {
        "days": DAYS,
        "customers": len(known),
        "auc": None if area is None else round(area, 4),
        "brier": round(brier, 4),
        "baseline": {"name": "base_rate", "brier": round(base_brier, 4), "auc": 0.5},
        "share_expected": round(float(score.mean()), 4),
        "share_came": round(float(hit.mean()), 4),
        "origins": len(pairs),
    }
    if brier >= base_brier:
        return Chance(receipt=receipt, reason={"code": "segment.probability_not_better", "params": {}})
    return Chance(_table(pairs)[0], receipt)
