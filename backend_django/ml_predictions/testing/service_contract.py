"""What the API must answer over every source: subclass it in a test module that has a fixture `filler`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from rest_framework.test import APIClient

from ml_predictions import jobs
from ml_predictions.models import SERVICES, MLModel, MLTrainingLog
from ml_predictions.sources.base import Source
from ml_predictions.testing.runs import decided_nothing
from ml_predictions.testing.shops import Filler, Shop, boutique

TRAININGS = {
    "sales_forecast": ("train-sales-forecast", {"model_type": "weekday_mean"}),
    "product_recommendation": ("train-product-recommendation", {}),
    "customer_segmentation": ("train-customer-segmentation", {}),
    "inventory_optimization": ("train-inventory-optimization", {}),
}
"""Call and body of each training; the forecast with a quick method."""


class Api:
    """Calls of `/api/ml/` as an administrator; `root` is wherever the project has put them."""

    def __init__(self) -> None:
        users = get_user_model()
        name = {users.USERNAME_FIELD: "ada@shop.test"}
        ada = users(**name, is_superuser=True, is_staff=True)
        ada.save()
        self.client = APIClient()
        self.client.force_authenticate(ada)
        self.root = reverse("ml:models-list").removesuffix("models/")

    def get(self, path: str) -> Any:
        """The parsed answer of a read, which must be 200."""
        answer = self.client.get(self.root + path)
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        """The parsed answer of a call, which must have this status."""
        answer = self.client.post(self.root + path, body, format="json")
        assert answer.status_code == status, (path, answer.content)
        return answer.json()

    def train(self) -> None:
        """All four, in the order that lets the inventory use the forecast."""
        for service in SERVICES:
            call, body = TRAININGS[service]
            told = self.post(f"{call}/", body, 201)
            assert told["success"] is True, service
            assert told["metrics"], service


class ServiceContract:
    """The suite; it takes seconds, since it trains."""

    @pytest.fixture(autouse=True)
    def _this_process_trains(
        self, settings: Any, db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_options: dict[str, Any]
    ) -> None:
        """Whoever waits for a training runs it: there is no worker."""
        decided_nothing(monkeypatch)
        own = {"TIME_ZONE": "Europe/Madrid", "LIVE": "no", "CURRENCY": "", "ARTIFACT_ROOT": tmp_path / "models"}
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **own, **source_options}

        def wait(log: MLTrainingLog, seconds: float) -> MLTrainingLog:
            taken = jobs.claim("contract")
            assert taken is not None
            assert taken.pk == log.pk
            jobs.execute(taken.pk, taken.owner)
            log.refresh_from_db()
            return log

        monkeypatch.setattr(jobs, "wait", wait)

    @pytest.fixture
    def source_options(self) -> dict[str, Any]:
        """SOURCE and SOURCE_OPTIONS of the shop under test, where the settings of the project say others."""
        return {}

    @pytest.fixture
    def api(self, db: None) -> Api:
        """An administrator's calls."""
        return Api()

    def test_the_four_services_train_and_answer(self, filler: Filler, api: Api) -> None:
        """Each asking call of each service, over a shop of 200 days; ids are the shop's own."""
        filler.fill(boutique(orders=150))
        api.train()
        assert MLModel.objects.filter(is_active=True).count() == 4
        check_forecast(api, filler.source())
        check_recommendations(api, filler)
        check_customers(api, filler)
        check_inventory(api, filler)
        summary = api.get("dashboard-summary/")
        assert summary["summary"]["total_active_models"] == 4
        assert summary["recommendations"]["total_products"] == 12
        assert api.get("data-quality/")["looked_at"]["products"] == 12
        assert api.get("models/")["count"] == 4

    def test_thirty_orders_are_enough_to_begin(self, filler: Filler, api: Api) -> None:
        """Small, and answered all the same."""
        filler.fill(boutique(orders=30, products=6, customers=8, days=60))
        api.train()
        assert len(api.post("predict-sales/", {"days_ahead": 7})["predictions"]) == 7
        assert api.get("inventory-health/")["metrics"]["total_products"] == 12

    def test_an_empty_shop_is_told_what_is_missing(self, filler: Filler, api: Api) -> None:
        """409 with a sentence, and nothing is stored."""
        filler.fill(Shop())
        for service in SERVICES:
            call, body = TRAININGS[service]
            told = api.post(f"{call}/", body, 409)["error"]
            assert told["message"]
            assert told["details"]["status"] == "failed"
        assert not MLModel.objects.exists()
        requirements = api.get("data-requirements/")
        assert requirements["success"] is True

    def test_what_the_source_lacks_is_409_and_the_rows_are_a_file(self, filler: Filler, api: Api) -> None:
        """Drafts of purchase orders, and erasing: a shop that has them answers with them."""
        filler.fill(boutique(orders=60, products=6, customers=8, days=60))
        api.train()
        if "draft orders" in filler.lacks:
            refused = api.post("reorder-recommendations/draft/", {}, 409)["error"]
            assert refused["code"] == "not_supported_by_source"
            assert refused["details"]["write"] == "place_drafts"
            assert refused["details"]["total_rows"] == len(refused["details"]["rows"])
            answer: Any = api.client.get(api.root + "reorder-recommendations/export/")
            assert answer.status_code == 200
            assert answer.content.count(b"\r\n") == refused["details"]["total_rows"] + 1
        else:
            answer = api.client.post(api.root + "reorder-recommendations/draft/", {}, format="json")
            assert answer.status_code in (200, 201)  # 200: nobody supplies what is wanted
            assert answer.json()["drafts"] or answer.json()["without_supplier"]
        customer = filler.ids("customer")["c0"]
        if "erasing" in filler.lacks:
            answer = api.client.delete(api.root + f"customers/{customer}/personal-data/")
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_supported_by_source")

    def test_bad_input_is_refused_in_the_one_shape(self, filler: Filler, api: Api) -> None:
        """Whatever the project's own settings of its API are."""
        filler.fill(Shop())
        told = api.post("predict-sales/", {"days_ahead": 0}, 400)
        assert (told["success"], told["error"]["code"]) == (False, "bad_parameter")
        assert told["error"]["details"]["days_ahead"]["allowed"]["minimum"] == 1
        assert api.post("predict-sales/", {}, 409)["error"]["code"] == "not_trained"
        for path in ("models/?no_such_filter=1", "models/?ordering=no", "training-logs/?page_size=0"):
            answer = api.client.get(api.root + path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")


# --- what a trained shop answers ------------------------------------------------------------------


def check_forecast(api: Api, source: Source) -> None:
    """The days after the as-of day, and a receipt."""
    until = source.data_until()
    assert until is not None
    body = api.post("predict-sales/", {"days_ahead": 14})
    first = (until.as_of + timedelta(days=1)).isoformat()
    assert (len(body["predictions"]), body["predictions"][0]["date"]) == (14, first)
    assert body["summary"]["total_predicted_sales"] > 0
    assert body["receipt"]


def check_recommendations(api: Api, filler: Filler) -> None:
    """Beside a product, for a customer, for a basket."""
    products, customers = filler.ids("product"), filler.ids("customer")
    one = products["P003"]
    for call in ("product-recommendations", "similar-products", "bought-together"):
        rows = api.get(f"{call}/{one}/?top_n=3")["recommendations"]
        assert {row["product_id"] for row in rows} <= set(products.values()) - {one}
    assert len(api.get(f"product-recommendations/{one}/?top_n=3")["recommendations"]) == 3
    assert api.get(f"customer-recommendations/{customers['c0']}/")["recommendations"]
    basket = {"product_ids": [one], "customer_id": customers["c1"], "top_n": 3}
    assert len(api.post("basket-recommendations/", basket)["recommendations"]) == 3
    api.get(f"product-recommendations/{products['P005']}/customers/")
    assert api.client.get(api.root + "similar-products/no-such/").status_code == 404


def check_customers(api: Api, filler: Filler) -> None:
    """The segment of one, and of all."""
    one = filler.ids("customer")["c0"]
    assert api.get(f"customer-segment/{one}/")["customer_id"] == one
    assert api.get("customer-segments/")["count"] >= 20
    assert api.client.get(api.root + "customer-segment/no-such/").status_code == 404


def check_inventory(api: Api, filler: Filler) -> None:
    """Every variant is looked at; what is low is to be ordered."""
    variants = filler.ids("variant")
    body = api.get("inventory-analysis/")
    assert body["total_products_analyzed"] == len(variants)
    assert {alert["variant_id"] for alert in body["alerts"]} <= set(variants.values())
    assert api.get(f"inventory-analysis/{variants['P000-S']}/")["sku"] == "P000-S"
    assert api.get("inventory-health/")["metrics"]["total_products"] == len(variants)
    assert api.get("reorder-recommendations/")["recommendations"]
