"""Writing canonical tables: exact, idempotent, without a query per row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from authentication import suppression
from authentication.models import User
from ingest import canonical, load
from ingest.counts import Counts
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, Supplier, SupplierItem, SupplierPrice
from retail_ml.errors import BadFrame

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def table(name: str, *rows: dict) -> pl.DataFrame:
    """Rows of a canonical table; columns not given are null."""
    schema = canonical.TABLES[name][0]
    return pl.DataFrame([{c: row.get(c) for c in schema} for row in rows], schema=schema, orient="row")


def sku(code: str, **more) -> dict:
    return {"sku": code, "product_code": code, "product_name": f"Name {code}", "price": Decimal("9.95"), **more}


def small_shop() -> None:
    load.catalogue(table("catalogue", sku("A"), sku("B")))
    load.customers(table("customers", {"external_id": "7", "country": "France"}), source="t")


def head(number: str, **more) -> dict:
    return {"order_number": number, "placed_at": NOON, "status": "completed", "currency": "GBP", **more}


def line(number: str, code: str, units: int = 1, price: str = "2.55", **more) -> dict:
    return {"order_number": number, "sku": code, "units": units, "unit_price": Decimal(price), **more}


@pytest.mark.postgres
def test_orders_are_written_once_and_to_the_cent():
    small_shop()
    heads = table("orders", head("1", customer_id="7", shipping=Decimal("4.90")), head("2"))
    lines = table(
        "lines",
        line("1", "A", 3),
        line("1", "A", 2, "0.0010"),
        line("1", "B", 1, "10", discount=Decimal("0.50")),
        line("2", "B", 7, "1.0050"),
    )
    did = load.orders(heads, lines, source="t")
    assert did.orders == Counts(2)
    assert did.lines == Counts(4)
    assert did.cents == 765 + 0 + 950 + 704  # 7.035 rounds half to even
    order = Order.objects.get(order_number="1")
    assert (order.subtotal, order.total, order.currency) == (Decimal("17.15"), Decimal("22.05"), "GBP")
    assert order.placed_at == NOON
    assert order.customer == User.objects.get(external_id="7")
    assert order.customer.role == "customer"
    assert not order.customer.has_usable_password()
    assert [x.amount for x in order.items.all()] == [x.computed_amount() for x in order.items.all()]
    assert Order.objects.get(order_number="2").customer is None
    before = list(Order.objects.values_list()), list(OrderItem.objects.values_list())
    again = load.orders(heads, lines, source="t")
    assert (again.orders, again.lines) == (Counts(0, 2), Counts(0, 4))
    assert before == (list(Order.objects.values_list()), list(OrderItem.objects.values_list()))


@pytest.mark.postgres
def test_a_changed_order_takes_the_files_lines_but_keeps_a_line_that_came_back():
    small_shop()
    load.orders(
        table("orders", head("1")), table("lines", line("1", "A", 5), line("1", "B"), line("1", "B")), source="t"
    )
    back = {
        "reference": "R1",
        "order_number": "1",
        "sku": "A",
        "units": 2,
        "amount": Decimal("5.10"),
        "returned_at": NOON,
    }
    assert load.returns(table("returns", back)) == Counts(1)
    did = load.orders(table("orders", head("1", status="refunded")), table("lines", line("1", "B", 9)), source="t")
    assert did.orders == Counts(updated=1)
    assert did.lines == Counts(0, 0, 2, 1)
    assert sorted(OrderItem.objects.values_list("variant__sku", "units")) == [("A", 5), ("B", 9)]
    assert Order.objects.get().status == "refunded"
    assert OrderReturn.objects.count() == 1


@pytest.mark.postgres
def test_returns_go_to_their_line_and_never_beyond_it():
    small_shop()
    load.orders(table("orders", head("1")), table("lines", line("1", "A", 5), line("1", "A", 2)), source="t")
    back = {"order_number": "1", "sku": "A", "amount": Decimal(1), "returned_at": NOON}
    rows = table("returns", {**back, "reference": "R1", "units": 5}, {**back, "reference": "R2", "units": 2, "line": 1})
    assert load.returns(rows) == Counts(2)
    assert load.returns(rows) == Counts(0, 2)
    assert sorted(OrderReturn.objects.values_list("reference", "item__units")) == [("R1", 5), ("R2", 2)]
    with pytest.raises(BadFrame, match="8 units would have come back of 5 sold"):
        load.returns(table("returns", {**back, "reference": "R3", "units": 3}))
    assert OrderReturn.objects.count() == 2


@pytest.mark.postgres
def test_stock_is_the_sum_of_its_movements_and_a_reference_moves_it_once():
    small_shop()
    move = {"sku": "A", "kind": "opening", "units": 40, "at": NOON, "reference": "opening:A"}
    rows = table("movements", move, {**move, "kind": "sale", "units": -3, "reference": "1/1"})
    assert load.movements(rows) == Counts(2)
    assert load.movements(rows) == Counts(0, 2)
    assert load.movements(table("movements", {**move, "units": 50})) == Counts(kept=1)
    assert ProductVariant.objects.get(sku="A").stock == 37
    assert StockMovement.objects.aggregate(total=Sum("units"))["total"] == 37


@pytest.mark.postgres
def test_a_catalogue_with_gaps_leaves_what_is_stored():
    style = {"product_code": "A", "category": "Shirts"}
    rows = table(
        "catalogue",
        sku(
            "A-S", product_code="A", category="Shirts", supplier="Norte", cost=Decimal("4.10"), options='{"size": "S"}'
        ),
        sku("A-M", **style, price=Decimal("12.00"), created_at=NOON),
        sku("B", pack_size=6),
    )
    assert load.catalogue(rows) == Counts(3)
    assert load.catalogue(rows) == Counts(0, 3)
    assert Product.objects.count() == 2
    assert Category.objects.get().products.get().code == "A"
    small = ProductVariant.objects.get(sku="A-S")
    assert (small.options, small.cost, small.sale_price) == ({"size": "S"}, Decimal("4.1000"), Decimal("9.95"))
    assert SupplierItem.objects.get().supplier.name == "Norte"
    assert ProductVariant.objects.get(sku="A-M").sale_price in (Decimal("9.95"), Decimal("12.00"))
    assert load.catalogue(table("catalogue", {"sku": "B", "cost": Decimal("1.5")})) == Counts(updated=1)
    b = ProductVariant.objects.get(sku="B")
    assert (b.cost, b.pack_size, b.product.name, b.sale_price) == (Decimal("1.5"), 6, "Name B", Decimal("9.95"))


def test_prices_of_variants():
    load.catalogue(table("catalogue", sku("A-S", product_code="A"), sku("A-M", product_code="A", price=Decimal(12))))
    prices = {v.sku: v.sale_price for v in ProductVariant.objects.select_related("product")}
    assert prices == {"A-S": Decimal("9.95"), "A-M": Decimal(12)}
    load.catalogue(table("catalogue", sku("A-S", product_code="A", price=Decimal(15))))
    prices = {v.sku: v.sale_price for v in ProductVariant.objects.select_related("product")}
    assert prices == {"A-S": Decimal(15), "A-M": Decimal(12)}


@pytest.mark.postgres
def test_suppliers_and_purchases():
    small_shop()
    norte = {"name": "Norte", "lead_time_days": 9.0, "minimum_order_value": Decimal(150)}
    assert load.suppliers(table("suppliers", norte)) == Counts(1)
    assert load.suppliers(table("suppliers", norte)) == Counts(0, 1)
    assert Supplier.objects.get().lead_time_sd == 2
    order = {"number": "PO1", "supplier": "Norte", "status": "confirmed", "ordered_at": NOON, "units": 12}
    rows = table(
        "purchases",
        {**order, "sku": "A", "unit_cost": Decimal("4.1")},
        {**order, "sku": "B", "unit_cost": Decimal("1")},
    )
    assert load.purchases(rows) == Counts(1)
    assert load.purchases(rows) == Counts(0, 1)
    assert load.purchases(rows.with_columns(received_units=pl.lit(12, pl.Int64))) == Counts(updated=1)
    assert PurchaseOrder.objects.get().lines.count() == 2


@pytest.mark.postgres
def test_prices_of_suppliers():
    small_shop()
    rows = table(
        "prices",
        {"sku": "A", "supplier": "Norte", "minimum_quantity": 1, "unit_cost": Decimal("4.1")},
        {"sku": "A", "supplier": "Norte", "minimum_quantity": 24, "unit_cost": Decimal("3.75")},
    )
    assert load.prices(rows) == Counts(2)
    assert load.prices(rows) == Counts(0, 2)
    dearer = rows.with_columns(unit_cost=pl.col("unit_cost") + pl.lit(Decimal(1)))
    assert load.prices(dearer.tail(1)) == Counts(updated=1)
    stored = SupplierPrice.objects.values_list("minimum_quantity", "unit_cost")
    assert dict(stored) == {1: Decimal("4.1"), 24: Decimal("4.75")}
    with pytest.raises(BadFrame, match="more than one row"):
        load.prices(pl.concat([rows, rows]))


@pytest.mark.postgres
def test_customers_share_no_email():
    rows = table(
        "customers", {"external_id": "1", "email": "Eva@mail.test"}, {"external_id": "2", "email": "eva@mail.test"}
    )
    assert load.customers(rows, source="t") == Counts(2, kept=1)
    assert load.customers(rows, source="t") == Counts(0, 2, kept=1)
    assert list(User.objects.order_by("external_id").values_list("email", flat=True)) == ["eva@mail.test", None]


def test_what_does_not_fit_is_refused_by_name():
    small_shop()
    heads = table("orders", head("1"))
    with pytest.raises(BadFrame, match=r"1 SKU.* not in the shop, such as Z"):
        load.orders(heads, table("lines", line("1", "Z")), source="t")
    with pytest.raises(BadFrame, match=r"lines.units of order 1, SKU A is -2"):
        load.orders(heads, table("lines", line("1", "A", -2)), source="t")
    with pytest.raises(BadFrame, match="write the customers first"):
        load.orders(table("orders", head("1", customer_id="99")), table("lines", line("1", "A")), source="t")
    with pytest.raises(BadFrame, match="more than one row for the same order_number: 1"):
        load.orders(table("orders", head("1"), head("1")), table("lines"), source="t")
    with pytest.raises(BadFrame, match=r"lines.unit_price is Float64, Decimal.* is needed"):
        load.orders(
            heads, pl.DataFrame({"order_number": ["1"], "sku": ["A"], "units": [1], "unit_price": [1.5]}), source="t"
        )
    assert Order.objects.count() == 0


def test_the_number_of_queries_does_not_grow_with_the_rows():
    small_shop()

    def queries(first: int, count: int) -> int:
        numbers = [str(i) for i in range(first, first + count)]
        heads = table("orders", *(head(n, placed_at=NOON + timedelta(hours=int(n))) for n in numbers))
        lines = table("lines", *(line(n, "A") for n in numbers))
        with CaptureQueriesContext(connection) as seen:
            load.orders(heads, lines, source="t")
            load.orders(heads, lines, source="t")
        return len(seen)

    assert queries(0, 5) == queries(100, 200)


@pytest.mark.postgres
def test_moments_are_written_as_django_writes_them():
    small_shop()
    exact = NOON.replace(microsecond=120_000)
    heads = table("orders", head("1"), head("2", placed_at=exact))
    load.orders(heads, table("lines", line("1", "A"), line("2", "A")), source="t")
    assert Order.objects.get(placed_at=NOON).order_number == "1"
    assert Order.objects.get(placed_at=exact).order_number == "2"
    assert Order.objects.filter(placed_at__gt=NOON).count() == 1


@pytest.mark.postgres
def test_money_that_does_not_come_back_from_the_database_is_not_written(monkeypatch):
    small_shop()
    true = load._cents
    monkeypatch.setattr(load, "_cents", lambda ids: true(ids) + 1)
    with pytest.raises(BadFrame, match=r"2.55 was to be stored, 2.56 came back"):
        load.orders(table("orders", head("1")), table("lines", line("1", "A")), source="t")
    assert Order.objects.count() == 0


@pytest.mark.postgres
def test_erased_persons_come_in_as_guests():
    small_shop()
    suppression.remember(source="t", numbers=["8"], emails=["ana@x.test"])
    people = [{"external_id": "8"}, {"external_id": "9", "email": " Ana@X.test"}, {"external_id": "10"}]
    assert load.customers(table("customers", *people), source="t").created == 1
    many = [{"external_id": f"m{n}", "email": f"m{n}@x.test"} for n in range(400)]
    with CaptureQueriesContext(connection) as asked:
        load.customers(table("customers", *many), source="t")
    assert len([q for q in asked if "erasedperson" in q["sql"]]) <= 3
    assert set(User.objects.exclude(external_id__startswith="m").values_list("external_id", flat=True)) == {"7", "10"}
    heads = [head(number, customer_id=number) for number in ("7", "8", "9", "10")]
    load.orders(table("orders", *heads), table("lines", *(line(h["order_number"], "A") for h in heads)), source="t")
    owners = dict(Order.objects.values_list("order_number", "customer__external_id"))
    assert owners == {"7": "7", "8": None, "9": None, "10": "10"}
    with pytest.raises(BadFrame, match="1 customer"):  # under another source the number is another person's
        load.orders(table("orders", head("11", customer_id="8")), table("lines", line("11", "A")), source="u")
