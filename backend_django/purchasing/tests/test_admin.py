"""Purchase orders in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse

from products.models import Product, ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierPrice

LIST = "admin:purchasing_purchaseorder_changelist"


@pytest.fixture
def order(cast, client):
    client.force_login(cast["ada"])
    variant = ProductVariant.objects.create(product=Product.objects.create(name="x"), sku="S1")
    order = PurchaseOrder.objects.create(number="P1", supplier=Supplier.objects.create(name="Norte"))
    PurchaseOrderLine.objects.create(purchase_order=order, variant=variant, units=10, unit_cost=1)
    return order


def act(client, action, order):
    return client.post(reverse(LIST), {"action": action, "_selected_action": [order.pk]}, follow=True).content.decode()


def test_the_actions_of_the_list_go_through_the_services(client, order):
    act(client, "confirm", order)
    act(client, "receive", order)
    order.refresh_from_db()
    assert (order.status, ProductVariant.objects.get().stock) == ("received", 10)


def test_an_action_that_is_refused_says_why(client, order):
    assert "must be" in act(client, "receive", order)
    assert ProductVariant.objects.get().stock == 0


def test_cancelling_leaves_the_stock(client, order):
    act(client, "cancel", order)
    order.refresh_from_db()
    assert order.status == "cancelled"


def test_lines_are_edited_while_it_is_a_draft(client, order):
    url = reverse("admin:purchasing_purchaseorder_change", args=[order.pk])
    assert 'name="lines-0-units"' in client.get(url).content.decode()
    act(client, "confirm", order)
    assert 'name="lines-0-units"' not in client.get(url).content.decode()
    assert client.get(reverse("admin:purchasing_purchaseorder_delete", args=[order.pk])).status_code == 403


def test_who_did_what_stands_in_the_history(client, order, cast):
    act(client, "confirm", order)
    act(client, "receive", order)
    page = client.get(reverse("admin:purchasing_purchaseorder_history", args=[order.pk])).content.decode()
    assert "Confirmed." in page
    assert "All that was missing received." in page


def test_orders_are_exported_without_formulas(client, order):
    Product.objects.update(name="=1+1")
    answer = client.post(reverse(LIST), {"action": "export", "_selected_action": [order.pk]})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "'=1+1" in answer.content.decode()


def test_the_list_takes_as_many_queries_for_many_orders(client, order, django_assert_max_num_queries):
    for n in range(20):
        row = PurchaseOrder.objects.create(number=f"N{n}", supplier=Supplier.objects.create(name=f"S{n}"))
        PurchaseOrderLine.objects.create(purchase_order=row, variant=order.lines.get().variant, units=2, unit_cost=3)
    with django_assert_max_num_queries(9):
        page = client.get(reverse(LIST)).content.decode()
    assert "6.00" in page


def test_a_cost_that_is_left_empty_is_the_suppliers(client, order, cast):
    line = order.lines.get()
    SupplierPrice.objects.create(variant=line.variant, supplier=order.supplier, minimum_quantity=12, unit_cost=7)
    url = reverse("admin:purchasing_purchaseorder_change", args=[order.pk])
    data = {
        "number": "P1", "supplier": order.supplier_id, "note": "", "expected_on": "", "lines-TOTAL_FORMS": 1,
        "lines-INITIAL_FORMS": 1, "lines-0-id": line.pk, "lines-0-purchase_order": order.pk,
        "lines-0-variant": line.variant_id, "lines-0-units": 12, "lines-0-unit_cost": "", "lines-0-note": "",
    }  # fmt: skip
    answer = client.post(url, data)
    assert answer.status_code == 302, answer.context["errors"]
    line.refresh_from_db()
    assert (line.units, line.unit_cost) == (12, 7)


def test_the_page_of_a_variant_shows_whom_it_is_bought_from_and_at_which_price(client, order):
    variant = order.lines.get().variant
    SupplierPrice.objects.create(variant=variant, supplier=order.supplier, minimum_quantity=24, unit_cost="3.25")
    page = client.get(reverse("admin:products_productvariant_change", args=[variant.pk])).content.decode()
    assert 'name="supplier_item-0-supplier"' in page
    assert 'name="supplier_prices-0-minimum_quantity" value="24"' in page
