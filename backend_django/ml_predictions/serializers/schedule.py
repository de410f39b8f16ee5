"""The owner's schedule: what is sent, and what is answered."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.fields import Flag, Whole
from api_base.serializers import Explained
from ml_predictions.models import MLTrainingLog
from ml_predictions.models_schedule import Task, Weekday
from ml_predictions.serializers.answers import many, part, shape, text

DAYS = [day.name.lower() for day in Weekday]
"""The days of the week in the API, Monday first."""


class ScheduleBody(Explained):
    """When the worker does what by itself, in shop time."""

    nightly_on = Flag()
    nightly_hour = Whole(min_value=0, max_value=23, help_text=_("0 to 23, shop time."))
    weekly_on = Flag()
    weekly_day = serializers.ChoiceField(choices=DAYS)
    weekly_hour = Whole(min_value=0, max_value=23, help_text=_("0 to 23, shop time."))


SCHEDULE = shape(
    "ScheduleAnswer",
    success=serializers.BooleanField(),
    nightly_on=serializers.BooleanField(),
    nightly_hour=serializers.IntegerField(),
    weekly_on=serializers.BooleanField(),
    weekly_day=serializers.ChoiceField(choices=DAYS),
    weekly_hour=serializers.IntegerField(),
    time_zone=text(),
    next=part(
        "ScheduleNext",
        nightly=serializers.DateTimeField(allow_null=True),
        weekly=serializers.DateTimeField(allow_null=True),
    ),
    steps=serializers.ListField(child=serializers.CharField(), help_text="Of the nightly refresh, in their order."),
    last_runs=many(
        "ScheduledRunRow",
        task=serializers.ChoiceField(choices=Task.choices),
        day=serializers.DateField(),
        due_at=serializers.DateTimeField(),
        queued_at=serializers.DateTimeField(),
        left_out=serializers.IntegerField(help_text="Days missed before it while no worker ran."),
        training_log_id=serializers.IntegerField(allow_null=True),
        status=serializers.ChoiceField(choices=MLTrainingLog.Status.choices, allow_null=True),
    ),
)
