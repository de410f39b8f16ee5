"""Whom to tell of a product: live, by name, and nobody who is not to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.utils import translation

from authentication.models import User
from ml_predictions import conf
from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.services.product_recommendation import ProductRecommendationService
from orders.models import Order, OrderItem
from products.models import Product
from retail_ml.errors import BadParameter, UnknownId


def found(product: Product, top_n: int = 100) -> dict:
    return ProductRecommendationService().customers_for(str(product.pk), top_n=top_n)


def ids(answer: dict) -> list[str]:
    return [item["customer_id"] for item in answer["customers"]]


@pytest.fixture
def trained(shop, run) -> MLModel:
    return ProductRecommendationService().train(run)


@pytest.fixture
def new(trained) -> Product:
    """A product newer than the model, described like the dresses."""
    like = Product.objects.order_by("pk")[0]
    return Product.objects.create(
        code="NEW", name="Linen dress new", category=like.category, description=like.description, price=like.price
    )


@pytest.mark.postgres
def test_who_bought_its_like_is_named_with_the_reason(new):
    answer = found(new)
    assert len(answer["customers"]) > 10
    assert [item["rank"] for item in answer["customers"]] == list(range(1, len(answer["customers"]) + 1))
    scores = [item["score"] for item in answer["customers"]]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)
    first = answer["customers"][0]
    lines = OrderItem.objects.filter(order__customer=first["customer_id"])
    assert first["support"] <= lines.values("order").distinct().count()
    assert lines.filter(order__placed_at__date=first["last_bought"]).exists()
    for language, words in {"en": "like it", "es": "parecid"}.items():
        with translation.override(language):
            assert all(words in render(item["reason"]) for item in answer["customers"])
            assert "Online Retail II" in render(answer["receipt"]["sentence"])


def test_four_queries_beside_the_model_however_many_are_named(new, django_assert_num_queries):
    found(new)
    for top_n in (1, 60):
        service = ProductRecommendationService()
        service.source.data_until()  # its own query: kept for the request
        with django_assert_num_queries(5):
            service.customers_for(str(new.pk), top_n=top_n)


def test_guests_and_the_erased_and_closed_accounts_do_not_appear(new):
    erased, gone, closed = ids(found(new))[:3]
    Order.objects.filter(customer=erased).update(customer=None)
    User.objects.get(pk=gone).delete()
    User.objects.filter(pk=closed).update(is_active=False)
    left = ids(found(new))
    assert left
    assert not {erased, gone, closed, "None", ""} & set(left)


def test_a_purchase_counts_at_once_and_the_product_s_own_buyers_are_left_out(new):
    first, second = ids(found(new))[:2]
    line = OrderItem.objects.filter(order__customer=first).order_by("-order__placed_at")[0]
    variant = new.variants.create(sku="NEW-1", stock=1)
    OrderItem.objects.filter(pk=line.pk).update(variant=variant)
    now = ids(found(new))
    assert first not in now
    assert now[0] == second


def test_no_customer_stands_in_the_model_file(trained):
    emails = set(User.objects.values_list("email", flat=True))
    for path in (Path(conf.get("ARTIFACT_ROOT")) / trained.artifact).glob("*.npy"):
        values = np.load(path)
        assert values.dtype.kind != "U" or not emails & set(values.ravel().tolist()), path.name
        assert "customer" not in path.name


def test_what_is_like_nothing_or_unknown_is_said(trained):
    odd = Product.objects.create(code="ODD", name="zzqx", price=1)
    answer = found(odd)
    assert answer["customers"] == []
    assert answer["note"]["code"] == "recommend.nothing_alike"
    Order.objects.update(customer=None)
    assert found(Product.objects.order_by("pk")[0])["note"]["code"] == "recommend.nobody_alike"
    with pytest.raises(UnknownId, match="no product 'nope'"):
        ProductRecommendationService().customers_for("nope")
    with pytest.raises(BadParameter):
        ProductRecommendationService().customers_for("1", top_n=0)
