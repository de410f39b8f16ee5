"""A morning's work on the stock: decide alerts, order, receive; the pages say what the services say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.services import get_service
from products.models import ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, Supplier


@pytest.fixture(scope="module")
def trained(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Path]:
    """A small shop that runs out of things, with its levels, trained once for this file."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop(orders=200, products=12, customers=20, days=200)
        for variant in ProductVariant.objects.all()[:14]:  # half the shelves are nearly empty
            StockMovement.objects.create(variant=variant, kind="count", units=2 - variant.stock, reference=variant.sku)
            ProductVariant.objects.filter(pk=variant.pk).update(stock=2)
        log = MLTrainingLog.objects.create(kind="inventory_optimization", status="completed")
        get_service("inventory_optimization").train(RecordingRun(log.pk))
        yield folder


@pytest.fixture(autouse=True)
def _files(trained: Path, settings: Any) -> None:
    """Each test finds the files of the trained shop."""
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": trained}


def test_the_alerts_of_today_and_of_each_kind(ben: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = ben.get("/inventory/").content.decode()
    assert len(queries) <= 23  # and no more with more alerts
    alert = InventoryAlert.objects.order_by("-expected_money", "-urgency_level", "id")[0]
    assert alert.sku in page
    kind = alert.alert_type
    shown = ben.get("/inventory/", {"type": kind}).content.decode()
    assert set(re.findall(r'action="/inventory/alerts/(\d+)/"', shown)) <= {
        str(pk) for pk in InventoryAlert.objects.filter(alert_type=kind).values_list("pk", flat=True)
    }


def test_an_alert_is_seen_put_off_and_done_with(ben: Client) -> None:
    alert = InventoryAlert.objects.first()
    assert alert is not None
    for what, check in (
        ("acknowledge", lambda a: a.acknowledged_by == "ben@shop.test"),
        ("snooze-7", lambda a: a.snoozed_until is not None),
        ("resolve", lambda a: a.status == "resolved"),
    ):
        ben.post(f"/inventory/alerts/{alert.pk}/", {"what": what, "type": "all"})
        alert.refresh_from_db()
        assert check(alert), what
    again = ben.post(f"/inventory/alerts/{alert.pk}/", {"what": "resolve"}, follow=True).content.decode()
    assert 'class="notice error"' in again
    assert ben.post(f"/inventory/alerts/{alert.pk}/", {"what": "snooze-9999"}).status_code == 404
    assert ben.get(f"/inventory/alerts/{alert.pk}/").status_code == 405


def test_the_proof_of_each_class_beside_what_it_is_promised(ben: Client) -> None:
    model = MLModel.objects.get(service="inventory_optimization", is_active=True)
    figures = {"fill_rate": 0.913, "average_inventory": 1200.0}
    one = {"abc": "B", "variants": 7, "promised": 0.95, **figures, "baseline": {**figures, "fill_rate": None}}
    model.receipt = {"sentence": {"code": "inventory.not_counted", "params": {}}, "classes": [one]}
    model.save()
    page = ben.get("/inventory/").content.decode()
    row = re.search(r'<tr><th scope="row">B</th>(.*?)</tr>', page, re.DOTALL)
    assert row is not None
    cells = re.findall(r"<td>(.*?)</td>", row.group(1).replace("\N{NO-BREAK SPACE}", " "))
    assert cells[:4] == ["7", "95 %", "91.3 %", "–"]
    model.receipt.pop("classes")  # a version of an older release
    model.save()
    assert "By class" not in ben.get("/inventory/").content.decode()


def test_from_what_to_order_to_the_shelf(ben: Client) -> None:
    page = ben.get("/inventory/reorder/").content.decode()
    plan = get_service("inventory_optimization").reorder()["recommendations"]
    assert plan
    assert all(f'name="units-{line["variant_id"]}"' in page for line in plan)
    few = get_service("inventory_optimization").reorder(most=2)
    assert few["recommendations"] == plan[:2]
    assert few["total_recommendations"] == len(plan), "the sums are over all"
    first, wanted = plan[0]["variant_id"], int(plan[0]["recommended_order_quantity"])
    wrong = {"take": [first], f"units-{first}": "many"}
    assert "must be a whole number" in ben.post("/inventory/reorder/draft/", wrong, follow=True).content.decode()
    assert not PurchaseOrder.objects.exists()
    ben.post("/inventory/reorder/draft/", {"take": [first], f"units-{first}": str(wanted)})
    order = PurchaseOrder.objects.get()
    line = order.lines.get()
    assert (str(line.variant_id), line.units, order.status) == (first, wanted, "draft")
    assert f'name="units-{first}"' not in ben.get("/inventory/reorder/").content.decode()
    ben.post("/inventory/reorder/draft/", {"take": [first], f"units-{first}": str(wanted), f"drafted-{first}": "0"})
    assert PurchaseOrder.objects.count() == 1, "the button pressed twice"

    address, before = f"/inventory/orders/{order.pk}/change/", ProductVariant.objects.get(pk=first).stock
    ben.post(address, {"what": "confirm"})
    ben.post(address, {"what": "receive", f"line-{line.pk}": "3", "reference": "note 1"})
    ben.post(address, {"what": "receive", f"line-{line.pk}": "3", "reference": "note 1"})  # the button pressed twice
    assert ProductVariant.objects.get(pk=first).stock == before + 3
    too_many = ben.post(address, {"what": "receive", f"line-{line.pk}": "99999"}, follow=True).content.decode()
    assert 'class="notice error"' in too_many
    assert ProductVariant.objects.get(pk=first).stock == before + 3
    assert "Came now" in ben.get(f"/inventory/orders/{order.pk}/").content.decode()
    ben.post(address, {"what": "cancel"})
    order.refresh_from_db()
    assert order.status == "cancelled"
    assert order.number in ben.get("/inventory/orders/", {"status": "cancelled"}).content.decode()


def test_an_order_below_the_minimum_says_what_would_fill_it_up(ben: Client) -> None:
    order = get_service("inventory_optimization").reorder()["by_supplier"][0]
    Supplier.objects.filter(pk=order["supplier_id"]).update(minimum_order_value=order["estimated_cost"] + 30)
    filled = get_service("inventory_optimization").reorder()["by_supplier"][0]["fill_lines"]
    assert filled
    page = ben.get("/inventory/reorder/").content.decode()
    assert "would fill it up" in page
    page = ben.get("/inventory/reorder/", {"fill_minimum": "true"}).content.decode()
    assert "added to fill it up" in page
    assert "missing to the minimum order" not in page
    assert all(f'name="units-{line["variant_id"]}"' in page for line in filled)


def test_a_minimum_that_the_budget_cannot_reach_says_so(ben: Client) -> None:
    whole = get_service("inventory_optimization").reorder()
    Supplier.objects.update(minimum_order_value=10 * whole["estimated_total_cost"])
    asked = {"budget": str(whole["estimated_total_cost"]), "fill_minimum": "true"}
    assert "the budget leaves too little to fill it up" in ben.get("/inventory/reorder/", asked).content.decode()


def test_a_budget_says_what_it_leaves_out(ben: Client) -> None:
    page = ben.get("/inventory/reorder/", {"budget": "30,5"}).content.decode()
    assert "Left out for want of budget" in page
    assert "The budget must be an amount" in ben.get("/inventory/reorder/", {"budget": "x"}).content.decode()
    assert 'class="notice error"' in ben.get("/inventory/reorder/", {"supplier": "nobody"}).content.decode()


def test_one_variant_in_full(ben: Client) -> None:
    variant = ProductVariant.objects.first()
    assert variant is not None
    found = get_service("inventory_optimization").explain(str(variant.pk))
    page = ben.get(f"/inventory/variants/{variant.pk}/").content.decode()
    assert variant.sku in page
    assert f'"y": [{found["projected_stock"][0]["expected"]}' in page
    assert ben.get("/inventory/variants/nothing/").status_code == 404
