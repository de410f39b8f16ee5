"""Settings: what the owner decides, the way to what is kept in the administration, and one's own password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import Throttled

from authentication import lockout, tokens
from dashboard.templatetags.dashboard import kind, number
from dashboard.views.base import Page
from ml_predictions import actions_owner, conf, selectors, selectors_sales
from ml_predictions.models_owner import BAKED, OWNERS, RANGES, OwnerSettings, owner_settings

GROUPS: tuple[tuple[Any, Any, tuple[str, ...]], ...] = (
    (_("The shop"), _("Where it is and what it counts in."), ("country", "region", "currency")),
    (
        _("Stock and orders"),
        _("What the reorder points, the quantities and the alerts are computed with."),
        ("holding_rate", "order_line_cost", "review_days", "default_lead_time_days", "service_level"),
    ),
    (
        _("What is shown"),
        _("How much of your time the alerts may take, and what recommendations weigh."),
        ("alerts_a_day", "stock_steering_loss"),
    ),
    (
        _("E-mails"),
        _("Nobody is written to until somebody stands here."),
        ("brief_recipients", "brief_day", "critical_recipients", "brief_language"),
    ),
)
"""Heading, explanation and columns of each part of the page."""
SHARES = ("holding_rate", "service_level", "stock_steering_loss")
ADMIN = (
    (_("Users and what they may do"), "admin:authentication_user_changelist"),
    (_("Service keys for the shop's own server"), "admin:authentication_servicekey_changelist"),
    (_("Calendar: events, closures, campaigns"), "admin:ml_predictions_calendarevent_changelist"),
    (_("What recommendations always or never show"), "admin:ml_predictions_recommendationrule_changelist"),
    (_("These settings in the administration, with their history"), "admin:ml_predictions_ownersettings_changelist"),
)


class Percent(forms.FloatField):
    """A share, written as per cent."""

    def prepare_value(self, value: Any) -> Any:
        """25 for 0.25; what was typed stays."""
        return round(100 * value, 6) if isinstance(value, float) else value

    def clean(self, value: Any) -> float | None:
        """0.25 for 25."""
        found = super().clean(value)
        return None if found is None else round(found / 100, 8)


class SettingsForm(forms.ModelForm):
    """The owner's row; each figure with what it may be and what holds while it is empty."""

    class Meta:
        model = OwnerSettings
        fields = tuple(name for _heading, _text, names in GROUPS for name in names)
        field_classes = dict.fromkeys(SHARES, Percent)
        widgets = {name: forms.Textarea({"rows": 2}) for name in ("brief_recipients", "critical_recipients")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in RANGES:
            field, (low, high) = self.fields[name], _range(name)
            whole = isinstance(field, forms.IntegerField) and not isinstance(field, forms.FloatField)
            field.widget.attrs |= {"min": f"{low:g}", "max": f"{high:g}", "step": "1" if whole else "any"}
            field.validators = [
                MinValueValidator(low, _("Between %(low)s and %(high)s, please.") % _told(low, high)),
                MaxValueValidator(high, _("Between %(low)s and %(high)s, please.") % _told(low, high)),
            ]

    def groups(self) -> list[dict[str, Any]]:
        """What the template shows, part by part."""
        self.found = {**selectors.guessed_place(), "currency": selectors_sales.currency()}
        return [
            {"heading": heading, "text": text, "fields": [self._shown(name) for name in names]}
            for heading, text, names in GROUPS
        ]

    def _shown(self, name: str) -> dict[str, Any]:
        field = self[name]
        if placeholder := _placeholder(name, self.found):
            field.field.widget.attrs["placeholder"] = placeholder
        described = [f"{field.auto_id}-help", *([f"{field.auto_id}-errors"] if field.errors else [])]
        field.field.widget.attrs |= {"aria-describedby": " ".join(described)}
        return {
            "bound": field, "percent": name in SHARES, "in_force": _in_force(name),
            "range": _range(name) if name in RANGES else None,
            "again": [kind(service) for service in BAKED.get(name, ())],
        }  # fmt: skip


def _range(name: str) -> tuple[float, float]:
    """From and to, as they are typed."""
    times = 100 if name in SHARES else 1
    return round(RANGES[name][0] * times, 6), round(RANGES[name][1] * times, 6)


def _told(low: float, high: float) -> dict[str, str]:
    return {"low": f"{low:g}", "high": f"{high:g}"}


def _placeholder(name: str, found: Mapping[str, str]) -> str:
    """What holds while the field is empty, as it would be typed; "" where nothing is known. `found`: in the sales."""
    if name not in OWNERS:
        return ""
    value = conf.project(name.upper())
    if isinstance(value, str):
        return value or found.get(name, "")
    return f"{value * (100 if name in SHARES else 1):g}"


def _in_force(name: str) -> str:
    """What holds while the owner decides nothing, in words; "" where there is nothing to say."""
    if name not in OWNERS:
        return ""
    value = conf.project(name.upper())
    if isinstance(value, str):
        return value
    shown = round(100 * value, 6) if name in SHARES else value
    return number(shown, 0 if float(shown).is_integer() else 1) + ("\u00a0%" if name in SHARES else "")


class Settings(Page):
    """The owner's settings."""

    template = "dashboard/settings.html"
    title = _("Settings")
    entry = "settings"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The form and the links."""
        form = kwargs.get("form") or SettingsForm(instance=owner_settings())
        links = [(label, reverse(name)) for label, name in ADMIN]
        row = owner_settings()
        return {"form": form, "links": links, "time_zone": conf.get("TIME_ZONE"), "row": row if row.pk else None}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Store it, audited; what cannot be stands beside its field, and nothing is stored."""
        form = SettingsForm(request.POST, instance=owner_settings())
        if not form.is_valid():
            return self.page(self.context(form=form), status=422)
        again = actions_owner.save_owner_settings(form.instance, user=request.user)
        messages.success(request, gettext("The settings are stored."))
        if again:
            names = ", ".join(kind(service) for service in again)
            messages.warning(request, gettext("Train again to make it count in full: %(names)s.") % {"names": names})
        return redirect("dashboard:settings")


class PasswordForm(PasswordChangeForm):
    """Old and new password; wrong old ones count towards the lock-out, as at signing in."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """The password as it is until now."""
        given = self.cleaned_data["old_password"]
        try:
            found = lockout.authenticated(self.request, str(self.user.email), given)
        except Throttled as error:
            raise forms.ValidationError(str(error.detail)) from error
        if found is None:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return str(given)


class Password(Page):
    """One's own password."""

    template = "dashboard/password.html"
    title = _("Password")
    entry = "settings"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The form."""
        return {"form": kwargs.get("form") or PasswordForm(self.request.user, request=self.request)}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Change it: every other sign-in and every token of this account ends; this one goes on."""
        form = PasswordForm(request.user, request.POST, request=request)
        if not form.is_valid():
            return self.page(self.context(form=form), status=422)
        with transaction.atomic():
            user = form.save()
            tokens.revoke_all(user)
        update_session_auth_hash(request, user)
        messages.success(request, gettext("The password is changed; other sign-ins of this account have ended."))
        return redirect("dashboard:settings")
