"""What may happen to an order, and what it does to the stock."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import Sum

from orders import services
from orders.models import Order, OrderItem, OrderReturn
from orders.services import OrderError, Returned
from products.models import Product, ProductVariant, StockMovement

pytestmark = pytest.mark.postgres


@pytest.fixture
def order(db):
    """Three shirts at 10.00 less 1.00, and one pair of shoes at 50.00; ten of each in stock."""
    product = Product.objects.create(name="x")
    shirt, shoes = (ProductVariant.objects.create(product=product, sku=sku, stock=10) for sku in ("SHIRT", "SHOES"))
    order = Order.objects.create(order_number="A1", shipping=Decimal("4.90"), tax=Decimal("2.10"))
    OrderItem.objects.create(order=order, variant=shirt, units=3, unit_price=Decimal(10), discount=Decimal(1))
    OrderItem.objects.create(order=order, variant=shoes, units=1, unit_price=Decimal(50))
    return order


def stocks() -> dict[str, int]:
    """The stock by SKU, once it is sure that it equals the movements."""
    rows = ProductVariant.objects.annotate(moved=Sum("movements__units"))
    assert all(v.stock == v.moved for v in rows)
    return {v.sku: v.stock for v in rows}


def bring_to(order: Order, status: str) -> None:
    for step in {
        "pending": [],
        "confirmed": ["confirmed"],
        "processing": ["confirmed", "processing"],
        "shipped": ["confirmed", "shipped"],
        "delivered": ["confirmed", "delivered"],
        "completed": ["confirmed", "completed"],
        "cancelled": ["cancelled"],
        "refunded": ["confirmed", "completed", "refunded"],
    }[status]:
        services.change_status(order, step)


def item(order: Order, sku: str = "SHIRT") -> OrderItem:
    return order.items.get(variant__sku=sku)


# --- status ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", Order.Status.values)
@pytest.mark.parametrize("after", Order.Status.values)
def test_only_the_allowed_status_follows(order, before, after):
    bring_to(order, before)
    if after == before or after in services.TRANSITIONS[before]:
        assert services.change_status(order, after).status == after
    else:
        with pytest.raises(OrderError, match="A1"):
            services.change_status(order, after)
        assert Order.objects.get().status == before


def test_the_table_of_transitions_knows_every_status_and_leads_out_of_none_that_is_final():
    assert set(services.TRANSITIONS) == set(Order.Status)
    assert not services.TRANSITIONS["cancelled"]
    assert not services.TRANSITIONS["refunded"]


def test_an_unknown_status_is_refused(order):
    with pytest.raises(OrderError, match="eaten"):
        services.change_status(order, "eaten")


def test_confirming_takes_the_stock_by_one_movement_a_line(order):
    services.confirm(order)
    assert stocks() == {"SHIRT": 7, "SHOES": 9}
    assert StockMovement.objects.filter(kind="sale").count() == 2


def test_confirming_twice_takes_once(order):
    services.confirm(order)
    services.confirm(order)
    assert stocks() == {"SHIRT": 7, "SHOES": 9}


def test_the_way_from_confirmed_to_completed_moves_nothing_more(order):
    for status in ("confirmed", "processing", "shipped", "delivered", "completed"):
        services.change_status(order, status)
    assert stocks() == {"SHIRT": 7, "SHOES": 9}


@pytest.mark.parametrize("status", ["confirmed", "processing", "shipped"])
def test_cancelling_gives_back_what_was_taken_once(order, status):
    bring_to(order, status)
    services.cancel(order)
    services.cancel(order)
    assert stocks() == {"SHIRT": 10, "SHOES": 10}
    assert StockMovement.objects.filter(kind="cancellation").count() == 2


def test_cancelling_what_was_never_confirmed_moves_nothing(order):
    services.cancel(order)
    assert not StockMovement.objects.exclude(kind="opening").exists()


def test_cancelling_an_imported_order_gives_nothing_back_since_it_took_nothing(order):
    Order.objects.update(status="confirmed")
    services.cancel(order)
    assert stocks() == {"SHIRT": 10, "SHOES": 10}


def test_a_stale_instance_cannot_confirm_a_cancelled_order(order):
    stale = Order.objects.get()
    services.cancel(order)
    with pytest.raises(OrderError):
        services.confirm(stale)


def test_an_order_without_lines_is_not_confirmed(db):
    with pytest.raises(OrderError, match="no lines"):
        services.confirm(Order.objects.create(order_number="A2"))


def test_selling_more_than_there_is_goes_below_zero(order):
    item(order).variant.movements.update(units=1)
    ProductVariant.objects.filter(sku="SHIRT").update(stock=1)
    services.confirm(order)
    assert stocks()["SHIRT"] == -2


def test_a_test_order_moves_no_stock(order):
    Order.objects.update(is_test=True)
    bring_to(order, "completed")
    services.return_items(order, [Returned(item(order).pk, 1)])
    assert stocks() == {"SHIRT": 10, "SHOES": 10}


def test_confirming_costs_as_many_queries_for_forty_lines_as_for_two(order, django_assert_max_num_queries):
    OrderItem.objects.bulk_create(
        OrderItem(order=order, variant=item(order).variant, units=1, unit_price=1) for _ in range(40)
    )
    with django_assert_max_num_queries(12):
        services.confirm(order)


# --- totals ---------------------------------------------------------------------------------------


def test_totals_follow_from_lines_shipping_and_tax(order):
    services.recompute_totals(order)
    row = Order.objects.get()
    assert (row.subtotal, row.total) == (Decimal("79.00"), Decimal("86.00"))


def test_an_order_without_lines_costs_its_shipping(order):
    order.items.all().delete()
    assert services.recompute_totals(order).total == Decimal("7.00")


# --- returns --------------------------------------------------------------------------------------


def test_a_return_gives_back_stock_and_its_share_of_the_money(order):
    bring_to(order, "completed")
    at = datetime(2026, 5, 1, tzinfo=UTC)
    (row,) = services.return_items(order, [Returned(item(order).pk, 2)], at=at)
    assert (row.units, row.amount, row.returned_at) == (2, Decimal("19.33"), at)
    assert stocks() == {"SHIRT": 9, "SHOES": 9}
    assert StockMovement.objects.get(kind="return").at == at


def test_returned_unit_by_unit_the_money_adds_up_to_the_line_to_the_cent(order):
    bring_to(order, "completed")
    rows = [services.return_items(order, [Returned(item(order).pk, 1)])[0] for _ in range(3)]
    assert [row.amount for row in rows] == [Decimal("9.67"), Decimal("9.66"), Decimal("9.67")]
    assert sum(row.amount for row in rows) == item(order).amount == Decimal("29.00")


@pytest.mark.parametrize("units", [0, -1, 4])
def test_no_more_than_was_sold_can_come_back(order, units):
    bring_to(order, "completed")
    with pytest.raises(OrderError, match="3 units were sold"):
        services.return_items(order, [Returned(item(order).pk, units)])


def test_earlier_returns_count(order):
    bring_to(order, "completed")
    services.return_items(order, [Returned(item(order).pk, 2)])
    with pytest.raises(OrderError, match="1 can"):
        services.return_items(order, [Returned(item(order).pk, 2)])
    assert stocks()["SHIRT"] == 9


@pytest.mark.parametrize("amount", ["-0.01", "29.01"])
def test_no_more_money_than_the_line_cost_is_given_back(order, amount):
    bring_to(order, "completed")
    with pytest.raises(OrderError, match=r"29\.00"):
        services.return_items(order, [Returned(item(order).pk, 1, Decimal(amount))])


def test_the_same_reference_is_booked_once(order):
    bring_to(order, "completed")
    wanted = [Returned(item(order).pk, 1), Returned(item(order, "SHOES").pk, 1)]
    first = services.return_items(order, wanted, reference="RMA-1")
    again = services.return_items(order, wanted, reference="RMA-1")
    assert [r.pk for r in again] == [r.pk for r in first]
    assert stocks() == {"SHIRT": 8, "SHOES": 10}


def test_the_same_reference_with_other_units_is_refused(order):
    bring_to(order, "completed")
    services.return_items(order, [Returned(item(order).pk, 1)], reference="RMA-1")
    with pytest.raises(OrderError, match="RMA-1"):
        services.return_items(order, [Returned(item(order).pk, 2)], reference="RMA-1")


def test_one_bad_line_refuses_the_whole_return(order):
    bring_to(order, "completed")
    with pytest.raises(OrderError):
        services.return_items(order, [Returned(item(order).pk, 1), Returned(item(order, "SHOES").pk, 2)])
    assert not OrderReturn.objects.exists()
    assert stocks() == {"SHIRT": 7, "SHOES": 9}


def test_a_line_of_another_order_and_a_line_named_twice_are_refused(order):
    bring_to(order, "completed")
    with pytest.raises(OrderError, match="999"):
        services.return_items(order, [Returned(999, 1)])
    with pytest.raises(OrderError, match="twice"):
        services.return_items(order, [Returned(item(order).pk, 1)] * 2)


@pytest.mark.parametrize("status", ["pending", "confirmed", "processing", "shipped", "cancelled"])
def test_what_was_not_delivered_cannot_come_back(order, status):
    bring_to(order, status)
    with pytest.raises(OrderError, match="delivered"):
        services.return_items(order, [Returned(item(order).pk, 1)])


def test_a_return_of_an_imported_order_raises_the_stock(order):
    Order.objects.update(status="completed")
    services.return_items(order, [Returned(item(order).pk, 3)])
    assert stocks() == {"SHIRT": 13, "SHOES": 10}
