"""Weights from the shop's own last windows, taken only where they are better by more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend import evaluation, features
from retail_ml.recommend.base import Batch, Mode, Scores, dense, scaled
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Questions, Window
from retail_ml.recommend.models import POPULAR, BasketCompletion, all_score, novel_score, popular, pull
from retail_ml.recommend.tables import Tables, basket_table, gram_of
from retail_ml.recommend.weights import SMALL_SHOP_ORDERS, Weights

CUSTOMERS = 800
"""Customers of a window who are asked; more are drawn at random."""
FEWEST = 30
"""Questions below which nothing is tuned."""
HALF_LIVES = (30.0, 60.0, 120.0, 240.0, 480.0, 5_000.0)
"""Days, times the shop's rhythm; the last is no decay at all."""
LARGE = 20_000
"""Products above which the basket table keeps its defaults: each try is a fit of its own."""

Value = Callable[[Weights], Scores]
"""A figure per question under given weights."""
Grid = Mapping[str, tuple[float, ...]]
ALL_GRID: Grid = {
    "repeat": (1.0, 2.0, 4.0, 8.0, 16.0),
    "repeat_half_life": HALF_LIVES,
    "trend": (0.0, 0.25, 0.5),
    "popular": (0.0, 0.1, 0.3, 1.0),
    "profile_half_life": HALF_LIVES,
}
NOVEL_GRID: Grid = {
    "novel_trend": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25),
    "novel_popular": (0.03, 0.1, 0.3, 1.0, 3.0),
    "novel_half_life": HALF_LIVES,
}
GRIDS: dict[Mode, Grid] = {"all": ALL_GRID, "novel": NOVEL_GRID}
TUNED_MODES: tuple[Mode, ...] = ("all", "novel")
BASKET_POPULAR, BASKET_TREND = (0.3, 1.0, 3.0, 10.0), (0.0, 0.25)
BASKET_FITS = ((0.5, 720.0, 10.0), (0.5, 720.0, 3.0), (0.0, 180.0, 10.0), (0.0, 180.0, 100.0))
"""Size power, half-life and penalty of the basket table that are tried; the first alone where each is a long fit."""
MANY_PRODUCTS = 10_000
DAYS = ("profile_half_life", "repeat_half_life", "novel_half_life")
"""Weights that are tried as multiples of the shop's rhythm."""
ROUNDS = 2


@dataclass(frozen=True)
class Tuned:
    """The weights, and for each group that was tuned: was it taken, NDCG of the defaults, gain, error of the gain."""

    weights: Weights
    groups: dict[str, dict[str, Any]]


class Shortlist:
    """Candidates of the customers of one window, one column per half-life: a try costs milliseconds."""

    def __init__(self, tables: Tables, questions: Questions) -> None:
        self.bought = questions.bought
        rhythm, parts, size = tables.weights.rhythm, [], evaluation.step(len(tables))
        for first in range(0, len(questions), size):
            batch = questions.batch.part(first, min(first + size, len(questions)))
            parts.append(self._part(tables, batch, questions, first=first, rhythm=rhythm))
        self.columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.question = self.columns["question"].astype(np.int64)
        self.rhythm = rhythm

    def _part(
        self, tables: Tables, batch: Batch, questions: Questions, *, first: int, rhythm: float
    ) -> dict[str, Scores]:
        pulls = {days: pull(tables, batch, days * rhythm) for days in HALF_LIVES}
        at = np.nonzero(
            features.chosen(tables, batch, long=pulls[features.LONG], short=pulls[features.SHORT]) & batch.mask
        )
        truth = questions.truth[first : first + len(batch)].toarray()
        columns = {
            "question": at[0] + float(first),
            "true": truth[at].astype(float),
            "sells": popular(tables, POPULAR)[at[1]],
            "rising_7": tables.trend(7)[at[1]],
            "rising_14": tables.trend(14)[at[1]],
        }
        for days, score in pulls.items():
            columns[f"cf_{days:g}"] = scaled(score)[at]
            columns[f"again_{days:g}"] = scaled(dense(batch.histories.decayed(days * rhythm)))[at]
        return columns

    def ndcg(self, w: Weights, *, mode: Mode) -> Scores:
        """NDCG of every question under these weights."""
        c = self.columns

        def column(kind: str, half_life: float) -> Scores:
            return c[f"{kind}_{min(HALF_LIVES, key=lambda days: abs(days * self.rhythm - half_life)):g}"]

        if mode == "novel":
            score = novel_score(w, column("cf", w.novel_half_life), c["rising_7"], c["sells"])
        else:
            again = column("again", w.repeat_half_life)
            score = all_score(w, column("cf", w.profile_half_life), again, c["rising_14"], c["sells"])
        return evaluation.ndcg(self._hits(score), self.bought)

    def _hits(self, score: Scores) -> Scores:
        """Which of the ten best of every question were bought; ties go to the lower product."""
        question, place, shape = self._places
        table = np.full(shape, -np.inf)
        table[question, place] = score
        best = _ten_best(table)
        true = np.zeros(shape)
        true[question, place] = self.columns["true"]
        hits = np.zeros((shape[0], evaluation.TOP))
        hits[:, : best.shape[1]] = np.take_along_axis(true, best, axis=1)
        return hits

    @cached_property
    def _places(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[int, int]]:
        """For every candidate its question and its place among the question's candidates; the shape of the table."""
        size = np.bincount(self.question, minlength=len(self.bought))
        place = np.arange(len(self.question)) - np.repeat(np.cumsum(size) - size, size)
        return self.question, place, (len(self.bought), int(size.max(initial=1)))


def _ten_best(table: Scores) -> npt.NDArray[np.int64]:
    """Columns of the ten largest of each row, the largest first; of equals the lower column."""
    if table.shape[1] <= evaluation.TOP:
        return np.argsort(-table, axis=1, kind="stable")
    tenth = np.partition(table, -evaluation.TOP, axis=1)[:, [-evaluation.TOP]]
    kept = table >= tenth
    clear = kept.sum(axis=1) == evaluation.TOP  # of the others more are level with the tenth
    best = np.empty((len(table), evaluation.TOP), dtype=np.int64)
    some = np.nonzero(kept[clear])[1].reshape(-1, evaluation.TOP)
    order = np.argsort(-np.take_along_axis(table[clear], some, axis=1), axis=1, kind="stable")
    best[clear] = np.take_along_axis(some, order, axis=1)
    best[~clear] = np.argsort(-table[~clear], axis=1, kind="stable")[:, : evaluation.TOP]
    return best


def tune_persons(sales: Sales, moments: Sequence[tuple[Tables, Window]], weights: Weights, *, seed: int) -> Tuned:
    """Weights of the lists "all" and "novel" by coordinate ascent on the windows, each asked of earlier tables."""
    found = weights
    groups: dict[str, dict[str, Any]] = {}
    for mode in TUNED_MODES:
        lists = []
        for tables, window in moments:
            asked = evaluation.customer_questions(sales, tables, window, mode=mode, limit=CUSTOMERS, seed=seed)
            if len(asked) >= FEWEST:
                lists.append(Shortlist(tables, asked))
        if len(lists) == len(moments) and lists:
            values: list[Value] = [cache(partial(short.ndcg, mode=mode)) for short in lists]  # many are tried twice
            found, groups[mode] = _tune(found, GRIDS[mode], values if len(values) > 1 else _halves(values[0]))
    return Tuned(found, groups)


def _halves(value: Value) -> list[Value]:
    """One window as two: every second customer."""
    return [lambda w, start=start: value(w)[start::2] for start in (0, 1)]  # type: ignore[misc]


def _tune(weights: Weights, grid: Grid, values: Sequence[Value]) -> tuple[Weights, dict[str, Any]]:
    """Weights that are best on all windows, taken only if weights chosen on one window are better on the other.

    The gain is crossed: what was chosen on each window is measured on the others (with one window alone nothing is
    taken). It must be larger than its bootstrap error.
    """
    start = [value(weights) for value in values]
    gaps = [np.zeros(0)]
    for left_out, value in enumerate(values):
        others = [other for at, other in enumerate(values) if at != left_out]
        if others:
            gaps.append(value(ascend(weights, grid, others)) - start[left_out])
    group = _verdict(np.concatenate(start), np.concatenate(gaps))
    return (ascend(weights, grid, values) if group["taken"] else weights), group


def ascend(weights: Weights, grid: Grid, values: Sequence[Value]) -> Weights:
    """Coordinate ascent from `weights` on the mean of `values`: one weight after the other to its best, twice round."""

    def mean(w: Weights) -> float:
        return float(np.concatenate([value(w) for value in values]).mean())

    best, best_mean = weights, mean(weights)
    for _ in range(ROUNDS):
        for name, options in grid.items():
            for option in options:
                amount = option * weights.rhythm if name in DAYS else option
                tried = replace(best, **{name: amount})
                if tried != best and (found := mean(tried)) > best_mean + 1e-9:
                    best, best_mean = tried, found
    return best


def _verdict(start: Scores, gap: Scores) -> dict[str, Any]:
    """Is a gain more than chance? With the figures behind the answer, for the receipt."""
    gain, error = (float(gap.mean()), evaluation.bootstrap_error(gap)) if len(gap) else (0.0, 0.0)
    return {
        "taken": gain > error,
        "default": round(float(start.mean()), 4),
        "gain": round(gain, 4),
        "error": round(error, 4),
        "questions": len(start),
    }


def tune_baskets(
    sales: Sales, tables: Tables, window: Window, *, seed: int, gram: sparse.csr_matrix
) -> tuple[Tables, dict[str, Any] | None]:
    """Tables with the basket weights that complete the window's baskets best, and how that was found; None: too few.

    `gram`: `tables.gram_of` under the weights of `tables`, whose fits with other penalties are tried too.

    The popularity term keeps its default in a small shop, the table itself in a very large one. The gain is crossed
    over two halves of the baskets, as in `tune_persons` over windows.
    """
    asked = evaluation.basket_questions(sales, tables, window, limit=CUSTOMERS, seed=seed)
    if len(asked) < FEWEST:
        return tables, None
    known = sales.before(window[0])
    tried = [(table, _each(table, asked)) for table in [tables, *_tables_tried(known, tables, gram)]]
    best = max(tried, key=lambda pair: float(pair[1].mean()))[0]
    if known.orders >= SMALL_SHOP_ORDERS:
        for popular_weight in BASKET_POPULAR:
            for power in BASKET_TREND:
                weights = replace(best.weights, basket_popular=popular_weight, basket_trend=power)
                table = replace(best, weights=weights)
                tried.append((table, _each(table, asked)))
    each = np.stack([found for _, found in tried])
    half = np.arange(each.shape[1]) % 2 == 0
    crossed = np.where(half, each[each[:, ~half].mean(axis=1).argmax()], each[each[:, half].mean(axis=1).argmax()])
    group = _verdict(each[0], crossed - each[0])
    return tried[int(each.mean(axis=1).argmax())][0] if group["taken"] else tables, group


def _tables_tried(known: Sales, tables: Tables, gram: sparse.csr_matrix) -> list[Tables]:
    """The tables with every basket table that is tried."""
    if len(tables) > LARGE:
        return [tables]
    out, w = [], tables.weights
    fits = BASKET_FITS if len(tables) <= MANY_PRODUCTS else BASKET_FITS[:1]
    for power, half_life in sorted({fit[:2] for fit in fits}):
        tried = replace(w, basket_size_power=power, basket_half_life=half_life)
        same = (power, half_life) == (w.basket_size_power, w.basket_half_life)
        found = gram if same else gram_of(known, tried)
        for penalty in (fit[2] for fit in fits if fit[:2] == (power, half_life)):
            other = replace(tried, basket_ridge=penalty)
            out.append(replace(tables, weights=other, basket=basket_table(known, other, gram=found)))
    return out


def _each(tables: Tables, asked: Questions) -> Scores:
    found = evaluation.measure(BasketCompletion().attach(tables), asked)
    assert found is not None  # there are questions
    return found.each
