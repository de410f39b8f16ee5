"""The schedule in fast time: no day missed, none doubled, whatever the clocks do and however many workers look."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ml_predictions.calendar_days import last_due, next_due
from ml_predictions.jobs import nightly, rows, schedule
from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.models_schedule import Schedule, ScheduledRun, Task

MADRID = ZoneInfo("Europe/Madrid")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def plan(**values) -> Schedule:
    return Schedule(**{"nightly_since": LONG_AGO, "weekly_since": LONG_AGO, **values})


@pytest.mark.parametrize("hour", [0, 2, 3, 23])
@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Sao_Paulo", "Australia/Lord_Howe"])
def test_a_year_has_each_of_its_days_once_at_their_hour_and_each_week(hour, zone):
    tz, wanted = ZoneInfo(zone), plan(nightly_hour=hour, weekly_day=6, weekly_hour=hour)
    now, found, late = datetime(2026, 1, 1, 12, tzinfo=tz).astimezone(UTC), Counter(), timedelta()
    start, seen = now, set()
    while now < start + timedelta(days=365):
        for task in Task:
            due = last_due(wanted, task, now, tz)
            if due and due.at > start and (task, due.day) not in seen:
                seen.add((task, due.day))
                found[task] += 1
                late = max(late, now - due.at)
                assert due.at.astimezone(tz).hour in (hour, hour + 1)  # an hour that the clocks leave out
        now += timedelta(minutes=30)
    assert found == {Task.NIGHTLY: 365, Task.WEEKLY: 52}
    assert late < timedelta(minutes=30)


def test_the_next_time_is_in_shop_time_and_none_while_it_is_off():
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_due(plan(nightly_hour=2), Task.NIGHTLY, now, MADRID).isoformat() == "2026-03-29T03:00:00+02:00"
    assert next_due(plan(weekly_day=5, weekly_hour=5), Task.WEEKLY, now, MADRID).date() == date(2026, 4, 4)
    assert next_due(plan(nightly_on=False), Task.NIGHTLY, now, MADRID) is None
    assert last_due(plan(nightly_on=False), Task.NIGHTLY, now, MADRID) is None


@pytest.fixture
def in_force(db):
    Schedule.objects.update_or_create(
        pk=1, defaults={"nightly_since": LONG_AGO, "weekly_since": LONG_AGO, "nightly_hour": 4, "weekly_hour": 5}
    )


def ended():
    MLTrainingLog.objects.update(status="completed")


def queued() -> list[tuple[str, str]]:
    return [(run.task, str(run.day)) for run in ScheduledRun.objects.order_by("queued_at", "task")]


@pytest.mark.postgres
def test_twenty_four_hours_with_two_workers_that_both_look(in_force):
    now = datetime(2026, 6, 27, 12, tzinfo=MADRID)  # a Saturday
    ScheduledRun.objects.create(task="nightly", day=date(2026, 6, 27), due_at=now, queued_at=now)
    ScheduledRun.objects.create(task="weekly", day=date(2026, 6, 21), due_at=now, queued_at=now)
    for _ in range(24 * 6):
        for _worker in "ab":
            schedule.look(now)
        ended()
        now += timedelta(minutes=10)
    assert queued()[2:] == [("nightly", "2026-06-28"), ("weekly", "2026-06-28")]
    assert list(MLTrainingLog.objects.order_by("id").values_list("kind", "cause")) == [
        ("refresh", "schedule"), ("all", "schedule"),
    ]  # fmt: skip


@pytest.mark.postgres
def test_a_worker_that_looked_just_as_another_did_queues_nothing(in_force):
    now = datetime(2026, 6, 29, 12, tzinfo=MADRID)
    row = Schedule.objects.get()
    due = last_due(row, Task.NIGHTLY, now, MADRID)
    assert schedule.queue(row, due, now)
    ended()  # the queue itself would take another one
    assert schedule.queue(row, due, now) is None
    assert (ScheduledRun.objects.count(), MLTrainingLog.objects.count()) == (1, 1)


def test_after_ten_days_off_one_night_and_one_week_are_made_up_for(in_force):
    schedule.look(datetime(2026, 6, 1, 12, tzinfo=MADRID))
    ended()
    schedule.look(datetime(2026, 6, 11, 12, tzinfo=MADRID))
    assert queued()[2:] == [("nightly", "2026-06-11"), ("weekly", "2026-06-07")]
    assert ScheduledRun.objects.get(day=date(2026, 6, 11)).left_out == 9
    assert MLTrainingLog.objects.filter(status="queued").count() == 2


def test_a_clock_set_forward_and_back_loses_no_night_and_doubles_none(in_force):
    days = []

    def look(day, hour=12):
        days.extend(
            run.day.day for run in schedule.look(datetime(2026, 6, day, hour, tzinfo=MADRID)) if run.task == "nightly"
        )
        ended()

    look(2)
    look(5)  # three days ahead
    look(2, 13)  # and back
    look(3)
    look(4)
    look(5)
    look(5, 13)
    look(5, 11)  # an hour back: nothing
    assert days == [2, 5, 3, 4, 5]


def test_it_waits_while_such_a_run_is_under_way_and_is_then_queued(in_force):
    rows.submit("sales_forecast", {})
    now = datetime(2026, 6, 29, 12, tzinfo=MADRID)
    assert [run.task for run in schedule.look(now)] == ["nightly"]  # all four must wait for the one
    ended()
    assert [run.task for run in schedule.look(now + timedelta(minutes=1))] == ["weekly"]


def test_what_is_switched_on_today_makes_up_for_no_day_before(in_force):
    now = datetime(2026, 6, 29, 12, tzinfo=MADRID)
    Schedule.objects.update(nightly_since=now, weekly_on=False)
    assert schedule.look(now) == []
    assert len(schedule.look(now + timedelta(days=1))) == 1


# --- the nightly refresh --------------------------------------------------------------------------


def fine():
    return {"done": 3}


def broken():
    raise ZeroDivisionError("division by zero")


def test_a_step_that_fails_is_told_and_keeps_no_other_from_being_done(run, settings, monkeypatch):
    here = "ml_predictions.tests.jobs.test_schedule"
    monkeypatch.setattr(nightly, "STEPS", {"first": broken})
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "NIGHTLY_FIRST": {}, "NIGHTLY": {"mine": f"{here}.fine"}}
    with pytest.raises(nightly.StepsFailed, match="first"):
        nightly.refresh(run)
    assert run.result == {"steps": {"mine": {"done": 3}}, "errors": {"first": "ZeroDivisionError: division by zero"}}


def test_nothing_trained_and_nothing_sold_is_a_quiet_night(run):
    nightly.refresh(run)
    assert run.result["errors"] == {}
    assert set(run.result["steps"]) == set(nightly.steps())


def test_customers_are_made_anew_only_where_something_was_sold(shop, settings):
    from ml_predictions.sources import get_source

    model = MLModel.objects.create(
        service="customer_segmentation", version=1, model_type="x", as_of=date(2026, 6, 29), artifact="x",
        is_active=True, fingerprint=get_source().fingerprint(), parameters={"n_clusters": 4},
    )  # fmt: skip
    assert nightly.refresh_customers() == {}
    MLModel.objects.filter(pk=model.pk).update(fingerprint=model.fingerprint | {"orders": 1})
    found = nightly.refresh_customers()
    log = MLTrainingLog.objects.get()
    assert (found, log.kind, log.parameters, log.cause) == (
        {"training_log_id": log.pk}, "customer_segmentation", {"n_clusters": 4}, "nightly",
    )  # fmt: skip
    assert nightly.refresh_customers() == found
