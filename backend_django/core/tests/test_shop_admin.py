"""The admin pages of the whole shop: as many queries for many rows as for few, no page that reads a whole table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authentication.admin_tools import MOST_COUNTED, LargeTableAdmin, begins_with
from authentication.models import User
from orders.admin import MOST_LINES
from orders.models import Order, OrderItem, OrderReturn
from orders.services import confirm
from products.models import Category, Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem

MODELS = [
    User, Category, Product, ProductVariant, StockMovement, Supplier, SupplierItem, PurchaseOrder, Order, OrderItem,
    OrderReturn,
]  # fmt: skip
names = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)


@pytest.fixture
def ada(cast, client):
    client.force_login(cast["ada"])
    return client


def fill(count: int) -> None:
    """`count` more rows of every kind, all of them hanging on the first of the kind above where one can."""
    start = Order.objects.count()
    span = range(start, start + count)
    category = Category.objects.first() or Category.objects.create(name="Shirts")
    Category.objects.bulk_create(Category(name=f"C{i}", parent=category) for i in span)
    Product.objects.bulk_create(Product(name=f"P{i}", code=f"P{i}", category=category) for i in span)
    product = Product.objects.earliest("pk")
    variants = ProductVariant.objects.bulk_create(ProductVariant(product=product, sku=f"S{i}") for i in span)
    StockMovement.objects.bulk_create(StockMovement(variant=v, kind="opening", units=0) for v in variants)
    Supplier.objects.bulk_create(Supplier(name=f"N{i}") for i in span)
    supplier = Supplier.objects.earliest("pk")
    SupplierItem.objects.bulk_create(SupplierItem(variant=v, supplier=supplier) for v in variants)
    PurchaseOrder.objects.bulk_create(PurchaseOrder(number=f"B{i}", supplier=supplier) for i in span)
    purchase = PurchaseOrder.objects.earliest("pk")
    PurchaseOrderLine.objects.bulk_create(
        PurchaseOrderLine(purchase_order=purchase, variant=v, units=1, unit_cost=1) for v in variants
    )
    people = User.objects.bulk_create_customers(User(email=f"c{i}@mail.test", external_id=f"X{i}") for i in span)
    Order.objects.bulk_create(
        Order(order_number=f"A{i}", customer=person, status="pending") for i, person in zip(span, people, strict=True)
    )
    order = Order.objects.earliest("pk")
    items = OrderItem.objects.bulk_create(OrderItem(order=order, variant=v, units=9, unit_price=1) for v in variants)
    first = OrderItem.objects.earliest("pk")
    OrderReturn.objects.bulk_create(OrderReturn(item=first, units=1, amount=0) for _ in items)


def listing(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page(model: Any, pk: Any = None) -> str:
    pk = pk or model.objects.earliest("pk").pk
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


def adding(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def queries(client: Any, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    assert answer.status_code == 200, url
    return [q["sql"] for q in captured.captured_queries]


# --- quick on large tables ------------------------------------------------------------------------


def test_every_model_of_the_shop_has_its_page():
    lines = {PurchaseOrderLine}  # edited in their purchase order
    shop = {m for m in admin.site._registry if m._meta.app_label in ("products", "purchasing", "orders")}
    assert shop | {User} == set(MODELS)
    assert not lines & set(MODELS)


@names
def test_list_and_change_page_cost_the_same_few_queries_for_any_number_of_rows(ada, model):
    fill(3)
    urls = [listing(model), listing(model) + "?q=S1", page(model)]
    [queries(ada, url) for url in urls]  # Django looks its content types up once per process
    few = [queries(ada, url) for url in urls]
    fill(40)
    many = [queries(ada, url) for url in urls]
    for before, after in zip(few, many, strict=True):
        assert len(after) == len(before) <= 20, after


@names
def test_no_list_counts_or_sorts_the_whole_table(ada, model, monkeypatch):
    monkeypatch.setattr(LargeTableAdmin, "list_per_page", 2)  # a single page is read whole
    fill(5)
    extra = {
        Order: ["?status__exact=completed", "?placed_at__gte=2026-01-01+00:00:00%2B00:00", "?o=2", "?o=-1"],
        OrderReturn: ["?returned_at__gte=2026-01-01+00:00:00%2B00:00"],
        User: ["?role__exact=customer"],
        Product: ["?status__exact=active"],
    }.get(model, [])
    table = model._meta.db_table
    for query in ["", *extra]:
        for sql in queries(ada, listing(model) + query):
            if f'FROM "{table}"' not in sql:
                continue
            assert "LIMIT" in sql or 'WHERE "' in sql, sql
            assert not re.search(r"SELECT COUNT\(\*\) AS \"__count\" FROM \"", sql), sql
            if connection.vendor == "sqlite":
                with connection.cursor() as cursor:
                    plan = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
                assert not [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step], f"{plan} {sql[-400:]}"


SEARCHED_BY = {
    User: ["email", "external_id", "last_name"], Product: ["code"], ProductVariant: ["sku"], Order: ["order_number"],
    PurchaseOrder: ["number"], OrderReturn: ["reference"], Category: ["name"], Supplier: ["name"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "field"), [(model, field) for model, fields in SEARCHED_BY.items() for field in fields]
)
def test_a_search_goes_through_an_index(ada, model, field):
    if connection.vendor != "sqlite":
        pytest.skip("the plans of SQLite")

    sql, params = (
        model.objects.filter(begins_with(field, "A1")).order_by().values_list("pk")[:10].query.sql_with_params()
    )
    with connection.cursor() as cursor:
        plan = " ".join(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall())
    assert "SEARCH" in plan, plan
    assert "SCAN" not in plan, plan


def test_a_list_counts_no_further_than_it_pages(ada, monkeypatch):
    monkeypatch.setattr("authentication.admin_tools.MOST_COUNTED", 7)
    fill(20)
    assert ada.get(listing(Order)).context["cl"].paginator.count == 7
    assert MOST_COUNTED >= 1_000


@pytest.mark.parametrize(
    ("model", "term", "found"),
    [
        (Order, "A1", {"A1", "A10", "A11", "A12"}),
        (Order, "a12", {"A12"}),
        (Order, "c12@MAIL.test", {"A12"}),
        (Order, "X11", {"A11"}),
        (Order, "nothing", set()),
        (Order, "%", set()),
        (ProductVariant, "S12", {"S12"}),
        (PurchaseOrder, "B12", {"B12"}),
        (Product, "p12", {"P12"}),
        (Product, "S3", {"P0"}),
    ],
)
def test_a_search_finds_what_begins_with_the_term(ada, model, term, found):
    fill(13)
    rows = ada.get(listing(model), {"q": term}).context["cl"].result_list
    assert {str(row) for row in rows} == found


def test_the_page_of_a_large_confirmed_order_shows_its_first_lines_and_is_savable(ada):
    fill(MOST_LINES + 20)
    order = Order.objects.earliest("pk")
    confirm(order)
    answer = ada.get(page(Order, order.pk))
    assert answer.content.decode().count("<tr><td>") == MOST_LINES
    assert f"first {MOST_LINES}" in answer.content.decode()
    assert ada.post(page(Order, order.pk), {"customer": "", "channel": "web"}).status_code == 302
    order.refresh_from_db()
    assert (order.channel, order.status) == ("web", "confirmed")


def test_autocomplete_finds_a_variant(ada):
    fill(13)
    query = {"app_label": "products", "model_name": "stockmovement", "field_name": "variant", "term": "S12"}
    assert [row["text"] for row in ada.get(reverse("admin:autocomplete"), query).json()["results"]] == ["S12"]


# --- who may ---------------------------------------------------------------------------------------


@names
def test_the_role_admin_sees_every_page_and_a_manager_every_one_but_the_users(cast, client, model):
    fill(1)
    client.force_login(cast["ben"])
    assert client.get(listing(model)).status_code == 200
    client.force_login(cast["max"])
    assert client.get(listing(model)).status_code == 302, "a role alone opens no admin: that needs `is_staff`"
    User.objects.filter(pk=cast["max"].pk).update(is_staff=True)
    assert client.get(listing(model)).status_code == (403 if model is User else 200)


# --- what refers to what --------------------------------------------------------------------------


def test_a_user_with_orders_is_not_deleted(ada, cast):
    url = reverse("admin:authentication_user_delete", args=[cast["cleo"].pk])
    assert ada.get(url).status_code == 200
    Order.objects.create(order_number="A1", customer=cast["cleo"])
    assert ada.get(url).status_code == 403
