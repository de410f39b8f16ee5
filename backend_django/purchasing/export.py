"""Purchase orders as a file: one row a line, for a spreadsheet or the supplier."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from api_base.spreadsheets import UTF8_MARK, csv_line
from purchasing.models import PurchaseOrder, PurchaseOrderLine

COLUMNS = (
    "number", "supplier", "status", "ordered_at", "expected_on", "sku", "supplier_sku", "product_name", "options",
    "units", "received_units", "missing_units", "unit_cost", "amount", "note",
)  # fmt: skip
CHUNK = 2_000


def csv_of(orders: QuerySet[PurchaseOrder]) -> str:
    """The lines of these orders, order by order."""
    return UTF8_MARK + csv_line(COLUMNS) + "".join(_rows(orders))


def _rows(orders: QuerySet[PurchaseOrder]) -> Iterator[str]:
    lines = PurchaseOrderLine.objects.filter(purchase_order__in=orders.order_by().values("pk"))
    lines = lines.select_related("purchase_order__supplier", "variant__product", "variant__supplier_item")
    for line in lines.order_by("-purchase_order_id", "pk").iterator(chunk_size=CHUNK):
        order, variant = line.purchase_order, line.variant
        item = getattr(variant, "supplier_item", None)
        yield csv_line(
            (
                order.number, order.supplier.name, order.status,
                None if order.ordered_at is None else order.ordered_at.isoformat(timespec="seconds"),
                order.expected_on, variant.sku,
                item.supplier_sku if item and item.supplier_id == order.supplier_id else "",
                variant.product.name, " · ".join(str(value) for value in (variant.options or {}).values()),
                line.units, line.received_units, line.units - line.received_units, line.unit_cost,
                None if line.unit_cost is None else f"{line.units * line.unit_cost:.2f}", line.note,
            )
        )  # fmt: skip
