"""The schedule as it is read: its values, the next times, the last runs."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.utils import timezone

from ml_predictions.calendar_days import next_due, zone
from ml_predictions.models_schedule import Schedule, ScheduledRun, Task

FIELDS = ("nightly_on", "nightly_hour", "weekly_on", "weekly_day", "weekly_hour")
LAST_RUNS = 14


def schedule() -> dict[str, Any]:
    """The values in force, `time_zone`, the `next` time of each task (None: off) and its `last_runs`."""
    row, now, tz = Schedule.objects.first() or Schedule(), timezone.now(), zone()
    runs = ScheduledRun.objects.order_by("-queued_at", "-pk").annotate(status=F("training_log__status"))
    columns = ("task", "day", "due_at", "queued_at", "left_out", "training_log_id", "status")
    return {
        **{name: getattr(row, name) for name in FIELDS},
        "time_zone": tz.key,
        "next": {task.value: next_due(row, task, now, tz) for task in Task},
        "last_runs": list(runs.values(*columns)[:LAST_RUNS]),
    }
