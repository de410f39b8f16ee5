"""Orders, their lines and returns in the admin. A status changes through `orders.services` alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authentication.admin_tools import AddOnlyAdmin, KeepsHistory, LargeTableAdmin, RawIdInline, chosen, take_over
from orders import services
from orders.models import Order, OrderItem, OrderReturn
from orders.services import OrderError, Returned

MOST_LINES = 300
MONEY = ("subtotal", "total")


class OrderItemInline(RawIdInline):
    """The lines of a pending order. Those of a later one are a table to look at: `OrderAdmin.lines`."""

    model = OrderItem
    fields = ("variant", "sku", "units", "unit_price", "discount", "amount")
    readonly_fields = ("sku", "amount")
    raw_id_fields = ("variant",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderItem]:
        """With the variants, in one query."""
        return super().get_queryset(request).select_related("variant")

    @admin.display(description=_("SKU"))
    def sku(self, item: OrderItem) -> str:
        """The variant's SKU."""
        return item.variant.sku if item.variant_id else ""


def _action(status: str, description: Any) -> Callable[..., None]:
    """An action of the list that brings the chosen orders to `status`."""

    @admin.action(description=description, permissions=["change"])
    def act(page: OrderAdmin, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        page.bring_to(request, queryset, status)

    act.__name__ = f"to_{status}"
    return act


ACTIONS = (
    _action(Order.Status.CONFIRMED, _("Confirm: take the stock")),
    _action(Order.Status.PROCESSING, _("Prepare")),
    _action(Order.Status.SHIPPED, _("Ship")),
    _action(Order.Status.DELIVERED, _("Deliver")),
    _action(Order.Status.COMPLETED, _("Complete")),
    _action(Order.Status.CANCELLED, _("Cancel: give the stock back")),
    _action(Order.Status.REFUNDED, _("Refund the money")),
)


@admin.register(Order)
class OrderAdmin(KeepsHistory, LargeTableAdmin):
    """Orders. Their lines may be edited while they are pending; their status by the actions of the list."""

    list_display = ("order_number", "placed_at", "customer", "channel", "status", "total", "currency")
    list_filter = ("status", "placed_at")
    list_select_related = ("customer",)
    search_fields = ("order_number", "customer__email", "customer__external_id")
    search_help_text = _("What the order's number, or the customer's e-mail or external number, begins with.")
    raw_id_fields = ("customer",)
    readonly_fields = ("status", *MONEY, "updated_at")
    ordering = ("-placed_at",)
    sortable_by = ("order_number", "placed_at")
    actions = ACTIONS

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What an order cost, when and in which currency is fixed once it is confirmed."""
        fields = tuple(self.readonly_fields)
        if _is_pending(obj):
            return fields
        return (*fields, "order_number", "placed_at", "currency", "shipping", "tax", "is_test", "lines")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The columns in the order one reads them, the lines at the end."""
        fields: list[Any] = ["order_number", "status", "customer", "channel", "placed_at", "currency"]
        fields += ["subtotal", "shipping", "tax", "total", "is_test", "updated_at"]
        return fields if _is_pending(obj) else [*fields, "lines"]

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Lines are edited while the order is pending."""
        return [OrderItemInline] if _is_pending(obj) else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a pending order is deleted; a later one is cancelled."""
        return super().has_delete_permission(request, obj) and _is_pending(obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The totals follow the lines."""
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            if _is_pending(form.instance):
                services.recompute_totals(form.instance)

    @admin.display(description=_("lines"))
    def lines(self, order: Order) -> SafeString:
        """The first lines with what came back of each, as a table."""
        items = list(order.items.select_related("variant").annotate(back=Sum("returns__units"))[: MOST_LINES + 1])
        heads = format_html_join("", "<th>{}</th>", ((head,) for head in _heads()))
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (i.pk, i.variant.sku, i.units, i.unit_price.normalize(), i.discount, i.amount, i.back or 0)
                for i in items[:MOST_LINES]
            ),
        )
        more = gettext("Only the first {count} are shown.").format(count=MOST_LINES) if items[MOST_LINES:] else ""
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}", heads, rows, more)

    def bring_to(self, request: HttpRequest, queryset: QuerySet[Order], status: str) -> None:
        """Each order by itself: one that may not go there is named, the others go."""
        done = 0
        for pk in chosen(queryset):
            try:
                done += bool(services.change_status(pk, status))
            except OrderError as error:
                self.message_user(request, str(error), messages.ERROR)
        self.message_user(request, gettext("Orders changed: {count}.").format(count=done))


class ReturnInline(RawIdInline):
    """What came back of a line, to look at."""

    model = OrderReturn
    fields = ("units", "amount", "returned_at", "reference")
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Returns are added on their own page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: what happened is not rewritten."""
        return False


@admin.register(OrderItem)
class OrderItemAdmin(AddOnlyAdmin):
    """Order lines, to look at; they are edited in their order."""

    list_display = ("id", "order", "variant", "units", "unit_price", "discount", "amount")
    list_select_related = ("order", "variant")
    search_fields = ("order__order_number", "variant__sku")
    search_help_text = _("What the order's number or the SKU begins with.")
    ordering = ("-id",)
    sortable_by = ("id",)
    inlines = (ReturnInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Lines are added in their order."""
        return False


class ReturnForm(forms.ModelForm):
    """A return made by hand; without an amount, the units' share of the line."""

    class Meta:
        model = OrderReturn
        fields = ("item", "units", "amount", "returned_at", "reference")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "amount" in self.fields:
            self.fields["amount"].required = False

    def clean(self) -> dict[str, Any]:
        """Try it, and take it back: what the service refuses is shown beside the form."""
        data = super().clean() or {}
        if not self.errors and "item" in data:
            try:
                with transaction.atomic():
                    book(data)
                    transaction.set_rollback(True)
            except OrderError as error:
                self.add_error(None, str(error))
        return data


def book(data: dict[str, Any]) -> OrderReturn:
    """Book the return that the form describes."""
    returned = Returned(data["item"].pk, data["units"], data.get("amount"))
    at, reference = data.get("returned_at"), data.get("reference")
    return services.return_items(data["item"].order_id, [returned], reference=reference, at=at)[0]


@admin.register(OrderReturn)
class OrderReturnAdmin(AddOnlyAdmin):
    """Returns. Adding one puts the units back on the shelf; none is ever edited or deleted."""

    form = ReturnForm
    list_display = ("id", "returned_at", "order", "sku", "units", "amount")
    list_select_related = ("item__order", "item__variant")
    list_filter = ("returned_at",)
    search_fields = ("reference", "item__order__order_number", "item__variant__sku")
    raw_id_fields = ("item",)
    ordering = ("-returned_at",)
    sortable_by = ("returned_at",)

    @admin.display(description=_("order"))
    def order(self, row: OrderReturn) -> str:
        """The order's number."""
        return row.item.order.order_number

    @admin.display(description=_("SKU"))
    def sku(self, row: OrderReturn) -> str:
        """The variant's SKU."""
        return row.item.variant.sku

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service, which moves the stock as well."""
        take_over(obj, book(form.cleaned_data))


def _is_pending(order: Order | None) -> bool:
    return order is None or order.status == Order.Status.PENDING


def _heads() -> list[str]:
    return [
        gettext("line"),
        gettext("SKU"),
        gettext("units"),
        gettext("unit price"),
        gettext("discount"),
        gettext("amount"),
        gettext("came back"),
    ]
