"""Model versions: the evidence for each, put another one into service, delete old ones."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ml_predictions import actions
from ml_predictions.admin.base import ReadOnly, pretty
from ml_predictions.messages import spoken
from ml_predictions.models import MLModel


@admin.register(MLModel)
class MLModelAdmin(ReadOnly):
    """Versions of the four services."""

    list_display = ("service", "version", "model_type", "is_active", "beats_baseline", "as_of", "trained_at")
    list_filter = ("service", "is_active", "beats_baseline")
    actions = ("activate", "activate_worse", "delete_idle")
    json_fields = ("metrics", "receipt", "parameters", "fingerprint", "libraries")
    pretty_metrics = pretty("metrics", _("metrics"))
    pretty_receipt = pretty("receipt", _("receipt"))
    pretty_parameters = pretty("parameters", _("parameters"))
    pretty_fingerprint = pretty("fingerprint", _("data fingerprint"))
    pretty_libraries = pretty("libraries", _("library versions"))

    @admin.action(description=_("Put into service"))
    def activate(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """Put the one selected version into service."""
        self._activate(request, queryset, accept_worse=False)

    @admin.action(description=_("Put into service although it loses to the baseline"))
    def activate_worse(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """The same, for a version that loses to the naive baseline."""
        self._activate(request, queryset, accept_worse=True)

    def _activate(self, request: HttpRequest, queryset: QuerySet[MLModel], *, accept_worse: bool) -> None:
        from ml_predictions.artifacts import ArtifactRefused

        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, gettext("Select exactly one version."), messages.ERROR)
            return
        try:
            model = actions.activate_model(chosen[0], user=request.user, accept_worse=accept_worse)
        except (actions.Refused, ArtifactRefused) as error:
            self.message_user(request, spoken(error), messages.ERROR)
            return
        self.message_user(request, gettext("{model} is in service.").format(model=model), messages.SUCCESS)

    @admin.action(description=_("Delete versions that are not in service"))
    def delete_idle(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """Delete the selected versions with their files, except those in service."""
        deleted = 0
        for model in queryset:
            try:
                actions.delete_model(model, user=request.user)
            except actions.Refused as error:
                self.message_user(request, spoken(error), messages.ERROR)
            else:
                deleted += 1
        if deleted:
            text = ngettext("{n} version deleted.", "{n} versions deleted.", deleted).format(n=deleted)
            self.message_user(request, text, messages.SUCCESS)
