"""The schedule: what is due when, and queueing it once, with any number of workers on any number of machines.

A task is due once for each day of the shop's calendar (a weekly one for each of its weekdays), at its hour in shop
time. The day is the name of the run, and unique in the database: so a night on which the clocks go back has one
refresh, and one whose hour is left out has it an hour later. After a time without a worker only the last missed day is
made up for.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Now

from ml_predictions.calendar_days import SET_BACK, Due, days_of, last_due, zone
from ml_predictions.jobs import rows
from ml_predictions.models import Kind
from ml_predictions.models_schedule import Schedule, ScheduledRun, Task

logger = logging.getLogger(__name__)
KINDS = {Task.NIGHTLY: "refresh", Task.WEEKLY: Kind.ALL.value}
KEPT = timedelta(days=400)


def look(now: datetime | None = None) -> list[ScheduledRun]:
    """Queue what is due and has not been queued; returns it. `now`: the database's clock, unless a test sets it."""
    schedule: Any = Schedule.objects.annotate(now=Now()).first()
    if schedule is None:
        Schedule.objects.get_or_create(pk=Schedule.ONE)
        return []
    now, tz = now or schedule.now, zone()
    due = [found for task in Task if (found := last_due(schedule, task, now, tz))]
    done = set(ScheduledRun.objects.filter(day__in={one.day for one in due}).values_list("task", "day"))
    return [run for one in due if (one.task, one.day) not in done and (run := queue(schedule, one, now))]


def queue(schedule: Schedule, due: Due, now: datetime) -> ScheduledRun | None:
    """Queue one; None when another worker was faster, or must wait because such a run is under way."""
    ScheduledRun.objects.filter(due_at__gt=now + SET_BACK).delete()
    try:
        with transaction.atomic():
            run = ScheduledRun.objects.create(
                task=due.task, day=due.day, due_at=due.at, queued_at=now, left_out=_left_out(schedule, due)
            )
            run.training_log = rows.submit(KINDS[due.task], {}, cause=rows.Cause.SCHEDULE)
            run.save(update_fields=["training_log"])
    except IntegrityError:
        return None
    except rows.AlreadyRunning as under_way:
        logger.info("The %s of %s waits: %s", due.task, due.day, under_way)
        return None
    ScheduledRun.objects.filter(due_at__lt=now - KEPT).delete()
    return run


def _left_out(schedule: Schedule, due: Due) -> int:
    """How many days of the task before this one had no run, since the last that had one."""
    last = ScheduledRun.objects.filter(task=due.task, day__lt=due.day).aggregate(last=Max("day"))["last"]
    since = last or getattr(schedule, f"{due.task.value}_since").astimezone(zone()).date()
    return sum(1 for _ in days_of(schedule, due.task, since + timedelta(days=1), due.day - timedelta(days=1)))
