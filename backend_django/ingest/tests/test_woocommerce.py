"""WooCommerce's JSON: orders, refunds by line, accounts and guests, products, and files that are damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.tests.platforms import GOLDEN, account, empty_shop, reasons, run, stored, whole_or_nothing
from orders.models import Order, OrderItem, OrderReturn
from products.models import ProductVariant

pytestmark = pytest.mark.django_db
FOLDER = GOLDEN / "woocommerce"
ODD: list[Any] = ["", "x", None, -1, 0, "1e400", "999999999999", [], {}, [1], {"a": 1}, True, 1.5, "ñ" * 300]


def records(name: str) -> list[dict[str, Any]]:
    """The records of a golden file."""
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())
    return found


def folder(path: Path, **files: Any) -> Path:
    """The golden folder with some files otherwise."""
    path.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.json"):
        (path / file.name).write_bytes(file.read_bytes())
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / f"{name.replace('_', '-')}.json").write_text(text)
    return path


@pytest.mark.postgres
def test_orders_lines_money_and_reasons():
    found = account(FOLDER, preset="woocommerce")
    assert found.balanced
    # Totals less refunds of all orders, and the lines of the older #731 once more (36.00 + 10.00).
    assert found.cents_in == 204_67 + 46_00
    assert (found.orders, found.sale_rows, found.return_pieces) == (6, 8, 2)
    assert reasons(found) == {
        "copy": (2, 46_00), "order_cancelled": (1, 20_00), "order_unpaid": (1, 20_00), "order_status": (1, 20_00),
        "order_fee": (1, 2_00), "refund_money": (1, 0), "refund_of_charges": (1, -4_95),
    }  # fmt: skip
    assert {one.reason: (one.rows, one.cents) for one in found.notes} == {
        "discount_spread": (1, 2_00), "refund_spread": (1, 5_00)
    }  # fmt: skip
    assert {o.order_number: (o.subtotal, o.shipping, o.tax) for o in Order.objects.all()} == {
        "731": (Decimal(50), Decimal("4.95"), 0), "732": (Decimal(25), Decimal(5), Decimal("6.72")),
        "733": (Decimal(20), Decimal("4.95"), 0), "734": (Decimal(28), 0, 0), "739": (Decimal(15), 0, 0),
        "740": (Decimal(18), 0, 0),
    }  # fmt: skip
    assert sorted(OrderReturn.objects.values_list("reference", "units", "amount")) == [
        ("733-R9001/CAM-R-M/0", 1, Decimal(20)), ("734-R9002/id:20/0", 1, Decimal(10)),
    ]  # fmt: skip


@pytest.mark.postgres
def test_what_an_order_becomes():
    run(FOLDER, preset="woocommerce")
    orders = {order.order_number: order for order in Order.objects.select_related("customer")}
    assert orders["731"].placed_at == datetime(2025, 10, 25, 23, 30, tzinfo=UTC)  # no zone in the file: UTC
    assert orders["731"].customer == orders["732"].customer  # a guest's e-mail is that of account 7
    assert orders["739"].customer is None
    assert orders["740"].channel == "store"
    assert OrderReturn.objects.get(item__order=orders["734"]).returned_at == datetime(2025, 11, 3, 9, tzinfo=UTC)
    assert set(OrderItem.objects.filter(order=orders["732"]).values_list("variant__sku", flat=True)) == {
        "CAM-R-M", "Bolsa vieja",
    }  # fmt: skip


@pytest.mark.postgres
def test_again_changes_nothing_and_a_newer_answer_what_changed(tmp_path):
    run(FOLDER, preset="woocommerce")
    before = stored()
    run(FOLDER, preset="woocommerce")
    assert stored() == before
    order = next(one for one in records("orders-1.json") if one["id"] == 734)
    order |= {"status": "cancelled", "date_modified_gmt": "2026-01-01T00:00:00"}
    text = run(folder(tmp_path / "a", orders_3=[order]), preset="woocommerce")
    assert "Orders that are no sales any more         0 new         0 unchanged         1 changed" in text
    assert Order.objects.get(order_number="734").status == "cancelled"
    run(FOLDER, preset="woocommerce")  # the older files alone say otherwise again
    assert Order.objects.get(order_number="734").status == "completed"


def test_refunds_may_lie_in_a_folder_of_their_order(tmp_path):
    refund = records("refunds.json")[1]
    del refund["parent_id"]
    path = folder(tmp_path / "a", refunds=[])
    (path / "orders/734/refunds").mkdir(parents=True)
    (path / "orders/734/refunds/1.json").write_text(json.dumps(refund))
    run(path, preset="woocommerce")
    assert OrderReturn.objects.filter(reference="734-R9002/id:20/0").exists()
    (path / "lost.json").write_text(json.dumps(refund))
    with pytest.raises(CommandError, match="does not say of which order"):
        run(path, preset="woocommerce")


@pytest.mark.postgres
def test_products_variations_and_stock():
    def table(kind: str) -> str:
        out = StringIO()
        call_command(f"import_{kind}", str(FOLDER / "products.json"), stdout=out)
        return out.getvalue()

    assert "Products                         3 new" in table("products")
    rows = ProductVariant.objects.order_by("sku").values_list(
        "sku", "product__code", "product__name", "product__category__name", "product__status", "options"
    )
    assert list(rows) == [
        ("CAM-R-M", "id:10", "Camiseta lino", "Camisetas", "active", {"color": "Roja", "talla": "M"}),
        ("id:102", "id:10", "Camiseta lino", "Camisetas", "active", {"color": "Azul"}),
        ("id:20", "id:20", "Gorra", "Gorras & más", "inactive", {}),
    ]
    assert ProductVariant.objects.get(sku="id:102").sale_price == 22
    assert "0 new         3 unchanged" in table("products")
    assert "Counts                           1 new" in table("stock")
    assert dict(ProductVariant.objects.values_list("sku", "stock")) == {"CAM-R-M": 4, "id:102": 0, "id:20": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"id": 1, "line_items"', "cannot be read as JSON"),
        ('{"code": "woocommerce_rest_cannot_view", "message": "no"}', "records with the fields code, message"),
        ("[1, 2]", "cannot be read as JSON"),
        ("", "is empty"),
    ],
)
def test_files_that_are_none_say_so_and_leave_nothing(tmp_path, content, message):
    with pytest.raises(CommandError, match=message):
        run(folder(tmp_path / "a", orders_2=content), preset="woocommerce")
    assert not Order.objects.exists()
    with pytest.raises(CommandError, match="holds no orders, but 1 × customers"):
        run(FOLDER / "customers.json", preset="woocommerce")
    with pytest.raises(CommandError, match="JSON or XML, not a table"):
        run(FOLDER / "orders-1.json", preset="generic")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data())
def test_damaged_answers_are_never_a_crash_nor_half_an_import(tmp_path, data):
    empty_shop()
    name = data.draw(st.sampled_from(["orders-1", "orders-2", "refunds", "customers"]))
    content = data.draw(st.permutations(records(f"{name}.json")))
    for _ in range(data.draw(st.integers(0, 4))):
        record = content[data.draw(st.integers(0, len(content) - 1))]
        items = record.get("line_items")
        inside = [line for line in items if isinstance(line, dict)] if isinstance(items, list) else []
        where = record if not inside or data.draw(st.booleans()) else inside[0]
        where[data.draw(st.sampled_from(sorted(where)))] = data.draw(st.sampled_from(ODD))
    text = json.dumps(content)
    cut = data.draw(st.just(len(text)) | st.integers(0, len(text)))
    path = folder(tmp_path / "d", **{name.replace("-", "_"): text[:cut]})
    whole_or_nothing(path, preset="woocommerce", named=f"{name}.json", part=".json")
