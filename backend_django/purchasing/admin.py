"""Suppliers and purchase orders in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from api_base import audit
from authentication.admin_tools import KeepsHistory, LargeTableAdmin, RawIdInline, chosen
from products.admin import ProductVariantAdmin
from products.models import ProductVariant
from purchasing import drafts, services
from purchasing.export import csv_of
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice


@admin.register(Supplier)
class SupplierAdmin(KeepsHistory, LargeTableAdmin):
    """Whom the shop buys from."""

    list_display = ("name", "lead_time_days", "lead_time_sd", "minimum_order_value", "is_active")
    search_fields = ("name",)
    sortable_by = ("name",)
    history = ("purchase_orders", "items")


@admin.register(SupplierItem)
class SupplierItemAdmin(LargeTableAdmin):
    """Which supplier a variant comes from."""

    list_display = ("variant", "supplier", "supplier_sku")
    list_select_related = ("variant", "supplier")
    search_fields = ("variant__sku", "supplier__name")
    autocomplete_fields = ("variant", "supplier")
    ordering = ("-id",)
    sortable_by = ()


class LongNotes(admin.options.BaseModelAdmin):
    """Notes are read whole: they hold the reason of a line."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A few lines high."""
        if db_field.name == "note":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 3, "cols": 50})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class ItemInline(admin.TabularInline):
    """Whom the variant is bought from."""

    model = SupplierItem
    fields = ("supplier", "supplier_sku")
    autocomplete_fields = ("supplier",)


class PriceInline(admin.TabularInline):
    """What its suppliers ask, from which quantity on."""

    model = SupplierPrice
    fields = ("supplier", "minimum_quantity", "unit_cost")
    autocomplete_fields = ("supplier",)
    extra = 0


admin.site.unregister(ProductVariant)


@admin.register(ProductVariant)
class BoughtVariantAdmin(ProductVariantAdmin):
    """SKUs, with whom they are bought from: the products know nothing of suppliers."""

    inlines = (ItemInline, PriceInline)


class LineInline(LongNotes, RawIdInline):
    """The lines of a draft; afterwards to look at."""

    model = PurchaseOrderLine
    fields = ("variant", "sku", "units", "received_units", "unit_cost", "note")
    readonly_fields = ("sku", "received_units")
    raw_id_fields = ("variant",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PurchaseOrderLine]:
        """With the variants, in one query."""
        return super().get_queryset(request).select_related("variant")

    @admin.display(description=_("SKU"))
    def sku(self, line: PurchaseOrderLine) -> str:
        """The variant's SKU."""
        return line.variant.sku if line.variant_id else ""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a draft's lines are changed."""
        return super().has_change_permission(request, obj) and _is_draft(obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a draft gets lines."""
        return super().has_add_permission(request, obj) and _is_draft(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a draft loses lines."""
        return super().has_delete_permission(request, obj) and _is_draft(obj)


@admin.register(PurchaseOrder)
class PurchaseOrderAdmin(LongNotes, KeepsHistory, LargeTableAdmin):
    """Purchase orders. The status changes by the actions of the list, through `purchasing.services`."""

    list_display = ("number", "supplier", "status", "line_count", "total", "ordered_at", "expected_on", "received_at")
    list_filter = ("status", "supplier")
    list_select_related = ("supplier",)
    search_fields = ("number", "supplier__name")
    autocomplete_fields = ("supplier",)
    readonly_fields = ("status", "created_at", "created_by", "ordered_at", "received_at", "total")
    ordering = ("-id",)
    sortable_by = ("number",)
    inlines = (LineInline,)
    actions = ("confirm", "receive", "cancel", "export")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PurchaseOrder]:
        """With the figures of their lines."""
        return PurchaseOrder.objects.with_sums().order_by("-id")

    @admin.display(description=_("lines"))
    def line_count(self, order: Any) -> int:
        """How many variants."""
        return int(order.line_count)

    @admin.display(description=_("total"))
    def total(self, order: Any) -> str:
        """Money of the lines whose cost is known; with a + where some is not."""
        more = "+" if getattr(order, "lines_without_cost", 0) else ""
        return f"{number_format(getattr(order, 'total', 0), 2, force_grouping=True)}{more}"

    def save_model(self, request: HttpRequest, obj: PurchaseOrder, form: Any, change: bool) -> None:
        """Who made it is remembered."""
        if not change:
            obj.created_by = str(request.user)[:160]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Costs that were left empty are the supplier's."""
        super().save_related(request, form, formsets, change)
        drafts.fill_costs(form.instance)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Number and supplier are fixed once the supplier knows of it."""
        fields = tuple(self.readonly_fields)
        return fields if _is_draft(obj) else (*fields, "number", "supplier")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts are deleted; the rest is cancelled."""
        return super().has_delete_permission(request, obj) and _is_draft(obj)

    @admin.action(description=_("Confirm: send to the supplier"), permissions=["change"])
    def confirm(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        """Drafts become confirmed."""
        self._each(request, queryset, services.confirm, gettext_noop("Confirmed."))

    @admin.action(description=_("Receive all that is missing"), permissions=["change"])
    def receive(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        """What is missing goes onto the shelf."""
        self._each(request, queryset, services.receive, gettext_noop("All that was missing received."))

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        """What has not come is given up."""
        self._each(request, queryset, services.cancel, gettext_noop("Cancelled."))

    @admin.action(description=_("Export the lines as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> HttpResponse:
        """One row a line, to send to the supplier."""
        orders = PurchaseOrder.objects.filter(pk__in=list(chosen(queryset)))
        headers = {"Content-Disposition": 'attachment; filename="purchase-orders.csv"'}
        return HttpResponse(csv_of(orders), content_type="text/csv; charset=utf-8", headers=headers)

    def _each(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder], do: Callable[..., Any], what: str) -> None:
        done = 0
        for pk in chosen(queryset):
            try:
                with transaction.atomic():
                    row = do(pk)
                    audit.record(request.user, row, CHANGE, what)
                done += 1
            except services.PurchaseError as error:
                self.message_user(request, str(error), messages.ERROR)
        if done:
            self.message_user(request, gettext("Purchase orders changed: {count}.").format(count=done))


def _is_draft(order: PurchaseOrder | None) -> bool:
    return order is None or order.status == PurchaseOrder.Status.DRAFT
