"""Saving a variant never changes its stock."""

from __future__ import annotations

from decimal import Decimal

import pytest

from products.models import Product, ProductVariant, StockMovement
from products.services import move_stock

pytestmark = pytest.mark.postgres


@pytest.fixture
def variant(db):
    product = Product.objects.create(name="Shirt", price=Decimal(20))
    return ProductVariant.objects.create(product=product, sku="S1", stock=5)


def stock() -> int:
    return ProductVariant.objects.values_list("stock", flat=True).get(sku="S1")


def test_two_stale_instances_cannot_write_an_old_stock_back(variant):
    first, second = ProductVariant.objects.get(sku="S1"), ProductVariant.objects.get(sku="S1")
    move_stock(variant, "sale", -2)
    first.cost = Decimal(3)
    first.save()
    move_stock(variant, "sale", -1)
    second.pack_size = 6
    second.save()
    assert stock() == 2
    assert ProductVariant.objects.get(sku="S1").pack_size == 6


def test_a_stock_set_by_hand_is_not_saved(variant):
    variant.stock = 99
    variant.save()
    assert stock() == 5


def test_everything_else_is_saved(variant):
    values = {
        "options": {"size": "M"},
        "is_active": False,
        "price": Decimal("7.50"),
        "cost": Decimal("3.1000"),
        "reserved": 2,
        "pack_size": 3,
        "minimum_order": 4,
        "lead_time_days": 5,
        "sku": "S2",
    }
    for name, value in values.items():
        setattr(variant, name, value)
    variant.save()
    assert ProductVariant.objects.values(*values).get() == values


def test_named_fields_alone_are_saved(variant):
    variant.cost, variant.pack_size = Decimal(1), 9
    variant.save(update_fields=["cost"])
    assert ProductVariant.objects.get().pack_size == 1


def test_the_stock_of_a_new_variant_is_its_opening_movement(variant):
    movement = StockMovement.objects.get()
    assert (movement.kind, movement.units, variant.stock, stock()) == ("opening", 5, 5, 5)


def test_a_new_variant_without_stock_has_no_movement(db):
    ProductVariant.objects.create(product=Product.objects.create(name="x"), sku="S1")
    assert not StockMovement.objects.exists()


def test_a_variant_sells_for_its_own_price_else_for_its_products(variant):
    assert variant.sale_price == Decimal(20)
    variant.price = Decimal(18)
    assert variant.sale_price == Decimal(18)
