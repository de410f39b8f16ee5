"""The stock: alerts, and what one does to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ml_predictions import actions_alerts, conf
from ml_predictions.actions import Refused
from ml_predictions.admin.base import ReadOnly, amount, pretty, sentence
from ml_predictions.messages import spoken
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim, InventoryHealthDay


class Asleep(admin.SimpleListFilter):
    """Alerts that are put off beyond today, or all others."""

    title = _("snoozed")
    parameter_name = "snoozed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Yes or no."""
        return [("1", _("Yes")), ("0", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> QuerySet[InventoryAlert]:
        """The rows of the choice."""
        beyond = {"snoozed_until__gt": conf.shop_today()}
        return {"1": queryset.filter, "0": queryset.exclude}.get(self.value() or "", queryset.filter)(
            **(beyond if self.value() else {})
        )


@admin.register(InventoryAlert)
class InventoryAlertAdmin(ReadOnly):
    """What in the stock wants a decision."""

    list_display = (
        "sku", "product_name", "alert_type", "code", "urgency_level", "stake", "expected", "current_stock",
        "days_left", "status", "acknowledged_by", "snoozed_until", "created_at",
    )  # fmt: skip
    list_filter = (
        "status", "alert_type", "code", "urgency_level", Asleep, ("acknowledged_at", admin.EmptyFieldListFilter),
    )  # fmt: skip
    search_fields = ("sku", "product_name")
    actions = ("resolve", "acknowledge", "snooze_week", "snooze_month", "wake")
    ordering = ("status", "-expected_money", "id")
    message_fields = ("reason",)
    pretty_reason = sentence("reason", _("reason"))
    stake = amount("money_at_stake", _("money at stake"))
    expected = amount("expected_money", _("money expected"))
    days_left = amount("days_until_stockout", _("days until sold out"))

    @admin.action(description=_("Resolve"))
    def resolve(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> None:
        """Resolve the selected alerts by hand."""
        done = self._each(request, queryset, lambda alert: actions_alerts.resolve_alert(alert, user=request.user))
        self._tell(request, ngettext("{n} alert resolved.", "{n} alerts resolved.", done), done)

    @admin.action(description=_("Acknowledge"))
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> None:
        """Say that the selected alerts were seen."""
        done = self._each(request, queryset, lambda alert: actions_alerts.acknowledge_alert(alert, user=request.user))
        self._tell(request, ngettext("{n} alert acknowledged.", "{n} alerts acknowledged.", done), done)

    @admin.action(description=_("Snooze for a week"))
    def snooze_week(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> None:
        """Put the selected alerts off for 7 days."""
        self._snooze(request, queryset, days=7)

    @admin.action(description=_("Snooze for 30 days"))
    def snooze_month(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> None:
        """Put the selected alerts off for 30 days."""
        self._snooze(request, queryset, days=30)

    @admin.action(description=_("Wake"))
    def wake(self, request: HttpRequest, queryset: QuerySet[InventoryAlert]) -> None:
        """Take the snooze off the selected alerts."""
        done = self._each(request, queryset, lambda alert: actions_alerts.wake_alert(alert, user=request.user))
        self._tell(request, ngettext("{n} alert is back.", "{n} alerts are back.", done), done)

    def _snooze(self, request: HttpRequest, queryset: QuerySet[InventoryAlert], *, days: int) -> None:
        until = conf.shop_today() + timedelta(days=days)
        done = self._each(
            request, queryset, lambda alert: actions_alerts.snooze_alert(alert, until=until, user=request.user)
        )
        self._tell(request, ngettext("{n} alert snoozed.", "{n} alerts snoozed.", done), done)

    def _each(self, request: HttpRequest, queryset: QuerySet[InventoryAlert], act: Callable[..., Any]) -> int:
        """Do it to each; what is refused is told, the others are counted."""
        done = 0
        for alert in queryset:
            try:
                act(alert)
            except Refused as error:
                self.message_user(request, spoken(error), messages.WARNING)
            else:
                done += 1
        return done

    def _tell(self, request: HttpRequest, text: str, done: int) -> None:
        if done:
            self.message_user(request, text.format(n=done), messages.SUCCESS)


@admin.register(InventoryClaim)
class InventoryClaimAdmin(ReadOnly):
    """What alerts and order suggestions said, and what came. The sums: `GET /api/ml/inventory-value/`."""

    list_display = (
        "sku", "kind", "code", "abc", "made_on", "due_on", "chance", "promised", "done", "came_true", "came", "final",
    )  # fmt: skip
    list_filter = ("kind", "code", "came_true", "done", "unknown", "abc", "final")
    search_fields = ("=sku", "=variant_id")
    chance = amount("probability", _("probability"))
    promised = amount("money", _("money promised"))
    came = amount("money_came", _("money that came"))


@admin.register(InventoryHealthDay)
class InventoryHealthDayAdmin(ReadOnly):
    """The health of the stock, day by day."""

    list_display = ("day", "score", "risk", "excess", "at_cost")
    json_fields = ("components",)
    pretty_components = pretty("components", _("parts"))
    score = amount("health_score", _("health"))
    risk = amount("margin_at_risk", _("margin at risk"))
    excess = amount("cash_in_excess", _("cash in excess"))
    at_cost = amount("stock_value", _("stock at cost"))
