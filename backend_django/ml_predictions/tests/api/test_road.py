"""The whole road over one shop that is really trained: every asking call, its shape, its cost, its words."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from ml_predictions.models import SERVICES, CustomerSegment, MLModel, MLTrainingLog, Prediction
from purchasing.models import Supplier

pytestmark = pytest.mark.postgres

QUICK = {"sales_forecast": {"model_type": "weekday_mean"}}


@pytest.fixture(scope="module")
def trained_shop(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Path]:
    """The small shop with its four services trained once for this file; undone at its end."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end
    from ml_predictions.services import get_service

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop(orders=150, products=12, customers=30, days=200)
        for name in SERVICES:
            log = MLTrainingLog.objects.create(kind=name, status="completed")
            get_service(name).train(RecordingRun(log.pk), **QUICK.get(name, {}))
        yield folder


@pytest.fixture(autouse=True)
def _files(settings: Any, trained_shop: Path) -> None:
    """Each test finds the files of the trained shop."""
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": trained_shop}


def asked(api: Any, path: str, *, most: int = 15, method: str = "get", body: Any = None) -> dict[str, Any]:
    """The answer of a call: 200, finite, within `most` queries, reads without writing."""
    with CaptureQueriesContext(connection) as found:
        answer = getattr(api, method)(f"/api/ml/{path}", body)
    assert answer.status_code == 200, answer.content
    assert len(found) <= most, [q["sql"][:80] for q in found]
    if method == "get":
        assert not any(q["sql"].startswith(("INSERT", "UPDATE", "DELETE")) for q in found)
    text = answer.content.decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert '"params"' not in text, "a message was not put into words"
    parsed: dict[str, Any] = json.loads(text)
    assert parsed["success"] is True
    validator(path.partition("?")[0], method).validate(parsed)
    return parsed


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


@cache
def validator(path: str, method: str) -> Draft202012Validator:
    """What the documentation promises of the 200 of this call."""
    for template, item in sorted(document()["paths"].items(), key=lambda pair: "{" in pair[0]):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), f"/api/ml/{path}"):
            promised = item[method]["responses"]["200"]["content"]["application/json"]["schema"]
            return Draft202012Validator({**promised, "components": document()["components"]})
    raise AssertionError(f"{path} is not documented")


def a_product(row: int = 0) -> str:
    """The first is what every customer has bought."""
    from ml_predictions.sources import get_source

    return str(get_source().products()["product_id"][row])


def test_predict_sales_is_kept_and_says_how_sure(api: Any, cast: Any):
    body = asked(api, "predict-sales/", method="post", body={"days_ahead": 30})
    assert set(body) == {
        "success", "predictions", "summary", "months", "explanation", "model", "receipt", "execution_time_ms",
        "prediction_id",
    }  # fmt: skip
    assert len(body["predictions"]) == 30
    assert body["predictions"][0]["date"] == "2026-06-30"
    day = body["predictions"][5]
    assert day["confidence_lower"] <= day["predicted_sales"] <= day["confidence_upper"]
    total = body["summary"]
    assert total["total_lower"] < total["total_predicted_sales"] < total["total_upper"]
    assert math.isclose(total["avg_daily_sales"], total["total_predicted_sales"] / 30, abs_tol=0.01)
    assert set(body["model"]) == {"id", "model_type", "trained_at", "as_of"}
    row = Prediction.objects.get(pk=body["prediction_id"])
    assert (row.requested_by, row.parameters["days_ahead"], row.model_id) == (
        "ben@shop.test", 30, body["model"]["id"],
    )  # fmt: skip
    assert len(api.get(f"/api/ml/predictions/{row.pk}/").json()["result"]["predictions"]) == 30


def test_a_wider_coverage_is_a_wider_interval(api: Any):
    def width(coverage: float) -> float:
        body = {"days_ahead": 7, "coverage": coverage}
        total = asked(api, "predict-sales/", method="post", body=body)["summary"]
        return float(total["total_upper"] - total["total_lower"])

    assert width(0.5) < width(0.8) < width(0.99)


def test_predict_for_a_category_and_a_product(api: Any):
    for level, object_id in (("category", "Dresses"), ("product", a_product())):
        body = {"days_ahead": 7, "level": level, "id": object_id}
        assert len(asked(api, "predict-sales/", method="post", body=body)["predictions"]) == 7


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"level": "category"}, 400),
        ({"level": "total", "id": "1"}, 400),
        ({"level": "product", "id": "no such"}, 404),
        ({"coverage": 1}, 400),
        ({"days_ahead": 0}, 400),
    ],
)
def test_what_cannot_be_predicted(api: Any, body: Any, status: int):
    assert api.post("/api/ml/predict-sales/", body).status_code == status
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("call", ["product-recommendations", "similar-products", "bought-together"])
def test_recommendations_beside_a_product(api: Any, call: str):
    product = a_product()
    body = asked(api, f"{call}/{product}/?top_n=3")
    assert body["source_product_id"] == product
    assert len(body["recommendations"]) <= 3
    for rank, item in enumerate(body["recommendations"], start=1):
        assert item["rank"] == rank
        assert 0 <= item["similarity_score"] <= 1
        assert item["product_id"] != product
        assert item["reason"]


def test_customers_for_a_product(api: Any):
    everybodys, product = a_product(), a_product(4)
    told = asked(api, f"product-recommendations/{everybodys}/customers/")
    assert told["customers"] == []
    assert "not the product itself" in told["note"]
    body = asked(api, f"product-recommendations/{product}/customers/?top_n=4")
    assert body["source_product_id"] == product
    assert [item["rank"] for item in body["customers"]] == [1, 2, 3, 4]
    assert body["customers"][0]["score"] == 1
    assert all("like" in item["reason"] for item in body["customers"])
    assert "Not tested on this shop" in body["receipt"]["sentence"]


def test_the_hybrid_always_has_something_to_show(api: Any):
    assert len(asked(api, f"product-recommendations/{a_product()}/")["recommendations"]) == 10


def test_recommendations_beside_many_products(api: Any):
    product = a_product()
    body = asked(api, f"product-recommendations/?product_ids={product},no-such,{product}&top_n=3")
    assert [result["source_product_id"] for result in body["results"]] == [product]
    assert body["unknown_product_ids"] == ["no-such"]
    assert (
        body["results"][0]["recommendations"]
        == asked(api, f"product-recommendations/{product}/?top_n=3")["recommendations"]
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "required"),
        ("product_ids=", "may not be blank"),
        ("product_ids=" + ",".join(map(str, range(101))), "101 products were given, 100 at most"),
        ("product_ids=1&top_n=0", "greater than or equal to 1"),
        ("product_ids=" + "x" * 121, "There is no id like x"),
    ],
)
def test_too_many_products_or_none_are_refused(api: Any, query: str, words: str):
    answer = api.get(f"/api/ml/product-recommendations/?{query}")
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_the_export_is_a_file_of_every_page_in_the_readers_language(api: Any):
    asked(api, f"product-recommendations/{a_product()}/")  # what is cached per process is
    with CaptureQueriesContext(connection) as found:
        answer = api.get("/api/ml/product-recommendations/export/?top_n=2", headers={"accept-language": "es"})
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert len(found) <= 7
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 12 * 2
    assert {row["rank"] for row in rows} == {"1", "2"}
    spoken = asked_in(api, f"product-recommendations/{rows[0]['product_id']}/?top_n=2", "es")["recommendations"]
    assert [row["reason"] for row in rows[:2]] == [item["reason"] for item in spoken]
    assert [row["recommended_id"] for row in rows[:2]] == [item["product_id"] for item in spoken]
    refused = api.get("/api/ml/product-recommendations/export/?top_n=51", headers={"accept": "text/csv"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_parameter")


def asked_in(api: Any, path: str, language: str) -> dict[str, Any]:
    return dict(api.get(f"/api/ml/{path}", headers={"accept-language": language}).json())


def test_recommendations_for_a_basket(api: Any):
    customer = CustomerSegment.objects.first().customer_id
    for extra in ({}, {"customer_id": customer}, {"customer_id": None}):
        body = asked(
            api, "basket-recommendations/", method="post", body={"product_ids": [a_product()], "top_n": 3, **extra}
        )
        assert len(body["recommendations"]) == 3
        assert a_product() not in {item["product_id"] for item in body["recommendations"]}
    assert asked(api, "basket-recommendations/", method="post", body={"product_ids": []})["note"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"product_ids": "1,2"}, 400),
        ({"product_ids": [{}]}, 400),
        ({"product_ids": ["1"] * 501}, 400),
        ({"product_ids": ["1\n"], "top_n": 0}, 400),
        ({"product_ids": ["no-such"]}, 404),
        ({"product_ids": [], "customer_id": "no-such"}, 404),
    ],
)
def test_baskets_that_are_none(api: Any, body: Any, status: int):
    answer = api.post("/api/ml/basket-recommendations/", body, format="json")
    assert answer.status_code == status, answer.json()


def test_trending_products(api: Any):
    body = asked(api, "trending-products/?top_n=4")
    assert [item["rank"] for item in body["recommendations"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("mode", ["all", "novel", "repeat"])
def test_recommendations_for_a_customer(api: Any, mode: str):
    customer = CustomerSegment.objects.first().customer_id
    body = asked(api, f"customer-recommendations/{customer}/?mode={mode}")
    assert body["customer_id"] == customer
    assert all(item["reason"] for item in body["recommendations"])


def test_a_customers_segment(api: Any):
    row = CustomerSegment.objects.first()
    body = asked(api, f"customer-segment/{row.customer_id}/")
    assert (body["customer_id"], body["segment_type"]) == (row.customer_id, row.segment)
    assert set(body["rfm_scores"]) == {"recency", "frequency", "monetary"}
    assert all(isinstance(sentence, str) for sentence in (*body["recommendations"], *body["explanation"]))


def test_inventory_analysis_pages_filters_and_sums_up(api: Any):
    whole = asked(api, "inventory-analysis/")
    assert whole["total_products_analyzed"] == 24
    assert whole["count"] == len(whole["alerts"]) == whole["summary"]["total_alerts"] > 2
    money = [alert["money_at_stake"] for alert in whole["alerts"]]
    assert money == sorted(money, reverse=True)
    second = asked(api, "inventory-analysis/?page=2&page_size=1")
    assert second["alerts"] == [whole["alerts"][1]]
    assert second["summary"] == whole["summary"]
    kind = whole["alerts"][0]["alert_type"]
    some = asked(api, f"inventory-analysis/?alert_type={kind}")
    assert some["count"] == whole["summary"]["by_type"][kind]
    assert {alert["alert_type"] for alert in some["alerts"]} == {kind}
    sku = whole["alerts"][0]["sku"]
    found = asked(api, f"inventory-analysis/?search={sku.lower()}")["alerts"]
    assert [alert["sku"] for alert in found] == [sku]
    names = [a["product_name"] for a in asked(api, "inventory-analysis/?ordering=product_name")["alerts"]]
    assert names == sorted(names)
    assert asked(api, "inventory-analysis/?min_urgency=5")["count"] == whole["summary"]["by_urgency"]["5"]


def test_reorder_within_a_budget(api: Any):
    whole = asked(api, "reorder-recommendations/")
    assert whole["total_recommendations"] == len(whole["recommendations"]) > 0
    half = whole["estimated_total_cost"] / 2
    some = asked(api, f"reorder-recommendations/?budget={half}")
    assert some["estimated_total_cost"] <= half
    assert some["left_out"]["count"] > 0
    first = asked(api, "reorder-recommendations/?top_n=1")
    assert first == whole | {"recommendations": whole["recommendations"][:1]}
    assert len(whole["recommendations"]) > 1
    assert api.get("/api/ml/reorder-recommendations/?budget=-1").status_code == 400
    assert api.get("/api/ml/reorder-recommendations/?top_n=0").status_code == 400
    assert api.get("/api/ml/reorder-recommendations/?supplier=nobody").status_code == 404


def test_orders_below_the_minimum_are_filled_when_asked(api: Any):
    whole = asked(api, "reorder-recommendations/")
    order = next(row for row in whole["by_supplier"] if row["supplier_id"])
    Supplier.objects.filter(pk=order["supplier_id"]).update(minimum_order_value=order["estimated_cost"] + 20)
    for asked_for, missing in (("false", 20), ("true", 0)):
        rows = asked(api, f"reorder-recommendations/?fill_minimum={asked_for}", most=20)["by_supplier"]
        row = next(row for row in rows if row["supplier_id"] == order["supplier_id"])
        assert row["missing_to_minimum"] == pytest.approx(missing, abs=0.01)
        assert row["fill_lines"]
    assert api.get("/api/ml/reorder-recommendations/?fill_minimum=perhaps").status_code == 400


def test_inventory_health_adds_up(api: Any):
    body = asked(api, "inventory-health/")
    counts = body["metrics"]
    parts = sum(counts[name] for name in ("low_stock", "overstock", "slow_moving", "optimal"))
    assert parts == counts["total_products"] == 24
    assert 0 <= body["health_score"] <= 100
    assert set(body["components"]) == {"availability", "cover", "movement", "return", "data_quality"}


def test_slow_stock_with_what_a_markdown_would_bring(api: Any):
    whole = asked(api, "slow-moving-products/")
    assert (
        whole["count"]
        == len(whole["products"])
        == sum(whole["summary"][k]["count"] for k in ("dead", "slow", "excess"))
    )
    assert whole["assumptions"]["elasticity"] == 2.0
    assert "sells about 23 % more" in whole["assumptions"]["sentence"]
    costs = [row["stock_value"] for row in whole["products"]]
    assert costs == sorted(costs, reverse=True)
    assert all(row["gain"] is None or row["gain"] >= 0 for row in whole["products"])
    if whole["count"]:
        sku = whole["products"][0]["sku"]
        assert [r["sku"] for r in asked(api, f"slow-moving-products/?search={sku.lower()}")["products"]] == [sku]
    assert asked(api, "slow-moving-products/?min_cost=100000000")["count"] == 0
    for wrong in ("elasticity=1", "days=2", "kind=idle", "ordering=price", "kid=dead"):
        assert api.get(f"/api/ml/slow-moving-products/?{wrong}").status_code == 400, wrong


def test_the_simulation_is_the_replay_of_the_version_in_service(api: Any):
    body = asked(api, "inventory-simulation/")
    replay = MLModel.objects.get(service="inventory_optimization", is_active=True).metrics["replay"]
    assert body["available"] is (replay is not None)
    if replay:
        difference = body["difference"]["baseline"]["total_cost"]
        assert difference == pytest.approx(replay["total_cost"] - replay["baseline"]["total_cost"], abs=0.01)
        assert body["sentence"]
    assert (body["settings"]["review_days"], body["notes"][1:]) == (7, [])


def test_settings_changed_since_the_replay_are_named(api: Any, settings: Any):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "REVIEW_DAYS": 14}
    body = asked(api, "inventory-simulation/")
    assert body["parameters"]["review_days"] == 7
    assert "review_days" in body["notes"][-1]


def test_one_variant_explained_as_documented(api: Any):
    row = asked(api, "inventory-analysis/")["alerts"][0]
    body = asked(api, f"inventory-analysis/{row['variant_id']}/")
    assert (body["sku"], body["code"], body["alert_reason"]) == (row["sku"], row["code"], row["reason"])
    assert body["demand"]["p5"] <= body["demand"]["p50"] <= body["demand"]["p99"]
    assert len(body["projected_stock"]) == 90
    assert body["past_forecasts"] == {"weeks": 0, "came": None, "forecast": None, "error": None, "naive": None,
                                      "level": "product"}  # fmt: skip
    assert body["past_claims"] == []
    missing = api.get("/api/ml/inventory-analysis/987654321/")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "inventory.unknown_variant")


def test_the_worth_of_alerts_as_documented(api: Any):
    body = asked(api, "inventory-value/")
    assert body["scored_until"] is None
    assert sum(row["waiting"] for row in body["codes"]) == sum(row["claims"] for row in body["codes"]) > 0
    assert asked(api, "inventory-value/?code=NONE")["codes"] == []
    asked(api, "inventory-alerts/digest/")


def last_30_days() -> float:
    """Revenue of the last 30 whole days, straight from the order lines."""
    from ml_predictions.sources import get_source

    until = get_source().data_until()
    assert until is not None
    lines = get_source().order_lines(since=until.as_of - timedelta(days=29))
    return float(lines.filter(pl.col("day") <= until.as_of)["amount"].sum())


def test_dashboard_is_one_screen_of_real_figures(api: Any):
    asked(api, "predict-sales/", method="post", body={})
    body = asked(api, "dashboard-summary/", most=15)
    assert body["summary"]["total_active_models"] == 4
    assert body["summary"]["total_predictions"] == body["summary"]["predictions_last_7days"] == 1
    assert body["inventory"]["health_score"] == asked(api, "inventory-health/")["health_score"]
    assert body["summary"]["active_inventory_alerts"] == asked(api, "inventory-analysis/")["summary"]["total_alerts"]
    month = asked(api, "predict-sales/", method="post", body={"days_ahead": 30})["summary"]["total_predicted_sales"]
    assert math.isclose(body["sales_forecast"]["next_30_days"], month, rel_tol=1e-3)
    sales = body["sales_forecast"]
    assert sales["trend"] in ("up", "stable", "down")
    assert math.isclose(sales["change"], month / last_30_days() - 1, abs_tol=1e-3)
    assert body["customers"]["total_segments"] > 1
    assert body["recommendations"]["total_products"] == 12
    health = body["business_health"]
    assert health["left_out"] == []
    assert sum(health["weights"].values()) == 100
    weighted = sum(health["weights"][name] * value for name, value in health["components"].items()) / 100
    assert math.isclose(health["score"], weighted, abs_tol=0.1)
    assert (len(body["recent_models"]), len(body["recent_trainings"])) == (4, 4)
    assert body["notes"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("product-recommendations/987654321/", "unknown_product"),
        ("similar-products/no-such/", "unknown_product"),
        ("product-recommendations/987654321/customers/", "unknown_product"),
        ("bought-together/987654321/", "unknown_product"),
        ("customer-recommendations/987654321/", "unknown_customer"),
        ("customer-segment/987654321/", "unknown_customer"),
    ],
)
def test_unknown_ids_are_404(api: Any, path: str, code: str):
    answer = api.get(f"/api/ml/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


@pytest.mark.parametrize("name", ["models", "predictions", "inventory-alerts", "training-logs"])
def test_records_are_as_documented(api: Any, name: str):
    asked(api, "predict-sales/", method="post", body={"days_ahead": 2})
    listed = api.get(f"/api/ml/{name}/").json()
    validator(f"{name}/", "get").validate(listed)
    assert listed["results"]
    one = api.get(f"/api/ml/{name}/{listed['results'][0]['id']}/").json()
    validator(f"{name}/1/", "get").validate(one)
    for extra in {"models": ["active"], "inventory-alerts": ["summary"]}.get(name, []):
        asked(api, f"{name}/{extra}/")


def test_requirements_are_as_documented(api: Any):
    asked(api, "data-requirements/")


def test_the_versions_show_their_evidence(api: Any):
    for model in MLModel.objects.all():
        body = api.get(f"/api/ml/models/{model.pk}/").json()
        assert body["metrics"]
        assert '"params"' not in json.dumps(body)
