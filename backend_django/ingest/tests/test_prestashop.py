"""PrestaShop: orders with their details, returns by line, products, stock, in XML and JSON, and damaged files."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.tests.platforms import GOLDEN, account, empty_shop, reasons, run, stored, whole_or_nothing
from orders.models import Order, OrderItem, OrderReturn
from products.models import ProductVariant

pytestmark = pytest.mark.django_db
FOLDER = GOLDEN / "prestashop"
ODD = ["", "x", "-1", "0", "1e400", "999999999999", "2020-13-45", "&lt;", "ñ" * 300]


def folder(path: Path, **files: str) -> Path:
    """The golden folder with some files otherwise."""
    path.mkdir(exist_ok=True)
    for file in FOLDER.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    for name, content in files.items():
        (path / f"{name}.xml").write_text(content)
    return path


@pytest.mark.postgres
def test_orders_lines_money_and_reasons():
    found = account(FOLDER, preset="prestashop")
    assert found.balanced
    assert found.cents_in == 100_95  # total_paid_tax_incl less what was refunded, by hand
    assert (found.orders, found.sale_rows, found.return_pieces) == (4, 5, 3)
    assert reasons(found) == {
        "order_cancelled": (1, 20_00), "order_unpaid": (1, 20_00), "order_fee": (1, 1_00),
        "refund_of_charges": (1, -4_95),
    }  # fmt: skip
    assert {one.reason: (one.rows, one.cents) for one in found.notes} == {
        "discount_spread": (1, 5_00), "refund_whole": (1, 24_95)
    }  # fmt: skip
    assert {o.order_number: (o.subtotal, o.shipping, o.tax) for o in Order.objects.all()} == {
        "1": (45, Decimal("4.95"), 0), "2": (16, 0, 0), "5": (20, Decimal("4.95"), 0), "6": (15, 0, 0),
    }  # fmt: skip
    assert sorted(OrderReturn.objects.values_list("reference", "units", "amount")) == [
        ("2/CAM-R-M/0", 1, 16), ("5/CAM-R-M/0", 1, 20), ("6/id:99-0/0", 1, 5),
    ]  # fmt: skip


@pytest.mark.postgres
def test_what_an_order_becomes_and_again_changes_nothing():
    run(FOLDER, preset="prestashop")
    order = Order.objects.get(order_number="1")
    assert order.placed_at == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # local; of two 02:30 the first
    assert (order.customer.email, order.currency) == ("ana@example.com", "EUR")
    assert Order.objects.get(order_number="6").customer.external_id == "id:5"
    reduced = OrderItem.objects.get(order__order_number="2")
    assert (reduced.unit_price, reduced.discount) == (20, 4)  # 20 %
    assert set(ProductVariant.objects.values_list("sku", "product__name", "product__code")) == {
        ("CAM-R-M", "Camiseta lino", "id:10"), ("GOR-1", "Gorra", "id:20"), ("id:99-0", "Bolsa vieja", "id:99"),
    }  # fmt: skip
    before = stored()
    run(FOLDER, preset="prestashop")
    assert stored() == before


@pytest.mark.postgres
def test_products_combinations_and_stock():
    def table(kind: str) -> str:
        out = StringIO()
        call_command(f"import_{kind}", str(FOLDER), stdout=out)
        return out.getvalue()

    assert "Products                         3 new         0 unchanged         0 changed" in table("products")
    rows = ProductVariant.objects.order_by("sku").values_list(
        "sku", "product__name", "product__category__name", "product__status", "product__brand", "cost"
    )
    assert list(rows) == [
        ("CAM-R-M", "Camiseta lino", "Camisetas", "active", "Taller Norte", Decimal("8.5")),
        ("GOR-1", "Gorra", "Gorras", "inactive", "", None),
        ("id:10-102", "Camiseta lino", "Camisetas", "active", "Taller Norte", Decimal(9)),
    ]
    assert ProductVariant.objects.get(sku="CAM-R-M").product.description == "De lino & suave"
    table("stock")
    assert dict(ProductVariant.objects.values_list("sku", "stock")) == {"CAM-R-M": 7, "id:10-102": 4, "GOR-1": -1}
    assert "0 new         3 unchanged" in table("products")
    assert "0 new         3 unchanged" in table("stock")


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<prestashop><orders><order><id>&b;</id></order></orders></prestashop>"""
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><prestashop><orders><order><id>1</id></order></orders></prestashop>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "declares a document type or entities"),
        (OUTSIDE, "declares a document type or entities"),
        ("<prestashop><orders><order><id>1", "cannot be read as XML"),
        ("<prestashop><errors><error><code>1</code></error></errors></prestashop>", "holds no records that are known"),
        ("", "is empty"),
    ],
)
def test_files_that_are_none_say_so_and_leave_nothing(tmp_path, content, message):
    with pytest.raises(CommandError, match=message):
        run(folder(tmp_path / "a", orders=content), preset="prestashop")
    assert not Order.objects.exists()
    with pytest.raises(CommandError, match="holds no orders, but 2 × customers"):
        run(FOLDER / "customers.xml", preset="prestashop")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data())
def test_damaged_answers_are_never_a_crash_nor_half_an_import(tmp_path, data):
    empty_shop()
    name = data.draw(st.sampled_from(["orders", "order_details", "customers", "currencies"]))
    lines = (FOLDER / f"{name}.xml").read_text().splitlines()
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(lines) - 1))
        if "<![CDATA[" in lines[at]:
            head, tail = lines[at].split("<![CDATA[", 1)
            lines[at] = f"{head}<![CDATA[{data.draw(st.sampled_from(ODD))}]]>{tail.split(']]>', 1)[1]}"
    text = "\n".join(lines)
    cut = data.draw(st.just(len(text)) | st.integers(0, len(text)))
    path = folder(tmp_path / "d", **{name: text[:cut]})
    whole_or_nothing(path, preset="prestashop", named="/d", part=".xml")
