"""Categories, products, variants and stock movements over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from api_base.tests.clients import client_of, queries
from products.models import Category, Product, ProductVariant, StockMovement
from products.services import move_stock

LINEN = {
    "name": "Linen shirt", "code": "P1", "price": "39.90",
    "variants": [
        {"sku": "P1-S", "options": {"size": "S"}, "cost": "12.5000", "opening_stock": 4},
        {"sku": "P1-M", "options": {"size": "M"}, "price": "42.00"},
    ],
}  # fmt: skip


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Max: the role manager."""
    return client_of(cast["max"])


def fill(count: int) -> None:
    """`count` more products of a category, with two variants and two movements each."""
    category = Category.objects.get_or_create(name="Shirts")[0]
    start = Product.objects.count()
    for n in range(start, start + count):
        product = Product.objects.create(name=f"Shirt {n}", code=f"C{n}", category=category, price=20)
        for size in ("S", "M"):
            variant = ProductVariant.objects.create(product=product, sku=f"C{n}-{size}", stock=3)
            move_stock(variant, "adjustment", 2)


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    return answer.json()["error"]


# --- products and variants ------------------------------------------------------------------------


def test_a_product_is_entered_with_its_variants_and_their_opening_stock(api, cast):
    answer = api.post("/api/products/", LINEN)
    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert (row["price"], row["status"]) == ("39.90", "active")
    assert [(v["sku"], v["stock"], v["sale_price"]) for v in row["variants"]] == [
        ("P1-S", 4, "39.90"), ("P1-M", 0, "42.00"),
    ]  # fmt: skip
    reference = f"opening:variant:{row['variants'][0]['id']}"
    assert list(StockMovement.objects.values_list("kind", "units", "reference")) == [("opening", 4, reference)]
    assert api.get(f"/api/products/{row['id']}/").json() == row
    assert LogEntry.objects.get().user_id == cast["max"].pk


def test_a_taken_sku_stores_nothing_at_all(api):
    api.post("/api/products/", LINEN)
    error = problem(api.post("/api/products/", {**LINEN, "code": "P2"}), 409)
    assert error["code"] == "catalogue_refused"
    assert "P1-M, P1-S" in error["message"]
    assert Product.objects.count() == 1


def test_what_is_taken_is_a_conflict_with_the_field_and_beside_other_faults_a_bad_body(api):
    api.post("/api/products/", LINEN)
    error = problem(api.post("/api/products/", {"name": "x", "code": "P1"}), 409)
    assert (error["code"], error["details"]["code"]["received"]) == ("exists_already", "P1")
    assert set(problem(api.post("/api/products/", {"code": "P1"}), 400)["details"]) == {"code", "name"}


def test_a_sku_twice_in_one_product_is_refused(api):
    body = {"name": "x", "variants": [{"sku": "A"}, {"sku": "A"}]}
    assert "A" in problem(api.post("/api/products/", body), 409)["message"]
    assert not Product.objects.exists()


def test_a_product_is_taken_out_of_the_range_by_its_status(api):
    pk = api.post("/api/products/", LINEN).json()["id"]
    assert api.patch(f"/api/products/{pk}/", {"status": "discontinued"}).json()["status"] == "discontinued"
    assert api.get("/api/products/?status=active").json()["count"] == 0
    assert api.delete(f"/api/products/{pk}/").status_code == 405


def test_what_was_read_can_be_sent_back(api):
    row = api.post("/api/products/", LINEN).json()
    answer = api.put(f"/api/products/{row['id']}/", row)
    assert answer.status_code == 200, answer.content
    assert answer.json() == row


def test_stock_is_not_a_field_that_one_sets(api):
    api.post("/api/products/", LINEN)
    pk = ProductVariant.objects.get(sku="P1-S").pk
    answer = api.patch(f"/api/variants/{pk}/", {"stock": 99, "cost": "13.00"})
    assert (answer.json()["stock"], answer.json()["cost"]) == (4, "13.0000")
    assert "opening_stock" in problem(api.patch(f"/api/variants/{pk}/", {"opening_stock": 9}), 400)["details"]


def test_a_number_that_was_given_up_may_be_given_again(api):
    row = api.post("/api/products/", LINEN).json()
    first = row["variants"][0]["id"]
    assert api.patch(f"/api/variants/{first}/", {"sku": "OLD"}).status_code == 200
    again = api.post("/api/variants/", {"product": row["id"], "sku": "P1-S", "opening_stock": 4})
    assert again.status_code == 201, again.content
    assert again.json()["stock"] == 4


def test_a_variant_is_added_to_a_product(api):
    pk = api.post("/api/products/", {"name": "x"}).json()["id"]
    answer = api.post("/api/variants/", {"product": pk, "sku": "X-1", "opening_stock": 2})
    assert (answer.status_code, answer.json()["stock"]) == (201, 2)
    assert ProductVariant.objects.get().stock == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": 39.9}, "price"),
        ({"price": "39.999"}, "price"),
        ({"price": "-1.00"}, "price"),
        ({"price": "1e3"}, "price"),
        ({"name": 7}, "name"),
        ({"name": " "}, "name"),
        ({"name": "\x1f\x85"}, "name"),
        ({"category": "1"}, "category"),
        ({"status": "gone"}, "status"),
        ({"image_url": "javascript:alert(1)"}, "image_url"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_value_that_is_not_meant_is_refused_by_name(api, body, field):
    error = problem(api.post("/api/products/", {"name": "x", **body}), 400)
    assert list(error["details"]) == [field]


def test_an_unknown_category_is_404(api):
    error = problem(api.post("/api/products/", {"name": "x", "category": 77}), 404)
    assert (error["code"], error["details"]) == ("unknown_id", {"field": "category", "id": 77})


def test_filters_search_order_and_pages(api):
    fill(5)
    page = api.get("/api/products/?search=shirt&ordering=-code&page_size=2&page=2").json()
    assert (page["count"], [row["code"] for row in page["results"]]) == (5, ["C2", "C1"])
    assert api.get("/api/products/?sku=C3-M").json()["results"][0]["code"] == "C3"
    assert api.get("/api/variants/?stock_from=6").json()["count"] == 0
    assert api.get("/api/variants/?sku=C1-S").json()["results"][0]["stock"] == 5
    for wrong in ("is_active=yes", "is_active=", "stock_from=0.5", "product=", "created_at="):
        assert api.get(f"/api/variants/?{wrong}").status_code == 400, wrong
    assert "stok_from" in problem(api.get("/api/variants/?stok_from=6"), 400)["details"]


@pytest.mark.postgres
def test_a_moment_of_any_offset_is_read_and_one_outside_the_calendar_refused(api, cast):
    moved = "/api/stock-movements/?at_to="
    assert api.get(f"{moved}0360-06-05T21:41:19.37430-23:43").status_code == 200
    assert "at_to" in problem(api.get(f"{moved}0001-01-01T00:00:00%2B23:00"), 400)["details"]


@pytest.mark.parametrize("path", ["products", "variants", "stock-movements", "categories"])
def test_thirty_rows_take_as_many_queries_as_three(api, path):
    fill(3)
    few = queries(api, f"/api/{path}/?page_size=200")
    fill(27)
    assert queries(api, f"/api/{path}/?page_size=200") == few
    assert few <= 6


def test_many_variants_take_as_many_queries_as_few(api):
    def body(code: str, count: int) -> dict[str, Any]:
        return {
            "name": code,
            "code": code,
            "variants": [{"sku": f"{code}-{n}", "opening_stock": 1} for n in range(count)],
        }

    few = queries(api, "/api/products/", body("A", 3), status=201)
    assert queries(api, "/api/products/", body("B", 30), status=201) == few


# --- categories -----------------------------------------------------------------------------------


def test_a_category_is_never_inside_itself(api):
    top = api.post("/api/categories/", {"name": "All"}).json()["id"]
    below = api.post("/api/categories/", {"name": "Shirts", "parent": top}).json()["id"]
    for parent in (top, below):
        error = problem(api.patch(f"/api/categories/{top}/", {"parent": parent}), 409)
        assert error["code"] == "catalogue_refused"
    assert Category.objects.get(pk=top).parent_id is None


# --- stock movements ------------------------------------------------------------------------------


@pytest.fixture
def variant(db: None) -> ProductVariant:
    return ProductVariant.objects.create(product=Product.objects.create(name="Shirt"), sku="S-1", stock=10)


def stock() -> int:
    return ProductVariant.objects.get().stock


@pytest.mark.postgres
def test_a_count_sets_the_stock_and_is_stored_once(api, variant):
    body = {"sku": "S-1", "kind": "count", "units": 7, "reference": "count-2026-06-30"}
    first = api.post("/api/stock-movements/", body)
    assert (first.status_code, first.json()["units"], stock()) == (201, -3, 7)
    move_stock(variant, "sale", -2)
    again = api.post("/api/stock-movements/", body)
    assert (again.status_code, again.json()["id"], stock()) == (200, first.json()["id"], 5)


@pytest.mark.parametrize(
    ("kind", "units", "left"), [("adjustment", -3, 7), ("write_off", -4, 6), ("opening", 5, 15), ("count", 10, 10)]
)
def test_each_kind_moves_the_stock(api, variant, kind, units, left):
    assert api.post("/api/stock-movements/", {"sku": "S-1", "kind": kind, "units": units}).status_code == 201
    assert stock() == left == sum(StockMovement.objects.values_list("units", flat=True))
    assert StockMovement.objects.latest("id").note == "max@shop.test"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "write_off", "units": 4}, 409, "movement_refused"),
        ({"kind": "count", "units": -1}, 409, "movement_refused"),
        ({"kind": "sale", "units": -1}, 400, "bad_parameter"),
        ({"kind": "count", "units": "7"}, 400, "bad_parameter"),
        ({"kind": "count", "units": 7, "sku": "S-2"}, 404, "unknown_id"),
    ],
)
def test_a_movement_that_cannot_be_moves_nothing(api, variant, body, status, code):
    assert problem(api.post("/api/stock-movements/", {"sku": "S-1", **body}), status)["code"] == code
    assert (stock(), StockMovement.objects.count()) == (10, 1)


def test_a_reference_of_another_variant_is_refused(api, variant):
    ProductVariant.objects.create(product=variant.product, sku="S-2", stock=1)
    for kind in ("count", "adjustment"):
        body = {"kind": kind, "units": 2, "reference": f"R-{kind}"}
        if kind == "count":  # both are stored as adjustments
            body["reference"] = "R"
        assert api.post("/api/stock-movements/", {"sku": "S-1", **body}).status_code == 201
        assert problem(api.post("/api/stock-movements/", {"sku": "S-2", **body}), 409)["code"] == "movement_refused"


def test_a_movement_is_never_changed(api, variant):
    pk = StockMovement.objects.get().pk
    for method in ("put", "patch", "delete"):
        assert getattr(api, method)(f"/api/stock-movements/{pk}/", {}).status_code == 405


def test_refusals_speak_spanish(api, variant):
    body = {"sku": "S-1", "kind": "count", "units": -1}
    answer = api.post("/api/stock-movements/", body, headers={"Accept-Language": "es"})
    assert answer.json()["error"]["message"] == "Un recuento no baja de cero. Recibido: -1."


@pytest.mark.parametrize("where", ["product", "variant"])
def test_a_price_that_no_order_line_could_hold_is_refused(api, where):
    price = {"price": "100000000.00"}
    body = {"name": "x", **price} if where == "product" else {"name": "x", "variants": [{"sku": "A", **price}]}
    assert "price" in str(problem(api.post("/api/products/", body), 400)["details"])
    assert not Product.objects.exists()
