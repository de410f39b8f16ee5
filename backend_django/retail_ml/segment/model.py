"""The whole segmentation of a shop: order lines in, one row per customer out, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory
from retail_ml.frames import Schema
from retail_ml.segment.features import Visits, visits
from retail_ml.segment.groups import Groups, group
from retail_ml.segment.profile import group_metrics
from retail_ml.segment.space import quintiles
from retail_ml.segment.value import Shop
from retail_ml.segment.worth import VALUES, Money, Worth, appraise

CLUSTERS = (2, 12)
NO_MARGIN = Money()

RESULT: Schema = {  # one row per customer with an order, sorted by id; nulls: unknown
    "customer_id": pl.String,
    "cluster": pl.Int8,
    "segment": pl.Int8,  # index into naming.NAMES
    "guard": pl.Int8,  # index into guards.RULES: what moved the customer from its cluster's name
    "confidence": pl.Float64,  # 0…1
    "recency_days": pl.Int32,
    "orders": pl.Int32,
    "visits": pl.Int32,
    "spent": pl.Float64,
    "avg_order_value": pl.Float64,
    "monthly": pl.Float64,
    "interval_days": pl.Float64,
    "overdue": pl.Float64,
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
}


@dataclass(frozen=True)
class Segmentation:
    """The result: `customers` (`RESULT`), `metrics` (plain JSON values) and what a later day needs (`groups`)."""

    customers: pl.DataFrame
    metrics: dict[str, Any]
    groups: Groups
    as_of: date
    beats_baseline: bool | None


def segment_customers(
    lines: pl.DataFrame, as_of: date, *, n_clusters: int = 6, seed: int = 0, money: Money = NO_MARGIN
) -> Segmentation:
    """Segment and value every customer with an order by `as_of`.

    lines: `frames.ORDER_LINES`, in any order. money: margin and discount behind the values. The seed chooses the
    silhouette's samples and nothing else. Raises BadParameter (n_clusters outside 2…12) and NotEnoughHistory (under 10
    orders in all, or only guests). In a shop whose very first orders are younger than `as_of`, the last day with an
    order is taken instead, though it may not be over.
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
    groups = group(known, n_clusters)
    metrics = group_metrics(known, groups, np.random.default_rng(seed))
    worth = appraise(seen, shop, money)
    metrics |= {
        "n_clusters_asked": n_clusters,
        "guests": {"orders": seen.guest_orders, "spent": round(seen.guest_spent, 2)},
        "only_returns": len(seen.ids) - len(known),
        "clv": worth.clv,
    }
    return Segmentation(_frame(seen, known, groups, worth), metrics, groups, as_of, worth.beats_baseline)


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
    found = sales["order_id"].n_unique() if len(sales) else 0
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


def _frame(seen: Visits, known: pl.DataFrame, groups: Groups, worth: Worth) -> pl.DataFrame:
    recency, often, spent = (known[c].to_numpy().astype(np.float64) for c in ("recency_days", "visits", "spent"))
    numbers = {
        "customer_id": seen.ids.gather(known["row"]),
        "cluster": groups.cluster,
        "segment": groups.segment,
        "guard": groups.guard,
        "confidence": groups.confidence,
        "spent_place": (rankdata(spent, method="min") - 1) / len(spent),
        "recency_score": quintiles(-recency),
        "frequency_score": quintiles(often),
        "monetary_score": quintiles(spent),
        **worth.columns,
    }
    frame = known.with_columns(
        pl.lit(None).alias(name) if values is None else pl.Series(name, values) for name, values in numbers.items()
    )
    return frame.select([pl.col(name).cast(dtype) for name, dtype in RESULT.items()])
