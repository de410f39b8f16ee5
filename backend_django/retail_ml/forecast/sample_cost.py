"""What it costs in accuracy that the product learner learns from a sample where a shop has more rows than it takes.

What all rows would have given cannot be told without learning from them. What half of the sample would have given can,
on weeks that neither has seen: about what that step is worth, each further doubling of the rows would be, or less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from retail_ml.forecast.bucket_model import BucketModel
from retail_ml.forecast.bucket_panel import Panel, Table
from retail_ml.forecast.buckets import NEAR, Array

ORIGINS = 3
"""The last back-tests that are done once more with half of the rows."""


@dataclass(frozen=True)
class SampleCost:
    """How many rows the learner learned from, of how many, and WAPEs of a week, up to four weeks ahead.

    The WAPEs are those of the last `origins` back-tests: with the `whole` sample as it was over at each of them, with
    `half` of it, and of the base rate, which learns nothing. NaN where no back-test reaches four weeks.
    """

    rows: int
    drawn_from: int
    origins: int
    whole: float
    half: float
    baseline: float


def measured(panel: Panel, table: Table, fitted: Mapping[int, BucketModel], *, seed: int) -> SampleCost | None:
    """The cost of a drawn `table`, None where nothing was drawn; `fitted`: the model of each back-test by its origin.

    The half is drawn by `seed`, of products at an origin, as the sample itself was.
    """
    if table.drawn_from <= len(table):
        return None
    origins = sorted(origin for origin in fitted if origin + NEAR <= panel.history.days)[-ORIGINS:]
    half = halved(table, seed=seed)
    found = np.zeros((2, 3))
    for origin in origins:
        whole = fitted[origin]
        found[0] += missed(whole, panel, origin)
        found[1] += missed(BucketModel(whole.name, whole.seed).fit(panel, half, origin), panel, origin)
    sold = found[0, 2]
    wape, other = (float(one[0] / sold) if sold > 0 else float("nan") for one in found)
    simple = float(found[0, 1] / sold) if sold > 0 else float("nan")
    return SampleCost(len(table), table.drawn_from, len(origins), wape, other, simple)


def missed(model: BucketModel, panel: Panel, origin: int) -> Array:
    """Units that `model` misses in the four weeks after `origin`, those that the base rate does, and those that sold.

    Of the products on which back-tests are measured, week by week.
    """
    numbers, chunk = panel.sample
    rates, base = model.rates(panel, chunk, numbers, origin)
    came, opened = chunk.target(origin)
    each = (np.abs(rates - came), np.abs(base[:, None] - came), came)
    return np.array([float((one * opened).sum()) for one in each])


def halved(table: Table, *, seed: int) -> Table:
    """Half of the products of each origin, all weeks of each.

    >>> weeks, none = np.tile(np.arange(4), 50), np.zeros(200)
    >>> half = halved(Table(np.zeros((200, 1), np.float32), none, none, none, np.full(200, 91), weeks), seed=0)
    >>> len(half), np.bincount(half.bucket).tolist()
    (100, [25, 25, 25, 25])
    """
    begins = np.ones(len(table), dtype=bool)
    begins[1:] = (np.diff(table.bucket) <= 0) | (np.diff(table.origin) != 0)
    product, first = np.cumsum(begins) - 1, np.flatnonzero(begins)
    chance = np.random.default_rng(seed).permutation(len(first))
    rank = np.empty(len(first), dtype=np.int64)
    order = np.lexsort((chance, table.origin[first]))
    _, start = np.unique(table.origin[first][order], return_index=True)
    rank[order] = np.arange(len(first)) - np.repeat(start, np.diff([*start, len(first)]))
    return table.where((rank % 2 == 0)[product])
