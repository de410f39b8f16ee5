"""Reads that must not grow with the shop: which index each of them uses, and that nothing reads all rows for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework import serializers

from ml_predictions import selectors, selectors_customers, selectors_morning, selectors_sales, selectors_sums
from ml_predictions.models import CustomerSegment, MLModel, MLTrainingLog, Prediction, SalesForecast
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.selectors_inventory import variant
from ml_predictions.serializers import records
from ml_predictions.services.inventory_optimization import InventoryOptimizationService
from ml_predictions.sources.django_shop import DjangoShop
from orders.models import Order, OrderItem
from products.models import Product, ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier

sqlite_only = pytest.mark.skipif(connection.vendor != "sqlite", reason="reads the plans of SQLite")


def plans(read: Callable[[], Any], table: str) -> list[str]:
    """What the database does for each statement of `read` that names the table.

    PostgreSQL reads a small table from end to end whatever indexes it has, so it is told not to where it need not; and
    it knows nothing of rows that it has not counted.
    """
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        read()
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if not sqlite:
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")
        found = []
        for sql, params in seen:
            if f'FROM "{table}"' in sql:
                cursor.execute(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{sql}", params)
                found.append(" | ".join(str(row[-1]).strip() for row in cursor.fetchall()))
    return found


def a_version(service: str) -> MLModel:
    return MLModel.objects.create(
        service=service, version=1, model_type="x", as_of=date(2026, 6, 29), is_active=True, artifact=service
    )


@sqlite_only
def test_the_currency_of_a_shop_that_has_one_is_a_step_into_an_index(shop: None) -> None:
    (plan,) = plans(lambda: DjangoShop().currency, "orders_order")
    assert plan.count("USING COVERING INDEX order_currency") == 3, plan
    assert "TEMP B-TREE" not in plan, "its ends are read, and nothing is sorted"


@sqlite_only
def test_the_last_sale_is_a_step_into_an_index(shop: None) -> None:
    (plan,) = plans(DjangoShop().data_until, "orders_order")
    assert "TEMP B-TREE" not in plan, plan
    assert "placed_at<?" in plan, plan
    assert "order_return_at (returned_at<?)" in plan, plan


@dataclass(frozen=True)
class Facts:
    """What the reads are asked for."""

    source: DjangoShop
    since: date
    customer: str
    product: str


@pytest.fixture
def facts(shop: None) -> Facts:
    source = DjangoShop()
    until = source.data_until()
    assert source.currency and until  # noqa: PT018  asked for beforehand: they are reads of their own
    item = OrderItem.objects.filter(order__customer__isnull=False).select_related("order", "variant")[0]
    since = until.as_of - timedelta(days=30)
    return Facts(source, since, str(item.order.customer_id), str(item.variant.product_id))


MAIN_READS: dict[str, tuple[Callable[[Facts], Any], str, str, str]] = {
    "orders of a training": (
        lambda f: f.source.order_lines(), "orders_order",
        "INDEX order_status_placed (status=? AND placed_at<?)", "",
    ),
    "lines of a training: from end to end, joined in columns": (
        lambda f: f.source.order_lines(), "orders_orderitem", "SCAN orders_orderitem", "",
    ),
    "returns of a training": (
        lambda f: f.source.order_lines(), "orders_orderreturn", "INDEX order_return_at (returned_at<?)", "",
    ),
    "orders of a night": (
        lambda f: f.source.order_lines(since=f.since), "orders_order",
        "INDEX order_status_placed (status=? AND placed_at>? AND placed_at<?)", "_placed",
    ),
    "lines of a night": (
        lambda f: f.source.order_lines(since=f.since), "orders_orderitem",
        "SEARCH orders_orderitem USING INDEX orders_orderitem_order_id", "orders_orderitem_order_id",
    ),
    "returns of a night": (
        lambda f: f.source.order_lines(since=f.since), "orders_orderreturn",
        "INDEX order_return_at (returned_at>? AND returned_at<?)", "order_return_at",
    ),
    "days of a night": (
        lambda f: f.source.sold_by_day(), "orders_orderitem",
        "INDEX order_status_placed (status=? AND placed_at<?) | SEARCH orders_orderitem USING INDEX", "",
    ),
    "stock of a night: which variants moved before": (
        lambda f: f.source.stock_history_since(f.since), "products_productvariant",
        "COVERING INDEX stock_movement_history (variant_id=? AND at<?)",
        "(variant_id = products_productvariant.id)",
    ),
    "orders of a customer": (
        lambda f: f.source.order_lines(customer_id=f.customer), "orders_order",
        "INDEX order_customer_placed (customer_id=? AND placed_at<?)", "order_customer",
    ),
    "lines of a customer": (
        lambda f: f.source.order_lines(customer_id=f.customer), "orders_orderitem",
        "SEARCH orders_orderitem USING INDEX orders_orderitem_order_id", "orders_orderitem_order_id",
    ),
    "what a customer bought": (
        lambda f: f.source.purchases(customer_id=f.customer), "orders_orderitem",
        "SEARCH orders_orderitem USING INDEX orders_orderitem_order_id", "orders_orderitem_order_id",
    ),
    "buyers of a product": (
        lambda f: f.source.buyers([f.product], since=f.since), "orders_orderitem",
        "INDEX order_status_placed (status=? AND placed_at>? AND placed_at<?)", "",
    ),
    "customers": (
        lambda f: f.source.customers(), "authentication_user", "INDEX user_role (role=?)", "user_role",
    ),
    "is stock counted": (
        lambda f: f.source.available(product_ids=[f.product]), "products_productvariant",
        "SEARCH products_productvariant USING INDEX products_productvariant_product_id", "productvariant_product_id",
    ),
    "open purchase orders": (
        lambda f: f.source.open_orders(), "purchasing_purchaseorderline",
        "INDEX purchase_order_status (status=?)", "",
    ),
}  # fmt: skip
"""The reads of trainings, nights and answers: the call, the table, what SQLite says, what PostgreSQL says.

Where nothing stands for PostgreSQL its choice depends on how much of the table is asked for.
"""


@pytest.mark.postgres
@pytest.mark.parametrize("name", MAIN_READS)
def test_each_main_read_goes_the_way_that_was_meant_for_it(name: str, facts: Facts) -> None:
    read, table, sqlite, postgres = MAIN_READS[name]
    found = plans(lambda: read(facts), table)
    assert found, f"nothing was read from {table}"
    wanted = sqlite if connection.vendor == "sqlite" else postgres
    assert any(wanted in plan for plan in found), found


@sqlite_only
def test_the_pragmas_hold_on_every_connection_to_a_file(db: None, tmp_path: Path) -> None:
    """Readers beside a writer (WAL), no wait for the disk at each commit, sorting in memory, one map for all."""
    kept = connection.copy()
    kept.settings_dict = {**kept.settings_dict, "NAME": str(tmp_path / "shop.sqlite3")}
    wanted = {"journal_mode": "wal", "synchronous": 1, "temp_store": 2, "cache_size": -65536, "mmap_size": 2147418112}
    with kept.cursor() as cursor:
        found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    kept.close()
    assert found == wanted


@sqlite_only
def test_days_of_sales_and_returns_are_found_by_their_own_day(shop: None) -> None:
    source = DjangoShop()
    since = source.data_until().as_of - timedelta(days=10)  # type: ignore[union-attr]
    sold = plans(lambda: source.sold_by_day(since=since), "orders_orderitem")[0]
    assert "order_status_placed (status=? AND placed_at>? AND placed_at<?)" in sold
    (back,) = plans(lambda: source.sold_by_day(since=since), "orders_orderreturn")
    assert back.startswith("SEARCH orders_orderreturn USING INDEX order_return_at (returned_at>? AND returned_at<?)")


def customer(model: MLModel, number: int) -> CustomerSegment:
    return CustomerSegment(
        model=model, customer_id=str(number), cluster=0, segment="vip", confidence=1, recency_days=1, total_orders=1,
        total_spent=1, avg_order_value=1, purchase_frequency_monthly=1, recency_score=1, frequency_score=1,
        monetary_score=1,
    )  # fmt: skip


@sqlite_only
def test_sums_over_the_segments_come_from_an_index_alone(db: None) -> None:
    model = a_version("customer_segmentation")
    (plan,) = plans(lambda: selectors_sums.of_segments(model), "ml_predictions_customersegment")
    assert "USING COVERING INDEX segment_sums" in plan, plan
    for read in (lambda: selectors.figures({model.service: model}), selectors_customers.summary):
        assert plans(read, "ml_predictions_customersegment") == [], "they are remembered"


@pytest.mark.postgres
def test_sums_over_the_segments_are_of_the_rows_that_there_are(db: None) -> None:
    """Rows change when a version is put into service, and when somebody is erased; while that goes on, at any time."""

    def count() -> int:
        return selectors_sums.of_segments(model)["vip"]["customers"]

    model = a_version("customer_segmentation")
    CustomerSegment.objects.bulk_create(customer(model, n) for n in range(5))
    assert count() == 5
    erasure = PersonalDataErasure.objects.create(customer_id="0")
    for left in (4, 3):
        CustomerSegment.objects.filter(model=model).first().delete()  # type: ignore[union-attr]
        assert count() == left
    PersonalDataErasure.objects.filter(pk=erasure.pk).update(customer_id="", finished_at=timezone.now(), certificate={})
    assert count() == 3
    CustomerSegment.objects.bulk_create(customer(model, n) for n in range(10, 12))
    assert count() == 3, "nobody writes rows of a version that serves"
    MLModel.objects.filter(pk=model.pk).update(activated_at=timezone.now())
    model.refresh_from_db()
    assert count() == 5


@sqlite_only
def test_customers_are_drawn_by_their_numbers(db: None) -> None:
    model = a_version("customer_segmentation")
    CustomerSegment.objects.bulk_create(customer(model, n) for n in range(9))
    found = plans(lambda: selectors_customers.points(3), "ml_predictions_customersegment")
    assert "COVERING INDEX segment_of_model" in found[0], "a step to the first number, and one to the last"
    assert "USING INTEGER PRIMARY KEY" in found[-1], found


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="reads the plans of PostgreSQL")
def test_lines_of_the_last_days_are_found_by_the_numbers_of_their_orders(facts: Facts) -> None:
    sold = plans(lambda: facts.source.sold_by_day(since=facts.since), "orders_orderitem")[0]
    assert "order_id >= " in sold, sold


@sqlite_only
def test_customers_at_risk_are_found_by_their_money(db: None) -> None:
    a_version("customer_segmentation")
    found = plans(selectors_morning.jobs_of_today, "ml_predictions_customersegment")
    assert len(found) == 2
    assert "USING COVERING INDEX segment_by_risk" in found[0], found
    assert "USING INDEX segment_by_risk" in found[1], found
    assert "TEMP B-TREE" not in found[1], "they stand in their order already"


@sqlite_only
def test_forecasts_are_found_by_their_version_and_level(db: None) -> None:
    total = SalesForecast.objects.in_service().filter(level="total")
    for read in (total.count, lambda: selectors_sales.next_days(14)):
        (plan,) = plans(read, "ml_predictions_salesforecast")
        assert "(model_id=? AND level=?" in plan, plan
    (page,) = plans(lambda: list(total.order_by("id")[:50]), "ml_predictions_salesforecast")
    assert "(model_id=?" in page, page
    assert "TEMP B-TREE" not in page, "they stand in their order already"


def test_what_serves_is_what_is_read(db: None) -> None:
    serving, old = a_version("sales_forecast"), a_version("customer_segmentation")
    old.pk, old.service, old.version, old.is_active, old.artifact = None, "sales_forecast", 2, False, "old"
    old.save()
    bounds = {f"{a}_{b}_{c}": 1.0 for a in ("sales", "quantity") for b in ("lower", "upper") for c in (80, 95)}
    for model in (serving, old):
        row = {"level": "total", "start": date(2026, 7, 1), "sales": 1.0, "quantity": 1.0, **bounds}
        SalesForecast.objects.create(model=model, **row)
    assert [row.model_id for row in SalesForecast.objects.in_service()] == [serving.pk]
    assert not CustomerSegment.objects.in_service().exists()


# --- one variant ------------------------------------------------------------------------------------


@pytest.fixture
def trained(shop: None, run: Any) -> InventoryOptimizationService:
    """Levels of the fixture shop, which then sells out here, has too much there, and does not know some costs."""
    service = InventoryOptimizationService()
    service.train(run)
    keys = list(ProductVariant.objects.order_by("pk").values_list("pk", flat=True))
    ProductVariant.objects.filter(pk__in=keys[::5]).update(cost=None)
    ProductVariant.objects.filter(pk__in=keys[:6]).update(stock=0)
    ProductVariant.objects.filter(pk__in=keys[6:12]).update(stock=3_000)
    ProductVariant.objects.filter(pk=keys[12]).update(stock=-4)
    Product.objects.filter(variants__pk__in=keys[20:24]).update(category=None)
    order = PurchaseOrder.objects.create(number="1", supplier=Supplier.objects.first(), status="confirmed")
    for key in keys[2:5]:
        PurchaseOrderLine.objects.create(purchase_order=order, variant_id=key, units=9, unit_cost=1)
    return service


class NoReadsOfItsOwn:
    """The shop without the reads that only save time: they are left out of what `getattr` finds."""

    def __init__(self) -> None:
        self.shop = DjangoShop()

    def __getattr__(self, name: str) -> Any:
        if name in ("shelf_of", "open_orders_of", "positions", "sold_by_day", "stock_history_since"):
            raise AttributeError(name)
        return getattr(self.shop, name)


@pytest.mark.postgres
@pytest.mark.parametrize("source", [DjangoShop, NoReadsOfItsOwn])
def test_one_variant_is_its_row_of_the_whole_list(trained: InventoryOptimizationService, source: Any) -> None:
    whole = InventoryOptimizationService().analysis().frame
    assert set(whole["code"].drop_nulls()) >= {"OVERSTOCK", "OUT_OF_STOCK", "NEGATIVE_STOCK"}
    for row in whole.iter_rows(named=True):
        found = InventoryOptimizationService(source()).analysis([row["variant_id"]]).frame
        assert found.to_dicts() == [row]


@pytest.mark.postgres
def test_one_variant_takes_as_many_queries_however_many_there_are(trained: InventoryOptimizationService) -> None:
    asked = ProductVariant.objects.filter(stock=3_000, cost=None).values_list("pk", flat=True)[0]

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            variant(InventoryOptimizationService(), str(asked))
        return len(found)

    before, product = queries(), Product.objects.first()
    ProductVariant.objects.bulk_create(ProductVariant(product=product, sku=f"more-{i}", stock=i) for i in range(150))
    assert queries() == before <= 13


# --- what is true now ---------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [DjangoShop, NoReadsOfItsOwn])
def test_past_days_are_those_of_the_shop_as_it_is_now(shop: None, source: Any) -> None:
    before = selectors_sales.history("total", "", days=30, source=source())
    order = Order.objects.filter(status="completed").latest("placed_at")
    day = order.placed_at - timedelta(days=2)
    late = Order.objects.create(order_number="late", status="completed", placed_at=day)
    OrderItem.objects.create(order=late, variant_id=order.items.first().variant_id, units=3, unit_price=100)
    after = selectors_sales.history("total", "", days=30, source=source())
    more = {row["date"]: round(row["sales"] - old["sales"], 2) for row, old in zip(after, before, strict=True)}
    assert {date_: change for date_, change in more.items() if change} == {day.date(): 300.0}


# --- rows as they are answered ------------------------------------------------------------------------


def test_rows_are_answered_as_the_framework_would(db: None) -> None:
    """The plan that is made once for each class against the framework's own walk over the fields."""
    log = MLTrainingLog.objects.create(
        kind="all", status="queued", step={"code": "served_newest", "params": {}}, parameters={"a": [1]}
    )
    model = a_version("sales_forecast")
    model.training_log = log
    model.save()
    prediction = Prediction.objects.create(model=model, service=model.service, as_of=model.as_of, result={"x": 1.5})
    alert = InventoryAlert.objects.create(
        variant_id="1", product_id="1", sku="S", product_name="Coat", alert_type="reorder_now", code="REORDER_NOW",
        urgency_level=3, current_stock=1, recommended_stock=9, predicted_demand_7days=3, predicted_demand_30days=12,
        daily_sales_rate=0.4, money_at_stake=100.0, reason={"code": "served_newest", "params": {}},
        snoozed_until=date(2026, 7, 1),
    )  # fmt: skip
    bounds = {f"{a}_{b}_{c}": 1.0 for a in ("sales", "quantity") for b in ("lower", "upper") for c in (80, 95)}
    forecast = SalesForecast.objects.create(
        model=model, level="total", start=date(2026, 7, 1), sales=2.0, quantity=1.0, **bounds
    )
    rows = {
        records.ModelRecord: model, records.ModelDetail: model, records.PredictionRecord: prediction,
        records.PredictionDetail: prediction, records.SalesForecastRecord: forecast, records.AlertRecord: alert,
        records.TrainingRecord: log,
    }  # fmt: skip
    for kind, row in rows.items():
        row.refresh_from_db()
        expected = serializers.ModelSerializer.to_representation(kind(row), row)
        assert kind(row).data == expected == kind([row], many=True).data[0]
    assert kind(log).data["queue_position"] == 1


def test_a_connection_stays_open_between_requests(db: None) -> None:
    kept = connection.copy()
    kept.connect()
    first = kept.connection
    kept.close_if_unusable_or_obsolete()
    assert kept.connection is first
    kept.close()
