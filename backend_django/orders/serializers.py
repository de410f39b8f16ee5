"""Orders with their lines as JSON, and the bodies that make, move and return them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.errors import texts
from api_base.fields import LARGEST_ID, Amount, Flag, Moment, Text, Whole
from api_base.serializers import Explained, Record, rows
from orders.models import ZERO, Order, OrderItem, OrderReturn

MOST_LINES = 500
MOST_ORDERS = 1_000
MOST_UNITS = 1_000_000
Status = Order.Status
MADE_AS = [s.value for s in Status if s not in (Status.CANCELLED, Status.REFUNDED)]
"""A new order has got as far as one of these."""


class LineRecord(Record):
    """A line of an order."""

    sku = serializers.CharField(source="variant.sku", read_only=True)
    returned_units = serializers.IntegerField(read_only=True, min_value=0)

    class Meta:
        model = OrderItem
        fields = ["id", "variant", "sku", "units", "unit_price", "discount", "amount", "returned_units"]
        read_only_fields = fields


class OrderRecord(Record):
    """An order with its lines."""

    lines = LineRecord(source="items", many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            "id", "order_number", "customer", "channel", "status", "placed_at", "currency", "subtotal", "shipping",
            "tax", "total", "is_test", "updated_at", "lines",
        ]  # fmt: skip
        read_only_fields = fields


class NewLine(Explained):
    """A line of a new order."""

    sku = Text(max_length=120)
    units = Whole(min_value=1, max_value=MOST_UNITS)
    unit_price = Amount(12, 4, required=False, help_text=_("Left out: the variant's price as it is now."))
    discount = Amount(12, 2, default=ZERO, help_text=_("On the whole line."))


class NewOrder(Explained):
    """A new order."""

    order_number = Text(max_length=80)
    status = serializers.ChoiceField(
        choices=MADE_AS, default=Status.PENDING.value,
        help_text=_("How far it has got. Beyond pending, its units are taken from the stock."),
    )  # fmt: skip
    customer = Whole(
        min_value=1, max_value=LARGEST_ID, required=False, allow_null=True,
        help_text=_("A customer's id; neither this nor a number: a guest."),
    )  # fmt: skip
    customer_number = Text(
        max_length=120, required=False, allow_null=True, help_text=_("The customer's external number.")
    )
    channel = Text(max_length=40, required=False)
    placed_at = Moment(required=False, help_text=_("Left out: now."))
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, help_text="ISO 4217.")
    shipping = Amount(12, 2, required=False)
    tax = Amount(12, 2, required=False, help_text=_("On top of the lines; none where prices include it."))
    is_test = Flag(required=False)
    lines = rows(NewLine, min_length=1, max_length=MOST_LINES)


class SentOrder(NewOrder):
    """An order of a bulk call: it may be at any point of its life."""

    status = serializers.ChoiceField(choices=Status.choices)
    placed_at = Moment()


class BulkOrders(Explained):
    """Many orders at once."""

    source = Text(  # type: ignore[assignment]  # a name that DRF's fields have as well
        max_length=40, default="shop", help_text=_("Whose customer numbers these are: an import's name.")
    )
    take_stock = Flag(
        default=False,
        help_text=_("Take the units of orders beyond pending from the stock. Off: the stock is counted elsewhere."),
    )
    orders = rows(SentOrder, min_length=1, max_length=MOST_ORDERS)

    def _explained(self, error: serializers.ValidationError) -> dict[str, dict[str, Any]]:
        """The faults of the orders by row, and not the orders themselves once more."""
        explained = super()._explained(error)
        if "orders" in explained:
            problems = error.detail["orders"] if isinstance(error.detail, dict) else []
            explained["orders"] = {**_by_row(problems, self.initial_data), "allowed": {"longest": MOST_ORDERS}}
        return explained


def _by_row(problems: Any, data: Any) -> dict[str, Any]:
    """`message` and `rows` of faulty orders; the message alone where it is the list as a whole."""
    if not isinstance(problems, Mapping) or not all(isinstance(key, int) for key in problems):
        return {"message": " ".join(texts(problems))}
    sent = data["orders"]
    faulty = [
        {"row": n + 1, **_number(sent[n]), "message": " ".join(texts(x))} for n, x in sorted(problems.items()) if x
    ]
    return {"message": told(len(faulty), len(sent), faulty[0]["message"]), "rows": faulty}


def _number(order: Any) -> dict[str, str]:
    number = order.get("order_number") if isinstance(order, Mapping) else None
    return {"order_number": number} if isinstance(number, str) else {}


def told(faulty: int, total: int, first: str) -> str:
    """The sentence on a call of which some orders are faulty."""
    text = gettext("{faulty} of {total} orders are faulty, so none was stored. The first: {first}")
    return text.format(faulty=faulty, total=total, first=first)


class BulkDone(serializers.Serializer[Any]):
    """What a bulk call did."""

    created = serializers.IntegerField(min_value=0)
    changed = serializers.IntegerField(min_value=0, help_text=_("Their status moved on."))
    unchanged = serializers.IntegerField(min_value=0)


class NewStatus(Explained):
    """The status that an order is to have."""

    status = serializers.ChoiceField(choices=Status.choices)


class ReturnedLine(Explained):
    """Units of one line that came back."""

    line = Whole(min_value=1, max_value=LARGEST_ID, help_text=_("The line's id."))
    units = Whole(min_value=1, max_value=MOST_UNITS)
    amount = Amount(14, 2, required=False, allow_null=True, help_text=_("Left out: the units' share of the line."))


class NewReturn(Explained):
    """What came back of an order."""

    lines = rows(ReturnedLine, min_length=1, max_length=MOST_LINES)
    reference = Text(
        max_length=100, required=False, allow_null=True, default=None,
        help_text=_("The return's own number: the same one is booked once."),
    )  # fmt: skip
    returned_at = Moment(required=False, help_text=_("Left out: now."))


class ReturnRecord(Record):
    """A return."""

    line = serializers.IntegerField(source="item_id", read_only=True)
    sku = serializers.CharField(source="item.variant.sku", read_only=True)

    class Meta:
        model = OrderReturn
        fields = ["id", "line", "sku", "units", "amount", "returned_at", "reference"]
        read_only_fields = fields
