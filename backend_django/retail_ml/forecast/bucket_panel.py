"""All products of a shop in chunks: the sums over all of them, the rows that are learned from, the forecast of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import bucket_features
from retail_ml.forecast.bucket_features import NAMES, Context, Words
from retail_ml.forecast.buckets import BUCKETS, NEAR, Array, BoolArray, Chunk, Extras, Grid, Ints, Small
from retail_ml.forecast.history import History

CHUNK = 5_000
"""Products that are held as cumulative sums at the same time: it bounds the memory, and changes no number."""
MOST_ROWS = 120_000
"""Rows that are learned from; more of them are drawn at random, equally at every origin."""
SAMPLE = 5_000
"""Products on which back-tests are measured; of more, so many are drawn at random."""
STEP = 28
FIRST = 91
"""Days before the first origin that is learned from."""


@dataclass(frozen=True)
class Table:
    """Rows to learn from: `X` (rows, columns); `y` units per open day, `base`, `opened` days, `origin`, `bucket`.

    `drawn_from`: how many rows there were, where these are a sample of them; 0: these are all.
    """

    X: Small
    y: Array
    base: Array
    opened: Array
    origin: Ints
    bucket: Ints
    drawn_from: int = 0

    def until(self, days: int) -> Table:
        """The rows whose four weeks were over after `days` days."""
        return self.where(self.origin + NEAR <= days)

    def where(self, keep: BoolArray) -> Table:
        """Some of the rows."""
        parts: tuple[Any, ...] = (self.X, self.y, self.base, self.opened, self.origin, self.bucket)
        return Table(*(part[keep] for part in parts))

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Block:
    """Some products of a panel: their `numbers` in it, their days `y`, how far they could be bought (None: always)."""

    numbers: Ints
    y: Array
    available: npt.NDArray[np.floating] | BoolArray | None
    made: Chunk | None = None
    """Their sums, where they are there already; they are not sent along."""

    def chunk(self, grid: Grid) -> Chunk:
        """Their sums."""
        return self.made or Chunk(grid, self.y, self.available)

    def __reduce__(self) -> tuple[Any, ...]:
        return Block, (self.numbers, self.y, self.available)


class Panel:
    """A history of all products (products, days) with what else is known of them, read in chunks.

    >>> from datetime import date
    >>> y = np.random.default_rng(1).poisson(2.0, (30, 200)).astype(float)
    >>> panel = Panel(History(date(2026, 1, 1), y, np.ones(200, dtype=bool)))
    >>> panel.origins(200), len(panel.table())
    ([116, 144, 172], 360)
    """

    def __init__(self, history: History, extras: Extras | None = None, *, chunk: int = CHUNK, seed: int = 0) -> None:
        self.history = history
        self.extras = extras or Extras()
        self.grid = Grid(history)
        self.chunk = chunk
        self.seed = seed

    def __len__(self) -> int:
        return len(self.history.y)

    def without_series(self) -> Panel:
        """What forecasts of a `Block` need of the panel: everything but the days of its series."""
        none = replace(self.history, y=self.history.y[:0])
        found = Panel(none, replace(self.extras, available=None), chunk=self.chunk, seed=self.seed)
        found.context = self.context
        return found

    def block(self, rows: slice) -> Block:
        """Some of the products with their days, to be forecast anywhere."""
        numbers, there = np.arange(len(self))[rows], self.extras.available
        made = self._whole if len(numbers) == len(self) else None
        return Block(numbers, self.history.y[rows], None if there is None else there[rows], made)

    def chunks(self) -> Iterator[tuple[Ints, Chunk]]:
        """(numbers of some products, their sums), one after the other; a single chunk is kept."""
        for first in range(0, len(self), self.chunk):
            numbers = np.arange(first, min(first + self.chunk, len(self)))
            if len(numbers) < len(self):
                yield numbers, self._chunk(numbers)
            else:
                yield numbers, self._whole

    @cached_property
    def _whole(self) -> Chunk:
        return self._chunk(np.arange(len(self)))

    @cached_property
    def context(self) -> Context:
        """Sums over all products."""
        words = Words(self.extras.titles) if self.extras.titles is not None else None
        days = int(self.grid.before[-1]) + 1
        units, root = np.zeros(days), np.zeros(days)
        by_word = np.zeros((len(words.names) if words else 0, days))
        for numbers, chunk in self.chunks():
            units += chunk.units.sum(axis=0)
            root += chunk.root.sum(axis=0)
            if words is not None:
                by_word += words.sums(chunk.root, numbers)
        return Context(units, root, words if words and words.names else None, by_word)

    def origins(self, end: int) -> list[int]:
        """Days of history of the origins that a model ending after `end` days learns from, ascending.

        Counted back from the last day of the panel, so that back-tests every 28 days share their rows.
        """
        last = self.history.days - NEAR
        return [o for o in range(last % STEP, last + 1, STEP) if o >= FIRST and o + NEAR <= end]

    def table(self) -> Table:
        """Rows of all origins, at most MOST_ROWS; products not sold for a year before the origin stay out."""
        origins = self.origins(self.history.days)
        picks = self._picks(origins)
        made, there = [], 0
        for numbers, chunk in self.chunks():
            made += [(origin, self._rows(chunk, numbers, origin, picks[origin])) for origin in origins]
            there += sum(_usable_rows(chunk, origin) for origin in origins if not picks[origin].all())
        parts = [rows for _, rows in sorted(made, key=itemgetter(0))]  # one order, whatever the chunks
        if not parts:
            none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
            return Table(np.zeros((0, len(NAMES)), dtype=np.float32), none, none, none, whole, whole)
        columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return replace(Table(*columns), drawn_from=there)

    def features(self, chunk: Chunk, numbers: Ints, origin: int) -> Small:
        """Columns of the products `numbers`, which `chunk` holds, at `origin`: (products × BUCKETS, columns)."""
        return self._features(chunk, numbers, origin, self.grid.open_ahead(origin))

    @cached_property
    def sample(self) -> tuple[Ints, Chunk]:
        """The products on which back-tests are measured, and their sums: all, or SAMPLE of them drawn at random."""
        if len(self) <= min(SAMPLE, self.chunk):
            return next(self.chunks())
        numbers = np.sort(np.random.default_rng(self.seed).permutation(len(self))[:SAMPLE])
        return numbers, self._chunk(numbers)

    def _chunk(self, numbers: Ints) -> Chunk:
        there = self.extras.available
        return Chunk(self.grid, self.history.y[numbers], None if there is None else there[numbers])

    def _features(self, chunk: Chunk, numbers: Ints, origin: int, opened: Ints) -> Small:
        price = None if self.extras.price is None else self.extras.price[numbers]
        found = bucket_features.rows(chunk, self.context, origin, numbers=numbers, price=price, opened=opened)
        return found.reshape(-1, len(NAMES))

    def _picks(self, origins: list[int]) -> dict[int, BoolArray]:
        """Which products are learned from at each origin: all, or a random choice."""
        count, rng = MOST_ROWS // BUCKETS // max(len(origins), 1), np.random.default_rng(self.seed)
        out = {}
        for origin in origins:
            chosen = np.ones(len(self), dtype=bool)
            if count < len(self):
                chosen[rng.permutation(len(self))[count:]] = False
            out[origin] = chosen
        return out

    def _rows(self, chunk: Chunk, numbers: Ints, origin: int, picked: BoolArray) -> tuple[Small | Array | Ints, ...]:
        """The rows of one chunk and origin, as the fields of `Table`."""
        chosen = np.flatnonzero(picked[numbers] & chunk.alive(origin))
        some = chunk if len(chosen) == len(chunk) else chunk.take(chosen)
        y, opened = some.target(origin)
        usable = np.diff(self.grid.before[origin + 7 * np.arange(BUCKETS + 1)])
        X = self._features(some, numbers[chosen], origin, usable)
        base = np.repeat(some.base(origin), BUCKETS)
        keep = opened.ravel() > 0
        bucket = np.tile(np.arange(BUCKETS), len(chosen))
        parts = (X, y.ravel(), base, opened.ravel(), np.full(len(bucket), origin), bucket)
        return tuple(part[keep] for part in parts)


def _usable_rows(chunk: Chunk, origin: int) -> int:
    """How many rows `Panel.table` would have of a chunk and origin if it took them all."""
    return int((chunk.target(origin)[1][chunk.alive(origin)] > 0).sum())
