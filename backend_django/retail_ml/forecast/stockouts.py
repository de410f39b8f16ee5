"""Days without stock: found by walking back from the shelf, and demand corrected for them.

A day on which nothing was on the shelf says nothing about demand: it is missing, not zero. A day on which the last
unit went says "at least so many": it is censored. Sales alone are too low in both cases.

Which days: the units on hand now, less every change that came later (`walk_back`). How much: the rate of a negative
binomial demand with censored days, by expectation and maximisation (`censored_rates`; Dempster, Laird & Rubin 1977;
for lost sales Conrad 1976, Nahmias 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import betainc, gammainc

from retail_ml import frames

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOLERATED = 0.05
"""Share of a variant's days below zero, or of its selling days without stock, that its history may hold."""
MOST_UNTRUSTED = 0.20
"""Share of variants whose history contradicts itself or the sales from which the whole history is refused."""
ROUNDS = 200
CLOSE = 1e-5
"""Relative change of a rate at which the iteration stops."""
SHAPE_WEIGHT = 20.0
"""Selling days of the pooled shape that are added to each series' own."""
SHAPES = (0.02, 1e5)


# --- which days ----------------------------------------------------------------------------------


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

    def until(self, days: int) -> StockDays:
        """The first `days` days, copied."""
        out, ran_out = self.out[:, :days].copy(), self.ran_out[:, :days].copy()
        return StockDays(self.ids, self.start, out, ran_out, self.trusted, self.counts, self.refused)


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
    shelf = stock.select("variant_id", "on_hand").with_columns(
        row=pl.Series(frames.IdMap(ids).internal(stock["variant_id"]))
    )
    moments = stock_history.group_by("variant_id", "at", "day").agg(pl.col("units").sum())
    moments = moments.join(shelf.filter(pl.col("row") >= 0), on="variant_id").sort("row", "at")
    later = pl.col("units").sum().over("row") - pl.col("units").cum_sum().over("row")
    moments = moments.with_columns(after=(pl.col("on_hand") - later).round(frames.DECIMALS))
    return (
        moments.group_by("row", "day")
        .agg(
            opening=(pl.col("after") - pl.col("units")).first().round(frames.DECIMALS),
            highest=pl.col("after").max(),
            lowest=pl.col("after").min(),
            closing=pl.col("after").last(),
        )
        .with_columns(t=(pl.col("day") - start).dt.total_days())
        .sort("row", "t")
    )


def _sold(lines: pl.DataFrame, ids: npt.NDArray[np.str_], *, start: date, days: int) -> tuple[Ints, Ints]:
    """Row and day of every day on which a variant was sold."""
    sold = lines.filter((pl.col("units") > 0) & ~pl.col("is_return")).select("variant_id", "day").unique()
    row = frames.IdMap(ids).internal(sold["variant_id"])
    t = (sold["day"] - start).dt.total_days().to_numpy().astype(np.int64)
    inside = (row >= 0) & (t >= 0) & (t < days)
    return row[inside], t[inside]


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


def products(found: StockDays, product_row: Ints, *, ids: npt.NDArray[np.str_]) -> StockDays:
    """The same for products: out when all variants are out, ran out when the last variants that were there did.

    `product_row` (variants,) is the row in `ids` of each variant's product, −1: none. A product with a variant that
    is not trusted is not trusted.

    >>> two = StockDays(np.array(["a", "b"]), date(2026, 1, 1), np.array([[True, True, False], [False, True, True]]),
    ...     np.array([[False, False, False], [True, False, False]]), np.array([True, True]), {}, False)
    >>> both = products(two, np.array([0, 0]), ids=np.array(["p"]))
    >>> both.out.tolist(), both.ran_out.tolist()
    ([[False, True, False]], [[True, False, False]])
    """
    shape = (len(ids), found.out.shape[1])
    out, gone, trusted = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(len(ids), bool)
    order = np.argsort(product_row, kind="stable")
    order = order[product_row[order] >= 0]
    if len(order):
        rows, begins = np.unique(product_row[order], return_index=True)
        out[rows] = np.logical_and.reduceat(found.out[order], begins, axis=0)
        gone[rows] = np.logical_and.reduceat((found.out | found.ran_out)[order], begins, axis=0)
        trusted[rows] = np.logical_and.reduceat(found.trusted[order], begins)
    return StockDays(ids, found.start, out, gone & ~out, trusted, found.counts, found.refused)


def available_share(found: StockDays, product_row: Ints, share: Floats, *, products: int) -> npt.NDArray[np.float32]:
    """Share of each product's demand whose variant was on the shelf, (products, days): an `exposure` for rates.

    `share` (variants,) adds up to one within a product. A day on which a variant ran out counts as half.

    >>> one = StockDays(np.array(["a", "b"]), date(2026, 1, 1), np.array([[True], [False]]),
    ...     np.zeros((2, 1), bool), np.array([True, True]), {}, False)
    >>> available_share(one, np.array([0, 0]), np.array([0.25, 0.75]), products=1).tolist()
    [[0.75]]
    """
    there = np.zeros((products, found.out.shape[1]), dtype=np.float32)
    order = np.argsort(product_row, kind="stable")
    order = order[product_row[order] >= 0]
    if len(order):
        rows, begins = np.unique(product_row[order], return_index=True)
        on_shelf = 1 - found.out[order].astype(np.float32) - 0.5 * found.ran_out[order]
        there[rows] = np.add.reduceat(on_shelf * share[order, None].astype(np.float32), begins, axis=0)
    return there


# --- how much ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CensoredRates:
    """`rate` (series,) units per day of exposure 1, `shape` (series,) of the negative binomial, `days` (series,)
    days of exposure that were seen. `expected` (series, days): the sales, with what a day that ran out would have
    sold, and a day out would have, put in their place."""

    rate: Floats
    shape: Floats
    days: Floats
    expected: Floats


def at_least(mean: Floats, shape: Floats, x: Floats) -> Floats:
    """P(D ≥ x) of a negative binomial D with this mean and variance mean + mean²/shape; Poisson for large shapes.

    >>> at_least(np.array([1.0]), np.array([1.0]), np.array([2.0])).round(3).tolist()  # geometric: (1/2)²
    [0.25]
    """
    positive = np.maximum(x, 1e-9)
    found = np.where(
        shape >= SHAPES[1],
        gammainc(positive, np.maximum(mean, 0.0)),
        betainc(positive, np.minimum(shape, SHAPES[1]), mean / (mean + np.minimum(shape, SHAPES[1]))),
    )
    return np.where(x <= 0, 1.0, found)


def expected_given_at_least(mean: Floats, shape: Floats, x: Floats) -> tuple[Floats, Floats]:
    """E[D | D ≥ x] and E[D² | D ≥ x] of a negative binomial.

    E[D; D ≥ x] = mean · P(D′ ≥ x − 1) with D′ of shape + 1 and the same odds; E[D(D − 1); D ≥ x] =
    mean² (1 + 1/shape) · P(D″ ≥ x − 2) with D″ of shape + 2. Where the tail is too thin to tell, x itself.

    >>> [a.round(3).tolist() for a in expected_given_at_least(np.array([1.0]), np.array([1.0]), np.array([2.0]))]
    [[3.0], [11.0]]
    """
    tail = at_least(mean, shape, x)
    thin = tail < 1e-12
    tail = np.where(thin, 1.0, tail)
    one = mean * at_least(mean * (1 + 1 / shape), shape + 1, x - 1) / tail
    two = mean**2 * (1 + 1 / shape) * at_least(mean * (1 + 2 / shape), shape + 2, x - 2) / tail
    first = np.maximum(np.where(thin, x, one), x)
    return first, np.maximum(np.where(thin, x**2, two + one), first**2)


def censored_rates(
    y: Floats, out: Bools, ran_out: Bools, *, usable: Bools | None = None, exposure: Floats | None = None
) -> CensoredRates:
    """The demand rate of each series, days without stock left out and days that ran out taken as "at least".

    `y` (series, days) units, `out` and `ran_out` the masks of `StockDays`, `usable` (days,) the days that count (open
    ones), `exposure` (days,) or (series, days) how much demand a day brings against an ordinary one (season, weekday).
    Demand of a day is negative binomial with mean rate·exposure and shape·exposure. The expectation of a day that ran
    out is E[D | D ≥ sold]; the rate is Σ expected / Σ exposure; the shape comes from the expected squares, with 20
    days of the pooled one. Iterated until no rate moves by more than 1e-5. No day with stock: rate 0 and `days` 0.

    >>> sold = np.array([[2.0, 2.0, 0.0, 0.0]])
    >>> out, gone = np.array([[False, False, True, True]]), np.array([[False, True, False, False]])
    >>> round(float(censored_rates(sold, out, gone).rate[0]), 2), float(sold.mean())
    (2.66, 1.0)
    """
    y = np.maximum(y, 0.0)
    counted = ~out if usable is None else ~out & usable
    weight = np.broadcast_to(np.ones(1) if exposure is None else np.asarray(exposure, dtype=float), y.shape)
    counted = counted & (weight > 0)
    row, day = np.nonzero(counted & ran_out & (y > 0))
    days = np.where(counted, weight, 0.0).sum(axis=1)
    seen = np.where(counted, y, 0.0)
    x, e = seen[row, day], weight[row, day]
    total, square = seen.sum(axis=1), np.divide(seen**2, weight, out=np.zeros_like(y), where=counted).sum(axis=1)
    rate = np.divide(total, days, out=np.zeros_like(total), where=days > 0)
    count = counted.sum(axis=1).astype(float)
    shape = _shape(square, rate, count=count, days=days)
    one = x
    for _ in range(ROUNDS):
        one, two = expected_given_at_least(rate[row] * e, shape[row] * e, x)
        more = np.bincount(row, weights=one - x, minlength=len(y))
        new = np.divide(total + more, days, out=np.zeros_like(total), where=days > 0)
        squares = square + np.bincount(row, weights=(two - x**2) / e, minlength=len(y))
        shape = _shape(squares, new, count=count, days=days)
        moved = np.abs(new - rate) > CLOSE * rate
        rate = new
        if not moved.any():
            break
    expected = y.copy()
    expected[row, day] = one
    expected = np.where(out, rate[:, None] * weight, expected)
    return CensoredRates(rate, shape, days, expected)


def _shape(square: Floats, rate: Floats, *, count: Floats, days: Floats) -> Floats:
    """Shapes k by moments from `square` = Σ E[D²]/exposure = n (r + r²/k) + r² Σ exposure, with n days.

    An own estimate is mixed with the pooled one as if that had been seen on SHAPE_WEIGHT days.
    """
    excess = square - rate * count - rate**2 * days  # n r²/k
    scale = rate**2 * count
    pooled = max(float(excess.sum() / scale.sum()) if scale.sum() > 0 else 0.0, 0.0)
    extra = SHAPE_WEIGHT * rate**2
    inverse = (np.maximum(excess, 0.0) + extra * pooled) / np.maximum(scale + extra, 1e-300)
    return np.clip(1 / np.maximum(inverse, 1 / SHAPES[1]), *SHAPES)
