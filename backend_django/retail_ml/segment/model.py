"""The whole segmentation of a shop: order lines in, one row per customer out, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory
from retail_ml.frames import Schema
from retail_ml.segment import holdout, probability, value
from retail_ml.segment.features import MONTH, Visits, features, visits
from retail_ml.segment.groups import Groups, group
from retail_ml.segment.profile import group_metrics
from retail_ml.segment.space import Array, quintiles

CLUSTERS = (2, 12)
HORIZONS = (3, 6, 12)
"""Months that a value is given for."""
DUE_WITHIN = 2.0
"""A customer more overdue than this is not expected on any day."""

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
    "value_3": pl.Float64,  # expected revenue of the next 3, 6, 12 months
    "value_6": pl.Float64,
    "value_12": pl.Float64,
    "value_lower": pl.Float64,  # of the 12 months, 80 %
    "value_upper": pl.Float64,
    "probability": pl.Float64,  # of an order within 90 days
    "expected_next": pl.Date,
}


@dataclass(frozen=True)
class Segmentation:
    """The result: `customers` (`RESULT`), `metrics` (plain JSON values) and what a later day needs (`groups`)."""

    customers: pl.DataFrame
    metrics: dict[str, Any]
    groups: Groups
    as_of: date
    beats_baseline: bool | None


def segment_customers(lines: pl.DataFrame, as_of: date, *, n_clusters: int = 6, seed: int = 0) -> Segmentation:
    """Segment and value every customer with an order by `as_of`.

    lines: `frames.ORDER_LINES`, in any order. The seed chooses the silhouette's samples and nothing else. Raises
    BadParameter (n_clusters outside 2…12) and NotEnoughHistory (under 10 orders in all, or only guests). In a shop
    whose very first orders are younger than `as_of`, the last day with an order is taken instead, though it may not
    be over.
    """
    check_clusters(n_clusters)
    as_of, seen = _seen(lines, as_of)
    known = features(seen, as_of)
    if known.is_empty():
        raise NotEnoughHistory(
            f"All {seen.guest_orders} sales are by guests or were wholly returned: there is no customer to segment. "
            "Record who buys (a customer number or an e-mail will do) and train again.",
            code="segment.no_customers",
            guests=seen.guest_orders,
        )
    groups = group(known, n_clusters)
    metrics = group_metrics(known, groups, np.random.default_rng(seed))
    worth, clv, beats = _worth(seen, known, as_of)
    clv["totals"] = {f"months_{m}": _total(worth[f"value_{m}"]) for m in HORIZONS}
    metrics |= {
        "n_clusters_asked": n_clusters,
        "guests": {"orders": seen.guest_orders, "spent": round(seen.guest_spent, 2)},
        "only_returns": len(seen.ids) - len(known),
        "clv": clv,
    }
    return Segmentation(_frame(seen, known, groups, worth, as_of), metrics, groups, as_of, beats)


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


def _worth(
    seen: Visits, known: pl.DataFrame, as_of: date
) -> tuple[dict[str, Array | None], dict[str, Any], bool | None]:
    """Values, chance and their evidence."""
    proof, chance = holdout.validate(seen, as_of), probability.learn(seen, as_of)
    worth: dict[str, Array | None] = {f"value_{m}": None for m in HORIZONS}
    worth |= {"value_lower": None, "value_upper": None, "probability": chance.of(known)}
    parameters: dict[str, Any] = {}
    if proof.method is not None and proof.band is not None:
        history = (as_of - (seen.first_day or as_of)).days
        least = np.zeros(len(known))
        for months in HORIZONS:
            window = int(min(months * MONTH, history // 3))
            expected = value.expect(proof.method, seen, known, as_of, days=months * MONTH, window=window)
            least = np.maximum(least, expected.revenue)  # a longer time never brings less
            worth[f"value_{months}"] = least
            parameters[f"window_days_{months}"] = window
        worth["value_lower"], worth["value_upper"] = proof.band.bounds(least, HORIZONS[-1] * MONTH)
        parameters |= value.rates(known)[1] | {"credibility": value.mean_visit(seen, known, as_of)[1]}
    clv = {
        "model": proof.method,
        "simple": True,  # no model of a customer's death yet
        "parameters": {name: round(number, 4) for name, number in parameters.items()},
        "holdout": _with_baseline(proof.table) or None,
        "reason": proof.reason,
        "interval": holdout.LEVEL,
        "probability": chance.receipt or None,
        "probability_reason": chance.reason,
    }
    return worth, clv, proof.beats_baseline


def _with_baseline(table: dict[str, Any]) -> dict[str, Any]:
    """The hold-out with the best naive method named (lowest RMSE of revenue)."""
    if not table:
        return {}
    methods = table["methods"]
    best = min(value.METHODS[1:], key=lambda name: methods[name]["revenue"]["rmse"])
    return {**table, "baseline": {"name": best, **methods[best]}}


def _total(values: Array | None) -> float | None:
    return None if values is None else round(float(values.sum()), 2)


def _frame(
    seen: Visits, known: pl.DataFrame, groups: Groups, worth: dict[str, Array | None], as_of: date
) -> pl.DataFrame:
    recency, often, spent = (known[c].to_numpy().astype(np.float64) for c in ("recency_days", "visits", "spent"))
    due = (pl.lit(as_of) - pl.duration(days=pl.col("recency_days"))) + pl.duration(
        days=pl.col("interval_days").round().cast(pl.Int64)
    )
    soonest = pl.lit(as_of + timedelta(days=1))
    numbers = {
        "cluster": groups.cluster,
        "segment": groups.segment,
        "guard": groups.guard,
        "confidence": groups.confidence,
        "spent_place": (rankdata(spent, method="min") - 1) / len(spent),
        "recency_score": quintiles(-recency),
        "frequency_score": quintiles(often),
        "monetary_score": quintiles(spent),
        **worth,
    }
    frame = known.with_columns(
        seen.ids.gather(known["row"]).alias("customer_id"),
        *(
            pl.lit(None, dtype=pl.Float64).alias(name) if numbers[name] is None else pl.Series(name, numbers[name])
            for name in numbers
        ),
        expected_next=pl.when(pl.col("overdue") <= DUE_WITHIN).then(pl.max_horizontal(due, soonest)),
    )
    return frame.select([pl.col(name).cast(dtype) for name, dtype in RESULT.items()])
