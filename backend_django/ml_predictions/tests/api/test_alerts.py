"""What one does to alerts: acknowledge, snooze, wake, resolve many; and the digest of a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.models_inventory import InventoryAlert

pytestmark = pytest.mark.postgres

ALERTS = "/api/ml/inventory-alerts/"


def skus(api: Any, **query: Any) -> list[str]:
    return [row["sku"] for row in api.get(ALERTS, {"ordering": "sku", **query}).json()["results"]]


def test_acknowledge_says_who_and_when_and_stays_active(api: Any, make_alert: Any):
    alert, _ = make_alert(1), make_alert(2)
    body = api.post(f"{ALERTS}{alert.pk}/acknowledge/", {"note": "asked the supplier"}).json()
    assert (body["status"], body["acknowledged_by"], body["note"]) == ("active", "ben@shop.test", "asked the supplier")
    assert body["acknowledged_at"]
    assert LogEntry.objects.get().change_message == "Acknowledged. asked the supplier"
    assert (skus(api, acknowledged="true"), skus(api, acknowledged="false")) == (["SKU-1"], ["SKU-2"])
    assert api.get(f"{ALERTS}summary/").json()["acknowledged"] == 1


def test_snooze_until_a_day_and_back_by_itself(api: Any, make_alert: Any, monkeypatch: Any):
    alert, _ = make_alert(1), make_alert(2)
    until = conf.shop_today() + timedelta(days=3)
    body = api.post(f"{ALERTS}{alert.pk}/snooze/", {"until": until.isoformat()}).json()
    assert (body["status"], body["snoozed_until"], body["snoozed_by"]) == ("active", until.isoformat(), "ben@shop.test")
    assert LogEntry.objects.get().change_message == f"Snoozed until: {until.isoformat()}"
    assert (skus(api, snoozed="true"), skus(api, snoozed="false")) == (["SKU-1"], ["SKU-2"])
    summary = api.get(f"{ALERTS}summary/").json()
    assert (summary["total_active"], summary["snoozed"], summary["money_at_stake"]) == (1, 1, 200.0)
    monkeypatch.setattr(conf, "shop_today", lambda: until)
    assert skus(api, snoozed="true") == []
    assert api.get(f"{ALERTS}summary/").json()["total_active"] == 2


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_day_that_is_over_or_too_far_is_refused(api: Any, make_alert: Any, days: int):
    until = (conf.shop_today() + timedelta(days=days)).isoformat()
    answer = api.post(f"{ALERTS}{make_alert().pk}/snooze/", {"until": until})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]["until"]) == (400, "bad_parameter", until)
    assert InventoryAlert.objects.get().snoozed_until is None


def test_wake(api: Any, make_alert: Any):
    alert = make_alert(snoozed_until=conf.shop_today() + timedelta(days=9), snoozed_by="ada")
    body = api.post(f"{ALERTS}{alert.pk}/wake/").json()
    assert (body["snoozed_until"], body["snoozed_by"]) == (None, "")


@pytest.mark.parametrize("act", ["acknowledge", "snooze", "wake", "resolve"])
def test_nothing_is_done_to_what_is_resolved(api: Any, make_alert: Any, act: str):
    alert = make_alert(status="resolved")
    until = (conf.shop_today() + timedelta(days=2)).isoformat()
    answer = api.post(f"{ALERTS}{alert.pk}/{act}/", {"until": until} if act == "snooze" else {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_resolved")
    assert not LogEntry.objects.exists()


# --- many at once ---------------------------------------------------------------------------------


def many(api: Any, **body: Any) -> Any:
    return api.post(f"{ALERTS}resolve-many/", body)


def test_resolve_many_by_filters(api: Any, make_alert: Any):
    for number in range(1, 6):
        make_alert(number, code="SLOW_MOVING" if number < 4 else "OVERSTOCK")
    make_alert(6, code="SLOW_MOVING", status="resolved")
    body = many(api, filters={"code": "SLOW_MOVING", "max_money": 200}, note="known").json()
    assert body["resolved"] == len(body["ids"]) == 2
    found = InventoryAlert.objects.filter(pk__in=body["ids"])
    assert {(a.status, a.resolved_how, a.resolved_by, a.note) for a in found} == {
        ("resolved", "hand", "ben@shop.test", "known")
    }
    assert skus(api, status="active") == ["SKU-3", "SKU-4", "SKU-5"]
    assert LogEntry.objects.filter(change_message="Resolved by hand. known").count() == 2


def test_more_than_allowed_resolves_none(api: Any, make_alert: Any):
    for number in range(1, 6):
        make_alert(number)
    answer = many(api, filters={"alert_type": "reorder_now"}, at_most=4)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]) == (409, "too_many_alerts", {"found": 5, "at_most": 4})
    assert InventoryAlert.objects.filter(status="active").count() == 5
    assert many(api, filters={"alert_type": "reorder_now"}, at_most=5).json()["resolved"] == 5


def test_by_ids_all_or_none(api: Any, make_alert: Any):
    ids = [make_alert(number).pk for number in range(1, 4)]
    gone = make_alert(4, status="resolved").pk
    answer = many(api, ids=[*ids, gone, 987_654])
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "alerts_not_active")
    assert error["details"] == {"count": 2, "alert_ids": [gone, 987_654]}
    assert InventoryAlert.objects.filter(status="active").count() == 3
    assert sorted(many(api, ids=ids).json()["ids"]) == ids


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": []}, {"filters": {}}, {"ids": [1], "filters": {"code": "X"}}, {"filters": {"cod": "X"}},
        {"filters": {"min_urgency": "high"}}, {"filters": {"status": "none"}}, {"ids": [0]},
        {"ids": [1], "at_most": 0}, {"ids": [1], "notes": "x"},
    ],
)  # fmt: skip
def test_a_choice_that_cannot_be_meant_is_refused(api: Any, make_alert: Any, body: dict[str, Any]):
    make_alert()
    answer = many(api, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")
    assert InventoryAlert.objects.get().status == "active"


def test_many_cost_no_more_queries_than_one(api: Any, make_alert: Any):
    def cost(low: int, high: int) -> int:
        ids = [make_alert(number).pk for number in range(low, high)]
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert many(api, ids=ids).status_code == 200
        return len(found)

    assert cost(1, 2) == cost(10, 60)


# --- the digest -----------------------------------------------------------------------------------


def test_the_digest_holds_what_is_worth_the_time_and_counts_the_rest(api: Any, make_alert: Any, settings: Any):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ALERTS_A_DAY": 2, "CURRENCY": "EUR"}
    for number, money in enumerate((10.0, 50.0, 30.0, 20.0, 500.0, 900.0), start=1):
        make_alert(number, expected_money=money)
    InventoryAlert.objects.filter(sku="SKU-5").update(acknowledged_at=timezone.now())
    InventoryAlert.objects.filter(sku="SKU-6").update(snoozed_until=conf.shop_today() + timedelta(days=1))
    body = api.get(f"{ALERTS}digest/").json()
    assert [row["sku"] for row in body["alerts"]] == ["SKU-2", "SKU-3"]
    assert (body["alerts_a_day"], body["rest"]) == (2, {"count": 2, "money": 30.0})
    assert body["acknowledged"] == {"count": 1, "money": 500.0}
    assert body["snoozed"] == {"count": 1, "money": 900.0}
    assert body["sentence"] == "The 2 alerts with the most at stake, and 2 smaller ones, worth 30 EUR."
    in_spanish = api.get(f"{ALERTS}digest/", HTTP_ACCEPT_LANGUAGE="es").json()["sentence"]
    assert in_spanish == "Las 2 alertas con más dinero en juego y 2 menores, por valor de 30 EUR."


def test_a_digest_of_nothing_says_so(api: Any):
    body = api.get(f"{ALERTS}digest/").json()
    assert (body["alerts"], body["rest"]["count"]) == ([], 0)
    assert body["sentence"] == "No alert wants your time today."
