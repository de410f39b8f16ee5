"""Categories, products, variants and stock movements as JSON."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api_base.fields import Text, Whole
from api_base.serializers import Explained, Record, rows
from products import catalogue
from products.models import Category, Product, ProductVariant, StockMovement

MOST_UNITS = 1_000_000
MOST_VARIANTS = 200
Kind = StockMovement.Kind
BY_HAND = ["count", Kind.ADJUSTMENT.value, Kind.WRITE_OFF.value, Kind.OPENING.value]
"""The kinds of movement that a person makes; the others follow from orders and deliveries."""
POSITIVE: dict[str, Any] = {"min_value": 1, "max_value": MOST_UNITS}


class CategoryRecord(Record):
    """A category."""

    class Meta:
        model = Category
        fields = ["id", "name", "parent"]

    def validate_parent(self, value: Category | None) -> Category | None:
        """A category is not inside itself, directly or by way of others. Raises catalogue.CatalogueError."""
        return catalogue.checked_parent(self.instance, value)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string", "maxLength": 120}})
class OptionsField(serializers.DictField):
    """Size, colour and the like: names and texts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=120, allow_blank=True), **kwargs)


class VariantRecord(Record):
    """A SKU with its stock, which only movements change."""

    options = OptionsField(required=False)
    sale_price = serializers.DecimalField(12, 2, read_only=True, help_text=_("The own price, else the product's."))
    product_name = serializers.CharField(source="product.name", read_only=True)
    opening_stock = Whole(
        min_value=0, max_value=MOST_UNITS, default=0, write_only=True,
        help_text=_("Of a new variant: booked as its first movement."),
    )  # fmt: skip

    class Meta:
        model = ProductVariant
        fields = [
            "id", "product", "product_name", "sku", "options", "is_active", "price", "sale_price", "cost", "stock",
            "reserved", "pack_size", "minimum_order", "lead_time_days", "season_end", "created_at",
            "opening_stock",
        ]  # fmt: skip
        read_only_fields = ["stock", "reserved", "created_at"]
        extra_kwargs: dict[str, Any] = {
            "pack_size": POSITIVE,
            "minimum_order": POSITIVE,
            "lead_time_days": {"max_value": 3_650},
        }

    def create(self, validated_data: dict[str, Any]) -> ProductVariant:
        """The variant, with its opening movement."""
        return catalogue.add_variants(validated_data.pop("product"), [validated_data])[0]


class VariantChange(VariantRecord):
    """What may change of a variant: not its product, and its stock only by movements."""

    opening_stock = None  # type: ignore[assignment]

    class Meta(VariantRecord.Meta):
        fields = [name for name in VariantRecord.Meta.fields if name != "opening_stock"]
        read_only_fields = [*VariantRecord.Meta.read_only_fields, "product"]


class VariantOfProduct(VariantRecord):
    """A variant inside its product."""

    sku = Text(max_length=120)  # whether it is taken is asked for all variants at once

    class Meta(VariantRecord.Meta):
        fields = [name for name in VariantRecord.Meta.fields if not name.startswith("product")]


class ProductRecord(Record):
    """A product with its variants."""

    category_name = serializers.CharField(source="category.name", read_only=True, allow_null=True, default=None)
    description = Text(max_length=20_000, allow_blank=True, required=False)
    variants = VariantOfProduct(many=True, read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "code", "name", "category", "category_name", "brand", "description", "price", "status", "image_url",
            "created_at", "variants",
        ]  # fmt: skip
        read_only_fields = ["created_at"]

    def validate_code(self, value: str | None) -> str | None:
        """An empty code is none."""
        return value or None


class NewProduct(ProductRecord):
    """A new product, perhaps with its variants."""

    variants = rows(VariantOfProduct, required=False, max_length=MOST_VARIANTS)

    def create(self, validated_data: dict[str, Any]) -> Product:
        """The product, its variants and their opening movements, or nothing."""
        variants = validated_data.pop("variants", [])
        return catalogue.add_product(Product(**validated_data), variants)


class MovementRecord(Record):
    """A change of a variant's stock."""

    sku = serializers.CharField(source="variant.sku", read_only=True)

    class Meta:
        model = StockMovement
        fields = ["id", "variant", "sku", "kind", "units", "at", "reference", "note"]
        read_only_fields = fields


class NewMovement(Explained):
    """A count, a correction or a write-off."""

    sku = Text(max_length=120)
    kind = serializers.ChoiceField(
        choices=BY_HAND,
        help_text=_("count: what is on the shelf. adjustment, opening: units in (or out, negative). write_off: out."),
    )
    units = Whole(
        min_value=-MOST_UNITS, max_value=MOST_UNITS,
        help_text=_("Of a count: the units that were counted. Else the change of the stock; out is negative."),
    )  # fmt: skip
    reference = Text(
        max_length=120, required=False, allow_null=True, default=None,
        help_text=_("The same kind and reference move stock once: sent again, the stored movement is answered."),
    )  # fmt: skip
    note = Text(max_length=255, required=False, allow_blank=True, default="")
