"""What the product learner looks at: one row of columns per product × origin × bucket, from its past only.

A rate enters as the logarithm of its ratio to the base rate, a year-ago shape as the logarithm of (the weeks around
the bucket, a year ago) ÷ (the 13 weeks before the origin, a year ago), both shrunk to 1 where little was sold. A
ratio that cannot be known (there was no year ago) is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from retail_ml.forecast.buckets import BUCKETS, WEEK, Array, Chunk, Grid, Ints, Small

YEAR = 364  # whole weeks: a year ago is the same weekday
SHAPE_BASE = 91
RATES = (7, 14, 28, 56, 91, 182, 364)
SMALL = 0.02
"""Units per open day that are added to a rate before its logarithm is taken."""
FEWEST_TITLES, MOST_TITLES = 5, 0.3
MOST_WORDS = 400

OWN = (
    *(f"rate_{d}" for d in RATES), "sale_days_28", "sale_days_91", "sale_days_364", "even_28", "even_91",
    "days_since_sale", "age", "rate", "largest_day", "price", "words_now",
)  # fmt: skip
SHARED = ("shop_7", "shop_28", "shop_91")
OWN_AHEAD = ("year_ago", "year_ago_even", "year_ago_words")
SHARED_AHEAD = (
    "year_ago_shop", "year_ago_shop_units", "sin_1", "cos_1", "sin_2", "cos_2", "to_christmas", "open_days",
)  # fmt: skip
NAMES = (*OWN, *SHARED, *OWN_AHEAD, *SHARED_AHEAD, "week_ahead")
DIFFERENT = np.array([name in OWN or name in OWN_AHEAD or name == "week_ahead" for name in NAMES])
"""Columns that are not equal for all products of one origin and bucket."""


class Words:
    """Which title has which words: those in at least 5 and at most 30 % of the titles, the 400 most frequent.

    Empty titles do not count.

    `names`; `share` (titles, names), sparse: 1 ÷ the number of the title's words where it has the word.

    >>> words = Words(["red cup", "old cup", "cup", "bag", "big bag", "hat", "box", "tin", "pan", "lid"] * 2)
    >>> words.names, words.average(np.array([0.5]), np.array([0, 3])).tolist()
    (['cup'], [0.5, 0.0])
    """

    def __init__(self, titles: Sequence[str]) -> None:
        from scipy import sparse

        filled = sum(map(bool, titles))
        tokens = pl.DataFrame({"title": np.arange(len(titles)), "word": pl.Series(titles, dtype=pl.String)})
        tokens = tokens.with_columns(pl.col("word").fill_null("").str.to_lowercase().str.extract_all(r"\p{L}{3,}"))
        tokens = tokens.explode("word").drop_nulls().unique()
        counts = tokens.group_by("word").len().filter(
            pl.col("len").is_between(FEWEST_TITLES, MOST_TITLES * filled)
        ).sort(["len", "word"], descending=[True, False]).head(MOST_WORDS).sort("word")  # fmt: skip
        self.names = counts["word"].to_list()
        known = tokens.join(counts.with_row_index("column").select("word", "column"), on="word").sort("title", "column")
        rows, columns = known["title"].to_numpy(), known["column"].to_numpy()
        have = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(titles), len(self.names)))
        self._have = have
        per_title = np.maximum(np.bincount(rows, minlength=len(titles)), 1)
        self.share = sparse.diags_array(1 / per_title) @ have

    def sums(self, values: Array, rows: Ints) -> Array:
        """Sum of `values` (the products of `rows`, days) by word, (words, days)."""
        return np.asarray(self._have[rows].T @ values)

    def average(self, values: Array, rows: Ints) -> Array:
        """Mean of `values` (words,) over the words of each title of `rows`; 0 without any, (rows,)."""
        return np.asarray(self.share[rows] @ values)


@dataclass(frozen=True)
class Context:
    """Sums over all products: `units`, `root` (√units) of the shop (open days + 1,), `words` (words, open days + 1)."""

    units: Array
    root: Array
    words: Words | None
    by_word: Array

    def growth(self, grid: Grid, origin: int) -> float:
        """Log of the level of the last 13 weeks ÷ that of a year ago; under 54 weeks, against the first 8 weeks."""
        at = int(grid.before[origin])
        late = self.units[at] - self.units[max(at - grid.back(origin, SHAPE_BASE), 0)]
        late /= max(min(grid.back(origin, SHAPE_BASE), at), 1)
        if origin >= YEAR + 14:
            high, low = grid.before[origin - YEAR], grid.before[max(origin - YEAR - SHAPE_BASE, 0)]
        else:
            high, low = grid.before[min(56, origin)], 0
        early = (self.units[high] - self.units[low]) / max(high - low, 1)
        return float(np.log(late / early)) if late > 0 and early > 0 else 0.0


def rows(chunk: Chunk, context: Context, origin: int, *, numbers: Ints, price: Array | None, opened: Ints) -> Small:
    """Columns of each product and bucket after `origin`, (products, BUCKETS, len(NAMES)).

    `numbers` (products,): which titles are theirs; `price` (products,), NaN unknown; `opened` (BUCKETS,) open days.
    """
    n = len(chunk)
    out = np.zeros((n, BUCKETS, len(NAMES)), dtype=np.float32)
    now = [*own(chunk, origin), _price(n, price), _words_now(context, chunk.grid, origin, numbers)]
    for column, values in enumerate((*now, *_shop(context, chunk.grid, origin))):
        out[:, :, column] = np.asarray(values, dtype=np.float32).reshape(-1, 1)
    for bucket in range(BUCKETS):
        ahead = [*_year_ago(chunk, context, origin, bucket, numbers), *_season(chunk.grid, origin, bucket)]
        for column, values in enumerate((*ahead, opened[bucket], bucket + 1), start=len(OWN) + len(SHARED)):
            out[:, bucket, column] = values
    return out


def own(chunk: Chunk, origin: int) -> list[Array]:
    """The columns of OWN up to `largest_day`, (products,) each."""
    at, base = int(chunk.grid.before[origin]), chunk.base(origin)
    found = []
    for days in RATES:
        rate = chunk.rate(origin, days)
        found.append(np.log((np.where(np.isfinite(rate), rate, base) + 0.1 * base + 0.01) / (1.1 * base + 0.01)))
    found += [np.nan_to_num(chunk.rate(origin, days, "sales")) for days in (28, 91, 364)]
    for days in (28, 91):
        root = np.nan_to_num(chunk.rate(origin, days, "root"))
        found.append(np.log((np.square(root) + 0.01 * base + 0.001) / (1.01 * base + 0.001)))
    since, age = at - 1 - chunk.last[:, at], np.maximum(at - chunk.first, 0)
    return [*found, np.log1p(since), np.log1p(age), np.log(base + SMALL), _largest(chunk, origin)]


def _price(n: int, price: Array | None) -> Array:
    known = np.full(n, np.nan) if price is None else price
    return np.log(np.maximum(np.nan_to_num(known, nan=1.0), 0.01))


def _largest(chunk: Chunk, origin: int) -> Array:
    """Share of the largest day in the units of the last 13 weeks."""
    at = int(chunk.grid.before[origin])
    low = max(at - chunk.grid.back(origin, SHAPE_BASE), 0)
    days = np.diff(chunk.units[:, low : at + 1], axis=1)
    total = days.sum(axis=1)
    return np.asarray(np.clip(days.max(axis=1, initial=0.0) / np.where(total > 0, total, 1.0), 0.0, 1.0))


def _words_now(context: Context, grid: Grid, origin: int, numbers: Ints) -> Array:
    """Rate of 28 days ÷ rate of 91 days of the title's words, log."""
    if context.words is None:
        return np.zeros(len(numbers))
    at = int(grid.before[origin])
    late, long = ((context.by_word[:, at] - context.by_word[:, at - w]) / w for w in _backs(grid, origin, (28, 91)))
    return context.words.average(np.log((late + 0.001) / (long + 0.001)), numbers)


def _backs(grid: Grid, origin: int, days: Sequence[int]) -> list[int]:
    return [min(grid.back(origin, d), max(int(grid.before[origin]), 1)) for d in days]


def _shop(context: Context, grid: Grid, origin: int) -> list[Array]:
    """Trend of the shop: rate of 7 ÷ 28, 28 ÷ 91, 91 ÷ 182 days, log."""
    at = int(grid.before[origin])
    rates = [(context.root[at] - context.root[at - w]) / w for w in _backs(grid, origin, (7, 28, 91, 182))]
    return [np.log(np.array([(a + 1e-3) / (b + 1e-3)])) for a, b in pairwise(rates)]


def _year_ago(chunk: Chunk, context: Context, origin: int, bucket: int, numbers: Ints) -> list[Array]:
    """OWN_AHEAD, then the shop's: log of the year-ago shape of this bucket."""
    grid = chunk.grid
    words = np.zeros(len(numbers))
    if context.words is not None:
        words = context.words.average(year_ago(grid, context.by_word, origin, bucket, shrink=20), numbers)
    return [
        year_ago(grid, chunk.units, origin, bucket, shrink=14, open_=chunk.open),
        year_ago(grid, chunk.root, origin, bucket, shrink=10, open_=chunk.open),
        words,
        *(year_ago(grid, table[None], origin, bucket, shrink=5) for table in (context.root, context.units)),
    ]


def year_ago(grid: Grid, table: Array, origin: int, bucket: int, *, shrink: float, open_: Array | None = None) -> Array:
    """Log of (rate around the bucket a year ago ÷ rate of the 13 weeks before the origin a year ago), (rows,).

    `table` (rows, open days + 1) of running sums; `shrink` open days of the rate of both together are added to each.
    0 where fewer than four weeks lie before the origin of a year ago.
    """
    then = origin - YEAR
    if then < BUCKETS * WEEK:
        return np.zeros(len(table))
    first, last = then + WEEK * (bucket - 1), then + WEEK * (bucket + 2)
    low, high, past, now = (int(grid.before[d]) for d in (first, last, max(then - SHAPE_BASE, 0), then))
    around, earlier = table[:, high] - table[:, low], table[:, now] - table[:, past]
    there: float | Array
    before: float | Array
    if open_ is None:
        there, before = float(high - low), float(now - past)
    else:
        there, before = open_[:, high] - open_[:, low], open_[:, now] - open_[:, past]
    around, earlier = np.maximum(around, 0.0), np.maximum(earlier, 0.0)
    both = shrink * (around + earlier) / np.maximum(there + before, 1.0)
    ratio = (around + both + 1e-6) / (there + shrink) / ((earlier + both + 1e-6) / (before + shrink))
    return np.asarray(np.log(ratio))


def _season(grid: Grid, origin: int, bucket: int) -> list[float]:
    """Place in the year of the middle of the bucket: two waves, and days to Christmas (at most 90)."""
    day = grid.history.start + timedelta(days=origin + WEEK * bucket + 3)
    angle = 2 * np.pi * day.timetuple().tm_yday / 365.25
    christmas = date(day.year + ((day.month, day.day) > (12, 25)), 12, 25)
    waves = [f(k * angle) for k in (1, 2) for f in (np.sin, np.cos)]
    return [*waves, float(min((christmas - day).days, 90))]
