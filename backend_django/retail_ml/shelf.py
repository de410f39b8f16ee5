"""Days without stock: found by walking back from the shelf.

A day on which nothing was on the shelf says nothing about demand: it is missing, not zero. A day on which the last
unit went says "at least so many": it is censored. Which days those were: the units on hand now, less every change that
came later. The forecast and the inventory both stand on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOLERATED = 0.05
"""Share of a variant's days below zero, or of its selling days without stock, that its history may hold."""
MOST_UNTRUSTED = 0.20
"""Share of variants whose history contradicts itself or the sales from which the whole history is refused."""
LEAVING = 91
"""Days without stock after which a variant is taken to be leaving the range: its silence counts again."""
SHELF_OF_A_DAY = ("opening", "highest", "lowest", "closing")
BATCH = 4_000
"""Variants that are laid out by day at the same time."""


@dataclass(frozen=True, eq=False)
class StockDays:
    """What was on the shelf: masks of (series, days), series as in `ids`, ascending; the first day is `start`.

    `out`: nothing to sell from morning to night. `ran_out`: something was there and went to the last unit; such a
    day's sales are a lower bound. `trusted` (series,): False where there is no history or it contradicts itself; such
    rows hold False throughout. `counts`: how many variants were looked at and what was wrong. `refused`: too many
    contradict; nothing is trusted.
    """

    ids: npt.NDArray[np.str_]
    start: date
    out: Bools
    ran_out: Bools
    trusted: Bools
    counts: dict[str, int]
    refused: bool

    def there(self, rows: Ints, days: slice) -> npt.NDArray[np.float32]:
        """How much of each day the series `rows` were on the shelf: 1, ½ on a day that ran out, or 0."""
        return np.where(self.out[rows, days], 0.0, 1.0 - 0.5 * self.ran_out[rows, days]).astype(np.float32)


def walk_back(
    stock_history: pl.DataFrame,
    stock: pl.DataFrame,
    lines: pl.DataFrame,
    *,
    ids: npt.NDArray[np.str_],
    start: date,
    days: int,
) -> StockDays:
    """The days without stock of the variants `ids` (ascending), from `frames.STOCK_HISTORY`, STOCK and ORDER_LINES.

    Stock after a change = on hand now − all later changes. A variant whose first recorded change finds nothing was
    not in the range before; one that had stock then is taken to be there. A variant is not trusted when it is below
    zero on more than 5 % of the days since its first change, or sold on more than 5 % of its selling days while
    nothing was there; when that is more than a fifth of the variants with a history, all are refused.

    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, d, 9, tzinfo=UTC) for d in (1, 3, 6)]
    >>> changes = pl.DataFrame({"variant_id": ["v"] * 3, "at": at, "day": [a.date() for a in at],
    ...                         "units": [2.0, -2.0, 5.0], "kind": ["receipt", "sale", "receipt"]})
    >>> shelf = pl.DataFrame({"variant_id": ["v"], "on_hand": [5.0]})
    >>> sold = pl.DataFrame({"variant_id": ["v"], "day": [date(2026, 1, 3)], "units": [2.0], "is_return": [False]})
    >>> found = walk_back(changes, shelf, sold, ids=np.array(["v"]), start=date(2026, 1, 1), days=7)
    >>> found.out.astype(int).tolist(), found.ran_out.astype(int).tolist()
    ([[0, 0, 0, 1, 1, 0, 0]], [[0, 0, 1, 0, 0, 0, 0]])
    """
    levels = _levels(stock_history, stock, ids, start=start)
    sold = _sold(lines, ids, start=start, days=days)
    out, ran_out = _masks(levels, sold, shape=(len(ids), days))
    known = np.zeros(len(ids), dtype=bool)
    known[levels["row"].unique().to_numpy()] = True
    negative = _negative(levels, len(ids), days=days)
    selling = np.bincount(sold[0], minlength=len(ids))
    while_out = np.bincount(sold[0], weights=out[sold], minlength=len(ids))
    contradicts = while_out > TOLERATED * selling
    untrusted = known & (negative | contradicts)
    refused = bool(untrusted.sum() > MOST_UNTRUSTED * max(int(known.sum()), 1))
    trusted = known & ~untrusted & (not refused)
    out &= trusted[:, None]
    ran_out &= trusted[:, None]
    out[sold] = False  # the little that is tolerated: what was sold was there
    counts = {
        "variants": len(ids),
        "with_history": int(known.sum()),
        "below_zero": int((known & negative).sum()),
        "sold_without_stock": int((known & contradicts).sum()),
        "trusted": int(trusted.sum()),
    }
    return StockDays(ids, start, out, ran_out, trusted, counts, refused)


def _levels(
    stock_history: pl.DataFrame, stock: pl.DataFrame, ids: npt.NDArray[np.str_], *, start: date
) -> pl.DataFrame:
    """One row per variant and day with a change: row, t (days since start), opening, highest, lowest, closing."""
    index = frames.IdMap(ids)
    shelf = pl.DataFrame({"row": index.internal(stock["variant_id"]), "on_hand": stock["on_hand"]})
    moves = stock_history.select(
        "at", t=(pl.col("day") - start).dt.total_days(), units="units", row=index.internal(stock_history["variant_id"])
    )
    moves = moves.join(shelf.filter(pl.col("row") >= 0), on="row").sort("row", "at")
    if moves.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "t": pl.Int64, **dict.fromkeys(SHELF_OF_A_DAY, pl.Float64)})
    begins = _begins(moves["row"], moves["at"])  # what is of one moment is one change
    units, moments = np.add.reduceat(moves["units"].to_numpy(), begins), moves[begins]
    row = moments["row"].to_numpy()
    first = np.diff(row, prepend=-1) != 0
    variant, running = np.cumsum(first) - 1, np.cumsum(units)
    total = np.append(running[np.flatnonzero(first)[1:] - 1], running[-1])[variant]
    after = np.round(moments["on_hand"].to_numpy() - (total - running), frames.DECIMALS)
    days = _begins(moments["row"], moments["t"])
    found = (
        np.round((after - units)[days], frames.DECIMALS),
        np.maximum.reduceat(after, days),
        np.minimum.reduceat(after, days),
        after[np.append(days[1:], len(after)) - 1],
    )
    return (
        moments[days]
        .select("row", "t")
        .with_columns(pl.Series(name, values) for name, values in zip(SHELF_OF_A_DAY, found, strict=True))
    )


def _begins(*columns: pl.Series) -> Ints:
    """Where in a sorted table that is not empty another combination of values begins."""
    new = np.zeros(len(columns[0]), dtype=bool)
    for column in columns:
        values = column.to_physical().to_numpy()
        new[1:] |= values[1:] != values[:-1]
    new[0] = True
    return np.flatnonzero(new)


def _sold(lines: pl.DataFrame, ids: npt.NDArray[np.str_], *, start: date, days: int) -> tuple[Ints, Ints]:
    """Row and day of every day on which a variant was sold."""
    sold = lines.filter((pl.col("units") > 0) & ~pl.col("is_return"))
    row = frames.IdMap(ids).internal(sold["variant_id"])
    t = (sold["day"] - start).dt.total_days().to_numpy().astype(np.int64)
    inside = (row >= 0) & (t >= 0) & (t < days)
    table = np.zeros((len(ids), days), dtype=bool)
    table[row[inside], t[inside]] = True
    found: tuple[Ints, Ints] = np.nonzero(table)  # type: ignore[assignment]
    return found


def _masks(levels: pl.DataFrame, sold: tuple[Ints, Ints], *, shape: tuple[int, int]) -> tuple[Bools, Bools]:
    """Days out, and days that ran out; between two changes the shelf stays as it was."""
    variants, days = shape
    row, t = levels["row"].to_numpy(), levels["t"].to_numpy().astype(np.int64)
    opening, closing = levels["opening"].to_numpy(), levels["closing"].to_numpy()
    state = np.zeros((variants, days + 1), dtype=np.int8)  # first as changes, then as running totals: 1 is out
    first = np.diff(row, prepend=-1) != 0
    earliest = np.full(variants, days, dtype=np.int64)
    np.minimum.at(earliest, sold[0], sold[1])
    not_yet = first & (opening <= 0) & (earliest[row] >= t)
    state[row[not_yet], 0] = 1
    before = np.where(first, not_yet, np.concatenate([[False], closing[:-1] <= 0])).astype(np.int8)
    change = (closing <= 0).astype(np.int8) - before
    np.add.at(state, (row, np.clip(t + 1, 0, days)), change)
    out = np.cumsum(state, axis=1, dtype=np.int8)[:, :days] > 0
    inside = (t >= 0) & (t < days)
    row, t, levels = row[inside], t[inside], levels.filter(pl.Series(inside, dtype=pl.Boolean))
    was_there = (levels["opening"].to_numpy() > 0) | (levels["highest"].to_numpy() > 0)
    out[row, t] = ~was_there
    ran_out = np.zeros(shape, dtype=bool)
    ran_out[row, t] = was_there & (levels["lowest"].to_numpy() <= 0)
    return out, ran_out


def _negative(levels: pl.DataFrame, variants: int, *, days: int) -> Bools:
    """Variants below zero on more than TOLERATED of the days since their first change."""
    t = levels["t"].clip(0, days).to_numpy()
    row = levels["row"].to_numpy()
    last = np.diff(row, append=-1) != 0
    spans = np.where(last, days, np.append(t[1:], days)) - t
    below = np.bincount(row, weights=spans * (levels["closing"].to_numpy() < 0), minlength=variants)
    covered = np.bincount(row, weights=spans, minlength=variants)
    return np.asarray(below > TOLERATED * covered)


def at_night(
    stock_history: pl.DataFrame, stock: pl.DataFrame, *, ids: npt.NDArray[np.str_], start: date, days: int
) -> npt.NDArray[np.float32]:
    """Units on the shelf at the end of each of `days` days from `start`, (variants, days); below zero counts as none.

    What is there now, less every change that came later. A variant without a recorded change is taken to have had
    always what it has now.

    >>> changes = pl.DataFrame({"variant_id": ["v", "v"], "day": [date(2026, 1, 1), date(2026, 1, 3)],
    ...                         "units": [4.0, -1.0]})
    >>> now = pl.DataFrame({"variant_id": ["v"], "on_hand": [3.0]})
    >>> at_night(changes, now, ids=np.array(["v"]), start=date(2026, 1, 1), days=3).tolist()
    [[4.0, 4.0, 3.0]]
    """
    rows = frames.IdMap(ids).internal(stock["variant_id"])
    now = np.zeros(len(ids), dtype=np.float32)
    now[rows[rows >= 0]] = stock["on_hand"].to_numpy()[rows >= 0]
    row = frames.IdMap(ids).internal(stock_history["variant_id"])
    t = (stock_history["day"] - start).dt.total_days().to_numpy().astype(np.int64)
    known = (row >= 0) & (t > 0)
    later = np.zeros((len(ids), days + 1), dtype=np.float32)  # [t]: changes on day t; the last column: after them all
    np.add.at(later, (row[known], np.minimum(t[known], days)), stock_history["units"].to_numpy()[known])
    after = np.cumsum(later[:, :0:-1], axis=1, dtype=np.float32)[:, ::-1]
    return np.maximum(now[:, None] - after, 0)


def not_long_gone(out: Bools, *, most: int = LEAVING) -> Bools:
    """`out` without the days beyond the first `most` of each spell: what is not restocked for so long is leaving.

    The spell before the first day with stock stays whole: the variant was not in the range yet.

    >>> not_long_gone(np.array([[True, False, True, True, True]]), most=2).tolist()
    [[True, False, True, True, False]]
    """
    found = np.empty_like(out)
    day = np.arange(out.shape[1], dtype=np.int32)
    for begin in range(0, len(out), BATCH):
        some = out[begin : begin + BATCH]
        last_there = np.maximum.accumulate(np.where(some, np.int32(-1), day), axis=1)
        found[begin : begin + BATCH] = some & ((last_there < 0) | (day - last_there <= most))
    return found
