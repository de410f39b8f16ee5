"""What to order is found by judging the variants that it may be for, and is what judging all of them finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ml_predictions.services import inventory_orders
from ml_predictions.services.inventory_optimization import InventoryOptimizationService
from ml_predictions.sources.django_shop import DjangoShop
from products.models import Product, ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierPrice
from retail_ml.errors import UnknownId

pytestmark = pytest.mark.postgres
LIMITS: list[dict[str, Any]] = [
    {}, {"budget": 0.0}, {"budget": 150.0}, {"budget": 1e6}, {"supplier": "Norte"},
    {"supplier": "Sur", "budget": 300.0}, {"fill_minimum": True}, {"fill_minimum": True, "budget": 900.0},
]  # fmt: skip


class NoPositions(DjangoShop):
    """A shop without the read of positions."""

    def __getattribute__(self, name: str) -> Any:
        if name == "positions":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.fixture
def trained(shop: None, run: Any) -> InventoryOptimizationService:
    """Levels of the fixture shop, which then has full and empty shelves, drafts, orders, seasons and dear minimums."""
    service = InventoryOptimizationService()
    service.train(run)
    frame = service.analysis().frame.sort("variant_id")
    level = dict(zip(frame["variant_id"].cast(pl.Int64).to_list(), frame["order_up_to"].to_list(), strict=True))
    keys = sorted(level)
    for i, key in enumerate(keys):  # near the reorder point from both sides, far above, and below zero
        ProductVariant.objects.filter(pk=key).update(stock=round(level[key] * (i % 6) / 4) - (i % 11 == 0))
    ProductVariant.objects.filter(pk__in=keys[::5]).update(cost=None)
    ProductVariant.objects.filter(pk__in=keys[::7]).update(reserved=2)
    ProductVariant.objects.filter(pk__in=keys[1::9]).update(is_active=False)
    ProductVariant.objects.filter(pk__in=keys[2::4]).update(season_end=service.analysis().as_of + timedelta(days=25))
    ProductVariant.objects.filter(pk__in=keys[3::4]).update(pack_size=4, minimum_order=6)
    for number, status in enumerate((PurchaseOrder.Status.DRAFT, PurchaseOrder.Status.CONFIRMED)):
        order = PurchaseOrder.objects.create(number=str(number), supplier=Supplier.objects.first(), status=status)
        for key in keys[number::6]:
            PurchaseOrderLine.objects.create(purchase_order=order, variant_id=key, units=5, unit_cost=1)
    for key in keys[::3]:
        item = ProductVariant.objects.get(pk=key).supplier_item
        SupplierPrice.objects.create(variant_id=key, supplier=item.supplier, minimum_quantity=10, unit_cost=1)
    for row in service.reorder()["by_supplier"]:
        least = Decimal(str(row["estimated_cost"])) + 60
        Supplier.objects.filter(pk=row["supplier_id"]).update(minimum_order_value=least)
    return service


def of_all(source: DjangoShop, **limits: Any) -> dict[str, Any]:
    """The same, from an analysis of every variant."""
    analysis = InventoryOptimizationService(source).analysis()
    return inventory_orders.reorder_answer(inventory_orders.reorder(analysis, source, **limits))


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("source", [DjangoShop, NoPositions])
def test_what_to_order_is_what_judging_all_finds(
    trained: InventoryOptimizationService,
    monkeypatch: pytest.MonkeyPatch,
    source: Callable[[], DjangoShop],
    share: float,
) -> None:
    """Whether few are looked up one by one, or picked out of all."""
    monkeypatch.setattr("ml_predictions.services.inventory_optimization.READ_ALONE", share)
    every = len(trained.analysis().goods)
    assert 0 < len(trained.orderable().goods) < every
    filled = 0
    for limits in LIMITS:
        found = InventoryOptimizationService(source()).reorder(**limits)
        assert found == of_all(source(), **limits), limits
        filled += sum(line["filled_units"] > 0 for line in found["recommendations"])
        assert found["recommendations"] or limits.get("budget", 1e6) < 1e4
    assert filled, "a minimum is reached with goods that are not due"


def test_chosen_lines_too(trained: InventoryOptimizationService) -> None:
    source = DjangoShop()
    full = trained.analysis().goods.filter(pl.col("recommended_order_quantity") == 0, pl.col("active"))
    lines = dict.fromkeys(full["variant_id"].to_list()[:4], 3.0)
    for more in ({}, {"fill_minimum": True}, {"supplier": "Norte"}):
        plans = [
            inventory_orders.chosen(found, source, lines, **more)
            for found in (trained.orderable(list(lines)), trained.analysis())
        ]
        answers = [(plan.rows(plan.frame), plan.suppliers(plan.frame), plan.skipped) for plan in plans]
        assert answers[0] == answers[1]
        assert plans[0].frame.height or plans[0].skipped


def test_a_supplier_of_nothing_that_is_due_is_known_all_the_same(trained: InventoryOptimizationService) -> None:
    ProductVariant.objects.filter(supplier_item__supplier__name="Sur").update(stock=10_000, season_end=None)
    PurchaseOrderLine.objects.filter(variant__supplier_item__supplier__name="Sur").delete()
    assert trained.reorder(supplier="Sur")["recommendations"] == []
    with pytest.raises(UnknownId, match="Known: Norte, Sur"):
        trained.reorder(supplier="Este")


def test_as_many_queries_for_any_number_of_variants(trained: InventoryOptimizationService) -> None:
    def queries(**limits: Any) -> int:
        with CaptureQueriesContext(connection) as found:
            InventoryOptimizationService().reorder(**limits)
        return len(found)

    before = [queries(**limits) for limits in LIMITS]
    product = Product.objects.first()
    ProductVariant.objects.bulk_create(ProductVariant(product=product, sku=f"more-{i}", stock=i) for i in range(150))
    assert [queries(**limits) for limits in LIMITS] == before
    assert max(before) <= 40
