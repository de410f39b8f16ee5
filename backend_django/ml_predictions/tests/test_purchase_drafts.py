"""Purchase-order drafts from what the inventory recommends: once, whole, and by the rules of each supplier."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone, translation

from ml_predictions.actions import NotSupportedBySource
from ml_predictions.actions_orders import draft_orders
from ml_predictions.messages import render
from ml_predictions.serializers.ordering import DraftOrders
from ml_predictions.services.inventory_optimization import InventoryOptimizationService
from ml_predictions.sources.django_shop import DjangoShop
from products.models import ProductVariant
from purchasing import services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice
from retail_ml.errors import UnknownId

pytestmark = pytest.mark.postgres


class Bare:
    """A shop that keeps no purchase orders of its own: the reads of the shop, and nothing else."""

    def __getattr__(self, name: str) -> Any:
        if name in ("hold_drafting", "place_drafts"):
            raise AttributeError(name)
        return getattr(DjangoShop(), name)


@pytest.fixture
def user(cast: Any) -> Any:
    return cast["ben"]


@pytest.fixture
def empty(make_shop: Any, run: Any) -> None:
    """A small shop with trained levels and empty shelves: everything is to be ordered from Norte or Sur."""
    make_shop(orders=80, products=8, customers=20, days=120)
    InventoryOptimizationService().train(run)
    ProductVariant.objects.update(stock=0)


def wanted(**limits: Any) -> dict[str, Any]:
    return InventoryOptimizationService().reorder(**limits)


def quantities() -> dict[str, float]:
    return {row["variant_id"]: row["recommended_order_quantity"] for row in wanted()["recommendations"]}


@pytest.mark.usefixtures("empty")
def test_one_draft_per_supplier_holds_all_that_is_recommended_and_then_nothing_is(user):
    before = wanted()
    found = draft_orders(user=user)
    assert [draft["supplier"] for draft in found["drafts"]] == [row["supplier"] for row in before["by_supplier"]]
    assert {draft["supplier"] for draft in found["drafts"]} == {"Norte", "Sur"}
    stored = {str(line.variant_id): line.units for line in PurchaseOrderLine.objects.all()}
    assert stored == {row["variant_id"]: row["recommended_order_quantity"] for row in before["recommendations"]}
    assert found["totals"]["estimated_cost"] == before["estimated_total_cost"]
    assert set(PurchaseOrder.objects.values_list("status", "created_by")) == {("draft", user.email)}
    assert LogEntry.objects.filter(user=user, content_type__model="purchaseorder").count() == 2
    json.dumps(found, default=str, allow_nan=False)

    again = draft_orders(user=user)
    assert (again["drafts"], again["message"]["code"]) == ([], "inventory.nothing_to_draft")
    assert PurchaseOrder.objects.count() == 2
    services.confirm(PurchaseOrder.objects.get(supplier__name="Norte"))
    assert draft_orders(user=user)["drafts"] == []


@pytest.mark.usefixtures("empty")
def test_a_receipt_that_is_put_off_is_not_ordered_again(user):
    draft_orders(user=user)
    for order in PurchaseOrder.objects.all():
        services.confirm(order)
    PurchaseOrder.objects.update(expected_on=timezone.localdate() + timedelta(days=400))
    assert quantities() == {}
    first = PurchaseOrder.objects.first()
    services.receive(first, {first.lines.first().pk: 1})
    assert quantities() == {}, "received in part, the rest still on its way"


@pytest.mark.usefixtures("empty")
def test_chosen_lines_count_what_is_drafted_and_come_in_whole_packs(user):
    pk = next(iter(quantities()))
    ProductVariant.objects.filter(pk=int(pk)).update(pack_size=12)
    found = draft_orders(user=user, lines={pk: 1.0})
    assert [line.units for line in PurchaseOrderLine.objects.all()] == [12]
    assert [note["code"] for note in found["drafts"][0]["lines"][0]["notes"]] == ["inventory.rounded_up"]
    same = draft_orders(user=user, lines={pk: 1.0})
    assert (same["drafts"], same["skipped"][0]["reason"]["code"]) == ([], "inventory.drafted_already")
    more = draft_orders(user=user, lines={pk: 20.0})
    assert more["drafts"][0]["lines"][0]["recommended_order_quantity"] == 12
    with pytest.raises(UnknownId, match="999999"):
        draft_orders(user=user, lines={pk: 1.0, "999999": 3.0})
    assert PurchaseOrder.objects.count() == 2


@pytest.mark.usefixtures("empty")
def test_a_recommendation_that_is_sent_as_it_was_read_is_drafted_once(user):
    row = next(r for r in wanted()["recommendations"] if r["recommended_order_quantity"] > 2)
    draft_orders(user=user, lines={row["variant_id"]: 1.0})
    row = next(r for r in wanted()["recommendations"] if r["variant_id"] == row["variant_id"])
    assert row["drafted"] == 1
    body = {"variant_id": row["variant_id"], "units": int(row["recommended_order_quantity"]), "drafted": row["drafted"]}
    for _ in range(2):
        asked = DraftOrders(data={"lines": [body]})
        assert asked.is_valid()
        draft_orders(user=user, **asked.validated_data)
    assert sum(line.units for line in PurchaseOrderLine.objects.all()) == body["units"] + 1
    assert row["variant_id"] not in quantities()


@pytest.mark.usefixtures("empty")
def test_chosen_lines_that_cannot_be_ordered_say_why(user):
    a, b, c, d = list(quantities())[:4]
    ProductVariant.objects.filter(pk=int(a)).update(is_active=False)
    today = wanted()["recommendations"][0]["expected_on"]
    ProductVariant.objects.filter(pk=int(b)).update(season_end=today - timedelta(days=300))
    SupplierItem.objects.filter(variant=int(c)).delete()
    other = Supplier.objects.create(name="Este")
    SupplierItem.objects.filter(variant=int(d)).update(supplier=other)
    found = draft_orders(user=user, lines=dict.fromkeys((a, b, c, d), 5.0))
    assert [row["reason"]["code"] for row in found["skipped"]] == ["inventory.not_active", "inventory.season_over"]
    assert [row["variant_id"] for row in found["without_supplier"]] == [c]
    assert [draft["supplier"] for draft in found["drafts"]] == ["Este"]
    sur = draft_orders(user=user, lines={d: 50.0}, supplier="Sur")
    assert sur["skipped"][0]["reason"]["params"] == {"supplier": "Este"}


@pytest.mark.usefixtures("empty")
def test_what_nobody_supplies_is_told_apart_and_not_lost(user):
    pk = next(iter(quantities()))
    SupplierItem.objects.filter(variant=int(pk)).delete()
    summary = wanted()["by_supplier"]
    assert (summary[-1]["supplier_id"], summary[-1]["lines"]) == (None, 1)
    found = draft_orders(user=user)
    assert [row["variant_id"] for row in found["without_supplier"]] == [pk]
    assert not PurchaseOrderLine.objects.filter(variant=int(pk)).exists()
    assert set(quantities()) == {pk}


@pytest.mark.usefixtures("empty")
def test_a_suppliers_price_break_and_smallest_order_are_respected_or_said(user):
    Supplier.objects.filter(name="Norte").update(minimum_order_value=Decimal(1_000_000))
    row = next(r for r in wanted()["recommendations"] if r["supplier"] == "Norte")
    item = SupplierItem.objects.get(variant=int(row["variant_id"]))
    least = int(row["recommended_order_quantity"])
    for minimum, cost in ((least, "1.25"), (least + 100_000, "1")):
        SupplierPrice.objects.create(
            variant=item.variant, supplier=item.supplier, minimum_quantity=minimum, unit_cost=Decimal(cost)
        )
    found = draft_orders(user=user, supplier="Norte")["drafts"][0]
    line = next(line for line in found["lines"] if line["variant_id"] == row["variant_id"])
    assert (line["unit_cost"], line["next_break_cost"]) == (1.25, 1.0)
    assert found["missing_to_minimum"] == pytest.approx(1_000_000 - found["estimated_cost"])
    assert found["note"]["code"] == "inventory.below_minimum_order"
    order = PurchaseOrder.objects.get(supplier__name="Norte")
    assert "Norte takes orders from" in order.note
    stored = order.lines.get(variant=item.variant)
    assert (stored.unit_cost, "instead of 1.25" in stored.note) == (Decimal("1.25"), True)


@pytest.mark.usefixtures("empty")
def test_an_order_is_filled_up_to_what_its_supplier_takes_and_says_so(user):
    order = next(row for row in wanted()["by_supplier"] if row["supplier"] == "Norte")
    assert (order["fill_lines"], order["fill_cost"]) == ([], 0.0)
    least = order["estimated_cost"] + 40
    Supplier.objects.filter(name="Norte").update(minimum_order_value=Decimal(str(least)))
    plain = next(row for row in wanted()["by_supplier"] if row["supplier"] == "Norte")
    assert plain["fill_cost"] >= plain["missing_to_minimum"] == pytest.approx(40)
    assert sum(row["filled_units"] for row in wanted()["recommendations"]) == 0, "only where it is asked for"
    found = draft_orders(user=user, supplier="Norte", fill_minimum=True)["drafts"][0]
    assert (found["missing_to_minimum"], found["note"]) == (0, None)
    assert found["estimated_cost"] == pytest.approx(plain["estimated_cost"] + plain["fill_cost"], abs=0.02)
    assert found["fill_lines"] == plain["fill_lines"]
    added = {row["variant_id"]: row["units"] for row in plain["fill_lines"]}
    assert {row["variant_id"]: row["filled_units"] for row in found["lines"] if row["filled_units"]} == added
    stored = PurchaseOrder.objects.get(supplier__name="Norte").lines.all()
    assert sum(line.units * line.unit_cost for line in stored) >= Decimal(str(least)) - Decimal("0.01")
    assert {str(line.variant_id) for line in stored if "up to the minimum of Norte" in line.note} == set(added)
    assert draft_orders(user=user, supplier="Norte", fill_minimum=True)["drafts"] == [], "asked again, nothing is added"


@pytest.mark.usefixtures("empty")
def test_a_budget_fills_no_order_beyond_itself(user):
    whole = wanted(supplier="Norte")
    spent = whole["estimated_total_cost"]
    Supplier.objects.filter(name="Norte").update(minimum_order_value=Decimal(str(spent + 40)))
    tight = wanted(supplier="Norte", budget=spent + 20, fill_minimum=True)
    assert tight["by_supplier"][0]["fill_lines"] == []
    assert tight["estimated_total_cost"] <= spent + 20
    wide = wanted(supplier="Norte", budget=spent + 400, fill_minimum=True)
    assert wide["by_supplier"][0]["missing_to_minimum"] == 0
    assert wide["by_supplier"][0]["fill_lines"]
    assert wide["left_out"]["unspent"] == pytest.approx(spent + 400 - wide["estimated_total_cost"], abs=0.02)


@pytest.mark.usefixtures("empty")
def test_more_is_ordered_where_a_break_makes_it_cheaper_over_a_year(user):
    row = max((r for r in wanted()["recommendations"] if r["confidence"] != "low"), key=lambda r: r["daily_demand"])
    item = SupplierItem.objects.get(variant=int(row["variant_id"]))
    break_at = int(row["recommended_order_quantity"]) + 2
    price = {"minimum_quantity": break_at, "unit_cost": Decimal("0.5")}
    SupplierPrice.objects.create(variant=item.variant, supplier=item.supplier, **price)
    found = next(r for r in wanted()["recommendations"] if r["variant_id"] == row["variant_id"])
    assert (found["recommended_order_quantity"], found["break_taken"], found["unit_cost"]) == (break_at, True, 0.5)
    assert "one costs 0.50 EUR" in render(found["notes"][0])
    draft_orders(user=user)
    assert row["variant_id"] not in quantities()


@pytest.mark.usefixtures("empty")
def test_a_budget_is_never_exceeded_and_what_is_left_is_told(user):
    whole = wanted()
    budget = round(whole["estimated_total_cost"] / 3, 2)
    for row in whole["recommendations"]:  # dearer below ten units than the variant's own cost
        item = SupplierItem.objects.get(variant=int(row["variant_id"]))
        SupplierPrice.objects.create(variant=item.variant, supplier=item.supplier, minimum_quantity=1, unit_cost=40)
    found = draft_orders(user=user, budget=budget)
    spent = sum(line.units * line.unit_cost for line in PurchaseOrderLine.objects.all())
    assert 0 < spent <= budget
    again = draft_orders(user=user, budget=budget)
    assert (again["drafts"], again["left_out"]["count"]) == ([], found["left_out"]["count"]), "drafts are in the budget"
    assert again["left_out"]["in_drafts"] == pytest.approx(float(spent), abs=0.01)
    more = draft_orders(user=user, budget=2 * budget)["totals"]["estimated_cost"]
    assert 0 < more <= 2 * budget - float(spent)
    left = found["left_out"]
    assert left["unspent"] == pytest.approx(budget - float(spent), abs=0.01)
    assert left["count"] > 0
    assert left["estimated_cost"] > 0
    assert {"sku", "units", "estimated_cost"} <= set(left["lines"][0])


@pytest.mark.usefixtures("empty")
def test_notes_are_written_in_the_language_of_who_asks(user):
    with translation.override("es"):
        draft_orders(user=user)
    assert "unidades" in PurchaseOrderLine.objects.first().note


@pytest.mark.usefixtures("empty")
def test_a_fault_in_the_middle_leaves_no_draft(user, monkeypatch):
    real = DjangoShop.place_drafts

    def half(self: DjangoShop, drafts: Any, **more: Any) -> Any:
        real(self, drafts[:1], **more)
        raise RuntimeError("the second supplier")

    monkeypatch.setattr(DjangoShop, "place_drafts", half)
    with pytest.raises(RuntimeError, match="second"):
        draft_orders(user=user)
    assert not PurchaseOrder.objects.exists()


@pytest.mark.usefixtures("empty")
def test_a_shop_without_purchase_orders_gets_the_lines_instead(user, monkeypatch):
    monkeypatch.setattr("ml_predictions.services.base.get_source", Bare)
    lines = len(quantities())
    with pytest.raises(NotSupportedBySource) as caught:
        draft_orders(user=user)
    assert caught.value.details["total_rows"] == len(caught.value.details["rows"]) == lines
    assert caught.value.details["rows"][0]["supplier"] == "Norte"


@pytest.mark.usefixtures("empty")
def test_drafting_takes_as_many_queries_for_many_lines(user, django_assert_max_num_queries):
    with django_assert_max_num_queries(45):
        assert draft_orders(user=user)["totals"]["lines"] > 8


@pytest.mark.usefixtures("empty")
def test_what_somebody_else_orders_in_between_is_not_ordered_again(user, monkeypatch):
    real = DjangoShop.hold_drafting

    def meanwhile(self: DjangoShop) -> None:
        monkeypatch.setattr(DjangoShop, "hold_drafting", real)
        draft_orders(user=user, supplier="Norte")
        real(self)

    monkeypatch.setattr(DjangoShop, "hold_drafting", meanwhile)
    found = draft_orders(user=user)
    assert [draft["supplier"] for draft in found["drafts"]] == ["Sur"]
    assert PurchaseOrder.objects.count() == 2
    assert quantities() == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("empty")
def test_two_who_draft_at_once_order_no_more_than_one(user):
    """On SQLite, which lets one writer in at a time, they come one after the other."""

    def call(_: int) -> int:
        try:
            return len(draft_orders(user=user)["drafts"])
        finally:
            connection.close()

    if connection.vendor == "sqlite":
        found = [len(draft_orders(user=user)["drafts"]) for _ in range(2)]
    else:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(call, range(2)))
    assert sorted(found) == [0, 2]
    assert PurchaseOrder.objects.count() == 2


@pytest.mark.usefixtures("empty")
def test_what_somebody_has_drafted_by_hand_counts_in_the_budget(user):
    whole = wanted()
    first, budget = whole["recommendations"][0], round(whole["estimated_total_cost"] / 2, 2)
    many = round(budget * 0.7 / first["unit_cost"])  # far more than is needed of it
    draft_orders(user=user, lines={first["variant_id"]: many})
    by_hand = sum(line.units * line.unit_cost for line in PurchaseOrderLine.objects.all())
    found = draft_orders(user=user, budget=budget)
    spent = sum(line.units * line.unit_cost for line in PurchaseOrderLine.objects.all())
    assert float(by_hand) == pytest.approx(found["left_out"]["in_drafts"], abs=0.01)
    assert by_hand < spent <= budget
