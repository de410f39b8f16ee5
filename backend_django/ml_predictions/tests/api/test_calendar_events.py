"""`calendar-events/`: entered, changed, listed, deleted; files in and out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from ml_predictions import actions
from ml_predictions.models_calendar import CalendarEvent

pytestmark = pytest.mark.postgres

URL = "/api/ml/calendar-events/"
SALE = {"kind": "promotion", "name": "Summer sale", "first_day": "2026-07-01", "last_day": "2026-07-15", "uplift": 1.3}


def make(name: str = "Sale", **values: Any) -> CalendarEvent:
    row = {"kind": "promotion", "name": name, "first_day": date(2026, 7, 1), **values}
    return CalendarEvent.objects.create(**{"last_day": row["first_day"], **row})


def refused(answer: Any, status: int = 400) -> dict[str, Any]:
    """The details of an error, which must have this status."""
    assert answer.status_code == status, answer.json()
    return answer.json()["error"]["details"]


@pytest.fixture
def range_(db: None) -> None:
    """A shop with one category and one product."""
    from products.models import Category, Product

    Product.objects.create(code="P1", name="Shoe", category=Category.objects.create(name="Shoes"), price=20)


# --- entering and changing ------------------------------------------------------------------------


def test_entered_read_changed_and_deleted_each_audited(api: Any, cast: Any):
    answer = api.post(URL, SALE)
    assert answer.status_code == 201
    row = answer.json()
    own = {"level": "total", "object_id": "", "repeats_yearly": False, "note": "", "created_by": "ben@shop.test"}
    assert row.items() >= {**SALE, **own}.items()
    one = f"{URL}{row['id']}/"
    assert api.get(one).json() == row
    changed = api.patch(one, {"last_day": "2026-07-20"}).json()
    assert (changed["last_day"], changed["uplift"]) == ("2026-07-20", 1.3)
    assert changed["changed_at"] > row["changed_at"]
    assert changed["created_at"] == row["created_at"]
    assert api.delete(one).status_code == 204
    assert refused(api.get(one), 404) == {}
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == [
        "Added to the calendar.", "Changed in the calendar.", "Taken out of the calendar.",
    ]  # fmt: skip
    assert set(LogEntry.objects.values_list("user", flat=True)) == {cast["ben"].pk}


def test_without_a_last_day_it_is_one_day(api: Any):
    row = api.post(URL, {"kind": "opening", "name": "Advent Sunday", "first_day": "2026-12-06"}).json()
    assert row["last_day"] == "2026-12-06"


def test_put_replaces_all_of_it(api: Any):
    row = make(uplift=2.0, level="category", object_id="Gone", repeats_yearly=True, note="x")
    body = api.put(f"{URL}{row.pk}/", {"kind": "closure", "name": "Works", "first_day": "2026-09-01"}).json()
    kept = ("kind", "name", "first_day", "last_day", "level", "object_id", "uplift", "repeats_yearly", "note")
    assert [body[name] for name in kept] == [
        "closure", "Works", "2026-09-01", "2026-09-01", "total", "", None, False, "",
    ]  # fmt: skip


def test_what_is_not_to_be_written_is_not(api: Any):
    body = api.post(URL, {**SALE, "id": 77, "created_by": "zoe", "created_at": "2001-01-01T00:00:00Z"}).json()
    assert body["id"] != 77
    assert (body["created_by"], body["created_at"] > "2026") == ("ben@shop.test", True)


@pytest.mark.parametrize(
    ("change", "field", "words", "allowed"),
    [
        ({"kind": "sale"}, "kind", "not a valid choice", {"choices": ["promotion", "closure", "holiday", "opening"]}),
        ({"level": "variant"}, "level", "not a valid choice", {"choices": ["total", "category", "product"]}),
        ({"name": " "}, "name", "may not be blank", {"longest": 120}),
        ({"name": "x" * 121}, "name", "no more than 120", {"longest": 120}),
        ({"first_day": "01/07/2026"}, "first_day", "YYYY-MM-DD", {}),
        ({"first_day": "0026-07-01"}, "first_day", "from 1990-01-01 to 2100-12-31", {}),
        ({"last_day": "2026-06-30"}, "last_day", "before the first", {}),
        ({"last_day": "2028-07-01"}, "last_day", "366 days at most", {}),
        ({"uplift": 0.01}, "uplift", "greater than or equal", {"minimum": 0.05, "maximum": 20.0}),
        ({"uplift": "30 %"}, "uplift", "valid number", {"minimum": 0.05, "maximum": 20.0}),
        ({"kind": "holiday"}, "uplift", "Only a promotion", {"minimum": 0.05, "maximum": 20.0}),
        ({"object_id": "Shoes"}, "object_id", "names no category or product", {"longest": 120}),
        ({"level": "category"}, "object_id", "needs the category's name", {"longest": 120}),
        ({"level": "product", "object_id": "0"}, "object_id", "no product with the id 0", {"longest": 120}),
        ({"level": "category", "object_id": "shoe"}, "object_id", "no category shoe. Perhaps: Shoes", {"longest": 120}),
        ({"note": "x" * 501}, "note", "no more than 500", {"longest": 500}),
    ],
)  # fmt: skip
def test_each_fault_names_its_field_what_is_allowed_and_what_was_received(
    api: Any, range_: None, change: dict[str, Any], field: str, words: str, allowed: dict[str, Any]
):
    found = refused(api.post(URL, {**SALE, **change}))
    assert words in found[field]["message"]
    assert found[field]["allowed"] == allowed
    sent = {**SALE, **change}.get(field)
    assert found[field].get("received") == (sent[:200] + "…" if len(str(sent)) > 200 else sent)
    assert not CalendarEvent.objects.exists()


def test_all_that_is_missing_is_named_at_once(api: Any):
    assert set(refused(api.post(URL, {}))) == {"kind", "name", "first_day"}
    assert set(refused(api.post(URL, [1]))) == {"non_field_errors"}


def test_a_change_must_fit_what_stays(api: Any):
    row = make(uplift=2.0)
    found = refused(api.patch(f"{URL}{row.pk}/", {"kind": "closure"}))
    assert set(found) == {"uplift"}
    assert refused(api.patch(f"{URL}{row.pk}/", {"first_day": "2026-07-02"})).keys() == {"last_day"}


def test_a_category_that_is_gone_does_not_bar_a_new_note(api: Any, range_: None):
    row = make(level="category", object_id="Hats")
    assert api.patch(f"{URL}{row.pk}/", {"note": "sold out"}).status_code == 200
    assert set(refused(api.patch(f"{URL}{row.pk}/", {"object_id": "Caps"}))) == {"object_id"}
    assert api.patch(f"{URL}{row.pk}/", {"object_id": "Shoes"}).json()["object_id"] == "Shoes"


def test_the_same_event_again_is_a_conflict(api: Any):
    first = api.post(URL, SALE).json()
    answer = api.post(URL, {**SALE, "uplift": 2.0})
    assert refused(answer, 409) == {name: SALE[name] for name in ("name", "first_day", "last_day")}
    assert answer.json()["error"]["code"] == "event_exists"
    other = api.post(URL, {**SALE, "name": "Other"}).json()
    assert refused(api.patch(f"{URL}{other['id']}/", {"name": SALE["name"]}), 409)
    assert api.get(f"{URL}{other['id']}/").json()["name"] == "Other"
    assert api.patch(f"{URL}{first['id']}/", {"uplift": 2.0}).json()["uplift"] == 2.0


# --- the list -------------------------------------------------------------------------------------


@pytest.fixture
def four(db: None) -> None:
    """A sale of shoes, a yearly closure over New Year, a closure, a holiday of every year."""
    make("Shoes -30 %", level="category", object_id="Shoes", uplift=1.4, note="with Ana")
    make("New Year", kind="closure", first_day=date(2024, 12, 24), last_day=date(2025, 1, 2), repeats_yearly=True)
    make("Works", kind="closure", first_day=date(2026, 9, 1), last_day=date(2026, 9, 20))
    make("San Isidro", kind="holiday", first_day=date(2025, 5, 15), repeats_yearly=True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Works", "Shoes -30 %", "San Isidro", "New Year"]),
        ("kind=closure", ["Works", "New Year"]),
        ("level=category", ["Shoes -30 %"]),
        ("object_id=Shoes", ["Shoes -30 %"]),
        ("repeats_yearly=true&ordering=name", ["New Year", "San Isidro"]),
        ("search=isidro", ["San Isidro"]),
        ("search=ana", ["Shoes -30 %"]),
        ("date_from=2026-09-20&date_to=2026-09-30", ["Works"]),
        ("date_from=2026-09-21&date_to=2026-09-30", []),
        ("date_from=2027-01-02&date_to=2027-02-01", ["New Year"]),
        ("date_from=2027-01-03&date_to=2027-02-01", []),
        ("date_from=2027-05-01&date_to=2027-05-15", ["San Isidro"]),
        ("date_from=2026-08-01", ["Works", "San Isidro", "New Year"]),
        ("date_to=2026-07-01", ["Shoes -30 %", "San Isidro", "New Year"]),
        ("date_from=0001-01-01&date_to=9999-12-31&kind=holiday", ["San Isidro"]),
        ("ordering=first_day,name", ["New Year", "San Isidro", "Shoes -30 %", "Works"]),
    ],
)
def test_filtered_searched_and_ordered(api: Any, four: None, query: str, names: list[str]):
    assert [row["name"] for row in api.get(f"{URL}?{query}").json()["results"]] == names


@pytest.mark.parametrize("query", ["kind=sale", "level=variant", "date_from=soon", "ordering=note", "page_size=999"])
def test_a_filter_outside_its_range_is_refused(api: Any, four: None, query: str):
    assert query.partition("=")[0] in refused(api.get(f"{URL}?{query}"))


def test_a_page_costs_the_same_for_one_row_and_for_forty(api: Any):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert (
                api.get(URL, {"page_size": 10, "date_from": "2026-01-01", "date_to": "2026-02-01"}).status_code == 200
            )
        return len(captured)

    make(repeats_yearly=True)
    one = cost()
    for i in range(40):
        make(f"Sale {i}", repeats_yearly=True)
    assert cost() == one
    assert api.get(URL, {"page_size": 10}).json()["count"] == 41


# --- files ----------------------------------------------------------------------------------------

FILE = "kind;name;first_day;uplift\npromotion;Rebajas;07/01/2026;1,4\ncierre;Feria;2026-04-20;\n"


def upload(api: Any, text: str, query: str = "") -> Any:
    return api.generic("POST", f"{URL}upload/{query}", text.encode(), content_type="text/csv")


def test_uploaded_as_a_body_or_as_a_form(api: Any, cast: Any):
    answer = upload(api, FILE)
    assert (answer.status_code, answer.json()) == (
        200, {"success": True, "rows": 2, "created": 2, "duplicates": 0, "dry_run": False},
    )  # fmt: skip
    assert sorted(CalendarEvent.objects.values_list("kind", "name", "uplift", "created_by")) == [
        ("closure", "Feria", None, "ben@shop.test"), ("promotion", "Rebajas", 1.4, "ben@shop.test"),
    ]  # fmt: skip
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Uploaded to the calendar."] * 2
    file = SimpleUploadedFile("events.csv", FILE.encode("cp1252"), content_type="application/vnd.ms-excel")
    again = api.post(f"{URL}upload/", {"file": file}, format="multipart")
    assert again.json() == {"success": True, "rows": 2, "created": 0, "duplicates": 2, "dry_run": False}


def test_a_dry_run_reports_and_stores_nothing(api: Any):
    assert upload(api, FILE, "?dry_run=true").json() == {
        "success": True, "rows": 2, "created": 2, "duplicates": 0, "dry_run": True,
    }  # fmt: skip
    assert not CalendarEvent.objects.exists()
    assert not LogEntry.objects.exists()
    assert set(refused(upload(api, FILE, "?dry_run=perhaps"))) == {"dry_run"}


def test_one_fault_and_nothing_is_stored(api: Any):
    answer = upload(api, FILE + "cierre;Obras;31/02/2026;\n")
    assert refused(answer) == {
        "count": 1,
        "faults": [
            {
                "line": 4,
                "column": "first_day",
                "found": "31/02/2026",
                "allowed": "a date like 2026-11-27 or 27/11/2026 (day first), from 1990 to 2100",
                "message": "There is no day 31/02/2026, read as yyyy-mm-dd or dd/mm/yyyy.",
            }
        ],
    }
    error = answer.json()["error"]
    assert error["code"] == "faulty_file"
    assert error["message"].startswith(
        "The file has 1 fault, and nothing was stored. Line 4, first_day: There is no day"
    )
    assert not CalendarEvent.objects.exists()


def test_many_faults_are_counted_and_the_first_of_them_listed(api: Any):
    answer = upload(api, "kind,name,first_day\n" + "promotion,Sale,never\n" * 300)
    found = refused(answer)
    assert (found["count"], len(found["faults"])) == (300, 200)
    assert answer.json()["error"]["message"].endswith("…")


def test_two_uploads_at_once_do_not_fail_with_a_stack(api: Any, monkeypatch: pytest.MonkeyPatch):
    def taken(events: Any) -> None:
        raise IntegrityError("UNIQUE constraint failed")

    monkeypatch.setattr(actions.CalendarEvent.objects, "bulk_create", taken)
    answer = upload(api, FILE)
    assert refused(answer, 409) == {}
    assert answer.json()["error"]["code"] == "calendar_busy"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "text/csv", 400),
        (b"{}", "application/json", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"x", "multipart/form-data", 400),
        (b"x" * 1_000_001, "text/csv", 400),
        (b"x" * 1_020_000, "multipart/form-data; boundary=x", 400),
    ],
)
def test_bodies_that_are_no_file(api: Any, body: bytes, content_type: str, status: int):
    refused(api.generic("POST", f"{URL}upload/", body, content_type=content_type), status)


def test_a_form_without_its_file_says_how_to_send_it(api: Any):
    found = refused(api.post(f"{URL}upload/", {"datei": "x"}, format="multipart"))
    assert "field “file”" in found["file"]["message"]


def test_what_is_exported_can_be_uploaded_again(api: Any, four: None, range_: None):
    answer = api.get(f"{URL}export/", headers={"accept": "text/csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calendar-events.csv"'
    before = sorted(event.key for event in CalendarEvent.objects.all())
    assert upload(api, answer.content.decode()).json()["duplicates"] == 4
    CalendarEvent.objects.all().delete()
    assert upload(api, answer.content.decode()).json()["created"] == 4
    assert sorted(event.key for event in CalendarEvent.objects.all()) == before
    shoes = CalendarEvent.objects.get(level="category")
    assert (shoes.uplift, shoes.note) == (1.4, "with Ana")
    assert CalendarEvent.objects.filter(repeats_yearly=True).count() == 2


def test_the_export_takes_the_filters_of_the_list_and_its_errors_are_json(api: Any, four: None):
    text = api.get(f"{URL}export/?kind=holiday").content.decode("utf-8-sig")
    assert text.splitlines() == [
        "kind,name,first_day,last_day,level,object_id,uplift,repeats_yearly,note",
        "holiday,San Isidro,2025-05-15,2025-05-15,total,,,yes,",
    ]
    answer = api.get(f"{URL}export/?kind=none", headers={"accept": "text/csv"})
    assert set(refused(answer)) == {"kind"}
