"""Stored messages: read by a later version than the one that wrote them, they are still a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ml_predictions.messages import message, render
from ml_predictions.models import MLTrainingLog


def test_a_message_of_another_version_is_shown_without_what_it_lacks(caplog: pytest.LogCaptureFixture):
    stored = {"code": "training_timeout", "params": {"minutes": 5}}
    assert render(stored) == "The training took longer than … seconds and was ended."
    assert "training_timeout lacks seconds" in caplog.text
    assert render(message("training_timeout", seconds=60)) == "The training took longer than 60 seconds and was ended."


@pytest.mark.django_db
def test_the_trainings_of_another_version_are_listed(client: Any, cast: Any):
    served = {"model_id": 1, "model_type": "x", "why": {"code": "training_timeout", "params": {}}}
    MLTrainingLog.objects.create(kind="sales_forecast", status="completed", result={"served": served})
    signed_in = client.post(
        "/api/auth/login/", {"email": "ben@shop.test", "password": "pass-word-1"}, "application/json"
    ).json()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {signed_in['access']}"}
    for path in ("training-logs/", "dashboard-summary/"):
        assert client.get(f"/api/ml/{path}", **headers).status_code == 200
