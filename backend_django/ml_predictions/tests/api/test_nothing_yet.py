"""A shop without data, without models, or with very little of either: never blank, never 500."""

from __future__ import annotations

import contextlib
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from ml_predictions import selectors

ASKING = [
    ("post", "predict-sales/", "train-sales-forecast"),
    ("get", "product-recommendations/1/", "train-product-recommendation"),
    ("get", "product-recommendations/?product_ids=1,2", "train-product-recommendation"),
    ("get", "product-recommendations/export/", "train-product-recommendation"),
    ("get", "product-recommendations/1/customers/", "train-product-recommendation"),
    ("get", "trending-products/", "train-product-recommendation"),
    ("get", "similar-products/1/", "train-product-recommendation"),
    ("get", "bought-together/1/", "train-product-recommendation"),
    ("get", "customer-recommendations/1/", "train-product-recommendation"),
    ("get", "customer-segment/1/", "train-customer-segmentation"),
    ("get", "inventory-analysis/", "train-inventory-optimization"),
    ("get", "reorder-recommendations/", "train-inventory-optimization"),
    ("get", "inventory-health/", "train-inventory-optimization"),
    ("get", "inventory-analysis/1/", "train-inventory-optimization"),
    ("get", "slow-moving-products/", "train-inventory-optimization"),
    ("get", "inventory-simulation/", "train-inventory-optimization"),
]


@pytest.mark.parametrize(("method", "path", "call"), ASKING)
def test_nothing_trained_is_409_with_the_call_to_make(api: Any, method: str, path: str, call: str):
    answer = getattr(api, method)(f"/api/ml/{path}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "not_trained")
    assert error["details"]["call"] == f"/api/ml/{call}/"
    assert f"/api/ml/{call}/" in error["message"]


def test_dashboard_of_an_empty_shop_says_what_is_unknown(api: Any, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(15):
        body = api.get("/api/ml/dashboard-summary/").json()
    assert body["success"] is True
    assert body["summary"]["total_active_models"] == 0
    assert body["sales_forecast"]["next_30_days"] is None
    assert body["customers"] == {"total_segments": None, "vip_customers": None, "at_risk_customers": None}
    assert body["business_health"]["left_out"] == ["sales", "inventory", "customers"]
    assert body["business_health"]["score"] == 0
    assert len(body["notes"]) == 4
    assert "the sales forecast" in body["notes"][0]


def test_business_health_weighs_what_is_known():
    parts = {"sales": 100.0, "inventory": 50.0, "customers": None, "data_and_models": 0.0}
    found = selectors.business_health(parts)
    assert found["score"] == round((30 * 100 + 30 * 50) / 80, 1)
    assert found["left_out"] == ["customers"]
    assert selectors.business_health(dict.fromkeys(parts))["score"] is None


@pytest.mark.parametrize(
    ("orders", "verdicts"),
    [
        (0, ["insufficient", "low_confidence", "insufficient", "recommended"]),  # these two train without orders
        (9, ["insufficient", "low_confidence", "insufficient", "recommended"]),
        (10, ["low_confidence", "sufficient", "low_confidence", "recommended"]),
        (30, ["sufficient", "sufficient", "sufficient", "recommended"]),
        (200, ["recommended", "sufficient", "sufficient", "recommended"]),
    ],
)
def test_requirements_by_the_number_of_orders(api: Any, make_shop: Any, orders: int, verdicts: list[str]):
    make_shop(orders=orders, products=24, customers=40, days=90)
    body = api.get("/api/ml/data-requirements/").json()
    needs = body["requirements"]
    assert [need["verdict"] for need in needs] == verdicts
    assert [(n["measure"], n["minimum"], n["recommended"]) for n in needs] == [
        ("orders", 30, 200), ("products", 20, 50), ("customers", 10, 50), ("variants", 1, 1),
    ]  # fmt: skip
    assert [needs[0]["have"], needs[1]["have"]] == [orders, 24]
    assert [need["can_train"] for need in needs] == [orders >= 10, True, orders >= 10, True]
    assert all(need["message"] for need in needs)
    assert (body["as_of"] is None) == (orders == 0)
    if orders >= 30:  # fewer orders end some days earlier
        assert body["as_of"] == "2026-06-29"
    assert "10" in body["note"]
    if orders < 10:
        assert f"only {orders} orders" in needs[1]["message"]


def test_without_a_product_the_recommendations_cannot_train(api: Any):
    need = api.get("/api/ml/data-requirements/").json()["requirements"][1]
    assert (need["verdict"], need["can_train"], need["have"]) == ("insufficient", False, 0)
    assert "It trains from 1 on" in need["message"]


def test_customers_who_never_bought_do_not_count(api: Any, make_shop: Any):
    make_shop(orders=12, products=24, customers=500)
    assert api.get("/api/ml/data-requirements/").json()["requirements"][2]["have"] <= 12


@pytest.mark.parametrize(("orders", "code"), [(0, 1), (20, 1), (60, 0)])
def test_check_ml_data_ends_with_its_verdict(make_shop: Any, orders: int, code: int):
    make_shop(orders=orders, products=24, customers=40)
    out = StringIO()
    expected = pytest.raises(SystemExit, match="^1$") if code else contextlib.nullcontext()
    with expected:
        call_command("check_ml_data", stdout=out)
    text = out.getvalue()
    assert "Sales forecast" in text
    assert "200" in text
    assert "From 10 orders on" in text
