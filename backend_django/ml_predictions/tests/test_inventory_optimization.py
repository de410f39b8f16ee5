"""The inventory service over the shop's own tables."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from ml_predictions.errors import NotTrained
from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.services import inventory_alerts, inventory_orders
from ml_predictions.services.inventory_answers import ALERT_COLUMNS
from ml_predictions.services.inventory_optimization import InventoryOptimizationService
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier
from retail_ml.errors import NotEnoughHistory, UnknownId


@pytest.fixture
def service(shop: None, run: Any) -> InventoryOptimizationService:
    """The fixture shop, with the levels trained."""
    found = InventoryOptimizationService()
    found.train(run)
    return found


def again() -> InventoryOptimizationService:
    """The service as the next request has it."""
    return InventoryOptimizationService()


def empty_shelves() -> None:
    ProductVariant.objects.update(stock=0)


def as_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, default=str)


def sentences(value: Any) -> list[str]:
    """Every stored message inside `value`, put into words."""
    if isinstance(value, dict) and set(value) == {"code", "params"}:
        return [render(value)]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in inner for text in sentences(item)]


@pytest.mark.parametrize("orders", [0, 1, 10, 30])
def test_any_number_of_orders_will_do(make_shop: Any, run: Any, orders: int) -> None:
    make_shop(orders=orders)
    ProductVariant.objects.filter(pk__in=ProductVariant.objects.values("pk")[:5]).update(stock=-2)
    ProductVariant.objects.filter(sku__endswith="M").update(cost=None)
    model = again().train(run)
    assert model.metrics["n_variants"] == 48
    assert model.metrics["replay"] is None or model.metrics["replay"]["units"] >= 30
    assert (model.metrics["replay"] is None) == (model.metrics["replay_reason"] is not None)
    asked = again()
    analysis = asked.analysis()
    answers = [
        analysis.alert_rows(), analysis.summary(), asked.reorder(), asked.reorder(budget=100.0), asked.health(),
        asked.explain(analysis.frame["variant_id"][0]), model.metrics, model.receipt,
    ]  # fmt: skip
    assert as_json(answers)
    assert all("{" not in text for text in sentences(answers))
    if orders == 0:
        assert asked.reorder()["recommendations"] == []
        assert analysis.summary()["by_type"]["overstock"] == 0, "nobody can say that there is too much"
    else:
        assert {row["confidence"] for row in asked.reorder()["recommendations"]} <= {"low", "medium"}


def test_one_product_one_customer_and_all_returned(make_shop: Any, run: Any) -> None:
    from orders.models import OrderItem, OrderReturn

    make_shop(orders=12, products=1, customers=1)
    OrderReturn.objects.all().delete()
    OrderReturn.objects.bulk_create(
        OrderReturn(item=i, units=i.units, amount=i.amount, returned_at=i.order.placed_at + timedelta(hours=1))
        for i in OrderItem.objects.select_related("order")
    )
    again().train(run)
    assert as_json(again().health())
    assert as_json(again().reorder())


def test_nothing_trained_and_nothing_to_train(make_shop: Any, run: Any) -> None:
    for call in ("analysis", "reorder", "health", "refresh_alerts"):
        with pytest.raises(NotTrained):
            getattr(again(), call)()
    with pytest.raises(NotEnoughHistory) as caught:
        again().train(run)
    assert caught.value.code == "inventory.no_variants"
    assert not MLModel.objects.exists()


def test_a_version_with_its_receipt(service: InventoryOptimizationService, run: Any) -> None:
    model = service.active()
    replay, thumb = model.metrics["replay"], model.metrics["replay"]["baseline"]
    assert {"fill_rate", "average_inventory", "total_cost"} <= set(replay) & set(thumb)
    assert sum(one["variants"] for one in model.receipt["classes"]) == replay["variants"]
    assert model.beats_baseline == (replay["total_cost"] <= thumb["total_cost"])
    assert model.receipt["until"] <= model.as_of.isoformat()
    assert model.metrics["health_score"] == service.health()["health_score"]
    assert run.result["metrics"]["n_variants"] == 48
    assert render(model.receipt["sentence"]).startswith("Replayed over 26 weeks")
    percents = [percent for percent, _ in run.steps]
    assert percents == sorted(percents)


def test_the_same_data_give_the_same_levels(service: InventoryOptimizationService, run: Any) -> None:
    first = service.content(service.active())
    second = again()
    again_trained = second.content(second.train(run))
    assert first.meta == again_trained.meta
    for name, values in first.arrays.items():
        assert (values.tolist() == again_trained.arrays[name].tolist()) or name == "interval", name


def test_analysis_has_the_columns_of_the_api(service: InventoryOptimizationService) -> None:
    empty_shelves()
    analysis = again().analysis()
    rows = analysis.alert_rows()
    assert set(ALERT_COLUMNS) | {"reason"} == set(rows[0])
    assert [r["money_at_stake"] for r in rows] == sorted((r["money_at_stake"] for r in rows), reverse=True)
    summary = analysis.summary()
    assert summary["total_alerts"] == len(rows)
    assert sum(summary["by_type"].values()) == sum(summary["by_urgency"].values()) == len(rows)
    assert analysis.total_analyzed == 48
    today = analysis.as_of + timedelta(days=1)
    assert {r["estimated_stockout_date"] for r in rows if r["code"] == "OUT_OF_STOCK"} == {today}


def test_health_counts_add_up(service: InventoryOptimizationService) -> None:
    ProductVariant.objects.filter(pk__in=ProductVariant.objects.values("pk")[:9]).update(stock=0)
    found = again().health()
    counts = found["metrics"]
    assert counts["total_products"] == 48
    parts = ("low_stock", "overstock", "slow_moving", "optimal")
    assert sum(counts[name] for name in parts) == 48
    types = again().analysis().summary()["by_type"]
    assert counts["low_stock"] == types["reorder_now"] + types["low_stock"]
    assert 0 <= found["health_score"] <= 100
    assert found["margin_at_risk"] > 0
    assert all(0 <= value <= 100 for value in found["components"].values())


def test_empty_shelves_are_worse_than_full_ones(service: InventoryOptimizationService) -> None:
    before = again().health()["health_score"]
    empty_shelves()
    assert again().health()["health_score"] < before - 20


def test_stock_that_was_never_counted_is_not_called_sold_out(service: InventoryOptimizationService) -> None:
    StockMovement.objects.all().delete()
    empty_shelves()
    analysis = again().analysis()
    assert not analysis.counted
    assert (analysis.total_analyzed, len(analysis.alerts), analysis.summary()["total_alerts"]) == (48, 0, 0)
    answer, health = again().reorder(), again().health()
    assert {row["stockout_date_without_order"] for row in answer["recommendations"]} == {None}
    assert answer["total_recommendations"] > 0
    assert "never counted" in render(answer["note"])
    assert health["health_score"] is None
    assert health["metrics"] == {
        "total_products": 48, "low_stock": None, "overstock": None, "slow_moving": None, "optimal": None,
    }  # fmt: skip
    assert ["never counted" in render(m) for m in health["recommendations"]] == [True]
    as_json(answer), as_json(health)


def test_ordering_twice_adds_nothing(service: InventoryOptimizationService) -> None:
    """Drafts count, and so do confirmed and half received orders."""
    empty_shelves()
    wanted = again().reorder()["recommendations"]
    assert len(wanted) > 20
    order = PurchaseOrder.objects.create(number="1", supplier=Supplier.objects.first())
    PurchaseOrderLine.objects.bulk_create(
        PurchaseOrderLine(
            purchase_order=order,
            variant_id=int(r["variant_id"]),
            units=int(r["recommended_order_quantity"]),
            unit_cost=1,
        )
        for r in wanted
    )
    for status in ("draft", "confirmed"):
        PurchaseOrder.objects.update(status=status, expected_on=timezone.localdate() - timedelta(days=30))
        assert again().reorder()["recommendations"] == [], status
    PurchaseOrder.objects.update(status="cancelled")
    assert len(again().reorder()["recommendations"]) == len(wanted)


def test_packs_and_minimums(service: InventoryOptimizationService) -> None:
    empty_shelves()
    ProductVariant.objects.update(pack_size=6, minimum_order=10)
    quantities = {r["recommended_order_quantity"] for r in again().reorder()["recommendations"]}
    assert all(q % 6 == 0 and q >= 12 for q in quantities)


def test_budget_and_supplier(service: InventoryOptimizationService) -> None:
    empty_shelves()
    everything = again().reorder()
    total = everything["estimated_total_cost"]
    half = again().reorder(budget=total / 2)
    assert 0 < half["estimated_total_cost"] <= total / 2
    assert half["left_out"]["count"] > 0
    assert half["left_out"]["expected_margin_lost"] > 0
    assert again().reorder(budget=total)["left_out"] == {
        "count": 0, "expected_margin_lost": 0.0, "estimated_cost": 0.0, "in_drafts": 0.0, "unspent": 0.0,
        "lines": [],
    }  # fmt: skip
    assert again().reorder(budget=0)["recommendations"] == []
    norte, sur = (again().reorder(supplier=name) for name in ("norte", "Sur"))
    assert norte["total_recommendations"] + sur["total_recommendations"] == everything["total_recommendations"]
    by_id = again().reorder(supplier=str(Supplier.objects.get(name="Sur").pk))
    assert by_id["recommendations"] == sur["recommendations"]
    with pytest.raises(UnknownId, match="Norte, Sur"):
        again().reorder(supplier="Este")


def test_a_first_fill_is_told_beside_the_lines_of_a_usual_week(service: InventoryOptimizationService) -> None:
    """With a budget too: what it leaves out is part of what the levels ask for."""
    empty_shelves()
    model = again().active()
    lines = again().reorder()["total_recommendations"]
    assert lines >= inventory_orders.FEWEST_TO_FILL
    for weekly, told in ((lines / 5, True), (lines / 3, False)):
        model.metrics["replay"] |= {"weeks": 26, "order_lines": 26 * weekly}
        model.save()
        for found in (again().reorder(), again().reorder(budget=1.0)):
            assert ("note" in found) == told
    model.metrics["replay"] |= {"order_lines": 26 * lines / 5}
    model.save()
    note = again().reorder()["note"]
    assert (note["code"], note["params"]["lines"]) == ("inventory.first_fill", lines)
    model.metrics["replay"] = None
    model.save()
    assert "note" not in again().reorder()


def test_what_has_no_cost_is_recommended_but_not_bought_on_a_budget(service: InventoryOptimizationService) -> None:
    empty_shelves()
    first = again().reorder()["recommendations"][0]
    ProductVariant.objects.filter(pk=int(first["variant_id"])).update(cost=None)
    found = again().reorder()
    row = next(r for r in found["recommendations"] if r["variant_id"] == first["variant_id"])
    assert row["estimated_cost"] is None
    assert found["without_cost"] == 1
    bought = again().reorder(budget=1e6)
    assert first["variant_id"] not in {r["variant_id"] for r in bought["recommendations"]}
    assert bought["left_out"]["count"] == 1


@pytest.mark.parametrize("status", ["inactive", "discontinued"])
def test_what_is_not_on_offer_is_not_ordered(service: InventoryOptimizationService, status: str) -> None:
    empty_shelves()
    product = again().reorder()["recommendations"][0]["product_id"]
    Product.objects.filter(pk=int(product)).update(status=status)
    assert product not in {r["product_id"] for r in again().reorder()["recommendations"]}
    variant = ProductVariant.objects.filter(product_id=int(product)).first()
    assert again().explain(str(variant.pk))["reason"]["code"] == "inventory.not_active"


def test_a_variant_added_since_is_no_surprise(service: InventoryOptimizationService) -> None:
    new = ProductVariant.objects.create(product=Product.objects.first(), sku="NEW")
    found = again().explain(str(new.pk))
    assert found["reason"]["code"] == "inventory.not_in_model"
    assert as_json([again().health(), again().analysis().alert_rows()])
    with pytest.raises(UnknownId):
        again().explain("no such")


def test_one_variant_explained(service: InventoryOptimizationService) -> None:
    row = again().analysis().frame.sort("daily_demand", descending=True).to_dicts()[0]
    found = again().explain(row["variant_id"])
    demand = found["demand"]
    assert demand["p10"] <= demand["p50"] <= demand["p90"] <= demand["p95"]
    expected = [day["expected"] for day in found["projected_stock"]]
    assert expected == sorted(expected, reverse=True)
    assert expected[0] == pytest.approx(row["current_stock"] - row["daily_demand"], abs=0.6)
    assert all(0 <= day["lower"] <= day["expected"] for day in found["projected_stock"])


def test_orders_stand_on_their_days_in_the_projection(service: InventoryOptimizationService) -> None:
    row = again().analysis().frame.sort("daily_demand", descending=True).to_dicts()[0]
    today = again().analysis().as_of + timedelta(days=1)
    for number, status, days in (("1", "confirmed", 6), ("2", "draft", 9)):
        order = PurchaseOrder.objects.create(
            number=number, supplier=Supplier.objects.first(), status=status, expected_on=today + timedelta(days=days),
            ordered_at=timezone.now() if status == "confirmed" else None,
        )  # fmt: skip
        PurchaseOrderLine.objects.create(purchase_order=order, variant_id=int(row["variant_id"]), units=40, unit_cost=1)
    found = again().explain(row["variant_id"])
    arriving = {day["date"]: day["arriving"] for day in found["projected_stock"] if day["arriving"]}
    assert arriving == {today + timedelta(days=6): 40.0}
    assert found["deliveries"] == [{"date": today + timedelta(days=6), "units": 40.0}]
    assert as_json(found)


def test_what_lies_still_and_what_a_markdown_would_bring(service: InventoryOptimizationService) -> None:
    from ml_predictions.services import inventory_idle

    keys = list(ProductVariant.objects.order_by("pk").values_list("pk", flat=True))
    ProductVariant.objects.filter(pk__in=keys[:3]).update(stock=2_000)
    analysis = again().analysis()
    found = inventory_idle.found(analysis, elasticity=2.0, days=91)
    rows = {row["variant_id"]: row for row in inventory_idle.rows(found, analysis)}
    assert {str(key) for key in keys[:3]} <= set(rows)
    first = rows[str(keys[0])]
    assert first["markdown_percent"] > 0
    assert first["units_sold"] > first["units_sold_unchanged"]
    assert first["gain"] > 0
    assert f"{round(first['markdown_percent'])} % less" in render(first["reason"])
    bolder = inventory_idle.found(analysis, elasticity=3.0, days=91)
    assert bolder["gain"].sum() > found["gain"].sum(), "who answers more to prices brings more"
    summary = inventory_idle.summary(found)
    assert summary["total_cost"] == pytest.approx(found["stock_value"].sum(), abs=0.01)
    StockMovement.objects.all().delete()
    assert inventory_idle.found(again().analysis(), elasticity=2.0, days=91).is_empty()


def test_dearer_holding_means_less_stock(service: InventoryOptimizationService, run: Any, settings: Any) -> None:
    before = again().analysis().frame["order_up_to"].sum()
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "HOLDING_RATE": 1.0}
    again().train(run)
    assert again().analysis().frame["order_up_to"].sum() < before


def test_the_sales_forecast_is_used_where_there_is_one(
    service: InventoryOptimizationService, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_predictions.services.sales_forecast import SalesForecastService

    own = again().analysis()
    best = own.frame.sort("daily_demand", descending=True).to_dicts()[0]

    def variant_demand(
        self: Any, *, days: int | dict[str, int], after: Any, probabilities: tuple[float, ...]
    ) -> pl.DataFrame:
        assert after == own.as_of
        number = days if isinstance(days, int) else days[best["variant_id"]]
        quantiles = {f"q{p:g}": 10.0 * number for p in probabilities}
        columns = {"variant_id": best["variant_id"], "mean_units": 10.0 * number, "sd_units": 1.0} | quantiles
        return pl.DataFrame({name: [value] for name, value in columns.items()})

    monkeypatch.setattr(SalesForecastService, "variant_demand", variant_demand)
    model = again().train(run)
    assert model.metrics["demand"]["code"] == "inventory.demand_forecast"
    frame = again().analysis().frame
    mine = frame.filter(pl.col("variant_id") == best["variant_id"])
    assert mine["predicted_demand_7days"].sum() == pytest.approx(70)
    assert mine["predicted_demand_30days"].sum() == pytest.approx(300)
    assert mine["daily_demand"].sum() == pytest.approx((best["daily_demand"] + 10) / 2, rel=0.01)
    others = frame.filter(pl.col("variant_id") != best["variant_id"])["daily_demand"].sum()
    before = own.frame.filter(pl.col("variant_id") != best["variant_id"])["daily_demand"].sum()
    assert others == pytest.approx(before)


def queries(call: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        call()
    return len(found)


def test_queries_do_not_grow_with_the_shop(make_shop: Any, run: Any) -> None:
    make_shop(orders=40, products=4)
    again().train(run)
    calls = ("analysis", "reorder", "health", "refresh_alerts")
    few = {name: queries(getattr(again(), name)) for name in calls}
    for i in range(60):
        product = Product.objects.create(name=f"More {i}", price=10)
        ProductVariant.objects.create(product=product, sku=f"X{i}", cost=5, stock=i % 4)
    again().train(run)
    many = {name: queries(getattr(again(), name)) for name in calls}
    assert many == few
    assert max(few[name] for name in ("analysis", "reorder", "health")) <= 10
    assert few["refresh_alerts"] <= 32


# --- the stored alerts ----------------------------------------------------------------------------


def row(variant: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "variant_id": variant, "product_id": "9", "sku": f"S{variant}", "product_name": "Shirt", "category": "",
        "alert_type": "reorder_now", "code": "REORDER_NOW", "urgency_level": 3, "current_stock": 2.0,
        "recommended_stock": 9.0, "predicted_demand_7days": 3.0, "predicted_demand_30days": 12.0,
        "daily_sales_rate": 0.4, "days_until_stockout": 5.0, "estimated_stockout_date": None, "rotation_rate": None,
        "price": 10.0, "money_at_stake": 25.0, "probability": 0.4,
        "expected_money": 25.0, "also": [], "reason": {"code": "inventory.advice_fine", "params": {}},
    } | changes  # fmt: skip


def stored() -> list[tuple[str, str, int]]:
    return list(InventoryAlert.objects.order_by("pk").values_list("status", "resolved_how", "urgency_level"))


def resolve_by_hand() -> None:
    InventoryAlert.objects.filter(status="active").update(
        status="resolved", resolved_how="hand", resolved_by="ada", resolved_at=timezone.now()
    )


@pytest.mark.django_db
@pytest.mark.postgres
class TestAlertsOverTime:
    """One active alert per variant; gone after two refreshes without it; a person's decision holds."""

    def test_created_once_and_updated_in_place(self) -> None:
        inventory_alerts.refresh([row("1"), row("2")])
        made = InventoryAlert.objects.get(variant_id="1")
        done = inventory_alerts.refresh([row("1", code="OUT_OF_STOCK", urgency_level=5), row("2")])
        changed = InventoryAlert.objects.get(variant_id="1")
        assert done == {"created": 0, "updated": 2, "resolved": 0, "kept": 0}
        assert (changed.pk, changed.created_at) == (made.pk, made.created_at)
        assert (changed.code, changed.urgency_level) == ("OUT_OF_STOCK", 5)
        assert changed.last_seen_at > made.last_seen_at
        assert changed.reason == row()["reason"]

    def test_resolved_by_the_facts_after_two_refreshes_without_it(self) -> None:
        inventory_alerts.refresh([row()])
        inventory_alerts.refresh([])
        assert stored() == [("active", "", 3)]
        inventory_alerts.refresh([row()])
        inventory_alerts.refresh([])
        assert stored() == [("active", "", 3)], "seen in between: the count begins again"
        assert inventory_alerts.refresh([])["resolved"] == 1
        assert stored() == [("resolved", "facts", 3)]
        inventory_alerts.refresh([row()])
        assert stored() == [("resolved", "facts", 3), ("active", "", 3)]

    def test_resolved_by_hand_stays_while_the_condition_goes_on(self) -> None:
        inventory_alerts.refresh([row()])
        resolve_by_hand()
        for _ in range(4):
            assert inventory_alerts.refresh([row()])["kept"] == 1
        inventory_alerts.refresh([])
        inventory_alerts.refresh([row()])
        assert stored() == [("resolved", "hand", 3)], "absent once is not gone"
        inventory_alerts.refresh([])
        inventory_alerts.refresh([])
        inventory_alerts.refresh([row()])
        assert stored() == [("resolved", "hand", 3), ("active", "", 3)]

    def test_resolved_by_hand_comes_back_when_it_gets_worse_or_another(self) -> None:
        inventory_alerts.refresh([row()])
        resolve_by_hand()
        inventory_alerts.refresh([row(urgency_level=2)])
        assert len(stored()) == 1
        inventory_alerts.refresh([row(urgency_level=5, code="OUT_OF_STOCK")])
        assert stored() == [("resolved", "hand", 3), ("active", "", 5)]
        resolve_by_hand()
        inventory_alerts.refresh([row(alert_type="overstock", code="OVERSTOCK", urgency_level=2)])
        assert stored()[-1] == ("active", "", 2)

    @pytest.mark.parametrize("worse", [{"urgency_level": 4}, {"alert_type": "overstock", "code": "OVERSTOCK"}])
    def test_seen_and_snoozed_hold_until_it_gets_worse_or_another(self, worse: dict[str, Any]) -> None:
        inventory_alerts.refresh([row()])
        later = timezone.localdate() + timedelta(days=9)
        InventoryAlert.objects.update(
            acknowledged_at=timezone.now(), acknowledged_by="ada", snoozed_until=later, decided_type="reorder_now",
            decided_urgency=3,
        )  # fmt: skip
        for milder in (row(urgency_level=2), row(), row(money_at_stake=99.0)):
            inventory_alerts.refresh([milder])
            assert InventoryAlert.objects.get().acknowledged_by == "ada"
        assert not InventoryAlert.objects.awake(timezone.localdate()).exists()
        inventory_alerts.refresh([row(**worse)])
        alert = InventoryAlert.objects.awake(timezone.localdate()).get()
        assert (alert.acknowledged_at, alert.snoozed_until, alert.decided_urgency) == (None, None, 0)

    def test_a_refresh_without_change_writes_the_same(self) -> None:
        inventory_alerts.refresh([row(str(i)) for i in range(50)])
        assert inventory_alerts.refresh([row(str(i)) for i in range(50)])["updated"] == 50
        assert InventoryAlert.objects.count() == 50


def test_training_writes_the_alerts_of_the_analysis(service: InventoryOptimizationService) -> None:
    rows = {r["variant_id"]: r for r in again().analysis().alert_rows()}
    kept = {a.variant_id: a for a in InventoryAlert.objects.filter(status="active")}
    assert set(rows) == set(kept)
    for variant, alert in kept.items():
        assert alert.code == rows[variant]["code"]
        assert alert.money_at_stake == pytest.approx(rows[variant]["money_at_stake"])
        with translation.override("en"):
            assert "{" not in render(alert.reason)
    empty_shelves()
    done = again().refresh_alerts()
    assert done["created"] + done["updated"] >= len(again().analysis().alert_rows()) > 0
    assert InventoryAlert.objects.filter(status="active", code="OUT_OF_STOCK").count() > 20


def test_what_a_seasons_end_will_leave_behind_is_stored_and_told(service: InventoryOptimizationService) -> None:
    variant = ProductVariant.objects.first()
    ends = service.analysis().as_of + timedelta(days=20)
    ProductVariant.objects.filter(pk=variant.pk).update(stock=500, season_end=ends)
    again().refresh_alerts()
    stored = InventoryAlert.objects.get(variant_id=str(variant.pk), code="SEASON_END_RISK")
    assert stored.reason["params"]["season_end"] == ends.isoformat()
    with translation.override("en"):
        assert "July 19" in render(stored.reason)
