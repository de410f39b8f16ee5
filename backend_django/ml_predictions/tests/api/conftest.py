"""Clients signed in as each of the cast, and rows to look at."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from rest_framework.test import APIClient

from api_base.tests.clients import client_of
from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.models_inventory import InventoryAlert


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Ben: the role admin, no superuser."""
    return client_of(cast["ben"])


@pytest.fixture
def make_model(db: None) -> Any:
    """Makes a version's row, without a file."""

    def make(service: str = "sales_forecast", version: int = 1, **values: Any) -> MLModel:
        row = {"model_type": "random_forest", "as_of": date(2026, 6, 29), "artifact": f"{service}/{version}"}
        return MLModel.objects.create(service=service, version=version, **{**row, **values})

    return make


@pytest.fixture
def make_alert(db: None) -> Any:
    """Makes an alert's row."""

    def make(number: int = 1, **values: Any) -> InventoryAlert:
        row = {
            "variant_id": str(number), "product_id": "1", "sku": f"SKU-{number}", "product_name": f"Coat {number}",
            "alert_type": "reorder_now", "code": "REORDER_NOW", "urgency_level": 3, "current_stock": 1,
            "recommended_stock": 9, "predicted_demand_7days": 3, "predicted_demand_30days": 12,
            "daily_sales_rate": 0.4, "money_at_stake": 100.0 * number,
            "reason": {"code": "served_newest", "params": {}},
        }  # fmt: skip
        return InventoryAlert.objects.create(**{**row, **values})

    return make


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands for the worker: `finished(status, result=…, error=…)` is how every training ends that is waited for."""

    def ends(status: str, **values: Any) -> list[float]:
        from ml_predictions import jobs

        waited: list[float] = []

        def wait(log: MLTrainingLog, seconds: float) -> MLTrainingLog:
            waited.append(seconds)
            MLTrainingLog.objects.filter(pk=log.pk).update(status=status, **values)
            log.refresh_from_db()
            return log

        monkeypatch.setattr(jobs, "wait", wait)
        return waited

    return ends
