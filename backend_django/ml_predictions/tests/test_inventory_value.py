"""What alerts said, written down at birth, scored after their days and never before."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ml_predictions.messages import render
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim, InventoryHealthDay
from ml_predictions.selectors_inventory import value
from ml_predictions.services import inventory_value
from ml_predictions.services.inventory_optimization import InventoryOptimizationService
from orders.models import Order, OrderItem
from products.models import ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier
from retail_ml.inventory import claims

MADE = date(2026, 5, 31)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def claim(number: int, **values: Any) -> InventoryClaim:
    row = {
        "kind": "alert", "code": "REORDER_NOW", "variant_id": str(number), "product_id": "1", "sku": f"S{number}",
        "abc": "A", "made_on": MADE, "due_on": MADE + timedelta(days=10), "probability": 0.9, "money": 10.0,
        "units": 2.0, "stock": 5.0, "unit_money": 5.0,
    }  # fmt: skip
    return InventoryClaim.objects.create(**{**row, **values})


def scored(number: int, came: bool | None, **values: Any) -> InventoryClaim:
    return claim(number, came_true=came, scored_on=MADE, money_came=8.0 if came else 0.0, done="nothing", **values)


def queries(call: Any) -> int:
    with CaptureQueriesContext(connection) as found:
        call()
    return len(found)


@pytest.mark.django_db
@pytest.mark.postgres
class TestTheSums:
    """Precision, calibration and money of claims that are over."""

    def test_precision_and_money_per_code_beside_rule_and_base_rate(self) -> None:
        for number, came in enumerate((True, True, True, False)):
            scored(number, came, base_rate=0.25)
        claim(9)
        scored(10, None, unknown="not_trusted")
        for number, came in enumerate((True, False, False, False)):
            scored(number, came, kind="rule", code="BELOW_7_DAYS", probability=None, money=None, base_rate=0.25)
        found = value({})
        alert, rule = found["codes"]
        assert (alert["claims"], alert["waiting"], alert["scored"], alert["came_true"]) == (6, 1, 4, 3)
        assert (alert["precision"], rule["precision"], alert["base_rate"]) == (0.75, 0.25, 0.25)
        assert (alert["money_promised"], alert["money_came"]) == (40.0, 24.0)
        brier, base = (3 * 0.1**2 + 0.9**2) / 4, (3 * 0.75**2 + 0.25**2) / 4
        assert alert["brier"] == pytest.approx(brier, abs=1e-4)
        assert alert["brier_skill"] == pytest.approx(1 - brier / base, abs=1e-4)
        assert alert["unknown"] == {"no_stock_history": 0, "not_trusted": 1, "never_there": 0, "gone": 0}
        assert (rule["mean_probability"], rule["money_promised"], rule["brier_skill"]) == (None, None, None)
        assert found["scored_until"] == MADE + timedelta(days=10)
        assert [row["precision"] for row in found["months"]] == [0.75]
        assert "4 claims only" in render(found["notes"][1])

    def test_calibration_by_tenths_with_certainty_in_the_last(self) -> None:
        for number, (said, came) in enumerate([(0.05, False), (0.32, True), (0.38, False), (0.95, True), (1.0, True)]):
            scored(number, came, probability=said)
        assert value({})["calibration"] == [
            {"from": 0.0, "to": 0.1, "claims": 1, "predicted": 0.05, "observed": 0.0},
            {"from": 0.3, "to": 0.4, "claims": 2, "predicted": 0.35, "observed": 0.5},
            {"from": 0.9, "to": 1.0, "claims": 2, "predicted": 0.975, "observed": 1.0},
        ]

    def test_filters_and_what_is_not_known_yet(self) -> None:
        assert "Nothing has been claimed" in render(value({})["notes"][0])
        claim(1)
        waiting = value({})
        assert (waiting["codes"][0]["precision"], waiting["calibration"]) == (None, [])
        assert "June 10, 2026" in render(waiting["notes"][0])
        scored(2, True, code="DEAD_STOCK", made_on=MADE - timedelta(days=40))
        assert [row["code"] for row in value({"since": MADE})["codes"]] == ["REORDER_NOW"]
        assert [row["code"] for row in value({"code": "DEAD_STOCK", "kind": "alert"})["codes"]] == ["DEAD_STOCK"]
        assert value({"variant_id": "1"})["codes"][0]["claims"] == 1

    def test_the_same_number_of_queries_for_any_number_of_claims(self) -> None:
        scored(1, True)
        few = queries(lambda: value({}))
        for number in range(2, 40):
            scored(number, bool(number % 2), code=("DEAD_STOCK", "OVERSTOCK")[number % 2])
        assert queries(lambda: value({})) == few


def test_every_reason_that_can_be_given_is_a_choice() -> None:
    assert set(InventoryClaim.Unknown.values) == set(claims.UNKNOWN)


# --- over time ------------------------------------------------------------------------------------


def sell(variant: ProductVariant, day: date) -> None:
    """One more completed order, which moves the shop's last day."""
    order = Order.objects.create(order_number=f"N{day}", status="completed", placed_at=noon(day))
    OrderItem.objects.create(order=order, variant=variant, units=1, unit_price=Decimal(10), amount=Decimal(10))


def refresh() -> dict[str, int]:
    return InventoryOptimizationService().refresh_alerts()


@pytest.fixture
def trained(shop: None, run: Any) -> InventoryOptimizationService:
    """The fixture shop with shelves of all sorts, and its levels trained."""
    keys = list(ProductVariant.objects.order_by("pk").values_list("pk", flat=True))
    ProductVariant.objects.filter(pk__in=keys[:8]).update(stock=3)
    ProductVariant.objects.filter(pk__in=keys[-8:]).update(stock=400)
    found = InventoryOptimizationService()
    found.train(run)
    return found


def test_claims_are_made_once_and_scored_when_their_days_are_over(trained: InventoryOptimizationService):
    as_of = trained.analysis().as_of
    made = InventoryClaim.objects.all()
    assert set(made.values_list("kind", flat=True)) == {"alert", "suggestion", "rule"}
    assert set(made.values_list("made_on", flat=True)) == {as_of}
    assert not made.exclude(scored_on=None).exists()
    linked = made.exclude(alert=None)
    assert linked.exists()
    assert all(one.variant_id == one.alert.variant_id for one in linked.select_related("alert"))
    before = made.count()
    assert refresh()["claims_made"] == 0, "the same day says the same"
    later = as_of + timedelta(days=12)
    sell(ProductVariant.objects.first(), later + timedelta(days=1))
    done = refresh()
    over = InventoryClaim.objects.filter(due_on__lte=later)
    assert 0 < over.count() == done["claims_scored"] < before
    assert not over.filter(scored_on=None).exists()
    assert not InventoryClaim.objects.filter(due_on__gt=later).exclude(scored_on=None).exists(), "never before its day"
    # no movement takes the fixture's sales off the shelf: nothing sold out
    assert set(over.filter(code="REORDER").values_list("came_true", "unknown")) == {(False, "")}
    assert done["claims_made"] > 0
    assert refresh()["claims_scored"] == 0, "for the first time only once"


def test_what_was_done_stands_beside(trained: InventoryOptimizationService, make_alert_row: Any):
    InventoryClaim.objects.all().delete()
    InventoryAlert.objects.all().delete()
    on = trained.analysis().as_of
    variants = list(ProductVariant.objects.order_by("pk")[:4])
    by_hand = {"status": "resolved", "resolved_how": "hand", "resolved_at": noon(on - timedelta(days=9))}
    states: list[dict[str, Any]] = [{}, {"snoozed_by": "ada"}, by_hand, {}]
    for variant, state in zip(variants, states, strict=True):
        alert = make_alert_row(variant_id=str(variant.pk), **state)
        days = {"made_on": on - timedelta(days=20), "due_on": on - timedelta(days=1)}
        claim(variant.pk, code="DEAD_STOCK", alert=alert, bound=0.0, **days)
    order = PurchaseOrder.objects.create(
        number="9", supplier=Supplier.objects.first(), status="confirmed", ordered_at=noon(on - timedelta(days=5))
    )
    PurchaseOrderLine.objects.create(purchase_order=order, variant=variants[3], units=5, unit_cost=1)
    inventory_value.score(trained.analysis(), trained.source)
    done = [InventoryClaim.objects.get(variant_id=str(variant.pk)).done for variant in variants]
    assert done == ["nothing", "snoozed", "resolved", "ordered"]


@pytest.fixture
def make_alert_row(db: None) -> Any:
    """Makes an alert's row."""

    def make(**values: Any) -> InventoryAlert:
        row = {
            "product_id": "1", "sku": "S", "product_name": "x", "alert_type": "slow_moving", "code": "DEAD_STOCK",
            "urgency_level": 1, "current_stock": 1, "recommended_stock": 1, "predicted_demand_7days": 0,
            "predicted_demand_30days": 0, "daily_sales_rate": 0, "money_at_stake": 1,
            "reason": {"code": "served_newest", "params": {}},
        }  # fmt: skip
        return InventoryAlert.objects.create(**{**row, **values})

    return make


def test_a_final_claim_is_not_looked_at_again_and_an_old_one_goes(trained: InventoryOptimizationService):
    InventoryClaim.objects.all().delete()
    on, variant = trained.analysis().as_of, ProductVariant.objects.first()
    for ago in (40, 10, 900):
        day = on - timedelta(days=ago)
        claim(variant.pk, code="DEAD_STOCK", bound=0.0, made_on=day - timedelta(days=5), due_on=day)
    refresh()
    found = dict(InventoryClaim.objects.filter(stock=5.0, due_on__lt=on).values_list("due_on", "final"))
    assert found == {on - timedelta(days=40): True, on - timedelta(days=10): False}


def test_scoring_costs_the_same_for_one_claim_and_for_many(trained: InventoryOptimizationService):
    analysis = trained.analysis()
    variants = list(ProductVariant.objects.all())

    def cost(number: int) -> int:
        InventoryClaim.objects.all().delete()
        day = analysis.as_of - timedelta(days=3)
        for variant in variants[:number]:
            claim(variant.pk, code="SLOW_MOVING", bound=2.0, made_on=day - timedelta(days=9), due_on=day)
        return queries(lambda: inventory_value.score(analysis, trained.source))

    assert cost(1) == cost(40)


def test_the_health_of_each_day_is_kept(trained: InventoryOptimizationService):
    kept = InventoryHealthDay.objects.get()
    now = trained.health()
    assert (kept.day, kept.health_score) == (trained.analysis().as_of, now["health_score"])
    assert kept.components == now["components"]
    assert [row["health_score"] for row in now["history"]] == [now["health_score"]]
    ProductVariant.objects.update(stock=0)
    refresh()
    assert InventoryHealthDay.objects.get().health_score < kept.health_score, "written again, the day is replaced"
    InventoryHealthDay.objects.create(
        day=kept.day - timedelta(days=1), health_score=50.0, margin_at_risk=1.0, cash_in_excess=2.0, stock_value=3.0
    )
    assert [row["day"] for row in trained.health()["history"]] == [kept.day - timedelta(days=1), kept.day]
