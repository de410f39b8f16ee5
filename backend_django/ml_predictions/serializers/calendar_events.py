"""The owner's calendar events: a body checked field by field and as a whole, a row as JSON."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.fields import Day
from api_base.serializers import Explained, Record
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.services import calendar_events

WRITTEN = (
    "kind", "name", "first_day", "last_day", "level", "object_id", "uplift", "repeats_yearly", "note",
)  # fmt: skip
"""The fields that a person fills in; also the columns of a CSV file."""


class CalendarEventRecord(Record):
    """A promotion, a closure, a holiday or an extra opening."""

    last_day = Day(required=False, help_text=_("Left out: the first day alone."))

    class Meta:
        model = CalendarEvent
        fields = ["id", *WRITTEN, "created_by", "created_at", "changed_at"]
        read_only_fields = ["created_by", "created_at", "changed_at"]
        extra_kwargs = {
            "level": {"default": CalendarEvent.Level.TOTAL.value},
            "object_id": {"default": ""},
            "uplift": {
                "default": None, "min_value": CalendarEvent.UPLIFT[0], "max_value": CalendarEvent.UPLIFT[1],
            },
            "repeats_yearly": {"default": False},
            "note": {"default": ""},
        }  # fmt: skip
        validators: list[Any] = []  # an event that is there already is a conflict, and found when it is stored

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields must fit each other, and a category or product must be the shop's."""
        if not self.partial:
            attrs.setdefault("last_day", attrs["first_day"])
        whole = {name: getattr(self.instance, name) for name in WRITTEN} if self.instance else {}
        event = CalendarEvent(**{**whole, **attrs})
        check_whole(event)
        scope = (event.level, event.object_id)
        if self.instance is None or scope != (self.instance.level, self.instance.object_id):
            for (level, name), near in calendar_events.unknown([scope]).items():
                raise serializers.ValidationError({"object_id": [not_in_shop(level, name, near)]})
        return attrs


def check_whole(event: CalendarEvent) -> None:
    """Raise ValidationError (of the API) where the fields of `event` do not fit each other."""
    try:
        event.clean()
    except ValidationError as error:
        raise serializers.ValidationError(error.message_dict) from error


def not_in_shop(level: str, name: str, near: list[str]) -> str:
    """The sentence on a category or product that the shop does not have."""
    if level == "product":
        return gettext("The shop has no product with the id {id}.").format(id=name)
    if near:
        told = gettext("The shop has no category {id}. Perhaps: {near}.")
        return told.format(id=name, near=", ".join(near))
    return gettext("The shop has no category {id}.").format(id=name)


class Upload(Explained):
    """How to take an uploaded file."""

    dry_run = serializers.BooleanField(default=False, help_text=_("Read and report everything, store nothing."))


class UploadedFile(serializers.Serializer[Any]):
    """The body of an upload as a form."""

    file = serializers.FileField(help_text=_("CSV, up to 1 MB and 5,000 rows."))
