"""Values, chances and next days of all customers as of a day, with their evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from retail_ml.segment import holdout, probability
from retail_ml.segment.features import MONTH, Visits, days_before
from retail_ml.segment.past import LEVEL, Past
from retail_ml.segment.space import Array
from retail_ml.segment.value import MODEL, NAIVE, Shop, flat_discount

WINDOWS = {3: 90, 6: 180, 12: 360}
"""Months that a value is given for, and the days of the past that each is learnt from (less where history is short)."""
DISCOUNT = 0.01
"""Discount a month."""
DUE_WITHIN = 2.0
"""A customer more overdue than this is not expected on any day by his rhythm."""
FARTHEST = 365
"""Days ahead that a next order is given for, at most."""
EARLY, EVEN = 0.25, 0.5
"""Probabilities with which the next order has come by the two days that are told."""
VALUES = tuple(name for m in WINDOWS for name in (f"orders_{m}", f"value_{m}", f"value_{m}_lower", f"value_{m}_upper"))


@dataclass(frozen=True)
class Money:
    """The shop's margin over revenue (None: unknown), the revenue whose cost is known, and the discount a month."""

    margin: float | None = None
    margin_covers: float = 0.0
    discount: float = DISCOUNT


@dataclass(frozen=True)
class Worth:
    """`columns`: by name, in the order of `Shop.known`; None: not given. `clv`: the metrics."""

    columns: dict[str, pl.Series | None]
    clv: dict[str, Any]
    beats_baseline: bool | None


def appraise(seen: Visits, shop: Shop, money: Money) -> Worth:
    """Everything the shop's customers are expected to do, and how well that was foretold in the past.

    Columns: `VALUES` (orders; discounted revenue and its bounds), `alive`, `probability`, `chance_band`,
    `expected_early` and `expected_next` (days by which the next order has come with 25 % and 50 %; from the customer's
    own rhythm, and no early one, where the model has not proved itself).
    """
    past, as_of = Past(seen), shop.as_of
    proof, chance = holdout.validate(past, as_of), probability.learn(past, as_of)
    numbers: dict[str, Array | None] = dict.fromkeys(VALUES)
    parameters: dict[str, Any] = {}
    if proof.method is not None:
        numbers, parameters = _values(past, shop, proof.method, money.discount)
    numbers["probability"] = chance.of(shop)
    numbers["alive"] = shop.buying.alive(shop.history) if chance.given else None
    band = chance.band(shop)
    totals = _totals(numbers, money)
    columns: dict[str, pl.Series | None] = {}
    while numbers:  # a million customers' numbers are not wanted twice
        name, values = numbers.popitem()
        columns[name] = None if values is None else pl.Series(values)
    columns |= {"chance_band": None if band is None else pl.Series(band), "expected_early": None}
    columns["expected_next"] = rhythm(shop.known, as_of)
    if chance.given:
        columns |= {"expected_early": next_day(shop, EARLY), "expected_next": next_day(shop, EVEN)}
    clv = {
        "model": proof.method,
        "parameters": parameters,
        "holdout": _with_baseline(proof.table) or None,
        "reason": proof.reason,
        "interval": LEVEL,
        "probability": chance.receipt or None,
        "probability_reason": chance.reason,
        "next_order": _tested_days(past, as_of) if chance.given else None,
    }
    return Worth(columns, clv | totals, proof.beats_baseline)


def _values(past: Past, shop: Shop, method: str, discount: float) -> tuple[dict[str, Array | None], dict[str, Any]]:
    """`VALUES`, and the parameters behind them."""
    found: dict[str, Array | None] = dict.fromkeys(VALUES)
    shares, lengths = {}, {}
    orders = least = np.zeros(len(shop.known))
    for months, longest in WINDOWS.items():
        days, window = months * MONTH, max(past.window(shop.as_of, longest), 1)
        share = past.own_share(shop.as_of, window)
        expected = shop.expect(method, days=days, window=past.reach(shop.as_of, longest), share=share)
        factor = present_value(shop, method, months=months, share=share, rate=discount)
        orders = np.maximum(orders, expected.orders)
        least = np.maximum(least, expected.revenue * factor)  # a longer time never brings less
        found |= {f"orders_{months}": orders, f"value_{months}": least}
        band = past.band(method, shop.as_of, window=window, share=share)
        if band is not None:
            lower, upper = band.bounds(expected.revenue, days)
            found[f"value_{months}_lower"] = np.minimum(lower * factor, least)
            found[f"value_{months}_upper"] = np.maximum(upper * factor, least)
        shares[str(months)], lengths[str(months)] = share, window
    return found, {"own_share": shares, "window_days": lengths, **_fitted(shop)}


def present_value(shop: Shop, method: str, *, months: int, share: float, rate: float) -> Array | float:
    """The factor that discounts each customer's revenue of so many months."""
    flat = flat_discount(months, rate)
    if method in NAIVE:
        return flat
    model = shop.buying.discount(shop.history, MONTH * np.arange(1.0, months + 1), rate)
    return model if method == MODEL else (1 - share) * model + share * flat


def _fitted(shop: Shop) -> dict[str, Any]:
    buying, spending = shop.buying, shop.spending
    found: dict[str, Any] = {
        "buying": {name: round(getattr(buying, name), 6) for name in ("r", "alpha", "a", "b")},
        "log_likelihood": round(buying.log_likelihood, 4),
        "prior": buying.prior,
    }
    if spending is not None:
        found["spending"] = {name: round(getattr(spending, name), 6) for name in ("p", "q", "v")}
    return found


def rhythm(known: pl.DataFrame, as_of: date) -> pl.Series:
    """The day of the next order by the customer's own mean interval, from tomorrow on; null with one visit, or when
    more than twice as late as that.

    >>> known = pl.DataFrame({"recency_days": [10, 70], "interval_days": [30.0, 30.0], "overdue": [0.33, 2.33]})
    >>> rhythm(known, date(2026, 6, 30)).to_list()
    [datetime.date(2026, 7, 20), None]
    """
    wait = (pl.col("interval_days").round() - pl.col("recency_days")).clip(lower_bound=1).cast(pl.Int64)
    day = pl.when(pl.col("overdue") <= DUE_WITHIN).then(pl.lit(as_of) + pl.duration(days=wait))
    return known.select(day=day.cast(pl.Date))["day"]


def next_day(shop: Shop, share: float) -> pl.Series:
    """The day by which the next order has come with the probability `share`; null where that is over a year away."""
    wait = np.maximum(np.ceil(shop.buying.time_until(shop.history, share)), 1.0)
    frame = pl.DataFrame({"wait": np.where(wait <= FARTHEST, wait, 0.0)})
    day = pl.lit(shop.as_of) + pl.duration(days=pl.col("wait").cast(pl.Int64))
    return frame.select(day=pl.when(pl.col("wait") > 0).then(day).cast(pl.Date))["day"]


def share_come(past: Past, told: pl.Series, on: date, until: date) -> tuple[int, float | None]:
    """Of the customers whose day, told on `on`, was over by `until`: how many, and the share that had come by then."""
    later = past.seen.days.lazy().filter((pl.col("orders") > 0) & (pl.col("day") > on))
    first = later.group_by("row").agg(came=pl.col("day").min())
    known = past.at(on).known.lazy().select("row", told=pl.lit(told))
    joined = known.join(first, on="row", how="left").filter(pl.col("told") <= until)
    judged, share = joined.select(pl.len(), (pl.col("came") <= pl.col("told")).fill_null(False).mean()).collect().row(0)
    return judged, share


def _tested_days(past: Past, as_of: date) -> dict[str, Any]:
    """How many had really come by their days, told 180 days ago (or a third of the history)."""
    days = min(holdout.LONGEST, past.history(as_of) // 3)
    then = days_before(as_of, days)
    out: dict[str, Any] = {"days": days}
    for name, chance in (("early", EARLY), ("even", EVEN)):
        judged, share = share_come(past, next_day(past.at(then), chance), then, as_of)
        out[name] = {"promised": chance, "customers": judged, "came": None if share is None else round(share, 4)}
    return out


def _totals(numbers: dict[str, Array | None], money: Money) -> dict[str, Any]:
    """The sums of all customers' values, as revenue and as margin, and what was assumed."""
    revenue: dict[str, float | None] = {}
    margin: dict[str, float | None] = {}
    for months in WINDOWS:
        values = numbers[f"value_{months}"]
        total = None if values is None else round(float(values.sum()), 2)
        revenue[f"months_{months}"] = total
        known = total is not None and money.margin is not None
        margin[f"months_{months}"] = round(total * money.margin, 2) if known else None  # type: ignore[operator]
    share = None if money.margin is None else round(money.margin, 4)
    return {
        "totals": revenue,
        "margin_totals": margin,
        "margin": {"share": share, "revenue_covered": round(money.margin_covers, 4)},
        "discount_monthly": money.discount,
    }


def _with_baseline(table: dict[str, Any]) -> dict[str, Any]:
    """The hold-out with the best naive method named (lowest RMSE of revenue)."""
    if not table:
        return {}
    methods = table["methods"]
    best = min(NAIVE, key=lambda name: methods[name]["revenue"]["rmse"])
    return {**table, "baseline": {"name": best, **methods[best]}}
