"""What it costs to learn from a sample: the trees of the second stage from some of the candidates, where there are more
than they take, and all tables from some of the people, where the shop has more than fit in memory.

As for products (`retail_ml.forecast.sample_cost`): what half of the sample would have given is measured on the test
window, and about so much is each further doubling worth, or less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retail_ml.recommend import evaluation
from retail_ml.recommend.base import Mode
from retail_ml.recommend.crowd import Crowd
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Measure
from retail_ml.recommend.learned import Learned, Moment, rows_of
from retail_ml.recommend.scorers import thinned, trees
from retail_ml.recommend.selection import BASELINE, LEARNED, QUESTIONS, RUNGS, SURFACE, Surface, Trial
from retail_ml.recommend.tables import Tables

SAMPLED: Mode = "all"
"""The list whose scorer learns from a sample."""


@dataclass(frozen=True)
class SampleCost:
    """Rows that the trees learned from, of how many; on the test window their measure, that of half, and popularity."""

    rows: int
    drawn_from: int
    whole: Measure
    half: Measure
    baseline: Measure


@dataclass(frozen=True)
class PeopleCost:
    """Of what share of the people the tables are.

    `surfaces`: the measures on the test window of what serves there, of that from half of these people, and of
    popularity; where popularity serves, or nobody could be asked, the surface is left out.
    """

    share: float
    surfaces: dict[str, tuple[Measure, Measure, Measure]]


def of_people(
    sales: Sales, tables: Tables, surfaces: Mapping[str, Surface], test: Trial, *, seed: int
) -> PeopleCost | None:
    """The cost of the sample of people that `sales` are; None where they are all.

    `tables`: what was learned of them before the window of `test`; `surfaces`: what serves.
    """
    if sales.share >= 1:
        return None
    some = sales.before(test.window[0]).halved(seed=seed)
    half = Tables.learn(some, weights=tables.weights, passing=True)
    if tables.second is not None:
        crowd = Crowd.of(some, rhythm=tables.weights.rhythm)
        half = replace(half, second=replace(tables.second, crowd=crowd))
    found = {}
    for name, serves in surfaces.items():
        if serves.measure is None or serves.baseline is None or serves.method == BASELINE:
            continue
        asked = QUESTIONS[name](sales, tables, test.window, seed=seed)
        measure = evaluation.measure(RUNGS[name][serves.method]().attach(half), asked)
        if measure is not None:
            found[name] = serves.measure, measure, serves.baseline
    return PeopleCost(sales.share, found)


def measured(sales: Sales, tables: Tables, moments: Sequence[Moment], test: Trial, *, seed: int) -> SampleCost | None:
    """The cost of the sample that the second stage of `tables` was learned from, by the `moments` of earlier windows.

    `test`: the window after them, and what the rungs measured there. None where nothing was drawn. The half is drawn
    by `seed`, from what was bought and the rest alike.
    """
    surface, second = SURFACE[SAMPLED], tables.second
    whole, baseline = (test.measures[surface].get(name) for name in (LEARNED, BASELINE))
    if second is None or SAMPLED not in second.scorers or whole is None or baseline is None:
        return None
    X, y = rows_of(moments, SAMPLED)
    there = len(y)
    X, y = thinned(X, y, seed=seed)
    if len(y) == there:
        return None
    kept = np.sort(np.random.default_rng(seed).permutation(len(y))[: len(y) // 2])
    scorers = {**second.scorers, SAMPLED: trees().learn(X[kept], y[kept], seed=seed)}
    asked = QUESTIONS[surface](sales, tables, test.window, seed=seed)
    half = evaluation.measure(Learned().attach(replace(tables, second=replace(second, scorers=scorers))), asked)
    return None if half is None else SampleCost(len(y), there, whole, half, baseline)
