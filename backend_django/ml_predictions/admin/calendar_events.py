"""The owner's calendar: events are entered here one by one, or as a CSV file on a page of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ml_predictions import actions
from ml_predictions.access import may_enter
from ml_predictions.admin.base import Kept, NamedProducts
from ml_predictions.messages import spoken
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.serializers import calendar_csv
from ml_predictions.serializers.calendar_events import WRITTEN, not_in_shop
from ml_predictions.services import calendar_events

LIST = "admin:ml_predictions_calendarevent_changelist"


class EventForm(forms.ModelForm):
    """An event; without a last day it is one day, and its category or product must be the shop's."""

    class Meta:
        model = CalendarEvent
        fields = WRITTEN

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.fields["last_day"].required = False
        self.fields["last_day"].help_text = _("Left out: the first day alone.")

    def clean(self) -> dict[str, Any]:
        """Complete the last day."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if "last_day" in found and found["last_day"] is None:
            found["last_day"] = found.get("first_day")
        return found

    def _post_clean(self) -> None:
        """Look the category or product up, when the fields fit each other."""
        super()._post_clean()  # type: ignore[misc]
        if not {"level", "object_id"} & set(self.changed_data) or self.errors.keys() & {"level", "object_id"}:
            return
        for scope, near in calendar_events.unknown([(self.instance.level, self.instance.object_id)]).items():
            self.add_error("object_id", not_in_shop(*scope, near))


class UploadForm(forms.Form):
    """A CSV file of events."""

    file = forms.FileField(label=_("CSV file"), help_text=_("Up to 1 MB and 5,000 rows."))
    dry_run = forms.BooleanField(label=_("Only check the file, store nothing"), required=False)


@admin.register(CalendarEvent)
class CalendarEventAdmin(NamedProducts, Kept):
    """Promotions, closures, holidays and extra openings: entered, changed and deleted by whom PERMISSION lets in."""

    form = EventForm
    change_list_template = "admin/ml_predictions/calendarevent/change_list.html"
    list_display = ("name", "kind", "first_day", "last_day", "subject", "uplift", "repeats_yearly")
    list_filter = ("kind", "level", "repeats_yearly")
    date_hierarchy = "first_day"
    search_fields = ("name", "note")
    product_fields: ClassVar[tuple[str, ...]] = ("object_id",)
    written = WRITTEN

    @admin.display(description=_("of what"), ordering="level")
    def subject(self, event: Any) -> str:
        """The whole shop, a category, or a product by its name."""
        names = event.product_names if event.level == CalendarEvent.Level.PRODUCT else {}
        name = str(names.get(event.object_id, event.object_id))
        return f"{event.get_level_display()}: {name}" if name else event.get_level_display()

    # --- files ------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The pages of files."""
        name = "ml_predictions_calendarevent_"
        upload = path("upload/", self.admin_site.admin_view(self.upload), name=name + "upload")
        export = path("export/", self.admin_site.admin_view(self.export), name=name + "export")
        return [upload, export, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponse:
        """All events as CSV."""
        if not may_enter(request, self):
            raise PermissionDenied
        headers = {"Content-Disposition": 'attachment; filename="calendar-events.csv"'}
        text = calendar_csv.write(CalendarEvent.objects.all())
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)

    def upload(self, request: HttpRequest) -> HttpResponse:
        """GET shows the form; POST stores the events of the file, or shows every fault of it."""
        if not may_enter(request, self):
            raise PermissionDenied
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        faults: list[calendar_csv.Fault] = []
        if request.method == "POST" and form.is_valid():
            try:
                self._add(request, form.cleaned_data)
                if not form.cleaned_data["dry_run"]:
                    return redirect(LIST)
            except calendar_csv.FaultyFile as error:
                faults = error.faults
            except actions.CalendarBusy as error:
                self.message_user(request, spoken(error), messages.ERROR)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Upload calendar events"),
            "opts": self.opts,
            "form": form,
            "faults": faults[: calendar_csv.MOST_TOLD],
            "count": len(faults),
            "columns": [(name, calendar_csv.ALLOWED[name]) for name in WRITTEN],
        }
        return TemplateResponse(request, "admin/ml_predictions/calendarevent/upload.html", context)

    def _add(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        """Read the file, store its events, say how many."""
        events = calendar_csv.read(asked["file"].read(calendar_csv.MOST_BYTES + 1))
        found = actions.add_events(events, user=request.user, dry_run=asked["dry_run"])
        new, old = found["created"], found["duplicates"]
        if asked["dry_run"]:
            text = ngettext("The file is fine: {n} new event.", "The file is fine: {n} new events.", new)
        else:
            text = ngettext("{n} event stored.", "{n} events stored.", new)
        left = ngettext("{n} row left out: it is there already.", "{n} rows left out: they are there already.", old)
        told = f"{text.format(n=new)} {left.format(n=old) if old else ''}".strip()
        self.message_user(request, told, messages.SUCCESS)
