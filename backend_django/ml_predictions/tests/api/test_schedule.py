"""`schedule/`."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from ml_predictions.models_schedule import Schedule

PATH = "/api/ml/schedule/"


@pytest.fixture(autouse=True)
def _there(db: None) -> None:
    """The row that a migration makes; a test that empties the tables may have run before."""
    Schedule.objects.get_or_create(pk=Schedule.ONE)


BODY = {"nightly_on": True, "nightly_hour": 3, "weekly_on": False, "weekly_day": "saturday", "weekly_hour": 6}


def test_it_is_on_from_the_start_and_says_when_next(api: Any, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(5):
        body = api.get(PATH).json()
    assert (body["nightly_on"], body["weekly_day"], body["time_zone"]) == (True, "sunday", "Europe/Madrid")
    assert body["next"]["nightly"][11:16] == "04:00"
    assert {"check_files", "score_forecasts"} <= set(body["steps"])
    assert body["last_runs"] == []


def test_put_changes_it_and_is_audited(api: Any, cast: Any):
    before = Schedule.objects.get()
    answer = api.put(PATH, BODY)
    assert answer.status_code == 200, answer.json()
    assert {name: answer.json()[name] for name in BODY} == BODY
    assert answer.json()["next"]["weekly"] is None
    row, entry = Schedule.objects.get(), LogEntry.objects.get()
    assert (row.weekly_day, row.changed_by, row.nightly_since) == (5, "ben@shop.test", before.nightly_since)
    assert (entry.user, entry.change_message) == (cast["ben"], "Schedule changed.")
    api.put(PATH, BODY | {"weekly_on": True})
    assert Schedule.objects.get().weekly_since > before.weekly_since


def test_what_does_not_fit_is_refused_whole(api: Any):
    answer = api.put(PATH, BODY | {"nightly_hour": 24, "weekly_day": "someday"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["nightly_hour"]["allowed"] == {"minimum": 0, "maximum": 23}
    assert "monday" in answer.json()["error"]["details"]["weekly_day"]["allowed"]["choices"]
    assert api.put(PATH, {"nightly_on": False}).status_code == 400
    assert Schedule.objects.get().nightly_hour == 4
