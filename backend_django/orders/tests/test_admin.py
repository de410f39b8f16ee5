"""Orders and returns in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from orders.models import Order, OrderItem, OrderReturn
from orders.services import confirm
from products.models import Product, ProductVariant


@pytest.fixture
def ada(cast, client):
    client.force_login(cast["ada"])
    return client


def listing(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page(model: Any) -> str:
    pk = model.objects.earliest("pk").pk
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


def adding(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


# --- orders ---------------------------------------------------------------------------------------


@pytest.fixture
def order(db):
    product = Product.objects.create(name="x")
    variant = ProductVariant.objects.create(product=product, sku="S1", stock=10)
    order = Order.objects.create(order_number="A1")
    OrderItem.objects.create(order=order, variant=variant, units=3, unit_price=Decimal(10))
    return order


def stock() -> int:
    return ProductVariant.objects.values_list("stock", flat=True).get(sku="S1")


def act(client: Any, action: str, *orders: Any) -> str:
    chosen = {"action": action, "_selected_action": [o.pk for o in orders]}
    return client.post(listing(type(orders[0])), chosen, follow=True).content.decode()


def test_the_actions_of_the_list_go_through_the_services(ada, order):
    act(ada, "to_confirmed", order)
    assert stock() == 7
    act(ada, "to_cancelled", order)
    assert stock() == 10
    assert Order.objects.get().status == "cancelled"


def test_an_action_that_is_refused_says_why_and_does_the_others(ada, order):
    other = Order.objects.create(order_number="A2")
    text = act(ada, "to_cancelled", order, other)
    assert "Orders changed: 2" in text
    text = act(ada, "to_confirmed", order)
    assert "A1" in text
    assert "Orders changed: 0" in text


def test_the_status_cannot_be_typed(ada, order):
    ada.post(page(Order), {"order_number": "A1", "status": "completed", "channel": "web", **head(), **lines(1, 1)})
    assert Order.objects.get().status == "pending"


def head() -> dict[str, str]:
    return {"placed_at_0": "2026-05-01", "placed_at_1": "10:00", "currency": "EUR", "shipping": "4.90", "tax": "0"}


def lines(total: int, initial: int) -> dict[str, Any]:
    data: dict[str, Any] = {"items-TOTAL_FORMS": total, "items-INITIAL_FORMS": initial}
    for i, item in enumerate(OrderItem.objects.all()[:initial]):
        data |= {f"items-{i}-id": item.pk, f"items-{i}-variant": item.variant_id, f"items-{i}-units": 5}
        data |= {f"items-{i}-unit_price": "10", f"items-{i}-discount": "1"}
    return data


def test_saving_a_pending_order_recomputes_its_totals(ada, order):
    answer = ada.post(page(Order), {"order_number": "A1", "channel": "web", **head(), **lines(1, 1)})
    assert answer.status_code == 302, answer.context["errors"]
    row = Order.objects.get()
    assert (row.subtotal, row.total) == (Decimal("49.00"), Decimal("53.90"))


def test_what_a_confirmed_order_cost_is_not_changed(ada, order):
    confirm(order)
    ada.post(page(Order), {"order_number": "B9", "channel": "web", "customer": "", **head(), **lines(1, 1)})
    row = Order.objects.get()
    assert (row.order_number, row.channel, row.shipping, row.items.get().units) == ("A1", "web", Decimal(0), 3)


def test_only_a_pending_order_is_deleted(ada, order):
    url = reverse("admin:orders_order_delete", args=[order.pk])
    confirm(order)
    assert ada.get(url).status_code == 403
    Order.objects.update(status="pending")
    assert ada.get(url).status_code == 200


# --- returns --------------------------------------------------------------------------------------


def a_return(order: Order, **changes: Any) -> dict[str, Any]:
    when = {"returned_at_0": "2026-05-09", "returned_at_1": "10:00"}
    return {"item": order.items.get().pk, "units": 2, "amount": "", "reference": "", **when, **changes}


def test_adding_a_return_moves_the_stock_and_shares_the_money(ada, order):
    Order.objects.update(status="completed")
    answer = ada.post(adding(OrderReturn), a_return(order))
    assert answer.status_code == 302, answer.context["errors"]
    row = OrderReturn.objects.get()
    assert (row.units, row.amount, stock()) == (2, Decimal("20.00"), 12)


@pytest.mark.parametrize(("changes", "text"), [({"units": 4}, "3 units were sold"), ({"amount": "99"}, "30.00")])
def test_a_return_that_cannot_be_is_refused_beside_the_form(ada, order, changes, text):
    Order.objects.update(status="completed")
    answer = ada.post(adding(OrderReturn), a_return(order, **changes))
    assert answer.status_code == 200
    assert text in answer.content.decode()
    assert (OrderReturn.objects.count(), stock()) == (0, 10)


def test_a_return_is_never_changed_or_deleted(ada, order):
    row = OrderReturn.objects.create(item=order.items.get(), units=1, amount=1)
    assert ada.post(page(OrderReturn), a_return(order)).status_code == 403
    assert ada.post(reverse("admin:orders_orderreturn_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
