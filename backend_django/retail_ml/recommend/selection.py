"""Which rule serves: the richest that the shop's own later baskets do not speak against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from retail_ml.recommend import evaluation
from retail_ml.recommend.base import Mode, Recommender
from retail_ml.recommend.data import Sales
from retail_ml.recommend.evaluation import Measure, Questions, Window
from retail_ml.recommend.learned import Learned
from retail_ml.recommend.models import (
    BasketCompletion,
    HybridPage,
    PersonalBlend,
    PersonalFrequency,
    PopularContent,
    Popularity,
)
from retail_ml.recommend.tables import Tables
from retail_ml.recommend.weights import Weights

SMALL_ORDERS, SMALL_PRODUCTS = 30, 10
"""Below either, co-purchases say too little: popularity and content serve."""
BASELINE, LINEAR, LEARNED = "popularity", "personal", "learned"

ENOUGH_QUESTIONS = 100
"""Questions below which a window is too short to choose by, and only a clear defeat counts."""
STRICT = "page"
"""The surface whose figure stands for the version: there any defeat counts."""

Rungs = dict[str, Callable[[], Recommender]]
RUNGS: dict[str, Rungs] = {  # richest first; the last is the baseline
    "page": {"hybrid": HybridPage, "popularity_content": PopularContent, BASELINE: Popularity},
    "basket": {"co_purchase": BasketCompletion, BASELINE: Popularity},
    "customer": {LEARNED: Learned, LINEAR: PersonalBlend, "frequency": PersonalFrequency, BASELINE: Popularity},
    "customer_novel": {LEARNED: Learned, LINEAR: PersonalBlend, BASELINE: Popularity},
    "customer_repeat": {LEARNED: Learned, LINEAR: PersonalBlend, "frequency": PersonalFrequency, BASELINE: Popularity},
}
SURFACE: dict[Mode, str] = {"all": "customer", "novel": "customer_novel", "repeat": "customer_repeat"}
"""The surface of each list for a customer."""
QUESTIONS: dict[str, Callable[..., Questions]] = {
    "page": evaluation.page_questions,
    "basket": evaluation.basket_questions,
    **{surface: partial(evaluation.customer_questions, mode=mode) for mode, surface in SURFACE.items()},
}


@dataclass(frozen=True)
class Trial:
    """All rungs fitted on what lies before `start` and asked about start…end; None: nobody to ask about."""

    window: Window
    orders_before: int
    products_before: int
    measures: dict[str, dict[str, Measure | None]]

    @property
    def small(self) -> bool:
        """Too little was known before the window for co-purchases."""
        return self.orders_before < SMALL_ORDERS or self.products_before < SMALL_PRODUCTS


@dataclass(frozen=True)
class Surface:
    """What serves on one surface, its measure on the test window, and the baseline's on the same questions."""

    method: str
    measure: Measure | None
    baseline: Measure | None
    passed_over: dict[str, Measure] = field(default_factory=dict)

    @property
    def beats_baseline(self) -> bool | None:
        """Better than popularity on later baskets? None for popularity itself, and when there was nothing to ask."""
        if self.measure is None or self.baseline is None or self.method == BASELINE:
            return None
        return self.measure.beats(self.baseline)

    def rounded(self) -> dict[str, Any]:
        """For a receipt."""
        return {
            "method": self.method,
            "measured": self.measure.rounded() if self.measure else None,
            "baseline": {"name": BASELINE, **self.baseline.rounded()} if self.baseline else None,
            "passed_over": {name: measure.rounded() for name, measure in self.passed_over.items()},
        }


@dataclass(frozen=True)
class Choice:
    """The rung of each surface, and the windows on which it was chosen and tested (None: too short a history).

    `tuning`: for each group of weights whether tuned ones were taken, and the figures behind that.
    """

    surfaces: dict[str, Surface]
    validation: Trial | None
    test: Trial | None
    small: bool
    weights: Weights
    tuning: dict[str, dict[str, Any]] = field(default_factory=dict)


def trial(sales: Sales, tables: Tables, window: Window, *, seed: int) -> Trial:
    """Ask every rung about a window; `tables` were learned of `sales.before` it.

    Nothing of the window reaches the tables: `Sales.before` leaves out its baskets and the products first sold in
    it.
    """
    measures: dict[str, dict[str, Measure | None]] = {}
    for surface, rungs in RUNGS.items():
        asked = QUESTIONS[surface](sales, tables, window, seed=seed)
        measures[surface] = {
            name: evaluation.measure(model().attach(tables), asked)
            for name, model in rungs.items()
            if name != LEARNED or tables.second is not None
        }
    return Trial(window, tables.orders, len(tables), measures)


def surface_of(surface: str, small: bool, validation: Trial | None, test: Trial | None) -> Surface:
    """What serves on a surface: chosen on the validation window, forbidden where the test window speaks against it."""
    rungs, by_order = list(RUNGS[surface]), surface in SURFACE.values()
    tested = test.measures[surface] if test else dict.fromkeys(rungs)
    baseline = tested[BASELINE]
    plain = [name for name in rungs if name != LEARNED][1 if small else 0 :]
    if baseline is None:  # no later basket to ask about: the rule that measured best in shops of this size
        return Surface("popularity_content" if surface == STRICT else plain[0], None, None)
    learned, linear = tested.get(LEARNED), tested.get(LINEAR)
    if learned is not None and linear is not None and evaluation.better(learned, linear):
        return Surface(LEARNED, learned, baseline)
    enough = 1 if surface == STRICT else ENOUGH_QUESTIONS
    earlier = validation.measures[surface] if validation and surface != STRICT else {}
    best = _best(validation.measures[surface], plain, by_order=by_order, enough=enough) if validation else None
    if best is not None:
        plain = plain[plain.index(best) :]
    passed_over: dict[str, Measure] = {}
    for name in plain:
        measure = tested[name]
        past = earlier.get(name), earlier.get(BASELINE)
        if measure is not None and not _loses((measure, baseline), past, by_order=by_order, enough=enough):
            return Surface(name, measure, baseline, passed_over)
        if measure is not None:
            passed_over[name] = measure
    return Surface(BASELINE, baseline, baseline, passed_over)


def _loses(
    tested: tuple[Measure, Measure], earlier: tuple[Measure | None, Measure | None], *, by_order: bool, enough: int
) -> bool:
    """Does popularity (the second of each pair) speak against a rule on the test window?

    With few questions only a gap of two bootstrap errors does; otherwise it must be ahead on both windows together: one
    window's luck does not outweigh a clear lead on the other.
    """
    measure, baseline = tested
    if not baseline.beats(measure, by_order=by_order):
        return False
    if measure.cases < enough:
        return evaluation.better(baseline, measure, errors=2)
    if earlier[0] is None or earlier[1] is None:
        return True
    return earlier[1].with_(baseline).beats(earlier[0].with_(measure), by_order=by_order)


def _best(measures: dict[str, Measure | None], rungs: list[str], *, by_order: bool, enough: int) -> str | None:
    """The best of `rungs` (as good: the simpler); None when they were not asked enough."""
    best = None
    for name in reversed(rungs):
        measure = measures.get(name)
        if measure is None or measure.cases < enough:
            return None
        if best is None or measure.beats(best[1], by_order=by_order):
            best = (name, measure)
    return best[0] if best else None
