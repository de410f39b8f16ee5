"""What the stock says of a list: what sells out before the next delivery goes down, overstock up, within a bound.

Whoever asks brings the stock; nothing is known here of levels or deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.recommend import evaluation
from retail_ml.recommend.base import Recommender, Rows, Scores
from retail_ml.recommend.evaluation import TOP, Questions
from retail_ml.recommend.tables import Tables

REACH = 50
"""Candidates, the best of a list, among which the order may change."""
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""What is tried, the weakest first."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stock:
    """How much the stock speaks for showing each product (`pressure`, -1…1), and the share of NDCG it may cost."""

    pressure: Mapping[str, float]
    bound: float


def pressure(free: Floats, *, daily: Floats, lead_days: Floats, excess: Floats) -> Floats:
    """-1…1 for each product: below 0 it sells out before a delivery could come, above 0 there is too much of it.

    -(1 - free / need) where need = daily · lead_days is more than is free; 1 - excess / free where more is free than
    `excess`, the stock that is too much. An infinite `free` (nobody has counted) is 0.

    >>> free = np.array([2.0, 5.0, 40.0, 9.0, np.inf])
    >>> pressure(free, daily=np.full(5, 0.5), lead_days=np.full(5, 8.0), excess=np.full(5, 30.0)).tolist()
    [-0.5, 0.0, 0.25, 0.0, 0.0]
    """
    need = daily * lead_days
    known = np.where(np.isfinite(free), free, 0.0)
    short = np.divide(known, need, out=np.ones_like(need), where=need > 0)
    over = np.divide(excess, known, out=np.ones_like(need), where=known > 0)
    found = np.minimum(short, 1.0) - 1.0 + (1.0 - np.minimum(over, 1.0))
    return np.where(np.isfinite(free), found, 0.0)


def steered(score: Scores, weight: Floats, *, strength: float) -> tuple[Rows, Scores]:
    """A new order of each list, as positions, and its scores: s · exp(strength · pressure) among the first 50.

    `score` falls along its last axis, `weight` is the pressure of each candidate; of equals the earlier one stays
    first. What lies beyond the first 50 keeps its place.

    >>> order, score = steered(np.array([1.0, 0.9, 0.5]), np.array([-1.0, 0.0, 0.0]), strength=0.2)
    >>> order.tolist(), score.round(3).tolist()
    ([1, 0, 2], [0.9, 0.819, 0.5])
    """
    new = np.asarray(score, dtype=np.float64).copy()
    new[..., :REACH] *= np.exp(strength * weight[..., :REACH])
    order = np.broadcast_to(np.arange(new.shape[-1]), new.shape).copy()
    order[..., :REACH] = np.argsort(-new[..., :REACH], axis=-1, kind="stable")
    sorted_ = np.take_along_axis(new, order, axis=-1)
    return order, np.minimum.accumulate(np.minimum(sorted_, 1.0), axis=-1)


@dataclass(frozen=True)
class Cost:
    """NDCG of a list for each strength (the first: none at all), and how often what is short or too much is shown."""

    ndcg: Floats
    short: Floats
    over: Floats

    @classmethod
    def of(cls, model: Recommender, asked: Questions, weight: Floats, strengths: Sequence[float]) -> Cost:
        """Ask every question once and steer the answer by each strength; `weight`: pressure by row of the tables."""
        tried = (0.0, *strengths)
        hits = np.zeros((len(tried), len(asked), TOP))
        shown = np.zeros((2, len(tried)))
        size = evaluation.step(len(model.tables_))
        for first in range(0, len(asked), size):
            last = min(first + size, len(asked))
            lists = model.top_many(asked.batch.part(first, last), k=REACH)
            right, push = np.zeros((2, len(lists), REACH))
            score = np.full(right.shape, -np.inf)  # what a shorter list lacks comes last
            true = asked.truth[first:last].toarray() > 0
            for at, (rows, kept) in enumerate(lists):
                right[at, : len(rows)], push[at, : len(rows)] = true[at, rows], weight[rows]
                score[at, : len(rows)] = kept
            for i, strength in enumerate(tried):
                order = steered(score, push, strength=strength)[0][:, :TOP]
                hits[i, first:last] = np.take_along_axis(right, order, axis=1)
                there = np.take_along_axis(push, order, axis=1)
                shown[:, i] += (there < 0).sum(), (there > 0).sum()
        ndcg = np.array([evaluation.ndcg(some, asked.bought).mean() for some in hits])
        places = max(len(asked) * TOP, 1)
        return cls(ndcg, shown[0] / places, shown[1] / places)

    @property
    def loss(self) -> Floats:
        """Share of the NDCG that each strength costs."""
        return np.asarray(1 - self.ndcg / self.ndcg[0]) if self.ndcg[0] > 0 else np.ones_like(self.ndcg)


def chosen(
    earlier: tuple[Recommender, Questions], later: tuple[Recommender, Questions], stock: Stock
) -> dict[str, Any]:
    """The greatest strength that keeps within the bound on two windows, and its cost on the later one.

    On the earlier window it is chosen, the later one can only take it down. The pressure is that of today on both,
    for that of then is not known: what runs short today has perhaps just sold well (the cost is put too high), or could
    not be sold any more (too low).
    """
    costs = [
        Cost.of(model, asked, by_row(model.tables_, stock.pressure), STRENGTHS) if len(asked) else None
        for model, asked in (earlier, later)
    ]
    if any(cost is None for cost in costs):
        return {"strength": 0.0}
    before, test = costs
    assert before is not None
    assert test is not None
    within = np.maximum(before.loss, test.loss) <= stock.bound
    at = len(within) - 1 if within.all() else int(np.argmin(within)) - 1  # the last one before the first that is not
    return {
        "strength": float((0.0, *STRENGTHS)[at]),
        "ndcg_10_without": round(float(test.ndcg[0]), 4),
        "ndcg_10": round(float(test.ndcg[at]), 4),
        "loss": round(float(test.loss[at]), 4),
        "loss_on_validation": round(float(before.loss[at]), 4),
        "short_shown": [round(float(test.short[i]), 4) for i in (0, at)],
        "overstock_shown": [round(float(test.over[i]), 4) for i in (0, at)],
        "cases": len(later[1]),
    }


def by_row(tables: Tables, push: Mapping[str, float]) -> Floats:
    """The pressure of each product in the rows of the tables; 0 where nothing is known."""
    return np.array([push.get(product, 0.0) for product in tables.products.external.tolist()], dtype=np.float64)
