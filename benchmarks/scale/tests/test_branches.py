"""Branches are the same shop with keys, customers and products of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from authentication.models import User
from benchmarks.scale.branches import branch
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        tables = (Order._meta.db_table, OrderItem._meta.db_table, StockMovement._meta.db_table)
        return {name for table in tables for name in connection.introspection.get_constraints(cursor, table)}


def test_each_branch_has_its_own_of_everything_and_points_at_nothing_of_another():
    category, before = Category.objects.create(name="Dresses"), indexes()
    product = Product.objects.create(code="A", name="Dress", price=50, category=category)
    variant = ProductVariant.objects.create(product=product, sku="A-1", stock=3)
    customer = User.objects.create(email="ana@example.com", source="demo", external_id="C1")
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    for number, who in (("1", customer), ("2", None)):
        order = Order.objects.create(order_number=number, customer=who, status="completed", placed_at=at)
        item = OrderItem.objects.create(order=order, variant=variant, units=2, unit_price=50)
        OrderReturn.objects.create(item=item, units=1, amount=50, returned_at=at)
    assert branch(3)["orders.OrderItem"] == 6
    assert indexes() == before
    assert set(Order.objects.values_list("order_number", flat=True)) == {"1", "2", "2-1", "2-2", "3-1", "3-2"}
    assert set(User.objects.values_list("email", "external_id")) == {
        ("ana@example.com", "C1"), ("2-ana@example.com", "2-C1"), ("3-ana@example.com", "3-C1"),
    }  # fmt: skip
    for item in OrderItem.objects.select_related("order__customer", "variant__product__category"):
        prefix = item.order.order_number.rpartition("-")[0]
        mine = [
            item.variant.sku,
            item.variant.product.code,
            *([item.order.customer.email] if item.order.customer else []),
        ]
        assert {text.startswith(f"{prefix}-") if prefix else text[0].isalpha() for text in mine} == {True}
        assert item.variant.product.category == category
        assert item.amount == 100
        assert item.variant.movements.get().reference == (f"{prefix}-" if prefix else "") + "opening:A-1"
    assert [order.items.count() for order in Order.objects.all()] == [1] * 6
    assert [(one.order_items.count(), one.movements.count()) for one in ProductVariant.objects.all()] == [(2, 1)] * 3
    assert {one.item.order.placed_at for one in OrderReturn.objects.all()} == {at}
    Product.objects.create(name="One more", price=1)  # its key is free
