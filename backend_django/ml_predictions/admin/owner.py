"""The owner's settings, changed by whom PERMISSION lets in."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext

from ml_predictions import actions_owner
from ml_predictions.admin.base import Kept, ReadOnly
from ml_predictions.messages.readable import NAMES
from ml_predictions.models_owner import OwnerMail, OwnerSettings


@admin.register(OwnerSettings)
class OwnerSettingsAdmin(Kept):
    """One row, made when the owner first decides something."""

    list_display = ("__str__", "changed_by", "changed_at")
    written = tuple(f.name for f in OwnerSettings._meta.fields if f.editable and not f.primary_key)
    told: ClassVar[tuple[str, ...]] = ("changed_by", "changed_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one row."""
        return super().has_add_permission(request) and not OwnerSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """It is emptied, and not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """As the dashboard does it, audited."""
        if again := actions_owner.save_owner_settings(obj, user=request.user):
            names = ", ".join(str(NAMES[service]) for service in again)
            text = gettext("Train again to make it count in full: %(services)s.")
            messages.warning(request, text % {"services": names})

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The action has written it."""
        return None

    log_change = log_addition


@admin.register(OwnerMail)
class OwnerMailAdmin(ReadOnly):
    """What was sent, and what could not be."""

    list_display = ("kind", "day", "sent_at", "recipients", "error")
    list_filter = ("kind",)
