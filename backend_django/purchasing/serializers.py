"""Suppliers, what they supply at which price, and purchase orders as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.errors import NotThere
from api_base.fields import LARGEST_ID, Amount, Day, Moment, Text, Whole
from api_base.serializers import Explained, Record, Strict
from api_base.serializers import rows as many
from products.models import ProductVariant
from purchasing import drafts
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice

MOST_UNITS = 1_000_000
MOST_LINES = 1_000
LONGEST_DAYS = {"min_value": 0, "max_value": 3_650}
SKU: dict[str, Any] = {"source": "variant.sku", "read_only": True}
PRODUCT_NAME: dict[str, Any] = {"source": "variant.product.name", "read_only": True}
SUPPLIER_NAME: dict[str, Any] = {"source": "supplier.name", "read_only": True}


class SupplierRecord(Record):
    """Someone who delivers."""

    class Meta:
        model = Supplier
        fields = ["id", "name", "email", "lead_time_days", "lead_time_sd", "minimum_order_value", "is_active"]
        extra_kwargs: dict[str, Any] = {"lead_time_days": LONGEST_DAYS, "lead_time_sd": LONGEST_DAYS}


class SupplierItemRecord(Record):
    """Whom a variant is bought from: each variant from one supplier."""

    sku = serializers.CharField(**SKU)
    supplier_name = serializers.CharField(**SUPPLIER_NAME)

    class Meta:
        model = SupplierItem
        fields = ["id", "variant", "sku", "supplier", "supplier_name", "supplier_sku"]


class SupplierPriceRecord(Record):
    """What one unit costs from a quantity on."""

    sku = serializers.CharField(**SKU)
    supplier_name = serializers.CharField(**SUPPLIER_NAME)

    class Meta:
        model = SupplierPrice
        fields = ["id", "variant", "sku", "supplier", "supplier_name", "minimum_quantity", "unit_cost"]
        extra_kwargs: dict[str, Any] = {"minimum_quantity": {"min_value": 1, "max_value": MOST_UNITS}}


# --- purchase orders ------------------------------------------------------------------------------


class PurchaseLineRecord(Record):
    """One variant of a purchase order."""

    sku = serializers.CharField(**SKU)
    product_name = serializers.CharField(**PRODUCT_NAME)
    missing_units = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField(help_text=_("Units × unit cost; null where the cost is not known."))

    class Meta:
        model = PurchaseOrderLine
        fields = [
            "id", "variant", "sku", "product_name", "units", "received_units", "missing_units", "unit_cost", "amount",
            "note",
        ]  # fmt: skip

    def get_missing_units(self, line: PurchaseOrderLine) -> int:
        """Units that have not come."""
        return line.units - line.received_units

    def get_amount(self, line: PurchaseOrderLine) -> str | None:
        """Money of the whole line."""
        return None if line.unit_cost is None else f"{line.units * line.unit_cost:.2f}"


class NewPurchaseLine(Strict):
    """A variant, by id or SKU, and how many units of it."""

    variant = Whole(min_value=1, max_value=LARGEST_ID, required=False)
    sku = Text(max_length=120, required=False)
    units = Whole(min_value=1, max_value=MOST_UNITS)
    unit_cost = Amount(
        12, 4, required=False, allow_null=True,
        help_text=_("Left out: the supplier's price at this quantity, else the variant's cost."),
    )  # fmt: skip
    note = Text(max_length=500, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two names it."""
        if ("variant" in attrs) == ("sku" in attrs):
            raise serializers.ValidationError(gettext("Give either the id of the variant or its SKU."))
        return attrs


class PurchaseOrderRecord(Record):
    """A purchase order without its lines."""

    supplier_name = serializers.CharField(**SUPPLIER_NAME)
    line_count = serializers.IntegerField(read_only=True)
    units = serializers.IntegerField(read_only=True)
    received_units = serializers.IntegerField(read_only=True)
    total = serializers.DecimalField(16, 2, read_only=True, help_text=_("Of the lines whose cost is known."))
    lines_without_cost = serializers.IntegerField(read_only=True)

    class Meta:
        model = PurchaseOrder
        fields = [
            "id", "number", "supplier", "supplier_name", "status", "created_at", "created_by", "ordered_at",
            "expected_on", "received_at", "note", "line_count", "units", "received_units", "total",
            "lines_without_cost",
        ]  # fmt: skip
        read_only_fields = ["status", "created_at", "created_by", "ordered_at", "received_at"]
        extra_kwargs: dict[str, Any] = {
            "number": {"required": False, "help_text": _("Left out: PO- and the id.")},
        }


class PurchaseOrderDetail(PurchaseOrderRecord):
    """A purchase order with its lines."""

    lines = PurchaseLineRecord(many=True, read_only=True)

    class Meta(PurchaseOrderRecord.Meta):
        fields = [*PurchaseOrderRecord.Meta.fields, "lines"]


class PurchaseOrderDraft(PurchaseOrderRecord):
    """What is sent to make or change a draft; with `lines`, these are its lines afterwards."""

    lines = many(NewPurchaseLine, required=False, max_length=MOST_LINES)

    class Meta(PurchaseOrderRecord.Meta):
        fields = [*PurchaseOrderRecord.Meta.fields, "lines"]

    def to_internal_value(self, data: Any) -> Any:
        """The checked draft. Lines as they were read may be sent back: what is only answered is left out of them."""
        if isinstance(data, dict) and isinstance(data.get("lines"), list):
            data = {**data, "lines": [_sent_back(line) for line in data["lines"]]}
        return super().to_internal_value(data)

    def create(self, validated_data: dict[str, Any]) -> PurchaseOrder:
        """The draft with its lines. Raises PurchaseError, NotThere."""
        lines = _wanted(validated_data.pop("lines", []))
        user = str(self.context["request"].user)[:160]
        return drafts.create(validated_data.pop("supplier"), lines, created_by=user, **validated_data)

    def update(self, instance: PurchaseOrder, validated_data: dict[str, Any]) -> PurchaseOrder:
        """The changed draft. Raises PurchaseError, NotThere."""
        lines = validated_data.pop("lines", None)
        return drafts.change(instance, lines=None if lines is None else _wanted(lines), **validated_data)


def _sent_back(line: Any) -> Any:
    """A line of `PurchaseLineRecord` as `NewPurchaseLine` takes it."""
    if not isinstance(line, dict) or not {"id", "sku", "variant"} <= line.keys():
        return line
    return {name: line[name] for name in ("variant", "units", "unit_cost", "note") if name in line}


def _wanted(lines: list[dict[str, Any]]) -> list[drafts.Wanted]:
    """The lines with their variants: one query. Raises NotThere for one that the shop does not have."""
    ids = [line["variant"] for line in lines if "variant" in line]
    skus = [line["sku"] for line in lines if "sku" in line]
    known = set(ProductVariant.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    by_sku = dict(ProductVariant.objects.filter(sku__in=skus).values_list("sku", "pk")) if skus else {}
    found = []
    for line in lines:
        pk = line["variant"] if line.get("variant") in known else by_sku.get(line.get("sku", ""))
        if pk is None:
            told = gettext("There is no variant {name}.").format(name=line.get("sku") or line.get("variant"))
            raise NotThere(told, field="lines", **{k: line[k] for k in ("variant", "sku") if k in line})
        cost = line.get("unit_cost")
        found.append(drafts.Wanted(pk, line["units"], cost, note=line.get("note", "")))
    return found


# --- what happens to them -------------------------------------------------------------------------


def _past(value: datetime) -> None:
    if value > timezone.now():
        raise serializers.ValidationError(gettext("This lies in the future."))


class Confirm(Explained):
    """When it was sent and is expected; left out: now, and after the longest lead time of its lines."""

    ordered_at = Moment(required=False, validators=[_past])
    expected_on = Day(required=False)


class ReceivedLine(Strict):
    """How much of one line came."""

    line = Whole(min_value=1, max_value=LARGEST_ID, help_text=_("The id of the line."))
    units = Whole(min_value=1, max_value=MOST_UNITS)


class Receive(Explained):
    """What came; without `lines`, all that is missing. The same `reference` is booked once."""

    lines = many(ReceivedLine, required=False, min_length=1, max_length=MOST_LINES)
    reference = Text(max_length=80, required=False, help_text=_("The number of the delivery note."))
    received_at = Moment(required=False, validators=[_past])

    def validate_lines(self, value: list[dict[str, Any]]) -> dict[int, int]:
        """Units by line; each line once."""
        found = {line["line"]: line["units"] for line in value}
        if len(found) < len(value):
            raise serializers.ValidationError(gettext("A line is named more than once; put its units together."))
        return found
