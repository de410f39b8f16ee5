"""`schedule/`: when the worker refreshes and trains by itself."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ml_predictions import actions, selectors_schedule
from ml_predictions.models_schedule import Schedule, Weekday
from ml_predictions.serializers import schedule as shapes
from ml_predictions.views.base import Call, answer


class ScheduleCall(Call):
    """The owner's one schedule."""

    serializer_class = shapes.ScheduleBody

    def get_object(self) -> Schedule | None:
        """The only row, for OPTIONS."""
        return Schedule.objects.first()

    @extend_schema(summary="The schedule", responses=shapes.SCHEDULE)
    def get(self, request: Request) -> Response:
        """Nightly refresh and weekly training: on or off, when, the next time, and the last runs."""
        return answer(_told())

    @extend_schema(summary="Change the schedule", request=shapes.ScheduleBody, responses=shapes.SCHEDULE)
    def put(self, request: Request) -> Response:
        """All five values; audited. What is switched on begins with its next day."""
        wanted = self.checked(request)
        wanted["weekly_day"] = shapes.DAYS.index(wanted["weekly_day"])
        actions.save_schedule(wanted, user=request.user)
        return answer(_told())


def _told() -> dict[str, object]:
    from ml_predictions.jobs import nightly

    found = selectors_schedule.schedule()
    return {**found, "weekly_day": Weekday(found["weekly_day"]).name.lower(), "steps": list(nightly.steps())}
