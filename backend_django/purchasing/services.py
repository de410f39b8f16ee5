"""What may happen to a purchase order: confirm it, receive it (in part), cancel it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from products.models import StockMovement
from products.services import Move, move_many
from purchasing.models import PurchaseOrder, PurchaseOrderLine

Status = PurchaseOrder.Status
RECEIPT_REFERENCE = "purchase-line:"
"""What the references of receipts begin with; the line's id and the delivery follow."""


class PurchaseError(ValueError):
    """Something that a purchase order in its present state does not allow."""


@transaction.atomic
def confirm(order: PurchaseOrder | int, *, at: datetime | None = None) -> PurchaseOrder:
    """Send a draft to the supplier: from now on it counts as on its way, expected after the longest of its lead times.

    A day that the owner gave stays, unless it has passed. A confirmed one stays as it is. Raises PurchaseError when it
    is received, cancelled, or has no lines.
    """
    row = locked(order)
    if row.status == Status.CONFIRMED:
        return row
    must_be(row, Status.DRAFT)
    if not row.lines.exists():
        raise PurchaseError(_("The purchase order {number} has no lines.").format(number=row.number))
    row.status, row.ordered_at = Status.CONFIRMED, at or timezone.now()
    if row.expected_on is None or row.expected_on < timezone.localtime(row.ordered_at).date():
        row.expected_on = timezone.localtime(row.ordered_at + timedelta(days=_lead_days(row))).date()
    row.save(update_fields=["status", "ordered_at", "expected_on"])
    return row


@transaction.atomic
def receive(
    order: PurchaseOrder | int,
    units: Mapping[int, int] | None = None,
    *,
    reference: str | None = None,
    at: datetime | None = None,
) -> PurchaseOrder:
    """Put what came onto the shelf: `units` by line id, or all that is still missing; the order as stored.

    One movement a line. With a `reference` (the delivery note) the same delivery is booked once. When nothing is
    missing any more the order is received. Raises PurchaseError for an order that is not confirmed, a line of
    another order, more units than are missing, and a delivery note that is booked with other units.
    """
    row = locked(order)
    lines = {line.pk: line for line in row.lines.select_for_update()}
    if reference and (booked := _booked(lines, reference)):
        _must_be_the_same(booked, units, reference)
        return row
    must_be(row, Status.CONFIRMED)
    if units is None:
        units = {pk: line.units - line.received_units for pk, line in lines.items()}
    came = {pk: count for pk, count in units.items() if count}
    for pk, count in came.items():
        _check_delivery(lines.get(pk), pk, count)
    when = at or timezone.now()
    moves = [_receipt(lines[pk], count, row.number, delivery=reference, at=when) for pk, count in came.items()]
    if moves:
        move_many(moves)
    for pk, count in came.items():
        lines[pk].received_units += count
    PurchaseOrderLine.objects.bulk_update([lines[pk] for pk in came], ["received_units"], batch_size=200)
    if all(line.received_units >= line.units for line in lines.values()):
        row.status, row.received_at = Status.RECEIVED, when
        row.save(update_fields=["status", "received_at"])
    return row


@transaction.atomic
def cancel(order: PurchaseOrder | int) -> PurchaseOrder:
    """Give up what has not come; what was received stays on the shelf. A cancelled one stays as it is."""
    row = locked(order)
    if row.status != Status.CANCELLED:
        must_be(row, Status.DRAFT, Status.CONFIRMED)
        row.status = Status.CANCELLED
        row.save(update_fields=["status"])
    return row


def _lead_days(order: PurchaseOrder) -> float:
    """Days until all of an order is there: the longest of its lines, each its variant's own or the supplier's."""
    own = order.lines.values_list("variant__lead_time_days", flat=True).distinct()
    usual = order.supplier.lead_time_days
    return max((usual if days is None else days for days in own), default=usual)


def locked(order: PurchaseOrder | int) -> PurchaseOrder:
    """The order as stored, with its supplier, held until the transaction ends."""
    pk = order if isinstance(order, int) else order.pk
    return PurchaseOrder.objects.select_for_update(of=("self",)).select_related("supplier").get(pk=pk)


def must_be(row: PurchaseOrder, *wanted: Status) -> None:
    """Raise PurchaseError unless the order is in one of these states."""
    if row.status not in wanted:
        raise PurchaseError(
            _("The purchase order {number} is “{now}”; it must be {wanted}.").format(
                number=row.number, now=Status(row.status).label, wanted=", ".join(f"“{s.label}”" for s in wanted)
            )
        )


def _check_delivery(line: PurchaseOrderLine | None, pk: int, count: int) -> None:
    if line is None:
        raise PurchaseError(_("The line {id} is not one of this purchase order.").format(id=pk))
    missing = line.units - line.received_units
    if not 0 < count <= missing:
        raise PurchaseError(
            _("Of the line {id} {missing} units are missing. Received: {count}.").format(
                id=pk, missing=missing, count=count
            )
        )


def _receipt(line: PurchaseOrderLine, units: int, number: str, *, delivery: str | None, at: datetime) -> Move:
    return Move(line.variant_id, StockMovement.Kind.RECEIPT, units, _reference(line, delivery), number, at)


def _reference(line: PurchaseOrderLine, delivery: str | None) -> str:
    """A delivery without a note is known by what had come before it."""
    return f"{RECEIPT_REFERENCE}{line.pk}:{delivery or f'#{line.received_units}'}"


def _booked(lines: Mapping[int, PurchaseOrderLine], delivery: str) -> dict[int, int]:
    """Units by line that this delivery has brought; empty when it is not booked."""
    line_of = {_reference(line, delivery): line.pk for line in lines.values()}
    found: dict[int, int] = {}
    references = list(line_of)
    for start in range(0, len(references), 900):
        rows = StockMovement.objects.filter(
            kind=StockMovement.Kind.RECEIPT, reference__in=references[start : start + 900]
        )
        found |= {line_of[str(reference)]: units for reference, units in rows.values_list("reference", "units")}
    return found


def _must_be_the_same(booked: Mapping[int, int], units: Mapping[int, int] | None, delivery: str) -> None:
    came = None if units is None else {pk: count for pk, count in units.items() if count}
    if came is not None and came != booked:
        raise PurchaseError(
            _("The delivery {delivery} is booked already, with other units: {booked}. Received: {received}.").format(
                delivery=delivery, booked=_listed(booked), received=_listed(came)
            )
        )


def _listed(units: Mapping[int, int]) -> str:
    return ", ".join(_("line {id}: {units}").format(id=pk, units=units[pk]) for pk in sorted(units)) or "–"
