"""Recommendations before, and just after, the first sale: content, newness and what little was sold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from authentication.models import User
from ml_predictions.errors import NotTrained
from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.services.product_recommendation import ProductRecommendationService
from orders.models import Order, OrderItem
from products.models import Product, ProductVariant
from retail_ml.errors import NotEnoughHistory

SHOPS = {"nothing sold": (0, 0), "one order": (1, 1), "nine lines": (3, 3)}
"""Orders, and lines of each."""


def sell(orders: int, lines: int) -> None:
    """The first `lines` products in each of `orders` orders, one a day up to 2026-06-30, of the first customer."""
    variants = list(ProductVariant.objects.order_by("product_id", "pk").distinct()[::2][:lines])
    buyer = User.objects.filter(role="customer").order_by("pk").first()
    for day in range(orders):
        placed = datetime(2026, 6, 30, 12, tzinfo=UTC) - timedelta(days=day)
        order = Order.objects.create(order_number=f"F{day}", customer=buyer, status="completed", placed_at=placed)
        for variant in variants:
            item = OrderItem(order=order, variant=variant, units=1, unit_price=variant.product.price)
            item.amount = item.computed_amount()
            item.save()


@pytest.fixture
def opened(make_shop):
    """A shop of five products with as many orders as asked; the later products are the newer ones."""

    def of(kind: str) -> list[str]:
        make_shop(orders=0, products=5, customers=3)
        for at, product in enumerate(Product.objects.order_by("pk")):
            Product.objects.filter(pk=product.pk).update(created_at=datetime(2026, 5, 1 + at, tzinfo=UTC))
        sell(*SHOPS[kind])
        return [str(pk) for pk in Product.objects.order_by("pk").values_list("pk", flat=True)]

    return of


def every_answer(products: list[str]) -> dict[str, dict]:
    s = ProductRecommendationService()
    first, other = (
        str(pk) for pk in User.objects.filter(role="customer").order_by("pk").values_list("pk", flat=True)[:2]
    )
    return {
        "page": s.for_product(products[0]),
        "similar": s.similar(products[0]),
        "together": s.bought_together(products[0]),
        "customer": s.for_customer(first),
        "novel": s.for_customer(first, mode="novel"),
        "repeat": s.for_customer(first, mode="repeat"),
        "stranger": s.for_customer(other),
        "basket": s.for_basket(products[:2]),
        "empty basket": s.for_basket([]),
        "trending": s.trending(),
    }


def shown(answer: dict) -> list[str]:
    return [item["product_id"] for item in answer["recommendations"]]


@pytest.mark.parametrize("kind", SHOPS)
def test_it_trains_and_says_that_nothing_was_tested(opened, run, kind):
    opened(kind)
    model = ProductRecommendationService().train(run)
    assert run.result["promoted"] is True  # there is nothing that it could lose to
    assert model.beats_baseline is None
    assert model.metrics["low_confidence"] is True
    assert model.metrics["total_baskets"] == SHOPS[kind][0]
    assert (model.metrics["test_cases"], model.metrics["hit_rate_10"], model.receipt["test"]) == (0, None, None)
    told = render(run.result["served"]["why"])
    assert ("Nothing has been sold yet" if kind == "nothing sold" else "no later baskets") in told
    assert render(model.receipt["why"]) == told


@pytest.mark.parametrize("kind", SHOPS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_list_has_what_there_is_with_a_reason(opened, run, kind, language):
    products = opened(kind)
    ProductRecommendationService().train(run)
    found, sold = every_answer(products), products[: SHOPS[kind][1]]
    assert set(shown(found["page"])) == set(products[1:])
    for name in ("customer", "stranger", "empty basket", "trending"):
        assert set(shown(found[name])) == set(products), name
        assert set(shown(found[name])[: len(sold)]) == set(sold), name  # what sells, then what is new
        assert shown(found[name])[len(sold) :] == [p for p in reversed(products) if p not in sold], name
        assert found[name]["recommendations"][0]["similarity_score"] == 1
    assert set(shown(found["novel"])) == set(products) - set(sold)
    assert set(shown(found["repeat"])) == set(sold)
    assert set(shown(found["basket"])) == set(products[2:])
    with translation.override(language):
        for name, answer in found.items():
            assert answer["recommendations"] or render(answer["note"]), name
            assert render(answer["receipt"]["sentence"])
            for item in answer["recommendations"]:
                assert render(item["reason"]), name
        last = render(found["trending"]["recommendations"][-1]["reason"])
    if kind == "nothing sold":
        assert last == {
            "en": "Not sold yet; in the range since May 1, 2026.",
            "es": "Aún sin ventas; en el surtido desde el 1 de mayo de 2026.",
        }[language]  # fmt: skip
        notes = {name for name, answer in found.items() if answer.get("note", {}).get("code") == "recommend.no_sales"}
        assert notes >= {"customer", "stranger", "basket", "empty basket", "trending"}
        assert found["page"]["note"]["code"] == "recommend.no_sales_page"


@pytest.mark.parametrize("kind", SHOPS)
def test_all_sold_out_is_a_note_and_no_error(opened, run, kind):
    products = opened(kind)
    ProductRecommendationService().train(run)
    ProductVariant.objects.update(stock=0)
    for name, answer in every_answer(products).items():
        assert answer["recommendations"] == [], name
        assert render(answer["note"]), name


def test_without_a_product_it_says_what_to_do(db, run):
    with pytest.raises(NotEnoughHistory, match="need a product") as error:
        ProductRecommendationService().train(run)
    assert error.value.code == "recommend.no_products"
    assert not MLModel.objects.exists()
    with pytest.raises(NotTrained):
        ProductRecommendationService().trending()


def test_a_sale_counts_after_the_next_training_and_the_buyers_at_once(opened, run):
    products = opened("nothing sold")
    service = ProductRecommendationService()
    service.train(run)
    sell(1, 1)
    buyer = str(User.objects.filter(role="customer").order_by("pk").values_list("pk", flat=True)[0])
    assert shown(service.for_customer(buyer, mode="repeat")) == products[:1]
    assert shown(service.for_customer(buyer))[0] == products[0]
    later = ProductRecommendationService()  # a source keeps for one piece of work until when it reads
    later.train(run)
    assert shown(later.trending())[0] == products[0]
