"""What is on its way, by the day it is expected; and when a shelf runs empty with it.

An order that is late is expected after what such lateness still means (`lead_times.residual`), with the promised
duration as the mean of its lead time. Drafts are not on their way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import lead_times, policy

Floats = npt.NDArray[np.float64]

MOST_RECEIPTS = 8
"""Deliveries per variant that are looked at apart; later ones count on the day of the last of them."""


@dataclass(frozen=True, eq=False)
class Receipts:
    """Deliveries of each variant: days from today and units, both (N, K), the nearest first; inf and 0 for none."""

    days: Floats
    units: Floats
    late_days: Floats
    """Days since the latest delivery should have come, beyond one standard deviation; 0: none is."""
    late_units: Floats
    late_number: npt.NDArray[np.object_]
    """The number of that order, "" for none."""

    @property
    def next_days(self) -> Floats:
        """Days until the first delivery, inf where nothing is on its way."""
        return self.days[:, 0] if self.days.shape[1] else np.full(len(self.days), np.inf)

    @property
    def lists(self) -> dict[str, pl.Series]:
        """`receipt_days` and `receipt_units` of each variant, as lists for a column of a table."""
        rows, places = np.nonzero(np.isfinite(self.days))
        table = pl.DataFrame(
            {"row": rows, "receipt_days": self.days[rows, places], "receipt_units": self.units[rows, places]},
            schema={"row": pl.Int64, "receipt_days": pl.Float64, "receipt_units": pl.Float64},
        )
        every = pl.DataFrame({"row": np.arange(len(self.days), dtype=np.int64)})
        lists = table.group_by("row", maintain_order=True).agg(pl.exclude("row"))
        found = every.join(lists, on="row", how="left", maintain_order="left")
        return {name: found[name].fill_null([]) for name in ("receipt_days", "receipt_units")}

    @classmethod
    def listed(cls, table: pl.DataFrame) -> Receipts:
        """The deliveries of a table with the columns of `lists`; who is late is not known."""
        n, width = len(table), int(table["receipt_days"].list.len().max() or 0)  # type: ignore[arg-type]

        def column(name: str, empty: float) -> Floats:
            parts = [table[name].list.get(k, null_on_oob=True).fill_null(empty).to_numpy() for k in range(width)]
            return np.stack(parts, axis=1) if parts else np.empty((n, 0))

        none = np.full(n, "", dtype=object)
        return cls(column("receipt_days", np.inf), column("receipt_units", 0.0), np.zeros(n), np.zeros(n), none)

    def plus(self, days: Floats, units: Floats) -> Receipts:
        """With one delivery more for each variant."""
        all_days, all_units = np.column_stack([self.days, days]), np.column_stack([self.units, units])
        order = np.argsort(all_days, axis=1, kind="stable")
        return replace(
            self,
            days=np.take_along_axis(all_days, order, axis=1),
            units=np.take_along_axis(all_units, order, axis=1),
        )

    def after(self, days: Floats) -> Receipts:
        """Those that come later than so many days from today, counted from then on."""
        later = self.days > days[:, None]
        all_days = np.where(later, self.days - days[:, None], np.inf)
        order = np.argsort(all_days, axis=1, kind="stable")
        all_units = np.where(later, self.units, 0.0)
        return replace(
            self,
            days=np.take_along_axis(all_days, order, axis=1),
            units=np.take_along_axis(all_units, order, axis=1),
        )

    def within(self, days: Floats | float) -> Floats:
        """Units that arrive in time to be sold within so many days from today."""
        return np.asarray((self.units * (self.days < np.asarray(days)[..., None])).sum(axis=1), dtype=float)


def expected(
    open_orders: pl.DataFrame, variant_ids: pl.Series, *, on_order: Floats, lead: tuple[Floats, Floats], today: date
) -> Receipts:
    """The deliveries of `variant_ids` from `open_orders` (`frames.OPEN_ORDERS`); `lead` are mean and spread in days.

    An order without a promised day is expected a lead time after it was placed. Units of `on_order` that stand in no
    open order are expected after a whole lead time.
    """
    n = len(variant_ids)
    known = pl.DataFrame(
        {"variant_id": variant_ids, "row": np.arange(n), "mean": lead[0], "sd": lead[1]},
        schema={"variant_id": pl.String, "row": pl.Int64, "mean": pl.Float64, "sd": pl.Float64},
    )
    lines = open_orders.filter(~pl.col("draft"), pl.col("units") > 0).join(known, on="variant_id")
    lines = _due(lines, today)
    listed = np.bincount(lines["row"].to_numpy(), weights=lines["units"].to_numpy(), minlength=n)
    rest = known.select("row", due=pl.col("mean"), units=pl.Series(on_order - listed, dtype=pl.Float64))
    every = pl.concat([lines.select("row", "due", "units"), rest.filter(pl.col("units") > 1e-9)])
    days, units = _matrix(every, n)
    late = lines.filter(pl.col("overdue") > pl.col("sd").clip(lower_bound=1.0)).sort("row", "overdue", descending=True)
    worst = late.group_by("row", maintain_order=True).agg(pl.col("overdue", "number").first(), pl.col("units").sum())
    late_days, late_units, number = np.zeros(n), np.zeros(n), np.full(n, "", dtype=object)
    rows = worst["row"].to_numpy()
    late_days[rows], late_units[rows] = worst["overdue"].to_numpy(), worst["units"].to_numpy()
    number[rows] = worst["number"].to_list()
    return Receipts(days, units, late_days, late_units, number)


def _due(lines: pl.DataFrame, today: date) -> pl.DataFrame:
    """`due` and `overdue` days of each order line."""
    promised = (pl.col("expected") - pl.lit(today)).dt.total_days().cast(pl.Float64)
    age = (pl.lit(today) - pl.col("ordered")).dt.total_days().cast(pl.Float64).fill_null(0.0)
    lines = lines.with_columns(age=age, promised=promised.fill_null(pl.col("mean") - age))
    elapsed = np.maximum(lines["age"].to_numpy(), -lines["promised"].to_numpy())
    waiting = lead_times.residual(elapsed, elapsed + lines["promised"].to_numpy(), lines["sd"].to_numpy())
    late = pl.Series(np.maximum(waiting, 1.0), dtype=pl.Float64)
    return lines.with_columns(
        due=pl.when(pl.col("promised") < 0).then(late).otherwise("promised"),
        overdue=(-pl.col("promised")).clip(lower_bound=0.0),
    )


def _matrix(every: pl.DataFrame, n: int) -> tuple[Floats, Floats]:
    """Days and units as (n, K), each row's deliveries by day."""
    daily = every.group_by("row", pl.col("due").round(2)).agg(pl.col("units").sum()).sort("row", "due")
    daily = daily.with_columns(k=pl.int_range(pl.len()).over("row").clip(upper_bound=MOST_RECEIPTS - 1))
    width = int(daily["k"].max()) + 1 if len(daily) else 0  # type: ignore[arg-type]
    days, units = np.full((n, width), np.inf), np.zeros((n, width))
    where = (daily["row"].to_numpy(), daily["k"].to_numpy())
    days[where] = daily["due"].to_numpy()
    np.add.at(units, where, daily["units"].to_numpy())
    return days, units


def days_until_out(daily: Floats, ratio: Floats, *, on_hand: Floats, receipts: Receipts, probability: float) -> Floats:
    """First day by which the shelf has been empty with at least this probability; NaN beyond 730 days.

    The earliest t with P(D_t ≥ on hand + deliveries before t) ≥ probability: a delivery helps only what still stands
    when it comes. Sold out means that demand has reached the stock: an empty shelf gives 0.
    """
    shelf = np.maximum(on_hand, 0.0)
    found = np.full(len(daily), np.nan)
    level, starts = shelf.copy(), np.zeros(len(daily))
    for k in range(receipts.days.shape[1] + 1):
        last = k == receipts.days.shape[1]
        ends = np.full(len(daily), np.inf) if last else np.ceil(receipts.days[:, k])
        open_ = np.flatnonzero(np.isnan(found) & (daily > 0) & (ends > starts))
        gone = _first_day(level[open_], daily[open_], ratio[open_], probability)
        gone = np.maximum(gone, starts[open_] + 1)
        hit = gone <= np.minimum(ends[open_], policy.HORIZON)
        found[open_[hit]] = gone[hit]
        if not last:
            level = level + receipts.units[:, k]
            starts = np.maximum(starts, np.where(np.isfinite(ends), ends, starts))
    return np.where((shelf <= 0) & (daily > 0), 0.0, found)


def _first_day(units: Floats, daily: Floats, ratio: Floats, probability: float) -> Floats:
    """The first day t with P(D_t ≥ units) ≥ probability, inf beyond the horizon.

    Searched from where a normal law with its skewness (Cornish-Fisher) puts it: three or four looks instead of eleven.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - probability))
    above = np.maximum(units - 0.5 - (z * z - 1) * (2 * ratio - 1) / 6, 0.0)
    root = (np.sqrt(z * z * ratio + 4 * above) - z * np.sqrt(ratio)) / 2  # of the mean demand until that day
    day = np.clip(np.round(root * root / daily), 1.0, policy.HORIZON)
    step = np.maximum(np.round(0.01 * day), 1.0)
    low, high = np.zeros(len(daily)), np.full(len(daily), policy.HORIZON + 1.0)  # not yet on low; on high, or never
    left = np.arange(len(daily))
    while len(left):
        gone = policy.probability_above(units[left] - 1, daily[left], ratio[left], days=day[left]) >= probability
        low[left], high[left] = np.where(gone, low[left], day[left]), np.where(gone, day[left], high[left])
        left = left[high[left] - low[left] > 1]
        below, over = low[left], high[left]
        between = np.where(below < 1, over - step[left], np.floor((below + over) / 2))
        between = np.where(over > policy.HORIZON, below + step[left], between)
        day[left] = np.clip(between, below + 1, over - 1)
        step[left] *= 3
    return np.where(high > policy.HORIZON, np.inf, high)


def projected(
    stock: float, law: tuple[float, float], *, coming: list[tuple[float, float]], days: int
) -> tuple[Floats, Floats, Floats]:
    """Stock expected on the evening of each day, what nine of ten times is exceeded, and what arrives on it.

    `law` is units a day and variance over mean; `coming` days from today and units. Demand that finds nothing is lost:
    after a delivery the shelf goes on from what was expected to be left. `days` may be any number.

    >>> expected, lower, arriving = projected(3.0, (1.0, 1.02), coming=[(4.0, 10.0)], days=6)
    >>> expected.round(1).tolist(), arriving.tolist()
    ([2.0, 1.2, 0.7, 0.4, 9.4, 8.4], [0.0, 0.0, 0.0, 0.0, 10.0, 0.0])
    """
    arriving = np.zeros(days)
    for when, units in coming:
        if when < days:
            arriving[int(when)] += units
    daily, ratio = np.full(days, law[0]), np.full(days, law[1])
    ahead = np.arange(1.0, days + 1)
    most = policy.demand_quantile(0.9, daily, ratio, days=ahead)
    expected, level = np.empty(days), stock
    starts = [0, *(np.flatnonzero(arriving[1:]) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], days], strict=True):
        if end == start:  # no day at all
            continue
        level = (expected[start - 1] if start else level) + arriving[start]
        since = ahead[: end - start]
        short = policy.units_short(np.full(end - start, level), daily[start:end], ratio[start:end], days=since)
        expected[start:end] = np.maximum(level - law[0] * since + short, 0.0)
    lower = np.minimum(np.maximum(stock + np.cumsum(arriving) - most, 0.0), expected)
    return expected, lower, arriving
