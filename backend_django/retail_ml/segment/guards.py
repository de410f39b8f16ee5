"""Rules that a name must satisfy, whatever the clustering says; each has a number that the explanation names.

Learnt on real orders: without them "at risk" holds people who bought last month and "new" people who came years
ago. `overdue` is recency over the customer's own mean interval (14 days at least; for one-time buyers the shop's
median interval).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.segment.features import INTERVAL_FLOOR
from retail_ml.segment.naming import AT_RISK, FREQUENT, INACTIVE, NEW, OCCASIONAL, VIP

RULES = ("", "not_overdue", "overdue", "too_few_orders", "joined_lately", "joined_long_ago", "once_long_ago")
"""What moved a customer; 0: nothing did. The codes of the stored arrays."""
NEW_DAYS, NEW_VISITS = 60, 2
LOYAL_VISITS = 3
NOT_OVERDUE, OVERDUE, OVERDUE_DAYS = 2.0, 4.0, 60
ONCE_DAYS = 365
ONCE_INTERVAL = 90.0
"""Days taken as the interval of one-time buyers in a shop where nobody has come twice."""


def overdue_for_rules(features: pl.DataFrame) -> NDArray[np.float64]:
    """`overdue` for everybody: one-time buyers against the median interval of those who came back.

    >>> overdue_for_rules(pl.DataFrame({"recency_days": [40, 60], "visits": [3, 1], "interval_days": [20.0, None],
    ...                                 "overdue": [2.0, None]})).tolist()
    [2.0, 3.0]
    """
    median = features["interval_days"].median()
    interval = max(float(median), INTERVAL_FLOOR) if median is not None else ONCE_INTERVAL  # type: ignore[arg-type]
    filled = features.select(pl.coalesce("overdue", pl.col("recency_days") / interval))
    return np.asarray(filled.to_series().to_numpy(), dtype=np.float64)


def apply_guards(names: NDArray[np.int8], features: pl.DataFrame) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """The names after the rules, and which rule (index into `RULES`) changed each; both shape (n,).

    In this order: at risk but not overdue (< 2) → frequent; VIP or frequent but overdue (> 4, and > 60 days) → at
    risk; VIP or frequent with fewer than 3 visits → occasional; first order within 60 days and at most
    2 visits ⇔ new, and "new" otherwise → occasional; one visit, more than 365 days ago → inactive.

    >>> one = pl.DataFrame({"recency_days": [400], "tenure_days": [400], "visits": [1], "interval_days": [None],
    ...                     "overdue": [None]}, schema_overrides={"interval_days": pl.Float64, "overdue": pl.Float64})
    >>> [part.tolist() for part in apply_guards(np.array([VIP], dtype=np.int8), one)]
    [[5], [6]]
    """
    recency, tenure, visits = (features[c].to_numpy() for c in ("recency_days", "tenure_days", "visits"))
    overdue = overdue_for_rules(features)
    out, why = names.copy(), np.zeros(len(names), dtype=np.int8)

    def move(where: NDArray[np.bool_], to: int, rule: str) -> None:
        where = where & (out != to)
        out[where], why[where] = to, RULES.index(rule)

    move((out == AT_RISK) & (overdue < NOT_OVERDUE), FREQUENT, "not_overdue")
    active = (out == VIP) | (out == FREQUENT)
    move(active & (overdue > OVERDUE) & (recency > OVERDUE_DAYS), AT_RISK, "overdue")
    move(((out == VIP) | (out == FREQUENT)) & (visits < LOYAL_VISITS), OCCASIONAL, "too_few_orders")
    fresh = (tenure <= NEW_DAYS) & (visits <= NEW_VISITS)
    move(fresh, NEW, "joined_lately")
    move((out == NEW) & ~fresh, OCCASIONAL, "joined_long_ago")
    move((visits == 1) & (recency > ONCE_DAYS), INACTIVE, "once_long_ago")
    why[out == names] = 0  # moved there and back
    return out, why


def by_rules(features: pl.DataFrame) -> NDArray[np.int8]:
    """Names by thresholds alone, for fewer than ten customers, where neither clusters nor ranks mean anything.

    Three visits: frequent, and VIP from twice the median spend; overdue (> 2, and > 60 days): at risk with two
    visits, else inactive from 180 days; the rest occasional. Guards come after.
    """
    recency, visits, spent = (features[c].to_numpy() for c in ("recency_days", "visits", "spent"))
    overdue = overdue_for_rules(features)
    out = np.full(len(features), OCCASIONAL, dtype=np.int8)
    out[visits >= LOYAL_VISITS] = FREQUENT
    out[(visits >= LOYAL_VISITS) & (spent > 0) & (spent >= 2 * np.median(spent))] = VIP
    late = (overdue > NOT_OVERDUE) & (recency > OVERDUE_DAYS)
    out[late & (visits > 1)] = AT_RISK
    out[late & (visits == 1) & (recency > 180)] = INACTIVE
    return out
