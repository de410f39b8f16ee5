"""What is particular to Oscar: deleted products, partners, line statuses, refunds, guests, tax, costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from fillers import (
    CatalogueProduct,
    EventHandler,
    OscarFiller,
    OscarOrder,
    Partner,
    PaymentEventType,
    ProductClass,
    StockRecord,
    place,
)

from ml_predictions.messages import spoken
from ml_predictions.sources.oscar import OscarShop, guest_id
from ml_predictions.testing.shops import SMALL
from retail_ml.errors import BadFrame

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def oscar(db: None, tmp_path: Path) -> OscarFiller:
    filler = OscarFiller(tmp_path)
    filler.fill(SMALL)
    return filler


def product(sku: str) -> Any:
    return CatalogueProduct.objects.get(stockrecords__partner_sku=sku)


def sold(number: str, sku: str = "A-S", units: int = 1, **order: Any) -> Any:
    """One more order of one line."""
    who = {} if "user" in order else {"guest_email": "guest@mail.test"}
    return place([(product(sku), units)], number=number, **{"status": "Complete", "date_placed": AT, **who, **order})


def lines_of(shop: OscarShop, order: Any) -> list[dict[str, Any]]:
    return [row for row in shop.order_lines().iter_rows(named=True) if row["order_id"] == str(order.pk)]


# --- products that are gone -----------------------------------------------------------------------


def test_a_deleted_product_that_is_there_again_is_found_by_its_upc_or_its_sku(oscar: OscarFiller):
    by_upc, by_sku = sold("U", "A-S"), sold("S", "B-1")
    shirt = product("B-1")
    product("A-S").delete()
    shirt.delete()
    parent = CatalogueProduct.objects.get(upc="A")
    child = CatalogueProduct.objects.create(structure="child", parent=parent, upc="A-S", title="again")
    alone = CatalogueProduct.objects.create(
        structure="standalone", title="Shirt", upc="another", product_class=ProductClass.objects.get()
    )
    StockRecord.objects.create(product=alone, partner=Partner.objects.get(), partner_sku="B-1", price=30)
    (line,) = lines_of(OscarShop(), by_upc)
    assert (line["product_id"], line["variant_id"]) == (str(parent.pk), str(child.pk))
    (line,) = lines_of(OscarShop(), by_sku)
    assert (line["product_id"], line["variant_id"]) == (str(alone.pk), str(alone.pk))


def test_a_deleted_product_that_nothing_finds_keeps_a_name_of_its_own(oscar: OscarFiller):
    order = sold("U", "B-1", 2)
    product("B-1").delete()
    for changes, name in (({}, "gone-B"), ({"upc": None}, "gone-B-1"), ({"partner_sku": ""}, "gone-Silk shirt")):
        order.lines.update(**changes)
        (line,) = lines_of(OscarShop(), order)
        assert (line["product_id"], line["variant_id"], line["units"]) == (name, name, 2.0)
    assert OscarShop().order_lines()["amount"].sum() == 271.45 + 2 * 30  # nothing was lost


# --- stock ----------------------------------------------------------------------------------------


def test_several_partners_are_summed_or_chosen(oscar: OscarFiller):
    sur = Partner.objects.create(name="Sur", code="sur")
    StockRecord.objects.create(
        product=product("A-S"), partner=sur, partner_sku="SUR-1", price=Decimal("45.00"), price_currency="EUR",
        num_in_stock=7, num_allocated=1,
    )  # fmt: skip
    StockRecord.objects.create(
        product=product("B-1"), partner=sur, partner_sku="SUR-2", price=Decimal("1.00"), price_currency="USD",
        num_in_stock=2,
    )  # fmt: skip
    rows = {row["sku"]: row for row in OscarShop().stock().iter_rows(named=True)}
    one = rows["A-S"]
    assert (one["on_hand"], one["reserved"], one["price"], one["supplier"]) == (12.0, 3.0, 45.0, "Norte")
    assert (rows["B-1"]["on_hand"], rows["B-1"]["price"]) == (2.0, 30.0)  # a price in dollars is no price here
    chosen = {row["sku"]: row for row in OscarShop(partners=["sur"]).stock().iter_rows(named=True)}
    assert (chosen["SUR-1"]["on_hand"], chosen["SUR-1"]["supplier"], chosen["SUR-1"]["active"]) == (7.0, "Sur", True)
    assert not chosen["A-M"]["active"]  # nobody who counts has it: it cannot be bought


def test_placing_an_order_promises_its_units(oscar: OscarFiller):
    before = OscarShop().available()[oscar.ids("product")["A"]]
    sold("P", "A-S", 2, status="Pending")
    assert OscarShop().available()[oscar.ids("product")["A"]] == before - 2


def test_what_needs_no_stock_is_always_there_and_never_reordered(oscar: OscarFiller):
    vouchers = ProductClass.objects.create(name="Vouchers", track_stock=False)
    gift = CatalogueProduct.objects.create(structure="standalone", title="Gift", product_class=vouchers)
    StockRecord.objects.create(product=gift, partner=Partner.objects.get(), partner_sku="G", price=10)
    shop = OscarShop()
    assert shop.available(product_ids=[str(gift.pk)]) == {str(gift.pk): float("inf")}
    assert shop.available()[oscar.ids("product")["A"]] == 6.0
    assert str(gift.pk) not in shop.stock()["variant_id"]
    assert str(gift.pk) in shop.products()["product_id"]


def test_a_product_without_any_stock_record_cannot_be_bought(oscar: OscarFiller):
    row = CatalogueProduct.objects.create(structure="standalone", title="New", product_class=ProductClass.objects.get())
    stock = OscarShop().stock(variant_ids=[str(row.pk)]).row(0, named=True)
    assert (stock["active"], stock["on_hand"], stock["price"], stock["sku"]) == (False, 0.0, None, str(row.pk))


def test_texts_of_children_come_from_their_parent(oscar: OscarFiller):
    parent = CatalogueProduct.objects.get(upc="A")
    CatalogueProduct.objects.filter(pk=parent.pk).update(
        description="<p>Light,<br>for&nbsp;<b>summer</b></p>", is_public=False, date_created=AT
    )
    shop = OscarShop()
    row = shop.products(ids=[str(parent.pk)]).row(0, named=True)
    assert (row["description"], row["active"], row["price"]) == ("Light, for summer", False, 50.0)
    assert row["created"] == date(2026, 3, 2)
    children = shop.stock(product_ids=[str(parent.pk)])
    assert children["options"].to_list() == ["Linen dress S", "Linen dress M"]
    assert children["active"].to_list() == [False, False]


# --- money ----------------------------------------------------------------------------------------


def test_revenue_with_and_without_tax(oscar: OscarFiller):
    order = sold("T", "A-S", 2)
    order.lines.update(line_price_incl_tax=Decimal("121.00"), line_price_excl_tax=Decimal("100.00"))
    assert [line["amount"] for line in lines_of(OscarShop(), order)] == [121.0]
    assert [line["amount"] for line in lines_of(OscarShop(with_tax=False), order)] == [100.0]


def test_the_projects_own_statuses_decide_of_orders_and_lines(oscar: OscarFiller, settings: Any):
    order = sold("L", "A-S")
    order.lines.update(status="Cancelled")
    assert len(lines_of(OscarShop(), order)) == 1
    assert lines_of(OscarShop(lines_left_out=["Cancelled"]), order) == []
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "SALE_STATUSES": ["Pending"]}
    assert OscarShop().order_lines()["units"].to_list() == [9.0]


def test_a_refund_of_several_lines_is_parted_by_what_they_cost(oscar: OscarFiller):
    order = place(
        [(product("A-S"), 2), (product("B-1"), 1)], number="R", status="Complete", date_placed=AT,
        guest_email="guest@mail.test",
    )  # fmt: skip
    refund_type = PaymentEventType.objects.create(name="Money back")
    dress, shirt = order.lines.order_by("pk")
    event = EventHandler().create_payment_event(order, refund_type, Decimal("40.00"), [dress, shirt], [1, 1])
    type(event).objects.update(date_created=AT + timedelta(days=3))
    assert sum(line["is_return"] for line in lines_of(OscarShop(), order)) == 0  # by another name than the usual
    back = [line for line in lines_of(OscarShop(refund_events=["Money back"]), order) if line["is_return"]]
    assert [(line["units"], line["amount"]) for line in back] == [(-1.0, -25.0), (-1.0, -15.0)]  # 50 : 30
    assert {line["day"] for line in back} == {date(2026, 3, 5)}


def test_a_refund_that_names_no_lines_is_left_out_and_counted(oscar: OscarFiller):
    order = OscarOrder.objects.get(number="2")
    before = OscarShop().order_lines()
    kind, _ = PaymentEventType.objects.get_or_create(name="Refund")
    EventHandler().create_payment_event(order, kind, Decimal("5.00"))
    assert OscarShop().order_lines().equals(before)
    assert OscarShop().left_out().counts["refund_without_lines"] == 1


def test_what_is_spent_on_offers_is_no_revenue(oscar: OscarFiller):
    order = OscarOrder.objects.get(number="1")
    line = order.lines.get(partner_sku="B-1")
    line.line_price_incl_tax = Decimal("24.00")
    line.save()
    assert line.line_price_before_discounts_incl_tax == Decimal("30.00")
    assert [row["amount"] for row in lines_of(OscarShop(), order) if row["units"] == 1.0] == [24.0]


# --- people ---------------------------------------------------------------------------------------


def test_a_guest_with_the_e_mail_of_an_account_is_that_customer(oscar: OscarFiller):
    ana = oscar.ids("customer")["ana"]
    order = sold("G", guest_email="ANA@mail.test")
    (line,) = lines_of(OscarShop(), order)
    assert line["customer_id"] == ana
    assert str(order.pk) in OscarShop().order_lines(customer_id=ana)["order_id"]
    assert str(order.pk) in OscarShop().purchases(customer_id=ana)["order_id"]


def test_guests_are_one_customer_by_e_mail_and_nobody_writes_to_them(oscar: OscarFiller):
    one, other = sold("G1", guest_email="Eva@mail.test"), sold("G2", guest_email="eva@mail.test")
    eva, shop = guest_id("eva@mail.test"), OscarShop()
    assert {line["customer_id"] for order in (one, other) for line in lines_of(shop, order)} == {eva}
    assert shop.order_lines(customer_id=eva).height == 2
    assert shop.customer_exists(eva)
    assert not shop.customer_exists(guest_id("nobody@mail.test"))
    assert "eva" not in eva
    assert eva not in shop.buyers([oscar.ids("product")["A"]], since=date(2026, 1, 1))["customer_id"]
    assert shop.find_customers("EVA", most=3) == [eva]
    assert shop.contacts([eva, oscar.ids("customer")["ana"]]).rows() == [
        (oscar.ids("customer")["ana"], "Ana", "ana@mail.test"), (eva, "", "eva@mail.test"),
    ]  # fmt: skip


def test_an_order_without_account_and_e_mail_is_nobodys(oscar: OscarFiller):
    (line,) = lines_of(OscarShop(), sold("N", guest_email=""))
    assert line["customer_id"] is None


def test_staff_are_no_customers_and_closed_accounts_are_not_offered_anything(oscar: OscarFiller):
    User.objects.create_superuser("boss", "boss@mail.test", "x")
    shop, ben = OscarShop(), oscar.ids("customer")["ben"]
    assert shop.customers().height == 3 + 1
    product_id = oscar.ids("product")["C"]
    assert shop.buyers([product_id], since=date(2026, 1, 1))["customer_id"].to_list() == [ben]
    User.objects.filter(pk=ben).update(is_active=False)
    assert OscarShop().buyers([product_id], since=date(2026, 1, 1)).is_empty()


# --- what Oscar has no place for --------------------------------------------------------------------


def test_costs_and_lead_times_come_from_a_csv(oscar: OscarFiller, tmp_path: Path):
    (tmp_path / "c.csv").write_text("sku,cost,lead_time_days,pack_size\nA-S,20.50,12,6\nB-1,,,\nX,1,1,1\n")
    rows = {row["sku"]: row for row in OscarShop(costs=tmp_path / "c.csv").stock().iter_rows(named=True)}
    assert [rows["A-S"][c] for c in ("cost", "lead_time_days", "pack_size", "minimum_order")] == [20.5, 12.0, 6.0, 1.0]
    assert [rows["B-1"][c] for c in ("cost", "lead_time_days", "pack_size")] == [None, None, 1.0]
    assert rows["A-M"]["cost"] is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sku;cost\nA;1\n", "bad_frame.columns"),
        ("sku,price\nA,1\n", "bad_frame.columns"),
        ("sku,cost\nA,cheap\n", "bad_frame.no_csv"),
        ("sku,cost\nA,1\nA,2\n", "bad_frame.twice"),
        ("sku,cost\n,1\n", "bad_frame.empty"),
    ],
)
def test_a_csv_that_cannot_be_is_named(tmp_path: Path, text: str, code: str):
    file = tmp_path / "costs.csv"
    file.write_text(text)
    with pytest.raises(BadFrame) as found:
        OscarShop(costs=file)
    assert found.value.code == code
    assert str(file) in spoken(found.value)
    with pytest.raises(BadFrame, match="cannot be read"):
        OscarShop(costs=tmp_path / "none.csv")
