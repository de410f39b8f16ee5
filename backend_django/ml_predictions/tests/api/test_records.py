"""`models/`, `predictions/`, `inventory-alerts/`, `training-logs/`: lists, rows, and what one may do to them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ml_predictions import artifacts
from ml_predictions.models import SERVICES, MLModel, MLTrainingLog, Prediction, SalesForecast
from ml_predictions.models_inventory import InventoryAlert

pytestmark = pytest.mark.postgres

LISTS = ["models", "predictions", "sales-forecasts", "inventory-alerts", "training-logs"]
BOUNDS = [f"{of}_{end}_{c}" for of in ("sales", "quantity") for end in ("lower", "upper") for c in (80, 95)]


def make_forecast(model: MLModel, day: int = 0, **values: Any) -> SalesForecast:
    row = {"level": "total", "start": date(2026, 6, 30) + timedelta(days=day), "sales": 10.0 + day, "quantity": 2.0}
    return SalesForecast.objects.create(model=model, **{**dict.fromkeys(BOUNDS, 1.0), **row, **values})


def queries(api: Any, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert api.get(path).status_code == 200
    return len(found)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_forty(api: Any, make_model: Any, make_alert: Any, name: str):
    def fill(first: int, last: int) -> None:
        for i in range(first, last):
            log = MLTrainingLog.objects.create(kind="sales_forecast", status="completed")
            model = make_model(version=i, training_log=log, is_active=i == 1)
            make_forecast(MLModel.objects.get(version=1), i)
            Prediction.objects.create(model=model, service="sales_forecast", as_of=date(2026, 6, 29))
            make_alert(i)

    fill(1, 2)
    one = queries(api, f"/api/ml/{name}/")
    fill(2, 42)
    assert queries(api, f"/api/ml/{name}/") == one
    body = api.get(f"/api/ml/{name}/", {"page_size": 10, "page": 2}).json()
    assert (body["count"], len(body["results"]), set(body)) == (41, 10, {"count", "next", "previous", "results"})


@pytest.mark.parametrize("name", LISTS)
def test_reading_writes_nothing(api: Any, make_model: Any, make_alert: Any, name: str):
    model = make_model(is_active=True)
    row = {
        "models": model,
        "sales-forecasts": make_forecast(model),
        "predictions": Prediction.objects.create(model=model, service="sales_forecast", as_of=date(2026, 6, 29)),
        "inventory-alerts": make_alert(),
        "training-logs": MLTrainingLog.objects.create(kind="all", status="completed"),
    }[name]
    with CaptureQueriesContext(connection) as found:
        for path in ("", f"{row.pk}/", "active/" if name == "models" else "?search=x&ordering=-id"):
            assert api.get(f"/api/ml/{name}/{path}").status_code == 200
    assert not [q["sql"] for q in found if not q["sql"].startswith("SELECT")]


# --- models ---------------------------------------------------------------------------------------


def test_models_filtered_searched_ordered(api: Any, make_model: Any):
    make_model(version=1, is_active=True)
    make_model(version=2, model_type="linear", beats_baseline=False)
    make_model("inventory_optimization", 1, is_active=True)

    def ids(query: str) -> list[tuple[str, int]]:
        return [(m["service"], m["version"]) for m in api.get(f"/api/ml/models/?{query}").json()["results"]]

    assert ids("service=sales_forecast&is_active=true") == [("sales_forecast", 1)]
    assert ids("beats_baseline=false") == [("sales_forecast", 2)]
    assert ids("search=linear") == [("sales_forecast", 2)]
    assert ids("ordering=version,service")[0] == ("inventory_optimization", 1)
    active = api.get("/api/ml/models/active/").json()["models"]
    assert [m["service"] for m in active] == ["inventory_optimization", "sales_forecast"]


@pytest.mark.parametrize("query", ["models/?service=x", "predictions/?service=x"])
def test_a_choice_that_is_not_known_is_refused_with_those_there_are(api: Any, query: str):
    answer = api.get(f"/api/ml/{query}")
    assert answer.status_code == 400
    found = answer.json()["error"]["details"]["service"]
    assert (found["allowed"]["choices"], found["received"]) == (list(SERVICES), "x")


def test_a_filter_without_choices_names_none(api: Any):
    found = api.get("/api/ml/predictions/?as_of=soon").json()["error"]["details"]["as_of"]
    assert (sorted(found), found["received"]) == (["message", "received"], "soon")


def test_one_model_with_the_evidence_and_its_sentences(api: Any, make_model: Any):
    metrics = {"silhouette_score": None, "reasons": {"silhouette_score": {"code": "served_newest", "params": {}}}}
    model = make_model(metrics=metrics, receipt={"folds": 4})
    body = api.get(f"/api/ml/models/{model.pk}/").json()
    assert body["metrics"]["reasons"]["silhouette_score"] == "It is the newest version."
    assert (body["receipt"], body["as_of"]) == ({"folds": 4}, "2026-06-29")


@pytest.fixture
def filed(make_model: Any) -> Any:
    """Versions of the inventory service with real files: it has no rows of its own to write."""

    def make(version: int, **values: Any) -> MLModel:
        saved = artifacts.save("inventory_optimization", artifacts.Content({}, {"a": np.arange(3)}))
        return make_model(
            "inventory_optimization", version, artifact=saved.name, artifact_sha256=saved.sha256, **values
        )

    return make


def test_activate_rolls_back_and_forward_and_is_audited(api: Any, filed: Any, cast: Any):
    old, new = filed(1), filed(2, is_active=True)
    answer = api.post(f"/api/ml/models/{old.pk}/activate/")
    assert (answer.status_code, answer.json()["is_active"], answer.json()["success"]) == (200, True, True)
    assert list(MLModel.objects.filter(is_active=True)) == [old]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (cast["ben"], str(old.pk), "Put into service.")
    assert api.post(f"/api/ml/models/{new.pk}/activate/").status_code == 200
    assert list(MLModel.objects.filter(is_active=True)) == [new]


def test_worse_than_the_baseline_only_on_purpose(api: Any, filed: Any):
    good, bad = filed(1, is_active=True), filed(2, beats_baseline=False)
    answer = api.post(f"/api/ml/models/{bad.pk}/activate/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "worse_than_baseline")
    assert list(MLModel.objects.filter(is_active=True)) == [good]
    assert api.post(f"/api/ml/models/{bad.pk}/activate/", {"accept_worse": True}).status_code == 200
    assert list(MLModel.objects.filter(is_active=True)) == [bad]
    assert "loses to the baseline" in LogEntry.objects.get().change_message


def test_a_damaged_file_is_refused_and_the_old_version_stays(api: Any, filed: Any, settings: Any):
    good, bad = filed(1, is_active=True), filed(2)
    (settings.ML_PREDICTIONS["ARTIFACT_ROOT"] / bad.artifact / "a.npy").write_bytes(b"changed")
    answer = api.post(f"/api/ml/models/{bad.pk}/activate/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "artifact_refused")
    assert list(MLModel.objects.filter(is_active=True)) == [good]


def test_a_damaged_file_in_service_is_made_anew_once_and_the_answer_says_so(
    api: Any, filed: Any, settings: Any, cast: Any
):
    model = filed(1, is_active=True)
    (settings.ML_PREDICTIONS["ARTIFACT_ROOT"] / model.artifact / "a.npy").write_bytes(b"changed")
    for _ in range(2):
        answer = api.get("/api/ml/inventory-health/")
        error, log = answer.json()["error"], MLTrainingLog.objects.get()
        assert (answer.status_code, error["code"]) == (409, "artifact_being_mended")
        assert error["details"]["training_log_id"] == log.pk
        assert (log.kind, log.cause, log.status) == ("inventory_optimization", "file", "queued")
    MLTrainingLog.objects.update(status="failed")
    assert api.get("/api/ml/inventory-health/").json()["error"]["code"] == "artifact_refused"
    assert MLTrainingLog.objects.count() == 1  # once a day: what fails today fails again


def test_the_nightly_step_finds_a_damaged_file_before_anybody_asks(filed: Any, settings: Any):
    from ml_predictions.jobs.mending import check_files

    model = filed(1, is_active=True)
    assert check_files() == {}
    artifacts.load.cache_clear()
    (settings.ML_PREDICTIONS["ARTIFACT_ROOT"] / model.artifact / "a.npy").write_bytes(b"changed")
    assert check_files()["inventory_optimization"]["training_log_id"] == MLTrainingLog.objects.get().pk


def test_a_version_is_deleted_with_its_file_and_the_one_in_service_is_not(api: Any, filed: Any, settings: Any):
    old, serving = filed(1), filed(2, is_active=True)
    folder = settings.ML_PREDICTIONS["ARTIFACT_ROOT"]
    assert api.delete(f"/api/ml/models/{old.pk}/").status_code == 204
    assert not (folder / old.artifact).exists()
    assert LogEntry.objects.get().change_message == "Deleted."
    refused = api.delete(f"/api/ml/models/{serving.pk}/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_service")
    assert (folder / serving.artifact).exists()


@pytest.mark.parametrize(("language", "said"), [("en", "missed sales by 21.5 %"), ("es", "21,5 %")])
def test_the_report_says_what_stands_behind_a_version(api: Any, filed: Any, settings: Any, language: str, said: str):
    tested = {
        "wape": 0.215, "baseline_wape": 0.3, "origins": 4, "horizon_days": 28, "coverage_80": 0.8, "coverage_95": 0.95,
    }  # fmt: skip
    seen = {"orders": 300, "lines": 700, "customers": 60, "products": 24}
    libraries = artifacts.libraries() | {"retail_ml": "another"}
    model = filed(1, fingerprint=seen, receipt=tested, libraries=libraries)
    MLModel.objects.update(service="sales_forecast")
    body = api.get(f"/api/ml/models/{model.pk}/report/", HTTP_ACCEPT_LANGUAGE=language).json()
    assert (body["file"]["whole"], body["changed_since"], body["model"]["id"]) == (True, ["retail_ml"], model.pk)
    assert any(said in sentence for sentence in body["sentences"])
    assert len(body["sentences"]) == 7
    assert any("300" in sentence for sentence in body["sentences"])


def test_each_service_says_how_it_was_tested_in_its_own_words(make_model: Any):
    from ml_predictions.messages import render
    from ml_predictions.selectors_versions import report

    money = {"revenue": {"mae": 64.85}}
    tested = {
        "customer_segmentation": (
            {"error": money, "baseline": {"revenue": {"mae": 70.51}}, "customers": 1_319, "period": {"days": 180}},
            "64.85 a customer on average; taking what they had just spent, by 70.51",
        ),
        "inventory_optimization": ({"sentence": {"code": "served_newest", "params": {}}}, "It is the newest version."),
        "product_recommendation": ({"why": None}, "too little of the past"),
    }  # fmt: skip
    for service, (receipt, said) in tested.items():
        sentences = [render(one) for one in report(make_model(service, receipt=receipt))["sentences"]]
        assert any(said in sentence for sentence in sentences), sentences
        assert any("file is refused" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("language", "drawn", "missed"),
    [("en", "96,000 of 2,400,000", "33.13 %"), ("es", "96 000 de 2 400 000", "33,13 %")],
)
def test_the_report_says_from_how_many_rows_was_learned(
    make_model: Any, api: Any, language: str, drawn: str, missed: str
):
    def sentences(model: MLModel) -> list[str]:
        body = api.get(f"/api/ml/models/{model.pk}/report/", HTTP_ACCEPT_LANGUAGE=language).json()
        return [one.replace("\N{NO-BREAK SPACE}", " ") for one in body["sentences"]]

    rows = {"rows": 96_000, "of": 2_400_000}
    forecast = rows | {"origins": 3, "wape_week": 0.33128, "wape_week_half": 0.333, "baseline_wape_week": 0.40657}
    untested = forecast | dict.fromkeys(("wape_week", "wape_week_half", "baseline_wape_week"))
    lists = rows | {"cases": 1_500, "ndcg_10": 0.4188, "ndcg_10_half": 0.4171, "baseline_ndcg_10": 0.1934}
    told = {
        "sales_forecast": ({"product": {"sample": forecast}}, missed),
        "product_recommendation": ({"sample": lists}, "41.71 %" if language == "en" else "41,71 %"),
    }
    for service, (receipt, figure) in told.items():
        model = make_model(service, receipt=receipt)
        said = sentences(model)
        (one,) = [sentence for sentence in said if drawn in sentence]
        assert figure in one
    asked = {"cases": 900, "ndcg_10": 0.3107, "ndcg_10_half": 0.3062, "baseline_ndcg_10": 0.1}
    some, half, cases = {"en": ("4.2 %", "30.62 %", "1,500"), "es": ("4,2 %", "30,62 %", "1 500")}[language]
    for version, surfaces in enumerate([{"page": asked, "customer": asked | {"cases": 1_500}}, {"page": asked}, {}], 2):
        receipt = {"people": {"share": 0.0417, "surfaces": surfaces}}
        said = sentences(make_model("product_recommendation", version, receipt=receipt))
        (one,) = [sentence for sentence in said if some in sentence]
        assert (half in one, cases in one) == (bool(surfaces), "customer" in surfaces)
    silent: list[dict[str, Any]] = [{"product": {"sample": None}}, {"product": {}}, {}]
    for version, receipt in enumerate([{"product": {"sample": untested}}, *silent], start=2):
        said = sentences(make_model("sales_forecast", version, receipt=receipt))
        assert sum(drawn in sentence for sentence in said) == (version == 2)


# --- predictions ----------------------------------------------------------------------------------


def test_the_list_of_predictions_leaves_the_days_out(api: Any, make_model: Any):
    model = make_model()
    row = Prediction.objects.create(
        model=model, service="sales_forecast", as_of=date(2026, 6, 29), result={"predictions": [1]}
    )
    listed = api.get("/api/ml/predictions/", {"model": model.pk}).json()["results"]
    assert [("result" in r, r["id"]) for r in listed] == [(False, row.pk)]
    assert api.get(f"/api/ml/predictions/{row.pk}/").json()["result"] == {"predictions": [1]}
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    assert api.get("/api/ml/predictions/", {"created_from": tomorrow}).json()["count"] == 0


def test_a_prediction_whose_version_is_gone_says_why_it_cannot_be_made_again(api: Any):
    seen = {"came": {"sales": 10.0}, "error": 1.0}
    row = Prediction.objects.create(service="sales_forecast", as_of=date(2026, 6, 29), looked_back=seen)
    answer = api.post(f"/api/ml/predictions/{row.pk}/reproduce/")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "version_gone")
    assert error["details"] == {"prediction_id": row.pk, "as_of": "2026-06-29"}
    assert api.get(f"/api/ml/predictions/{row.pk}/").json()["looked_back"] == seen
    assert "looked_back" not in api.get("/api/ml/predictions/").json()["results"][0]


def test_drift_is_told_where_one_looks(api: Any, make_model: Any):
    found = {"drifted": True, "warnings": [{"code": "drift.error", "params": {"days": 20, "outside": 6}}]}
    make_model(is_active=True, drift=found)
    told = "Of the last 20 days 6 fell outside"
    assert any(note.startswith(told) for note in api.get("/api/ml/dashboard-summary/").json()["notes"])
    assert api.get("/api/ml/forecast-accuracy/").json()["drift"]["warnings"][0].startswith(told)


# --- stored forecasts -----------------------------------------------------------------------------


def test_stored_forecasts_are_those_of_the_version_in_service(api: Any, make_model: Any):
    old, model = make_model(version=1), make_model(version=2, is_active=True)
    make_forecast(old)
    rows = [make_forecast(model, day) for day in range(3)]
    make_forecast(model, level="product", object_id="77", days=7)

    def found(**query: Any) -> list[int]:
        return [row["id"] for row in api.get("/api/ml/sales-forecasts/", query).json()["results"]]

    assert found(level="total") == [row.pk for row in rows]
    assert found(level="total", start_from="2026-07-01", ordering="-sales") == [rows[2].pk, rows[1].pk]
    assert len(found(object_id="77")) == len(found(days=7)) == 1
    one = api.get(f"/api/ml/sales-forecasts/{rows[1].pk}/").json()
    assert (one["sales"], one["start"], one["model"]) == (11.0, "2026-07-01", model.pk)
    refused = api.get("/api/ml/sales-forecasts/", {"start_from": "soon"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_parameter")


# --- alerts ---------------------------------------------------------------------------------------


def test_alerts_filtered_searched_ordered(api: Any, make_alert: Any):
    make_alert(1, urgency_level=5)
    make_alert(2, alert_type="overstock", category="Shoes")
    make_alert(3, status="resolved")

    def skus(query: str) -> list[str]:
        return [a["sku"] for a in api.get(f"/api/ml/inventory-alerts/?{query}").json()["results"]]

    assert skus("") == ["SKU-3", "SKU-2", "SKU-1"]
    assert skus("status=active") == ["SKU-2", "SKU-1"]
    assert skus("min_urgency=4") == ["SKU-1"]
    assert skus("category=Shoes") == skus("alert_type=overstock") == skus("search=coat 2") == ["SKU-2"]
    assert skus("ordering=sku") == ["SKU-1", "SKU-2", "SKU-3"]
    assert skus("min_money=250") == ["SKU-3"]


def test_alerts_counted(api: Any, make_alert: Any):
    make_alert(1, urgency_level=5)
    make_alert(2, alert_type="overstock")
    make_alert(3, status="resolved")
    body = api.get("/api/ml/inventory-alerts/summary/").json()
    assert (body["total_active"], body["critical"], body["money_at_stake"]) == (2, 1, 300.0)
    assert body["by_type"] == {"reorder_now": 1, "low_stock": 0, "overstock": 1, "slow_moving": 0, "high_demand": 0}
    assert body["by_urgency"] == {"1": 0, "2": 0, "3": 1, "4": 0, "5": 1}


def test_resolve_once(api: Any, make_alert: Any, cast: Any):
    alert = make_alert()
    body = api.post(f"/api/ml/inventory-alerts/{alert.pk}/resolve/", {"note": "ordered 12"}).json()
    assert (body["status"], body["resolved_by"], body["resolved_how"], body["note"]) == (
        "resolved", "ben@shop.test", "hand", "ordered 12",
    )  # fmt: skip
    assert body["reason"] == "It is the newest version."
    assert LogEntry.objects.get().change_message == "Resolved by hand. ordered 12"
    answer = api.post(f"/api/ml/inventory-alerts/{alert.pk}/resolve/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_resolved")
    assert InventoryAlert.objects.get().note == "ordered 12"


def test_a_note_that_is_too_long_is_refused(api: Any, make_alert: Any):
    answer = api.post(f"/api/ml/inventory-alerts/{make_alert().pk}/resolve/", {"note": "x" * 501})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["note"]["allowed"] == {"longest": 500}


# --- trainings ------------------------------------------------------------------------------------


def test_trainings_and_other_kinds(api: Any):
    MLTrainingLog.objects.create(
        kind="sales_forecast", status="failed", error={"code": "x", "params": {}, "text": "T."}
    )
    other = MLTrainingLog.objects.create(kind="import_files", status="completed")
    listed = api.get("/api/ml/training-logs/").json()["results"]
    assert [(log["kind"], log["error"]) for log in listed] == [("sales_forecast", "T.")]
    assert [r["id"] for r in api.get("/api/ml/training-logs/?kind=import_files").json()["results"]] == [other.pk]
    assert api.get("/api/ml/training-logs/?status=completed").json()["count"] == 0
    assert api.get(f"/api/ml/training-logs/{other.pk}/").status_code == 200


def test_progress_with_the_steps_sentence(api: Any):
    log = MLTrainingLog.objects.create(
        kind="all", status="running", progress=41.5, step={"code": "training_cancelled", "params": {"who": "Max"}}
    )
    body = api.get(f"/api/ml/training-logs/{log.pk}/").json()
    assert (body["progress"], body["step"], body["error"]) == (41.5, "Cancelled by Max.", None)


def test_cancel_queued_running_and_over(api: Any):
    queued = MLTrainingLog.objects.create(kind="sales_forecast")
    assert api.post(f"/api/ml/training-logs/{queued.pk}/cancel/").json()["status"] == "cancelled"
    running = MLTrainingLog.objects.create(kind="sales_forecast", status="running")
    body = api.post(f"/api/ml/training-logs/{running.pk}/cancel/").json()
    assert (body["status"], body["cancel_requested_by"]) == ("running", "ben@shop.test")
    answer = api.post(f"/api/ml/training-logs/{queued.pk}/cancel/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_running")


def test_place_in_the_queue_and_retry(api: Any):
    MLTrainingLog.objects.create(kind="all", status="running")
    failed = MLTrainingLog.objects.create(kind="sales_forecast", status="failed", parameters={"model_type": "linear"})
    first = MLTrainingLog.objects.create(kind="customer_segmentation")
    answer = api.post(f"/api/ml/training-logs/{failed.pk}/retry/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_running")  # all four are under way
    MLTrainingLog.objects.filter(kind="all").update(status="completed")
    answer = api.post(f"/api/ml/training-logs/{failed.pk}/retry/")
    assert (answer.status_code, answer.json()["queue_position"]) == (202, 2)
    listed = {row["id"]: row["queue_position"] for row in api.get("/api/ml/training-logs/").json()["results"]}
    assert (listed[first.pk], listed[failed.pk], listed[answer.json()["training_log_id"]]) == (1, None, 2)
    refused = api.post(f"/api/ml/training-logs/{first.pk}/retry/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_retryable")


READ_ONLY = [
    (name, method)
    for name in LISTS
    for method in ("post", "put", "patch", "delete")
    if (name, method) != ("models", "delete")
]


@pytest.mark.parametrize(("name", "method"), READ_ONLY)
def test_records_cannot_be_written_directly(api: Any, name: str, method: str):
    assert (
        getattr(api, method)(f"/api/ml/{name}/1/", json.dumps({}), content_type="application/json").status_code == 405
    )
