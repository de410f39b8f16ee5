"""Serving: no file is read per request, nothing sold out appears while it is being sold, switching drops nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.db import connection
from django.db.models import F
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import RecordingRun, fill_shop
from ml_predictions import actions
from ml_predictions.messages import render
from ml_predictions.models import MLModel, MLTrainingLog, ProductRecommendation
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.services.product_recommendation import ProductRecommendationService
from ml_predictions.services.recommendation_answers import Asked, Ranked, Shelf, Why, choose
from ml_predictions.services.recommendation_rules import Wishes
from ml_predictions.services.stock_pressure import StockPressure
from orders.models import Order
from products.models import Product, ProductVariant, StockMovement

ON_A_SERVER = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite in memory, as the tests have it, locks whole tables against threads"
)
"""Threads that read while others write: on PostgreSQL alone."""


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product_id"] for item in answer["recommendations"]]


def calls() -> list[Callable[[ProductRecommendationService], list[str]]]:
    """Every kind of list, as ids."""
    one, two = (str(pk) for pk in Product.objects.order_by("pk").values_list("pk", flat=True)[:2])
    customer = str(Order.objects.exclude(customer=None).order_by("pk")[0].customer_id)
    return [
        lambda s: ids(s.for_product(one, top_n=100)),
        lambda s: [i["product_id"] for r in s.for_products([one, two])["results"] for i in r["recommendations"]],
        lambda s: [i["product_id"] for _, items in s.every_page(top_n=3) for i in items],
        lambda s: ids(s.similar(one)),
        lambda s: ids(s.bought_together(one)),
        lambda s: ids(s.for_customer(customer, top_n=100)),
        lambda s: ids(s.for_customer(customer, mode="novel")),
        lambda s: ids(s.for_basket([one, two], customer_id=customer)),
        lambda s: ids(s.trending(top_n=100)),
    ]


@pytest.fixture
def trained(shop: None, run: Any) -> MLModel:
    return ProductRecommendationService().train(run)


def test_no_file_is_opened_per_request(trained: MLModel, monkeypatch: pytest.MonkeyPatch):
    """The first requests open and map the files; the following ones open nothing at all."""
    asked = calls()
    for call in asked:
        call(ProductRecommendationService())
    opened: list[Any] = []
    builtin_open = open
    monkeypatch.setattr("builtins.open", lambda *args, **more: (opened.append(args[0]), builtin_open(*args, **more))[1])
    monkeypatch.setattr("numpy.load", lambda *args, **more: pytest.fail(f"numpy.load{args}"))
    for call in asked:
        call(ProductRecommendationService())
    assert opened == []


def test_the_arrays_of_a_version_are_mapped_and_not_copied(trained: MLModel):
    service = ProductRecommendationService()
    tables = service._question(service.active(), "page").tables
    for array in (tables.person.data, tables.basket.indices, tables.together.table.ids, tables.shares, tables.active):
        base = array
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)


# --- the stock, while it is being sold ------------------------------------------------------------


class Selling:
    """A shop of ten products whose stock changes at each look, as if others bought at the same moment."""

    def __init__(self, stocks: list[list[int]]) -> None:
        self.stocks = stocks  # of each look at the stock; the last one stays
        self.read: list[dict[str, int]] = []

    def products(self, *, ids: Any = None) -> Any:
        wanted = [str(i) for i in range(10)] if ids is None else list(ids)
        return pl.DataFrame(
            [
                {"product_id": i, "name": i, "category": "", "price": 1.0, "image_url": "", "active": True}
                for i in wanted
            ]
        )

    def available(self, *, product_ids: Any = None) -> dict[str, float]:
        now = self.stocks[min(len(self.read), len(self.stocks) - 1)]
        self.read.append({i: now[int(i)] for i in product_ids or []})
        return {i: float(max(units, 0)) for i, units in self.read[-1].items()}


@settings(max_examples=200, deadline=None)
@given(
    stocks=st.lists(st.lists(st.integers(-2, 3), min_size=10, max_size=10), min_size=1, max_size=3),
    order=st.permutations(range(10)),
    pins=st.lists(st.integers(0, 9), max_size=3, unique=True),
    never=st.sets(st.integers(0, 9), max_size=3),
    top_n=st.integers(1, 12),
    first=st.integers(1, 4),
)
def test_whatever_is_sold_meanwhile_nothing_sold_out_is_shown(stocks, order, pins, never, top_n, first):
    """Each product shown was in stock when it was looked up, whatever the stock was at the looks before and after."""
    source: Any = Selling(stocks)
    found = Ranked([str(i) for i in order], [1.0] * 10, list(order), lambda row, name: Why({}))
    wishes = Wishes(tuple(("product", str(i)) for i in pins), frozenset(str(i) for i in never))
    asked = Asked(found, [str(order[-1])], wishes, [[str(i)] for i in pins])
    (chosen,) = choose([asked], Shelf(source), top_n=top_n, first=first)
    looked = {product: units for look in source.read for product, units in look.items()}
    assert len(looked) == sum(len(look) for look in source.read)  # no product is looked up twice in a request
    assert all(looked[product] > 0 for product in chosen.products)
    assert not set(chosen.products) & {str(i) for i in never}
    assert len(chosen.products) == len(set(chosen.products)) <= top_n
    fitting = [str(i) for i in pins if str(i) not in wishes.products and looked[str(i)] > 0 and i != order[-1]]
    assert list(chosen.products[: chosen.pinned]) == fitting[:top_n]
    if len(chosen.products) < top_n and len(looked) == 10:
        sellable = {p for p, units in looked.items() if units > 0} - wishes.products
        assert set(chosen.products) == sellable - ({str(order[-1])} - set(found.ids))


@pytest.mark.postgres
@ON_A_SERVER
@pytest.mark.django_db(transaction=True)
def test_nothing_that_was_sold_out_before_a_request_appears_while_others_buy():
    """A till sells one product after the other, and notes each before the next request begins."""
    fill_shop(orders=120, products=16, customers=20, days=200)
    log = MLTrainingLog.objects.create(kind="test", status="completed")
    ProductRecommendationService().train(RecordingRun(log.pk))
    gone: list[str] = []
    stop = threading.Event()

    def sell() -> None:
        try:
            for product in Product.objects.order_by("pk")[2:14]:
                ProductVariant.objects.filter(product=product).update(stock=0)
                gone.append(str(product.pk))
                stop.wait(0.02)
        finally:
            stop.set()
            connection.close()

    def ask(number: int) -> int:
        asked, rounds = calls(), 0
        try:
            while not stop.is_set():
                sold_out = set(gone)
                shown = asked[(number + rounds) % len(asked)](ProductRecommendationService())
                assert not set(shown) & sold_out
                rounds += 1
        finally:
            connection.close()
        return rounds

    with ThreadPoolExecutor(4) as pool:
        till = pool.submit(sell)
        rounds = [pool.submit(ask, number) for number in range(3)]
        till.result()
        assert sum(found.result() for found in rounds) > 0
    for call in calls():
        assert not set(call(ProductRecommendationService())) & set(gone)


@pytest.mark.postgres
@ON_A_SERVER
@pytest.mark.django_db(transaction=True)
def test_switching_the_version_under_load_drops_no_request():
    """Four askers all the while another version is put into service, back and forth."""
    fill_shop(orders=120, products=16, customers=20, days=200)
    versions = []
    for _ in range(2):
        log = MLTrainingLog.objects.create(kind="test", status="completed")
        versions.append(ProductRecommendationService().train(RecordingRun(log.pk)))
    stop, asked = threading.Event(), calls()

    def ask(number: int) -> int:
        rounds = 0
        try:
            while not stop.is_set():
                assert asked[(number + rounds) % 2](ProductRecommendationService())
                rounds += 1
        finally:
            connection.close()
        return rounds

    with ThreadPoolExecutor(3) as pool:
        rounds = [pool.submit(ask, number) for number in range(3)]
        try:
            for turn in range(4):
                model = MLModel.objects.get(pk=versions[turn % 2].pk)
                actions.activate_model(model, user="till", accept_worse=True)
        finally:
            stop.set()
        assert all(found.result() > 0 for found in rounds)
    active = MLModel.objects.get(service="product_recommendation", is_active=True)
    assert active.pk == versions[1].pk
    assert set(ProductRecommendation.objects.values_list("model", flat=True)) == {active.pk}


# --- hardly anything to show ----------------------------------------------------------------------


def test_a_shop_that_is_sold_out_says_so_everywhere(trained: MLModel):
    RecommendationRule.objects.create(kind="pin", object_id=str(Product.objects.all()[0].pk), level="product")
    ProductVariant.objects.update(stock=0)
    service = ProductRecommendationService()
    product = str(Product.objects.order_by("pk")[0].pk)
    customer = str(Order.objects.exclude(customer=None)[0].customer_id)
    for answer in (
        service.for_product(product),
        service.similar(product),
        service.bought_together(product),
        service.for_customer(customer),
        service.for_basket([product]),
        service.for_basket([]),
        service.trending(),
        service.for_products([product])["results"][0],
    ):
        assert answer["recommendations"] == []
        assert render(answer["note"])
    assert [len(items) for _, items in service.every_page()] == [0] * Product.objects.count()


def test_everything_excluded_is_an_empty_list_with_a_note(trained: MLModel):
    for name in ("Dresses", "Shirts", "Shoes", "Bags"):
        RecommendationRule.objects.create(kind="exclude", object_id=name, level="category")
    answer = ProductRecommendationService().trending()
    assert answer["recommendations"] == []
    assert render(answer["note"])


# --- what the stock changes -----------------------------------------------------------------------


@pytest.fixture
def steered(shop: None, run: Any) -> MLModel:
    """Levels of the inventory in service, and recommendations that know of them."""
    from ml_predictions.services import get_service

    get_service("inventory_optimization").train(run)
    return ProductRecommendationService().train(run)


def test_the_stock_lifts_and_demotes_within_what_it_may_cost(steered: MLModel, settings: Any):
    steering = steered.receipt["steering"]
    assert steering
    for surface, found in steering.items():
        assert found["loss"] <= 0.01, surface
    receipt = steered.receipt | {"steering": {"page": {"strength": 0.8, "loss": 0.0}}}
    MLModel.objects.filter(pk=steered.pk).update(receipt=receipt)
    service = ProductRecommendationService()
    page = str(Product.objects.order_by("pk")[0].pk)
    ProductVariant.objects.update(stock=10_000)  # all alike too much: nothing moves but the scores
    plenty = ids(service.for_product(page, top_n=20))
    short = plenty[0]
    ProductVariant.objects.filter(product=short).update(stock=F("reserved") + 1)
    answer = service.for_product(page, top_n=20)
    assert ids(answer).index(short) > 0
    assert sorted(ids(answer)) == sorted(plenty)
    scores = [item["similarity_score"] for item in answer["recommendations"]]
    assert scores == sorted(scores, reverse=True)
    many = service.for_products([page], top_n=20)["results"][0]["recommendations"]
    assert many == answer["recommendations"]
    assert dict(service.every_page(top_n=20))[page] == answer["recommendations"]
    assert answer["receipt"]["steering"]["strength"] == 0.8
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "STOCK_STEERING_LOSS": 0}
    assert ids(service.for_product(page, top_n=20)) == plenty  # turned off at once


def test_where_nobody_counts_the_stock_it_changes_nothing(steered: MLModel):
    levels = StockPressure.in_service()
    assert levels is not None
    StockMovement.objects.all().delete()
    units = ProductRecommendationService().source.available()
    assert set(levels.of(units).values()) == {0.0}


def test_without_levels_there_is_no_steering(trained: MLModel):
    assert StockPressure.in_service() is None
    assert trained.receipt["steering"] == {}
