"""The calendar in the admin: events entered by hand and by file, by whom PERMISSION lets in and nobody else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ml_predictions.models_calendar import CalendarEvent

SALE = {"kind": "promotion", "name": "Summer sale", "first_day": "2026-07-01", "last_day": "", "level": "total"}


def page(name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:ml_predictions_calendarevent_{name}", args=args)


@pytest.fixture
def ben(cast: dict[str, Any]) -> Client:
    """The role admin, without any of Django's permissions."""
    client = Client()
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    return client


@pytest.fixture
def dresses(db: None) -> Any:
    """The one category of the shop, and its one product."""
    from products.models import Category, Product

    return Product.objects.create(
        code="P1", name="Linen dress", category=Category.objects.create(name="Dresses"), price=20
    )


def test_entered_changed_and_deleted_by_hand(ben: Client, cast: dict[str, Any]):
    assert ben.post(page("add"), SALE).status_code == 302
    row = CalendarEvent.objects.get()
    assert (row.last_day, row.created_by, row.uplift) == (date(2026, 7, 1), "ben@shop.test", None)
    shown = ben.get(page("change", row.pk)).content.decode()
    assert "ben@shop.test" in shown
    ben.post(page("change", row.pk), {**SALE, "last_day": "2026-07-15", "uplift": "1.3", "repeats_yearly": "on"})
    row.refresh_from_db()
    assert (row.last_day, row.uplift, row.repeats_yearly) == (date(2026, 7, 15), 1.3, True)
    ben.post(page("delete", row.pk), {"post": "yes"})
    assert not CalendarEvent.objects.exists()
    assert set(LogEntry.objects.values_list("user", "action_flag")) == {(cast["ben"].pk, flag) for flag in (1, 2, 3)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_day": "soon"}, "Enter a valid date"),
        ({"last_day": "2026-06-30"}, "The last day lies before the first."),
        ({"kind": "closure", "uplift": "1.3"}, "Only a promotion takes an uplift"),
        ({"level": "category"}, "This level needs the category&#x27;s name"),
        ({"level": "category", "object_id": "dress"}, "The shop has no category dress. Perhaps: Dresses."),
        ({"level": "product", "object_id": "0"}, "The shop has no product with the id 0."),
        ({"object_id": "Dresses"}, "An event of the whole shop names no category or product."),
    ],
)
def test_a_form_that_does_not_fit_says_so_once(ben: Client, dresses: Any, change: dict[str, str], words: str):
    shown = ben.post(page("add"), {**SALE, **change}).content.decode()
    assert shown.count('<ul class="errorlist') == 1
    assert words in shown
    assert not CalendarEvent.objects.exists()


def test_the_same_event_twice_is_refused(ben: Client):
    ben.post(page("add"), SALE)
    assert "in the calendar already" in ben.post(page("add"), SALE).content.decode()


def test_the_list_names_what_each_event_is_of_at_the_same_cost_for_many(ben: Client, dresses: Any):
    def add(first: int, last: int) -> None:
        CalendarEvent.objects.bulk_create(
            CalendarEvent(kind="promotion", name=f"Sale {i}", first_day=date(2026, 7, 1), last_day=date(2026, 7, 1),
                          level=level, object_id=object_id)
            for i in range(first, last)
            for level, object_id in (("total", ""), ("category", "Dresses"), ("product", str(dresses.pk)))
        )  # fmt: skip

    def cost() -> tuple[int, str]:
        with CaptureQueriesContext(connection) as captured:
            answer = ben.get(page() + "?q=sale")
        assert ben.get(page() + "?first_day__year=2026&kind__exact=promotion").status_code == 200
        return len(captured), answer.content.decode()

    add(0, 1)
    ben.get(page())
    one, shown = cost()
    for words in ("Whole shop", "Category: Dresses", "Product: Linen dress"):
        assert words in shown
    add(1, 11)
    assert cost()[0] == one


# --- files ----------------------------------------------------------------------------------------


def send(ben: Client, text: str, **values: str) -> Any:
    file = SimpleUploadedFile("events.csv", text.encode())
    return ben.post(page("upload"), {"file": file, **values}, follow=True)


def test_a_file_is_checked_stored_and_downloaded(ben: Client):
    text = "Tipo;Nombre;Desde\npromoción;Rebajas;07/01/2026\ncierre;Feria;20/04/2026\n"
    for link in ("upload", "export"):
        assert page(link) in ben.get(page()).content.decode()
    assert b"multipart/form-data" in ben.get(page("upload")).content
    assert "The file is fine: 2 new events." in send(ben, text, dry_run="on").content.decode()
    assert not CalendarEvent.objects.exists()
    answer = send(ben, text)
    assert answer.redirect_chain == [(page(), 302)]
    assert "2 events stored." in answer.content.decode()
    assert set(CalendarEvent.objects.values_list("created_by", flat=True)) == {"ben@shop.test"}
    assert "0 events stored. 2 rows left out: they are there already." in send(ben, text).content.decode()
    assert ben.get(page("export")).content.decode("utf-8-sig").splitlines()[1:] == [
        "closure,Feria,2026-04-20,2026-04-20,total,,,no,", "promotion,Rebajas,2026-01-07,2026-01-07,total,,,no,",
    ]  # fmt: skip


def test_every_fault_of_a_file_stands_in_a_table(ben: Client):
    shown = send(ben, "kind,name,first_day\nsalle,<b>A</b>,never\nsale,B,2026-01-05\n").content.decode()
    assert "The file has 2 faults, and nothing was stored." in shown
    assert "<td>2</td><td>kind</td><td>salle</td>" in shown
    assert "<td>2</td><td>first_day</td><td>never</td>" in shown
    assert not CalendarEvent.objects.exists()


def test_a_form_without_a_file_says_so(ben: Client):
    assert b"This field is required." in ben.post(page("upload"), {}).content


def test_who_is_not_let_in_sees_and_does_nothing(cast: dict[str, Any]):
    from django.contrib.auth.models import Permission

    max_ = cast["max"]
    max_.is_staff = True
    max_.save()
    max_.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(max_, backend="authentication.backends.EmailBackend")
    row = CalendarEvent.objects.create(kind="closure", name="A", first_day=date(2026, 7, 1), last_day=date(2026, 7, 1))
    for url in (page(), page("add"), page("change", row.pk), page("delete", row.pk), page("upload"), page("export")):
        for method in ("get", "post"):
            assert getattr(client, method)(url, {"post": "yes"}).status_code == 403, url
    assert CalendarEvent.objects.count() == 1
