"""`train-…/`."""

from __future__ import annotations

from typing import Any

import pytest

from ml_predictions.jobs import rows
from ml_predictions.models import MLTrainingLog

RESULT = {
    "model_id": 7,
    "model_type": "random_forest",
    "promoted": False,
    "served": {"model_id": 3, "model_type": "seasonal_naive", "why": {"code": "served_newest", "params": {}}},
    "metrics": {"mase": 1.2, "test_r2": None},
}
PATH = "/api/ml/train-sales-forecast/"


def test_201_with_the_metrics_when_it_is_over_in_time(api: Any, finished: Any, cast: Any):
    waited = finished("completed", result=RESULT)
    answer = api.post(PATH, {"model_type": "random_forest"})
    body = answer.json()
    assert answer.status_code == 201
    log = MLTrainingLog.objects.get()
    assert (log.kind, log.parameters, log.requested_by) == (
        "sales_forecast",
        {"model_type": "random_forest"},
        "ben@shop.test",
    )
    assert waited == [25]
    assert body["training_log_id"] == log.pk
    assert (body["success"], body["model_id"], body["promoted"]) == (True, 7, False)
    assert body["served"] == {"model_id": 3, "model_type": "seasonal_naive", "why": "It is the newest version."}
    assert body["metrics"] == {"mase": 1.2, "test_r2": None}
    assert "Preference-Applied" not in answer.headers
    assert body["message"] == "Trained and kept; another version goes on serving."


def test_202_with_the_place_to_ask_while_it_runs(api: Any, finished: Any):
    finished("running")
    answer = api.post(PATH, {})
    log = MLTrainingLog.objects.get()
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json()["status_url"] == f"/api/ml/training-logs/{log.pk}/"
    assert answer.json()["status"] == "running"
    assert api.get(answer.headers["Location"]).json()["id"] == log.pk


def test_202_says_when_no_worker_runs(api: Any):
    text = "no worker is running"
    answer = api.post(PATH, {}, HTTP_PREFER="wait=0")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert text in answer.json()["message"]
    assert answer.json()["status_url"] in answer.json()["message"]
    rows.report_worker("w", "host", 1)
    answer = api.post("/api/ml/train-customer-segmentation/", {}, HTTP_PREFER="wait=0")
    assert text not in answer.json()["message"]


@pytest.mark.parametrize(
    ("asked", "waited", "applied"),
    [
        ("wait=3", 3, "wait=3"),
        ("wait=900", 50, "wait=50"),
        ("respond-async, wait=0", 0, "wait=0"),
        ("wait=x", 25, None),
    ],
)
def test_the_wait_is_the_callers_up_to_50_seconds(api: Any, finished: Any, asked: str, waited: int, applied: Any):
    found = finished("queued")
    answer = api.post(PATH, {}, HTTP_PREFER=asked)
    assert found == [waited]
    assert answer.headers.get("Preference-Applied") == applied


def test_409_with_the_id_of_the_one_under_way(api: Any, finished: Any):
    finished("queued")
    first = api.post(PATH, {}).json()["training_log_id"]
    answer = api.post(PATH, {})
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], error["details"]["training_log_id"]) == ("already_running", first)
    assert api.post("/api/ml/train-all/").status_code == 409
    assert MLTrainingLog.objects.count() == 1


def test_too_little_data_is_409_with_the_sentence(api: Any, finished: Any):
    text = "Segmenting needs 10 sales; the shop has 3."
    finished("failed", error={"code": "not_enough_history", "params": {"found": 3}, "text": text})
    answer = api.post("/api/ml/train-customer-segmentation/", {"n_clusters": 4})
    error = answer.json()["error"]
    assert answer.status_code == 409
    assert (error["code"], error["message"], error["details"]["found"]) == ("not_enough_history", text, 3)
    assert error["details"]["training_log_id"] == MLTrainingLog.objects.get().pk


def test_a_fault_of_ours_is_500_and_says_what_is_known(api: Any, finished: Any):
    finished("failed", error={"code": "training_error", "params": {"error": "KeyError: x"}})
    answer = api.post(PATH, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "training_error")
    assert "Traceback" not in answer.content.decode()


def test_cancelled_meanwhile_is_409(api: Any, finished: Any):
    finished("cancelled", error={"code": "training_cancelled", "params": {"who": "Ada"}})
    answer = api.post(PATH, {})
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "Cancelled by Ada.")


def test_all_four_tell_each_ones_result_and_error(api: Any, finished: Any):
    failed = {"code": "not_enough_history", "params": {}, "text": "Too little."}
    finished("completed", result={"services": {"sales_forecast": RESULT}, "errors": {"customer_segmentation": failed}})
    body = api.post("/api/ml/train-all/").json()
    assert body["services"]["sales_forecast"]["served"]["why"] == "It is the newest version."
    assert body["errors"] == {"customer_segmentation": "Too little."}
    assert body["message"] == "Trained: the sales forecast. Not trained: the customer segmentation."


@pytest.mark.parametrize(
    ("path", "body", "field", "allowed"),
    [
        (PATH, {"model_type": "oracle"}, "model_type", "choices"),
        ("/api/ml/train-customer-segmentation/", {"n_clusters": 13}, "n_clusters", "maximum"),
        ("/api/ml/train-customer-segmentation/", {"n_clusters": "many"}, "n_clusters", "minimum"),
    ],
)
def test_bad_parameters_are_400_and_queue_nothing(api: Any, path: str, body: Any, field: str, allowed: str):
    answer = api.post(path, body)
    found = answer.json()["error"]["details"][field]
    assert answer.status_code == 400
    assert found["received"] == body[field]
    assert allowed in found["allowed"]
    assert not MLTrainingLog.objects.exists()


def test_linear_regression_is_linear(api: Any, finished: Any):
    finished("queued")
    api.post(PATH, {"model_type": "linear_regression"})
    assert MLTrainingLog.objects.get().parameters == {"model_type": "linear"}


@pytest.mark.parametrize("name", ["product-recommendation", "customer-segmentation", "inventory-optimization", "all"])
def test_each_call_queues_its_own_kind(api: Any, finished: Any, name: str):
    finished("queued")
    assert api.post(f"/api/ml/train-{name}/").status_code == 202
    assert MLTrainingLog.objects.get().kind == name.replace("-", "_")


def test_the_documented_models_are_those_of_the_mathematics():
    from ml_predictions.serializers.inputs import FORECAST_MODELS
    from retail_ml.forecast.models import ALIASES, DAILY

    assert set(FORECAST_MODELS) == {"auto", *DAILY, *ALIASES}


@pytest.mark.parametrize("what", ["cancel", "retry"])
def test_a_body_that_means_nothing_is_refused_and_nothing_happens(api: Any, what: str):
    status = "queued" if what == "cancel" else "failed"
    log = MLTrainingLog.objects.create(kind="sales_forecast", status=status)
    for body in ("l\ufffd", '{"force": true}', "[]"):
        answer = api.post(f"/api/ml/training-logs/{log.pk}/{what}/", body, content_type="application/json")
        assert answer.status_code == 400, body
    assert list(MLTrainingLog.objects.values_list("status", flat=True)) == [status]
