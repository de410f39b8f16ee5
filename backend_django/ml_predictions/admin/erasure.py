"""Erasures of persons: their certificates, and the page that asks before a person is erased."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ml_predictions import actions, selectors
from ml_predictions.access import may_enter
from ml_predictions.admin.base import ReadOnly, pretty
from ml_predictions.messages import spoken
from ml_predictions.models_erasure import PersonalDataErasure
from retail_ml.errors import UnknownId


@admin.register(PersonalDataErasure)
class PersonalDataErasureAdmin(ReadOnly):
    """Who asked, when, and the certificate. A person is erased from their own page among the users."""

    list_display = ("id", "requested_at", "requested_by", "is_done", "finished_at")
    json_fields = ("certificate",)
    pretty_certificate = pretty("certificate", _("certificate"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Without what the person is found by while it is under way."""
        told = ["requested_by", "requested_at", "training_log", "finished_at"]
        return [*told, "pretty_certificate", "sha256", "genuine"]

    @admin.display(description=_("done"), boolean=True)
    def is_done(self, row: PersonalDataErasure) -> bool:
        """Is everything removed?"""
        return row.finished_at is not None

    @admin.display(description=_("genuine"), boolean=True)
    def genuine(self, row: PersonalDataErasure) -> bool | None:
        """Is the certificate the one that was signed here?"""
        from ml_predictions.services.erasure.certificate import is_genuine

        return is_genuine(row) if row.finished_at else None

    def get_urls(self) -> list[URLPattern]:
        """The page that asks before a person is erased."""
        erase = path("erase/<str:customer_id>/", self.admin_site.admin_view(self.erase), name="ml_predictions_erase")
        return [erase, *super().get_urls()]

    def erase(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        """GET asks, POST queues the erasure and goes to its run."""
        from ml_predictions.jobs import erasure

        if not may_enter(request, self):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, customer_id)
        try:
            row = actions.request_erasure(customer_id, user=request.user)
            log = erasure.start(row, requested_by=str(request.user))
        except (actions.Refused, erasure.ErasureUnderWay, UnknownId) as error:
            self.message_user(request, spoken(error), messages.ERROR)
            return redirect("admin:ml_predictions_personaldataerasure_changelist")
        self.message_user(request, gettext("The erasure is queued."), messages.SUCCESS)
        return redirect("admin:ml_predictions_mltraininglog_change", log.pk)

    def _ask(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        name = selectors.name_of_customer(customer_id)
        if name is None:
            raise Http404(customer_id)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Erase a person"),
            "opts": self.opts,
            "person": name,
            "worker_alive": selectors.worker_alive(),
        }
        return TemplateResponse(request, "admin/ml_predictions/personaldataerasure/erase.html", context)
