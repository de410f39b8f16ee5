"""Purchase orders while they are drafts: made with their lines, changed, deleted; what a supplier asks for a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from products.models import ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierPrice
from purchasing.services import PurchaseError, locked, must_be

BATCH = 500
FIELDS = ("number", "supplier", "expected_on", "note")
"""What of a draft's head may be changed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line to be: `unit_cost` None is looked up at the supplier, unless `cost_as_given`."""

    variant_id: int
    units: int
    unit_cost: Decimal | None = None
    note: str = ""
    cost_as_given: bool = False


@transaction.atomic
def create(supplier: Supplier, lines: Sequence[Wanted], **head: Any) -> PurchaseOrder:
    """A draft with its lines; without a `number` it is called after its id. `head` may hold FIELDS and `created_by`.

    Raises PurchaseError for a number that is taken and a variant that is wanted twice.
    """
    number = head.pop("number", "")
    if number and PurchaseOrder.objects.filter(number=number).exists():
        raise PurchaseError(_("There is a purchase order {number} already.").format(number=number))
    order = PurchaseOrder.objects.create(supplier=supplier, number=number or str(uuid4()), **head)
    if not number:
        order.number = _own_number(order)
        order.save(update_fields=["number"])
    _write(order, lines)
    return order


@transaction.atomic
def change(order: PurchaseOrder | int, *, lines: Sequence[Wanted] | None = None, **head: Any) -> PurchaseOrder:
    """Change a draft's head (FIELDS); with `lines` these are its lines afterwards, whatever it had before.

    Raises PurchaseError for one that is no draft any more, a taken number, and a variant that is wanted twice.
    """
    row = locked(order)
    must_be(row, PurchaseOrder.Status.DRAFT)
    number = head.get("number")
    if number and PurchaseOrder.objects.filter(number=number).exclude(pk=row.pk).exists():
        raise PurchaseError(_("There is a purchase order {number} already.").format(number=number))
    for name, value in head.items():
        setattr(row, name, value)
    row.save(update_fields=list(head) or None)
    if lines is not None:
        row.lines.all().delete()
        _write(row, lines)
    return row


@transaction.atomic
def delete(order: PurchaseOrder | int) -> None:
    """Delete a draft. Raises PurchaseError for anything else: it is cancelled instead."""
    row = locked(order)
    must_be(row, PurchaseOrder.Status.DRAFT)
    row.delete()


def costs(supplier: Supplier, units: Mapping[int, int]) -> dict[int, Decimal | None]:
    """What the supplier asks for one unit of each variant at these `units`: two queries.

    The price of the highest minimum quantity that is reached, else the variant's own cost; None where it is unknown.
    """
    found = dict(ProductVariant.objects.filter(pk__in=units).values_list("pk", "cost"))
    prices = SupplierPrice.objects.filter(supplier=supplier, variant__in=units).order_by("minimum_quantity")
    for price in prices:
        if price.minimum_quantity <= units[price.variant_id]:
            found[price.variant_id] = price.unit_cost
    return found


def fill_costs(order: PurchaseOrder) -> None:
    """Give the lines whose cost is empty what the supplier asks for them, where that is known."""
    lines = list(order.lines.filter(unit_cost=None))
    asked = costs(order.supplier, {line.variant_id: line.units for line in lines})
    for line in lines:
        line.unit_cost = asked.get(line.variant_id)
    PurchaseOrderLine.objects.bulk_update([x for x in lines if x.unit_cost is not None], ["unit_cost"], BATCH)


def _write(order: PurchaseOrder, lines: Sequence[Wanted]) -> None:
    if twice := _twice(line.variant_id for line in lines):
        raise PurchaseError(_("The variant {id} stands on more than one line; put its units on one.").format(id=twice))
    unknown = {line.variant_id: line.units for line in lines if line.unit_cost is None and not line.cost_as_given}
    asked = costs(order.supplier, unknown) if unknown else {}
    PurchaseOrderLine.objects.bulk_create(
        [
            PurchaseOrderLine(
                purchase_order=order,
                variant_id=line.variant_id,
                units=line.units,
                unit_cost=asked.get(line.variant_id) if line.variant_id in unknown else line.unit_cost,
                note=line.note[:500],
            )
            for line in lines
        ],
        batch_size=BATCH,
    )


def _twice(ids: Iterable[int]) -> int | None:
    seen: set[int] = set()
    for pk in ids:
        if pk in seen:
            return pk
        seen.add(pk)
    return None


def _own_number(order: PurchaseOrder) -> str:
    """PO- and the id; with a letter behind it where an imported order has that number."""
    number = f"PO-{order.pk:06d}"
    taken = set(PurchaseOrder.objects.filter(number__startswith=number).values_list("number", flat=True))
    return next(name for name in (number, *(f"{number}-{n}" for n in range(2, 1000))) if name not in taken)
