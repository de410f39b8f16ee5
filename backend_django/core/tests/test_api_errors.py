"""Every error has the one shape, in the language of the request, and never a stack."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from rest_framework import exceptions
from rest_framework.test import APIRequestFactory

from core import logs
from ml_predictions.views.errors import exception_handler
from retail_ml.errors import BadFrame, BadParameter, NotEnoughHistory, RetailMLError, UnknownId


def handled(error: Exception) -> tuple[int, dict[str, Any]]:
    request = APIRequestFactory().get("/api/ml/x/")
    request.query_params = {}  # type: ignore[attr-defined]
    answer = exception_handler(error, {"request": request})
    assert set(answer.data) == {"success", "error"}
    assert answer.data["success"] is False
    assert set(answer.data["error"]) == {"code", "message", "details"}
    return answer.status_code, answer.data["error"]


@pytest.fixture
def client(cast: dict[str, Any]) -> Client:
    """Ben, signed in."""
    client = Client(raise_request_exception=False)
    answer = client.post(
        "/api/auth/login/", {"email": "ben@shop.test", "password": "pass-word-1"}, content_type="application/json"
    )
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {answer.json()['access']}"
    return client


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadParameter("days is 0", found=0), 400, "bad_parameter"),
        (UnknownId("no product 7", id="7"), 404, "unknown_id"),
        (NotEnoughHistory("9 sales", found=9), 409, "not_enough_history"),
        (BadFrame("orders lacks day"), 409, "bad_frame"),
        (RetailMLError("no orders yet", code="customer_without_orders"), 409, "customer_without_orders"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
    ],
)
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str):
    found = handled(error)
    assert (found[0], found[1]["code"]) == (status, code)


def test_the_heavy_modules_own_errors_are_conflicts():
    from ml_predictions.artifacts import ArtifactRefused
    from ml_predictions.errors import NotTrained
    from ml_predictions.jobs import AlreadyRunning

    assert handled(NotTrained("sales_forecast"))[1]["details"]["call"] == "/api/ml/train-sales-forecast/"
    for error in (NotTrained("sales_forecast"), ArtifactRefused("a/b", "cut short"), AlreadyRunning("all", 4)):
        assert handled(error)[0] == 409


def test_throttled_says_when_to_come_back():
    request = APIRequestFactory().get("/")
    answer = exception_handler(exceptions.Throttled(wait=2.2), {"request": request})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


def test_the_unforeseen_is_generic_and_logged_under_its_id(caplog: pytest.LogCaptureFixture):
    status, error = handled(RuntimeError("password=hunter2"))
    assert (status, error["code"]) == (500, "internal_error")
    assert "hunter2" not in str(error)
    assert error["details"]["request_id"] in caplog.text
    assert "hunter2" in caplog.text


def test_the_id_of_an_error_is_the_id_of_its_request():
    token = logs.request_id.set("edge-42")
    try:
        assert handled(RuntimeError("no"))[1]["details"]["request_id"] == "edge-42"
    finally:
        logs.request_id.reset(token)


@pytest.mark.parametrize("broken", [OperationalError("database is locked"), InterfaceError("connection closed")])
def test_a_database_that_does_not_answer_is_503_and_logged(broken: Exception, caplog: pytest.LogCaptureFixture):
    status, error = handled(broken)
    assert (status, error["code"]) == (503, "database_unavailable")
    assert str(broken) not in str(error)
    assert error["details"]["request_id"] in caplog.text
    request = APIRequestFactory().get("/")
    assert exception_handler(broken, {"request": request}).headers["Retry-After"] == "10"


def test_a_foreign_exception_with_a_code_is_no_conflict():
    class Strange(Exception):
        code = "E42"

    assert handled(Strange())[0] == 500


def test_400_names_the_range_and_what_was_received(client: Client):
    answer = client.post("/api/ml/predict-sales/", {"days_ahead": 400}, content_type="application/json")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["details"]["days_ahead"]["allowed"] == {"minimum": 1, "maximum": 365}
    assert error["details"]["days_ahead"]["received"] == 400
    assert "days_ahead" in error["message"]
    assert "1…365" in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        "{", "", "nan", "[1]", '{"days_ahead": NaN}', '{"days_ahead": 1e999}', '{"coverage": 1e999}',
        '{"level": "\\ud800"}', '{"level": "\\u0000"}', "[" * 100_000, '{"days_ahead": ' + "9" * 5_000 + "}",
        '{"level": {"a": [1]}}', '{"level": "' + "x" * 100_000 + '"}', '{"days_ahead": true}',
    ],
)  # fmt: skip
def test_broken_bodies_are_400(client: Client, body: str):
    answer = client.post("/api/ml/predict-sales/", body, content_type="application/json")
    assert answer.status_code in ((400, 409) if body == "" else (400,)), answer.content
    assert answer.json()["success"] is False
    assert len(answer.content) < 5_000


def test_bytes_that_are_no_utf8_are_400(client: Client):
    assert client.post("/api/ml/predict-sales/", b"\xff\xfe", content_type="application/json").status_code == 400


def test_405_and_415(client: Client):
    assert client.get("/api/ml/predict-sales/").json()["error"]["code"] == "method_not_allowed"
    assert client.post("/api/ml/predict-sales/", "a=1", content_type="text/plain").status_code == 415


@pytest.mark.parametrize("path", ["/api/nothing/", "/api/", "/api/ml/nothing/here", "/api/ml/models/abc/", "/api/%00/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.django_db
def test_unknown_addresses_are_json_404_with_debug_or_without(path: str, method: str, settings: Any):
    for settings.DEBUG in (False, True):
        answer = getattr(Client(enforce_csrf_checks=True), method)(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.django_db
def test_a_missing_slash_is_mended_for_reads_and_told_for_writes():
    answer = Client().get("/api/ml/models?page=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/ml/models/?page=1")
    answer = Client().post("/api/ml/predict-sales", "{}", content_type="application/json")
    assert answer.status_code == 404
    assert "/api/ml/predict-sales/" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/ml/models/99999999999999999999999/", 404),
        ("/api/ml/models/?page=0", 400),
        ("/api/ml/models/?page=x", 400),
        ("/api/ml/models/?page=99", 404),
        ("/api/ml/models/?page_size=201", 400),
        ("/api/ml/models/?page_size=-1", 400),
        ("/api/ml/models/?ordering=password", 400),
        ("/api/ml/models/?service=a%00b", 400),
        ("/api/ml/models/?search=a%00b", 400),
        ("/api/ml/predictions/?model=1e999", 400),
        ("/api/ml/predictions/?model=99999999999999999999999", 400),
        ("/api/ml/inventory-alerts/?urgency_level=99999999999999999999999", 400),
        ("/api/ml/training-logs/?kind=a%00b", 400),
        ("/api/ml/training-logs/?created_from=yesterday", 400),
        ("/api/ml/customer-segment/a%00b/", 404),
        (f"/api/ml/customer-segment/{'9' * 3000}/", 404),
        ("/api/ml/product-recommendations/1/?top_n=101", 400),
        ("/api/ml/inventory-analysis/?min_urgency=9", 400),
    ],
)
@pytest.mark.postgres
def test_strange_addresses_and_queries_are_never_500(client: Client, path: str, status: int):
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "details"}


def test_a_bad_filter_names_the_value_received(client: Client):
    error = client.get("/api/ml/training-logs/?status=asleep").json()["error"]
    assert error["details"]["status"]["received"] == "asleep"


def test_the_language_of_the_request(client: Client):
    """The untranslated text is English; the switch itself is what is tested, on a text that Django brings."""
    answer = client.get("/api/ml/models/1/", HTTP_ACCEPT_LANGUAGE="es")
    assert answer.headers["Content-Language"] == "es"
    assert client.get("/api/ml/models/1/", HTTP_ACCEPT_LANGUAGE="en").headers["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/ml/models/?servise=sales_forecast", "servise"),
        ("/api/ml/training-logs/?status=completed&limit=3", "limit"),
        ("/api/ml/inventory-analysis/?urgency=3", "urgency"),
        ("/api/ml/customer-segments/export/?contcat=true", "contcat"),
    ],
)
def test_an_unknown_filter_is_refused_by_name(client: Client, path: str, name: str, monkeypatch: pytest.MonkeyPatch):
    from ml_predictions import selectors_customers
    from ml_predictions.models import CustomerSegment

    monkeypatch.setattr(selectors_customers, "rows", CustomerSegment.objects.all)
    answer = client.get(path)
    assert answer.status_code == 400, answer.content
    assert name in answer.json()["error"]["details"]


def test_an_unknown_field_of_a_body_is_refused_by_name(client: Client):
    answer = client.post("/api/ml/predict-sales/", {"day_ahead": 7}, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["day_ahead"]["received"] == 7
