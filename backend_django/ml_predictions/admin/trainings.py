"""Trainings: what runs, how far it is, start one (after a page that asks), cancel one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ml_predictions import selectors
from ml_predictions.access import may_enter
from ml_predictions.admin.base import ReadOnly, pretty, sentence
from ml_predictions.messages import render, spoken
from ml_predictions.models import Kind, MLTrainingLog

REFRESH_SECONDS = 3


class KindFilter(admin.SimpleListFilter):
    """Which service was trained; other kinds of run stand under "all"."""

    title = _("what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The services by name."""
        return list(Kind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[MLTrainingLog]) -> QuerySet[MLTrainingLog]:
        """The runs of the one chosen."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(MLTrainingLog)
class MLTrainingLogAdmin(ReadOnly):
    """The trainings; while one is under way the page loads itself again."""

    change_list_template = "admin/ml_predictions/mltraininglog/change_list.html"
    change_form_template = "admin/ml_predictions/mltraininglog/change_form.html"
    list_display = ("id", "kind_name", "status", "bar", "doing", "cause", "requested_by", "created_at", "seconds")
    list_filter = ("status", KindFilter, "cause")
    actions = ("cancel", "retry")
    json_fields = ("parameters", "result")
    message_fields = ("step", "error")
    pretty_parameters = pretty("parameters", _("parameters"))
    pretty_result = pretty("result", _("result"))
    pretty_step = sentence("step", _("step"))
    pretty_error = sentence("error", _("error"))

    @admin.display(description=_("what"), ordering="kind")
    def kind_name(self, log: MLTrainingLog) -> str:
        """The kind in the reader's language."""
        return str(dict(Kind.choices).get(log.kind, log.kind))

    @admin.display(description=_("progress"))
    def bar(self, log: MLTrainingLog) -> SafeString:
        """How far it is."""
        return format_html('<progress max="100" value="{0}"></progress> {0} %', f"{log.progress:.0f}")

    @admin.display(description=_("step"))
    def doing(self, log: MLTrainingLog) -> str:
        """What it does, or why it failed."""
        return render(log.error or log.step) or "—"

    @admin.display(description=_("seconds"))
    def seconds(self, log: MLTrainingLog) -> str:
        """How long it took."""
        return "—" if log.duration_seconds is None else number_format(log.duration_seconds, 1, force_grouping=True)

    # --- starting and cancelling --------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The page that asks before a training starts."""
        train = path("train/<str:kind>/", self.admin_site.admin_view(self.train), name="ml_predictions_train")
        return [train, *super().get_urls()]

    def train(self, request: HttpRequest, kind: str) -> HttpResponse:
        """GET asks, POST queues the training and goes to its row."""
        from ml_predictions import jobs

        if not may_enter(request, self):
            raise PermissionDenied
        if kind not in Kind.values:
            raise Http404(kind)
        if request.method != "POST":
            return self._ask(request, Kind(kind))
        try:
            log = jobs.submit(kind, {}, requested_by=str(request.user))
        except jobs.AlreadyRunning as error:
            self.message_user(request, spoken(error), messages.ERROR)
            return redirect("admin:ml_predictions_mltraininglog_changelist")
        self.message_user(request, gettext("The training is queued."), messages.SUCCESS)
        return redirect("admin:ml_predictions_mltraininglog_change", log.pk)

    def _ask(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Train: {kind}").format(kind=kind.label),
            "kind": kind,
            "opts": self.opts,
            "worker_alive": selectors.worker_alive(),
        }
        return TemplateResponse(request, "admin/ml_predictions/mltraininglog/train.html", context)

    @admin.action(description=_("Cancel"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[MLTrainingLog]) -> None:
        """Cancel the selected trainings that are queued or running."""
        from ml_predictions import jobs

        for log in queryset:
            try:
                jobs.cancel(log, requested_by=str(request.user))
            except jobs.NotRunning as error:
                self.message_user(request, spoken(error), messages.WARNING)

    @admin.action(description=_("Try again"))
    def retry(self, request: HttpRequest, queryset: QuerySet[MLTrainingLog]) -> None:
        """Queue the selected trainings that failed or were cancelled once more."""
        from ml_predictions import jobs

        for log in queryset:
            try:
                jobs.retry(log, requested_by=str(request.user))
            except (jobs.NotRetryable, jobs.AlreadyRunning) as error:
                self.message_user(request, spoken(error), messages.WARNING)

    # --- live status --------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list with the buttons, loaded again while something is under way."""
        under_way = MLTrainingLog.objects.filter(status__in=MLTrainingLog.OPEN).exists()
        buttons = [(kind.label, reverse("admin:ml_predictions_train", args=[kind.value])) for kind in Kind]
        extra = {
            "buttons": buttons,
            "refresh_seconds": REFRESH_SECONDS if under_way and request.method == "GET" else None,
            "worker_alive": selectors.worker_alive(),
        }
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One training, loaded again while it is under way."""
        log = MLTrainingLog.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        under_way = log is not None and log.status in MLTrainingLog.OPEN
        extra = {"refresh_seconds": REFRESH_SECONDS if under_way else None}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})
