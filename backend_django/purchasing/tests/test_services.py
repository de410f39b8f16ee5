"""What may happen to a purchase order, and what it does to the stock."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from products.models import Product, ProductVariant, StockMovement
from purchasing import services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier
from purchasing.services import PurchaseError

pytestmark = pytest.mark.postgres


@pytest.fixture
def order(db):
    """Ten shirts and four pairs of shoes, lead time 7 days."""
    product = Product.objects.create(name="x")
    order = PurchaseOrder.objects.create(number="P1", supplier=Supplier.objects.create(name="Norte"))
    for sku, units in (("SHIRT", 10), ("SHOES", 4)):
        variant = ProductVariant.objects.create(product=product, sku=sku)
        PurchaseOrderLine.objects.create(purchase_order=order, variant=variant, units=units, unit_cost=1)
    return order


def line(sku: str = "SHIRT") -> PurchaseOrderLine:
    return PurchaseOrderLine.objects.get(variant__sku=sku)


def stocks() -> dict[str, int]:
    return dict(ProductVariant.objects.values_list("sku", "stock"))


def test_confirming_sets_the_day_it_was_ordered_and_the_day_it_is_expected(order):
    row = services.confirm(order, at=datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert (row.status, row.expected_on) == ("confirmed", date(2026, 5, 8))
    assert services.confirm(order).ordered_at == row.ordered_at


def test_an_expected_day_that_the_owner_gave_stays(order):
    PurchaseOrder.objects.update(expected_on=date(2026, 6, 1))
    assert services.confirm(order, at=datetime(2026, 5, 1, 12, tzinfo=UTC)).expected_on == date(2026, 6, 1)


def test_an_expected_day_that_has_passed_is_worked_out_anew(order):
    PurchaseOrder.objects.update(expected_on=date(2026, 4, 30))
    assert services.confirm(order, at=datetime(2026, 5, 1, 12, tzinfo=UTC)).expected_on == date(2026, 5, 8)


def test_an_order_without_lines_is_not_confirmed(order):
    order.lines.all().delete()
    with pytest.raises(PurchaseError, match="no lines"):
        services.confirm(order)


def test_all_that_is_missing_is_received_at_once(order):
    services.confirm(order)
    at = datetime(2026, 5, 9, tzinfo=UTC)
    row = services.receive(order, at=at)
    assert (row.status, row.received_at, stocks()) == ("received", at, {"SHIRT": 10, "SHOES": 4})
    assert StockMovement.objects.filter(kind="receipt", note="P1").count() == 2


def test_a_delivery_may_come_in_parts(order):
    services.confirm(order)
    assert services.receive(order, {line().pk: 6}).status == "confirmed"
    assert services.receive(order, {line().pk: 2}).status == "confirmed"
    assert (stocks(), line().received_units) == ({"SHIRT": 8, "SHOES": 0}, 8)
    assert services.receive(order).status == "received"
    assert stocks() == {"SHIRT": 10, "SHOES": 4}


def test_the_same_delivery_note_is_booked_once(order):
    services.confirm(order)
    for _ in range(2):
        services.receive(order, {line().pk: 3}, reference="N1")
    assert (stocks()["SHIRT"], line().received_units) == (3, 3)


def test_the_last_delivery_note_may_be_sent_twice_too(order):
    services.confirm(order)
    for _ in range(2):
        assert services.receive(order, reference="N1").status == "received"
    assert stocks() == {"SHIRT": 10, "SHOES": 4}


@pytest.mark.parametrize("units", [-1, 11])
def test_no_more_than_is_missing_is_received(order, units):
    services.confirm(order)
    with pytest.raises(PurchaseError, match="10 units are missing"):
        services.receive(order, {line().pk: units})
    assert stocks()["SHIRT"] == 0


def test_a_line_of_another_order_is_refused(order):
    services.confirm(order)
    with pytest.raises(PurchaseError, match="999"):
        services.receive(order, {999: 1})


@pytest.mark.parametrize("status", ["draft", "received", "cancelled"])
def test_only_a_confirmed_order_is_received(order, status):
    PurchaseOrder.objects.update(status=status)
    with pytest.raises(PurchaseError, match="P1"):
        services.receive(order)


def test_cancelling_gives_up_what_has_not_come_and_keeps_what_has(order):
    services.confirm(order)
    services.receive(order, {line().pk: 6})
    assert services.cancel(order).status == services.cancel(order).status == "cancelled"
    assert stocks()["SHIRT"] == 6


def test_what_was_received_is_not_cancelled(order):
    services.confirm(order)
    services.receive(order)
    with pytest.raises(PurchaseError):
        services.cancel(order)
