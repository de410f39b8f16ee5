"""Customers over the API: the list and its filters, the segments as a whole, movement, and the file for a campaign."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import translation

from api_base.tests.clients import client_of
from authentication.models import User
from ml_predictions.models import CustomerSegment, MLModel
from ml_predictions.models_segments import Segment, SegmentSnapshot
from ml_predictions.serializers.segments import COLUMNS, CONTACT

LIST = "/api/ml/customer-segments/"
AS_OF = date(2026, 6, 29)
BASE = {
    "cluster": 0, "segment": "vip", "confidence": 0.9, "recency_days": 3, "total_orders": 4, "total_spent": 100.0,
    "spent_year": 80.0, "avg_order_value": 25.0, "purchase_frequency_monthly": 0.5, "usual_interval_days": 30.0,
    "overdue_ratio": 0.1, "recency_score": 5, "frequency_score": 4, "monetary_score": 3, "value_12": 60.0,
    "probability_90d": 0.7, "money_at_risk": 20.0,
    "explanation": [{"code": "segment.rhythm", "params": {"interval": 30, "recency": 3}}],
    "advice": [{"code": "segment.advise_vip", "params": {}}],
}  # fmt: skip


@pytest.fixture
def customers(make_model: Any) -> MLModel:
    """Five customers of a version in service: two VIPs, one of them overdue, one at risk, one new, one inactive."""
    model: MLModel = make_model(
        "customer_segmentation", 1, is_active=True, as_of=AS_OF, fingerprint={"currency": "EUR"},
        metrics={"guests": {"orders": 7, "spent": 140.0}, "only_returns": 2, "clv": {"model": "simple_rate"},
                 "map": {"reason": {"code": "segment.map_first", "params": {}}, "names": {"vip": [0]}}},
    )  # fmt: skip
    people = [
        User.objects.create_user(f"{name}@mail.test", first_name=name, last_name="Sol", role="customer")
        for name in ("ana", "=cmd", "carla", "dora", "eva")
    ]
    rows: list[dict[str, Any]] = [
        {"total_spent": 500.0, "value_12": 300.0},
        {"total_spent": 400.0, "overdue_ratio": 2.5, "recency_days": 75, "probability_90d": 0.2, "money_at_risk": 90.0},
        {"segment": "at_risk", "previous_segment": "vip", "changed_on": AS_OF, "total_spent": 300.0, "value_12": 10.0},
        {"segment": "new", "total_spent": 50.0, "value_12": None, "probability_90d": None, "money_at_risk": None,
         "overdue_ratio": None, "usual_interval_days": None},
        {"segment": "inactive", "total_spent": -5.0, "previous_segment": "occasional",
         "changed_on": AS_OF - timedelta(days=30), "expected_next": AS_OF + timedelta(days=5)},
    ]  # fmt: skip
    CustomerSegment.objects.bulk_create(
        CustomerSegment(model=model, customer_id=str(user.pk), **{**BASE, **row})
        for user, row in zip(people, rows, strict=True)
    )
    SegmentSnapshot.objects.create(version=1, as_of=AS_OF, segments={"vip": {"customers": 2}})
    return model


def names(api: Any, query: str = "") -> list[str]:
    """First names of the customers found, in their order."""
    answer = api.get(f"{LIST}?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["name"].split()[0] for row in answer.json()["results"]]


@pytest.mark.parametrize("call", ["", "summary/", "migration/", "export/"])
def test_nothing_trained_yet_says_what_to_call(api: Any, call: str):
    answer = api.get(LIST + call)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "not_trained"
    assert "/api/ml/train-customer-segmentation/" in answer.json()["error"]["message"]


@pytest.mark.parametrize("call", ["", "summary/", "migration/", "export/?contact=true"])
def test_customers_and_strangers_see_nothing(cast: Any, customers: MLModel, call: str):
    assert client_of(None).get(LIST + call).status_code == 401
    for who in ("cleo", "eve", "max"):
        answer = client_of(cast[who]).get(LIST + call)
        assert answer.status_code == 403
        assert b"mail.test" not in answer.content


def test_the_list_tells_who_why_and_what_to_do(api: Any, customers: MLModel):
    body = api.get(LIST).json()
    assert body["count"] == 5
    assert [row["name"] for row in body["results"]] == ["ana Sol", "=cmd Sol", "carla Sol", "dora Sol", "eva Sol"]
    first = body["results"][0]
    assert (first["segment_type"], first["segment_name"], first["email"]) == ("vip", "VIP", "ana@mail.test")
    assert first["explanation"] == ["Buys every 30 days on average; the last order was 3 days ago."]
    assert first["lifetime_value"]["months_12"] == first["lifetime_value_prediction"] == 300.0
    one = api.get(f"/api/ml/customer-segment/{first['customer_id']}/").json()
    assert {name: value for name, value in one.items() if name in first} == {
        name: value for name, value in first.items() if name not in CONTACT
    }
    spanish = api.get(LIST, HTTP_ACCEPT_LANGUAGE="es").json()["results"][2]
    assert spanish["segment_name"] == "En riesgo"
    assert spanish["explanation"] != first["explanation"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("segment=vip", ["ana", "=cmd"]),
        ("segment=vip&segment=new", ["ana", "=cmd", "dora"]),
        ("previous_segment=vip", ["carla"]),
        (f"changed_from={AS_OF}", ["carla"]),
        (f"changed_from={AS_OF - timedelta(days=30)}", ["carla", "eva"]),
        ("min_value=60&max_value=299", ["=cmd", "eva"]),
        ("min_spent=300", ["ana", "=cmd", "carla"]),
        ("max_spent=0", ["eva"]),
        ("max_probability=0.5", ["=cmd"]),
        ("min_probability=0.5", ["ana", "carla", "eva"]),
        ("min_overdue=2", ["=cmd"]),
        ("max_overdue=2", ["ana", "carla", "eva"]),
        ("min_recency_days=70", ["=cmd"]),
        ("max_recency_days=70&segment=vip", ["ana"]),
        ("min_at_risk=50", ["=cmd"]),
        (f"due_until={AS_OF + timedelta(days=5)}", ["eva"]),
        ("search=CARLA", ["carla"]),
        ("search=dora%20sol", ["dora"]),
        ("search=eva@mail", ["eva"]),
        ("search=nobody", []),
        ("ordering=total_spent&segment=vip", ["=cmd", "ana"]),
        ("ordering=-money_at_risk&min_at_risk=50", ["=cmd"]),
        ("page_size=2&page=2", ["carla", "dora"]),
    ],
)
def test_filters(api: Any, customers: MLModel, query: str, found: list[str]):
    assert names(api, query) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [("segment=gold", "segment"), ("min_value=much", "min_value"), ("ordering=name", "ordering"),
     ("changed_from=yesterday", "changed_from"), ("page_size=201", "page_size"), ("search=" + "a" * 121, "search"),
     ("search=%00", "search")],
)  # fmt: skip
def test_bad_filters_name_the_field(api: Any, customers: MLModel, query: str, field: str):
    for call in ("", "export/"):
        if field == "page_size" and call:
            continue
        answer = api.get(f"{LIST}{call}?{query}", HTTP_ACCEPT_LANGUAGE="es")
        assert answer.status_code == 400, answer.content
        assert field in answer.json()["error"]["details"]


def test_an_unknown_segment_is_refused_with_those_there_are(api: Any, customers: MLModel):
    error = api.get(f"{LIST}?segment=gold&segment=vip").json()["error"]
    told = "Allowed: vip, frequent, occasional, at_risk, new, inactive. Received: gold, vip."
    assert error["message"] == f"segment: Select a valid choice. gold is not one of the available choices. {told}"
    assert error["details"]["segment"]["allowed"]["choices"] == Segment.values


def test_a_search_that_finds_too_many_is_refused(api: Any, customers: MLModel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ml_predictions.selectors_customers.MOST_FOUND", 2)
    answer = api.get(f"{LIST}?search=mail.test")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("More than 2 customers match “mail.test”.")


def test_the_summary_adds_up(api: Any, customers: MLModel):
    body = api.get(f"{LIST}summary/").json()
    assert [part["segment"] for part in body["segments"]] == [
        "vip", "frequent", "occasional", "at_risk", "new", "inactive",
    ]  # fmt: skip
    by = {part["segment"]: part for part in body["segments"]}
    assert body["total_customers"] == sum(part["customers"] for part in body["segments"]) == 5
    assert (by["vip"]["customers"], by["vip"]["spent"], by["vip"]["overdue_customers"]) == (2, 900.0, 1)
    assert by["vip"]["expected_12_months"] == 360.0
    assert by["vip"]["money_at_risk"] == 110.0
    assert by["vip"]["expected_buyers_90d"] == pytest.approx(0.9)
    assert by["new"]["expected_12_months"] is None
    assert by["frequent"]["customers"] == 0
    assert body["totals"]["money_at_risk"] == sum(p["money_at_risk"] or 0 for p in body["segments"])
    assert body["guests"] == {"orders": 7, "spent": 140.0}
    assert (
        "7 sales to guests, 140 EUR in all, belong to no customer that is known; they are in no segment."
        in (body["explanation"])
    )
    assert "The groups were drawn for the first time." in body["explanation"]
    assert body["model"]["as_of"] == AS_OF.isoformat()


def test_movement_checks_what_is_asked(api: Any, customers: MLModel):
    ok = api.get(f"{LIST}migration/").json()
    assert ok["from"] == ok["to"] == {"version": 1, "as_of": AS_OF.isoformat()}
    for query, field in (
        ("from=soon", "from"), ("from=2026-01-01&from_version=1", "from"), ("to_version=0", "to_version"),
        ("from=2020-01-01", "from"), ("to_version=7", "to_version"),
    ):  # fmt: skip
        answer = api.get(f"{LIST}migration/?{query}")
        assert answer.status_code == 400, query
        assert field in str(answer.json()["error"])


# --- the file ---------------------------------------------------------------------------------------


def table(answer: Any, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV answer."""
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:]), delimiter=delimiter))


def test_the_file_has_the_customers_of_the_list(api: Any, customers: MLModel):
    answer = api.get(f"{LIST}export/?segment=vip&ordering=total_spent")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "customers.csv" in answer["Content-Disposition"]
    rows = table(answer)
    assert [row["total_spent"] for row in rows] == ["400.0", "500.0"]
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["why"] == "Buys every 30 days on average; the last order was 3 days ago."
    assert rows[0]["expected_next_purchase"] == ""


def test_names_and_e_mails_are_in_the_file_only_when_asked(api: Any, customers: MLModel, caplog: Any):
    with caplog.at_level("INFO", logger="ml_predictions.audit"):
        without = b"".join(api.get(f"{LIST}export/?search=ana").streaming_content)
        rows = table(api.get(f"{LIST}export/?contact=true"))
    assert b"mail.test" not in without
    assert [row["email"] for row in rows][:2] == ["ana@mail.test", "'=cmd@mail.test"]
    assert "ben@shop.test: customers exported with contacts" in caplog.text
    assert "filtered by search" in caplog.text
    assert "search=ana" not in caplog.text


def test_no_cell_is_a_formula(api: Any, customers: MLModel):
    rows = table(api.get(f"{LIST}export/?contact=true&separator=semicolon"), ";")
    assert rows[1]["name"] == "'=cmd Sol"
    assert rows[4]["total_spent"] == "-5.0"  # a number stays one
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@", "\t", "\r"))
            assert not cell.startswith("-") or float(cell) < 0


def test_the_file_speaks_the_language_of_the_request(api: Any, customers: MLModel):
    answer = api.get(f"{LIST}export/?segment=at_risk", HTTP_ACCEPT_LANGUAGE="es")
    with translation.override("en"):  # whatever the thread does in between
        rows = table(answer)
    assert rows[0]["segment_name"] == "En riesgo"
    assert rows[0]["why"].startswith("Compra cada 30 días")


@pytest.mark.parametrize("query", ["contact=perhaps", "separator=tab"])
def test_a_bad_file_is_not_begun(api: Any, customers: MLModel, query: str):
    answer = api.get(f"{LIST}export/?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"


# --- what it costs ----------------------------------------------------------------------------------


def grow(model: MLModel, to: int) -> None:
    """More customers, up to so many."""
    have = CustomerSegment.objects.count()
    CustomerSegment.objects.bulk_create(
        CustomerSegment(model=model, customer_id=f"x{i}", **BASE) for i in range(have, to)
    )


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("call", "queries"),
    [("?page_size=200", 5), ("?search=ana", 6), ("summary/", 4), ("migration/", 3), ("export/?contact=true", 4)],
)
def test_more_customers_are_not_more_questions(
    api: Any, customers: MLModel, django_assert_max_num_queries: Any, call: str, queries: int
):
    """One of them is who is asking; sums are remembered."""
    for many in (5, 150):
        grow(customers, many)
        with django_assert_max_num_queries(queries):
            answer = api.get(LIST + call)
            if answer.streaming:
                assert len(table(answer)) == many


@pytest.mark.postgres
def test_the_stored_row_is_one_question(api: Any, customers: MLModel, django_assert_num_queries: Any):
    row = CustomerSegment.objects.first()
    assert row is not None
    with django_assert_num_queries(2):  # who is asking, and the row
        assert api.get(f"/api/ml/customer-segment/{row.customer_id}/").status_code == 200
