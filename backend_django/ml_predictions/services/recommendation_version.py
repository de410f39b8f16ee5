"""One trained version of the recommendations: its file, its stored rows, its metrics and its receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ml_predictions import conf
from ml_predictions.artifacts import Content
from ml_predictions.messages import message
from ml_predictions.services import recommendation_answers as answers
from ml_predictions.services.base import Version
from retail_ml.recommend.data import Sales, day_of
from retail_ml.recommend.evaluation import Measure
from retail_ml.recommend.learning import Learnt
from retail_ml.recommend.pages import Pages
from retail_ml.recommend.sample_cost import PeopleCost, SampleCost
from retail_ml.recommend.selection import BASELINE, Choice, Trial
from retail_ml.recommend.tables import Tables

PAGE_ROWS = 50
"""Recommendations stored per product page."""
CONFIDENT_CASES = 100
"""Questions of the test from which its result is not flagged as uncertain."""


def page_rows(model_id: int, content: Content) -> Iterator[tuple[Any, ...]]:
    """The stored rows of a version, from its file alone."""
    tables = Tables.from_arrays(content.meta, content.arrays)
    external = tables.products.external.tolist()
    ids, scores = content.arrays["page_ids"], content.arrays["page_scores"].astype(np.float64)
    for row, product in enumerate(external):
        why = answers.page_reasons(tables, row, partial(tables.likeness, row))
        kept = ids[row] >= 0
        best = zip(ids[row][kept].tolist(), scores[row][kept].tolist(), strict=True)
        for place, (other, score) in enumerate(best, start=1):
            reason = json.dumps(why(other, str).reason)
            yield model_id, product, external[other], place, round(score, 4), reason


def version_of(sales: Sales, learnt: Learnt, pages: Pages) -> Version:
    """The version to publish: what it learned, how it was tested, what serves and why."""
    tables, choice = learnt.tables, learnt.choice
    meta, arrays = tables.to_arrays()
    page = choice.surfaces["page"]
    served = {surface: found.method for surface, found in choice.surfaces.items()}
    return Version(
        model_type=page.method,
        content=Content(
            meta={**meta, "served": served},
            arrays={**arrays, "page_ids": pages[0], "page_scores": pages[1], **_categories(sales)},
        ),
        metrics=_metrics(sales, choice, pages),
        receipt=_receipt(sales, choice)
        | {"steering": learnt.steering, "sample": _sample(learnt.cost), "people": _people(sales.share, learnt.people)},
        as_of=sales.as_of,
        parameters={"weights": choice.weights.to_dict(), "served": served, "seed": conf.get("SEED")},
        beats_baseline=page.beats_baseline,
        why=_why(sales, choice),
    )


def _categories(sales: Sales) -> dict[str, np.ndarray]:
    """The category of each product as a row of the sorted names: what rules of categories are looked up in."""
    names, row = np.unique(np.array(sales.catalogue["category"].to_list() or [""], dtype=str), return_inverse=True)
    return {"categories": names, "category": row[: len(sales.products)].astype(np.int32)}


def _metrics(sales: Sales, choice: Choice, pages: Pages) -> dict[str, Any]:
    page = choice.surfaces["page"]
    top = pages[0][:, :10] >= 0
    measured = page.measure.rounded() if page.measure else {}
    baseline = page.baseline.rounded() if page.baseline else {}
    return {
        "total_products": len(sales.products),
        "total_baskets": sales.orders,
        "matrix_nonzeros": int(sales.matrix.nnz),
        "avg_similarity": round(float(pages[1][:, :10][top].mean(dtype=np.float64)), 4) if top.any() else None,
        "method": page.method,
        "hit_rate_10": measured.get("hit_rate_10"),
        "ndcg_10": measured.get("ndcg_10"),
        "coverage": measured.get("coverage"),
        "test_cases": measured.get("cases", 0),
        "baseline": {
            "name": BASELINE,
            "hit_rate_10": baseline.get("hit_rate_10"),
            "ndcg_10": baseline.get("ndcg_10"),
            "coverage": baseline.get("coverage"),
        },
        "weights": choice.weights.to_dict(),
        "basket": choice.surfaces["basket"].rounded(),
        "customer": choice.surfaces["customer"].rounded(),
        "low_confidence": choice.small or measured.get("cases", 0) < CONFIDENT_CASES,
        "why": _why(sales, choice),
    }


def _receipt(sales: Sales, choice: Choice) -> dict[str, Any]:
    page = choice.surfaces["page"]
    return {
        **page.rounded(),
        "table": _table(choice),
        "beats_baseline": page.beats_baseline,
        "test": _trial(choice.test),
        "validation": _trial(choice.validation),
        "surfaces": {name: found.rounded() for name, found in choice.surfaces.items()},
        "tuning": choice.tuning,
        "why": _why(sales, choice),
    }


def _sample(cost: SampleCost | None) -> dict[str, Any] | None:
    """Candidates that the second stage learned from, of how many, and what that costs; None: from all of them."""
    if cost is None:
        return None
    return {"rows": cost.rows, "of": cost.drawn_from, **_halved(cost.whole, cost.half, cost.baseline)}


def _people(share: float, cost: PeopleCost | None) -> dict[str, Any] | None:
    """Of what share of the people the version is, and what that costs on each surface; None: of all of them."""
    if share >= 1:
        return None
    surfaces = {} if cost is None else {name: _halved(*measures) for name, measures in cost.surfaces.items()}
    return {"share": round(share, 4), "surfaces": surfaces}


def _halved(whole: Measure, half: Measure, baseline: Measure) -> dict[str, Any]:
    """What a sample gave, and its half."""
    of = {"ndcg_10": whole, "ndcg_10_half": half, "baseline_ndcg_10": baseline}
    return {"cases": whole.cases, **{name: round(measure.ndcg_10, 4) for name, measure in of.items()}}


def _table(choice: Choice) -> list[dict[str, Any]]:
    """The shop's own table: for each surface best sellers, own frequency and what serves, on its last two windows."""
    found = []
    for surface, served in choice.surfaces.items():
        for name, trial in (("validation", choice.validation), ("test", choice.test)):
            measures = trial.measures[surface] if trial else {}
            for method in dict.fromkeys((BASELINE, "frequency", served.method)):
                if trial is None or (measure := measures.get(method)) is None:
                    continue
                row = {"surface": surface, "window": name, "method": method, "serves": method == served.method}
                found.append({**row, **_days(trial), **measure.rounded()})
    return found


UNTESTED = {
    "similar": "recommend.receipt_similar",
    "together": "recommend.receipt_together",
    "trending": "recommend.receipt_trending",
}
"""Surfaces that no window tests, and what is said of them."""


def short_receipt(receipt: dict[str, Any], surface: str) -> dict[str, Any]:
    """What stands beside every list: how often it was right on the last window, and plain popularity on the same."""
    if surface in UNTESTED:
        return {"surface": surface, "sentence": message(UNTESTED[surface])}
    found, test = receipt["surfaces"][surface], receipt["test"]
    measured, baseline = found["measured"], found["baseline"]
    told = {"surface": surface, "method": found["method"], "measured": measured, "baseline": baseline}
    if strength_of(receipt, surface):
        told["steering"] = receipt["steering"][surface]
    if measured is None or baseline is None or test is None:
        return {**told, "sentence": message("recommend.receipt_none")}
    figures = {
        "cases": measured["cases"],
        "first": test["from"],
        "last": test["to"],
        "ours": round(100 * measured["hit_rate_10"], 1),
    }
    if found["method"] == BASELINE:
        sentence = message("recommend.receipt_baseline", **figures)
    else:
        sentence = message("recommend.receipt", **figures, baseline=round(100 * baseline["hit_rate_10"], 1))
    return {**told, "from": test["from"], "to": test["to"], "sentence": sentence}


def strength_of(receipt: dict[str, Any], surface: str) -> float:
    """How strongly the stock steers a surface's lists; 0: not at all."""
    return float(receipt.get("steering", {}).get(surface, {}).get("strength", 0.0))


def _days(trial: Trial) -> dict[str, str]:
    """The first and the last day of a window."""
    return {"from": day_of(trial.window[0]).isoformat(), "to": day_of(trial.window[1] - 1).isoformat()}


def _trial(trial: Trial | None) -> dict[str, Any] | None:
    """A window of the back-test with the figures of every rung on it."""
    if trial is None:
        return None
    return {
        **_days(trial),
        "days": round(trial.window[1] - trial.window[0]),
        "orders_before": trial.orders_before,
        "products_before": trial.products_before,
        "measures": {
            surface: {name: found.rounded() if found else None for name, found in rungs.items()}
            for surface, rungs in trial.measures.items()
        },
    }


def _why(sales: Sales, choice: Choice) -> dict[str, Any]:
    """Why this method serves on product pages."""
    page = choice.surfaces["page"]
    if page.measure is None or page.baseline is None:
        return message("recommend.not_tested" if sales.orders else "recommend.nothing_sold")
    if choice.small:
        return message("recommend.small_shop", orders=sales.orders, products=len(sales.products))
    hybrid = page.passed_over.get("hybrid")
    code = "recommend.hybrid_serves" if page.method == "hybrid" else "recommend.chosen_earlier"
    measure = page.measure if hybrid is None else hybrid
    return message(
        code if hybrid is None else "recommend.hybrid_loses",
        cases=measure.cases,
        ours=_percent(measure),
        baseline=_percent(page.baseline),
    )


def _percent(measure: Measure) -> float:
    return round(100 * measure.hit_rate_10, 1)
