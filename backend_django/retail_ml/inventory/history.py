"""What each variant sold day by day, as running totals, and the plain facts of its past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.shelf import BATCH, StockDays, not_long_gone

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KEEP_DAYS = 1_000
"""Days of history kept: the oldest origin's year-ago window lies within them."""
CLOSED_SHARE, REGULAR_SHARE = 0.05, 0.8
"""Share of a weekday's dates with a sale: up to the first it is a closed weekday, from the second a regular one."""


@dataclass(frozen=True, eq=False)
class History:
    """Units of each variant and the shop's open days, as running totals over days 0…T.

    `units[i, t]` is what variant i sold before day t; `shop_open[t]` how many open days there were before t;
    `open_days` the same for the days on which a variant was there to be bought, one row for all or one for each.
    `start` is the day on which a variant came into the range (T when it has not yet).
    """

    variant_ids: npt.NDArray[np.str_]
    first_day: date
    units: Floats
    shop_open: Floats
    open_days: npt.NDArray[np.floating]
    start: Ints
    group: Ints
    excess: tuple[Ints, Floats] | None = None
    """Rows with days far beyond the usual, and running totals of what those days had too much; None: not looked at."""

    @property
    def days(self) -> int:
        """T, the number of days covered."""
        return self.units.shape[1] - 1

    def open_between(self, low: Ints, high: Ints) -> Floats:
        """Open days from `low` up to before `high`, both (N, K)."""
        if self.open_days.shape[0] == 1:
            return self.open_days[0][high] - self.open_days[0][low]
        return np.take_along_axis(self.open_days, high, 1) - np.take_along_axis(self.open_days, low, 1)

    def open_at_start(self) -> Floats:
        """Open days before each variant came into the range, (N, 1)."""
        if self.open_days.shape[0] == 1:
            return np.asarray(self.open_days[0][self.start])[:, None]
        return np.asarray(self.open_days[np.arange(len(self.start)), self.start])[:, None]

    def usual(self, at: Ints) -> Floats:
        """`units` before each day of `at` (K,), days far beyond the usual cut: (N, K)."""
        found = self.units[:, at]
        if self.excess is not None:
            found[self.excess[0]] -= self.excess[1][:, at]
        return found

    def usual_at(self, at: Ints) -> Floats:
        """The same for days of each variant's own, (N, K)."""
        found = np.take_along_axis(self.units, at, 1)
        if self.excess is not None:
            rows, excess = self.excess
            found[rows] -= np.take_along_axis(excess, at[rows], 1)
        return found

    def of(self, rows: slice | Ints) -> History:
        """Of some of the variants; days far beyond the usual are not marked."""
        own = self.open_days if self.open_days.shape[0] == 1 else self.open_days[rows]
        return History(
            self.variant_ids[rows], self.first_day, self.units[rows], self.shop_open, own, self.start[rows],
            self.group[rows],
        )  # fmt: skip

    def until(self, at: int) -> History:
        """The same history as it stood before day `at`."""
        cut = slice(0, at + 1)
        return History(
            self.variant_ids,
            self.first_day,
            self.units[:, cut],
            self.shop_open[cut],
            self.open_days[:, cut],
            np.minimum(self.start, at),
            self.group,
            None if self.excess is None else (self.excess[0], self.excess[1][:, cut]),
        )


@dataclass(eq=False)
class SellingDays:
    """On how many of its first `days` days each variant sold, and the most of one day: (N,) each.

    Kept beside a history that grows, so that no day is looked at twice.
    """

    count: Ints
    most: Floats
    days: int = 0

    @classmethod
    def none(cls, variants: int) -> SellingDays:
        """Of a history of no days."""
        return cls(np.zeros(variants, dtype=np.int64), np.full(variants, -np.inf))

    def reach(self, h: History) -> None:
        """Look at the days of `h` that are new; those before must be what they were."""
        for begin in range(0, len(self.count), BATCH):
            some = slice(begin, begin + BATCH)
            daily = np.diff(h.units[some, self.days :], axis=1)
            self.count[some] += (daily > 0).sum(axis=1)
            self.most[some] = np.maximum(self.most[some], daily.max(axis=1, initial=-np.inf))
        self.days = h.days


def without_spikes(h: History, *, times: float, selling: SellingDays | None = None) -> History:
    """`h` with the days marked on which a variant sold more than `times` its mean selling day.

    One huge order is no rate: in Online Retail II a tenth of the value is on such days. `units` stays as it was.
    `selling`: what was found in the first days of `h`, brought up to its last one; None: nothing yet.

    >>> h = History(np.array(["v"]), date(2026, 1, 1), np.array([[0, 1, 2, 3, 103.0]]), np.arange(5.0),
    ...             np.arange(5.0)[None, :], np.array([0]), np.array([0]))
    >>> without_spikes(h, times=2.0).usual(np.array([3, 4])).tolist()
    [[3.0, 54.5]]
    """
    selling = selling or SellingDays.none(len(h.units))
    selling.reach(h)
    usual = times * (h.units[:, h.days] / np.maximum(selling.count, 1))
    touched = np.flatnonzero(selling.most > usual)  # few: only theirs is worked out
    if not len(touched):
        return replace(h, excess=None)
    excess = np.maximum(np.diff(h.units[touched], axis=1) - usual[touched, None], 0.0)
    return replace(h, excess=(touched, _running(excess)))


def history(lines: pl.DataFrame, variants: pl.DataFrame, *, until: date) -> History:
    """Running totals of `lines` (`frames.ORDER_LINES`) for `variants` (`variant_id, category, created`), to `until`.

    Variants come out sorted by id. A variant counts as in the range from its first sale, or from `created` where
    that is earlier; one that was never sold and whose `created` is unknown, or later than a week after `until`
    (records written by an import), counts from the shop's first day.

    >>> lines = pl.DataFrame({"customer_id": ["7"], "variant_id": ["v"], "day": [date(2026, 1, 1)], "units": [3.0],
    ...                       "is_return": [False]})
    >>> variants = pl.DataFrame({"variant_id": ["v"], "category": [""], "created": pl.Series([None], dtype=pl.Date)})
    >>> history(lines, variants, until=date(2026, 1, 3)).units.tolist()
    [[0.0, 3.0, 3.0, 3.0]]
    """
    sold = (
        frames.net_same_day(lines)
        .filter((pl.col("units") > 0) & ~pl.col("is_return") & (pl.col("day") <= until))
        .group_by("variant_id", "day")
        .agg(pl.col("units").sum())
    )
    variants = variants.unique("variant_id").sort("variant_id")
    first = sold["day"].min()
    first_day = max(first, until - timedelta(days=KEEP_DAYS - 1)) if isinstance(first, date) else until
    days = (until - first_day).days + 1
    shop_days = np.zeros(days)
    in_time = sold.with_columns(t=(pl.col("day") - first_day).dt.total_days()).filter(pl.col("t") >= 0)
    shop_days[in_time["t"].unique().to_numpy()] = 1.0
    cells = in_time.join(variants.select("variant_id").with_row_index("i"), on="variant_id").sort("i", "t")
    units = np.zeros((len(variants), days + 1))
    units[cells["i"].to_numpy(), cells["t"].to_numpy() + 1] = cells["units"].to_numpy()
    shop_open = _running(_open(shop_days, first_day.weekday())[None, :])
    category = variants["category"].fill_null("")
    return History(
        variants["variant_id"].to_numpy().astype(str) if len(variants) else np.empty(0, "<U1"),
        first_day,
        np.cumsum(units, axis=1, out=units),  # in its place: this is the largest table of all
        shop_open[0],
        shop_open,
        _starts(sold, variants, first_day=first_day, until=until),
        category.rank("dense").fill_null(1).cast(pl.Int64).to_numpy() - 1,
    )


def behind(h: History, found: StockDays) -> History:
    """The demand behind the sales of `h`, where days without stock are known: `found` has its variants and its days.

    Days without stock count as closed for their variant (a spell beyond a quarter only for a quarter: what is not
    restocked for so long is leaving), and a day that ran out has the demand expected of it (`censoring`). Variants
    whose history is missing or not trusted stay as they are. Needs (variants, days) of memory twice.
    """
    from retail_ml.inventory import censoring

    touched = np.flatnonzero((found.out | found.ran_out).any(axis=1))
    if not len(touched):
        return h
    opened = np.diff(h.shop_open) > 0
    units = h.units.copy()
    open_days = np.repeat(h.shop_open[None, :].astype(np.float32), len(units), axis=0)
    for begin in range(0, len(touched), BATCH):
        rows = touched[begin : begin + BATCH]
        out = not_long_gone(found.out[rows])
        there = opened & ~out
        demand = censoring.demand_behind(np.diff(h.units[rows], axis=1), there, found.ran_out[rows])
        units[rows] = _running(demand)
        open_days[rows] = _running(there.astype(float))
    return replace(h, units=units, open_days=open_days)


def _running(daily: Floats) -> Floats:
    found = np.zeros((daily.shape[0], daily.shape[1] + 1))
    np.cumsum(daily, axis=1, out=found[:, 1:])
    return found


def opened_as_seen(h: History, at: int) -> Floats:
    """`shop_open` as it would be told before day `at`: which weekdays are regular, and which closed, from the days
    before it alone."""
    shop_days = (np.diff(h.units.sum(axis=0)) > 0).astype(float)
    return _running(_open(shop_days, h.first_day.weekday(), learned=at)[None, :])[0]


def _open(shop_days: Floats, first_weekday: int, *, learned: int | None = None) -> Floats:
    """Which days the shop was open: on weekdays it regularly sells, the empty days are closed days.

    The weekdays are learned from the first `learned` days (default: all).
    """
    weekday = (first_weekday + np.arange(len(shop_days))) % 7
    seen = np.bincount(weekday[:learned], minlength=7)
    share = np.bincount(weekday[:learned], weights=shop_days[:learned], minlength=7) / np.maximum(seen, 1)
    regular = (share >= REGULAR_SHARE) & (seen >= 4)
    never = (share <= CLOSED_SHARE) & (seen >= 4) & bool(regular.any())
    return np.where((regular | never)[weekday], shop_days, 1.0)


def _starts(sold: pl.DataFrame, variants: pl.DataFrame, *, first_day: date, until: date) -> Ints:
    days = (until - first_day).days + 1
    firsts = sold.group_by("variant_id").agg(first=pl.col("day").min())
    start = (
        variants.join(firsts, on="variant_id", how="left", maintain_order="left")
        .with_columns(
            known=pl.when(pl.col("created") <= until + timedelta(days=7)).then(pl.col("created")).otherwise(None)
        )
        .select(start=(pl.min_horizontal("first", "known").fill_null(first_day) - first_day).dt.total_days())
    )
    return np.clip(start["start"].to_numpy().astype(np.int64), 0, days)


def facts(h: History) -> dict[str, npt.NDArray[Any]]:
    """What is known of each variant's past: units sold, selling days, last sale, interval, class of demand.

    `sold_365`, `sold_91`, `sold_30`, `sold_7` units; `selling_days` in the last year; `days_known` open days since it
    came into the range; `idle_days` since the last sale (-1: none in the history); `interval` days between selling days
    (NaN below two); `kind` 0 smooth, 1 erratic, 2 intermittent, 3 lumpy (Syntetos, Boylan & Croston 2005), -1 unknown.
    """
    parts = [
        _facts(replace(h, units=h.units[b : b + BATCH], start=h.start[b : b + BATCH]))
        for b in range(0, max(len(h.units), 1), BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _facts(h: History) -> dict[str, npt.NDArray[Any]]:
    now, low = h.days, max(h.days - 365, 0)
    daily = np.diff(h.units[:, low:], axis=1)
    selling = daily > 0
    count = selling.sum(axis=1)
    start = np.minimum(np.maximum(h.start, low), now)
    open_ = h.shop_open[now] - h.shop_open[start]
    interval = np.divide(now - start, count, out=np.full(len(count), np.nan), where=count >= 2)
    mean = np.divide(daily.sum(axis=1), count, out=np.zeros(len(count)), where=count > 0)
    square = np.divide((daily**2).sum(axis=1), count, out=np.zeros(len(count)), where=count > 0)
    cv2 = np.divide(square - mean**2, mean**2, out=np.zeros(len(count)), where=mean > 0)
    adi = np.divide(open_, count, out=np.full(len(count), np.inf), where=count > 0)
    everything = np.diff(h.units, axis=1) > 0
    idle = np.where(everything.any(axis=1), np.argmax(everything[:, ::-1], axis=1) if now else -1, -1)
    return {
        "sold_365": daily.sum(axis=1),
        "sold_91": h.units[:, now] - h.units[:, max(now - 91, 0)],
        "sold_30": h.units[:, now] - h.units[:, max(now - 30, 0)],
        "sold_7": h.units[:, now] - h.units[:, max(now - 7, 0)],
        "selling_days": count.astype(np.int64),
        "days_known": open_,
        "range_days": (now - np.minimum(h.start, now)).astype(np.int64),
        "idle_days": idle.astype(np.int64),
        "interval": interval,
        "kind": np.where(count < 2, -1, 2 * (adi >= 1.32) + (cv2 >= 0.49)).astype(np.int64),
    }
