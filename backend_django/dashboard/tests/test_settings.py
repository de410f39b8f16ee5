"""What the owner decides: stored, in force, audited; refused in plain words; the password."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.views.settings import SettingsForm
from ml_predictions import conf
from ml_predictions.models import MLModel
from ml_predictions.models_owner import OWNERS, OwnerSettings, in_force

pytestmark = pytest.mark.django_db


def body(**values: str) -> dict[str, str]:
    return dict.fromkeys(SettingsForm.Meta.fields, "") | {"brief_day": "0"} | values


def test_every_setting_of_the_owner_has_its_column() -> None:
    assert {name.upper() for name in OWNERS} == conf.OWNERS


def test_what_is_stored_is_in_force_at_once_and_audited(
    ben: Client, cast: dict[str, Any], django_capture_on_commit_callbacks: Any
) -> None:
    in_force.forget()
    assert (conf.get("HOLDING_RATE"), conf.get("REVIEW_DAYS")) == (0.25, 7)
    given = body(holding_rate="30", review_days="14", country="spain", region="md", currency="gbp", alerts_a_day="5")
    with django_capture_on_commit_callbacks(execute=True):
        page = ben.post("/settings/", given, follow=True).content.decode()
    assert "The settings are stored." in page
    assert "Train again to make it count in full: Sales forecast, Product recommendation" in page
    mine = {name: conf.get(name) for name in ("HOLDING_RATE", "REVIEW_DAYS", "COUNTRY", "REGION", "CURRENCY")}
    assert mine == {"HOLDING_RATE": 0.3, "REVIEW_DAYS": 14, "COUNTRY": "ES", "REGION": "MD", "CURRENCY": "GBP"}
    assert (conf.get("SERVICE_LEVEL"), conf.project("HOLDING_RATE")) == (0.95, 0.25)
    entry = LogEntry.objects.get()
    assert entry.user == cast["ben"]
    assert "holding_rate: – → 0.3" in entry.change_message
    assert 'name="holding_rate" value="30.0"' in page


def test_many_questions_cost_one_query_and_a_change_by_another_process_is_seen_after_seconds() -> None:
    in_force.forget()
    with CaptureQueriesContext(connection) as queries:
        assert [conf.get("ALERTS_A_DAY") for _ in range(50)] == [20] * 50
    assert len(queries) == 1
    OwnerSettings.objects.create(pk=1, alerts_a_day=3)
    assert conf.get("ALERTS_A_DAY") == 20
    in_force.until -= 5  # what time does
    assert conf.get("ALERTS_A_DAY") == 3


def test_a_country_of_the_owners_does_not_keep_the_projects_region(settings: Any) -> None:
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "COUNTRY": "ES", "REGION": "MD"}
    OwnerSettings.objects.create(pk=1, country="FR")
    in_force.forget()
    assert (conf.get("COUNTRY"), conf.get("REGION")) == ("FR", "")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"holding_rate": "250"}, "Between 1 and 200, please."),
        ({"review_days": "0"}, "Between 1 and 90, please."),
        ({"country": "Atlantis"}, "The public holidays of “Atlantis” are not known."),
        ({"country": "ES", "region": "XX"}, "ES has no region “XX”. It has: AN"),
        ({"region": "MD"}, "A region needs its country"),
        ({"currency": "E1"}, "A currency has three letters"),
        ({"brief_recipients": "ana@shop.es; ben@"}, "These are no e-mail addresses: ben@."),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_stored(
    ben: Client, given: dict[str, str], sentence: str
) -> None:
    answer = ben.post("/settings/", body(alerts_a_day="5", **given))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not OwnerSettings.objects.exists()


def test_the_admin_stores_it_in_the_same_way(cast: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(cast["ada"], backend="authentication.backends.EmailBackend")
    given = body(holding_rate="0.4", brief_recipients="ana@shop.es\nben@shop.es")
    page = client.post("/admin/ml_predictions/ownersettings/add/", given, follow=True).content.decode()
    row = OwnerSettings.objects.get()
    assert (row.holding_rate, row.brief_recipients, row.changed_by) == (
        0.4,
        "ana@shop.es, ben@shop.es",
        "ada@shop.test",
    )
    assert "Train again to make it count in full: the inventory optimization." in page
    assert [entry.change_message for entry in LogEntry.objects.all()] == [
        "Settings changed. holding_rate: – → 0.4; brief_recipients"
    ]
    assert client.get("/admin/ml_predictions/ownersettings/add/").status_code == 403


def test_the_password_is_changed_and_other_sign_ins_end(cast: dict[str, Any]) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    new = {"new_password1": "Trastero-2026", "new_password2": "Trastero-2026"}
    wrong = here.post("/settings/password/", {"old_password": "no", **new})
    assert wrong.status_code == 422
    assert cast["ben"].check_password("pass-word-1")
    assert here.post("/settings/password/", {"old_password": "pass-word-1", **new})["Location"] == "/settings/"
    cast["ben"].refresh_from_db()
    assert cast["ben"].check_password("Trastero-2026")
    assert here.get("/settings/").status_code == 200
    assert elsewhere.get("/settings/").status_code == 302


def test_an_empty_field_shows_what_holds(ben: Client, settings: Any) -> None:
    calendar = {"country": "PT", "country_source": "guessed", "region": "X", "region_source": "assumed"}
    MLModel.objects.create(
        service="sales_forecast", version=1, model_type="linear", as_of=date(2026, 6, 29), is_active=True,
        artifact="a", artifact_sha256="b", receipt={"calendar": calendar},
    )  # fmt: skip
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "HOLDING_RATE": 0.215, "STOCK_STEERING_LOSS": 0.0}
    page = ben.get("/settings/").content.decode()
    shown = {}
    for field in re.findall(r"<(?:input|textarea)[^>]*>", page):
        name, placeholder = re.search(r'name="(\w+)"', field), re.search(r'placeholder="([^"]*)"', field)
        if name and placeholder:
            shown[name[1]] = placeholder[1]
    assert shown == {
        "country": "PT", "currency": "EUR", "holding_rate": "21.5", "order_line_cost": "2", "review_days": "7",
        "default_lead_time_days": "14", "service_level": "95", "alerts_a_day": "20", "stock_steering_loss": "0",
    }  # fmt: skip
