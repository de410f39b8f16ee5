"""Shops with hardly any data, or strange data, down the whole road: train the four, ask every address.

Never 500, never blank, never a number that is none. From 10 sales on all four train and answer, and say that they are
not sure; below that forecast and segments say what is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from conftest import RecordingRun, fill_shop
from ml_predictions.models import SERVICES, MLTrainingLog
from ml_predictions.services import get_service
from ml_predictions.urls import router, urlpatterns
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import SupplierItem
from retail_ml.errors import NotEnoughHistory

END = datetime(2026, 6, 30, 18, tzinfo=UTC)
NAMES = ["👗 <script>alert(1)</script>", "{code} {0} %s %(a)s", "x" * 255, "'; DROP TABLE x; --"]


def nothing_special() -> None:
    """The shop as `fill_shop` writes it."""


def of_guests() -> None:
    Order.objects.update(customer=None)


def all_returned() -> None:
    items = OrderItem.objects.select_related("order").filter(returns=None)
    OrderReturn.objects.bulk_create(
        OrderReturn(item=i, units=i.units, amount=i.amount, returned_at=i.order.placed_at + timedelta(hours=30))
        for i in items
    )


def returned_twice_before_it_was_sold() -> None:
    items = OrderItem.objects.select_related("order")
    OrderReturn.objects.bulk_create(
        OrderReturn(item=i, units=i.units, amount=2 * i.amount, returned_at=i.order.placed_at - timedelta(days=90))
        for i in items
    )


def stock_below_zero() -> None:
    ProductVariant.objects.update(stock=-50)


def within_one_minute() -> None:
    Order.objects.update(placed_at=END)


def ended_long_ago() -> None:
    for order in Order.objects.all():
        Order.objects.filter(pk=order.pk).update(placed_at=order.placed_at - timedelta(days=6000))
    OrderReturn.objects.all().delete()


def two_orders_in_the_year_2200() -> None:
    last = list(Order.objects.order_by("-placed_at")[:2])
    Order.objects.filter(pk__in=[o.pk for o in last]).update(placed_at=datetime(2200, 1, 1, tzinfo=UTC))


def one_order_in_1985() -> None:
    first = Order.objects.order_by("placed_at")[0]
    Order.objects.filter(pk=first.pk).update(placed_at=datetime(1985, 1, 2, tzinfo=UTC))


def all_for_nothing() -> None:
    OrderItem.objects.update(unit_price=0, amount=0)
    Product.objects.update(price=0)


def one_line_of_80_000_units() -> None:
    chosen = OrderItem.objects.order_by("id")[5].pk
    OrderItem.objects.filter(pk=chosen).update(units=80_000, amount=F("unit_price") * 80_000)


def strange_names() -> None:
    for i, product in enumerate(Product.objects.order_by("id")):
        Product.objects.filter(pk=product.pk).update(
            name=NAMES[i % len(NAMES)], description="" if i % 2 else "y" * 9000
        )


def half_in_dollars() -> None:
    Order.objects.filter(pk__in=[o.pk for o in Order.objects.order_by("id")[::2]]).update(currency="USD")


def without_cost_stock_supplier_category() -> None:
    StockMovement.objects.all().delete()
    SupplierItem.objects.all().delete()
    ProductVariant.objects.update(cost=None, stock=0)
    Product.objects.update(category=None)


def out_of_the_range() -> None:
    Product.objects.update(status=Product.Status.DISCONTINUED)


SMALL: dict[Callable[[], None], dict[str, int]] = {
    nothing_special: {"orders": 10, "customers": 4, "products": 3, "days": 60},
    within_one_minute: {"orders": 10, "customers": 1, "products": 1, "days": 1},
    of_guests: {"orders": 30, "products": 5, "days": 60},
    all_returned: {"orders": 30, "products": 4, "days": 60},
    returned_twice_before_it_was_sold: {"orders": 20, "products": 4, "days": 60},
    stock_below_zero: {"orders": 30, "products": 4, "days": 60},
    ended_long_ago: {"orders": 11, "products": 4, "days": 200},
    two_orders_in_the_year_2200: {"orders": 12, "products": 4, "days": 60},
    one_order_in_1985: {"orders": 11, "products": 4, "days": 60},
    all_for_nothing: {"orders": 30, "products": 4, "days": 60},
    one_line_of_80_000_units: {"orders": 30, "products": 4, "days": 60},
    strange_names: {"orders": 30, "products": 5, "days": 60},
    half_in_dollars: {"orders": 40, "products": 4, "days": 60},
    without_cost_stock_supplier_category: {"orders": 30, "products": 4, "days": 60},
    out_of_the_range: {"orders": 30, "products": 4, "days": 60},
}
"""What is done to a shop, and the shop that it is done to."""


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Ben's client, which needs no password here."""
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(cast["ben"])
    return client


def train() -> dict[str, str]:
    """Train the four; per service that refused, the sentence that says why."""
    refused = {}
    for name in SERVICES:
        log = MLTrainingLog.objects.create(kind=name, status="completed")
        try:
            get_service(name).train(RecordingRun(log.pk))
        except NotEnoughHistory as error:
            refused[name] = str(error)
    return refused


LISTS = {
    "models": "active/", "predictions": "", "sales-forecasts": "", "inventory-alerts": "summary/",
    "calendar-events": "", "recommendation-rules": "", "training-logs": "", "personal-data-erasures": "",
}  # fmt: skip
WITHOUT_ROWS_OF_THEIR_OWN = {"customer-segments": ("", "summary/", "migration/", "?segment=vip&search=a")}
BESIDE_PRODUCTS = ("product-recommendations", "similar-products", "bought-together")
OF_CUSTOMERS = ("customer-recommendations", "customer-segment")
PLAIN = (
    "inventory-analysis", "reorder-recommendations", "inventory-health", "dashboard-summary", "data-requirements",
    "forecast-accuracy", "trending-products", "data-quality", "inventory-simulation", "inventory-value", "schedule",
    "slow-moving-products",
)  # fmt: skip


def reads(api: APIClient) -> Iterator[str]:
    """Every address that is read, for this shop's own products, customers and rows."""
    for name, extra in LISTS.items():
        yield f"{name}/"
        if extra:
            yield f"{name}/{extra}"
        yield from (f"{name}/{row['id']}/" for row in api.get(f"/api/ml/{name}/").json()["results"][:2])
    for name, extras in WITHOUT_ROWS_OF_THEIR_OWN.items():
        yield from (f"{name}/{extra}" for extra in extras)
    for product in Product.objects.values_list("pk", flat=True):
        yield from (f"{name}/{product}/" for name in BESIDE_PRODUCTS)
        yield f"product-recommendations/{product}/customers/"
    sold = Order.objects.exclude(customer=None).order_by("customer").values_list("customer", flat=True)
    for customer in sold.distinct()[:3]:
        yield from (f"{name}/{customer}/" for name in OF_CUSTOMERS)
        yield f"customer-recommendations/{customer}/?mode=repeat"
    yield (
        "product-recommendations/?product_ids="
        + ",".join(map(str, Product.objects.values_list("pk", flat=True)))
        + ",0"
    )
    yield from (f"{name}/" for name in PLAIN)
    yield "reorder-recommendations/?budget=0"
    yield "inventory-analysis/?ordering=days_until_stockout&page_size=1"


def asked(api: APIClient, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and body of a call: never a fault of ours, never blank, never a number that is none."""
    answer = api.get(f"/api/ml/{path}") if body is None else api.post(f"/api/ml/{path}", body, format="json")
    text = answer.content.decode()
    assert answer.status_code < 500, (path, text)
    assert not re.search(r"\bNaN\b|\bInfinity\b|\"params\"|Traceback", text), (path, text)
    found: dict[str, Any] = json.loads(text)
    if answer.status_code >= 400:
        assert found["error"]["message"], path
    return answer.status_code, found


def test_no_address_that_is_read_is_forgotten():
    named = {str(p.pattern).split("/")[0] for p in urlpatterns if str(p.pattern)}  # all but the router's
    written = {name for name in named if name.startswith("train-")}
    written |= {"predict-sales", "basket-recommendations", "customers"}  # of customers/ only a deletion
    assert named - written == {*BESIDE_PRODUCTS, *OF_CUSTOMERS, *PLAIN}
    assert {prefix for prefix, *_ in router.registry} == {*LISTS, *WITHOUT_ROWS_OF_THEIR_OWN}


@pytest.mark.parametrize("orders", [0, 1, 9])
def test_below_ten_sales_it_says_what_is_missing(api: APIClient, make_shop: Any, orders: int):
    make_shop(orders=orders, products=3, customers=3, days=60)
    refused = train()
    assert set(refused) == {"sales_forecast", "customer_segmentation"}  # the others need products, and no sales
    assert all("10" in why and str(orders) in why for why in refused.values())
    for path in reads(api):
        status, found = asked(api, path)
        assert status == 200 or found["error"]["code"] == "not_trained", (path, found)
    assert asked(api, "predict-sales/", {})[0] == 409


def test_a_shop_with_nothing_in_it_answers(api: APIClient):
    assert set(train()) == set(SERVICES)
    for path in reads(api):
        status, found = asked(api, path)
        assert status == 200 or found["error"]["code"] == "not_trained", (path, found)


@pytest.mark.parametrize("strange", SMALL, ids=lambda f: f.__name__)
def test_from_ten_sales_on_all_four_train_and_answer(api: APIClient, db: None, strange: Callable[[], None]):
    fill_shop(**SMALL[strange])
    strange()
    assert set(train()) == ({"customer_segmentation"} if strange is of_guests else set())  # nobody to segment
    for path in reads(api):
        status, found = asked(api, path)
        nobody = strange in (of_guests, half_in_dollars, two_orders_in_the_year_2200) and path.startswith("customer-")
        code = "not_trained" if path.startswith("customer-segments/") else "customer_without_orders"
        assert status == 200 or (nobody and found["error"]["code"] == code), (path, found)
    basket = [str(pk) for pk in Product.objects.values_list("pk", flat=True)[:2]]
    for product_ids in (basket, []):
        status, found = asked(api, "basket-recommendations/", {"product_ids": product_ids})
        assert status == 200
        assert found["recommendations"] or found["note"]
    variant = ProductVariant.objects.order_by("pk")[0]
    for level, one in (("product", variant.product_id), ("variant", variant.pk)):
        status, found = asked(api, "predict-sales/", {"level": level, "id": str(one)})
        assert (status, found.get("receipt", {}).get("level")) == (200, level), found
        for day in found["predictions"]:
            assert 0 <= day["quantity_lower"] <= day["predicted_quantity"] <= day["quantity_upper"]
    for body in ({"days_ahead": 30}, {"days_ahead": 365, "coverage": 0.99}):
        status, found = asked(api, "predict-sales/", body)
        assert (status, len(found["predictions"])) == (200, body["days_ahead"])
        for day in found["predictions"]:
            assert day["predicted_sales"] >= 0  # a lower bound may be below: more may come back than is sold
            assert day["confidence_lower"] <= day["predicted_sales"] <= day["confidence_upper"]
        total = found["summary"]
        assert total["total_lower"] <= total["total_predicted_sales"] <= total["total_upper"]
        assert found["receipt"]["low_confidence"]
        assert "Low confidence" in found["receipt"]["notes"][0]
        if strange is not all_for_nothing:
            assert total["total_upper"] > 1.5 * total["total_predicted_sales"] > 0  # the width is honest
