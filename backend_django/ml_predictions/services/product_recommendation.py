"""What to offer: beside a product, to a customer, into a basket, to everybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from django.db import connections

from ml_predictions import artifacts, conf
from ml_predictions.artifacts import ArtifactRefused, Content
from ml_predictions.messages import message
from ml_predictions.models import MLModel, ProductRecommendation
from ml_predictions.services import recommendation_answers as answers
from ml_predictions.services.base import Service, TrainingRun
from ml_predictions.services.recommendation_answers import Ranked, Shelf, Why, rank, serve
from ml_predictions.services.recommendation_version import page_rows, page_table, version_of
from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory, UnknownId
from retail_ml.recommend.base import MODES, Mode, Query, Recommender, history_of
from retail_ml.recommend.content import product_texts
from retail_ml.recommend.data import Sales
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import BoughtTogether, SimilarContent, Trending
from retail_ml.recommend.reasons import BasketReasons, PersonReasons
from retail_ml.recommend.selection import BASELINE, RUNGS, SURFACE
from retail_ml.recommend.tables import Tables

"""Order lines below which nothing is trained."""
MOST = 100
"""The largest `top_n`."""
PROGRESS = {"validate": 10, "test": 45, "fit": 65}


class ProductRecommendationService(Service):
    """Learns what is bought together and what is alike; answers with what is on sale and in stock now."""

    name = "product_recommendation"
    rows = ProductRecommendation

    # --- training -----------------------------------------------------------------------------

    def train(self, run: TrainingRun, **parameters: Any) -> MLModel:
        """Choose and test a method on later baskets, learn from all of them, publish the version.

        Raises NotEnoughHistory below ten sold order lines, BadParameter for any parameter: there are none.
        """
        if parameters:
            raise BadParameter(
                f"the recommendations have no parameter {', '.join(sorted(parameters))}; send none",
                code="bad_parameter.none_known",
                field=min(parameters),
                service=self.name,
            )
        run.progress(1, message("recommend.step_read"))
        sales = self._sales()
        learnt = learn(
            sales,
            seed=conf.get("SEED"),
            progress=lambda step: run.progress(PROGRESS[step], message(f"recommend.step_{step}")),
        )
        tables, choice = learnt.tables, learnt.choice
        pages = page_table(RUNGS["page"][choice.surfaces["page"].method]().attach(tables))
        run.progress(85, message("recommend.step_store"))
        return self.publish(run, [version_of(sales, tables, choice, pages)])

    def _sales(self) -> Sales:
        """The shop's baskets up to its as-of day; up to its last sale when that leaves too few."""
        until = self.source.data_until()
        lines = self.source.order_lines()
        sold = lines.filter(~pl.col("is_return"), pl.col("units") > 0)
        if until is None or len(sold) < FEWEST_SALES:
            raise NotEnoughHistory(
                f"Product recommendations need at least {FEWEST_SALES} sold order lines; the shop has {len(sold)}. "
                "Import past orders, or wait for more sales",
                code="recommend.not_enough_sales",
                found=len(sold),
                needed=FEWEST_SALES,
            )
        last = sold["day"].max()
        assert isinstance(last, date)
        enough = len(sold.filter(pl.col("day") <= until.as_of)) >= FEWEST_SALES
        return Sales.of(lines, self.source.products(), as_of=until.as_of if enough else max(last, until.as_of))

    def write_rows(self, model: MLModel, content: Content) -> None:
        """Store the best 50 of each product page: what the admin shows, and what serves when the file cannot."""
        alias = self.rows._default_manager.db
        connection = connections[alias]
        table, quote = self.rows._meta.db_table, connection.ops.quote_name
        columns = ", ".join(quote(c) for c in ("model_id", "product_id", "recommended_id", "rank", "score", "reason"))
        sql = f"INSERT INTO {quote(table)} ({columns}) VALUES (%s, %s, %s, %s, %s, %s)"
        with connection.cursor() as cursor:
            cursor.executemany(sql, list(page_rows(model.pk, content)))

    # --- answers ------------------------------------------------------------------------------

    def for_product(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """For a product's page: bought with it, or alike and selling."""
        product_id, top_n = str(product_id), _checked(top_n)
        model = self.active()
        try:
            served, tables = self._served(model, "page")
        except ArtifactRefused:
            return self._stored(model, product_id, top_n)
        return self._beside(served, tables, product_id, top_n)

    def similar(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """Alike in name, category, description and price; sales play no part."""
        model = self.active()
        tables = self._tables(model)
        found = self._beside(SimilarContent().attach(tables), tables, str(product_id), _checked(top_n))
        return found if found["recommendations"] else {**found, "note": message("recommend.no_similar")}

    def bought_together(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """Found in the same baskets, at least three and more than by chance; with share of baskets and lift."""
        product_id, top_n = str(product_id), _checked(top_n)
        tables = self._tables(self.active())
        row = int(tables.rows([product_id])[0])
        ranked = rank(
            BoughtTogether().attach(tables), Query(products=(product_id,)), answers.together_reasons(tables, row)
        )
        items = serve(ranked, Shelf(self.source), top_n=top_n, subjects=[product_id])
        return _answer(items, None if items else message("recommend.no_pairs"))

    def for_customer(self, customer_id: str, *, top_n: int = 10, mode: Mode = "all") -> dict[str, Any]:
        """What to offer a customer: all, only what he never bought (novel), or what he buys again (repeat)."""
        customer_id, top_n = str(customer_id), _checked(top_n)
        if mode not in MODES:
            raise BadParameter(
                f"mode is {mode!r}; it must be one of {', '.join(MODES)}",
                code="bad_parameter.choice",
                field="mode",
                received=mode,
                allowed=list(MODES),
            )
        served, tables = self._served(self.active(), SURFACE[mode])
        history = self._history(customer_id)
        query = Query(history=history, mode=mode)
        why = PersonReasons(tables, history_of(history, tables), repeats=mode != "novel")
        ranked = rank(served, query, answers.cause_reasons(tables, why), named=why.named())
        items = serve(ranked, Shelf(self.source), top_n=top_n, again=False)
        note = message("recommend.no_purchases") if history.is_empty() else None
        if not items:
            empty = {"repeat": "recommend.nothing_to_repeat", "novel": "recommend.nothing_new"}
            note = message(empty.get(mode, "recommend.nothing_else"))
        return _answer(items, note)

    def for_basket(
        self, product_ids: Sequence[str], *, top_n: int = 10, customer_id: str | None = None
    ) -> dict[str, Any]:
        """What goes with the products of a basket in progress; for a known customer also with what he bought."""
        basket, top_n = tuple(dict.fromkeys(str(p) for p in product_ids)), _checked(top_n)
        model = self.active()
        served, tables = self._served(model, "basket")
        rows = tables.rows(basket)
        rows = np.unique(rows[rows >= 0])
        why = answers.cause_reasons(tables, BasketReasons(tables, rows))
        history = None if customer_id is None else self._history(str(customer_id))
        if self.content(model).meta["served"]["customer"] == BASELINE:  # his own purchases were no help in the test
            ranked = rank(served, Query(products=basket), why)
        else:
            ranked = rank(served, Query(products=basket, history=history), why)
        items = serve(ranked, Shelf(self.source), top_n=top_n, subjects=basket, again=history is None)
        note = None
        if not basket:
            note = message("recommend.empty_basket")
        elif not len(rows):
            note = message("recommend.unknown_basket", as_of=tables.as_of.isoformat())
        return _answer(items, note if items else message("recommend.nothing_else"))

    def trending(self, *, top_n: int = 10) -> dict[str, Any]:
        """What sells well, and more than usually."""
        top_n = _checked(top_n)
        tables = self._tables(self.active())
        ranked = rank(Trending().attach(tables), Query(), answers.trending_reasons(tables))
        items = serve(ranked, Shelf(self.source), top_n=top_n)
        return _answer(items, None if items else message("recommend.nothing_else"))

    # --- parts --------------------------------------------------------------------------------

    def _tables(self, model: MLModel) -> Tables:
        return _load_tables(model.artifact, model.artifact_sha256)

    def _served(self, model: MLModel, surface: str) -> tuple[Recommender, Tables]:
        """The rule that the version serves on a surface, over its tables."""
        tables = self._tables(model)
        return RUNGS[surface][self.content(model).meta["served"][surface]]().attach(tables), tables

    def _beside(self, served: Recommender, tables: Tables, product_id: str, top_n: int) -> dict[str, Any]:
        row = int(tables.rows([product_id])[0])
        shelf = Shelf(self.source)
        query, note = Query(products=(product_id,)), None
        if row < 0:  # newer than the model: its words and price are known, its sales are not
            shelf.look([], also=[product_id])
            shelf.known(product_id)
            product = self._as_query(shelf.products[product_id])
            query = Query(products=(product_id,), **product)
            likeness = tables.text.similar_to(query.text, price=query.price)
            note = message("recommend.newer_than_model", as_of=tables.as_of.isoformat())
        else:
            likeness = tables.likeness(row)
            if not tables.orders_with[row]:
                note = message("recommend.no_history")
        alike = isinstance(served, SimilarContent)
        why = answers.content_reasons(likeness) if alike else answers.page_reasons(tables, row, likeness)
        ranked = rank(served, query, why)
        items = serve(ranked, shelf, top_n=top_n, subjects=[product_id], again=row >= 0)
        if alike:  # content is what was asked for
            note = None
        return _answer(items, note if items else message("recommend.nothing_else"))

    @staticmethod
    def _as_query(product: dict[str, Any]) -> dict[str, Any]:
        texts = product_texts(pl.DataFrame([product], infer_schema_length=None))
        return {"text": texts[0], "price": product["price"]}

    def _stored(self, model: MLModel, product_id: str, top_n: int) -> dict[str, Any]:
        """The stored rows of a product page, when the model file is refused."""
        rows = self.rows.objects.filter(model=model, product_id=product_id).order_by("rank")
        stored = list(rows.values_list("recommended_id", "score", "reason"))

        def why(at: int, _names: dict[str, str]) -> Why:
            return Why(stored[at][2] or message("recommend.rest"))

        ranked = Ranked([r[0] for r in stored], [r[1] for r in stored], list(range(len(stored))), why)
        items = serve(ranked, Shelf(self.source), top_n=top_n, subjects=[product_id], again=False)
        return _answer(items, message("recommend.stored_rows"))

    def _history(self, customer_id: str) -> pl.DataFrame:
        """What a customer bought; raises UnknownId for a customer whom the shop does not know."""
        history = self.source.purchases(customer_id=customer_id)
        if history.is_empty() and not self.source.customer_exists(customer_id):
            raise UnknownId(
                f"There is no customer {customer_id!r}; ids are those of the shop's customers",
                code="unknown_customer",
                customer_id=customer_id,
            )
        return history


@lru_cache(maxsize=2)
def _load_tables(artifact: str, sha256: str) -> Tables:
    """The tables of a version, memory-mapped once per process."""
    content = artifacts.load(artifact, sha256)
    return Tables.from_arrays(content.meta, content.arrays)


def _checked(top_n: int) -> int:
    if isinstance(top_n, bool) or not isinstance(top_n, int) or not 1 <= top_n <= MOST:
        raise BadParameter(
            f"top_n is {top_n!r}; a whole number from 1 to {MOST} is needed",
            code="bad_parameter.whole",
            field="top_n",
            minimum=1,
            maximum=MOST,
            received=top_n,
        )
    return top_n


def _answer(items: list[dict[str, Any]], note: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"recommendations": items}
    return {**answer, "note": note} if note else answer
