"""When a scheduled task is due, in the shop's calendar: dates and clocks, no database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ml_predictions import conf
from ml_predictions.models_schedule import Schedule, Task

SET_BACK = timedelta(hours=2)
"""What is dated so far in the future was dated by a clock that was wrong: it counts for nothing."""


@dataclass(frozen=True)
class Due:
    """One day of a task, and the moment from which on it is due."""

    task: Task
    day: date
    at: datetime


def zone() -> ZoneInfo:
    """The shop's own time zone."""
    return ZoneInfo(conf.get("TIME_ZONE"))


def moment(day: date, hour: int, tz: ZoneInfo) -> datetime:
    """`hour` o'clock of `day` in shop time, in UTC; where the clocks leave it out, what they show instead.

    >>> moment(date(2026, 3, 29), 2, ZoneInfo("Europe/Madrid")).isoformat()  # 3:00, for there is no 2:00
    '2026-03-29T01:00:00+00:00'
    >>> moment(date(2026, 10, 25), 2, ZoneInfo("Europe/Madrid")).isoformat()  # the first of the two
    '2026-10-25T00:00:00+00:00'
    """
    return datetime.combine(day, time(hour), tz).astimezone(UTC)


def days_of(schedule: Schedule, task: Task, first: date, last: date) -> Iterator[date]:
    """The days of a task from `first` to `last`."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if task == Task.NIGHTLY or day.weekday() == schedule.weekly_day:
            yield day


def last_due(schedule: Schedule, task: Task, now: datetime, tz: ZoneInfo) -> Due | None:
    """The last day of a task whose moment has come since it was switched on; None while it is off or none has."""
    if not getattr(schedule, f"{task.value}_on"):
        return None
    hour, since = getattr(schedule, f"{task.value}_hour"), getattr(schedule, f"{task.value}_since")
    today = now.astimezone(tz).date()
    for day in reversed(list(days_of(schedule, task, today - timedelta(days=7), today))):
        at = moment(day, hour, tz)
        if at <= now:
            wrong = since > now + SET_BACK  # switched on by a clock that was wrong
            return Due(task, day, at) if at > since or wrong else None
    return None


def next_due(schedule: Schedule, task: Task, now: datetime, tz: ZoneInfo) -> datetime | None:
    """The next moment of a task; None while it is off."""
    if not getattr(schedule, f"{task.value}_on"):
        return None
    hour, today = getattr(schedule, f"{task.value}_hour"), now.astimezone(tz).date()
    moments = (moment(day, hour, tz) for day in days_of(schedule, task, today, today + timedelta(days=8)))
    return next(at.astimezone(tz) for at in moments if at > now)
