"""The whole of learning: tune, choose, test on the last window, and learn again from everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from retail_ml.recommend import evaluation, sample_cost
from retail_ml.recommend.base import Mode
from retail_ml.recommend.crowd import Crowd
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Window
from retail_ml.recommend.learned import LIST_OF, TAUGHT, Moment, scorers_of
from retail_ml.recommend.sample_cost import PeopleCost, SampleCost
from retail_ml.recommend.second_stage import SecondStage
from retail_ml.recommend.selection import (
    LEARNED,
    LINEAR,
    QUESTIONS,
    RUNGS,
    SMALL_ORDERS,
    SMALL_PRODUCTS,
    SURFACE,
    Choice,
    Surface,
    surface_of,
    trial,
)
from retail_ml.recommend.steering import Stock, chosen
from retail_ml.recommend.tables import Tables, default_weights, gram_of
from retail_ml.recommend.tuning import tune_baskets, tune_persons
from retail_ml.recommend.weights import Weights

LARGE = 5_000_000
"""Order lines above which one window less is looked at, and baskets keep their defaults: each try is a long fit."""


@dataclass(frozen=True)
class Learnt:
    """Everything that is known of a shop, ready to serve, and the evidence for it."""

    tables: Tables
    choice: Choice
    steering: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per surface how strongly the stock may change its lists, and what that costs; empty: not at all."""
    cost: SampleCost | None = None
    """What it costs that the second stage learned from a sample; None: it did not, or there is none."""
    people: PeopleCost | None = None
    """What it costs that only some of the people were read; None: all were, or there is no window to measure on."""


def learn(
    sales: Sales,
    *,
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
    stock: Stock | None = None,
) -> Learnt:
    """Tune, choose, test, and learn again from everything.

    Up to three windows end with the data. On the first two the weights are tuned, on the second the rung of each
    surface is chosen, from both the second stage learns. The last only measures, with two exceptions, and both only
    downwards: what loses to popularity there is not served, nor a second stage that does not beat the linear one.
    A shop of more than five million lines makes do with two windows. With `stock`, how strongly it steers each list is
    chosen on the last two windows (without two of them: not at all).
    """
    small = sales.orders < SMALL_ORDERS or len(sales.products) < SMALL_PRODUCTS
    large = sales.matrix.nnz > LARGE
    found = evaluation.windows(sales, most=2 if large else 3)
    weights = default_weights(sales.before(found[-1][0]) if found else sales)
    tuning: dict[str, dict[str, Any]] = {}
    validation = test = None
    moments: list[Moment] = []
    if len(found) > 1 and not small:
        progress("validate")
        asked, tuned = _tuned(sales, found[:-1], weights, seed=seed, large=large)
        weights, tuning = asked[-1].weights, tuned
        earlier = None if large else trial(sales, asked[-1], found[-2], seed=seed)
        validation = None if earlier is None or earlier.small else earlier
        moments = [
            Moment.of(sales, tables, window, seed=seed) for tables, window in zip(asked, found[:-1], strict=True)
        ]
    second: SecondStage | None = None
    cost: SampleCost | None = None
    if found:
        progress("test")
        before = sales.before(found[-1][0])
        tables = _taught(Tables.learn(before, weights=weights, passing=True), before, moments, seed=seed)
        test = trial(sales, tables, found[-1], seed=seed)
        second, cost = tables.second, sample_cost.measured(sales, tables, moments, test, seed=seed)
    surfaces = {surface: surface_of(surface, small, validation, test) for surface in RUNGS}
    people = None if test is None else sample_cost.of_people(sales, tables, surfaces, test, seed=seed)
    choice = Choice(surfaces, validation, test, small, weights, tuning)
    steering: dict[str, dict[str, Any]] = {}
    if stock is not None and validation is not None:
        known = [(asked[-1], found[-2]), (tables, found[-1])]
        steering = {name: _steering(sales, known, name, choice, stock, seed=seed) for name in surfaces}
    progress("fit")
    final = Tables.learn(sales, weights=weights)
    lists = _lists_won(surfaces)
    if second is not None and lists:
        moments = [*moments[-1:], Moment.of(sales, replace(tables, second=None), found[-1], seed=seed)]
        scorers = scorers_of(moments, seed=seed, lists=lists)
        final = replace(final, second=SecondStage(Crowd.of(sales, rhythm=weights.rhythm), scorers))
    return Learnt(final, choice, steering, cost, people)


def _steering(
    sales: Sales, known: list[tuple[Tables, Window]], surface: str, choice: Choice, stock: Stock, *, seed: int
) -> dict[str, Any]:
    """`steering.chosen` for the rule that serves; where only the later tables have a second stage, the linear one."""
    method, asked = choice.surfaces[surface].method, []
    for tables, window in known:
        rung = LINEAR if method == LEARNED and tables.second is None else method
        questions = QUESTIONS[surface](sales, tables, window, seed=seed)
        asked.append((RUNGS[surface][rung]().attach(tables), questions))
    return chosen(asked[0], asked[1], stock)


def _tuned(
    sales: Sales, found: list[Window], weights: Weights, *, seed: int, large: bool
) -> tuple[list[Tables], dict[str, dict[str, Any]]]:
    """Tables as of each window with tuned weights (the last whole, the others for persons), and the figures.

    In a large shop all are for persons alone, and the weights of baskets stay what they are.
    """
    known = [sales.before(window[0]) for window in found]
    gram = None if large else gram_of(known[-1], weights)
    for_persons = known if large else known[:-1]
    tables = [Tables.learn(some, weights=weights, passing=True, persons_only=True) for some in for_persons]
    if gram is not None:
        tables.append(Tables.learn(known[-1], weights=weights, passing=True, gram=gram))
    persons = tune_persons(sales, list(zip(tables, found, strict=True)), weights, seed=seed)
    tables = [replace(one, weights=persons.weights) for one in tables]
    if gram is None:
        return tables, persons.groups
    tables[-1], group = tune_baskets(sales, tables[-1], found[-1], seed=seed, gram=gram)
    return tables, persons.groups | ({"basket": group} if group else {})


def _taught(tables: Tables, before: Sales, moments: list[Moment], *, seed: int) -> Tables:
    """The tables with a second stage learned of the windows, where they teach enough."""
    scorers = scorers_of(moments, seed=seed)
    if not scorers:
        return tables
    return replace(tables, second=SecondStage(Crowd.of(before, rhythm=tables.weights.rhythm), scorers))


def _lists_won(surfaces: dict[str, Surface]) -> list[Mode]:
    """The lists whose second stage serves somewhere."""
    won = {LIST_OF[mode] for mode, surface in SURFACE.items() if surfaces[surface].method == LEARNED}
    return [mode for mode in TAUGHT if LIST_OF[mode] in won]
