"""The second stage: some 300 candidates of the linear stage, put in order by what was bought in earlier windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from retail_ml.recommend import evaluation
from retail_ml.recommend.base import Batch, Mode, Scores
from retail_ml.recommend.crowd import Crowd
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Questions, Window
from retail_ml.recommend.features import Candidates, candidates
from retail_ml.recommend.models import PersonalBlend
from retail_ml.recommend.scorers import Logistic, Scorer, thinned, trees
from retail_ml.recommend.second_stage import SecondStage
from retail_ml.recommend.tables import Tables

FEWEST_CUSTOMERS, FEWEST_BOUGHT = 300, 500
"""Customers with purchases in the windows, and purchases among the candidates, below which nothing is learned."""
MOST_CUSTOMERS = 1_500
"""Customers of a window from whom is learned; more are drawn at random."""
LIST_OF: dict[Mode, str] = {"all": "all", "repeat": "all", "novel": "novel"}
"""Which scorer serves a mode."""


TAUGHT: tuple[Mode, ...] = ("all", "novel")
"""The lists that have a scorer of their own."""


class Learned(PersonalBlend):
    """For a customer: the linear stage's candidates by their learned chance; the rest behind them as before.

    Without a second stage in the tables (too few customers, or it did not win) this is the linear stage.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, sales: Sales) -> Self:
        """Learn the tables, and the second stage from the last two windows where they teach enough."""
        tables = Tables.learn(sales)
        moments = []
        for window in evaluation.windows(sales, most=2):
            before = Tables.learn(sales.before(window[0]), weights=tables.weights, persons_only=True)
            moments.append(Moment.of(sales, before, window, seed=self.seed))
        scorers = scorers_of(moments, seed=self.seed)
        second = SecondStage(Crowd.of(sales, rhythm=tables.weights.rhythm), scorers) if scorers else None
        return self.attach(replace(tables, second=second))

    def scores(self, batch: Batch) -> Scores:
        """Chance over the largest chance of the customer; what is no candidate ranks below all candidates."""
        linear = super().scores(batch)
        second = self.tables_.second
        scorer = second.scorers.get(LIST_OF[batch.mode]) if second is not None else None
        if second is None or scorer is None or not len(batch.histories.product):
            return linear
        found = candidates(self.tables_, second.crowd, batch)
        if not len(found.product):
            return linear
        chance = np.zeros(linear.shape)
        chance[found.question, found.product] = np.maximum(scorer.probability(found.features), 1e-9)
        chance /= np.maximum(chance.max(axis=1, keepdims=True), 1e-9)
        least = np.where(chance > 0, chance, 1.0).min(axis=1, keepdims=True)
        return np.asarray(np.where(chance > 0, chance, 0.99 * least * linear))


@dataclass(frozen=True)
class Lesson:
    """What a window teaches: features of candidates, and which of them were bought."""

    features: npt.NDArray[np.float32]
    bought: npt.NDArray[np.bool_]
    customers: int


@dataclass(frozen=True)
class Moment:
    """The morning of a window: what was known then, and the lessons of the window by list."""

    tables: Tables
    crowd: Crowd
    lessons: dict[Mode, Lesson]

    @classmethod
    def of(cls, sales: Sales, tables: Tables, window: Window, *, seed: int) -> Moment:
        """`tables` were learned before the window."""
        crowd = Crowd.of(sales.before(window[0]), rhythm=tables.weights.rhythm)
        lessons = {mode: lesson(sales, tables, crowd, window, mode=mode, seed=seed) for mode in TAUGHT}
        return cls(tables, crowd, lessons)


def scorers_of(moments: Sequence[Moment], *, seed: int, lists: Sequence[Mode] = TAUGHT) -> dict[str, Scorer]:
    """A scorer for each list of which the windows teach enough: logistic for new products, boosted trees for all.

    That is what measured best for each.
    """
    found: dict[str, Scorer] = {}
    for mode in lists:
        taught = [moment.lessons[mode] for moment in moments]
        if (
            sum(x.customers for x in taught) >= FEWEST_CUSTOMERS
            and sum(int(x.bought.sum()) for x in taught) >= FEWEST_BOUGHT
        ):
            X, y = rows_of(moments, mode)
            if mode == "novel":
                found[LIST_OF[mode]] = Logistic.learn(X, y, seed=seed)
            else:
                found[LIST_OF[mode]] = trees().learn(*thinned(X, y, seed=seed), seed=seed)
    return found


def rows_of(moments: Sequence[Moment], mode: Mode) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Features and labels of all candidates of a list, of all windows."""
    taught = [moment.lessons[mode] for moment in moments]
    return np.concatenate([x.features for x in taught]), np.concatenate([x.bought for x in taught])


def lesson(sales: Sales, tables: Tables, crowd: Crowd, window: Window, *, mode: Mode, seed: int) -> Lesson:
    """Candidates of the customers who bought in a window (of the mode's kind), and what they bought."""
    asked = evaluation.customer_questions(sales, tables, window, mode=mode, limit=MOST_CUSTOMERS, seed=seed)
    features, bought = [], []
    for first, found in in_parts(tables, crowd, asked):
        truth = asked.truth[first : first + evaluation.step(len(tables))].toarray()
        features.append(found.features)
        bought.append(truth[found.question, found.product] > 0)
    if not features:
        return Lesson(np.empty((0, 0), np.float32), np.empty(0, bool), 0)
    return Lesson(np.concatenate(features), np.concatenate(bought), len(asked))


def in_parts(tables: Tables, crowd: Crowd, asked: Questions) -> Iterator[tuple[int, Candidates]]:
    """Candidates of questions, so many at a time as memory allows."""
    step = evaluation.step(len(tables))
    for first in range(0, len(asked), step):
        yield first, candidates(tables, crowd, asked.batch.part(first, min(first + step, len(asked))))
