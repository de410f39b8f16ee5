"""Suppliers' prices, deliveries and open orders of the shop's own tables, and of a shop that has none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ml_predictions.sources.base import read_optional
from ml_predictions.sources.django_shop import DjangoShop
from products.models import Product, ProductVariant, StockMovement
from purchasing import services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice
from retail_ml import frames

pytestmark = pytest.mark.postgres
AT = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # in Madrid 23:30 of the same day


@pytest.fixture
def norte(db):
    return Supplier.objects.create(name="Norte", minimum_order_value=Decimal("150.50"))


def variant(sku, supplier=None, **fields):
    row = ProductVariant.objects.create(product=Product.objects.create(name=sku), sku=sku, **fields)
    if supplier:
        SupplierItem.objects.create(variant=row, supplier=supplier)
    return row


def ordered(supplier, number, lines, *, at=AT, **fields):
    order = PurchaseOrder.objects.create(number=number, supplier=supplier, **fields)
    for row, units in lines:
        PurchaseOrderLine.objects.create(purchase_order=order, variant=row, units=units, unit_cost=1)
    return services.confirm(order, at=at) if at else order


def test_stock_tells_the_end_of_the_season_and_the_suppliers_smallest_order(norte):
    variant("A", norte, season_end=date(2026, 8, 31))
    variant("B")
    rows = DjangoShop().stock().select("season_end", "minimum_order_value").rows()
    assert rows == [(date(2026, 8, 31), 150.5), (None, None)]


def test_price_breaks_are_those_of_the_variants_own_supplier(norte):
    sur = Supplier.objects.create(name="Sur")
    a, b = variant("A", norte), variant("B")
    for supplier, least, cost in ((norte, 24, "3.25"), (norte, 1, "4"), (sur, 10, "1")):
        SupplierPrice.objects.create(variant=a, supplier=supplier, minimum_quantity=least, unit_cost=Decimal(cost))
    SupplierPrice.objects.create(variant=b, supplier=norte, minimum_quantity=2, unit_cost=1)
    assert DjangoShop().price_breaks().rows() == [(str(a.pk), 1.0, 4.0), (str(a.pk), 24.0, 3.25)]


def test_a_delivery_in_parts_counts_by_its_movements(norte):
    a = variant("A", norte)
    order = ordered(norte, "P1", [(a, 10)])
    line = order.lines.get()
    services.receive(order, {line.pk: 4}, at=datetime(2026, 3, 9, 23, 30, tzinfo=UTC), reference="N:1")
    services.receive(order, at=datetime(2026, 3, 20, 9, tzinfo=UTC))
    supplier, key = str(norte.pk), str(a.pk)
    assert DjangoShop().deliveries().rows() == [
        (key, supplier, date(2026, 3, 2), date(2026, 3, 10), 4.0),
        (key, supplier, date(2026, 3, 2), date(2026, 3, 20), 6.0),
    ]


def test_an_imported_delivery_counts_by_its_orders_day_and_one_before_it_was_ordered_not_at_all(norte):
    a = variant("A", norte)
    for number, came in (("P1", datetime(2026, 3, 8, 9, tzinfo=UTC)), ("P2", datetime(2026, 2, 8, tzinfo=UTC))):
        order = PurchaseOrder.objects.create(
            number=number, supplier=norte, status="received", ordered_at=AT, received_at=came
        )
        PurchaseOrderLine.objects.create(purchase_order=order, variant=a, units=5, received_units=5, unit_cost=1)
    StockMovement.objects.create(variant=a, kind="receipt", units=5, reference="P1:A")
    assert DjangoShop().deliveries().select("received", "units").rows() == [(date(2026, 3, 8), 5.0)]


def test_open_orders_are_the_lines_that_still_miss_units_drafts_among_them(norte):
    a, b = variant("A", norte), variant("B", norte)
    order = ordered(norte, "P1", [(a, 10), (b, 3)])
    services.receive(order, {order.lines.get(variant=a).pk: 4, order.lines.get(variant=b).pk: 3})
    draft = ordered(norte, "P2", [(b, 7)], at=None, expected_on=date(2026, 4, 1))
    services.cancel(ordered(norte, "P3", [(a, 1)]))
    ids = str(norte.pk)
    assert DjangoShop().open_orders().rows() == [
        (str(a.pk), str(order.pk), "P1", ids, date(2026, 3, 2), date(2026, 3, 9), 6.0, False),
        (str(b.pk), str(draft.pk), "P2", ids, None, date(2026, 4, 1), 7.0, True),
    ]


def test_the_reads_take_as_many_queries_for_many_rows(norte, django_assert_num_queries):
    order = ordered(norte, "P1", [(variant(f"S{i}", norte), 2) for i in range(30)])
    services.receive(order, {line.pk: 1 for line in order.lines.all()})
    shop = DjangoShop()
    for read, queries, rows in (("price_breaks", 1, 0), ("deliveries", 2, 30), ("open_orders", 1, 30)):
        with django_assert_num_queries(queries):
            assert getattr(shop, read)().height == rows


def test_a_shop_without_these_reads_has_none():
    class Bare:
        """Knows nothing of purchases."""

    for read, schema in (("price_breaks", frames.PRICE_BREAKS), ("open_orders", frames.OPEN_ORDERS)):
        assert read_optional(Bare(), read).equals(frames.empty(schema))
