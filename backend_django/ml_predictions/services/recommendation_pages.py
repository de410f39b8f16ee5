"""Lists beside products: one, a hundred at once, or all of them; and the question that they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from ml_predictions.artifacts import Content
from ml_predictions.messages import message
from ml_predictions.services import recommendation_answers as answers
from ml_predictions.services.recommendation_answers import Asked, Item, Ranked, Reasons, Shelf, Steering
from ml_predictions.services.recommendation_rules import RulesInForce, Wishes
from ml_predictions.sources.base import Source
from retail_ml.recommend.base import Batch, Query, Recommender, best
from retail_ml.recommend.content import product_texts
from retail_ml.recommend.evaluation import step
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.models import SimilarContent
from retail_ml.recommend.tables import Tables


@dataclass(frozen=True)
class Question:
    """What is asked on one surface of a version: the rule that serves there, the version's file, its receipt.

    `steer`: what the stock may change of its lists, if anything.
    """

    served: Recommender
    content: Content
    receipt: dict[str, Any]
    steer: Steering | None = None

    @property
    def tables(self) -> Tables:
        """What the version has learned."""
        return self.served.tables_

    def ranked(self, query: Query, why: Reasons, wishes: Wishes, **more: Any) -> Ranked:
        """The candidates of one question: what the owner excludes is left out before it is ranked."""
        return answers.rank(self.served, query, why, mask=self.mask(wishes), **more)

    def mask(self, wishes: Wishes) -> np.ndarray:
        """Products on sale when the version was trained, without those that the owner excludes."""
        active = np.asarray(self.tables.active)
        never = self.tables.mask(wishes.products) if wishes.products else None
        for name in wishes.categories:
            some = self.in_category(name)
            never = some if never is None else never | some
        return active if never is None else active & ~never

    def in_category(self, name: str) -> np.ndarray:
        """Products that were of a category when the version was trained (none in versions that do not know)."""
        names = self.content.arrays.get("categories", np.empty(0, str))
        at = int(np.searchsorted(names, name))
        if at == len(names) or names[at] != name:
            return np.zeros(len(self.tables), bool)
        return np.asarray(self.content.arrays["category"] == at)

    def asked(self, found: Ranked, wishes: Wishes, subjects: Sequence[str] = ()) -> Asked:
        """The question with the candidates of each pin."""
        first = [self._of_pin(level, name, found) for level, name in wishes.pins]
        return Asked(found, subjects, wishes, first, self.steer)

    def _of_pin(self, level: str, name: str, found: Ranked) -> list[str]:
        """A product; of a category its best candidates of this list, then its best sellers."""
        if level == "product":
            return [name]
        inside = self.in_category(name) & np.asarray(self.tables.active)
        listed = [found.ids[i] for i in np.flatnonzero(inside[found.rows])[: answers.PINNED_POOL]]
        sellers = best(np.where(inside, self.tables.share(28) + 1e-12, 0.0), answers.PINNED_POOL)
        return list(dict.fromkeys([*listed, *self.tables.products.external[sellers].tolist()]))

    def unsold(self, code: str = "recommend.no_sales") -> dict[str, Any] | None:
        """The note of a version that was trained before the shop sold anything; None for any other."""
        return None if self.tables.orders else message(code, as_of=self.tables.as_of.isoformat())

    def answer(self, items: list[Item], note: dict[str, Any] | None) -> dict[str, Any]:
        """Items, where they come from when that is not the usual, and how good such lists were."""
        told = {"note": note} if note else {}
        return {"recommendations": items, **told, "receipt": self.receipt}


def beside(ask: Question, product_id: str, shelf: Shelf, wishes: Wishes) -> tuple[Asked, dict[str, Any] | None]:
    """What is asked beside one product, and the note of its list. `shelf` must hold it where it is not in the tables.

    Raises UnknownId for a product that neither knows.
    """
    row = int(ask.tables.rows([product_id])[0])
    query = Query(products=(product_id,), **({} if row >= 0 else words(shelf.known(product_id))))
    found = ask.ranked(query, _why(ask, row, query), wishes)
    return ask.asked(found, wishes, [product_id]), _note(ask, row)


def of_many(ask: Question, ids: Sequence[str], rules: RulesInForce, source: Source, *, top_n: int) -> dict[str, Any]:
    """The lists beside many products: one ranking, one look at the shelf (and a second where a list is short)."""
    shelf = Shelf(source)
    rows = ask.tables.rows(ids)
    new = [product for product, row in zip(ids, rows, strict=True) if row < 0]
    shelf.look([], also=new)
    kept = [(p, int(row)) for p, row in zip(ids, rows, strict=True) if row >= 0 or p in shelf.products]
    queries = [Query(products=(p,), **({} if row >= 0 else words(shelf.products[p]))) for p, row in kept]
    external, lists = ask.tables.products.external, []
    tops = _tops(ask, kept, queries, ask.mask(rules.beside(())))
    for (product, row), query, top in zip(kept, queries, tops, strict=True):
        wishes = rules.beside([product])
        found = answers.ranked(top, external, _why(ask, row, query))
        lists.append(ask.asked(found, wishes, [product]))
    chosen = answers.choose(lists, shelf, top_n=top_n)
    results = []
    for (product, row), some in zip(kept, chosen, strict=True):
        if product not in shelf.products:  # sold once, and no longer the shop's
            continue
        note = _note(ask, row) if some.products else message("recommend.nothing_else")
        items = answers.items(some, shelf)
        results.append({"source_product_id": product, "recommendations": items, **({"note": note} if note else {})})
    there = {result["source_product_id"] for result in results}
    unknown = [product for product in ids if product not in there]
    return {"results": results, "unknown_product_ids": unknown, "receipt": ask.receipt}


def of_all(ask: Question, rules: RulesInForce, source: Source, *, top_n: int) -> Iterator[tuple[str, list[Item]]]:
    """Every product of the shop that the version knows, with the best of its stored page."""
    tables, shelf = ask.tables, Shelf(source)
    external = tables.products.external
    shelf.look_at_all()
    stored_ids, stored_scores = ask.content.arrays["page_ids"], ask.content.arrays["page_scores"]
    for row, product in enumerate(external.tolist()):
        if product not in shelf.products:
            continue
        kept = stored_ids[row] >= 0
        top = stored_ids[row][kept], stored_scores[row][kept].astype(np.float64)
        found = answers.ranked(top, external, answers.page_reasons(tables, row, partial(tables.likeness, row)))
        asked = ask.asked(found, rules.beside([product]), [product])
        chosen = answers.choose([asked], shelf, top_n=top_n, again=False)[0]
        yield product, answers.items(chosen, shelf)


def words(product: Mapping[str, Any]) -> dict[str, Any]:
    """Words and price of a product that is newer than the model, for a query."""
    table = pl.DataFrame([product], infer_schema_length=None)
    return {"text": product_texts(table)[0], "price": product["price"]}


def _tops(
    ask: Question, kept: Sequence[tuple[str, int]], queries: Sequence[Query], mask: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and scores of the best candidates of each page, so many at a time as memory allows."""
    count, size = len(ask.tables), step(len(ask.tables))
    for first in range(0, len(kept), size):
        rows = np.array([row for _, row in kept[first : first + size]])
        there = np.flatnonzero(rows >= 0)
        subjects = sparse.csr_matrix((np.ones(len(there)), (there, rows[there])), shape=(len(rows), count))
        new = [(query.text, query.price) for query in queries[first : first + size]]
        batch = Batch(subjects, Histories.none(len(rows), count), mask, new=new, first=rows)
        yield from ask.served.top_many(batch, k=answers.MOST_RANKED)


def _why(ask: Question, row: int, query: Query) -> Reasons:
    """Reasons beside a product: its row, or the words of one that has none."""
    text = ask.tables.text
    likeness = partial(ask.tables.likeness, row)
    if row < 0:
        likeness = partial(text.similar_to, query.text, price=query.price)
    if isinstance(ask.served, SimilarContent):
        return answers.content_reasons(likeness)
    return answers.page_reasons(ask.tables, row, likeness)


def _note(ask: Question, row: int) -> dict[str, Any] | None:
    """Where the list comes from, when that is not the usual; likeness is what was asked for, and always there."""
    if isinstance(ask.served, SimilarContent):
        return None
    if row < 0:
        return message("recommend.newer_than_model", as_of=ask.tables.as_of.isoformat())
    if ask.tables.orders_with[row]:
        return None
    return ask.unsold("recommend.no_sales_page") or message("recommend.no_history")
