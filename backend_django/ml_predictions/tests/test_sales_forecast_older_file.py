"""After an upgrade the file in service is of an older release: refused by name, while stored rows go on serving."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from conftest import RecordingRun
from ml_predictions import artifacts
from ml_predictions.models import MLTrainingLog, SalesForecast
from ml_predictions.services import get_service
from ml_predictions.services.sales_forecast import SalesForecastService

ARRAYS = {
    "category_ids", "product_ids", "product_units_mean", "product_price", "product_edges", "product_z", "product_sd",
    "product_spread", "variant_ids", "variant_product", "variant_share", "variant_edges", "variant_z", "variant_sd",
    "variant_spread", "newcomer_rows", "newcomer_age", "newcomer_stage", "newcomer_alike", "newcomer_count",
    "newcomer_edges", "newcomer_spread", "total_naive", "category_naive", "product_naive", "product_sum",
    "scored_product_ids", "explain",
    *(f"{level}_{target}_{what}" for level in ("total", "category") for target in ("sales", "units")
      for what in ("mean", "noise", "level", "sums")),
}  # fmt: skip
"""What every file of format 2 holds."""
SPARED = {"backtest_origin", "backtest_days", "backtest_sums"}
"""What was added since and a file may lack: looking back says that it is not there, and nothing else reads it."""


@pytest.fixture
def older(make_shop: Any, run: RecordingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small shop whose forecast in service was written by an older release."""
    make_shop(orders=30, products=3, customers=5, days=60)
    with monkeypatch.context() as past:
        past.setitem(artifacts.FORMATS, "sales_forecast", 1)
        SalesForecastService().train(run)
    artifacts.load.cache_clear()


@pytest.mark.usefixtures("older")
def test_what_needs_the_file_is_refused_with_what_to_do(cast: dict[str, Any]) -> None:
    api = APIClient(raise_request_exception=False)
    api.force_authenticate(cast["ben"])
    for body in ({}, {"level": "product", "id": "1"}, {"level": "variant", "id": "1"}):
        answer = api.post("/api/ml/predict-sales/", body, format="json")
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert error["code"] == "artifact_being_mended"
        assert "older release" in error["message"]
        assert f"Training {MLTrainingLog.objects.get(status='queued').pk} makes it anew" in error["message"]
    spanish = api.post("/api/ml/predict-sales/", {}, format="json", headers={"accept-language": "es"}).json()
    assert "versión anterior" in spanish["error"]["message"]


@pytest.mark.usefixtures("older")
def test_stored_rows_go_on_serving_and_a_training_mends_it(cast: dict[str, Any], run: RecordingRun) -> None:
    api = APIClient()
    api.force_authenticate(cast["ben"])
    for level in ("total", "category", "product", "variant"):
        assert api.get("/api/ml/sales-forecasts/", {"level": level}).json()["count"] > 0
    assert api.get("/api/ml/dashboard-summary/").status_code == 200
    assert api.get("/api/ml/forecast-accuracy/").status_code == 200
    SalesForecastService().train(run)
    assert api.post("/api/ml/predict-sales/", {}, format="json").status_code == 200


@pytest.mark.usefixtures("older")
def test_the_inventory_does_without_and_says_so(run: RecordingRun, caplog: pytest.LogCaptureFixture) -> None:
    assert SalesForecastService().variant_demand(days=7) is None
    assert "older release" in caplog.text
    model = get_service("inventory_optimization").train(run)
    assert model.metrics["demand"]["code"] == "inventory.demand_own"


def test_a_file_holds_what_its_format_says(make_shop: Any, run: RecordingRun) -> None:
    """What is dropped, or what readers need, makes another format: raise `artifacts.FORMATS`, then change this list."""
    make_shop(orders=30, products=3, customers=5, days=60)
    service = SalesForecastService()
    model = service.train(run)
    assert set(service.content(model).arrays) == ARRAYS | SPARED
    assert artifacts.FORMATS["sales_forecast"] == 2
    assert SalesForecast.objects.filter(model=model).exists()
