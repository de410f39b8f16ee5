"""Nothing from after the cutoff reaches a forecast, through the service and the database: rows, figures, receipts.

Each test trains as of a cutoff in the middle of the shop's data, changes everything that happened after it, and
trains as of the same cutoff again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.db.models import F

from conftest import RecordingRun, fill_shop
from ml_predictions.models import MLModel, MLTrainingLog, SalesForecast
from ml_predictions.models_accuracy import PastForecast
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.sources.base import DataUntil
from ml_predictions.sources.django_shop import DjangoShop
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement

pytestmark = pytest.mark.django_db

CUTOFF = datetime(2026, 3, 1, 15, tzinfo=UTC)
LAST_DAY = date(2026, 2, 28)
"""The cutoff is in the middle of a day: of that day nothing may count."""
AFTER = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=1)
"""The shop's midnight, in Madrid: all that happened from here on is changed."""
QUICK = "window_average"
OWN = ("id", "model", "published")
"""Columns that say which training wrote a row."""


def a_hundred_times_more() -> None:
    OrderItem.objects.filter(order__placed_at__gte=AFTER).update(amount=F("amount") * 100, units=F("units") * 100)


def nothing_sold_any_more() -> None:
    Order.objects.filter(placed_at__gte=AFTER).update(status="cancelled")


def orders_never_placed() -> None:
    OrderReturn.objects.filter(returned_at__gte=AFTER).delete()
    Order.objects.filter(placed_at__gte=AFTER).delete()


def everything_sold_before_comes_back() -> None:
    sold = OrderItem.objects.filter(order__placed_at__lt=AFTER, returns=None).select_related("order")
    OrderReturn.objects.bulk_create(
        OrderReturn(item=item, units=item.units, amount=item.amount, returned_at=AFTER + timedelta(minutes=i % 9999))
        for i, item in enumerate(sold)
    )


def twenty_times_as_many_orders() -> None:
    """Many more on the day of the cutoff itself, before and after its hour."""
    variants = list(ProductVariant.objects.all())
    orders = Order.objects.bulk_create(
        Order(order_number=f"N{i}", status="completed", placed_at=AFTER + timedelta(minutes=7 * i)) for i in range(400)
    )
    OrderItem.objects.bulk_create(
        OrderItem(order=o, variant=variants[i % len(variants)], units=50, unit_price=Decimal(80), amount=Decimal(4_000))
        for i, o in enumerate(orders)
    )


def stock_runs_out() -> None:
    StockMovement.objects.bulk_create(
        StockMovement(variant=v, kind="correction", units=-v.stock, reference=f"gone:{v.pk}", at=AFTER)
        for v in ProductVariant.objects.all()
    )
    ProductVariant.objects.update(stock=0)


def new_products_sell_well() -> None:
    """In a category of their own and in one that is there already, named like what is there already."""
    twin = Product.objects.order_by("id")[0]
    for i, category in enumerate((Category.objects.create(name="Hats"), twin.category)):
        product = Product.objects.create(
            code=f"NEW{i}", name=twin.name, description=twin.description, category=category, price=9
        )
        variant = ProductVariant.objects.create(product=product, sku=f"NEW{i}", options={}, cost=1, stock=9)
        for day in range(40):
            order = Order.objects.create(
                order_number=f"H{i}-{day}", status="completed", placed_at=AFTER + timedelta(days=day)
            )
            OrderItem.objects.create(order=order, variant=variant, units=30, unit_price=9, amount=270)


MORE = (a_hundred_times_more, twenty_times_as_many_orders, stock_runs_out)
LESS = (nothing_sold_any_more, everything_sold_before_comes_back)
GONE = (orders_never_placed,)


def train(model_type: str) -> MLModel:
    """The version in service after a training."""
    log = MLTrainingLog.objects.create(kind="sales_forecast", status="completed")
    SalesForecastService().train(RecordingRun(log.pk), model_type=model_type)
    return SalesForecastService().active()


def rows(table: Any, *order: str) -> list[dict[str, Any]]:
    names = [f.name for f in table._meta.fields if f.name not in OWN]
    return list(table.objects.order_by(*order).values(*names))


def said(model: MLModel) -> dict[str, Any]:
    """Everything that a version says and stores."""
    content = SalesForecastService().content(model)
    return {
        "model": (model.model_type, model.as_of, model.beats_baseline, model.parameters),
        "metrics": model.metrics,
        "receipt": model.receipt,
        "meta": content.meta,
        "arrays": {name: np.asarray(array).tolist() for name, array in content.arrays.items()},
        "rows": rows(SalesForecast, "level", "object_id", "start"),
        "kept": rows(PastForecast, "level", "object_id", "start", "end"),
    }


@pytest.fixture
def at_cutoff(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop whose lines and returns are read up to the cutoff, and go on behind it."""
    fill_shop(orders=600, products=8, days=300)
    monkeypatch.setattr(DjangoShop, "_until", DataUntil(CUTOFF, live=True, time_zone="Europe/Madrid"))
    assert Order.objects.filter(placed_at__gte=AFTER).count() > 100


def undone(changes: Iterable[Callable[[], None]], model_type: str) -> dict[str, Any]:
    """What is said after these changes, which are then taken back."""
    with transaction.atomic():
        for change in changes:
            change()
        found = said(train(model_type))
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize(
    ("model_type", "changes"), [("linear", (*MORE, *LESS)), ("linear", GONE), ("ensemble", (*MORE, *LESS))]
)
def test_what_happens_after_the_cutoff_changes_nothing(at_cutoff: None, model_type: str, changes: Any):
    before = undone((), model_type)
    assert before["model"][1] == LAST_DAY
    assert len(before["rows"]) > 365
    assert {candidate["name"] for candidate in before["receipt"]["candidates"]} >= {model_type, "seasonal_naive"}
    after = undone(changes, model_type)
    for name, value in before.items():
        assert after[name] == value, name


def one_more(item: OrderItem) -> None:
    OrderItem.objects.filter(pk=item.pk).update(amount=F("amount") + 100, units=F("units") + 1)


def test_what_happened_before_the_cutoff_does_change_it(at_cutoff: None):
    """The other tests could fail: one order more on the last day is seen."""
    before = undone((), QUICK)
    item = OrderItem.objects.filter(order__placed_at__lt=AFTER).order_by("-order__placed_at")[0]
    after = undone([lambda: one_more(item)], QUICK)
    assert [name for name in before if before[name] == after[name]] == ["model", "meta"]  # who, not what


def test_products_that_come_later_change_no_forecast_of_the_others(at_cutoff: None):
    """Of other products only the width may change: it is learned by sales volume over all that the shop has."""
    before = undone((), QUICK)
    after = undone([new_products_sell_well], QUICK)
    assert after["metrics"] == before["metrics"]
    known = {(row["level"], row["object_id"]) for row in before["rows"]}
    assert [row for row in after["rows"] if row["level"] in ("total", "category")] == [
        row for row in before["rows"] if row["level"] in ("total", "category")
    ]
    mean = [
        [
            (row["level"], row["object_id"], row["start"], row["quantity"])
            for row in found["rows"]
            if (row["level"], row["object_id"]) in known
        ]
        for found in (before, after)
    ]
    assert mean[0] == mean[1]
