"""Categories, products, variants and stock movements."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.models import ADDITION
from django.db import transaction
from django.db.models import Prefetch
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from api_base import audit
from api_base.errors import NotThere
from api_base.lists import FilterSet, IdFilter, TextFilter, TimeFilter, WholeFilter
from api_base.views import Editable, Entered
from products import serializers, services
from products.catalogue import CatalogueError
from products.models import Category, Product, ProductVariant, StockMovement
from products.services import StockError


class CategoryFilter(FilterSet):
    """Filters of `categories/`."""

    parent = IdFilter(field_name="parent_id")

    class Meta:
        model = Category
        fields = ["name"]


@extend_schema_view(
    list=extend_schema(summary="Categories"),
    retrieve=extend_schema(summary="One category"),
    create=extend_schema(summary="Enter a category"),
    update=extend_schema(summary="Replace a category"),
    partial_update=extend_schema(summary="Change a category"),
)
class Categories(Editable):
    """Groups of products."""

    queryset = Category.objects.order_by("name")
    serializer_class = serializers.CategoryRecord
    filterset_class = CategoryFilter
    search_fields: ClassVar[list[str]] = ["name"]
    ordering_fields: ClassVar[list[str]] = ["id", "name"]
    refusals: ClassVar[dict[type[Exception], str]] = {CatalogueError: "catalogue_refused"}


class ProductFilter(FilterSet):
    """Filters of `products/`."""

    category = IdFilter(field_name="category_id")
    sku = TextFilter(field_name="variants__sku", help_text=_("The product with this SKU."))
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = TimeFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = Product
        fields = ["status", "brand", "code"]


@extend_schema_view(
    list=extend_schema(summary="Products"),
    retrieve=extend_schema(summary="One product"),
    create=extend_schema(
        summary="Enter a product", request=serializers.NewProduct, responses={201: serializers.ProductRecord}
    ),
    update=extend_schema(summary="Replace a product"),
    partial_update=extend_schema(summary="Change a product, or take it out of the range by its status"),
)
class Products(Editable):
    """Styles with their variants, stock and prices. None is deleted: `status` takes it out of the range."""

    queryset = Product.objects.select_related("category").prefetch_related(
        Prefetch("variants", ProductVariant.objects.order_by("id"))
    )
    serializer_class = serializers.ProductRecord
    filterset_class = ProductFilter
    search_fields: ClassVar[list[str]] = ["name", "code", "brand"]
    ordering_fields: ClassVar[list[str]] = ["id", "code", "name", "brand", "price", "status", "created_at"]
    refusals: ClassVar[dict[type[Exception], str]] = {CatalogueError: "catalogue_refused"}

    def get_serializer_class(self) -> Any:
        """Variants are entered with a new product; later each has an address of its own."""
        return serializers.NewProduct if self.action == "create" else serializers.ProductRecord


class VariantFilter(FilterSet):
    """Filters of `variants/`."""

    product = IdFilter(field_name="product_id")
    stock_from = WholeFilter(field_name="stock", lookup_expr="gte")
    stock_to = WholeFilter(field_name="stock", lookup_expr="lte")

    class Meta:
        model = ProductVariant
        fields = ["sku", "is_active"]


@extend_schema_view(
    list=extend_schema(summary="Variants"),
    retrieve=extend_schema(summary="One variant"),
    create=extend_schema(summary="Enter a variant"),
    update=extend_schema(summary="Replace a variant", request=serializers.VariantChange),
    partial_update=extend_schema(summary="Change a variant", request=serializers.VariantChange),
)
class Variants(Editable):
    """SKUs with stock, price, cost, pack size, minimum order and lead time. Stock changes by movements alone."""

    queryset = ProductVariant.objects.select_related("product").order_by("-id")
    serializer_class = serializers.VariantRecord
    filterset_class = VariantFilter
    search_fields: ClassVar[list[str]] = ["sku", "product__name"]
    ordering_fields: ClassVar[list[str]] = ["id", "sku", "stock", "cost", "price", "created_at"]
    refusals: ClassVar[dict[type[Exception], str]] = {CatalogueError: "catalogue_refused"}

    def get_serializer_class(self) -> Any:
        """A stored variant keeps its product."""
        changing = self.action in ("update", "partial_update")
        return serializers.VariantChange if changing else serializers.VariantRecord


class MovementFilter(FilterSet):
    """Filters of `stock-movements/`."""

    variant = IdFilter(field_name="variant_id")
    sku = TextFilter(field_name="variant__sku")
    at_from = TimeFilter(field_name="at", lookup_expr="gte")
    at_to = TimeFilter(field_name="at", lookup_expr="lte")

    class Meta:
        model = StockMovement
        fields = ["kind", "reference"]


@extend_schema_view(list=extend_schema(summary="Stock movements"), retrieve=extend_schema(summary="One stock movement"))
class StockMovements(Entered):
    """Every change of stock: sales, returns, deliveries, counts, write-offs. None is ever changed or deleted."""

    queryset = StockMovement.objects.select_related("variant").order_by("-id")
    serializer_class = serializers.MovementRecord
    filterset_class = MovementFilter
    search_fields: ClassVar[list[str]] = ["variant__sku", "reference", "note"]
    ordering_fields: ClassVar[list[str]] = ["id", "at", "kind", "units"]
    refusals: ClassVar[dict[type[Exception], str]] = {StockError: "movement_refused"}

    @extend_schema(
        summary="Count, correct or write off stock",
        request=serializers.NewMovement,
        responses={
            201: serializers.MovementRecord,
            200: OpenApiResponse(serializers.MovementRecord, description="Stored before under this reference."),
        },
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One movement. Under a `reference` it is stored once, however often it is sent."""
        wanted = self.checked(serializers.NewMovement)
        with transaction.atomic():
            row, new = self.move(wanted)
            if new:
                audit.record(request.user, row, ADDITION, gettext_noop("Stock moved by the API."))
        return Response(serializers.MovementRecord(row).data, status=201 if new else 200)

    def move(self, wanted: dict[str, Any]) -> tuple[StockMovement, bool]:
        """The movement that the body asks for, and whether it is new."""
        pk = ProductVariant.objects.filter(sku=wanted["sku"]).values_list("pk", flat=True).first()
        if pk is None:
            told = gettext("There is no variant with the SKU {sku}.").format(sku=wanted["sku"])
            raise NotThere(told, field="sku", sku=wanted["sku"])
        last = StockMovement.objects.order_by("-id").values_list("pk", flat=True).first() or 0
        said = {"reference": wanted["reference"], "note": wanted["note"] or str(self.request.user)[:255]}
        if wanted["kind"] == "count":
            row = services.count_stock(pk, wanted["units"], **said)
        else:
            row = services.move_stock(pk, wanted["kind"], wanted["units"], **said)
        return row, row.pk > last
