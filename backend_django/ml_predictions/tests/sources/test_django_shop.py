"""The shop's own tables as frames: what counts, what is left out, in how many queries."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from authentication.models import User
from ml_predictions.sources.base import stock_history_since
from ml_predictions.sources.django_shop import DjangoShop
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem
from retail_ml import frames
from retail_ml.shelf import walk_back

pytestmark = pytest.mark.postgres


@pytest.fixture
def variant(db):
    product = Product.objects.create(name="Linen dress", price=Decimal("49.90"))
    return ProductVariant.objects.create(product=product, sku="D-1", options={"size": "S", "color": "red"})


def sell(variant, number, at, *, units=1, price="10.00", **order):
    order = Order.objects.create(order_number=number, placed_at=at, **{"status": "completed", **order})
    return OrderItem.objects.create(order=order, variant=variant, units=units, unit_price=Decimal(price))


def test_an_empty_shop_has_empty_tables_and_no_data_until(db):
    shop = DjangoShop()
    assert shop.data_until() is None
    assert shop.order_lines().is_empty()
    assert shop.products().is_empty()
    assert shop.stock().is_empty()
    assert shop.customers().is_empty()
    assert shop.left_out().counts == {}
    assert shop.fingerprint()["orders"] == 0


def test_sales_are_delivered_or_completed_orders_that_are_no_tests_in_the_shops_currency(variant):
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    for i, status in enumerate(Order.Status.values):
        sell(variant, f"S{i}", at + timedelta(hours=i), status=status)
    sell(variant, "T", at, is_test=True)
    sell(variant, "C", at, currency="USD")
    shop = DjangoShop()
    numbers = dict(Order.objects.values_list("id", "status"))
    assert {numbers[int(i)] for i in shop.order_lines()["order_id"]} == {"delivered", "completed"}
    assert shop.left_out().counts == {"test_order": 1, "other_currency": 1}


def test_a_future_order_is_left_out_and_counted(variant):
    sell(variant, "A", datetime(2026, 3, 2, 10, tzinfo=UTC))
    sell(variant, "B", datetime(2099, 1, 1, tzinfo=UTC))
    shop = DjangoShop()
    assert len(shop.order_lines()) == 1
    assert shop.left_out().counts == {"after_data_until": 1}
    assert shop.data_until().as_of == date(2026, 3, 1)


def test_the_business_day_is_the_shops_own(variant, settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "TIME_ZONE": "Europe/Madrid"}
    sell(variant, "A", datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    assert DjangoShop().order_lines()["day"].to_list() == [date(2026, 7, 1)]


def test_a_return_is_a_negative_row_on_the_day_it_came_back(variant):
    item = sell(variant, "A", datetime(2026, 3, 2, 10, tzinfo=UTC), units=3, price="10.50")
    OrderReturn.objects.create(
        item=item, units=2, amount=Decimal("21.00"), returned_at=datetime(2026, 3, 9, 10, tzinfo=UTC)
    )
    lines = DjangoShop().order_lines()
    assert lines.select("day", "units", "amount", "is_return").rows() == [
        (date(2026, 3, 2), 3.0, 31.5, False),
        (date(2026, 3, 9), -2.0, -21.0, True),
    ]
    assert lines["customer_id"].null_count() == 2


def test_cents_survive_a_thousand_whole_prices(variant):
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    order = Order.objects.create(order_number="A", placed_at=at, status="completed")
    prices = [Decimal("10.00")] * 1_000 + [Decimal("2.50")]
    OrderItem.objects.bulk_create(
        OrderItem(order=order, variant=variant, units=1, unit_price=p, amount=p) for p in prices
    )
    assert DjangoShop().order_lines()["amount"].sum() == pytest.approx(10_002.5, abs=1e-9)


def test_the_lines_of_one_customer(shop):
    source = DjangoShop()
    everything = source.order_lines()
    someone = everything["customer_id"].drop_nulls().mode().sort()[0]
    expected = everything.filter(pl.col("customer_id") == someone)
    assert source.order_lines(customer_id=someone).equals(expected)
    assert source.order_lines(customer_id="no number").is_empty()
    since = expected["day"].max()
    assert source.order_lines(customer_id=someone, since=since)["day"].unique().to_list() == [since]


def test_lines_since_a_day_are_those_of_the_whole_from_it_on(shop):
    everything = DjangoShop().order_lines()
    for back in (0, 20, 90):
        since = everything["day"].max() - timedelta(days=back)
        expected = everything.filter(pl.col("day") >= since)
        assert DjangoShop().order_lines(since=since).equals(expected)
        assert back < 90 or expected["is_return"].any()


@pytest.mark.parametrize("time_zone", ["Europe/Madrid", "Asia/Kolkata", "America/Santiago"])
def test_days_added_up_by_the_database_are_those_of_the_lines(shop, settings, time_zone):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "TIME_ZONE": time_zone}
    order = Order.objects.filter(status="completed").earliest("placed_at")
    other = Order.objects.create(order_number="other", status="completed", currency="USD", placed_at=order.placed_at)
    test = Order.objects.create(order_number="test", status="completed", is_test=True, placed_at=order.placed_at)
    for wrong in (other, test):
        item = OrderItem.objects.create(order=wrong, variant_id=order.items.first().variant_id, units=7, unit_price=9)
        OrderReturn.objects.create(item=item, units=1, amount=9, returned_at=order.placed_at + timedelta(days=1))
    source = DjangoShop()
    until, lines, products = source.data_until().as_of, source.order_lines(), source.products()
    named = lines.join(products.select("product_id", "category"), on="product_id")
    first = named.row(0, named=True)
    parts = {"total": "", "category": first["category"], "product": first["product_id"],
             "variant": first["variant_id"]}  # fmt: skip
    for level, object_id in parts.items():
        column = {"category": "category", "product": "product_id", "variant": "variant_id"}.get(level)
        mine = named if column is None else named.filter(pl.col(column) == object_id)
        for since in (date(2020, 1, 1), until - timedelta(days=200)):
            expected = frames.daily_sales(mine.filter(pl.col("day") >= since), [], until=until)
            found = source.sold_by_day(since=since, level=level, object_id=object_id)
            assert found["day"].equals(expected["day"])
            for name in ("sales", "units"):
                assert found[name].to_list() == pytest.approx(expected[name].to_list(), abs=1e-6)
    assert source.sold_by_day(since=until, level="product", object_id="none").is_empty()


def test_changes_before_a_day_are_one_sum_per_variant_and_the_shelf_from_then_on_is_the_same(variant):
    rng, begin = np.random.default_rng(5), datetime(2026, 1, 1, tzinfo=UTC)
    ids = [variant.pk]
    for number in range(19):
        ids.append(ProductVariant.objects.create(product=variant.product, sku=f"N-{number}").pk)
    for place, key in enumerate(ids):
        days = np.sort(rng.integers(0, 12 if place % 4 == 0 else 60, rng.integers(1, 25)))
        units, left = [], 0
        for number in range(len(days)):  # sells what is there, gets more when it is empty, is wrong now and then
            units.append(int(rng.integers(1, 9)) if left <= 0 else -int(rng.integers(1, left + 1 + (place % 5 == 0))))
            left += units[number]
        StockMovement.objects.bulk_create(
            StockMovement(variant_id=key, kind="adjustment", units=n, at=begin + timedelta(days=int(d), minutes=i))
            for i, (d, n) in enumerate(zip(days, units, strict=True))
        )
        ProductVariant.objects.filter(pk=key).update(stock=left)
    source = DjangoShop()
    whole, stock, lines = source.stock_history(), source.stock(), source.order_lines()
    names = stock["variant_id"].sort().to_numpy().astype(str)
    for first in (0, 1, 15, 40, 70):
        start = (begin + timedelta(days=first)).date()
        part = stock_history_since(source, start)
        assert part.height == whole.filter(pl.col("day") >= start).height + (part["kind"] == "earlier").sum()
        assert (part["kind"] == "earlier").sum() == whole.filter(pl.col("day") < start)["variant_id"].n_unique()
        found, expected = (
            walk_back(one, stock, lines, ids=names, start=start, days=75 - first) for one in (part, whole)
        )
        assert found.counts == expected.counts
        assert found.counts["below_zero"] or first
        for name in ("out", "ran_out", "trusted"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_the_currency_is_the_one_that_most_orders_have(variant):
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert DjangoShop().currency == "EUR"
    sell(variant, "A", at, currency="GBP")
    assert DjangoShop().currency == "GBP"
    for number in ("B", "C"):
        sell(variant, number, at, currency="EUR")
    sell(variant, "D", at, currency="USD")
    assert DjangoShop().currency == "EUR"


def test_stock_counts_what_is_on_order_and_drafted(variant):
    supplier = Supplier.objects.create(name="Norte", lead_time_days=9, lead_time_sd=3)
    SupplierItem.objects.create(variant=variant, supplier=supplier)
    for number, status in (("1", "confirmed"), ("2", "draft"), ("3", "received"), ("4", "cancelled")):
        order = PurchaseOrder.objects.create(number=number, supplier=supplier, status=status)
        PurchaseOrderLine.objects.create(
            purchase_order=order, variant=variant, units=10 * int(number), received_units=4, unit_cost=1
        )
    row = DjangoShop().stock().to_dicts()[0]
    assert (row["on_order"], row["drafted"], row["lead_time_days"], row["lead_time_sd"]) == (6, 16, 9, 3)
    assert (row["options"], row["price"], row["cost"], row["supplier"]) == ("S · red", 49.9, None, "Norte")
    assert row["active"]


def test_a_variants_own_lead_time_and_price_win_and_an_inactive_product_makes_it_inactive(variant):
    supplier = Supplier.objects.create(name="Norte", lead_time_days=9)
    SupplierItem.objects.create(variant=variant, supplier=supplier)
    ProductVariant.objects.update(lead_time_days=3, price=Decimal("7.25"))
    Product.objects.update(status="discontinued")
    row = DjangoShop().stock(product_ids=[str(variant.product_id)]).to_dicts()[0]
    assert (row["lead_time_days"], row["price"], row["active"]) == (3, 7.25, False)
    assert DjangoShop().stock(product_ids=["0"]).is_empty()


def test_what_is_available_is_on_hand_and_not_promised_or_unknown(variant):
    shop, product = DjangoShop(), str(variant.product_id)
    assert not shop.counts_stock()
    assert shop.available(product_ids=[product, "999"]) == {product: float("inf")}
    StockMovement.objects.create(variant=variant, kind="opening", units=5)
    ProductVariant.objects.update(stock=5, reserved=5)
    assert shop.counts_stock()
    assert shop.available(product_ids=[product]) == {product: 0.0}
    ProductVariant.objects.update(reserved=2)
    for size, stock in (("L", -4), ("XL", 6)):
        ProductVariant.objects.create(product=variant.product, sku=f"more-{size}", stock=stock)
    assert shop.available() == {product: 3.0 + 6.0}  # what is below zero counts as none
    ProductVariant.objects.update(is_active=False)
    assert shop.available(product_ids=[product]) == {}


def test_an_order_of_the_last_days_makes_the_shop_live(variant, settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "LIVE": "auto"}
    sell(variant, "A", datetime.now(UTC) - timedelta(days=2))
    until = DjangoShop().data_until()
    assert until.live
    assert datetime.now(UTC) - until.at < timedelta(minutes=1)


def test_the_number_of_queries_does_not_grow_with_the_shop(make_shop, django_assert_max_num_queries):
    make_shop(orders=120, products=12, customers=20)
    source = DjangoShop()
    with django_assert_max_num_queries(12):
        source.order_lines(), source.products(), source.stock(), source.customers(), source.stock_history()


def test_every_frame_passes_its_check_and_customers_are_found(shop):
    source = DjangoShop()
    history = source.stock_history()
    assert history is not None
    assert history["units"].sum() == source.stock()["on_hand"].sum()
    assert len(source.customers()) == User.objects.filter(role="customer").count()
    one = source.customers()["customer_id"][0]
    assert source.customer_exists(one)
    assert not source.customer_exists("999999999")
    assert not source.customer_exists("x")
    assert frames.check(source.products(), frames.PRODUCTS, name="products").height == 24
