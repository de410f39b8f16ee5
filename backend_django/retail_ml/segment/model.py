"""The whole segmentation of a shop: order lines in, one row per customer out, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from retail_ml import frames
from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory
from retail_ml.frames import Schema
from retail_ml.segment.changes import compare, with_last_change
from retail_ml.segment.features import Visits, bought_between, days_before, visits
from retail_ml.segment.groups import Groups
from retail_ml.segment.memory import Memory, Placed, place
from retail_ml.segment.profile import group_metrics
from retail_ml.segment.space import quintiles
from retail_ml.segment.value import Shop, flat_discount
from retail_ml.segment.worth import VALUES, Money, Worth, appraise

CLUSTERS = (2, 12)
NO_MARGIN = Money()
YEAR = 365
"""Days that a customer's last year has."""

RESULT: Schema = {  # one row per customer with an order, sorted by id; nulls: unknown
    "customer_id": pl.String,
    "cluster": pl.Int8,
    "segment": pl.Int8,  # index into naming.NAMES
    "guard": pl.Int8,  # index into guards.RULES: what moved the customer from its cluster's name
    "confidence": pl.Float64,  # 0…1
    "rival": pl.Int8,  # the name of the nearest centre of another name
    "axis_1": pl.Int8,  # index into space.AXES: what decided against the rival
    "axis_2": pl.Int8,
    "held": pl.Int8,  # 1: hysteresis kept the customer where it was
    "previous": pl.Int8,  # the segment before the last change
    "changed_on": pl.Date,  # the as-of day of that change
    "recency_days": pl.Int32,
    "orders": pl.Int32,
    "visits": pl.Int32,
    "spent": pl.Float64,
    "avg_order_value": pl.Float64,
    "monthly": pl.Float64,
    "interval_days": pl.Float64,
    "overdue": pl.Float64,
    "spent_year": pl.Float64,  # of it in the last 365 days, at least 0
    "spent_place": pl.Float64,  # share of the customers that spent less
    "recency_score": pl.Int8,
    "frequency_score": pl.Int8,
    "monetary_score": pl.Int8,
    **dict.fromkeys(VALUES, pl.Float64),  # orders_3, value_3 (revenue, discounted), value_3_lower, _upper (80 %); 6; 12
    "alive": pl.Float64,  # probability of still being a customer
    "probability": pl.Float64,  # of an order within 90 days; null where only the band is given
    "chance_band": pl.Int8,  # index into probability.BANDS
    "expected_early": pl.Date,  # the next order has come by then with 25 %
    "expected_next": pl.Date,  # … with 50 %; where `alive` is null: by the customer's own rhythm
    "at_stake": pl.Float64,  # spent in the last 365 days less what is expected in 12 months, at least 0
}


@dataclass(frozen=True)
class Segmentation:
    """The result: `customers` (`RESULT`), `metrics` (plain JSON values) and what a later day needs.

    changes: `changes.CHANGES` since the training that was remembered; None for the first one. drawn: the map's day.
    """

    customers: pl.DataFrame
    metrics: dict[str, Any]
    groups: Groups
    as_of: date
    beats_baseline: bool | None
    drawn: date
    changes: pl.DataFrame | None = None


def segment_customers(
    lines: pl.DataFrame,
    as_of: date,
    *,
    n_clusters: int = 6,
    seed: int = 0,
    money: Money = NO_MARGIN,
    memory: Memory | None = None,
) -> Segmentation:
    """Segment and value every customer with an order by `as_of`.

    lines: `frames.ORDER_LINES` or `daily.CUSTOMER_DAYS`, in any order. money: margin and discount behind the values.
    The seed chooses the silhouette's samples and nothing else. memory: the training before: its map is used on as long
    as it serves (`review.judge`), and who did nothing since changes segment only by a clear margin. Raises
    BadParameter (n_clusters outside 2…12) and NotEnoughHistory (under 10 orders in all, or only guests). In a shop
    whose very first orders are younger than `as_of`, the last day with an order is taken instead, though it may not be
    over.
    """
    check_clusters(n_clusters)
    as_of, seen = _seen(lines, as_of)
    shop = Shop(seen, as_of)
    known = shop.known
    if known.is_empty():
        raise NotEnoughHistory(
            f"All {seen.guest_orders} sales are by guests or were wholly returned: there is no customer to segment. "
            "Record who buys (a customer number or an e-mail will do) and train again.",
            code="segment.no_customers",
            guests=seen.guest_orders,
        )
    ids = seen.ids.gather(known["row"])
    placed = place(known, ids, n_clusters, as_of=as_of, memory=memory)
    groups = placed.groups
    metrics = group_metrics(known, groups, np.random.default_rng(seed))
    worth = appraise(seen, shop, money)
    metrics |= {
        "n_clusters_asked": n_clusters,
        "guests": {"orders": seen.guest_orders, "spent": round(seen.guest_spent, 2)},
        "only_returns": len(seen.ids) - len(known),
        "clv": worth.clv,
        "map": placed.told,
    }
    customers = _frame(shop, groups, worth, discount=money.discount)
    return _finish(customers, metrics, placed, memory, worth.beats_baseline)


def _finish(
    customers: pl.DataFrame, metrics: dict[str, Any], placed: Placed, memory: Memory | None, beats: bool | None
) -> Segmentation:
    """The result with what changed since the training that is remembered."""
    as_of = placed.as_of
    before = memory.customers if memory is not None and memory.as_of <= as_of else None
    customers = with_last_change(customers, before, as_of).select(list(RESULT))
    changes = None
    if memory is not None and before is not None:
        changes = compare(before, customers, then=memory.as_of, as_of=as_of, on_old_map=placed.on_old_map)
    return Segmentation(customers, metrics, placed.groups, as_of, beats, placed.drawn, changes)


def check_clusters(n_clusters: object) -> None:
    """Raise BadParameter unless a whole number from 2 to 12.

    >>> check_clusters(13)
    Traceback (most recent call last):
    ...
    retail_ml.errors.BadParameter: n_clusters must be a whole number from 2 to 12; 13 was given
    """
    low, high = CLUSTERS
    if isinstance(n_clusters, bool) or not isinstance(n_clusters, int) or not low <= n_clusters <= high:
        raise BadParameter(
            f"n_clusters must be a whole number from {low} to {high}; {n_clusters!r} was given",
            code="bad_parameter.whole", field="n_clusters", minimum=low, maximum=high, received=repr(n_clusters),
        )  # fmt: skip


def _seen(lines: pl.DataFrame, as_of: date) -> tuple[date, Visits]:
    sales = lines.filter(~pl.col("is_return"))
    found = frames.orders_in(sales)
    if found < FEWEST_SALES:
        raise NotEnoughHistory(
            f"Segmenting customers needs {FEWEST_SALES} sales; the shop has {found}. Import more orders, or train "
            "again when they have come.",
            code="segment.not_enough_sales",
            needed=FEWEST_SALES,
            found=found,
        )
    first: date = sales["day"].min()  # type: ignore[assignment]
    last: date = sales["day"].max()  # type: ignore[assignment]
    as_of = as_of if first <= as_of else last
    return as_of, visits(lines, as_of)


def _or_none(indices: NDArray[np.int8]) -> pl.Series:
    """Indices with nulls in the place of -1."""
    found = pl.Series("", indices)
    return found.set(found < 0, None)


def _frame(shop: Shop, groups: Groups, worth: Worth, *, discount: float) -> pl.DataFrame:
    """`RESULT` without the columns that tell of earlier trainings."""
    seen, known, as_of = shop.seen, shop.known, shop.as_of
    recency, often, spent = (known[c].to_numpy().astype(np.float64) for c in ("recency_days", "visits", "spent"))
    numbers = {
        "customer_id": seen.ids.gather(known["row"]),
        "cluster": groups.cluster,
        "segment": groups.segment,
        "guard": groups.guard,
        "confidence": groups.confidence,
        "rival": _or_none(groups.rival),
        "axis_1": _or_none(groups.axes[:, 0]),
        "axis_2": _or_none(groups.axes[:, 1]),
        "held": groups.held,
        "spent_year": bought_between(seen, known, days_before(as_of, YEAR), as_of)["spent"].to_numpy(),
        "spent_place": (rankdata(spent, method="min") - 1) / len(spent),
        "recency_score": quintiles(-recency),
        "frequency_score": quintiles(often),
        "monetary_score": quintiles(spent),
        **worth.columns,
    }
    frame = known.with_columns(
        pl.lit(None).alias(name) if values is None else pl.Series(name, values) for name, values in numbers.items()
    )
    expected = pl.col("value_12").cast(pl.Float64) / flat_discount(
        12, discount
    )  # what it brings, not what that is worth today
    frame = frame.with_columns(at_stake=(pl.col("spent_year") - expected).clip(lower_bound=0))
    kept = [name for name in RESULT if name not in ("previous", "changed_on")]  # added by `_finish`
    return frame.select([pl.col(name).cast(RESULT[name]) for name in kept])
