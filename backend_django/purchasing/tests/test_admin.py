"""Purchase orders in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse

from products.models import Product, ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier

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
