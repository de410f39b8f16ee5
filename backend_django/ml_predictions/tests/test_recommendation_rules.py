"""The owner's rules in the answers: at once, in every call; what is excluded never appears, what is pinned is first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import time_machine

from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.services.product_recommendation import ProductRecommendationService
from ml_predictions.services.recommendation_rules import RulesInForce
from ml_predictions.tests.test_product_recommendation import bundle
from orders.models import Order
from products.models import Product, ProductVariant

pytestmark = pytest.mark.postgres

CALLS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "page": lambda s: s.for_product(pk("P000"), top_n=5),
    "similar": lambda s: s.similar(pk("P000"), top_n=5),
    "together": lambda s: s.bought_together(pk("P022"), top_n=5),
    "customer": lambda s: s.for_customer(buyer(), top_n=5),
    "basket": lambda s: s.for_basket([pk("P000"), pk("P001")], top_n=5),
    "trending": lambda s: s.trending(top_n=5),
}
"""A question of every surface."""


def pk(code: str) -> str:
    return str(Product.objects.get(code=code).pk)


def buyer() -> str:
    return str(Order.objects.exclude(customer=None).order_by("pk")[0].customer_id)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product_id"] for item in answer["recommendations"]]


def rule(kind: str, object_id: str, **values: Any) -> RecommendationRule:
    return RecommendationRule.objects.create(kind=kind, object_id=object_id, **{"level": "product", **values})


def ask(surface: str) -> dict[str, Any]:
    return CALLS[surface](ProductRecommendationService())


@pytest.fixture
def trained(shop: None, run: Any) -> MLModel:
    bundle()
    return ProductRecommendationService().train(run)


@pytest.mark.parametrize("surface", CALLS)
def test_an_exclusion_is_honoured_at_once_and_the_next_one_takes_its_place(trained: MLModel, surface: str):
    before = ids(ask(surface))
    assert before
    made = rule("exclude", before[0])
    after = ids(ask(surface))
    assert after[: len(before) - 1] == before[1:]
    assert before[0] not in after
    made.delete()
    assert ids(ask(surface)) == before


@pytest.mark.parametrize("surface", CALLS)
def test_a_pin_comes_first_and_says_who_chose_it(trained: MLModel, surface: str):
    before = ids(ask(surface))
    last = pk("P023")
    rule("pin", last)
    answer = ask(surface)
    first = answer["recommendations"][0]
    assert (first["product_id"], first["rank"], first["pinned"]) == (last, 1, True)
    assert render(first["reason"]) == "Chosen by the shop."
    assert ids(answer)[1:] == [product for product in before if product != last][:4]
    assert not any(item["pinned"] for item in answer["recommendations"][1:])
    assert set(answer["recommendations"][-1]) == set(first)


@pytest.mark.parametrize("surface", CALLS)
def test_a_pin_that_cannot_be_sold_is_not_shown(trained: MLModel, surface: str):
    before = ids(ask(surface))
    for number, change in enumerate([{"stock": 0}, {"reserved": 999}, {"is_active": False}]):
        product = Product.objects.create(code=f"X{number}", name=f"Pinned {number}", price=5)
        ProductVariant.objects.create(product=product, sku=f"X{number}", stock=9)
        ProductVariant.objects.filter(product=product).update(**change)
        rule("pin", str(product.pk))
    rule("pin", str(Product.objects.create(code="X9", name="Pinned 9", price=5, status="inactive").pk))
    rule("pin", "987654321")  # deleted since
    assert ids(ask(surface)) == before


def test_a_pinned_product_newer_than_the_model_is_shown(trained: MLModel):
    product = Product.objects.create(code="NEW", name="Just in", price=5)
    ProductVariant.objects.create(product=product, sku="NEW", stock=1)
    rule("pin", str(product.pk))
    for surface in CALLS:
        assert ids(ask(surface))[0] == str(product.pk), surface


def test_an_exclusion_wins_over_a_pin(trained: MLModel):
    rule("pin", pk("P023"))
    rule("exclude", pk("P023"), surface="page")
    assert pk("P023") not in ids(ask("page"))
    assert ids(ask("trending"))[0] == pk("P023")


def test_what_the_list_is_beside_is_never_pinned_into_it(trained: MLModel):
    for code in ("P000", "P001"):
        rule("pin", pk(code))
    assert ids(ask("page"))[0] == pk("P001")
    assert not {pk("P000"), pk("P001")} & set(ids(ask("basket")))


@pytest.mark.parametrize("surface", CALLS)
def test_a_category_is_excluded_as_it_is_now(trained: MLModel, surface: str):
    moved = Product.objects.get(code="P005")  # a shirt becomes a bag after the training
    moved.category = Product.objects.get(code="P003").category
    moved.save()
    rule("exclude", "Bags", level="category")
    shown = set(Product.objects.filter(pk__in=ids(ask(surface))).values_list("category__name", flat=True))
    assert "Bags" not in shown
    everything = ProductRecommendationService().trending(top_n=100)
    assert str(moved.pk) not in ids(everything)
    assert len(ids(everything)) == Product.objects.exclude(category__name="Bags").count()


def test_a_pinned_category_takes_one_place_with_its_best_product(trained: MLModel):
    before = ids(ProductRecommendationService().for_product(pk("P000"), top_n=100))
    bags = [product for product in before if Product.objects.get(pk=product).category.name == "Bags"]
    rule("pin", "Bags", level="category")
    assert ids(ask("page")) == [bags[0], *(product for product in before if product != bags[0])][:5]
    Product.objects.get(pk=bags[0]).variants.update(stock=0)
    assert ids(ask("page"))[0] == bags[1]


def test_pins_keep_to_what_a_customers_list_is_of(trained: MLModel):
    service = ProductRecommendationService()
    bought = ids(service.for_customer(buyer(), top_n=100, mode="repeat"))
    novel = ids(service.for_customer(buyer(), top_n=100, mode="novel"))
    for product in (novel[-1], bought[-1]):
        rule("pin", product)
    assert ids(service.for_customer(buyer(), mode="all"))[:2] == [novel[-1], bought[-1]]
    assert ids(service.for_customer(buyer(), mode="novel", top_n=100))[0] == novel[-1]
    assert set(ids(service.for_customer(buyer(), mode="novel", top_n=100))) == set(novel)
    assert ids(service.for_customer(buyer(), mode="repeat", top_n=100))[0] == bought[-1]
    assert set(ids(service.for_customer(buyer(), mode="repeat", top_n=100))) == set(bought)


def test_a_rule_of_one_surface_or_one_product_holds_there_alone(trained: MLModel):
    rule("pin", pk("P020"), surface="basket")
    rule("pin", pk("P021"), source_product_id=pk("P000"))
    rule("exclude", pk("P022"), source_product_id=pk("P001"))
    firsts = {surface: ids(ask(surface))[0] for surface in ("page", "basket", "trending", "customer")}
    assert firsts["page"] == pk("P021")
    assert ids(ask("basket"))[:2] == [pk("P021"), pk("P020")]  # that of one of its products first
    assert not {firsts["trending"], firsts["customer"]} & {pk("P020"), pk("P021")}
    service = ProductRecommendationService()
    assert ids(service.for_product(pk("P002")))[0] != pk("P021")
    assert pk("P022") not in ids(service.for_product(pk("P001"), top_n=100))
    assert pk("P022") in ids(service.for_product(pk("P002"), top_n=100))


def test_rules_hold_from_their_first_to_their_last_day_of_the_shop(db: None):
    rule("pin", "1", first_day=date(2026, 12, 1), last_day=date(2026, 12, 24))
    held = {}
    for moment in ("2026-11-30 22:59Z", "2026-11-30 23:01Z", "2026-12-24 22:59Z", "2026-12-24 23:01Z"):  # Madrid: +1
        with time_machine.travel(moment.replace("Z", "+00:00"), tick=False):
            held[moment[5:16]] = bool(RulesInForce("page").beside(()).pins)
    assert list(held.values()) == [False, True, True, False]


def test_more_pins_than_places(trained: MLModel):
    codes = [f"P{i:03}" for i in range(10, 20)]
    for code in codes:
        rule("pin", pk(code))
    assert ids(ask("page")) == [pk(code) for code in codes[:5]]


# --- many at once ---------------------------------------------------------------------------------


def test_many_pages_at_once_are_those_one_by_one(trained: MLModel, django_assert_max_num_queries: Any):
    new = Product.objects.create(code="NEW", name="Linen dress new", price=25)
    rule("pin", pk("P021"), source_product_id=pk("P002"))
    rule("exclude", "Shoes", level="category", source_product_id=pk("P003"))
    service = ProductRecommendationService()
    products = [str(p) for p in Product.objects.order_by("-pk").values_list("pk", flat=True)]
    service.for_product(products[0])
    with django_assert_max_num_queries(7):
        answer = service.for_products([*products, "no-such", products[0]], top_n=6)
    assert [r["source_product_id"] for r in answer["results"]] == products
    assert str(new.pk) in products
    assert answer["unknown_product_ids"] == ["no-such"]
    for result in answer["results"]:
        one = service.for_product(result["source_product_id"], top_n=6)
        assert result["recommendations"] == one["recommendations"]
        assert result.get("note") == one.get("note")


def test_the_export_is_every_page_with_four_queries(trained: MLModel, django_assert_num_queries: Any):
    rule("pin", pk("P021"), source_product_id=pk("P002"))
    rule("exclude", "Bags", level="category")
    Product.objects.filter(code__in=["P005", "P006"]).update(status="inactive")
    service = ProductRecommendationService()
    service.for_product(pk("P000"))
    with django_assert_num_queries(4):  # the version, the rules, the range, its stock
        found = dict(service.every_page(top_n=8))
    assert set(found) == {str(p) for p in Product.objects.values_list("pk", flat=True)}
    for product, items in found.items():
        one = service.for_product(product, top_n=8)["recommendations"]
        assert [i["product_id"] for i in items] == [i["product_id"] for i in one]
        assert [i["reason"] for i in items] == [i["reason"] for i in one]
