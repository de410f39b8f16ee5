"""Training: the four services, their versions, what runs, what has failed and why, and when all happens by itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard import charts
from dashboard.views.base import Page, Step
from ml_predictions import actions, selectors, selectors_schedule, selectors_versions
from ml_predictions.messages import spoken
from ml_predictions.models import Kind, MLModel, MLTrainingLog
from ml_predictions.models_schedule import Schedule

LAST = 15


class Training(Page):
    """Everything about training on one page."""

    template = "dashboard/training.html"
    title = _("Training")
    entry = "training"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """Services with their version, last trainings, versions, requirements and the schedule."""
        served = selectors.active_models()
        return {
            "services": [(kind, served.get(kind.value)) for kind in Kind if kind != Kind.ALL],
            "requirements": selectors.requirements(),
            "versions": MLModel.objects.order_by("-id")[:LAST],
            "logs": selectors.trainings()[:LAST],
            "over_time": _over_time(),
            "schedule": selectors_schedule.schedule(),
            "schedule_form": ScheduleForm(instance=Schedule.objects.first() or Schedule()),
        }


FIGURES = {
    "sales_forecast": (_("Error of a day, as a share of sales; the smaller the better."), True),
    "product_recommendation": (_("Lists of ten of which one was really bought; the more the better."), True),
    "customer_segmentation": (
        _("Off by so much money a customer, over the next months; the smaller the better."),
        False,
    ),
    "inventory_optimization": (_("Cost of stock and lost sales, replayed; the smaller the better."), False),
}
"""What the figure of each service is, and whether it is a share."""


def _over_time() -> list[dict[str, Any]]:
    """A chart and its rows per service that has a tested version."""
    found = selectors_versions.over_time()
    return [
        {"kind": kind, "what": what, "share": share, "rows": found[kind],
         "chart": charts.over_time(found[kind], share=share)}
        for kind, (what, share) in FIGURES.items()
        if found[kind]
    ]  # fmt: skip


class Progress(Page):
    """How far it is: a part of the page that asks again by itself while something runs."""

    template = "dashboard/parts/progress.html"
    title = _("Training")


class ScheduleForm(forms.ModelForm):
    """The owner's schedule."""

    class Meta:
        model = Schedule
        fields = ("nightly_on", "nightly_hour", "weekly_on", "weekly_day", "weekly_hour")


class SaveSchedule(Step):
    """Store the schedule."""

    back = "dashboard:training"

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """Audited; wrong values are said."""
        form = ScheduleForm(request.POST, instance=Schedule.objects.first() or Schedule())
        if not form.is_valid():
            raise forms.ValidationError([str(error) for errors in form.errors.values() for error in errors])
        actions.save_schedule(dict(form.cleaned_data), user=request.user)
        return gettext("The schedule is stored.")


class Start(Step):
    """Queue a training."""

    back = "dashboard:training"

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """Of one service or of all four."""
        from ml_predictions import jobs  # it brings NumPy along, which the server's start does without

        kind = request.POST.get("kind", "")
        if kind not in Kind.values:
            raise Http404(kind)
        jobs.submit(kind, {}, requested_by=str(request.user))
        return gettext("Queued. This page shows how far it is.")


class OfLog(Step):
    """Cancel a training, or try it again."""

    back = "dashboard:training"

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the last part of the address."""
        from ml_predictions import jobs

        log = get_object_or_404(MLTrainingLog, pk=kwargs["log_id"])
        if kwargs["what"] == "cancel":
            jobs.cancel(log, requested_by=str(request.user))
            return gettext("It is asked to stop.")
        jobs.retry(log, requested_by=str(request.user))
        return gettext("Queued again.")


class Version(Page):
    """One version: what it is, what stands behind it, and the way back to it."""

    template = "dashboard/version.html"
    title = _("Version")
    entry = "training"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The report."""
        model = get_object_or_404(MLModel, pk=kwargs["model_id"])
        title = f"{model.get_service_display()} {model.version}"
        return {"model": model, "report": selectors_versions.report(model), "title": title}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Put into service, or delete."""
        from ml_predictions.artifacts import ArtifactRefused  # it brings NumPy along

        model = get_object_or_404(MLModel, pk=kwargs["model_id"])
        try:
            if request.POST.get("what") == "delete":
                actions.delete_model(model, user=request.user)
                messages.success(request, gettext("The version is deleted, with its file."))
            else:
                worse = request.POST.get("accept_worse") == "1"
                actions.activate_model(model, user=request.user, accept_worse=worse)
                messages.success(request, gettext("The version is in service."))
        except (actions.Refused, ArtifactRefused) as error:
            messages.error(request, spoken(error))
            return redirect("dashboard:version", model.pk)
        return redirect("dashboard:training")
