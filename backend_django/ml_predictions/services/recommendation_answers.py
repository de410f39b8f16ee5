"""From a ranking to an answer: what is on sale and in stock now, with its name, its price and the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ml_predictions.messages import message
from ml_predictions.sources.base import Source
from retail_ml.errors import UnknownId
from retail_ml.recommend import reasons
from retail_ml.recommend.base import Query, Recommender
from retail_ml.recommend.reasons import BasketReasons, PersonReasons
from retail_ml.recommend.tables import Tables

POOL = 150
"""Candidates whose stock is looked up at first."""
SECOND_POOL = 2_000
"""Candidates that are looked up when too few of the first are in stock."""

Reason = dict[str, Any]
Item = dict[str, Any]


@dataclass(frozen=True)
class Why:
    """The reason of one recommendation, the orders behind it, and further figures of the item."""

    reason: Reason
    support: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranked:
    """Candidates before their stock is known, best first, and how to give reasons for them.

    `why` gets the row of a recommended product and the names of the products that `named` lists.
    """

    ids: list[str]
    scores: list[float]
    rows: list[int]
    why: Callable[[int, dict[str, str]], Why]
    named: list[str] = field(default_factory=list)


class Shelf:
    """The live range, looked up for the candidates only: two queries a look, and at most two looks a request."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.products: dict[str, dict[str, Any]] = {}
        self.units: dict[str, float] = {}

    def look(self, candidates: Sequence[str], *, also: Iterable[str] = ()) -> None:
        """Read the candidates, with their stock, and the products of `also`, without."""
        wanted = list(dict.fromkeys([*candidates, *also]))
        if wanted:
            self.products |= {row["product_id"]: row for row in self.source.products(ids=wanted).to_dicts()}
        if candidates:
            self.units |= self.source.available(product_ids=list(candidates))

    def known(self, product_id: str) -> dict[str, Any]:
        """A product that was looked at; raises UnknownId when the shop has none such."""
        if product_id not in self.products:
            raise UnknownId(
                f"There is no product {product_id!r}; ids are those of the shop's product list",
                code="unknown_product",
                id=product_id,
            )
        return self.products[product_id]

    def sells(self, product_id: str) -> bool:
        """On sale, and at least one variant in stock and not promised."""
        return bool(self.products.get(product_id, {}).get("active")) and self.units.get(product_id, 0.0) > 0

    def names(self) -> dict[str, str]:
        """Names of all products looked at."""
        return {product: row["name"] for product, row in self.products.items()}


def serve(ranked: Ranked, shelf: Shelf, *, top_n: int, subjects: Sequence[str] = (), again: bool = True) -> list[Item]:
    """The best `top_n` candidates that are on sale and in stock, as items of an answer.

    What is not in stock is left out before it gets a rank. With `again` a second, larger pool is looked up when
    the first holds too few. Raises UnknownId for a product of `subjects` that the shop does not know.
    """
    first = max(POOL, 3 * top_n) if again else max(POOL, 5 * top_n)
    shelf.look(ranked.ids[:first], also=[*subjects, *ranked.named])
    for subject in subjects:
        shelf.known(subject)
    reach = first
    chosen = [i for i, product in enumerate(ranked.ids[:first]) if shelf.sells(product)][:top_n]
    if again and len(chosen) < top_n and len(ranked.ids) > reach:
        shelf.look(ranked.ids[reach : reach + SECOND_POOL])
        chosen = [i for i, product in enumerate(ranked.ids) if shelf.sells(product)][:top_n]
    names = shelf.names()
    return [
        _item(shelf.products[ranked.ids[i]], ranked.scores[i], rank, ranked.why(ranked.rows[i], names))
        for rank, i in enumerate(chosen, start=1)
    ]


def _item(product: dict[str, Any], score: float, rank: int, why: Why) -> Item:
    return {
        "product_id": product["product_id"],
        "product_name": product["name"],
        "similarity_score": round(score, 4),
        "price": product["price"],
        "image_url": product["image_url"] or None,
        "rank": rank,
        "reason": why.reason,
        "support": why.support,
        **why.figures,
    }


def rank(
    model: Recommender, query: Query, why: Callable[[int, dict[str, str]], Why], *, named: Iterable[int] = ()
) -> Ranked:
    """The candidates of a model that were on sale when it was trained, as many as two looks can reach."""
    tables = model.tables_
    rows, scores = model.top(query, k=POOL * 5 + SECOND_POOL, mask=np.asarray(tables.active))
    external = tables.products.external
    return Ranked(external[rows].tolist(), scores.tolist(), rows.tolist(), why, [str(external[i]) for i in named])


# --- reasons: from codes and figures to sentences ---------------------------------------------------


def told(reason: reasons.Reason, **names: str) -> Why:
    """The sentence of a reason; `names` holds those of the products it speaks of."""
    figures = {name: value for name, value in reason.figures.items() if name != "part"}
    return Why(message(f"recommend.{reason.code}", **figures, **names), reason.support)


def page_reasons(tables: Tables, row: int, likeness: np.ndarray) -> Callable[[int, dict[str, str]], Why]:
    """Reasons beside one product: bought together, alike, a best seller."""
    supports = tables.supports(row) if row >= 0 else {}

    def why(other: int, _names: dict[str, str]) -> Why:
        return told(reasons.of_pair(tables, supports.get(other), other, float(likeness[other])))

    return why


def content_reasons(likeness: np.ndarray) -> Callable[[int, dict[str, str]], Why]:
    """Reasons of what is alike: how much."""

    def why(other: int, _names: dict[str, str]) -> Why:
        return Why(message("recommend.similar", similarity=round(100 * float(likeness[other]))))

    return why


def together_reasons(tables: Tables, row: int) -> Callable[[int, dict[str, str]], Why]:
    """Reasons and figures of `bought_together`: lift, share of baskets, its lower bound, number of baskets."""
    supports = tables.supports(row) if row >= 0 else {}

    def why(other: int, _names: dict[str, str]) -> Why:
        support = supports[other]
        figures = {
            "lift": round(support.lift, 3),
            "share_of_baskets": round(support.share, 4),
            "share_lower": round(support.share_lower, 4),
            "baskets": support.together,
        }
        return replace(told(reasons.of_support(support)), figures=figures)

    return why


def trending_reasons(tables: Tables) -> Callable[[int, dict[str, str]], Why]:
    """Reasons of what is on the rise."""

    def why(other: int, _names: dict[str, str]) -> Why:
        return told(reasons.of_trend(tables, other))

    return why


def cause_reasons(tables: Tables, found: PersonReasons | BasketReasons) -> Callable[[int, dict[str, str]], Why]:
    """Reasons that name the product of the basket or history that speaks most for a recommendation."""

    def why(other: int, names: dict[str, str]) -> Why:
        reason = found.of(other)
        if reason.product is None:
            return told(reason)
        name = names.get(str(tables.products.external[reason.product]))
        return told(reason, product=name) if name else told(reasons.of_sales(tables, other))

    return why
