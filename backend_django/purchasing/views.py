"""Suppliers, their items and prices, and purchase orders: for superusers and the role admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

import django_filters
from django.contrib.admin.models import CHANGE, DELETION
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api_base import audit
from api_base.errors import BadInput, Conflict
from api_base.lists import DayFilter, FilterSet, IdFilter, TextFilter, TimeFilter
from api_base.serializers import Nothing
from api_base.views import Editable
from authentication.permissions import IsSuperuserOrAdmin
from purchasing import drafts, export, serializers, services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice
from purchasing.services import PurchaseError

ORDER_REFUSED: dict[type[Exception], str] = {PurchaseError: "purchase_order_refused"}


class Kept(Editable):
    """Rows that are entered, changed and, while nothing hangs on them, deleted."""

    permission_classes = (IsSuperuserOrAdmin,)  # type: ignore[assignment]

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the row, audited."""
        row = self.get_object()
        self.may_go(row)
        audit.record(request.user, row, DELETION, gettext_noop("Deleted by the API."))
        self.remove(row)
        return Response(status=204)

    def may_go(self, row: Any) -> None:
        """Raise Conflict when something hangs on the row."""

    def remove(self, row: Any) -> None:
        """Delete it."""
        row.delete()


def described(one: str, many: str) -> Any:
    """Summaries of the calls of a list."""
    return extend_schema_view(
        list=extend_schema(summary=many),
        retrieve=extend_schema(summary=f"One {one}"),
        create=extend_schema(summary=f"Enter a {one}"),
        update=extend_schema(summary=f"Replace a {one}"),
        partial_update=extend_schema(summary=f"Change a {one}"),
        destroy=extend_schema(summary=f"Delete a {one}"),
    )


class SupplierFilter(FilterSet):
    """Filters of `suppliers/`."""

    class Meta:
        model = Supplier
        fields = ["name", "is_active"]


@described("supplier", "Suppliers")
class Suppliers(Kept):
    """Who delivers: lead time, its spread, the smallest order."""

    queryset = Supplier.objects.order_by("name")
    serializer_class = serializers.SupplierRecord
    filterset_class = SupplierFilter
    search_fields: ClassVar[list[str]] = ["name", "email"]
    ordering_fields: ClassVar[list[str]] = ["id", "name", "lead_time_days", "minimum_order_value"]

    def may_go(self, row: Supplier) -> None:
        """Only one that nothing was ordered from."""
        if row.purchase_orders.exists() or row.items.exists():
            told = gettext("{name} has purchase orders or items: set is_active to false instead.")
            raise Conflict(told.format(name=row.name), code="supplier_in_use")


class SupplierItemFilter(FilterSet):
    """Filters of `supplier-items/`."""

    variant = IdFilter(field_name="variant_id")
    supplier = IdFilter(field_name="supplier_id")
    sku = TextFilter(field_name="variant__sku")

    class Meta:
        model = SupplierItem
        fields = ["supplier_sku"]


@described("supplier's item", "Suppliers' items")
class SupplierItems(Kept):
    """Which supplier each variant is bought from, and under which number."""

    queryset = SupplierItem.objects.select_related("variant", "supplier").order_by("-id")
    serializer_class = serializers.SupplierItemRecord
    filterset_class = SupplierItemFilter
    search_fields: ClassVar[list[str]] = ["variant__sku", "supplier_sku", "supplier__name"]
    ordering_fields: ClassVar[list[str]] = ["id", "supplier_sku"]


class SupplierPriceFilter(FilterSet):
    """Filters of `supplier-prices/`."""

    variant = IdFilter(field_name="variant_id")
    supplier = IdFilter(field_name="supplier_id")
    sku = TextFilter(field_name="variant__sku")

    class Meta:
        model = SupplierPrice
        fields: ClassVar[list[str]] = []


@described("supplier's price", "Suppliers' prices")
class SupplierPrices(Kept):
    """What suppliers ask from which quantity on: 1 is the price, more a price break."""

    queryset = SupplierPrice.objects.select_related("variant", "supplier").order_by("-id")
    serializer_class = serializers.SupplierPriceRecord
    filterset_class = SupplierPriceFilter
    search_fields: ClassVar[list[str]] = ["variant__sku", "supplier__name"]
    ordering_fields: ClassVar[list[str]] = ["id", "minimum_quantity", "unit_cost"]


# --- purchase orders ------------------------------------------------------------------------------


class OrderFilter(FilterSet):
    """Filters of `purchase-orders/`."""

    supplier = IdFilter(field_name="supplier_id")
    status = django_filters.ChoiceFilter(choices=PurchaseOrder.Status.choices)
    sku = TextFilter(method="with_sku", help_text=_("Orders with this SKU."))
    overdue = django_filters.BooleanFilter(method="late", help_text=_("Confirmed, and expected before today."))
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = TimeFilter(field_name="created_at", lookup_expr="lte")
    expected_from = DayFilter(field_name="expected_on", lookup_expr="gte")
    expected_to = DayFilter(field_name="expected_on", lookup_expr="lte")

    class Meta:
        model = PurchaseOrder
        fields = ["number"]

    def with_sku(self, rows: QuerySet[PurchaseOrder], name: str, sku: str) -> QuerySet[PurchaseOrder]:
        """Orders in which the SKU stands."""
        return rows.filter(pk__in=PurchaseOrderLine.objects.filter(variant__sku=sku).values("purchase_order"))

    def late(self, rows: QuerySet[PurchaseOrder], name: str, wanted: bool) -> QuerySet[PurchaseOrder]:
        """Those that should have come, or all others."""
        found = Q(status=PurchaseOrder.Status.CONFIRMED, expected_on__lt=timezone.localdate())
        return rows.filter(found) if wanted else rows.exclude(found)


DETAIL = serializers.PurchaseOrderDetail


@extend_schema_view(
    list=extend_schema(summary="Purchase orders"),
    retrieve=extend_schema(summary="One purchase order with its lines"),
    create=extend_schema(
        summary="Draft a purchase order", request=serializers.PurchaseOrderDraft, responses={201: DETAIL}
    ),
    update=extend_schema(summary="Replace a draft", request=serializers.PurchaseOrderDraft, responses=DETAIL),
    partial_update=extend_schema(summary="Change a draft", request=serializers.PurchaseOrderDraft, responses=DETAIL),
    destroy=extend_schema(summary="Delete a draft"),
)
class PurchaseOrders(Kept):
    """Orders to suppliers: drafts, confirmed, received, cancelled. Drafts and confirmed ones count when ordering."""

    queryset = PurchaseOrder.objects.select_related("supplier").order_by("-id")
    filterset_class = OrderFilter
    search_fields: ClassVar[list[str]] = ["number", "supplier__name", "note"]
    ordering_fields: ClassVar[list[str]] = [
        "id", "number", "status", "created_at", "ordered_at", "expected_on", "received_at",
    ]  # fmt: skip
    refusals = ORDER_REFUSED

    def get_serializer_class(self) -> Any:
        """Lists go without lines; drafts are written with lines of their own form."""
        if self.action in ("create", "update", "partial_update"):
            return serializers.PurchaseOrderDraft
        return serializers.PurchaseOrderRecord if self.action == "list" else DETAIL

    def get_queryset(self) -> QuerySet[PurchaseOrder]:
        """With the figures of their lines, and for one order with the lines."""
        rows: QuerySet[PurchaseOrder] = PurchaseOrder.objects.with_sums().select_related("supplier").order_by("-id")
        if self.action in ("list", "export"):
            return rows
        lines = PurchaseOrderLine.objects.select_related("variant__product").order_by("pk")
        return rows.prefetch_related(Prefetch("lines", lines))

    def as_stored(self, serializer: Any, status: int = 200) -> Response:
        """The order as it is read from now on."""
        return self.answer(serializer.instance.pk, status)

    def answer(self, pk: int, status: int = 200) -> Response:
        """The order as it is stored now."""
        return Response(DETAIL(self.get_queryset().get(pk=pk)).data, status=status)

    def remove(self, row: PurchaseOrder) -> None:
        """Only drafts; the rest is cancelled."""
        drafts.delete(row)

    @extend_schema(summary="Send a draft to its supplier", request=serializers.Confirm, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: int) -> Response:
        """From now on it is on its way: expected after the longest lead time of its lines, unless you know better."""
        wanted = self.checked(serializers.Confirm)
        row, sent = self.get_object(), timezone.localtime(wanted.get("ordered_at")).date()
        if "expected_on" in wanted and wanted["expected_on"] < sent:
            told = gettext("It was ordered only on {ordered_at}.").format(ordered_at=sent.isoformat())
            raise BadInput("expected_on", told, wanted["expected_on"].isoformat())

        def do() -> None:
            if "expected_on" in wanted:
                drafts.change(row, expected_on=wanted["expected_on"])
            services.confirm(row, at=wanted.get("ordered_at"))

        return self.done(row, gettext_noop("Confirmed by the API."), do)

    @extend_schema(summary="Book what came", request=serializers.Receive, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def receive(self, request: Request, pk: int) -> Response:
        """All that is missing, or some: it goes on the shelf. The same delivery note is booked once."""
        wanted = self.checked(serializers.Receive)
        row, at = self.get_object(), wanted.get("received_at")
        if at and row.ordered_at and at < row.ordered_at:
            told = gettext("It was ordered only on {ordered_at}.").format(ordered_at=row.ordered_at.isoformat())
            raise BadInput("received_at", told, at.isoformat())
        note = wanted.get("reference", "")

        def do() -> None:
            services.receive(row, wanted.get("lines"), reference=note or None, at=at)

        return self.done(row, gettext_noop("Receipt booked by the API."), do, note=note)

    @extend_schema(summary="Give up what has not come", request=Nothing, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """What was received stays on the shelf."""
        self.checked(Nothing)
        row = self.get_object()
        return self.done(row, gettext_noop("Cancelled by the API."), lambda: services.cancel(row))

    def done(self, row: Any, what: str, do: Callable[[], Any], *, note: str = "") -> Response:
        """Do it, audited unless it was done before, in one transaction."""
        with transaction.atomic():
            do()
            now: Any = self.get_queryset().get(pk=row.pk)
            if (now.status, now.received_units) != (row.status, row.received_units):
                audit.record(self.request.user, now, CHANGE, what, note)
        return Response(DETAIL(now).data)

    @extend_schema(summary="Lines of purchase orders as CSV", responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=False, pagination_class=None)
    def export(self, request: Request) -> HttpResponse:
        """One row a line of the orders of the list, with its filters."""
        return _file(self.filter_queryset(self.get_queryset()), f"purchase-orders-{_today()}")

    @extend_schema(
        summary="One purchase order as CSV",
        operation_id="purchase_order_export",
        responses={(200, "text/csv"): OpenApiTypes.STR},
        filters=False,
    )
    @action(detail=True, url_path="export", pagination_class=None)
    def export_one(self, request: Request, pk: int) -> HttpResponse:
        """Its lines, to send to the supplier."""
        row = self.get_object()
        return _file(PurchaseOrder.objects.filter(pk=row.pk), f"purchase-order-{row.pk}")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The files are CSV whatever the request accepts; their errors are JSON."""
        return super().perform_content_negotiation(request, force=force or self.action in ("export", "export_one"))


def _file(orders: QuerySet[PurchaseOrder], name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(export.csv_of(orders), content_type="text/csv; charset=utf-8", headers=headers)


def _today() -> date:
    return timezone.localdate()
