"""The weekly brief and the e-mail on critical stock-outs: what they say, when they go out, what a failure does."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from dashboard import tasks
from dashboard.templatetags.dashboard import amount
from ml_predictions import conf
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.models_owner import OwnerMail, OwnerSettings

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 7, 6)


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the shop's day."""

    def is_now(day: date) -> None:
        monkeypatch.setattr(conf, "shop_today", lambda: day)

    is_now(MONDAY)
    return is_now


@pytest.fixture
def owner() -> OwnerSettings:
    """Two people want everything, in English, on Mondays."""
    return OwnerSettings.objects.create(
        pk=1, brief_recipients="ana@shop.test, ben@shop.test", critical_recipients="ana@shop.test", brief_language="en"
    )


def alert(variant: str, urgency: int = 5, **values: Any) -> InventoryAlert:
    facts = {
        "current_stock": 0, "recommended_stock": 9, "predicted_demand_7days": 4, "predicted_demand_30days": 16,
        "daily_sales_rate": 0.5, "money_at_stake": 80, "expected_money": 70, "alert_type": "reorder_now",
        "reason": {"code": "inventory.nothing_known_yet", "text": "Gone & wanted"},
    }  # fmt: skip
    return InventoryAlert.objects.create(
        variant_id=variant, product_id="1", sku=f"S-{variant}", product_name="Linen dress", urgency_level=urgency,
        code="out", **(facts | values),
    )  # fmt: skip


def test_without_recipients_nothing_is_sent_and_nothing_read(today: Any, django_assert_num_queries: Any) -> None:
    alert("1")
    with django_assert_num_queries(2):
        assert (tasks.weekly_brief(), tasks.critical_stock_outs()) == ({"sent": 0}, {"sent": 0})
    assert not mail.outbox


def test_it_goes_out_once_a_week_also_when_the_machine_was_off_that_day(owner: OwnerSettings, today: Any) -> None:
    assert [tasks.weekly_brief() for _ in range(2)] == [{"sent": 2}, {"sent": 0}]
    for days, sent in ((1, 0), (6, 0), (9, 2), (10, 0)):
        today(MONDAY + timedelta(days=days))
        assert tasks.weekly_brief() == {"sent": sent}, days
    assert [one.to for one in mail.outbox] == [["ana@shop.test", "ben@shop.test"]] * 2
    assert list(OwnerMail.objects.values_list("day", flat=True)) == [MONDAY + timedelta(days=7), MONDAY]


def test_it_says_what_was_sold_in_the_owners_language(shop: None, owner: OwnerSettings, today: Any) -> None:
    from ml_predictions import selectors_brief, selectors_sales

    tasks.weekly_brief()
    week = selectors_brief.brief()["week"]
    days = selectors_sales.history("total", "", days=400)
    assert week["sold"] == pytest.approx(sum(row["sales"] for row in days[-7:]), abs=0.01)
    assert week["last_year"] == pytest.approx(sum(row["sales"] for row in days[-371:-364]), abs=0.01)
    assert days[-371]["date"].weekday() == days[-7]["date"].weekday()
    assert (week["forecast"], week["naive"]) == (None, None)
    english = mail.outbox[0]
    assert english.subject == "The shop's week up to June 29, 2026"
    assert f"- Sold: {amount(week['sold'], 'EUR')}" in english.body
    assert "There is no forecast of it: train the sales forecast." in english.body
    assert "<h2>The models</h2>" in english.alternatives[0][0]
    OwnerSettings.objects.update(brief_language="es")
    today(MONDAY + timedelta(days=7))
    tasks.weekly_brief()
    assert mail.outbox[1].subject == "La semana de la tienda hasta el 29 de junio de 2026"


def test_a_mail_server_that_fails_is_kept_and_asked_again_the_next_night(
    owner: OwnerSettings, today: Any, settings: Any, run: Any, cast: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    from ml_predictions.jobs import nightly

    locmem = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", 1,
    )  # fmt: skip
    nightly.refresh(run)  # the night goes on, and does not count as failed
    assert run.result["steps"]["weekly_brief"] == {"sent": 0, "failed": "ConnectionRefusedError"}
    assert "could not be sent" in caplog.text
    row = OwnerMail.objects.get()
    assert (row.sent_at, row.error.partition(":")[0]) == (None, "ConnectionRefusedError")
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    assert "ConnectionRefusedError" in client.get("/brief/").content.decode()
    said = client.post("/brief/send/", follow=True).content.decode()
    assert "The mail server did not take it" in said
    settings.EMAIL_BACKEND = locmem
    today(MONDAY + timedelta(days=1))
    assert tasks.weekly_brief() == {"sent": 2}
    assert "Sent to 2 addresses." in client.post("/brief/send/", follow=True).content.decode()
    row.refresh_from_db()
    assert (row.day, row.error, row.sent_at is not None) == (MONDAY, "", True)


def test_a_new_critical_stock_out_is_told_once_and_at_most_one_e_mail_a_day(owner: OwnerSettings, today: Any) -> None:
    first = alert("1")
    alert("2", urgency=4)
    alert("3", alert_type="overstock")
    assert [tasks.critical_stock_outs()["sent"] for _ in range(2)] == [1, 0]
    told = mail.outbox[0]
    assert told.subject == "1 new critical stock-out"
    assert "Linen dress (S-1): Gone & wanted" in told.body
    assert "Gone &amp; wanted" in told.alternatives[0][0]
    alert("4")
    assert tasks.critical_stock_outs()["sent"] == 0  # today has had its e-mail
    today(MONDAY + timedelta(days=1))
    assert tasks.critical_stock_outs()["sent"] == 1
    assert "S-1" in mail.outbox[1].body
    assert "S-4" in mail.outbox[1].body
    today(MONDAY + timedelta(days=2))
    assert tasks.critical_stock_outs()["sent"] == 0
    InventoryAlert.objects.filter(pk=first.pk).update(urgency_level=3)
    assert tasks.critical_stock_outs()["sent"] == 0
    InventoryAlert.objects.filter(pk=first.pk).update(urgency_level=5)
    assert tasks.critical_stock_outs()["sent"] == 1  # it was over, and is back
