"""Suppliers and purchase orders over the API."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from rest_framework.test import APIClient

from api_base.spreadsheets import UTF8_MARK
from api_base.tests.clients import client_of, queries
from products.models import Product, ProductVariant, StockMovement
from purchasing import services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice

URL = "/api/purchase-orders/"


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Ben: the role admin."""
    return client_of(cast["ben"])


@pytest.fixture
def norte(db: None) -> Supplier:
    """A supplier of two variants, A at a cost of 4 and B at none, with a price break of A from 24 on."""
    supplier = Supplier.objects.create(name="Norte", lead_time_days=7)
    product = Product.objects.create(name="=Linen shirt")
    for sku, cost in (("A", Decimal(4)), ("B", None)):
        variant = ProductVariant.objects.create(product=product, sku=sku, cost=cost)
        SupplierItem.objects.create(variant=variant, supplier=supplier, supplier_sku=f"N-{sku}")
    a = ProductVariant.objects.get(sku="A")
    SupplierPrice.objects.create(variant=a, supplier=supplier, minimum_quantity=24, unit_cost=Decimal("3.25"))
    return supplier


def drafted(api: APIClient, supplier: Supplier, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    body = {"supplier": supplier.pk, "lines": [{"sku": sku, "units": units} for sku, units in lines], **more}
    answer = api.post(URL, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    return answer.json()["error"]


def stocks() -> dict[str, int]:
    return dict(ProductVariant.objects.values_list("sku", "stock"))


def table(text: str) -> list[dict[str, str]]:
    assert text.startswith(UTF8_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(UTF8_MARK), newline="")))


# --- drafts ---------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_a_draft_takes_the_suppliers_price_at_its_quantity(api, norte, cast):
    row = drafted(api, norte, ("A", 24), ("B", 3))
    assert row["number"] == f"PO-{row['id']:06d}"
    assert (row["status"], row["supplier_name"], row["created_by"]) == ("draft", "Norte", "ben@shop.test")
    assert [(x["sku"], x["unit_cost"], x["amount"]) for x in row["lines"]] == [
        ("A", "3.2500", "78.00"),
        ("B", None, None),
    ]
    assert (row["total"], row["units"], row["lines_without_cost"]) == ("78.00", 27, 1)
    assert drafted(api, norte, ("A", 23))["lines"][0]["unit_cost"] == "4.0000"
    mine = api.post(URL, {"supplier": norte.pk, "lines": [{"sku": "A", "units": 2, "unit_cost": "9.90"}]}).json()
    assert mine["lines"][0]["unit_cost"] == "9.9000"
    assert LogEntry.objects.filter(user=cast["ben"], object_id=str(row["id"])).count() == 1


def test_a_draft_as_it_was_read_can_be_sent_back_and_its_lines_are_what_is_sent(api, norte):
    row = drafted(api, norte, ("A", 24), ("B", 3), note="for June")
    same = api.put(f"{URL}{row['id']}/", row)
    assert same.status_code == 200, same.content
    for line in (*row["lines"], *same.json()["lines"]):
        line.pop("id")
    assert same.json() == row
    body = {"lines": [{"sku": "B", "units": 5}], "expected_on": "2030-01-31"}
    changed = api.patch(f"{URL}{row['id']}/", body).json()
    assert [(x["sku"], x["units"]) for x in changed["lines"]] == [("B", 5)]
    assert (changed["expected_on"], changed["note"]) == ("2030-01-31", "for June")
    assert api.patch(f"{URL}{row['id']}/", {"note": ""}).json()["line_count"] == 1


def test_only_a_draft_is_changed_or_deleted(api, norte):
    row = drafted(api, norte, ("A", 1))
    api.post(f"{URL}{row['id']}/confirm/", {})
    for answer in (api.patch(f"{URL}{row['id']}/", {"note": "x"}), api.delete(f"{URL}{row['id']}/")):
        error = problem(answer, 409)
        assert error["code"] == "purchase_order_refused"
        assert "Confirmed" in error["message"]
    assert not LogEntry.objects.filter(action_flag=3).exists(), "nothing was deleted, and nothing says so"
    other = drafted(api, norte, ("A", 1))
    assert api.delete(f"{URL}{other['id']}/").status_code == 204
    assert not PurchaseOrder.objects.filter(pk=other["id"]).exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"supplier": "1"}, "supplier"),
        ({"lines": [{"sku": "A"}]}, "lines"),
        ({"lines": [{"sku": "A", "units": 0}]}, "lines"),
        ({"lines": [{"units": 1}]}, "lines"),
        ({"lines": [{"sku": "A", "variant": 1, "units": 1}]}, "lines"),
        ({"lines": [{"sku": "A", "units": 1, "unit_cost": 3.5}]}, "lines"),
        ({"lines": [{"sku": "A", "units": 1, "colour": "red"}]}, "lines"),
        ({"expected_on": "soon"}, "expected_on"),
        ({"suplier": 1}, "suplier"),
    ],
)
def test_what_is_not_meant_is_refused_by_name(api, norte, body, field):
    error = problem(api.post(URL, {"supplier": norte.pk, **body}), 400)
    assert list(error["details"]) == [field]
    assert not PurchaseOrder.objects.exists()


@pytest.mark.parametrize(
    "line", [{"sku": "C", "units": 1}, {"variant": 999_999, "units": 1}], ids=["sku", "variant"]
)  # fmt: skip
def test_an_unknown_variant_is_404_and_stores_nothing(api, norte, line):
    error = problem(api.post(URL, {"supplier": norte.pk, "lines": [{"sku": "A", "units": 1}, line]}), 404)
    assert error["code"] == "unknown_id"
    assert not PurchaseOrder.objects.exists()


def test_a_variant_stands_on_one_line_and_a_number_on_one_order(api, norte):
    body = {"supplier": norte.pk, "number": "2026-1", "lines": [{"sku": "A", "units": 1}]}
    assert api.post(URL, body).status_code == 201
    assert "number" in problem(api.post(URL, body), 409)["details"]
    twice = problem(api.post(URL, {"supplier": norte.pk, "lines": body["lines"] * 2}), 409)
    assert twice["code"] == "purchase_order_refused"


# --- what happens to them -------------------------------------------------------------------------


def test_from_the_draft_to_the_shelf(api, norte, cast):
    row = drafted(api, norte, ("A", 10), ("B", 4))
    confirmed = api.post(f"{URL}{row['id']}/confirm/", {}).json()
    assert confirmed["status"] == "confirmed"
    assert confirmed["expected_on"] == str(timezone.localdate() + timedelta(days=7))
    a = row["lines"][0]["id"]
    part = {"lines": [{"line": a, "units": 6}], "reference": "N-1"}
    for _ in range(2):
        answer = api.post(f"{URL}{row['id']}/receive/", part)
        assert (answer.status_code, answer.json()["received_units"], stocks()) == (200, 6, {"A": 6, "B": 0})
    error = problem(api.post(f"{URL}{row['id']}/receive/", {**part, "lines": [{"line": a, "units": 4}]}), 409)
    assert f"line {a}: 6" in error["message"]
    assert (
        "4 units"
        in problem(api.post(f"{URL}{row['id']}/receive/", {"lines": [{"line": a, "units": 5}]}), 409)["message"]
    )
    whole = api.post(f"{URL}{row['id']}/receive/", {"reference": "N-2"}).json()
    assert (whole["status"], [x["missing_units"] for x in whole["lines"]]) == ("received", [0, 0])
    assert stocks() == {"A": 10, "B": 4}
    log = LogEntry.objects.filter(object_id=str(row["id"])).order_by("pk").values_list("change_message", flat=True)
    assert list(log) == [
        "Added by the API.",
        "Confirmed by the API.",
        "Receipt booked by the API. N-1",
        "Receipt booked by the API. N-2",
    ]
    assert problem(api.post(f"{URL}{row['id']}/cancel/", {}), 409)["code"] == "purchase_order_refused"


def test_days_that_one_knows_better_count(api, norte):
    row = drafted(api, norte, ("A", 1))
    early = api.post(f"{URL}{row['id']}/confirm/", {"expected_on": "2020-01-01"})
    assert "expected_on" in problem(early, 400)["details"]
    sent, day = timezone.now() - timedelta(days=9), str(timezone.localdate() + timedelta(days=30))
    found = api.post(f"{URL}{row['id']}/confirm/", {"ordered_at": sent.isoformat(), "expected_on": day}).json()
    assert found["expected_on"] == day
    early = (sent - timedelta(hours=1)).isoformat()
    assert "received_at" in problem(api.post(f"{URL}{row['id']}/receive/", {"received_at": early}), 400)["details"]
    late = (timezone.now() + timedelta(hours=1)).isoformat()
    assert "received_at" in problem(api.post(f"{URL}{row['id']}/receive/", {"received_at": late}), 400)["details"]
    came = (sent + timedelta(days=5)).isoformat()
    assert api.post(f"{URL}{row['id']}/receive/", {"received_at": came}).json()["status"] == "received"
    assert StockMovement.objects.get(kind="receipt").at == sent + timedelta(days=5)


def test_cancelling_keeps_what_has_come(api, norte):
    row = drafted(api, norte, ("A", 10))
    api.post(f"{URL}{row['id']}/confirm/", {})
    api.post(f"{URL}{row['id']}/receive/", {"lines": [{"line": row["lines"][0]["id"], "units": 3}]})
    assert api.post(f"{URL}{row['id']}/cancel/", {}).json()["status"] == "cancelled"
    assert stocks()["A"] == 3


def test_a_draft_without_lines_is_not_confirmed(api, norte):
    row = drafted(api, norte)
    assert "no lines" in problem(api.post(f"{URL}{row['id']}/confirm/", {}), 409)["message"]


def test_refusals_speak_spanish(api, norte):
    row = drafted(api, norte)
    answer = api.post(f"{URL}{row['id']}/receive/", {}, headers={"accept-language": "es"})
    assert "pedido de compra" in problem(answer, 409)["message"]


# --- lists and files ------------------------------------------------------------------------------


def test_filters_search_and_order(api, norte):
    sur = Supplier.objects.create(name="Sur")
    first, second = drafted(api, norte, ("A", 1)), drafted(api, sur, ("B", 2), note="urgent")
    api.post(f"{URL}{second['id']}/confirm/", {"ordered_at": "2019-12-01T10:00:00Z", "expected_on": "2020-01-01"})

    def ids(query: str) -> list[int]:
        return [row["id"] for row in api.get(f"{URL}?{query}").json()["results"]]

    assert ids("") == [second["id"], first["id"]]
    assert ids(f"supplier={norte.pk}") == ids("status=draft") == ids("sku=A") == ids("overdue=false") == [first["id"]]
    assert ids("overdue=true") == ids("search=urgent") == ids("expected_to=2020-01-01") == [second["id"]]
    assert ids("ordering=number") == [first["id"], second["id"]]
    assert "lines" not in api.get(URL).json()["results"][0]
    assert "gone" in problem(api.get(f"{URL}?status=gone"), 400)["message"]


def test_many_orders_and_lines_take_as_many_queries_as_few(api, norte):
    def fill(count: int) -> int:
        product = Product.objects.create(name="x")
        variants = [ProductVariant.objects.create(product=product, sku=f"{count}-{n}", cost=1) for n in range(count)]
        return drafted(api, norte, *((v.sku, 2) for v in variants))["id"]

    few = fill(2)
    seen = [queries(api, URL), queries(api, f"{URL}{few}/"), queries(api, f"{URL}export/")]
    many = [fill(count) for count in (20, 21, 22)][-1]
    assert [queries(api, URL), queries(api, f"{URL}{many}/"), queries(api, f"{URL}export/")] == seen
    assert max(seen) <= 6
    for name, body in (("confirm", {}), ("receive", {"reference": "N"})):
        assert queries(api, f"{URL}{few}/{name}/", body) == queries(api, f"{URL}{many}/{name}/", body)


def test_the_files_hold_a_row_a_line_and_no_formula(api, norte):
    row = drafted(api, norte, ("A", 24), ("B", 3), note="@cmd")
    drafted(api, norte, ("A", 1))
    whole = table(api.get(f"{URL}export/?ordering=number", headers={"accept": "text/csv"}).content.decode())
    one = table(api.get(f"{URL}{row['id']}/export/").content.decode())
    assert (len(whole), len(one)) == (3, 2)
    assert one[0] | {"units": "24", "amount": "78.00", "supplier_sku": "N-A"} == one[0]
    assert one[0]["product_name"] == "'=Linen shirt"
    assert len(table(api.get(f"{URL}export/?sku=B").content.decode())) == 2


# --- suppliers ------------------------------------------------------------------------------------


def test_suppliers_with_their_items_and_prices(api, norte):
    made = api.post("/api/suppliers/", {"name": "Sur", "lead_time_days": 12.5, "minimum_order_value": "150.00"})
    assert made.status_code == 201, made.content
    sur, c = made.json()["id"], ProductVariant.objects.create(product=Product.objects.first(), sku="C")
    item = api.post("/api/supplier-items/", {"variant": c.pk, "supplier": sur, "supplier_sku": "S-9"})
    assert (item.status_code, item.json()["sku"]) == (201, "C")
    price = {"variant": c.pk, "supplier": sur, "minimum_quantity": 10, "unit_cost": "2.50"}
    assert api.post("/api/supplier-prices/", price).status_code == 201
    assert problem(api.post("/api/supplier-prices/", price), 409)["code"] == "exists_already"
    assert api.get(f"/api/supplier-prices/?supplier={sur}").json()["results"][0]["unit_cost"] == "2.5000"
    assert api.patch(f"/api/suppliers/{sur}/", {"lead_time_days": -1}).status_code == 400
    assert problem(api.delete(f"/api/suppliers/{norte.pk}/"), 409)["code"] == "supplier_in_use"
    assert api.delete(f"/api/supplier-items/{item.json()['id']}/").status_code == 204
    assert api.delete(f"/api/suppliers/{sur}/").status_code == 204
    assert not SupplierPrice.objects.filter(supplier=sur).exists()


@pytest.mark.parametrize("path", ["suppliers", "supplier-items", "supplier-prices"])
def test_thirty_rows_take_as_many_queries_as_three(api, path, norte):
    def fill(count: int) -> None:
        product = Product.objects.create(name="x")
        for n in range(count):
            supplier = Supplier.objects.create(name=f"{count}-{n}")
            variant = ProductVariant.objects.create(product=product, sku=f"{count}-{n}")
            SupplierItem.objects.create(variant=variant, supplier=supplier)
            SupplierPrice.objects.create(variant=variant, supplier=supplier, unit_cost=1)

    fill(3)
    few = queries(api, f"/api/{path}/?page_size=200")
    fill(27)
    assert queries(api, f"/api/{path}/?page_size=200") == few <= 5


@pytest.mark.parametrize("who", ["max", "eve", "cleo"])
def test_they_are_for_superusers_and_admins(cast, who, norte):
    client = client_of(cast[who])
    for path in ("purchase-orders", "suppliers", "supplier-items", "supplier-prices"):
        assert client.get(f"/api/{path}/").status_code == 403
    assert client.post(URL, {"supplier": norte.pk}).status_code == 403


# --- the service behind them ----------------------------------------------------------------------


def test_the_longest_lead_time_of_the_lines_says_when_all_is_there(norte):
    order = PurchaseOrder.objects.create(number="P", supplier=norte)
    for sku, own in (("A", None), ("B", 30)):
        ProductVariant.objects.filter(sku=sku).update(lead_time_days=own)
        variant = ProductVariant.objects.get(sku=sku)
        PurchaseOrderLine.objects.create(purchase_order=order, variant=variant, units=1, unit_cost=1)
    row = services.confirm(order)
    assert row.expected_on == timezone.localdate() + timedelta(days=30)
