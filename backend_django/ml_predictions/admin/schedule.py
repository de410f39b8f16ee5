"""The owner's schedule, changed by whom PERMISSION lets in, and the runs that it has queued."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ml_predictions import actions
from ml_predictions.admin.base import Kept, ReadOnly
from ml_predictions.models_schedule import Schedule, ScheduledRun
from ml_predictions.selectors_schedule import FIELDS


@admin.register(Schedule)
class ScheduleAdmin(Kept):
    """One row, which is there from the start."""

    list_display = ("__str__", *FIELDS, "changed_by", "changed_at")
    written = FIELDS
    told: ClassVar[tuple[str, ...]] = ("changed_by", "changed_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one schedule."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """It is switched off, and not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """As the API does it, audited."""
        actions.save_schedule({name: form.cleaned_data[name] for name in FIELDS}, user=request.user)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The action has written it."""
        return None


@admin.register(ScheduledRun)
class ScheduledRunAdmin(ReadOnly):
    """What the schedule has queued."""

    list_display = ("task", "day", "queued_at", "left_out", "training_log", "came_of_it")
    list_filter = ("task",)
    list_select_related = ("training_log",)

    @admin.display(description=_("status"))
    def came_of_it(self, run: ScheduledRun) -> str:
        """How the run ended, or how far it is."""
        return str(run.training_log.get_status_display()) if run.training_log else "—"
