"""The owner's calendar: what the table takes, how events recur, and when a forecast is older than its calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.services import calendar_events
from ml_predictions.services.calendar_events import changed_since, digest, for_forecast, happens, occurrences, unknown
from retail_ml.forecast import events

pytestmark = pytest.mark.postgres


def event(**values: Any) -> CalendarEvent:
    """An event, not stored: a promotion on 2026-07-01 unless told otherwise."""
    row = {"kind": "promotion", "name": "Sale", "first_day": date(2026, 7, 1), **values}
    return CalendarEvent(**{"last_day": row["first_day"], **row})


# --- what the table takes -------------------------------------------------------------------------

FINE: list[dict[str, Any]] = [
    {},
    {"uplift": 0.05},
    {"uplift": 20.0},
    {"last_day": date(2027, 7, 1)},  # 366 days
    {"first_day": date(1990, 1, 1)},
    {"first_day": date(2100, 12, 31)},
    {"level": "category", "object_id": "Shoes", "uplift": 1.3},
    {"level": "product", "object_id": "7"},
    {"kind": "closure", "repeats_yearly": True, "last_day": date(2027, 6, 30)},
    {"kind": "holiday"},
    {"kind": "opening"},
]
FAULTY: list[tuple[str, dict[str, Any]]] = [
    ("last_day", {"last_day": date(2026, 6, 30)}),
    ("last_day", {"last_day": date(2027, 7, 2)}),  # 367 days
    ("first_day", {"first_day": date(1989, 12, 31)}),
    ("last_day", {"first_day": date(2100, 12, 31), "last_day": date(2101, 1, 1)}),
    ("uplift", {"uplift": 0.0}),
    ("uplift", {"uplift": -1.0}),
    ("uplift", {"uplift": 0.04}),
    ("uplift", {"uplift": 20.1}),
    ("object_id", {"object_id": "Shoes"}),
    ("object_id", {"level": "category"}),
    ("object_id", {"level": "product", "object_id": ""}),
    ("uplift", {"kind": "closure", "uplift": 1.2}),
    ("uplift", {"kind": "holiday", "uplift": 1.2}),
    ("level", {"kind": "opening", "level": "category", "object_id": "Shoes"}),
]


@pytest.mark.django_db
@pytest.mark.parametrize("values", FINE, ids=str)
def test_what_is_fine_is_stored_and_what_the_mathematics_takes(values: dict[str, Any]):
    row = event(**values)
    row.full_clean()
    row.save()
    assert len(for_forecast(first=row.first_day, last=row.first_day)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("field", "values"), FAULTY, ids=str)
def test_what_is_not_is_refused_in_words_and_by_the_database(field: str, values: dict[str, Any]):
    with pytest.raises(ValidationError) as refused:
        event(**values).clean()
    assert field in refused.value.message_dict
    with pytest.raises(IntegrityError), transaction.atomic():
        event(**values).save()


def test_a_number_that_is_none_is_refused_in_words():
    for uplift in (float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            event(uplift=uplift).clean()


def test_an_event_of_every_year_does_not_overlap_itself():
    event(last_day=date(2027, 6, 30), repeats_yearly=True).clean()
    with pytest.raises(ValidationError):
        event(last_day=date(2027, 7, 1), repeats_yearly=True).clean()


@pytest.mark.django_db
@pytest.mark.parametrize("values", [{"kind": "sale"}, {"level": "variant", "object_id": "1"}])
def test_unknown_words_are_refused_by_the_database_too(values: dict[str, Any]):
    with pytest.raises(IntegrityError), transaction.atomic():
        event(**values).save()


@pytest.mark.django_db
def test_the_same_event_is_stored_once():
    event().save()
    event(name="Another").save()
    with pytest.raises(ValidationError, match="in the calendar already"):
        event().full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        event(uplift=2.0).save()


def test_words_and_limits_are_those_of_the_mathematics():
    assert tuple(CalendarEvent.Kind.values) == events.KINDS
    assert set(CalendarEvent.Level.values) < set(events.LEVELS)
    assert (CalendarEvent.LONGEST_DAYS, CalendarEvent.UPLIFT) == (events.LONGEST, events.UPLIFT)


# --- every year -----------------------------------------------------------------------------------


def spans(row: CalendarEvent, first: str, last: str) -> list[str]:
    found = occurrences(row, first=date.fromisoformat(first), last=date.fromisoformat(last))
    return [f"{begin}/{end}" for begin, end in found]


def test_once():
    row = event(last_day=date(2026, 7, 10))
    assert spans(row, "2026-07-10", "2026-07-20") == ["2026-07-01/2026-07-10"]
    assert spans(row, "2026-07-11", "2026-07-20") == spans(row, "2026-06-01", "2026-06-30") == []


def test_every_year_past_and_to_come():
    row = event(repeats_yearly=True)
    assert spans(row, "2024-01-01", "2027-07-01") == [f"{y}-07-01/{y}-07-01" for y in (2024, 2025, 2026, 2027)]
    assert spans(row, "2030-07-02", "2031-06-30") == []


def test_over_new_year():
    row = event(first_day=date(2025, 12, 24), last_day=date(2026, 1, 6), repeats_yearly=True)
    assert spans(row, "2027-01-05", "2027-12-24") == ["2026-12-24/2027-01-06", "2027-12-24/2028-01-06"]
    assert spans(row, "2027-01-07", "2027-12-23") == []


def test_the_29th_of_february():
    row = event(first_day=date(2024, 2, 29), repeats_yearly=True)
    assert spans(row, "2027-01-01", "2028-12-31") == ["2027-02-28/2027-02-28", "2028-02-29/2028-02-29"]
    long = event(first_day=date(2024, 2, 25), last_day=date(2024, 2, 29), repeats_yearly=True)
    assert spans(long, "2025-02-28", "2025-03-31") == ["2025-02-25/2025-02-28"]


@pytest.mark.parametrize("first", ["0001-01-01", "9998-06-01"])
def test_the_ends_of_the_calendar_are_no_fault(first: str):
    row = event(first_day=date(2025, 12, 24), last_day=date(2026, 1, 6), repeats_yearly=True)
    assert spans(row, first, "9999-12-31")


def test_happens_agrees_with_the_occurrences():
    rows = [
        event(repeats_yearly=yearly, last_day=date(2026, 7, 1) + timedelta(days=days))
        for yearly in (False, True)
        for days in (0, 200)
    ]
    start = date(2025, 6, 1)
    for row in rows:
        for days in (1, 30, 364, 365, 366, 900):
            last = start + timedelta(days=days)
            assert happens(row, start, last) == bool(occurrences(row, first=start, last=last))


def test_365_days_with_a_29th_of_february_in_them_may_miss_a_day_of_every_year():
    row = event(first_day=date(2026, 3, 1), repeats_yearly=True)
    start, end = date(2027, 3, 2), date(2028, 2, 29)
    assert (end - start).days == 364
    assert not happens(row, start, end)
    assert happens(row, start, end + timedelta(days=1))


# --- for the forecast -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_for_the_forecast_in_one_query_whatever_the_order_of_entry():
    rows = [
        event(name="Sale", uplift=1.5, level="category", object_id="Shoes"),
        event(kind="closure", name="August", first_day=AUGUST, last_day=date(2024, 8, 15), repeats_yearly=True),
        event(name="Over", first_day=date(2020, 1, 1)),
        event(name="To come", first_day=date(2030, 1, 1)),
    ]  # fmt: skip
    CalendarEvent.objects.bulk_create(rows)
    with CaptureQueriesContext(connection) as captured:
        found = for_forecast(first=date(2025, 1, 1), last=date(2026, 12, 31))
    assert len(captured) == 1
    assert [(e.kind, e.name, str(e.first), str(e.last), e.level, e.object_id, e.uplift) for e in found] == [
        ("closure", "August", "2025-08-01", "2025-08-15", "total", "", None),
        ("promotion", "Sale", "2026-07-01", "2026-07-01", "category", "Shoes", 1.5),
        ("closure", "August", "2026-08-01", "2026-08-15", "total", "", None),
    ]
    CalendarEvent.objects.all().delete()
    CalendarEvent.objects.bulk_create(event(**{f: getattr(r, f) for f in FIELDS}) for r in reversed(rows))
    assert for_forecast(first=date(2025, 1, 1), last=date(2026, 12, 31)) == found


AUGUST = date(2024, 8, 1)
FIELDS = ("kind", "name", "first_day", "last_day", "level", "object_id", "uplift", "repeats_yearly")


@pytest.mark.django_db
def test_no_events_no_fault():
    assert for_forecast(first=date(2025, 1, 1), last=date(2026, 12, 31)) == ()


# --- is a version older than the calendar? --------------------------------------------------------


@pytest.fixture
def model(db: None) -> MLModel:
    """A version trained on the calendar as it stands."""
    event(name="Before").save()
    return MLModel.objects.create(
        service="sales_forecast", version=1, model_type="gam", as_of=date(2026, 6, 30), artifact="a",
        parameters={"calendar": digest()},
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda: event(name="New").save(),
        lambda: CalendarEvent.objects.update(last_day=date(2026, 7, 2)),
        lambda: CalendarEvent.objects.update(uplift=1.3),
        lambda: CalendarEvent.objects.update(repeats_yearly=True),
        lambda: CalendarEvent.objects.all().delete(),
    ],
)
def test_a_change_of_the_calendar_is_told(model: MLModel, change: Any):
    assert changed_since(model) is None
    change()
    told = changed_since(model)
    assert told is not None
    assert "train again" in render(told)


def test_country_and_region_belong_to_the_calendar(model: MLModel, settings: Any):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "COUNTRY": "ES"}
    assert changed_since(model) is not None


def test_what_the_forecast_does_not_read_is_no_change(model: MLModel):
    CalendarEvent.objects.update(note="Ana's idea", created_by="ana", changed_at=timezone.now())
    assert changed_since(model) is None


def test_a_change_that_was_undone_is_no_change(model: MLModel):
    new = event(name="New")
    new.save()
    new.delete()
    assert changed_since(model) is None


def test_a_version_that_kept_no_calendar_is_compared_by_time(model: MLModel):
    model.parameters, model.trained_at = {}, timezone.now() + timedelta(minutes=1)
    assert changed_since(model) is None
    model.trained_at = timezone.now() - timedelta(minutes=1)
    assert changed_since(model) is not None


# --- what the shop has ----------------------------------------------------------------------------


def test_unknown_categories_and_products_with_what_was_probably_meant(shop: None):
    from products.models import Product

    there = str(Product.objects.earliest("pk").pk)
    scopes = [("total", ""), ("category", "Shoes"), ("product", there)]
    with CaptureQueriesContext(connection) as captured:
        assert unknown(scopes * 50) == {}
    assert len(captured) == 2
    found = unknown([*scopes, ("category", "shoe"), ("category", "Hats and more"), ("product", "0"), ("product", "x")])
    assert found == {
        ("category", "shoe"): ["Shoes"], ("category", "Hats and more"): [], ("product", "0"): [], ("product", "x"): [],
    }  # fmt: skip


def test_the_shop_is_not_read_for_events_of_the_whole_shop(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ml_predictions.sources.get_source", lambda: pytest.fail("read"))
    assert calendar_events.unknown([("total", "")]) == {}
