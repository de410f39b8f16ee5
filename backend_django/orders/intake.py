"""How orders come in over the API: one or a thousand, whole or not at all, and each order number once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from authentication.models import Role, User
from orders import services
from orders.models import MOST_MONEY, MOST_UNIT_PRICE, ZERO, Order, OrderItem
from orders.services import TRANSITIONS
from products.models import ProductVariant
from products.services import in_parts

Status = Order.Status
NOTHING_TAKEN = frozenset({Status.PENDING, Status.CANCELLED})
HEAD = ("channel", "placed_at", "currency", "shipping", "tax", "is_test")


@dataclass(frozen=True, slots=True)
class NewLine:
    """Units of one SKU; without a price, the variant's own or its product's."""

    sku: str
    units: int
    unit_price: Decimal | None = None
    discount: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it is sent; `head` holds those of HEAD that were given, the customer is known by id or own number."""

    order_number: str
    lines: Sequence[NewLine]
    status: str = Status.PENDING
    customer: int | None = None
    customer_number: str | None = None
    head: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one order of a call."""

    row: int
    order_number: str
    message: str
    unknown: bool = False
    """It names something that is not there."""


class OrdersRefused(ValueError):
    """At least one order of the call cannot be stored, so none was; `faults` names them all."""

    def __init__(self, faults: Sequence[Fault], total: int) -> None:
        self.faults = list(faults)
        self.total = total
        super().__init__(faults[0].message)


@dataclass(slots=True)
class Stored:
    """What a call did, by order."""

    created: list[Order] = field(default_factory=list)
    changed: list[Order] = field(default_factory=list)
    unchanged: list[Order] = field(default_factory=list)


@transaction.atomic
def store(wanted: Sequence[NewOrder], *, source: str = "shop", take_stock: bool) -> Stored:
    """Store orders, all or none; as many queries for a thousand as for one, up to the size of a statement.

    A number that is stored already is never stored twice: the same order again changes nothing, a status that may
    follow the stored one moves the order on, anything else that differs is a fault. With `take_stock` an order takes
    its units from the stock once it is beyond pending; one that is cancelled gives back what it took in any case.
    Customers' own numbers are those of `source`. Raises OrdersRefused.
    """
    known = _Known(wanted, source)
    faults = [*_twice(wanted), *(fault for n, order in enumerate(wanted) for fault in known.faults(n, order))]
    if faults:
        raise OrdersRefused(sorted(faults, key=lambda fault: fault.row), len(wanted))
    found = Stored()
    moved: list[tuple[Order, str]] = []
    new: list[NewOrder] = []
    for order in wanted:
        row = known.orders.get(order.order_number)
        if row is None:
            new.append(order)
        elif row.status == order.status:
            found.unchanged.append(row)
        else:
            moved.append((row, row.status))
            row.status, row.updated_at = order.status, timezone.now()
            found.changed.append(row)
    found.created = _create(new, known)
    Order.objects.bulk_update(found.changed, ["status", "updated_at"], batch_size=200)
    if take_stock:
        beyond = [row for row in found.created if row.status not in NOTHING_TAKEN]
        moved_on = [row for row, was in moved if was == Status.PENDING and row.status not in NOTHING_TAKEN]
        services.take_stock_of(beyond + moved_on)
    services.give_back_of([row for row, was in moved if row.status == Status.CANCELLED])
    return found


def _create(new: Sequence[NewOrder], known: _Known) -> list[Order]:
    """The rows of new orders and of their lines."""
    items: list[OrderItem] = []
    rows: list[Order] = []
    for order in new:
        row = Order(
            order_number=order.order_number, status=order.status, customer_id=known.customer(order), **order.head
        )
        lines = [known.item(line, row) for line in order.lines]
        row.subtotal = sum((item.amount for item in lines), ZERO)
        row.total = row.subtotal + row.shipping + row.tax
        rows.append(row)
        items += lines
    rows = Order.objects.bulk_create(rows)
    for item in items:
        item.order_id = item.order.pk
    OrderItem.objects.bulk_create(items)
    return rows


def _twice(wanted: Sequence[NewOrder]) -> Iterable[Fault]:
    counts = Counter(order.order_number for order in wanted)
    for n, order in enumerate(wanted):
        if counts[order.order_number] > 1:
            yield Fault(n, order.order_number, _("This order number stands in the call more than once."))


class _Known:
    """What the database has of the things that orders name, read once for all of them."""

    def __init__(self, wanted: Sequence[NewOrder], source: str) -> None:
        variants = ProductVariant.objects.select_related("product")
        skus = {line.sku for order in wanted for line in order.lines}
        self.variants = {x.sku: x for part in _parts(skus) for x in variants.filter(sku__in=part)}
        people = User.objects.filter(role=Role.CUSTOMER)
        numbers = {order.customer_number for order in wanted if order.customer_number}
        self.by_number: dict[str | None, int] = {
            x.external_id: x.pk for part in _parts(numbers) for x in people.filter(source=source, external_id__in=part)
        }
        ids = {order.customer for order in wanted if order.customer}
        self.customers = {x.pk for part in _parts(ids) for x in people.filter(pk__in=part).only("pk")}
        stored = Order.objects.select_for_update().order_by("pk")
        given = {order.order_number for order in wanted}
        self.orders = {x.order_number: x for part in _parts(given) for x in stored.filter(order_number__in=part)}
        self.lines: dict[int, list[OrderItem]] = {}
        for part in _parts({row.pk for row in self.orders.values()}):
            for item in OrderItem.objects.filter(order__in=part).order_by("pk"):
                self.lines.setdefault(item.order_id, []).append(item)

    def customer(self, order: NewOrder) -> int | None:
        """The id of the order's customer; None for a guest."""
        return order.customer or self.by_number.get(order.customer_number)

    def item(self, line: NewLine, order: Order) -> OrderItem:
        """The line as a row, which is not stored yet."""
        variant = self.variants[line.sku]
        price = variant.sale_price if line.unit_price is None else line.unit_price
        item = OrderItem(order=order, variant=variant, units=line.units, unit_price=price, discount=line.discount)
        item.amount = item.computed_amount()
        return item

    def faults(self, n: int, order: NewOrder) -> Iterable[Fault]:
        """What keeps this order from being stored."""
        number = order.order_number
        missing = sorted({line.sku for line in order.lines} - set(self.variants))
        if missing:
            told = _("There is no variant with the SKU {sku}.").format(sku=", ".join(missing[:10]))
            yield Fault(n, number, told, unknown=True)
        if order.customer and order.customer not in self.customers:
            yield Fault(n, number, _("There is no customer {id}.").format(id=order.customer), unknown=True)
        if order.customer_number and order.customer_number not in self.by_number:
            told = _("There is no customer with the number {id}.").format(id=order.customer_number)
            yield Fault(n, number, told, unknown=True)
        if missing:
            return
        row = self.orders.get(number)
        if row is not None:
            yield from (Fault(n, number, told) for told in self._differences(order, row))
            return
        yield from (Fault(n, number, told) for told in self._money(order))

    def _money(self, order: NewOrder) -> Iterable[str]:
        """What is wrong with the money of a new order; prices of before the ceiling may be above it."""
        items = [self.item(line, Order()) for line in order.lines]
        for line, item in zip(order.lines, items, strict=True):
            if item.amount < 0:
                told = _("The discount on {sku} is {discount}; the line is worth {amount}.")
                yield told.format(sku=line.sku, discount=line.discount, amount=item.amount + item.discount)
            if item.unit_price > MOST_UNIT_PRICE:
                told = _("The price of {sku} is {price}; {most} is the most that a line can hold.")
                yield told.format(sku=line.sku, price=item.unit_price, most=MOST_UNIT_PRICE)
        total = sum((item.amount for item in items), ZERO) + sum(order.head.get(x, ZERO) for x in ("shipping", "tax"))
        if total > MOST_MONEY:
            yield _("The order is worth {total}; {most} is the most that can be stored.").format(
                total=total, most=MOST_MONEY
            )

    def _differences(self, order: NewOrder, row: Order) -> Iterable[str]:
        """What an order that is stored already would change that may not change."""
        if order.status != row.status and order.status not in _reachable(row.status):
            yield _("The order is stored as “{now}”, which “{wanted}” cannot follow.").format(
                now=Status(row.status).label, wanted=Status(order.status).label
            )
        differ = [name for name, value in order.head.items() if getattr(row, name) != value]
        if (order.customer or order.customer_number) and self.customer(order) != row.customer_id:
            differ.append("customer")
        if not self._same_lines(order.lines, self.lines.get(row.pk, [])):
            differ.append("lines")
        if differ:
            yield _("The order is stored already, with other values of: {fields}. Only its status may change.").format(
                fields=", ".join(differ)
            )

    def _same_lines(self, lines: Sequence[NewLine], items: Sequence[OrderItem]) -> bool:
        """Line by line; a price that was not sent is not compared."""
        if len(lines) != len(items):
            return False
        return all(
            (self.variants[a.sku].pk, a.units, a.discount) == (b.variant_id, b.units, b.discount)
            and a.unit_price in (None, b.unit_price)
            for a, b in zip(lines, items, strict=True)
        )


def _parts(values: set[Any]) -> Iterable[Sequence[Any]]:
    return in_parts(sorted(values))


def _reachable(status: str) -> set[str]:
    """Every status that may follow, at once or by way of others."""
    found: set[str] = set()
    left = [status]
    while left:
        for after in TRANSITIONS[left.pop()] - found:
            found.add(after)
            left.append(after)
    return found


def parsed(data: Mapping[str, Any]) -> NewOrder:
    """The order that a checked body describes."""
    return NewOrder(
        order_number=data["order_number"],
        lines=[NewLine(**line) for line in data["lines"]],
        status=data["status"],
        customer=data.get("customer"),
        customer_number=data.get("customer_number"),
        head={name: data[name] for name in HEAD if name in data},
    )
