"""The owner's calendar as the forecast wants it, and whether it has changed since a version was trained.

Light: neither the mathematics nor the shop's tables are imported until they are asked for.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from calendar import isleap
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models import MLModel
from ml_predictions.models_calendar import CalendarEvent

if TYPE_CHECKING:
    from retail_ml.forecast.events import Event

Scope = tuple[str, str]
"""Level and id of what an event is about."""
MOST_NEAR = 3
"""Names that resemble an unknown one, at most."""


def for_forecast(*, first: date, last: date) -> tuple[Event, ...]:
    """The events with a day from `first` to `last` (both included), whole and sorted by their first day.

    An event of every year stands there once for each of those years.
    """
    from retail_ml.forecast.events import Event

    near = Q(repeats_yearly=True) | Q(first_day__lte=last, last_day__gte=first)
    found = [
        Event(row.kind, row.name, begin, end, level=row.level, object_id=row.object_id, uplift=row.uplift)
        for row in CalendarEvent.objects.filter(near).order_by()
        for begin, end in occurrences(row, first=first, last=last)
    ]
    return tuple(sorted(found, key=lambda e: (e.first, e.last, e.kind, e.level, e.object_id, e.name)))


def happens(event: CalendarEvent, first: date, last: date) -> bool:
    """Has `event` a day from `first` to `last`?"""
    # An event of every year has one in any 366 days.
    whole_year = event.repeats_yearly and (last - first).days >= 365
    return whole_year or bool(occurrences(event, first=first, last=last))


def occurrences(event: CalendarEvent, *, first: date, last: date) -> list[tuple[date, date]]:
    """First and last day of each time that `event` has a day from `first` to `last`.

    An event of every year comes back on the same days, 29 February on the 28th of common years.
    """
    begin, end = event.first_day, event.last_day
    if not event.repeats_yearly:
        return [(begin, end)] if begin <= last and end >= first else []
    across = end.year - begin.year  # 1: over New Year
    years = range(max(first.year - across, date.min.year), min(last.year, date.max.year - across) + 1)
    times = [(_in_year(begin, year), _in_year(end, year + across)) for year in years]
    return [(begin, end) for begin, end in times if begin <= last and end >= first]


def _in_year(day: date, year: int) -> date:
    if (day.month, day.day) == (2, 29) and not isleap(year):
        return date(year, 2, 28)
    return day.replace(year=year)


def digest() -> str:
    """A short text that changes when the calendar does: the events, the country or the region.

    A training keeps it as `parameters["calendar"]` of its version; take it before the events are read, so that a
    change in between counts as one.
    """
    columns = ("kind", "name", "first_day", "last_day", "level", "object_id", "uplift", "repeats_yearly")
    rows = sorted(CalendarEvent.objects.order_by().values_list(*columns), key=str)
    told = json.dumps([conf.get("COUNTRY"), conf.get("REGION"), rows], default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def changed_since(model: MLModel) -> dict[str, Any] | None:
    """The message that the calendar has changed since `model` was trained; None while it is the same.

    A version that does not know its calendar (`digest`) is compared by the time of the last change; an event that
    was deleted goes unnoticed then.
    """
    known = model.parameters.get("calendar")
    if known is not None:
        changed = known != digest()
    else:
        changed = CalendarEvent.objects.filter(changed_at__gt=model.trained_at).exists()
    return message("calendar.changed") if changed else None


def unknown(scopes: Iterable[Scope]) -> dict[Scope, list[str]]:
    """Those of `scopes` that the shop does not have, each with the names that resemble it (of categories alone).

    One read of the shop for its products, one for its categories.
    """
    from ml_predictions.sources import get_source

    ids: dict[str, set[str]] = {"category": set(), "product": set()}
    for level, object_id in scopes:
        if level in ids:
            ids[level].add(object_id)
    found: dict[Scope, list[str]] = {}
    if ids["product"]:
        there = set(get_source().products(ids=sorted(ids["product"]))["product_id"])
        found |= {("product", name): [] for name in ids["product"] - there}
    if ids["category"]:
        there = set(get_source().products()["category"]) - {""}
        found |= {("category", name): resembling(name, there) for name in ids["category"] - there}
    return found


def resembling(name: str, names: Iterable[str]) -> list[str]:
    """The few of `names` that are spelled most like `name`, whatever the case of their letters."""
    folded = {other.casefold(): other for other in sorted(names)}
    return [folded[key] for key in difflib.get_close_matches(name.casefold(), folded, n=MOST_NEAR, cutoff=0.5)]
