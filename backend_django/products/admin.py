"""Products, variants and their stock in the admin. Stock is changed by adding a movement."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from authentication.admin_tools import AddOnlyAdmin, KeepsHistory, LargeTableAdmin, RawIdInline, take_over
from products.models import Category, Product, ProductVariant, StockMovement
from products.services import Move, StockError, check_move, move_stock


@admin.register(Category)
class CategoryAdmin(LargeTableAdmin):
    """Groups of products."""

    list_display = ("name", "parent", "product_count")
    list_select_related = ("parent",)
    search_fields = ("name",)
    autocomplete_fields = ("parent",)
    sortable_by = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        """With the number of products, counted for the rows of the page alone."""
        count = Product.objects.filter(category=OuterRef("pk")).order_by().values("category").annotate(n=Count("pk"))
        return super().get_queryset(request).annotate(n=Coalesce(Subquery(count.values("n")), 0))

    @admin.display(description=_("products"))
    def product_count(self, row: Any) -> int:
        """Products directly in this category."""
        return int(row.n)


class VariantInline(RawIdInline):
    """The variants of a product; their stock to look at."""

    model = ProductVariant
    fields = ("sku", "options", "price", "cost", "stock", "pack_size", "minimum_order", "lead_time_days", "season_end",
              "is_active")  # fmt: skip
    readonly_fields = ("stock",)
    show_change_link = True
    can_delete = False


@admin.register(Product)
class ProductAdmin(KeepsHistory, LargeTableAdmin):
    """Styles. One that has variants is not deleted but discontinued."""

    list_display = ("name", "code", "category", "brand", "price", "status", "stock")
    list_filter = ("status",)
    list_select_related = ("category",)
    search_fields = ("code", "name", "variants__sku")
    search_help_text = _("What the code, the name or a SKU begins with.")
    autocomplete_fields = ("category",)
    ordering = ("-id",)
    sortable_by = ("code",)
    inlines = (VariantInline,)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    history = ("variants",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """With the stock of all variants, added up for the rows of the page alone."""
        sums = (
            ProductVariant.objects.filter(product=OuterRef("pk")).order_by().values("product").annotate(n=Sum("stock"))
        )
        stock = Coalesce(Subquery(sums.values("n"), output_field=IntegerField()), 0)
        return super().get_queryset(request).annotate(stock=stock)

    @admin.display(description=_("stock"))
    def stock(self, row: Any) -> int:
        """Units of all variants on the shelf."""
        return int(row.stock)


@admin.register(ProductVariant)
class ProductVariantAdmin(KeepsHistory, LargeTableAdmin):
    """SKUs."""

    list_display = ("sku", "product", "stock", "cost", "pack_size", "minimum_order", "is_active")
    list_select_related = ("product",)
    search_fields = ("sku", "product__name")
    search_help_text = _("What the SKU or the product's name begins with.")
    autocomplete_fields = ("product",)
    readonly_fields = ("stock",)
    ordering = ("-id",)
    sortable_by = ("sku",)
    history = ("movements", "order_items", "purchase_lines")


class MovementForm(forms.ModelForm):
    """A movement made by hand: a count, a write-off, an opening stock."""

    class Meta:
        model = StockMovement
        fields = ("variant", "kind", "units", "reference", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            kinds = (StockMovement.Kind.ADJUSTMENT, StockMovement.Kind.WRITE_OFF, StockMovement.Kind.OPENING)
            self.fields["kind"].choices = [(kind.value, kind.label) for kind in kinds]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The sign must fit the kind."""
        data = super().clean() or {}
        if "kind" in data and "units" in data:
            try:
                check_move(Move(0, data["kind"], data["units"]))
            except StockError as error:
                self.add_error("units", str(error))
        return data


@admin.register(StockMovement)
class StockMovementAdmin(AddOnlyAdmin):
    """Every change of stock. Adding one is how stock is changed by hand; none is ever edited or deleted."""

    form = MovementForm
    list_display = ("id", "at", "variant", "kind", "units", "reference", "note")
    list_select_related = ("variant",)
    search_fields = ("variant__sku",)
    search_help_text = _("What the SKU begins with.")
    autocomplete_fields = ("variant",)
    ordering = ("-id",)
    sortable_by = ("id",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service, which moves the stock as well."""
        note = obj.note or str(request.user)[:255]
        take_over(obj, move_stock(obj.variant_id, obj.kind, obj.units, reference=obj.reference, note=note))
