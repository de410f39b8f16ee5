"""What to offer: beside a product, to a customer, into a basket, to everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from django.db import connections
from django.utils import timezone

from ml_predictions import artifacts, conf
from ml_predictions.artifacts import ArtifactRefused, Content
from ml_predictions.messages import message
from ml_predictions.models import MLModel, ProductRecommendation
from ml_predictions.services import recommendation_answers as answers
from ml_predictions.services import recommendation_pages as pages
from ml_predictions.services.base import Service, TrainingRun
from ml_predictions.services.recommendation_answers import Asked, Namer, Ranked, Shelf, Steering, Why, serve
from ml_predictions.services.recommendation_audience import audience
from ml_predictions.services.recommendation_pages import Question
from ml_predictions.services.recommendation_rules import RulesInForce, Wishes
from ml_predictions.services.recommendation_version import PAGE_ROWS, page_rows, short_receipt, strength_of, version_of
from ml_predictions.services.stock_pressure import StockPressure
from ml_predictions.sources.base import lines_of_some
from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory, UnknownId
from retail_ml.recommend.base import MODES, Mode, Query, Recommender, history_of
from retail_ml.recommend.data import Sales
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import BoughtTogether, SimilarContent, Trending
from retail_ml.recommend.pages import page_table
from retail_ml.recommend.reasons import BasketReasons, PersonReasons
from retail_ml.recommend.selection import BASELINE, RUNGS, SURFACE
from retail_ml.recommend.steering import Stock
from retail_ml.recommend.tables import Tables

MOST = 100
"""The largest `top_n`, and the most products of one call."""
MOST_LINES = 20_000_000
"""Order lines that are learned from; of a shop with more, those of a share of its people."""
PROGRESS = {"validate": 10, "test": 45, "fit": 65}


class ProductRecommendationService(Service):
    """Learns what is bought together and what is alike; answers with what is on sale and in stock now."""

    name = "product_recommendation"
    rows = ProductRecommendation

    # --- training -----------------------------------------------------------------------------

    def train(self, run: TrainingRun, **parameters: Any) -> MLModel:
        """Choose and test a method on later baskets, learn from all of them, publish the version.

        Without sales from words, prices and newness alone. Raises NotEnoughHistory for a shop without a product,
        BadParameter for any parameter: there are none.
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
            stock=self._stock(),
            progress=lambda step: run.progress(PROGRESS[step], message(f"recommend.step_{step}")),
        )
        tables, choice = learnt.tables, learnt.choice
        rung = RUNGS["page"][choice.surfaces["page"].method]
        table = page_table(rung().attach(tables), k=PAGE_ROWS)
        run.progress(85, message("recommend.step_store"))
        return self.publish(run, [version_of(sales, learnt, table)])

    def _stock(self) -> Stock | None:
        """How much the stock of now speaks for each product; None where nothing is known, or it is to play no part."""
        bound, levels = float(conf.get("STOCK_STEERING_LOSS")), StockPressure.in_service()
        return Stock(levels.of(self.reads.available()), bound) if levels is not None and bound > 0 else None

    def _sales(self) -> Sales:
        """The shop's baskets up to its as-of day; up to its last sale when that leaves too few."""
        products = self.reads.products()
        if products.is_empty():
            raise NotEnoughHistory(
                "Product recommendations need a product; the shop has none. Add or import products first",
                code="recommend.no_products",
                found=0,
                needed=1,
            )
        until = self.reads.data_until()
        as_of = until.as_of if until else timezone.localdate() - timedelta(days=1)
        lines, share = lines_of_some(self.reads, most=MOST_LINES, seed=conf.get("SEED"))
        sold = lines.filter(~pl.col("is_return"), pl.col("units") > 0)["day"]
        last = sold.max()
        if isinstance(last, date) and int((sold <= as_of).sum()) < FEWEST_SALES:
            as_of = max(last, as_of)
        return Sales.of(lines, products, as_of=as_of, share=share)

    def write_rows(self, model: MLModel, content: Content) -> None:
        """Store the best 50 of each product page: what the admin shows, and what serves when the file cannot."""
        alias = self.rows._default_manager.db
        connection = connections[alias]
        table, quote = self.rows._meta.db_table, connection.ops.quote_name
        columns = ", ".join(quote(c) for c in ("model_id", "product_id", "recommended_id", "rank", "score", "reason"))
        sql = f"INSERT INTO {quote(table)} ({columns}) VALUES (%s, %s, %s, %s, %s, %s)"
        with connection.cursor() as cursor:
            cursor.executemany(sql, list(page_rows(model.pk, content)))

    def without_customer(self, content: Content, customer_id: str) -> Content | None:
        """None for a version with the habits of single customers, which stand without ids; the others hold sums."""
        return None if len(content.arrays.get("crowd_indptr", ())) > 1 else content

    # --- answers ------------------------------------------------------------------------------

    def for_product(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """For a product's page: bought with it, or alike and selling."""
        product_id, top_n = str(product_id), _checked(top_n)
        model = self.active()
        wishes = self._rules("page", [product_id]).beside([product_id])
        try:
            ask = self._question(model, "page")
        except ArtifactRefused:
            return self._stored(model, product_id, top_n, wishes)
        return self._beside(ask, product_id, top_n, wishes)

    def for_products(self, product_ids: Sequence[str], *, top_n: int = 10) -> dict[str, Any]:
        """`for_product` of up to 100 products at once, for a shop front that stores lists; unknown ids are listed."""
        ids, top_n = tuple(dict.fromkeys(str(p) for p in product_ids)), _checked(top_n)
        if not 1 <= len(ids) <= MOST:
            raise BadParameter(
                f"product_ids holds {len(ids)} products; 1 to {MOST} are needed",
                code="bad_parameter.range",
                field="product_ids",
                minimum=1,
                maximum=MOST,
                received=len(ids),
            )
        model = self.active()
        return pages.of_many(self._question(model, "page"), ids, self._rules("page", ids), self.source, top_n=top_n)

    def every_page(self, *, top_n: int = 10) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each product of the shop that the model knows with the best of its stored 50: for an export.

        A list is shorter where fewer of the 50 are on sale. Reads the range and its stock once, before the first one.
        """
        model = self.active()
        return pages.of_all(self._question(model, "page"), self._rules("page", None), self.source, top_n=top_n)

    def similar(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """Alike in name, category, description and price; sales play no part."""
        product_id, top_n = str(product_id), _checked(top_n)
        ask = self._question(self.active(), "similar", SimilarContent())
        found = self._beside(ask, product_id, top_n, self._rules("similar", [product_id]).beside([product_id]))
        return found if found["recommendations"] else {**found, "note": message("recommend.no_similar")}

    def bought_together(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """Found in the same baskets, at least three and more than by chance; with share of baskets and lift."""
        product_id, top_n = str(product_id), _checked(top_n)
        ask = self._question(self.active(), "together", BoughtTogether())
        wishes = self._rules("together", [product_id]).beside([product_id])
        why = answers.together_reasons(ask.tables, int(ask.tables.rows([product_id])[0]))
        found = ask.ranked(Query(products=(product_id,)), why, wishes, blank=dict.fromkeys(answers.FIGURES_TOGETHER))
        items = serve(ask.asked(found, wishes, [product_id]), Shelf(self.source), top_n=top_n)
        return ask.answer(items, None if items else message("recommend.no_pairs"))

    def sets(self, *, top_n: int = 10) -> list[dict[str, Any]]:
        """Sets of two or three products that sell together, of what is on sale and in stock and not excluded."""
        model = self.active()
        tables = _load_tables(model.artifact, model.artifact_sha256)
        wishes = self._rules("together").beside(())
        return answers.sets_of(tables, wishes, Shelf(self.source), most=_checked(top_n))

    def for_customer(self, customer_id: str, *, top_n: int = 10, mode: Mode = "all") -> dict[str, Any]:
        """What to offer a customer: all, only what he never bought (novel), or what he buys again (repeat)."""
        customer_id, top_n = str(customer_id), _checked(top_n)
        _check_mode(mode)
        ask = self._question(self.active(), SURFACE[mode])
        history, wishes = self._history(customer_id), self._rules("customer").beside(())
        why = PersonReasons(ask.tables, history_of(history, ask.tables), repeats=mode != "novel")
        bought = set(history["product_id"].to_list())
        found = ask.ranked(
            Query(history=history, mode=mode),
            answers.cause_reasons(ask.tables, why),
            wishes,
            named=why.named,
            fits=lambda product: mode == "all" or (product in bought) == (mode == "repeat"),
        )
        items = serve(ask.asked(found, wishes), Shelf(self.source), top_n=top_n, again=False)
        note = ask.unsold() or (message("recommend.no_purchases") if history.is_empty() else None)
        if not items:
            empty = {"repeat": "recommend.nothing_to_repeat", "novel": "recommend.nothing_new"}
            note = message(empty.get(mode, "recommend.nothing_else"))
        return ask.answer(items, note)

    def for_basket(
        self, product_ids: Sequence[str], *, top_n: int = 10, customer_id: str | None = None
    ) -> dict[str, Any]:
        """What goes with the products of a basket in progress; for a known customer also with what he bought."""
        basket, top_n = tuple(dict.fromkeys(str(p) for p in product_ids)), _checked(top_n)
        ask = self._question(self.active(), "basket")
        wishes = self._rules("basket", basket).beside(basket)
        rows = ask.tables.rows(basket)
        rows = np.unique(rows[rows >= 0])
        why = answers.cause_reasons(ask.tables, BasketReasons(ask.tables, rows))
        history = None if customer_id is None else self._history(str(customer_id))
        own = ask.content.meta["served"]["customer"] != BASELINE  # else his purchases were no help in the test
        found = ask.ranked(Query(products=basket, history=history if own else None), why, wishes)
        items = serve(ask.asked(found, wishes, basket), Shelf(self.source), top_n=top_n, again=history is None)
        note = ask.unsold()
        if note is None and not basket:
            note = message("recommend.empty_basket")
        elif note is None and not len(rows):
            note = message("recommend.unknown_basket", as_of=ask.tables.as_of.isoformat())
        return ask.answer(items, note if items else message("recommend.nothing_else"))

    def customers_for(self, product_id: str, *, top_n: int = 10) -> dict[str, Any]:
        """Whom to tell of a product: who lately bought what is like it, and buys often; read live."""
        product_id, top_n = str(product_id), _checked(top_n)
        model = self.active()
        return audience(_load_tables(model.artifact, model.artifact_sha256), product_id, self.source, top_n=top_n)

    def trending(self, *, top_n: int = 10) -> dict[str, Any]:
        """What sells well, and more than usually."""
        top_n = _checked(top_n)
        ask = self._question(self.active(), "trending", Trending())
        wishes = self._rules("trending").beside(())
        found = ask.ranked(Query(), answers.trending_reasons(ask.tables), wishes)
        items = serve(ask.asked(found, wishes), Shelf(self.source), top_n=top_n)
        return ask.answer(items, ask.unsold() if items else message("recommend.nothing_else"))

    # --- parts --------------------------------------------------------------------------------

    @staticmethod
    def _rules(surface: str, subjects: Sequence[str] | None = ()) -> RulesInForce:
        return RulesInForce(surface, subjects)

    def _question(self, model: MLModel, surface: str, served: Recommender | None = None) -> Question:
        """What is asked on a surface: the rule `served`, or the one that the version serves there."""
        tables = _load_tables(model.artifact, model.artifact_sha256)
        content = self.content(model)
        served = served or RUNGS[surface][content.meta["served"][surface]]()
        strength = strength_of(model.receipt, surface) if conf.get("STOCK_STEERING_LOSS") > 0 else 0.0
        levels = StockPressure.in_service() if strength else None
        steer = None if levels is None else Steering(strength, levels.of)
        return Question(served.attach(tables), content, short_receipt(model.receipt, surface), steer)

    def _beside(self, ask: Question, product_id: str, top_n: int, wishes: Wishes) -> dict[str, Any]:
        """The answer for one product, also for one that is newer than the model: its words and price are known."""
        shelf = Shelf(self.source)
        known = int(ask.tables.rows([product_id])[0]) >= 0
        if not known:
            shelf.look([], also=[product_id])
        asked, note = pages.beside(ask, product_id, shelf, wishes)
        items = serve(asked, shelf, top_n=top_n, again=known)
        return ask.answer(items, note if items else message("recommend.nothing_else"))

    def _stored(self, model: MLModel, product_id: str, top_n: int, wishes: Wishes) -> dict[str, Any]:
        """The stored rows of a product page, when the model file is refused."""
        rows = self.rows.objects.filter(model=model, product_id=product_id).order_by("rank")
        stored = list(rows.values_list("recommended_id", "score", "reason"))

        def why(at: int, _name: Namer) -> Why:
            return Why(stored[at][2] or {})

        found = Ranked([r[0] for r in stored], [r[1] for r in stored], list(range(len(stored))), why)
        first = [[name] if level == "product" else found.ids for level, name in wishes.pins]
        items = serve(Asked(found, [product_id], wishes, first), Shelf(self.source), top_n=top_n, again=False)
        receipt = short_receipt(model.receipt, "page")
        return {"recommendations": items, "note": message("recommend.stored_rows"), "receipt": receipt}

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


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise BadParameter(
            f"mode is {mode!r}; it must be one of {', '.join(MODES)}",
            code="bad_parameter.choice",
            field="mode",
            received=mode,
            allowed=list(MODES),
        )


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
