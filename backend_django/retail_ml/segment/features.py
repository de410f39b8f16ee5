"""What is known of each customer as of a day: recency, orders, spend, tenure, rhythm.

A *visit* is one customer's business day with at least one order: two orders on a day are one visit, so that an
order split at the till does not look like loyalty. `orders` counts orders as the shop does, for display; the
mathematics uses visits. Money is summed in whole ten-thousandths, so that the order of the rows cannot change a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from retail_ml.frames import MONEY, Schema, net_same_day

MONTH = 365.25 / 12
"""Days in a month."""
INTERVAL_FLOOR = 14
"""Days: a rhythm quicker than this is taken as this when asking whether a customer is overdue."""

FEATURES: Schema = {  # one row per customer with at least one order, in the order of `row`
    "row": pl.Int32,  # position in `Visits.ids`
    "recency_days": pl.Int32,  # days from the last order to the as-of day
    "tenure_days": pl.Int32,  # days from the first order to the as-of day
    "orders": pl.Int32,
    "visits": pl.Int32,  # days with an order
    "spent": pl.Float64,  # net of returns; may be zero or negative
    "avg_order_value": pl.Float64,  # spent / orders
    "monthly": pl.Float64,  # orders a month since the first one (a month at least)
    "interval_days": pl.Float64,  # mean gap between visits; null with one visit
    "overdue": pl.Float64,  # recency / interval (14 days at least); null with one visit
}


@dataclass(frozen=True)
class Visits:
    """All customers' days, once, in numbers: what every feature and every back-test is computed from.

    `ids`: the customers' ids, sorted. `days`: one row per customer and day with an order or a return, sorted:
    `row` (position in `ids`), `day`, `orders` (0: only a return), `money` (net, ten-thousandths), `first`
    (is it the customer's first visit?). `guest_orders`, `guest_money`: what no customer can be given.
    """

    ids: pl.Series
    days: pl.DataFrame
    guest_orders: int
    guest_spent: float

    @property
    def first_day(self) -> date | None:
        """The first day with an order of a known customer."""
        first: date | None = self.days.filter(pl.col("orders") > 0)["day"].min()  # type: ignore[assignment]
        return first


def visits(lines: pl.DataFrame, until: date) -> Visits:
    """The visits up to and with the day `until`.

    lines: `frames.ORDER_LINES` or `daily.CUSTOMER_DAYS`. Lines wholly reversed on their day are left out
    (`frames.net_same_day`); guests (no customer id) are counted apart.

    >>> from datetime import date
    >>> lines = pl.DataFrame({"order_id": ["1", "2", "3"], "customer_id": ["b", "a", None], "variant_id": ["v"] * 3,
    ...     "day": [date(2026, 1, 2)] * 3, "units": [1.0] * 3, "amount": [5.5, 7.0, 9.0], "is_return": [False] * 3})
    >>> found = visits(lines, date(2026, 1, 31))
    >>> found.ids.to_list(), found.days["money"].to_list(), found.guest_orders, found.guest_spent
    (['a', 'b'], [70000, 55000], 1, 9.0)
    """
    lines = net_same_day(lines.filter(pl.col("day") <= until))
    lines = lines.with_columns(money=(pl.col("amount") * MONEY).round().cast(pl.Int64))
    if "orders" in lines.columns:
        orders = pl.col("orders").sum()
    else:
        orders = pl.when(~pl.col("is_return")).then(pl.col("order_id")).drop_nulls().n_unique()
    guests = lines.filter(pl.col("customer_id").is_null())
    guest_orders, guest_money = guests.select(orders, money=pl.col("money").sum()).row(0)
    known = lines.filter(pl.col("customer_id").is_not_null())
    days = (
        known.group_by("customer_id", "day")
        .agg(orders=orders.cast(pl.Int32), money=pl.col("money").sum())
        .sort("customer_id", "day")
    )
    ids = days["customer_id"].unique(maintain_order=True)
    days = days.with_columns(row=(pl.col("customer_id").rle_id()).cast(pl.Int32))
    sale = pl.col("orders") > 0
    first = sale & (sale.cast(pl.Int32).cum_sum().over("row") == 1)
    days = days.select("row", "day", "orders", "money", first=first)
    return Visits(ids, days, int(guest_orders), guest_money / MONEY)


def features(seen: Visits, as_of: date) -> pl.DataFrame:
    """`FEATURES` as of the day `as_of`: nothing after it is looked at.

    Customers without an order by then (none yet, or only returns) have no row. The usual interval is the mean gap
    between visits, (last - first) / (visits - 1).

    >>> from datetime import date
    >>> lines = pl.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"], "variant_id": ["v"] * 2,
    ...     "day": [date(2026, 1, 1), date(2026, 1, 31)], "units": [1.0] * 2, "amount": [5.0, 7.0],
    ...     "is_return": [False] * 2})
    >>> features(visits(lines, date(2026, 3, 2)), date(2026, 3, 2)).select(
    ...     "recency_days", "visits", "spent", "interval_days", "overdue").row(0)
    (30, 2, 12.0, 30.0, 1.0)
    """
    sale_day = pl.when(pl.col("orders") > 0).then(pl.col("day"))
    found = (
        seen.days.lazy()
        .filter(pl.col("day") <= as_of)
        .group_by("row")
        .agg(
            last=sale_day.max(),
            begun=sale_day.min(),
            orders=pl.col("orders").sum().cast(pl.Int32),
            visits=(pl.col("orders") > 0).sum().cast(pl.Int32),
            money=pl.col("money").sum(),
        )
        .filter(pl.col("visits") > 0)
        .sort("row")
    )
    return _figures(found, as_of).collect()


def _figures(found: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """`FEATURES` from the first and last day, orders, visits and money of each customer."""
    found = found.with_columns(
        recency_days=(pl.lit(as_of) - pl.col("last")).dt.total_days().cast(pl.Int32),
        tenure_days=(pl.lit(as_of) - pl.col("begun")).dt.total_days().cast(pl.Int32),
        spent=pl.col("money") / MONEY,
        interval_days=pl.when(pl.col("visits") > 1).then(
            (pl.col("last") - pl.col("begun")).dt.total_days() / (pl.col("visits") - 1)
        ),
    )
    return (
        found.with_columns(
            avg_order_value=pl.col("spent") / pl.col("orders"),
            monthly=pl.col("orders") * MONTH / pl.max_horizontal(pl.col("tenure_days"), pl.lit(MONTH)),
            overdue=pl.col("recency_days") / pl.max_horizontal(pl.col("interval_days"), pl.lit(INTERVAL_FLOOR)),
        )
        .with_columns(overdue=pl.when(pl.col("visits") > 1).then(pl.col("overdue")))
        .select([pl.col(name).cast(dtype) for name, dtype in FEATURES.items()])
    )


def bought_between(seen: Visits, known: pl.DataFrame, after: date, until: date) -> pl.DataFrame:
    """What the customers of `known` (its `row`s, in its order) bought in the days after `after`, up to `until`.

    Columns `row, visits, repeats` (visits that were not the customer's first), `spent` (net, at least 0),
    `spent_repeats`; zero where nothing was bought.
    """
    window = seen.days.filter(pl.col("day").is_between(after, until, closed="right"))
    row, money = window["row"].to_numpy(), window["money"].to_numpy()
    sale, repeat = window["orders"].to_numpy() > 0, ~window["first"].to_numpy()
    mine, places = known["row"].to_numpy(), len(seen.ids)

    def counted(which: np.ndarray, *, spent: bool) -> np.ndarray:  # whole numbers below 2^53: any order, same sum
        found = np.bincount(row[which], weights=money[which] if spent else None, minlength=places)[mine]
        return np.maximum(found, 0.0) / (MONEY if spent else 1)

    return pl.DataFrame(
        {
            "row": known["row"],
            "visits": counted(sale, spent=False),
            "repeats": counted(sale & repeat, spent=False),
            "spent": counted(np.ones(len(row), dtype=bool), spent=True),
            "spent_repeats": counted(repeat, spent=True),
        }
    )


def days_before(day: date, days: float) -> date:
    """The day so many days earlier.

    >>> from datetime import date
    >>> days_before(date(2026, 3, 1), 1)
    datetime.date(2026, 2, 28)
    """
    return day - timedelta(days=int(days))
