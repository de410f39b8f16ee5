"""The admin of the seven models: PERMISSION decides, rows are looked at, a few actions, trainings by POST."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ml_predictions import artifacts, conf
from ml_predictions.models import (
    CustomerSegment,
    MLModel,
    MLTrainingLog,
    MLWorker,
    Prediction,
    ProductRecommendation,
    SalesForecast,
)
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim, InventoryHealthDay
from ml_predictions.models_segments import SegmentChange, SegmentSnapshot
from products.models import ProductVariant

MODELS = [
    MLModel, Prediction, SalesForecast, ProductRecommendation, CustomerSegment, InventoryAlert, MLTrainingLog,
    SegmentSnapshot, SegmentChange, InventoryClaim, InventoryHealthDay,
]  # fmt: skip
SEGMENT = {
    "cluster": 0, "segment": "vip", "confidence": 0.9, "recency_days": 3, "total_orders": 4, "total_spent": 5,
    "avg_order_value": 1, "purchase_frequency_monthly": 1, "recency_score": 5, "frequency_score": 5,
    "monetary_score": 5,
}  # fmt: skip
FORECAST = {
    f"{what}{end}": 1.0
    for what in ("sales", "quantity")
    for end in ("", "_lower_80", "_upper_80", "_lower_95", "_upper_95")
}
SAID = {"code": "training_cancelled", "params": {"who": "Zoe"}}


def page(model: Any, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:ml_predictions_{model._meta.model_name}_{name}", args=args)


def fill(make_model: Any, make_alert: Any, first: int = 1, last: int = 2) -> None:
    for i in range(first, last):
        model = make_model(version=i, metrics={"mase": 0.8, "why": SAID}, receipt={"folds": 4})
        Prediction.objects.create(model=model, service="sales_forecast", as_of=date(2026, 6, 29), result={"x": 1})
        SalesForecast.objects.create(model=model, level="total", start=date(2026, 7, 1), **FORECAST)
        ProductRecommendation.objects.create(
            model=model, product_id="1", recommended_id="2", rank=i, score=0.5, reason=SAID
        )
        CustomerSegment.objects.create(model=model, customer_id=str(i), explanation=[SAID], **SEGMENT)
        snapshot = SegmentSnapshot.objects.create(
            version=i, as_of=date(2026, 6, i), segments={"vip": {"customers": 2, "spent": 5.0}}
        )
        SegmentChange.objects.create(snapshot=snapshot, customer_id=str(i), after="new", driver="first_order")
        alert, day = make_alert(i), date(2026, 6, 1) + timedelta(days=i)
        InventoryClaim.objects.create(
            kind="alert",
            code="DEAD_STOCK",
            variant_id=str(i),
            sku=f"S{i}",
            abc="C",
            made_on=day,
            due_on=day,
            alert=alert,
        )
        money = {"margin_at_risk": 1.0, "cash_in_excess": 2.0, "stock_value": 3.0}
        InventoryHealthDay.objects.create(day=day, health_score=70.0, components={"cover": 50.0}, **money)
        MLTrainingLog.objects.create(kind="sales_forecast", status="completed", result={"x": SAID})


@pytest.fixture
def ben(cast: dict[str, Any]) -> Client:
    client = Client()
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    return client


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_rows_open_and_cost_the_same_for_many(ben: Client, make_model: Any, make_alert: Any, model: Any):
    fill(make_model, make_alert)

    def cost() -> int:
        with CaptureQueriesContext(connection) as found:
            assert ben.get(page(model)).status_code == 200
        return len(found)

    one = cost()
    fill(make_model, make_alert, 2, 12)
    assert cost() == one <= 12
    row = model.objects.first()
    answer = ben.get(page(model, "change", row.pk))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert 'name="_save"' not in text
    assert "&quot;code&quot;" not in text, "a message was not put into words"
    assert ben.get(page(model) + "?q=1&o=1").status_code in (200, 302)


def test_json_is_pretty_and_messages_are_sentences(ben: Client, make_model: Any, make_alert: Any):
    fill(make_model, make_alert)
    text = ben.get(page(MLModel, "change", MLModel.objects.get().pk)).content.decode()
    assert "\n  &quot;mase&quot;: 0.8" in text
    assert "Cancelled by Zoe." in text


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_changed_or_deleted_by_hand(ben: Client, make_model: Any, make_alert: Any, model: Any):
    fill(make_model, make_alert)
    row = model.objects.first()
    assert ben.get(page(model, "add")).status_code == 403
    assert ben.post(page(model, "change", row.pk), {"status": "x"}).status_code == 403
    assert ben.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in ben.get(page(model)).content


def test_staff_with_every_django_permission_but_another_role_see_nothing(cast: dict[str, Any]):
    from django.contrib.auth.models import Permission

    max_ = cast["max"]
    max_.is_staff = True
    max_.save()
    max_.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(max_, backend="authentication.backends.EmailBackend")
    for model in MODELS:
        assert client.get(page(model)).status_code == 403
    assert b"mlmodel" not in client.get(reverse("admin:index")).content
    for method in ("get", "post"):
        assert getattr(client, method)(reverse("admin:ml_predictions_train", args=["all"])).status_code == 403
    assert not MLTrainingLog.objects.exists()


def test_an_admin_without_any_django_permission_sees_them_all(ben: Client):
    text = ben.get(reverse("admin:index")).content.decode()
    for model in MODELS:
        assert page(model) in text


# --- trainings ------------------------------------------------------------------------------------


def test_a_training_starts_after_a_page_that_asks(ben: Client):
    url = reverse("admin:ml_predictions_train", args=["sales_forecast"])
    assert url in ben.get(page(MLTrainingLog)).content.decode()
    asked = ben.get(url)
    assert b"csrfmiddlewaretoken" in asked.content
    assert b"No worker is running" in asked.content
    assert not MLTrainingLog.objects.exists()
    answer = ben.post(url)
    log = MLTrainingLog.objects.get()
    assert (log.kind, log.status, log.requested_by) == ("sales_forecast", "queued", "ben@shop.test")
    assert answer.headers["Location"] == page(MLTrainingLog, "change", log.pk)
    again = ben.post(url, follow=True)
    assert f"training log {log.pk}" in again.content.decode()
    assert MLTrainingLog.objects.count() == 1


def test_a_form_without_the_csrf_token_starts_nothing(cast: dict[str, Any]):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    assert client.post(reverse("admin:ml_predictions_train", args=["all"])).status_code == 403
    assert not MLTrainingLog.objects.exists()


def test_unknown_kinds_are_404(ben: Client):
    assert ben.post(reverse("admin:ml_predictions_train", args=["refresh"])).status_code == 404


def test_the_pages_load_again_while_something_runs(ben: Client):
    log = MLTrainingLog.objects.create(kind="all", status="running", progress=40, step=SAID)
    MLWorker.objects.create(name="w", host="h", pid=1, seen_at=timezone.now())
    text = ben.get(page(MLTrainingLog)).content.decode()
    assert 'http-equiv="refresh"' in text
    assert '<progress max="100" value="40">' in text
    assert "Cancelled by Zoe." in text
    assert "No worker is running" not in text
    assert 'http-equiv="refresh"' in ben.get(page(MLTrainingLog, "change", log.pk)).content.decode()
    MLTrainingLog.objects.update(status="completed")
    assert 'http-equiv="refresh"' not in ben.get(page(MLTrainingLog)).content.decode()


def test_cancel(ben: Client):
    log = MLTrainingLog.objects.create(kind="all")
    ben.post(page(MLTrainingLog), {"action": "cancel", "_selected_action": [log.pk]})
    log.refresh_from_db()
    assert (log.status, log.cancel_requested_by) == ("cancelled", "ben@shop.test")


# --- alerts and versions --------------------------------------------------------------------------


def test_resolve_selected_alerts(ben: Client, make_alert: Any):
    first, second = make_alert(1), make_alert(2)
    ben.post(page(InventoryAlert), {"action": "resolve", "_selected_action": [first.pk]})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.resolved_by, second.status) == ("resolved", "ben@shop.test", "active")


def test_acknowledge_snooze_and_wake_selected_alerts(ben: Client, make_alert: Any):
    alert, gone = make_alert(1), make_alert(2, status="resolved")
    chosen = {"_selected_action": [alert.pk, gone.pk]}
    ben.post(page(InventoryAlert), {"action": "acknowledge", **chosen})
    ben.post(page(InventoryAlert), {"action": "snooze_week", **chosen})
    alert.refresh_from_db()
    gone.refresh_from_db()
    assert (alert.acknowledged_by, alert.snoozed_until) == ("ben@shop.test", conf.shop_today() + timedelta(days=7))
    assert (gone.acknowledged_by, gone.snoozed_until) == ("", None)
    assert "SKU-1" in ben.get(page(InventoryAlert) + "?snoozed=1").content.decode()
    assert "SKU-1" not in ben.get(page(InventoryAlert) + "?snoozed=0").content.decode()
    ben.post(page(InventoryAlert), {"action": "wake", **chosen})
    alert.refresh_from_db()
    assert alert.snoozed_until is None


def filed(make_model: Any, version: int, **values: Any) -> MLModel:
    saved = artifacts.save("inventory_optimization", artifacts.Content({}, {"a": np.arange(3)}))
    model: MLModel = make_model(
        "inventory_optimization", version, artifact=saved.name, artifact_sha256=saved.sha256, **values
    )
    return model


def act(client: Client, action: str, *models: MLModel) -> str:
    data = {"action": action, "_selected_action": [model.pk for model in models]}
    return client.post(page(MLModel), data, follow=True).content.decode()


def test_put_into_service(ben: Client, make_model: Any):
    old, new = filed(make_model, 1), filed(make_model, 2, is_active=True)
    assert "exactly one" in act(ben, "activate", old, new)
    act(ben, "activate", old)
    assert list(MLModel.objects.filter(is_active=True)) == [old]


def test_put_into_service_a_worse_one_on_purpose_only(ben: Client, make_model: Any):
    bad = filed(make_model, 1, beats_baseline=False)
    assert "loses to the naive baseline" in act(ben, "activate", bad)
    assert not MLModel.objects.filter(is_active=True).exists()
    act(ben, "activate_worse", bad)
    assert MLModel.objects.get(is_active=True) == bad


def test_delete_idle_versions_with_their_files(ben: Client, make_model: Any, settings: Any):
    idle, serving = filed(make_model, 1), filed(make_model, 2, is_active=True)
    text = act(ben, "delete_idle", idle, serving)
    assert "is in service" in text
    assert list(MLModel.objects.all()) == [serving]
    root = settings.ML_PREDICTIONS["ARTIFACT_ROOT"]
    assert not (root / idle.artifact).exists()
    assert (root / serving.artifact).exists()


def test_a_list_counts_no_further_than_its_cap(ben: Client, monkeypatch: pytest.MonkeyPatch):
    from ml_predictions.admin import base

    MLTrainingLog.objects.bulk_create(MLTrainingLog(kind="all", status="completed") for _ in range(8))
    monkeypatch.setattr(base, "MOST_COUNTED", 5)
    with CaptureQueriesContext(connection) as found:
        assert b"5 trainings" in ben.get(page(MLTrainingLog)).content
    counts = [q["sql"] for q in found if "COUNT(" in q["sql"] and "training" in q["sql"]]
    assert counts
    assert all("LIMIT 5" in sql for sql in counts)


def test_products_are_shown_by_name_and_by_id_where_the_shop_knows_none(ben: Client, make_model: Any, make_alert: Any):
    from products.models import Product

    fill(make_model, make_alert)
    Product.objects.create(pk=1, name="Vestido lino Alba")
    answer = ben.get(page(ProductRecommendation)).content.decode()
    assert "Vestido lino Alba" in answer
    assert '<td class="field-recommended">2</td>' in answer
    row = ProductRecommendation.objects.get()
    assert ben.get(page(ProductRecommendation, "change", row.pk)).status_code == 200


def test_a_forecasts_back_test_is_a_table(ben: Client, make_model: Any):
    fold = {
        "cutoff": "2026-05-31", "model": "linear", "horizon_days": 28, "wape": 0.3126, "baseline_wape": 0.4,
        "coverage_80": 0.786, "coverage_95": None, "forecast": 12345.6, "actual": 13000.0,
    }  # fmt: skip
    shown = ben.get(page(MLModel, "change", make_model(receipt={"folds": [fold]}).pk)).content.decode()
    table = shown.partition("field-fold_table")[2].partition("</table>")[0]
    assert re.findall(r"<td>([^<]*)</td>", table.replace("\N{NO-BREAK SPACE}", " ")) == [
        "05/31/2026",
        "28",
        "linear",
        "31.3 %",
        "40.0 %",
        "78.6 %",
        "—",
        "12,346",
        "13,000",
    ]
    assert "error of the naive baseline" in table
    assert "fold_table" not in ben.get(page(MLModel, "change", make_model(version=2, receipt={}).pk)).content.decode()


def test_the_shops_own_table_of_recommendations_is_shown_as_one(ben: Any, make_model: Any):
    row = {
        "surface": "customer_novel", "window": "test", "method": "frequency", "serves": False, "from": "2026-06-02",
        "to": "2026-06-29", "cases": 1200, "hit_rate_10": 0.1234, "ndcg_10": 0.05, "ndcg_error": 0.0042,
        "recall_10": 0.07, "coverage": None,
    }  # fmt: skip
    ours = {**row, "method": "learned", "serves": True, "hit_rate_10": 0.2}
    model = make_model("product_recommendation", receipt={"table": [row, ours]})
    table = ben.get(page(MLModel, "change", model.pk)).content.decode().partition("field-shop_table")[2]
    cells = re.findall(r"<td>(.*?)</td>", table.partition("</table>")[0])
    assert cells[:10] == [
        "Customer, new to them", "own frequency", "06/02/2026", "06/29/2026", "1,200", "12.3\N{NO-BREAK SPACE}%",
        "0.0500", "0.0042", "7.0\N{NO-BREAK SPACE}%", "—",
    ]  # fmt: skip
    assert cells[11] == "<strong>learned</strong>"


# --- customers ------------------------------------------------------------------------------------


@pytest.fixture
def named(cast: dict[str, Any], make_model: Any) -> CustomerSegment:
    """Cleo's row: overdue, with money at risk."""
    model = make_model("customer_segmentation", 1, is_active=True)
    CustomerSegment.objects.create(model=model, customer_id="x", **SEGMENT)
    return CustomerSegment.objects.create(
        model=model, customer_id=str(cast["cleo"].pk), overdue_ratio=2.4, money_at_risk=1_500.0,
        explanation=[{"code": "segment.rhythm_overdue", "params": {"interval": 34, "recency": 71, "overdue": 2.1}}],
        **SEGMENT,
    )  # fmt: skip


def test_customers_have_names_and_reasons(ben: Client, named: CustomerSegment):
    assert "Cleo" in ben.get(page(CustomerSegment)).content.decode()
    one = ben.get(page(CustomerSegment, "change", named.pk)).content.decode()
    assert "Buys every 34 days on average; the last order was 71 days ago, 2.1 times as long." in one


@pytest.mark.parametrize(
    ("query", "rows"),
    [("q=cleo", 1), ("q=x", 1), ("q=nobody", 0), ("rhythm=overdue", 1), ("rhythm=in_time", 0), ("rhythm=once", 1),
     ("at_risk=1000", 1), ("at_risk=100", 1), ("segment__exact=new", 0), ("rhythm=never", 2)],
)  # fmt: skip
def test_customers_are_filtered(ben: Client, named: CustomerSegment, query: str, rows: int):
    answer = ben.get(page(CustomerSegment) + "?" + query)
    assert len(answer.context["cl"].result_list) == rows


def test_a_search_that_finds_too_many_says_so(ben: Client, named: CustomerSegment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ml_predictions.selectors_customers.MOST_FOUND", 0)
    answer = ben.get(page(CustomerSegment) + "?q=cleo")
    assert "More than 0 customers match" in answer.content.decode()


def test_each_level_of_a_forecast_has_its_back_test(ben: Client, make_model: Any):
    part = {
        "method": "style_share", "wape_28": 0.5, "baseline_wape_28": 0.7, "best_simple": {"name": "x", "wape_28": 0.6},
        "coverage": {"coverage_80_28": 0.81, "coverage_95_28": None},
    }  # fmt: skip
    total = {"method": "ensemble", "wape": 0.25, "baseline_wape": 0.4, "coverage_80": 0.8, "coverage_95": 0.95}
    receipt = {**total, "product": part, "variant": part, "newcomer": {**part, "wape_28": None}, "category": {}}
    shown = ben.get(page(MLModel, "change", make_model(receipt=receipt).pk)).content.decode()
    table = shown.partition("field-level_table")[2].partition("</table>")[0].replace("\N{NO-BREAK SPACE}", " ")
    below = ["style_share", "50.0 %", "70.0 %", "60.0 %", "81.0 %", "—"]
    assert re.findall(r"<td>([^<]*)</td>", table) == [
        "Whole shop", "ensemble", "25.0 %", "40.0 %", "—", "80.0 %", "95.0 %", "Product", *below, "Variant", *below,
    ]  # fmt: skip


def test_rows_of_products_and_variants_with_one_id_have_their_own_names(ben: Client, make_model: Any, make_shop: Any):
    make_shop(orders=1, products=1)
    variant = ProductVariant.objects.first()
    assert variant is not None
    model = make_model()
    for level, one in (("product", variant.product_id), ("variant", variant.pk), ("category", "Shoes")):
        SalesForecast.objects.create(model=model, level=level, object_id=str(one), start=date(2026, 7, 1), **FORECAST)
    shown = ben.get(page(SalesForecast, "changelist")).content.decode()
    assert f">{variant.product.name}<" in shown
    assert f">{variant.product.name}, {variant.options['size']}<" in shown
    assert ">Shoes<" in shown
