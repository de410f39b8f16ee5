"""Orders over the API: one by one, a thousand at once, moved on, cancelled, returned."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from api_base.tests.clients import client_of, queries
from authentication.models import User
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement

AT = "2026-06-30T10:00:00Z"


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Max: the role manager."""
    return client_of(cast["max"])


@pytest.fixture(autouse=True)
def shelf(db: None) -> None:
    """Two SKUs of one product at 20.00, the second at 25.00, ten of each."""
    product = Product.objects.create(name="Shirt", price=20)
    ProductVariant.objects.create(product=product, sku="A", stock=10)
    ProductVariant.objects.create(product=product, sku="B", stock=10, price=25)


def stock() -> dict[str, int]:
    return dict(ProductVariant.objects.values_list("sku", "stock"))


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    return answer.json()["error"]


def sent(number: str, **values: Any) -> dict[str, Any]:
    lines = [{"sku": "A", "units": 1, "unit_price": "20.0000"}]
    return {"order_number": number, "status": "completed", "placed_at": AT, "lines": lines, **values}


def bulk(api: APIClient, *orders: dict[str, Any], **options: Any) -> Any:
    return api.post("/api/orders/bulk/", {"orders": list(orders), **options})


# --- one order ------------------------------------------------------------------------------------


def test_an_order_takes_prices_totals_and_stock(api, cast):
    body = {
        "order_number": "W-1", "status": "completed", "customer": cast["cleo"].pk, "shipping": "4.90",
        "lines": [{"sku": "A", "units": 2, "discount": "1.50"}, {"sku": "B", "units": 1}],
    }  # fmt: skip
    answer = api.post("/api/orders/", body)
    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert (row["subtotal"], row["total"], row["status"]) == ("63.50", "68.40", "completed")
    assert [(line["sku"], line["unit_price"], line["amount"]) for line in row["lines"]] == [
        ("A", "20.0000", "38.50"), ("B", "25.0000", "25.00"),
    ]  # fmt: skip
    assert stock() == {"A": 8, "B": 9}
    assert api.get(f"/api/orders/{row['id']}/").json() == row


def test_a_pending_order_takes_nothing_until_it_is_confirmed_and_gives_it_back_when_cancelled(api):
    pk = api.post("/api/orders/", {"order_number": "1", "lines": [{"sku": "A", "units": 3}]}).json()["id"]
    assert stock()["A"] == 10
    assert api.post(f"/api/orders/{pk}/status/", {"status": "confirmed"}).json()["status"] == "confirmed"
    assert stock()["A"] == 7
    assert [api.post(f"/api/orders/{pk}/cancel/").json()["status"] for _ in range(2)] == ["cancelled"] * 2
    assert stock()["A"] == 10
    assert LogEntry.objects.filter(object_id=str(pk)).count() == 3, "added, confirmed, cancelled once"
    assert problem(api.post(f"/api/orders/{pk}/status/", {"status": "shipped"}), 409)["code"] == "order_refused"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"lines": [{"sku": "Z", "units": 1}]}, 404, "unknown_id"),
        ({"customer": 10**9}, 404, "unknown_id"),
        ({"customer_number": "x"}, 404, "unknown_id"),
        ({"lines": [{"sku": "A", "units": 1, "discount": "20.01"}]}, 409, "conflict"),
        ({"lines": []}, 400, "bad_parameter"),
        ({"lines": [{"sku": "A", "units": 0}]}, 400, "bad_parameter"),
        ({"lines": [{"sku": "A", "units": 1, "unit_price": 20}]}, 400, "bad_parameter"),
        ({"status": "cancelled"}, 400, "bad_parameter"),
        ({"currency": "eur"}, 400, "bad_parameter"),
        ({"total": "5.00"}, 400, "bad_parameter"),
    ],
)
def test_an_order_that_cannot_be_stores_nothing(api, change, status, code):
    body = {"order_number": "1", "status": "confirmed", "lines": [{"sku": "A", "units": 1}], **change}
    assert problem(api.post("/api/orders/", body), status)["code"] == code
    assert (Order.objects.count(), stock()["A"]) == (0, 10)


def test_the_staff_is_no_customer(api, cast):
    body = {"order_number": "1", "customer": cast["ben"].pk, "lines": [{"sku": "A", "units": 1}]}
    assert api.post("/api/orders/", body).status_code == 404


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"sku": "A", "units": 1}, "A is 100000000.00; 99999999.9999"),
        ({"sku": "B", "units": 1_000_000, "unit_price": "99999999.9999"}, "99999999999900.00; 999999999999.99"),
    ],
)
def test_money_beyond_what_is_stored_is_refused(api, line, told):
    """PostgreSQL answers such a row with an overflow; a price may be older than its ceiling."""
    Product.objects.update(price=Decimal("100000000.00"))
    assert told in problem(api.post("/api/orders/", {"order_number": "1", "lines": [line]}), 409)["message"]
    assert not Order.objects.exists()


def test_an_order_number_is_entered_once(api):
    body = {"order_number": "1", "lines": [{"sku": "A", "units": 1}]}
    api.post("/api/orders/", body)
    assert problem(api.post("/api/orders/", body), 409)["code"] == "exists_already"


def test_a_return_goes_back_on_the_shelf_once(api):
    order = api.post("/api/orders/", sent("1", lines=[{"sku": "A", "units": 3, "discount": "0.01"}])).json()
    line = order["lines"][0]["id"]
    body = {"lines": [{"line": line, "units": 1}], "reference": "R-1"}
    first = api.post(f"/api/orders/{order['id']}/returns/", body)
    assert first.status_code == 201, first.content
    assert [(r["sku"], r["units"], r["amount"]) for r in first.json()] == [("A", 1, "20.00")]
    assert api.post(f"/api/orders/{order['id']}/returns/", body).json() == first.json()
    assert (stock()["A"], OrderReturn.objects.count()) == (8, 1)
    assert api.get(f"/api/orders/{order['id']}/").json()["lines"][0]["returned_units"] == 1
    more = {"lines": [{"line": line, "units": 3}]}
    assert problem(api.post(f"/api/orders/{order['id']}/returns/", more), 409)["code"] == "order_refused"


# --- many orders ----------------------------------------------------------------------------------


@pytest.mark.postgres
def test_the_same_call_again_changes_nothing(api):
    User.objects.create_user(None, external_id="C7")
    orders = [sent("1", customer_number="C7"), sent("2", status="pending")]
    assert bulk(api, *orders, take_stock=True).json() == {"created": 2, "changed": 0, "unchanged": 0}
    assert Order.objects.get(order_number="1").customer.external_id == "C7"
    assert stock()["A"] == 9, "a pending order takes nothing"
    assert bulk(api, *orders, take_stock=True).json() == {"created": 0, "changed": 0, "unchanged": 2}
    assert (stock()["A"], OrderItem.objects.count()) == (9, 2)
    assert LogEntry.objects.count() == 2


@pytest.mark.postgres
def test_a_status_moves_on_and_stock_follows(api):
    bulk(api, sent("1", status="pending"), sent("2"), sent("3", status="confirmed"), take_stock=True)
    assert stock()["A"] == 8
    moved = bulk(api, sent("1", status="delivered"), sent("2"), sent("3", status="cancelled"), take_stock=True)
    assert moved.json() == {"created": 0, "changed": 2, "unchanged": 1}
    assert dict(Order.objects.values_list("order_number", "status")) == {
        "1": "delivered", "2": "completed", "3": "cancelled",
    }  # fmt: skip
    assert stock()["A"] == 8, "1 took its unit, 3 gave its own back"
    assert dict(StockMovement.objects.exclude(kind="opening").values_list("kind", "units")) == {
        "sale": -1, "cancellation": 1,
    }  # fmt: skip


def test_without_take_stock_nothing_moves(api):
    bulk(api, sent("1"), sent("2", status="confirmed"))
    bulk(api, sent("1"), sent("2", status="cancelled"))
    assert stock()["A"] == 10
    assert not StockMovement.objects.exclude(kind="opening").exists()


def test_one_faulty_order_stores_none_and_each_is_named(api):
    bulk(api, sent("old"))
    faulty = bulk(
        api, sent("1"), sent("2", lines=[{"sku": "Z", "units": 1}]), sent("old", channel="web"), sent("3"), sent("3"),
        sent("old", status="shipped"),
    )  # fmt: skip
    error = problem(faulty, 409)
    assert error["code"] == "orders_refused"
    assert [(row["row"], row["order_number"]) for row in error["details"]["rows"]] == [
        (2, "2"), (3, "old"), (3, "old"), (4, "3"), (5, "3"), (6, "old"), (6, "old"),
    ]  # fmt: skip
    told = " ".join(row["message"] for row in error["details"]["rows"])
    assert all(word in told for word in ("Z", "channel", "more than once", "Shipped"))
    assert error["message"].startswith("5 of 6 orders are faulty")
    assert list(Order.objects.values_list("order_number", flat=True)) == ["old"]


def test_a_field_that_is_wrong_is_named_with_its_row(api):
    error = problem(bulk(api, sent("1"), sent("2", lines=[{"sku": "A", "units": 1, "unit_price": 2}])), 400)
    (row,) = error["details"]["orders"]["rows"]
    assert (row["row"], row["order_number"]) == (2, "2")
    assert row["message"].startswith("lines: #1: unit_price: ") or "unit_price" in row["message"]
    assert "received" not in error["details"]["orders"]


def test_more_than_a_thousand_orders_or_a_body_too_large_is_refused(api):
    assert problem(bulk(api, *[sent(str(n)) for n in range(1001)]), 400)["details"]["orders"]["allowed"] == {
        "longest": 1000
    }
    large = api.post("/api/orders/bulk/", b" " * 8_000_001, content_type="application/json")
    assert problem(large, 413)["code"] == "body_too_large"
    assert problem(api.post("/api/orders/", b" " * 1_000_001, content_type="application/json"), 413)
    assert not Order.objects.exists()


def test_thirty_orders_take_as_many_queries_as_three(api):
    def count(start: int, number: int, status: str) -> int:
        orders = [sent(str(n), status=status) for n in range(start, start + number)]
        with CaptureQueriesContext(connection) as found:
            assert bulk(api, *orders, take_stock=True).status_code == 200
        return len(found)

    few = [count(0, 3, "pending"), count(0, 3, "confirmed"), count(0, 3, "cancelled")]
    many = [count(100, 30, "pending"), count(100, 30, "confirmed"), count(100, 30, "cancelled")]
    assert many == few


def test_a_day_before_time_zones_is_answered_as_iso_8601(api):
    row = api.post("/api/orders/", sent("1", placed_at="0227-09-22T12:50:58-15:04")).json()
    assert row["placed_at"] == "0227-09-23T03:54:58Z"
    assert api.get(f"/api/orders/{row['id']}/").json()["placed_at"] == row["placed_at"]


def test_money_is_kept_to_the_cent(api):
    lines = [{"sku": "A", "units": 3, "unit_price": "33.3333", "discount": "0.01"}]
    bulk(api, sent("1", lines=lines, shipping="0.10", tax="0.20"))
    order = Order.objects.get()
    assert (order.subtotal, order.total) == (Decimal("99.99"), Decimal("100.29"))
    assert bulk(api, sent("1", lines=lines, shipping="0.10", tax="0.20")).json()["unchanged"] == 1


# --- lists, and who sees what ---------------------------------------------------------------------


def test_a_customer_sees_their_own_orders_and_no_others(api, cast):
    bulk(api, sent("mine", customer=cast["cleo"].pk), sent("guest"), sent("other"))
    cleo = client_of(cast["cleo"])
    (mine,) = cleo.get("/api/orders/").json()["results"]
    assert mine["order_number"] == "mine"
    assert cleo.get(f"/api/orders/{mine['id']}/").status_code == 200
    for other in Order.objects.exclude(order_number="mine"):
        assert cleo.get(f"/api/orders/{other.pk}/").status_code == 404
        assert cleo.get(f"/api/orders/?order_number={other.order_number}").json()["count"] == 0
    for path in ("", f"{mine['id']}/cancel/", f"{mine['id']}/status/", f"{mine['id']}/returns/", "bulk/"):
        assert cleo.post(f"/api/orders/{path}", {}).status_code == 403, path


def test_filters_of_orders(api, cast):
    bulk(api, sent("1", customer=cast["cleo"].pk), sent("2", status="pending", placed_at="2026-07-02T00:00:00Z"))

    def found(query: str) -> list[str]:
        return [row["order_number"] for row in api.get(f"/api/orders/?ordering=order_number&{query}").json()["results"]]

    assert found("status=pending") == ["2"]
    assert found(f"customer={cast['cleo'].pk}") == ["1"]
    assert found("placed_from=2026-07-01T00:00:00Z") == ["2"]
    assert found("sku=A") == ["1", "2"]
    assert found("sku=B") == []
    assert found("search=cleo@") == ["1"]


def test_thirty_listed_orders_take_as_many_queries_as_three(api):
    bulk(api, *[sent(str(n)) for n in range(3)])
    few = queries(api, "/api/orders/")
    bulk(api, *[sent(str(n), lines=[{"sku": "A", "units": 1}, {"sku": "B", "units": 1}]) for n in range(10, 37)])
    assert queries(api, "/api/orders/") == few <= 5
