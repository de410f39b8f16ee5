"""What every source must say of the same shop: subclass it in a test module that has a fixture `filler`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from polars.testing import assert_frame_equal

from ml_predictions.sources import currency_of
from ml_predictions.sources.base import OPTIONAL_READS, Source, read_optional
from ml_predictions.testing.runs import decided_nothing
from ml_predictions.testing.shops import SMALL, SOLD_IN_SMALL, Filler, Order, Shop, boutique
from retail_ml import daily, frames

READS = ("order_lines", "products", "stock", "customers", "stock_history", "left_out", "available", "data_until")
COUNTED = {"lines", "orders", "customers", "products", "variants", "returns", "last_order"}


class SourceContract:
    """The suite. The setting TIME_ZONE is Europe/Madrid, LIVE is no and CURRENCY is empty, unless a test says so."""

    @pytest.fixture(autouse=True)
    def _shop_settings(self, settings: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        decided_nothing(monkeypatch)
        own = {"TIME_ZONE": "Europe/Madrid", "LIVE": "no", "CURRENCY": ""}
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **own}

    @pytest.fixture
    def small(self, filler: Filler) -> Source:
        """The source over `SMALL`."""
        filler.fill(SMALL)
        return filler.source()

    # --- sales ----------------------------------------------------------------------------------

    def test_an_empty_shop_has_empty_tables_and_no_data_until(self, filler: Filler) -> None:
        """Nothing is there, and nothing fails."""
        filler.fill(Shop())
        shop = filler.source()
        assert shop.data_until() is None
        for table in (shop.order_lines(), shop.products(), shop.stock(), shop.customers()):
            assert table.is_empty()
        assert shop.left_out().counts == {}
        assert shop.available() == {}
        assert not shop.counts_stock()
        assert shop.fingerprint()["orders"] == 0
        assert shop.purchases(customer_id="1").is_empty()
        assert shop.buyers(["1"], since=date(2026, 1, 1)).is_empty()

    def test_every_table_has_the_columns_and_types_of_its_frame(self, small: Source) -> None:
        """Also the optional ones, where the shop has them."""
        frames.check(small.order_lines(), frames.ORDER_LINES, name="order lines")
        frames.check(small.products(), frames.PRODUCTS, name="products")
        frames.check(small.stock(), frames.STOCK, name="stock")
        frames.check(small.customers(), frames.CUSTOMERS, name="customers")
        history = small.stock_history()
        if history is not None:
            frames.check(history, frames.STOCK_HISTORY, name="stock history")
        for read, schema in OPTIONAL_READS.items():
            assert read_optional(small, read).columns == list(schema)

    def test_what_was_sold(self, filler: Filler, small: Source) -> None:
        """Status, test orders, currency, future, returns and business days in one: see `SMALL`."""
        rows = told(filler, small.order_lines())
        assert sorted(rows, key=str) == sorted(expected(filler), key=str)
        at = small.order_lines()["at"]
        assert at.equals(at.sort())

    def test_the_lines_of_one_customer_and_from_a_day_on(self, filler: Filler, small: Source) -> None:
        """A part of the very same rows."""
        whole, ana = small.order_lines(), filler.ids("customer")["ana"]
        mine = whole.filter(pl.col("customer_id") == ana)
        assert mine.height >= 3
        assert small.order_lines(customer_id=ana).equals(mine)
        since = date(2026, 4, 1)  # in Madrid; an order of that night was placed on 31 March in UTC
        assert small.order_lines(since=since).equals(whole.filter(pl.col("day") >= since))
        assert small.order_lines(since=since).height == 3
        assert small.order_lines(customer_id=ana, since=since).height == 1
        assert small.order_lines(customer_id="no such one").is_empty()

    def test_the_data_reach_until_the_last_sale(self, small: Source) -> None:
        """Not until the order of 2099, and not until a pending one; everything is as of the day before."""
        until = small.data_until()
        assert until is not None
        assert (until.at, until.live) == (datetime(2026, 4, 14, 11, tzinfo=UTC), False)
        assert until.as_of == date(2026, 4, 13)

    def test_a_live_shop_reaches_until_now(self, filler: Filler, settings: Any) -> None:
        """By the setting, and by itself when it has sold something lately."""
        filler.fill(SMALL)
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "LIVE": "auto"}
        assert_until(filler.source(), live=False)
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "LIVE": "yes"}
        assert_until(filler.source(), live=True)
        assert filler.source().left_out().counts["after_data_until"] == 1

    def test_what_is_left_out_is_counted_by_reason(self, filler: Filler, small: Source) -> None:
        """Pending orders are no sales and not counted."""
        wanted = {"test_order": 1, "other_currency": 1, "after_data_until": 1}
        if "test orders" in filler.lacks:
            del wanted["test_order"]
        assert small.left_out().counts == wanted

    def test_the_currency_is_the_one_most_orders_have_unless_the_setting_says_another(
        self, filler: Filler, small: Source, settings: Any
    ) -> None:
        """Counted in another currency the same shop has sold one thing."""
        assert currency_of(small) == "EUR"
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "CURRENCY": "USD"}
        dollars = filler.source()
        assert currency_of(dollars) == "USD"
        assert [row[0] for row in told(filler, dollars.order_lines().filter(~pl.col("is_return")))] == ["6"]
        assert dollars.left_out().counts["other_currency"] >= 6

    # --- the range and its stock ------------------------------------------------------------------

    def test_the_range(self, filler: Filler, small: Source) -> None:
        """Names, categories, prices, and what is withdrawn."""
        ids = filler.ids("product")
        table = small.products()
        rows = {row["product_id"]: row for row in table.iter_rows(named=True)}
        assert set(rows) == set(ids.values())
        for product in SMALL.products:
            row = rows[ids[product.code]]
            assert (row["name"], row["category"], row["description"]) == (
                product.name, product.category, product.description,
            )  # fmt: skip
            assert (row["price"], row["active"]) == (float(product.price), product.active)
        assert small.products(ids=[ids["B"], "no such one"]).equals(table.filter(pl.col("product_id") == ids["B"]))
        assert small.products(ids=[]).is_empty()

    def test_the_stock(self, filler: Filler, small: Source) -> None:
        """On the shelf, promised, at what price and cost, of which product."""
        variants, products = filler.ids("variant"), filler.ids("product")
        table = small.stock()
        rows = {row["variant_id"]: row for row in table.iter_rows(named=True)}
        assert set(rows) == set(variants.values())
        for product in SMALL.products:
            for variant in product.variants:
                row = rows[variants[variant.sku]]
                assert (row["product_id"], row["sku"]) == (products[product.code], variant.sku)
                assert (row["on_hand"], row["reserved"]) == (variant.on_hand, variant.reserved)
                assert (row["price"], row["active"]) == (float(product.price), product.active)
                known = variant.cost is not None and "cost" not in filler.lacks
                assert row["cost"] == (float(variant.cost or 0) if known else None)
                assert min(row["pack_size"], row["minimum_order"]) >= 1
        assert small.stock(product_ids=[products["A"]])["sku"].sort().to_list() == ["A-M", "A-S"]
        assert small.stock(variant_ids=[variants["B-1"], "no such one"])["sku"].to_list() == ["B-1"]
        assert small.stock(product_ids=[]).is_empty()

    def test_what_is_available_is_on_hand_and_not_promised(self, filler: Filler, small: Source) -> None:
        """Of active variants alone."""
        ids = filler.ids("product")
        assert small.counts_stock()
        assert small.available() == {ids["A"]: 6.0, ids["B"]: 0.0}
        assert small.available(product_ids=[ids["A"], "no such one"]) == {ids["A"]: 6.0}

    def test_a_shop_that_never_counted_has_infinitely_many(self, filler: Filler) -> None:
        """A stock of 0 means that nobody knows."""
        products = boutique(orders=0, products=2).products
        filler.fill(Shop(products, counted=False))
        shop = filler.source()
        assert not shop.counts_stock()
        assert shop.available() == dict.fromkeys(filler.ids("product").values(), float("inf"))

    # --- customers --------------------------------------------------------------------------------

    def test_the_customers(self, filler: Filler, small: Source) -> None:
        """Those who never bought, too."""
        ids = filler.ids("customer")
        guests = {found for found in [filler.guest_id("guest@mail.test")] if found}
        assert set(small.customers()["customer_id"]) == set(ids.values()) | guests
        assert all(small.customer_exists(one) for one in ids.values())
        for unknown in ("999999999", "x", ""):
            assert not small.customer_exists(unknown)

    def test_what_one_customer_ever_bought(self, filler: Filler, small: Source) -> None:
        """In any currency, on whichever day; one row per order and product."""
        table = small.purchases(customer_id=filler.ids("customer")["ana"])
        assert table.columns == ["order_id", "product_id", "day"]
        assert set(named(filler, table, "order", "product")) == {
            ("1", "A", date(2026, 3, 2)), ("1", "B", date(2026, 3, 2)), ("4", "B", date(2026, 4, 10)),
            ("6", "A", date(2026, 4, 12)), ("8", "A", date(2099, 1, 1)),
        }  # fmt: skip
        assert small.purchases(customer_id="no such one").is_empty()

    def test_who_bought_some_products_and_all_their_visits(self, filler: Filler, small: Source) -> None:
        """No guests, nothing of the future, nothing that was no sale."""
        ids = filler.ids("product")
        table = small.buyers([ids["A"], ids["B"], "no such one"], since=date(2026, 3, 3))
        assert table.columns == ["customer_id", "order_id", "product_id", "day"]
        assert set(named(filler, table, "customer", "order", "product")) == {
            ("ben", "2", "A", date(2026, 3, 5)), ("ana", "4", "B", date(2026, 4, 10)),
            ("ana", "6", "A", date(2026, 4, 12)),
        }  # fmt: skip
        visits = small.visits_of_buyers([ids["C"]], since=date(2026, 3, 1))
        assert visits.columns == ["customer_id", "order_id", "day"]
        assert set(named(filler, visits, "customer", "order")) == {
            ("ben", "2", date(2026, 3, 5)), ("ben", "9", date(2026, 4, 14)),
        }  # fmt: skip

    # --- the same, and as quickly, by every read ------------------------------------------------------

    def test_every_read_tells_the_same_numbers(self, filler: Filler) -> None:
        """A shop of 30 orders: its revenue to the cent, and each customer's part of it."""
        shop = boutique(orders=30, products=6, customers=8, days=60)
        filler.fill(shop)
        source = filler.source()
        lines = source.order_lines()
        sold = sum(float(line.amount) for order in shop.orders for line in order.lines)
        back = 0.0 if "returns" in filler.lacks else sum(float(one.amount) for one in shop.came_back)
        assert lines["amount"].sum() == pytest.approx(sold - back, abs=0.001)
        assert lines.filter(~pl.col("is_return"))["order_id"].n_unique() == 30
        assert lines.equals(filler.source().order_lines())
        for customer in filler.ids("customer").values():
            mine = lines.filter(pl.col("customer_id") == customer, ~pl.col("is_return"))
            bought = source.purchases(customer_id=customer)
            assert set(bought.rows()) == set(mine.select("order_id", "product_id", "day").rows())
        stock = source.stock().with_columns(free=pl.col("on_hand") - pl.col("reserved"))
        assert source.available() == dict(stock.group_by("product_id").agg(pl.col("free").sum()).iter_rows())

    def test_days_that_the_shop_adds_up_are_the_sums_of_its_lines(self, filler: Filler) -> None:
        """Of the whole, a category, a product and a variant, from the beginning and from a day on."""
        source = _two_small_shops(filler)
        if not hasattr(source, "sold_by_day"):
            pytest.skip("this shop does not add up days; its lines are read")
        until, products = source.data_until().as_of, source.products().select("product_id", "category")
        lines = source.order_lines().join(products, on="product_id", how="left")
        columns = {"total": None, "category": "category", "product": "product_id", "variant": "variant_id"}
        for level, column in columns.items():
            one = "" if column is None else lines.filter(pl.col(column) != "")[column].mode().sort()[0]
            mine = lines if column is None else lines.filter(pl.col(column) == one)
            for since in (None, lines["day"].max() - timedelta(days=20)):
                wanted = frames.daily_sales(
                    mine if since is None else mine.filter(pl.col("day") >= since), [], until=until
                )
                found = source.sold_by_day(since=since, level=level, object_id=one)
                assert found.height > 1
                assert_frame_equal(found, wanted, abs_tol=1e-6)

    def test_lines_that_the_shop_adds_up_are_its_lines(self, filler: Filler) -> None:
        """Per variant, or customer, and day, with what was reversed on its day, and orders."""
        source = _two_small_shops(filler)
        if not hasattr(source, "daily_lines"):
            pytest.skip("this shop does not add up its lines; they are read")
        whole = source.order_lines().drop("day").lazy()
        wanted = daily.customer_lines([whole], time_zone=source.data_until().time_zone)
        for mine, theirs in zip((*source.customer_lines(), source.daily_lines()), (*wanted, wanted[1]), strict=True):
            assert_frame_equal(mine.drop("orders"), theirs.drop("orders"))
            sums = [table.group_by("day", "reversed").agg(pl.col("orders").sum()) for table in (mine, theirs)]
            assert_frame_equal(*sums, check_row_order=False)

    def test_no_read_asks_more_often_in_a_larger_shop(self, filler: Filler) -> None:
        """Thirty orders, and a hundred of a wider range: as many queries."""
        filler.fill(boutique(orders=30, products=6, customers=8, days=60))
        few = queries(filler)
        filler.fill(renumbered(boutique(orders=70, products=9, customers=20, days=60)))
        assert filler.source().fingerprint()["orders"] == 100
        assert queries(filler) == few

    def test_the_fingerprint_changes_when_something_is_sold(self, filler: Filler) -> None:
        """And is nothing that JSON could not hold."""
        shop = boutique(orders=30, products=6, customers=8, days=60)
        filler.fill(shop)
        before = filler.source().fingerprint()
        assert set(before) >= COUNTED
        assert json.loads(json.dumps(before)) == before == filler.source().fingerprint()
        more = Order("more", shop.orders[-1].at + timedelta(minutes=1), shop.orders[-1].lines)
        filler.fill(Shop(orders=(more,)))
        after = filler.source().fingerprint()
        assert (after["orders"], after["lines"]) == (31, before["lines"] + len(more.lines))
        assert after["last_order"] != before["last_order"]


# --- in our own words ---------------------------------------------------------------------------------


def _two_small_shops(filler: Filler) -> Any:
    """A shop filled with the small one and, beside it, another of more days."""
    filler.fill(SMALL)
    filler.fill(renumbered(boutique(orders=30, products=6, customers=8, days=60)))
    return filler.source()


def named(filler: Filler, table: pl.DataFrame, *kinds: str) -> list[tuple[Any, ...]]:
    """Rows with our names in the place of the shop's ids; a guest whom the shop knows is None like any other."""
    names = {kind: {found: ours for ours, found in filler.ids(kind).items()} for kind in kinds}
    others = {kind: set(table[f"{kind}_id"].drop_nulls()) - set(names[kind]) for kind in kinds}
    assert others.pop("customer", set()) <= {filler.guest_id("guest@mail.test")}
    assert not any(others.values()), f"ids that nobody has: {others}"
    columns = [pl.col(f"{kind}_id").replace_strict(names[kind], default=None, return_dtype=pl.String) for kind in kinds]
    return table.with_columns(columns).rows()


def told(filler: Filler, lines: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Order lines in our own words."""
    return named(filler, lines, "order", "customer", "product", "variant")


def expected(filler: Filler) -> list[tuple[Any, ...]]:
    """What the order lines of `SMALL` must be, in a shop that lacks what this one lacks."""
    return [row for row in SOLD_IN_SMALL if not (row[-1] and "returns" in filler.lacks)]


def assert_until(source: Source, *, live: bool) -> None:
    """Live: until now, to the minute."""
    until = source.data_until()
    assert until is not None
    assert until.live is live
    assert (abs(datetime.now(UTC) - until.at) < timedelta(minutes=1)) is live


def queries(filler: Filler) -> dict[str, int]:
    """How many queries each read takes of a new source."""
    ids = list(filler.ids("product").values())[:5]
    since = date(2026, 1, 1)
    found = {}
    for read in READS:
        source = filler.source()
        with CaptureQueriesContext(connection) as asked:
            getattr(source, read)()
        found[read] = len(asked)
    for read in ("buyers", "visits_of_buyers"):
        source = filler.source()
        with CaptureQueriesContext(connection) as asked:
            getattr(source, read)(ids, since=since)
        found[read] = len(asked)
    return found


def renumbered(shop: Shop, mark: str = "N") -> Shop:
    """The shop with other numbers, codes and names, to be filled in beside another."""
    from dataclasses import replace

    def lines(found: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(replace(line, sku=mark + line.sku) for line in found)

    products = tuple(
        replace(p, code=mark + p.code, name=f"{p.name} {mark}", variants=lines(p.variants)) for p in shop.products
    )
    orders = tuple(
        replace(o, number=mark + o.number, customer=o.customer and mark + o.customer, lines=lines(o.lines))
        for o in shop.orders
    )
    back = tuple(replace(b, number=mark + b.number, sku=mark + b.sku) for b in shop.came_back)
    return Shop(products, tuple(mark + c for c in shop.customers), orders, back, shop.counted)
