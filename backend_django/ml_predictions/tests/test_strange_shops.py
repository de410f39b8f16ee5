"""The sales forecast of strange shops: an answer that holds together, or a clear refusal; wide where little is known.

A lower bound below 0 is right where days occur on which more comes back than is sold; a forecast below 0 never is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db.models import F

from conftest import RecordingRun, fill_shop
from ml_predictions.errors import NotTrained
from ml_predictions.models import SalesForecast
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.sources.django_shop import DjangoShop
from ml_predictions.tests.test_sales_forecast import daily_shop
from orders.models import Order, OrderItem, OrderReturn
from products.models import ProductVariant
from retail_ml.errors import NotEnoughHistory
from retail_ml.forecast import shop
from retail_ml.tests.forecast import shops

pytestmark = pytest.mark.django_db

END = datetime(2026, 6, 30, 18, tzinfo=UTC)
PLAIN = {"historic_average", "seasonal_naive", "window_average", "weekday_mean"}
"""Models without season or trend."""
ENDS = ("", "_lower_80", "_upper_80", "_lower_95", "_upper_95")


def as_it_is() -> None:
    """The shop as `fill_shop` writes it."""


def opened_twice() -> None:
    """Half a year, four months of nothing, and the last two months."""
    middle = END - timedelta(days=60)
    OrderReturn.objects.all().delete()
    Order.objects.filter(placed_at__lt=middle).update(placed_at=F("placed_at") - timedelta(days=120))


def closed_for_three_months() -> None:
    """Nothing has been sold for long, but somebody brought something back today."""
    OrderReturn.objects.all().delete()
    Order.objects.update(placed_at=F("placed_at") - timedelta(days=90))
    item = OrderItem.objects.order_by("id")[0]
    OrderReturn.objects.create(item=item, units=1, amount=item.unit_price, returned_at=END)


def more_comes_back_than_is_sold() -> None:
    """All of the last two months comes back within it, at a higher price."""
    OrderReturn.objects.all().delete()
    items = OrderItem.objects.filter(order__placed_at__gt=END - timedelta(days=60)).select_related("order")
    OrderReturn.objects.bulk_create(
        OrderReturn(item=i, units=i.units, amount=i.amount + 5, returned_at=i.order.placed_at + timedelta(days=2))
        for i in items
    )


def one_day_a_hundred_times_the_others() -> None:
    day = END - timedelta(days=20)
    chosen = OrderItem.objects.filter(order__placed_at__date=day.date())
    assert chosen.update(amount=F("amount") * 100, units=F("units") * 100)


def at_night_when_the_clocks_change() -> None:
    """An order in each hour around both changes of the clock."""
    starts = (datetime(2025, 10, 25, 22, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC))
    variant = ProductVariant.objects.all()[0]
    for start in starts:
        for hour in range(48):
            order = Order.objects.create(
                order_number=f"{start.month}-{hour}", status="completed", placed_at=start + timedelta(hours=hour)
            )
            OrderItem.objects.create(order=order, variant=variant, units=1, unit_price=10, amount=10)


LITTLE = {"orders": 30, "products": 5, "days": 60}
SOME = {"orders": 350, "products": 4, "days": 160}
SHOPS: list[tuple[Callable[[], None], dict[str, int]]] = [
    (as_it_is, LITTLE),
    (as_it_is, {"orders": 40, "products": 4, "days": 10}),
    (as_it_is, {"orders": 80, "products": 1, "days": 60}),
    (opened_twice, SOME),
    (closed_for_three_months, SOME),
    (more_comes_back_than_is_sold, SOME),
    (one_day_a_hundred_times_the_others, SOME),
    (at_night_when_the_clocks_change, SOME),
]


def holds_together(answer: dict[str, Any], days: int) -> None:
    """Finite, in order, and of as many days as asked for."""
    json.dumps({key: answer[key] for key in ("predictions", "summary", "receipt")}, allow_nan=False)
    dates = [date.fromisoformat(day["date"]) for day in answer["predictions"]]
    assert dates == [dates[0] + timedelta(days=i) for i in range(days)]
    for day in answer["predictions"]:
        assert day["predicted_sales"] >= 0
        assert day["confidence_lower"] <= day["predicted_sales"] <= day["confidence_upper"]
        assert day["predicted_quantity"] >= 0
        assert day["quantity_lower"] <= day["predicted_quantity"] <= day["quantity_upper"]
    total = answer["summary"]
    assert total["total_lower"] <= total["total_predicted_sales"] <= total["total_upper"]
    assert total["quantity_total_lower"] <= total["total_predicted_quantity"] <= total["quantity_total_upper"]


def trained(run: RecordingRun, model_type: str = "auto") -> SalesForecastService:
    service = SalesForecastService()
    service.train(run, model_type=model_type)
    return service


@pytest.mark.parametrize(("strange", "size"), SHOPS, ids=lambda x: x.__name__ if callable(x) else str(x["products"]))
def test_it_answers(run: RecordingRun, strange: Callable[[], None], size: dict[str, int]):
    fill_shop(**size)
    strange()
    service = trained(run)
    model = service.active()
    json.dumps([model.metrics, model.receipt, run.result], allow_nan=False)
    for days in (1, 30, 365):
        holds_together(service.predict(days_ahead=days), days)
    sold = OrderItem.objects.select_related("variant__product__category").order_by("-amount", "id")[0].variant
    parts = {"category": sold.product.category.name, "product": str(sold.product_id), "variant": str(sold.pk)}
    for level, name in parts.items():
        holds_together(service.predict(level=level, object_id=name, days_ahead=28), 28)
    columns = [f"{what}{end}" for what in ("sales", "quantity") for end in ENDS]
    assert all(map(math.isfinite, (x for row in SalesForecast.objects.values_list(*columns) for x in row)))
    little = size["orders"] < 60
    summary = service.predict(days_ahead=28)["summary"]
    assert model.metrics["low_confidence"] == (little or strange is closed_for_three_months)
    assert summary["total_predicted_sales"] > 0
    assert summary["total_upper"] > (1.5 if little else 1.1) * summary["total_predicted_sales"]


def test_after_one_wild_day_the_ordinary_level_stays_inside_the_interval(
    make_shop: Any, run: RecordingRun, settings: Any
):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "PROMOTION_TOLERANCE": 100.0}  # it serves, however wild
    make_shop(**SOME)
    plain = trained(run, "weekday_mean").predict(days_ahead=28)["summary"]
    one_day_a_hundred_times_the_others()
    wild = trained(run, "weekday_mean").predict(days_ahead=28)["summary"]
    assert wild["total_lower"] < plain["total_predicted_sales"] < wild["total_upper"]
    assert wild["total_predicted_sales"] < 2 * plain["total_predicted_sales"]  # the mean of its 56 days: three times
    span = [found["total_upper"] - found["total_lower"] for found in (plain, wild)]
    assert span[1] > span[0]


def test_a_shop_that_opened_again_is_forecast_at_the_level_of_now(make_shop: Any, run: RecordingRun):
    make_shop(**SOME)
    opened_twice()
    OrderItem.objects.filter(order__placed_at__gt=END - timedelta(days=60)).update(amount=F("amount") * 3)
    now = sum(x.amount for x in OrderItem.objects.filter(order__placed_at__gt=END - timedelta(days=28)))
    ahead = trained(run).predict(days_ahead=28)["summary"]
    assert ahead["total_predicted_sales"] == pytest.approx(float(now), rel=0.35)


def test_a_day_has_23_or_25_hours_when_the_clocks_change(make_shop: Any):
    make_shop(orders=0, products=1)
    at_night_when_the_clocks_change()
    lines = DjangoShop().order_lines()
    assert dict(lines.group_by("day").len().iter_rows()) == {
        date(2025, 10, 26): 25, date(2025, 10, 27): 23, date(2026, 3, 29): 23, date(2026, 3, 30): 24,
        date(2026, 3, 31): 1,
    }  # fmt: skip


def test_only_returns_are_no_sales(make_shop: Any, run: RecordingRun):
    make_shop(orders=40, products=2, days=40)
    Order.objects.update(status="cancelled")  # the money of the returns was paid back, the orders are void
    with pytest.raises(NotEnoughHistory, match="none"):
        SalesForecastService().train(run)
    with pytest.raises(NotTrained, match="train-sales-forecast"):
        SalesForecastService().predict()


def test_a_shop_of_pure_noise_is_served_a_plain_mean(run: RecordingRun):
    noise = np.random.default_rng(2).gamma(4, 0.25, 150)
    service = SalesForecastService(daily_shop(1_000 * noise))  # type: ignore[arg-type]
    service.train(run)
    model = service.active()
    assert model.model_type in PLAIN
    days = service.predict(days_ahead=28)["predictions"]
    assert all(day["predicted_sales"] == pytest.approx(1_000, rel=0.35) for day in days)


def test_a_shop_with_a_season_is_served_a_model_that_knows_it(run: RecordingRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shop, "learned_names", lambda: ["ensemble"])  # beside the simple ones, for the time it takes
    y = shops.days(600, np.random.default_rng(1), season=0.6, noise=0.15)
    service = SalesForecastService(daily_shop(y))  # type: ignore[arg-type]
    service.train(run)
    model = service.active()
    assert model.model_type not in PLAIN
    assert model.metrics["wape"] < 0.95 * model.metrics["baseline"]["wape"]
