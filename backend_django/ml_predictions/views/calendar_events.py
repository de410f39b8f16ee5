"""The owner's calendar: list, read, enter, change, delete, and whole files of events in and out."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.core.files.base import ContentFile
from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import parsers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api_base.lists import DayFilter, FilterSet
from ml_predictions import actions
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.serializers import answers, calendar_csv
from ml_predictions.serializers.calendar_events import CalendarEventRecord, Upload, UploadedFile
from ml_predictions.services import calendar_events
from ml_predictions.views.base import Entered, answer

FORM_BYTES = 10_000
"""What a form may hold beside its file."""


class EventFilter(FilterSet):
    """Filters of `calendar-events/`."""

    date_from = DayFilter(
        method="since", help_text=_("Events with a day on or after this one; those of every year count as they recur.")
    )
    date_to = DayFilter(method="until", help_text=_("Events with a day on or before this one."))

    class Meta:
        model = CalendarEvent
        fields = ["kind", "level", "object_id", "repeats_yearly"]

    def since(self, rows: QuerySet[CalendarEvent], name: str, day: date) -> QuerySet[CalendarEvent]:
        """Those that are not over before `day`, nor only come back after `date_to`."""
        last = self.form.cleaned_data.get("date_to")
        if last is None:
            return rows.filter(Q(last_day__gte=day) | Q(repeats_yearly=True))
        yearly = [event.pk for event in rows.filter(repeats_yearly=True) if calendar_events.happens(event, day, last)]
        return rows.filter(Q(last_day__gte=day, repeats_yearly=False) | Q(pk__in=yearly))

    def until(self, rows: QuerySet[CalendarEvent], name: str, day: date) -> QuerySet[CalendarEvent]:
        """Those that begin by `day`."""
        return rows.filter(Q(first_day__lte=day) | Q(repeats_yearly=True))


class CsvBody(parsers.BaseParser):
    """A body that is the CSV file: as if it had come in a form. Reads one byte too many, so that this is seen."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The file as the field `file`."""
        file = ContentFile(stream.read(calendar_csv.MOST_BYTES + 1))
        return parsers.DataAndFiles(QueryDict(), MultiValueDict({"file": [file]}))


class SmallForm(parsers.MultiPartParser):
    """A form with a file; one that is far too large is refused before it is read."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The fields and files."""
        told = str((parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0")
        if told.isdigit() and int(told) > calendar_csv.MOST_BYTES + FORM_BYTES:
            raise calendar_csv.too_large(int(told))
        return super().parse(stream, media_type=media_type, parser_context=parser_context)


@extend_schema_view(
    list=extend_schema(summary="Calendar events"),
    retrieve=extend_schema(summary="One calendar event"),
    create=extend_schema(summary="Enter a calendar event"),
    update=extend_schema(summary="Replace a calendar event"),
    partial_update=extend_schema(summary="Change a calendar event"),
    destroy=extend_schema(summary="Delete a calendar event"),
)
class CalendarEvents(Entered):
    """Promotions, closures, holidays and extra openings that the forecast should know of."""

    lookup_value_converter = "int"
    queryset = CalendarEvent.objects.order_by("-first_day", "id")
    serializer_class = CalendarEventRecord
    filterset_class = EventFilter
    search_fields: ClassVar[list[str]] = ["name", "note"]
    ordering_fields: ClassVar[list[str]] = [
        "id", "kind", "name", "first_day", "last_day", "level", "object_id", "uplift", "created_at", "changed_at",
    ]  # fmt: skip
    save = staticmethod(actions.save_event)
    remove = staticmethod(actions.delete_event)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The export is CSV whatever the request accepts; its errors are JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "export")

    @extend_schema(
        summary="Upload calendar events as CSV", parameters=[Upload], filters=False, responses=answers.UPLOADED,
        request={"multipart/form-data": UploadedFile, "text/csv": OpenApiTypes.STR},
    )  # fmt: skip
    @action(detail=False, methods=["post"], parser_classes=[SmallForm, CsvBody], pagination_class=None)
    def upload(self, request: Request) -> Response:
        """All rows or none: every faulty cell is named; events that are there already are left out and counted."""
        asked = Upload(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        events = calendar_csv.read(_content(request))
        return answer(actions.add_events(events, user=request.user, dry_run=asked.validated_data["dry_run"]))

    @extend_schema(summary="Calendar events as CSV", responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=False, pagination_class=None)
    def export(self, request: Request) -> HttpResponse:
        """The events of the list, with its filters, in a file that can be uploaded again."""
        events = self.filter_queryset(self.get_queryset())
        headers = {"Content-Disposition": 'attachment; filename="calendar-events.csv"'}
        return HttpResponse(calendar_csv.write(events), content_type="text/csv; charset=utf-8", headers=headers)


def _content(request: Request) -> bytes:
    """The bytes of the file in the body."""
    file = request.FILES.get("file")
    if file is None:
        raise ValidationError({"file": [gettext("Send the CSV file as the field “file”, or as a body of text/csv.")]})
    return bytes(file.read(calendar_csv.MOST_BYTES + 1))
