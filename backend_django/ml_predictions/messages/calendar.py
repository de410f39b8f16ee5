"""Sentences on the owner's calendar; their codes begin with `calendar.`, those of errors are the errors' own."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "event_name": _("An event needs a name; an empty one was given."),
    "event_days": _("The event {name} must last 1 to {longest} days; it goes from {first} to {last}."),
    "event_level": _(
        "The event {name}: only a promotion may be of a category or product, or have an uplift ({kind} was given)."
    ),
    "event_object": _("The event {name}: the level {level} and its category or product do not fit each other."),
    "event_uplift": _("The event {name}: the uplift is a factor of demand from {lowest} to {highest}."),
    "unknown_country": _(
        "No public holidays are known for the country {country}. Set COUNTRY to its ISO 3166 code (ES, GB, …) or its "
        "English name, or leave it empty."
    ),
    "unknown_region": _(
        "The country {country} has no region {region} with holidays of its own. Set REGION to one that it has, or "
        "leave it empty."
    ),
    "event_exists": _("This event is in the calendar already: {name}, {first_day} to {last_day}."),
    "calendar_busy": _("Another call has changed the calendar at the same moment. Nothing was stored; upload again."),
    "calendar.changed": _(
        "The calendar (its events, the country or the region) has changed since this version was trained: train again "
        "so that the forecast follows it."
    ),
}  # fmt: skip
