"""Each fault planted once is found once, with its examples; a shop without faults has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from retail_ml import frames, quality
from retail_ml.tests.recommend.small import AS_OF, order_lines


def shop(days: int = 30) -> quality.Tables:
    """One order a day by a customer, of one of two products; everything filled in."""
    orders = {f"o{i}": ["a" if i % 2 else "b"] for i in range(days)}
    when = {f"o{i}": AS_OF - timedelta(days=i) for i in range(days)}
    lines = order_lines(orders, days=when, customers=dict.fromkeys(orders, "7"))
    products = pl.DataFrame(
        [
            {"product_id": one, "name": name, "category": "Shoes", "brand": "", "description": "red", "price": 10.0,
             "active": True, "image_url": "", "created": None}
            for one, name in (("a", "Boot"), ("b", "Sandal"))
        ],
        schema=frames.PRODUCTS,
    )  # fmt: skip
    stock = pl.DataFrame(
        [
            {"variant_id": f"{one}-1", "product_id": one, "sku": one.upper(), "options": "", "active": True,
             "on_hand": 5.0, "reserved": 0.0, "on_order": 0.0, "drafted": 0.0, "price": 10.0, "cost": 4.0,
             "pack_size": 1.0, "minimum_order": 1.0, "lead_time_days": 7.0, "lead_time_sd": 1.0, "supplier_id": "1",
             "supplier": "Norte", "season_end": None, "minimum_order_value": 0.0}
            for one in "ab"
        ],
        schema=frames.STOCK,
    )  # fmt: skip
    return quality.Tables(lines, products, stock)


def first(tables: quality.Tables, table: str, *, row: int = 0, **values: object) -> quality.Tables:
    """The tables with some values of one row changed."""
    frame = getattr(tables, table).with_row_index("at_row")
    changed = frame.with_columns(
        **{
            name: pl.when(pl.col("at_row") == row).then(pl.lit(value, dtype=frame.schema[name])).otherwise(name)
            for name, value in values.items()
        }
    )
    return replace(tables, **{table: changed.drop("at_row")})


def test_a_shop_without_faults_has_none():
    assert quality.look(shop()) == []


PLANTED = [
    ("free_lines", "lines", {"amount": 0.0}),
    ("no_units", "lines", {"units": 0.0}),
    ("price_far_off", "lines", {"amount": 1_000.0}),
    ("price_far_off", "lines", {"amount": 0.1}),
    ("giant_quantity", "lines", {"units": 500.0, "amount": 5_000.0}),
    ("no_category", "products", {"category": " "}),
    ("no_description", "products", {"description": ""}),
    ("no_price", "products", {"price": None}),
    ("below_zero", "stock", {"on_hand": -1.0}),
    ("no_cost", "stock", {"cost": None}),
    ("dearer_than_its_price", "stock", {"cost": 11.0}),
    ("no_supplier", "stock", {"supplier_id": None}),
    ("no_lead_time", "stock", {"lead_time_days": None}),
]


@pytest.mark.parametrize(("code", "table", "values"), PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(code: str, table: str, values: dict):
    (found,) = quality.look(first(shop(), table, **values))
    assert (found.code, found.count) == (code, 1)
    assert found.of == getattr(shop(), table).height
    assert len(found.examples) == 1


def test_lines_that_stand_twice_are_named_once():
    tables = shop()
    (found,) = quality.look(replace(tables, lines=pl.concat([tables.lines, tables.lines.head(2)])))
    assert (found.code, found.count) == ("entered_twice", 2)


def test_what_came_back_more_than_it_was_sold_and_what_came_back_at_once():
    tables = shop()
    back = tables.lines.head(1).with_columns(is_return=True, units=-pl.col("units"), amount=-pl.col("amount"))
    (found,) = quality.look(replace(tables, lines=pl.concat([tables.lines, back])))
    assert (found.code, found.count) == ("same_day_back", 2)
    later = back.with_columns(units=pl.lit(-99.0), day=pl.col("day") - timedelta(days=1))
    (found,) = quality.look(replace(tables, lines=pl.concat([tables.lines, later])))
    assert (found.code, found.examples[0]["returned"]) == ("more_back_than_sold", 99.0)


def test_weeks_without_a_sale_are_named_from_and_to():
    tables = shop(60)
    gap = pl.col("day").is_between(date(2026, 6, 2), date(2026, 6, 20))
    (found,) = quality.look(replace(tables, lines=tables.lines.filter(~gap)))
    assert found.examples == [{"first": "2026-06-02", "last": "2026-06-20", "days": 19}]
    short = pl.col("day").is_between(date(2026, 6, 2), date(2026, 6, 14))
    assert quality.look(replace(tables, lines=tables.lines.filter(~short))) == []


def test_guests_matter_where_they_are_the_majority():
    tables = shop()
    for share, codes in ((0.4, []), (0.6, ["mostly_guests"])):
        guest = pl.int_range(pl.len()) < share * 30
        lines = tables.lines.with_columns(customer_id=pl.when(guest).then(None).otherwise("customer_id"))
        assert [one.code for one in quality.look(replace(tables, lines=lines))] == codes


def test_times_of_day_tell_of_files_without_them_and_of_other_time_zones():
    tables = shop()
    midnight = replace(tables, lines=tables.lines.with_columns(at=pl.col("at").dt.truncate("1d")))
    assert [(one.code, one.count, one.of) for one in quality.look(midnight)] == [("at_midnight", 30, 30)]
    assert quality.look(replace(midnight, zone="America/Lima")) == []  # 19 o'clock there
    nights = pl.when(pl.int_range(pl.len()) < 11).then(pl.duration(hours=3)).otherwise(pl.duration(hours=15))
    night = replace(midnight, lines=midnight.lines.with_columns(at=pl.col("at") + nights))
    assert [(one.code, one.count, one.of) for one in quality.look(night)] == [("at_night", 11, 30)]
    assert quality.look(replace(night, zone="Asia/Karachi")) == []


def test_the_future_is_told_where_it_is_known_what_time_it_is():
    tables = shop()
    newest = tables.lines["at"].max()
    assert quality.look(replace(tables, now=newest)) == []
    (found,) = quality.look(replace(tables, now=newest - timedelta(days=2)))
    assert (found.code, found.count) == ("future_dates", 2)


def test_gift_cards_and_tests_are_known_by_their_words():
    for name in ("Gift card 50", "e-gift voucher", "Tarjeta regalo", "CHEQUE-REGALO"):
        assert [(one.code, one.count) for one in quality.look(first(shop(), "products", name=name))] == [
            ("gift_cards", 15)
        ]
    for name in ("Gift box", "Card holder", "Regalo"):
        assert quality.look(first(shop(), "products", name=name)) == []
    (found,) = quality.look(first(shop(), "lines", order_id="TEST-1"))
    assert (found.code, found.count) == ("test_orders", 1)
    assert quality.look(first(shop(), "lines", order_id="CONTEST", customer_id="latest@shop.com")) == []


def test_what_is_seldom_sold_is_measured_by_the_shops_large_quantities():
    tables = shop()
    many = replace(
        tables,
        lines=pl.concat([tables.lines] * 10).with_row_index("n").with_columns(order_id=pl.format("{}", "n")).drop("n"),
    )
    tables = first(many, "lines", variant_id="rare", units=80_995.0, amount=809_950.0)
    assert [(one.code, one.count) for one in quality.look(tables)] == [("giant_quantity", 1)]


def test_names_that_two_products_share_and_a_stock_that_nobody_counted():
    tables = first(shop(), "products", name=" SANDAL")
    assert [(one.code, one.count) for one in quality.look(tables)] == [("same_name", 2)]
    assert [one.code for one in quality.look(replace(shop(), counts_stock=False))] == ["never_counted"]
