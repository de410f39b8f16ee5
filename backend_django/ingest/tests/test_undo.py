"""An import undone: the shop is as it was; what was changed since or is leaned on stays; killed, it goes on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authentication.models import User
from core.personal_data import ImportEntries
from ingest import journal, prints, runs, undo, undo_rows
from ingest.models import ImportEntry, ImportRun
from ingest.tasks import take_back
from ml_predictions.services.erasure.needles import Needles
from ml_predictions.sources.base import Person
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement
from purchasing.models import Supplier, SupplierItem

pytestmark = pytest.mark.django_db
HEADER = "order_number,placed_at,sku,units,unit_price,product_name,customer_id,country,category,shipping"
TABLES = (Order, OrderItem, OrderReturn, Product, ProductVariant, Category, User, StockMovement, Supplier, SupplierItem)
FIRST = [
    "1,2026-03-02 10:00,A,2,10.00,Red mug,7,ES,Kitchen,4.90",
    "1,2026-03-02 10:00,B,1,20.00,Wool hat,7,ES,Hats,",
    "2,2026-03-03 10:00,A,5,10.00,Red mug,8,ES,Kitchen,",
    "2,2026-03-05 10:00,A,-1,10.00,Red mug,8,ES,Kitchen,",
]
NEWER = [
    "1,2026-03-02 10:00,A,3,10.00,Red mug,7,FR,Kitchen,",
    "2,2026-03-03 10:00,A,5,10.00,Red mug,8,ES,Kitchen,",
    "3,2026-03-09 10:00,C,1,99.00,Tea pot,9,IT,Tea,",
    "2,2026-03-08 10:00,A,-2,10.00,Red mug,8,ES,Kitchen,",
]


def bring(tmp_path: Path, lines: list[str], **options: Any) -> ImportRun:
    """Import the lines by the command; returns its row."""
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([HEADER, *lines]))
    call_command("import_sales", str(path), stdout=StringIO(), **options)
    return ImportRun.objects.first()


def snapshot() -> dict[str, Any]:
    """Every row of the shop, but for when an order was last touched."""
    return {
        model.__name__: list(
            model.objects.order_by("pk").values_list(
                *(f.attname for f in model._meta.concrete_fields if f.name not in ("updated_at", "password"))
            )
        )
        for model in TABLES
    }


def take(run: ImportRun, *, write: bool = True) -> dict[str, Any]:
    take_back(run, write=write)
    run.refresh_from_db()
    return run.undo if write else run.undo["weighed"]


def counts(account: dict[str, Any], name: str) -> dict[str, int]:
    return {prints.Kind(int(kind)).name: n for kind, n in account[name].items()}


def kept(account: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {
        reason: {prints.Kind(int(kind)).name: n for kind, n in tables.items()}
        for reason, tables in account["kept"].items()
    }


@pytest.mark.postgres
def test_an_import_into_an_empty_shop_leaves_it_empty_again(tmp_path: Path):
    empty = snapshot()
    run = bring(tmp_path, FIRST, supplier="Norte", cost_share=Decimal("0.5"), opening_stock_days=30)
    assert (run.state, run.requested_by, run.file_name) == ("imported", "console", "sales.csv")
    assert (run.totals["before"]["cents"], run.totals["after"]) == (
        0,
        {"orders": 2, "cents": 4490 + 5000, "returned": 1000},
    )
    weighed = take(run, write=False)
    assert counts(weighed, "removed") == {
        "RETURN": 1, "ORDER": 2, "MOVEMENT": 2, "SUPPLIER_ITEM": 2, "VARIANT": 2, "PRODUCT": 2, "SUPPLIER": 1,
        "CATEGORY": 2, "CUSTOMER": 2,
    }  # fmt: skip
    assert (weighed["kept"], weighed["put_back"], run.state) == ({}, {}, "imported")
    assert Order.objects.count() == 2
    done = take(run)
    assert (done["removed"], done["kept"]) == (weighed["removed"], {})
    assert snapshot() == empty
    assert done["money"] == {
        "before": 0, "since": 0, "kept": 0, "now": 0, "orders_before": 0, "orders_now": 0, "difference": 0,
    }  # fmt: skip
    assert (run.state, run.entries.count()) == ("undone", 0)
    with pytest.raises(undo.CannotUndo, match=r"is undone already"):
        take_back(run, write=True)


@pytest.mark.postgres
def test_a_newer_export_is_undone_to_the_older_one(tmp_path: Path):
    bring(tmp_path, FIRST)
    before = snapshot()
    newer = bring(tmp_path, NEWER)
    assert snapshot() != before
    assert OrderReturn.objects.get().units == 2
    done = take(newer)
    assert snapshot() == before
    assert counts(done, "put_back") == {"RETURN": 1, "ORDER": 1, "CUSTOMER": 1}
    assert counts(done, "removed") == dict.fromkeys(("ORDER", "VARIANT", "PRODUCT", "CATEGORY", "CUSTOMER"), 1)
    assert (done["money"]["now"], done["money"]["difference"]) == (done["money"]["before"], 0)


@pytest.mark.postgres
def test_the_older_of_two_imports_is_undone_and_the_newer_one_stands(tmp_path: Path):
    alone = tmp_path / "alone"
    alone.mkdir()
    with transaction.atomic():
        bring(alone, NEWER)
        by_itself = content()
        transaction.set_rollback(True)
    first = bring(tmp_path, FIRST)
    newer = bring(tmp_path, NEWER)
    done = take(first)
    assert kept(done)["later"] == {"RETURN": 1, "ORDER": 2, "VARIANT": 1, "PRODUCT": 1, "CATEGORY": 1, "CUSTOMER": 2}
    assert content() == by_itself
    empty = take(newer)
    assert not Order.objects.exists()
    assert not ProductVariant.objects.exists()
    assert (empty["money"]["before"], empty["money"]["now"], empty["money"]["difference"]) == (0, 0, 0)


def content() -> dict[str, Any]:
    """What the shop holds, without the numbers of its rows."""
    lines = OrderItem.objects.values_list("order__order_number", "variant__sku", "units", "unit_price", "amount")
    back = OrderReturn.objects.values_list("item__order__order_number", "reference", "units", "amount")
    heads = Order.objects.values_list("order_number", "customer__external_id", "placed_at", "total", "status")
    return {
        "heads": sorted(heads), "lines": sorted(lines), "returns": sorted(back),
        "goods": sorted(ProductVariant.objects.values_list("sku", "product__name", "product__category__name")),
        "people": sorted(User.objects.values_list("external_id", "country")),
    }  # fmt: skip


@pytest.mark.postgres
def test_what_was_changed_since_or_is_leaned_on_stays_and_is_said(tmp_path: Path):
    run = bring(
        tmp_path, [*FIRST, "4,2026-03-10 10:00,D,1,5.00,Spoon,7,ES,Kitchen,", "5,2026-03-10 10:00,E,1,5.00,Fork,,,,"]
    )
    Order.objects.filter(order_number="4").update(status="refunded")
    item = OrderItem.objects.get(order__order_number="1", variant__sku="B")
    OrderReturn.objects.create(item=item, units=1, amount=Decimal("20.00"), reference="by hand")
    Product.objects.filter(name="Fork").update(name="Cake fork")
    User.objects.filter(external_id="8").update(last_login=timezone.now())
    StockMovement.objects.create(variant=ProductVariant.objects.get(sku="A"), kind="receipt", units=3, reference="r")
    weighed = take(run, write=False)
    done = take(run)
    assert (weighed["kept"], weighed["removed"]) == (done["kept"], done["removed"])
    assert kept(done) == {
        "changed": {"ORDER": 1, "PRODUCT": 1, "CUSTOMER": 1},
        "returns": {"ORDER": 1},
        "used": {"VARIANT": 3, "PRODUCT": 3, "CATEGORY": 2, "CUSTOMER": 1},
    }
    assert done["examples"]["returns"] == ["1"]
    assert set(Order.objects.values_list("order_number", flat=True)) == {"1", "4"}
    money = done["money"]
    assert (money["before"], money["since"], money["kept"], money["now"]) == (0, -2000, 4490 + 500, 4490 + 500 - 2000)
    assert money["difference"] == 0


@pytest.mark.postgres
def test_a_customer_who_was_erased_and_an_order_moved_to_another(tmp_path: Path):
    run = bring(tmp_path, FIRST)
    User.objects.get(external_id="7").delete()  # the order stays, a guest's
    Order.objects.filter(order_number="2").update(customer=User.objects.create_user("staff@shop.test"))
    assert kept(take(run))["changed"] == {"ORDER": 1}
    assert list(Order.objects.values_list("order_number", flat=True)) == ["2"]


def test_erasing_a_person_goes_through_what_is_noted_and_the_undo_still_works(tmp_path: Path):
    bring(tmp_path, FIRST)
    moved = [line.replace(",7,", ",8,") for line in FIRST]
    run = bring(tmp_path, moved)  # order 1 was of 7 and is of 8 now
    place, person = ImportEntries(), User.objects.get(external_id="7")
    needles = Needles(Person(str(person.pk)))
    assert place.find(needles) == 3  # both imports know the order as 7's, and the first made 7
    assert place.erase(needles) == 3
    assert place.find(needles) == 0
    assert not ImportEntry.objects.filter(before__contains=f'"customer_id": {person.pk}').exists()
    person.delete()
    take(run)
    assert Order.objects.get(order_number="1").customer is None


def test_an_order_that_the_import_gave_to_another_customer_is_given_back(tmp_path: Path):
    bring(tmp_path, FIRST)
    before = snapshot()
    take(bring(tmp_path, [line.replace(",7,", ",8,") for line in FIRST]))
    assert snapshot() == before


@pytest.mark.postgres
def test_counted_stock_and_products_are_undone(tmp_path: Path):
    bring(tmp_path, FIRST, opening_stock_days=90)
    products, count = tmp_path / "products.csv", tmp_path / "count.csv"
    products.write_text(
        "sku,product_name,cost,supplier,supplier_lead_time_days\nA,Blue mug,3.5,Sur,9\nZ,Bowl,1,Sur,9\n"
    )
    count.write_text("sku,counted\nA,50\nB,1\n")
    before = snapshot()
    call_command("import_products", str(products), stdout=StringIO())
    first = ImportRun.objects.first()
    with_products = snapshot()
    call_command("import_stock", str(count), stdout=StringIO())
    second = ImportRun.objects.first()
    assert (second.what, ProductVariant.objects.get(sku="A").stock) == ("stock", 50)
    take(second)
    assert snapshot() == with_products
    done = take(first)
    assert snapshot() == before
    assert counts(done, "put_back") == {"VARIANT": 1, "PRODUCT": 1}


@pytest.mark.postgres
def test_a_stock_that_was_counted_since_keeps_what_the_count_stands_on(tmp_path: Path):
    run = bring(tmp_path, FIRST, opening_stock_days=90)
    count = tmp_path / "count.csv"
    count.write_text("sku,counted\nA,50\n")
    call_command("import_stock", str(count), stdout=StringIO())
    done = take(run)
    assert kept(done)["counted"] == {"MOVEMENT": 1}
    assert {v.sku: v.stock for v in ProductVariant.objects.all()} == {"A": 50}


def test_an_import_that_was_changed_by_hand_between_two_imports_is_nobodys(tmp_path: Path):
    first = bring(tmp_path, FIRST)
    Product.objects.filter(name="Red mug").update(name="Crimson mug")
    second = bring(tmp_path, FIRST)
    take(first)
    take(second)
    assert list(Product.objects.values_list("name", flat=True)) == ["Crimson mug"]
    assert not Order.objects.exists()


class Killed(Exception):
    """The process dies here."""


@pytest.mark.postgres
@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment_and_begun_again_it_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
):
    monkeypatch.setattr(undo, "BATCH", 1)
    bring(tmp_path, FIRST)
    before = snapshot()
    run = bring(tmp_path, NEWER)
    steps = iter(range(1_000))
    original = {name: getattr(undo_rows, name) for name in ("remove", "put_back")}

    def dying(name: str) -> Any:
        def step(*args: Any, **kwargs: Any) -> None:
            original[name](*args, **kwargs)
            if next(steps) == moment:  # written, and not yet committed
                raise Killed

        return step

    for name in original:
        monkeypatch.setattr(undo_rows, name, dying(name))
    lines = undo_rows.Orders.put_back
    monkeypatch.setattr(undo_rows.Orders, "put_back", lambda self, ids: (lines(self, ids), dying_now(steps, moment)))
    try:
        take_back(run, write=True)
        died = False
    except Killed:
        died = True
    run.refresh_from_db()
    assert died == (run.state == "imported")
    monkeypatch.undo()
    if died:
        assert run.undo["begun"]
        assert totals_agree()
        take_back(run, write=True)
    assert snapshot() == before
    assert run.undo["money"]["difference"] == 0
    assert run.undo["money"]["now"] == run.undo["money"]["before"]
    assert counts(run.undo, "removed")["ORDER"] == 1


def dying_now(steps: Any, moment: int) -> None:
    if next(steps) == moment:
        raise Killed


def totals_agree() -> bool:
    """No order is half undone: each one's sums are those of its lines."""
    return all(order.subtotal == sum(item.amount for item in order.items.all()) for order in Order.objects.all())


@pytest.mark.postgres
def test_an_import_that_stopped_while_it_was_written_is_undone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ingest import load

    before = snapshot()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise Killed

    monkeypatch.setattr(load, "returns", fail)
    with pytest.raises(Killed):
        bring(tmp_path, FIRST)
    run = ImportRun.objects.get()
    assert (run.state, Order.objects.count()) == ("failed", 2)
    take(run)
    assert snapshot() == before


def test_the_command_lists_weighs_asks_and_undoes(tmp_path: Path):
    run = bring(tmp_path, FIRST)

    def say(*arguments: str) -> str:
        out = StringIO()
        call_command("undo_import", *arguments, stdout=out)
        return out.getvalue()

    assert f"{run.pk:>6}" in say()
    assert "Dry run: nothing was undone." in say(str(run.pk), "--dry-run")
    with pytest.raises(CommandError, match="give --yes"):
        say(str(run.pk))
    assert Order.objects.count() == 2
    text = say(str(run.pk), "--yes")
    assert not Order.objects.exists()
    assert "Trained models still know of it" in text
    with pytest.raises(CommandError, match="is undone already"):
        say(str(run.pk), "--yes")
    with pytest.raises(CommandError, match="There is no import 999"):
        say("999")


def test_old_imports_can_no_longer_be_undone(tmp_path: Path):
    run = bring(tmp_path, FIRST)
    assert runs.drop_old() == {"entries": 0}
    ImportRun.objects.update(created_at=timezone.now() - timedelta(days=91))
    assert runs.drop_old()["entries"] > 0
    with pytest.raises(undo.CannotUndo, match="too old"):
        take_back(run, write=True)


def test_nothing_is_noted_outside_an_import():
    journal.note(Category, {}, [Category.objects.create(name="x").pk])
    assert not ImportEntry.objects.exists()
    assert journal.read_orders([1]) is None


# --- sequences of imports and undos against a plain dict ------------------------------------------

FILES = st.dictionaries(
    st.sampled_from("123"), st.dictionaries(st.sampled_from("ABC"), st.integers(1, 3), min_size=1), min_size=1
)
STEPS = st.lists(st.one_of(FILES, st.integers(0, 5)), min_size=1, max_size=7)


def orders_now() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for number, sku, units in OrderItem.objects.values_list("order__order_number", "variant__sku", "units"):
        found.setdefault(number, {})[sku] = units
    return found


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS, size=st.sampled_from([1, 2, 100]))
def test_imports_and_undos_in_any_order_end_where_a_dict_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[Any], size: int
):
    """The model: per order a pile of what each standing import says; the uppermost counts."""
    with transaction.atomic(), monkeypatch.context() as patch:
        patch.setattr(undo, "BATCH", size)
        piles: dict[str, dict[int, dict[str, int]]] = {}
        done: list[ImportRun] = []
        undone: set[int] = set()
        for step in steps:
            if isinstance(step, dict):
                lines = [
                    f"{number},2026-03-0{number} 10:00,{sku},{units},10.00,Name {sku},{number},,,"
                    for number, skus in step.items() for sku, units in skus.items()
                ]  # fmt: skip
                run = bring(tmp_path, lines)
                done.append(run)
                for number, skus in step.items():
                    piles.setdefault(number, {})[run.pk] = skus
            elif done:
                run = done[step % len(done)]
                if run.pk in undone:
                    with pytest.raises(undo.CannotUndo):
                        take_back(run, write=True)
                else:
                    weighed, account = take(run, write=False), take(run)
                    assert (weighed["removed"], weighed["put_back"]) == (account["removed"], account["put_back"])
                    assert account["money"]["difference"] == 0
                    undone.add(run.pk)
                    for pile in piles.values():
                        pile.pop(run.pk, None)
            expected = {number: list(pile.values())[-1] for number, pile in piles.items() if pile}
            assert orders_now() == expected
            skus = {sku for pile in piles.values() for one in pile.values() for sku in one}
            assert set(ProductVariant.objects.values_list("sku", flat=True)) == skus
            assert set(User.objects.values_list("external_id", flat=True)) == {n for n, pile in piles.items() if pile}
            assert totals_agree()
        transaction.set_rollback(True)
