"""Orders with their lines: the staff's by permission, a customer's own to look at."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext, gettext_noop
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api_base import audit
from api_base.errors import Conflict, NotThere, changed_meanwhile
from api_base.lists import FilterSet, IdFilter, TextFilter, TimeFilter
from api_base.permissions import ByPermission
from api_base.serializers import Nothing
from api_base.views import Records
from authentication.models import Role
from orders import intake, serializers, services
from orders.intake import OrdersRefused
from orders.models import Order, OrderItem, OrderReturn
from orders.services import OrderError, Returned

BULK_BYTES = 8_000_000


class OwnOrPermitted(ByPermission):
    """Customers may look (the view shows them their own orders alone); the staff by permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True for a customer who only looks, and for whoever has the permission."""
        looking = view.action in ("list", "retrieve", "metadata")
        return (looking and _is_customer(request.user)) or super().has_permission(request, view)


def _is_customer(user: Any) -> bool:
    return bool(getattr(user, "role", None) == Role.CUSTOMER and user.is_active and not user.is_superuser)


class OrderFilter(FilterSet):
    """Filters of `orders/`."""

    customer = IdFilter(field_name="customer_id")
    sku = TextFilter(method="with_sku")
    placed_from = TimeFilter(field_name="placed_at", lookup_expr="gte")
    placed_to = TimeFilter(field_name="placed_at", lookup_expr="lte")
    updated_from = TimeFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Order
        fields = ["order_number", "status", "channel", "currency", "is_test"]

    def with_sku(self, rows: QuerySet[Order], name: str, sku: str) -> QuerySet[Order]:
        """Those with a line of this SKU."""
        return rows.filter(pk__in=OrderItem.objects.filter(variant__sku=sku).values("order"))


@extend_schema_view(list=extend_schema(summary="Orders"), retrieve=extend_schema(summary="One order"))
class Orders(Records):
    """What the shop sold. Customers see their own orders; nobody else's are there for them."""

    permission_classes = (OwnOrPermitted,)
    queryset = Order.objects.order_by("-id")
    serializer_class = serializers.OrderRecord
    filterset_class = OrderFilter
    search_fields: ClassVar[list[str]] = ["order_number", "customer__email", "customer__last_name"]
    ordering_fields: ClassVar[list[str]] = ["id", "order_number", "placed_at", "total", "status", "updated_at"]
    refusals: ClassVar[dict[type[Exception], str]] = {OrderError: "order_refused"}
    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "status": ("orders.change_order",),
        "cancel": ("orders.change_order",),
        "returns": ("orders.add_orderreturn",),
        "bulk": ("orders.add_order", "orders.change_order"),
    }
    most_bytes: int | None = None

    def get_queryset(self) -> QuerySet[Order]:
        """With lines and what came back of them: two queries, however many orders."""
        lines = OrderItem.objects.select_related("variant").order_by("pk")
        lines = lines.annotate(returned_units=Coalesce(Sum("returns__units"), 0))
        rows: QuerySet[Order] = super().get_queryset().prefetch_related(Prefetch("items", lines))
        return rows.filter(customer=self.request.user.pk) if _is_customer(self.request.user) else rows

    def answer(self, pk: int, status: int = 200) -> Response:
        """The order as it is stored now."""
        return Response(serializers.OrderRecord(self.get_queryset().get(pk=pk)).data, status=status)

    @extend_schema(summary="Enter an order", request=serializers.NewOrder, responses={201: serializers.OrderRecord})
    def create(self, request: Request) -> Response:
        """A new order with its lines. Beyond pending it takes its units from the stock."""
        order = intake.parsed(self.checked(serializers.NewOrder))
        if Order.objects.filter(order_number=order.order_number).exists():
            told = gettext("There is an order {number} already.").format(number=order.order_number)
            raise Conflict(told, code="exists_already", order_number=order.order_number)
        with transaction.atomic():
            row = self.store([order], take_stock=True).created[0]
            audit.record(request.user, row, ADDITION, gettext_noop("Added by the API."))
        return self.answer(row.pk, 201)

    @extend_schema(
        summary="Send up to 1,000 orders", request=serializers.BulkOrders, responses={200: serializers.BulkDone},
        filters=False,
    )  # fmt: skip
    @action(detail=False, methods=["post"], pagination_class=None, most_bytes=BULK_BYTES)
    def bulk(self, request: Request) -> Response:
        """All or none. An order number is stored once: sent again, only its status may have moved on."""
        wanted = self.checked(serializers.BulkOrders)
        orders = [intake.parsed(order) for order in wanted["orders"]]
        with transaction.atomic():
            done = self.store(orders, source=wanted["source"], take_stock=wanted["take_stock"])
            audit.record_many(request.user, done.created, ADDITION, gettext_noop("Added by the API."))
            audit.record_many(request.user, done.changed, CHANGE, gettext_noop("Changed by the API."))
        counts = {name: len(getattr(done, name)) for name in ("created", "changed", "unchanged")}
        return Response(serializers.BulkDone(counts).data)

    def store(self, orders: list[intake.NewOrder], **how: Any) -> intake.Stored:
        """Store them; what is refused is said row by row."""
        try:
            with transaction.atomic():
                return intake.store(orders, **how)
        except IntegrityError as error:
            raise changed_meanwhile() from error
        except OrdersRefused as error:
            if len(orders) == 1 and self.action == "create":
                fault = error.faults[0]
                raise (NotThere(fault.message) if fault.unknown else Conflict(fault.message)) from error
            rows = [{"row": f.row + 1, "order_number": f.order_number, "message": f.message} for f in error.faults]
            faulty = len({fault.row for fault in error.faults})
            told = serializers.told(faulty, error.total, error.faults[0].message)
            raise Conflict(told, code="orders_refused", rows=rows) from error

    @extend_schema(summary="Move an order on", request=serializers.NewStatus, responses=serializers.OrderRecord)
    @action(detail=True, methods=["post"])
    def status(self, request: Request, pk: int) -> Response:
        """Confirming takes the stock, cancelling gives it back; what may follow what is checked."""
        return self.bring_to(self.checked(serializers.NewStatus)["status"])

    @extend_schema(summary="Cancel an order", request=Nothing, responses=serializers.OrderRecord)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Only before it is delivered; what it took from the stock goes back."""
        self.checked(Nothing)
        return self.bring_to(Order.Status.CANCELLED)

    def bring_to(self, status: str) -> Response:
        """Change the status, audited; one that the order has already changes nothing."""
        order = self.get_object()
        with transaction.atomic():
            row = services.change_status(order, status)
            if row.status != order.status:
                audit.record(self.request.user, row, CHANGE, gettext_noop("Status changed by the API."), status)
        return self.answer(row.pk)

    @extend_schema(
        summary="Book what came back", request=serializers.NewReturn,
        responses={201: serializers.ReturnRecord(many=True)}, filters=False,
    )  # fmt: skip
    @action(detail=True, methods=["post"], pagination_class=None)
    def returns(self, request: Request, pk: int) -> Response:
        """Units go back on the shelf; without an amount, their share of the line is given back."""
        wanted = self.checked(serializers.NewReturn)
        order = self.get_object()
        lines = [Returned(line["line"], line["units"], line.get("amount")) for line in wanted["lines"]]
        with transaction.atomic():
            rows = services.return_items(order, lines, reference=wanted["reference"], at=wanted.get("returned_at"))
            audit.record(request.user, order, CHANGE, gettext_noop("Return booked by the API."))
        found = (
            OrderReturn.objects.filter(pk__in=[row.pk for row in rows]).select_related("item__variant").order_by("pk")
        )
        return Response(serializers.ReturnRecord(found, many=True).data, status=201)
