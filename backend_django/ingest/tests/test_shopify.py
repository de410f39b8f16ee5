"""Shopify's exports, old and new: every trap of the layout, money to the cent, and files that are damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.tests.platforms import (
    GOLDEN,
    account,
    cells,
    empty_shop,
    reasons,
    run,
    stored,
    whole_or_nothing,
    write_cells,
)
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant

pytestmark = pytest.mark.django_db
ODD = ["", "x", "-1", "1e9", "0", "999999999999", "2020-13-45", "'", "ñ" * 300]
OLD, NEW = GOLDEN / "shopify/orders_old.csv", GOLDEN / "shopify/orders_new.csv"


def changed(path: Path, order: str, *, at: Path, **fields: str) -> Path:
    """The file with other cells in the first row of an order."""
    table = cells(path)
    row = next(row for row in table if row[0] == order)
    for name, value in fields.items():
        row[table[0].index(name.replace("_", " "))] = value
    return write_cells(at, table)


@pytest.mark.postgres
def test_orders_lines_money_and_reasons():
    found = account(OLD, NEW, preset="shopify")
    assert found.balanced
    assert found.cents_in == 186_85 + 260_74  # Total less Refunded Amount, all rows of both files
    assert (found.orders, found.sale_rows, found.return_pieces, found.guests) == (11, 16, 2, 1)
    assert reasons(found) == {
        "not_a_product": (2, 50_00), "order_test": (1, 10_00), "order_cancelled": (2, 24_95),
        "order_unpaid": (3, 24_95), "no_units": (1, 0), "refund_of_charges": (1, -4_95),
        "order_rounding": (1, 1), "order_total": (1, 1_50),
    }  # fmt: skip
    assert found.cents_in - found.left == found.stored
    assert {one.reason: (one.rows, one.cents) for one in found.notes} == {
        "discount_spread": (2, 5_00), "refund_whole": (1, 24_95), "refund_units": (1, 20_00), "refund_spread": (1, 7_50)
    }  # fmt: skip
    sums = Order.objects.aggregate(Sum("subtotal"), Sum("shipping"), Sum("tax"))
    # By hand: goods 50+27+20+20 + 40+10+50+42.50+34+33.33+20; shipping 4.95+4.95 + 5+4.95; tax 9.45 and duties 5.
    assert list(sums.values()) == [Decimal("346.83"), Decimal("19.85"), Decimal("14.45")]


@pytest.mark.postgres
def test_what_an_order_becomes():
    run(OLD, NEW, preset="shopify")
    orders = {order.order_number: order for order in Order.objects.select_related("customer")}
    assert orders["#1001"].placed_at == datetime(2019, 3, 30, 22, 30, tzinfo=UTC)
    assert orders["#1001"].customer.email == "ana@example.com"
    assert set(ProductVariant.objects.values_list("sku", flat=True)) == {"CAM-R-M", "GOR-1", "PAN-1"}
    assert orders["#2001"].customer.external_id == "tel:+34600111222"
    assert orders["#2001"].tax == Decimal("9.45")
    assert (orders["#2002"].customer, orders["#2002"].channel) == (None, "store")
    assert orders["#2004"].customer.external_id == "name:luis gil 08002"
    assert [orders[n].placed_at.hour for n in ("#2007",)] == [0]
    lines = OrderItem.objects.filter(order__order_number="#2005").values_list("variant__sku", "units", "discount")
    assert sorted(lines) == [("CAM-R-M", 1, Decimal("4.89")), ("GOR-1", 2, Decimal("1.11"))]
    assert sorted(OrderReturn.objects.values_list("item__order__order_number", "units", "amount")) == [
        ("#1003", 1, Decimal("20.00")), ("#2003", 1, Decimal("20.00")),
    ]  # fmt: skip


@pytest.mark.postgres
def test_again_changes_nothing_and_a_newer_export_what_changed(tmp_path):
    run(OLD, NEW, preset="shopify")
    before = stored()
    assert "Orders                           0 new        11 unchanged         0 changed" in run(
        OLD, NEW, preset="shopify"
    )
    assert stored() == before
    newer = changed(NEW, "#2004", at=tmp_path / "a.csv", Refunded_Amount="50.00", Financial_Status="refunded")
    newer = changed(newer, "#2003", at=newer, Refunded_Amount="7.00")
    newer = changed(newer, "#2001", at=newer, Cancelled_at="2025-10-09 10:00:00 +0200")
    # The older file beside it: its versions of these orders are copies.
    text = run(NEW, newer, preset="shopify")
    assert "Orders that are no sales any more         0 new         0 unchanged         1 changed" in text
    assert Order.objects.get(order_number="#2001").status == "cancelled"
    back = OrderReturn.objects.filter(item__order__order_number__startswith="#2")
    assert sorted(back.values_list("item__order__order_number", "units", "amount")) == [
        ("#2004", 1, Decimal("10.00")), ("#2004", 2, Decimal("40.00")),
    ]  # fmt: skip
    assert OrderItem.objects.filter(order__order_number="#2003").aggregate(x=Sum("discount"))["x"] == 7


def test_refunds_with_tax_on_top_give_back_their_share_of_it(tmp_path):
    half = changed(NEW, "#2001", at=tmp_path / "a.csv", Refunded_Amount="24.73")
    found = account(half, preset="shopify")
    one = OrderReturn.objects.get(item__order__order_number="#2001")
    assert (one.units, one.amount) == (1, Decimal("20.00"))  # 24.73 × 40 ∕ 49.45 = 20.004
    assert reasons(found)["refund_of_charges"] == (1, -4_73)
    assert found.balanced


def test_a_line_without_sku_is_known_by_the_shops_own_name(tmp_path):
    product = Product.objects.create(name="Camiseta - lino")
    ProductVariant.objects.create(product=product, sku="X-9", options={"talla": "M", "color": "Roja"})
    table = cells(NEW)
    sku, name = table[0].index("Lineitem sku"), table[0].index("Lineitem name")
    for row in table[1:]:
        row[sku] = ""
        row[name] = row[name].replace("Camiseta lino - Roja / M", "Camiseta - lino - Roja / M")
    run(write_cells(tmp_path / "a.csv", table), preset="shopify")
    assert set(OrderItem.objects.values_list("variant__sku", flat=True)) == {"X-9", "Gorra", "Pañuelo"}


def test_an_order_with_a_line_that_cannot_be_read_is_left_out_whole(tmp_path):
    broken = changed(OLD, "#1001", at=tmp_path / "a.csv", Lineitem_price="?")
    found = account(broken, preset="shopify")
    assert not Order.objects.filter(order_number="#1001").exists()
    assert reasons(found)["order_incomplete"][0] == 1
    assert found.balanced


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.randoms(use_true_random=False), st.sampled_from([OLD, NEW]))
def test_columns_and_rows_in_any_order_say_the_same(tmp_path, random, path):
    empty_shop()
    header, *table = cells(path)
    straight = account(path, preset="shopify")
    totals = set(Order.objects.values_list("order_number", "total"))
    empty_shop()
    order = random.sample(range(len(header)), len(header))
    random.shuffle(table)
    mixed = [[row[place] for place in order] for row in [header, *table]]
    found = account(write_cells(tmp_path / "m.csv", mixed), preset="shopify")
    assert found.balanced
    assert set(Order.objects.values_list("order_number", "total")) == totals
    assert (found.cents_in, reasons(found)) == (straight.cents_in, reasons(straight))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data(), st.sampled_from([OLD, NEW]))
def test_damaged_files_are_never_a_crash_nor_half_an_import(tmp_path, data, path):
    empty_shop()
    table = cells(path)
    for _ in range(data.draw(st.integers(0, 6))):
        row = table[data.draw(st.integers(1, len(table) - 1))]
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.sampled_from(ODD) | st.text(max_size=8))
    damaged = write_cells(tmp_path / "d.csv", table)
    content = damaged.read_bytes()
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    whole_or_nothing(damaged, preset="shopify", named="d.csv", part="d.csv")


def table(name: str, kind: str = "products", **options: object) -> str:
    """What `import_products` or `import_stock` prints."""
    out = StringIO()
    call_command(f"import_{kind}", str(GOLDEN / "shopify" / name), stdout=out, **options)
    return out.getvalue()


@pytest.mark.postgres
def test_products_old_and_new():
    assert "Products                         4 new         0 unchanged         0 changed" in table("products_old.csv")
    red, blue, cap, scarf = (
        ProductVariant.objects.select_related("product__category").get(sku=sku)
        for sku in ("CAM-R-M", "CAM-A-M", "GOR-1", "Pañuelo - Verde")
    )
    assert red.product == blue.product
    assert (red.product.code, red.product.name, red.product.brand) == ("camiseta-lino", "Camiseta lino", "Taller Norte")
    assert red.product.description == "De lino, lavada & suave."
    assert red.product.category.name == "Camisetas"
    assert (red.options, red.sale_price, red.cost) == ({"color": "Roja", "talla": "M"}, Decimal(20), Decimal("8.5"))
    assert blue.sale_price == 22
    assert (cap.options, cap.product.status, scarf.product.status) == ({}, "inactive", "discontinued")
    assert "Products                         0 new         4 unchanged         0 changed" in table("products_old.csv")
    assert "Products                         0 new         0 unchanged         2 changed" in table("products_new.csv")
    red.refresh_from_db()
    assert (red.sale_price, red.cost) == (Decimal(21), Decimal(9))
    # A line of an order without SKU finds the variant that the product file made of the name.
    run(NEW, preset="shopify")
    assert set(ProductVariant.objects.values_list("sku", flat=True)) == {
        "CAM-R-M", "CAM-A-M", "GOR-1", "Pañuelo - Verde", "PAN-1",
    }  # fmt: skip


@pytest.mark.postgres
def test_stock_of_all_places_as_it_is_and_never_as_it_is_to_be():
    table("products_old.csv")
    text = table("inventory_new.csv", "stock")
    assert "Stock of 2 place(s), added up: Tienda Centro, Almacén" in text
    assert "inventory_new.csv, line 7: Units counted is “x”" in text
    stock = dict(ProductVariant.objects.values_list("sku", "stock"))
    assert stock == {"CAM-R-M": 8, "GOR-1": 2, "Pañuelo - Verde": -1, "CAM-A-M": 0}
    assert "Counts                           0 new         3 unchanged" in table("inventory_new.csv", "stock")
    assert "added up: Tienda Centro, Almacén" in table("inventory_places.csv", "stock")
    assert ProductVariant.objects.get(sku="CAM-R-M").stock == 7
    table("products_old.csv", "stock")  # one place: the product file has the quantity
    assert dict(ProductVariant.objects.values_list("sku", "stock")) == {
        "CAM-R-M": 4, "GOR-1": 0, "Pañuelo - Verde": -1, "CAM-A-M": -1,
    }  # fmt: skip
