"""What the stock wants: alerts and what one does to them, the analysis behind them, the health."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api_base.lists import FilterSet, NumberFilter, TimeFilter, WholeFilter
from ml_predictions import actions_alerts, conf, selectors, selectors_inventory
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.serializers import inventory, records
from ml_predictions.serializers.inputs import TrainNothing
from ml_predictions.views.base import Call, answer, checked_id, service_of
from ml_predictions.views.records import Records


class InventoryAnalysis(Call):
    """What in the stock wants a decision."""

    serializer_class = inventory.InventoryAnalysis

    @extend_schema(summary="Analyse the stock", parameters=[inventory.InventoryAnalysis], responses=inventory.ANALYSIS)
    def get(self, request: Request) -> Response:
        """Alerts by the money at stake, a page of them; the summary is over all."""
        wanted = self.checked(request)
        return answer(selectors_inventory.analysis(service_of("inventory_optimization"), wanted))


class InventoryHealth(Call):
    """How healthy the stock is."""

    @extend_schema(summary="Health of the stock", responses=inventory.HEALTH)
    def get(self, request: Request) -> Response:
        """A score with its components, the margin at risk and the cash in excess."""
        return answer(service_of("inventory_optimization").health())


class OneVariant(Call):
    """One variant explained."""

    @extend_schema(summary="One variant explained", responses=inventory.EXPLAINED)
    def get(self, request: Request, variant_id: str) -> Response:
        """Demand, levels, stock day by day with what is on its way, why it is ordered or not, and past promises."""
        return answer(selectors_inventory.variant(service_of("inventory_optimization"), checked_id(variant_id)))


class SlowMovingProducts(Call):
    """What lies still."""

    serializer_class = inventory.SlowMoving

    @extend_schema(summary="Dead and slow stock", parameters=[inventory.SlowMoving], responses=inventory.SLOW_MOVING)
    def get(self, request: Request) -> Response:
        """Its cost, how long it lasts, and what a lower price would bring, with what is assumed."""
        return answer(selectors_inventory.slow_moving(service_of("inventory_optimization"), self.checked(request)))


class InventorySimulation(Call):
    """The policy replayed on the shop's own past."""

    @extend_schema(summary="The policy replayed", responses=inventory.SIMULATION)
    def get(self, request: Request) -> Response:
        """What it would have cost and served over the last weeks, whole and per ABC class, beside the rule of thumb."""
        found = service_of("inventory_optimization").simulation()
        return answer({**found, "model": records.model_summary(found["model"])})


class InventoryValue(Call):
    """What alerts and order suggestions were worth."""

    serializer_class = inventory.Value

    @extend_schema(summary="Promise and truth of alerts", parameters=[inventory.Value], responses=inventory.VALUE)
    def get(self, request: Request) -> Response:
        """Precision per code, calibration, money promised and come, by month; beside a naive rule and the base rate."""
        return answer(selectors_inventory.value(self.checked(request)))


class AlertFilter(FilterSet):
    """Filters of `inventory-alerts/`."""

    min_urgency = WholeFilter(field_name="urgency_level", lookup_expr="gte")
    min_money = NumberFilter(field_name="money_at_stake", lookup_expr="gte")
    max_money = NumberFilter(field_name="money_at_stake", lookup_expr="lte")
    since = TimeFilter(field_name="created_at", lookup_expr="gte")
    acknowledged = django_filters.BooleanFilter(field_name="acknowledged_at", lookup_expr="isnull", exclude=True)
    snoozed = django_filters.BooleanFilter(method="asleep")

    class Meta:
        model = InventoryAlert
        fields = [
            "status", "alert_type", "code", "urgency_level", "category", "product_id", "variant_id", "sku",
            "resolved_how", "snoozed_until",
        ]  # fmt: skip

    def asleep(self, rows: QuerySet[InventoryAlert], name: str, wanted: bool) -> QuerySet[InventoryAlert]:
        """Those that are put off beyond today, or all others."""
        beyond = {"snoozed_until__gt": conf.shop_today()}
        return rows.filter(**beyond) if wanted else rows.exclude(**beyond)


@extend_schema_view(list=extend_schema(summary="Alerts"), retrieve=extend_schema(summary="One alert"))
class InventoryAlerts(Records):
    """What in the stock wants a decision, and what became of it."""

    queryset = InventoryAlert.objects.order_by("-money_at_stake", "id")
    serializer_class = records.AlertRecord
    filterset_class = AlertFilter
    search_fields = ["sku", "product_name"]
    ordering_fields = [
        "id", "money_at_stake", "expected_money", "urgency_level", "days_until_stockout", "current_stock",
        "created_at", "snoozed_until", "sku", "product_name",
    ]  # fmt: skip

    @extend_schema(summary="Alerts counted", responses=inventory.ALERT_SUMMARY, filters=False)
    @action(detail=False, pagination_class=None)
    def summary(self, request: Request) -> Response:
        """Active alerts by type and urgency, and the money at stake; snoozed ones are counted apart."""
        return answer(selectors.alert_summary())

    @extend_schema(summary="The alerts worth your time today", responses=inventory.DIGEST, filters=False)
    @action(detail=False, pagination_class=None)
    def digest(self, request: Request) -> Response:
        """As many as the setting ALERTS_A_DAY says, by the money expected; the rest is counted."""
        found = selectors_inventory.digest()
        return answer({**found, "alerts": records.AlertRecord(found["alerts"], many=True).data})

    @extend_schema(summary="Resolve an alert", request=inventory.Note, responses=records.AlertRecord)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: int) -> Response:
        """Resolved by hand, with a note; audited."""
        return self._done(actions_alerts.resolve_alert, inventory.Note, request)

    @extend_schema(summary="Acknowledge an alert", request=inventory.Note, responses=records.AlertRecord)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: int) -> Response:
        """Seen, by whom and when; it stays active. Audited."""
        return self._done(actions_alerts.acknowledge_alert, inventory.Note, request)

    @extend_schema(summary="Snooze an alert", request=inventory.Snooze, responses=records.AlertRecord)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: int) -> Response:
        """Put off until a day, on which it comes back by itself; earlier when it gets worse. Audited."""
        return self._done(actions_alerts.snooze_alert, inventory.Snooze, request)

    @extend_schema(summary="Take the snooze off an alert", request=TrainNothing, responses=records.AlertRecord)
    @action(detail=True, methods=["post"])
    def wake(self, request: Request, pk: int) -> Response:
        """Back at once; audited."""
        return self._done(actions_alerts.wake_alert, TrainNothing, request)

    def _done(self, act: Any, body: Any, request: Request) -> Response:
        wanted = self.checked(body, request)
        return answer(records.AlertRecord(act(self.get_object(), user=request.user, **wanted)).data)

    @extend_schema(
        summary="Resolve many alerts", request=inventory.ResolveMany, responses=inventory.RESOLVED_MANY, filters=False
    )
    @action(detail=False, methods=["post"], url_path="resolve-many", pagination_class=None)
    def resolve_many(self, request: Request) -> Response:
        """All that are named by ids, or fit the filters, or none of them; audited."""
        wanted = self.checked(inventory.ResolveMany, request)
        chosen = _fitting(wanted.pop("filters", None))
        ids = actions_alerts.resolve_many(chosen, user=request.user, **wanted)
        return answer({"resolved": len(ids), "ids": ids})


def _fitting(filters: dict[str, Any] | None) -> QuerySet[InventoryAlert]:
    """The alerts that pass filters given in a body; one that the list does not know is refused, not ignored."""
    rows = InventoryAlert.objects.all()
    if not filters:
        return rows
    if unknown := sorted(set(filters) - set(AlertFilter.get_filters())):
        told = gettext("The list of alerts has no filter {name}; it has {known}.")
        known = ", ".join(sorted(AlertFilter.get_filters()))
        raise ValidationError({"filters": [told.format(name=", ".join(unknown), known=known)]})
    data = QueryDict(mutable=True)
    data.update({name: str(value) for name, value in filters.items()})
    found = AlertFilter(data, queryset=rows)
    if not found.is_valid():
        raise ValidationError({"filters": [text for texts in found.errors.values() for text in texts]})
    passed: QuerySet[InventoryAlert] = found.qs
    return passed
