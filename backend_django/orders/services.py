"""What may happen to a live order, and what it does to the stock.

Confirming takes the stock, cancelling gives back what was taken, a return gives back what came back: one movement a
line each, never twice. Importing past orders does not come through here: they moved the stock long ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.models import ZERO, Order, OrderItem, OrderReturn
from products.models import StockMovement
from products.services import Move, in_parts, move_many

Status = Order.Status
TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.PENDING: frozenset({Status.CONFIRMED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset(
        {Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.COMPLETED, Status.CANCELLED}
    ),
    Status.PROCESSING: frozenset({Status.SHIPPED, Status.DELIVERED, Status.COMPLETED, Status.CANCELLED}),
    Status.SHIPPED: frozenset({Status.DELIVERED, Status.COMPLETED, Status.CANCELLED}),
    Status.DELIVERED: frozenset({Status.COMPLETED, Status.REFUNDED}),
    Status.COMPLETED: frozenset({Status.REFUNDED}),
    Status.CANCELLED: frozenset(),
    Status.REFUNDED: frozenset(),
}
"""Which status may follow which. A refund is about money: what comes back to the shelf is a return beside it."""

RETURNABLE = frozenset({Status.DELIVERED, Status.COMPLETED, Status.REFUNDED})
CENT = Decimal("0.01")


class OrderError(ValueError):
    """Something that an order in its present state does not allow."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Units of one order line that came back; without an amount, their share of what the line cost."""

    item_id: int
    units: int
    amount: Decimal | None = None


@transaction.atomic
def change_status(order: Order | int, status: str) -> Order:
    """Move an order to `status` with what it means for the stock; the order as stored.

    A status that the order already has changes nothing. Raises OrderError when it may not follow the present one.
    """
    row = _locked(order)
    if row.status == status:
        return row
    if status not in TRANSITIONS[row.status]:
        allowed = ", ".join(sorted(str(Status(s).label) for s in TRANSITIONS[row.status])) or _("nothing")
        raise OrderError(
            _("The order {number} is “{now}”; it may become {allowed}, not “{wanted}”.").format(
                number=row.order_number,
                now=Status(row.status).label,
                allowed=allowed,
                wanted=Status(status).label if status in Status.values else status,
            )
        )
    if row.status == Status.PENDING and status == Status.CONFIRMED:
        take_stock_of([row])
    elif status == Status.CANCELLED:
        give_back_of([row])
    row.status = status
    row.save(update_fields=["status", "updated_at"])
    return row


def confirm(order: Order | int) -> Order:
    """Confirm a pending order: every line takes its units from the stock. It may fall below zero; that is reported,
    not refused, since the customer holds the shop's word."""
    return change_status(order, Status.CONFIRMED)


def cancel(order: Order | int) -> Order:
    """Cancel an order that has not been delivered: what it took from the stock goes back."""
    return change_status(order, Status.CANCELLED)


@transaction.atomic
def recompute_totals(order: Order | int) -> Order:
    """Set the lines' total from the lines, and the order's from lines, shipping and tax on top."""
    row = _locked(order)
    row.subtotal = row.items.aggregate(sum=Sum("amount"))["sum"] or ZERO
    row.total = row.subtotal + row.shipping + row.tax
    row.save(update_fields=["subtotal", "total", "updated_at"])
    return row


@transaction.atomic
def return_items(
    order: Order | int, returned: Sequence[Returned], *, reference: str | None = None, at: datetime | None = None
) -> list[OrderReturn]:
    """Book units that came back: one row and one movement a line; the rows, in the order of `returned`.

    With a `reference` the same return is booked once: asked again, the stored rows are given back. Raises OrderError
    for an order that was never delivered, a line of another order, and more units or money than the line still has.
    """
    row = _locked(order)
    if row.status not in RETURNABLE:
        text = _("The order {number} is “{now}”: only what was delivered can come back.")
        raise OrderError(text.format(number=row.order_number, now=Status(row.status).label))
    if len({x.item_id for x in returned}) != len(returned):
        raise OrderError(_("A line stands twice in this return: add its units up."))
    stored = _stored_returns(reference, returned)
    if stored is not None:
        return stored
    items = {item.pk: item for item in row.items.filter(pk__in=[x.item_id for x in returned])}
    sums = _returned_so_far(items)
    rows = [_new_return(x, items.get(x.item_id), sums, reference=reference, at=at) for x in returned]
    rows = OrderReturn.objects.bulk_create(rows)
    if not row.is_test:
        _move([_back_on_shelf(r, items[r.item_id]) for r in rows])
    return rows


def _locked(order: Order | int) -> Order:
    return Order.objects.select_for_update().get(pk=order if isinstance(order, int) else order.pk)


def _move(moves: Sequence[Move]) -> None:
    if moves:
        move_many(moves)


def _back_on_shelf(row: OrderReturn, item: OrderItem) -> Move:
    return Move(item.variant_id, StockMovement.Kind.RETURN, row.units, f"return:{row.pk}", at=row.returned_at)


def take_stock_of(orders: Sequence[Order]) -> None:
    """Take the lines of these orders from the stock, each once; test orders take none. Raises OrderError: no lines."""
    fields = ("order", "pk", "variant", "units")
    lines = [
        line
        for part in in_parts([order.pk for order in orders])
        for line in OrderItem.objects.filter(order__in=part).order_by("pk").values_list(*fields)
    ]
    filled = {line[0] for line in lines}
    if empty := next((order for order in orders if order.pk not in filled), None):
        raise OrderError(_("The order {number} has no lines.").format(number=empty.order_number))
    real = {order.pk for order in orders if not order.is_test}
    sale = StockMovement.Kind.SALE
    _move([Move(variant, sale, -units, _reference(pk)) for order, pk, variant, units in lines if order in real])


def give_back_of(orders: Sequence[Order]) -> None:
    """Undo the orders' own movements; an imported order has none, and then nothing moves."""
    references = [
        _reference(pk)
        for part in in_parts([order.pk for order in orders])
        for pk in OrderItem.objects.filter(order__in=part).order_by("pk").values_list("pk", flat=True)
    ]
    taken = [
        movement
        for part in in_parts(references)
        for movement in StockMovement.objects.filter(kind=StockMovement.Kind.SALE, reference__in=part)
    ]
    _move([Move(m.variant_id, StockMovement.Kind.CANCELLATION, -m.units, m.reference) for m in taken])


def _reference(item_id: int) -> str:
    return f"order-item:{item_id}"


def _stored_returns(reference: str | None, returned: Sequence[Returned]) -> list[OrderReturn] | None:
    """The rows of a return booked before under this reference, or None."""
    if not reference:
        return None
    wanted = {f"{reference}/{x.item_id}": x for x in returned}
    stored = {str(r.reference): r for r in OrderReturn.objects.filter(reference__in=list(wanted))}
    if not stored:
        return None
    if stored.keys() != wanted.keys() or any(stored[key].units != x.units for key, x in wanted.items()):
        raise OrderError(_("The return {reference} is booked already, with other units.").format(reference=reference))
    return [stored[key] for key in wanted]


def _returned_so_far(items: Mapping[int, OrderItem]) -> dict[int, tuple[int, Decimal]]:
    """Units and money that came back of each line before."""
    rows = OrderReturn.objects.filter(item__in=list(items)).values_list("item_id")
    return {pk: (units, amount) for pk, units, amount in rows.annotate(Sum("units"), Sum("amount")).order_by()}


def _new_return(
    returned: Returned,
    item: OrderItem | None,
    before: Mapping[int, tuple[int, Decimal]],
    *,
    reference: str | None,
    at: datetime | None,
) -> OrderReturn:
    if item is None:
        raise OrderError(_("The line {id} is not one of this order.").format(id=returned.item_id))
    units, money = before.get(item.pk, (0, ZERO))
    if not 0 < returned.units <= item.units - units:
        raise OrderError(
            _("Of the line {id} {sold} units were sold and {back} came back: {left} can. Received: {units}.").format(
                id=item.pk, sold=item.units, back=units, left=item.units - units, units=returned.units
            )
        )
    amount = returned.amount
    if amount is None:  # the share of all units so far, less what was given: the last unit closes the sum to the cent
        share = (item.amount * (units + returned.units) / item.units).quantize(CENT, ROUND_HALF_UP)
        amount = max(share - money, ZERO)
    if not 0 <= amount <= item.amount - money:
        raise OrderError(
            _("The line {id} cost {cost}; {left} can be given back. Received: {amount}.").format(
                id=item.pk, cost=item.amount, left=item.amount - money, amount=amount
            )
        )
    return OrderReturn(
        item=item,
        units=returned.units,
        amount=amount,
        returned_at=at or timezone.now(),
        reference=f"{reference}/{item.pk}" if reference else None,
    )
