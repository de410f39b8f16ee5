"""The stock of the past from levels at the time of sale: movements that agree, and the stock-outs that they show."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import shelf_history, undo
from ingest.models import ImportRun
from ingest.tests.platforms import GOLDEN, run, write_cells
from products.models import ProductVariant, StockMovement
from retail_ml import shelf

HEADER = ["order", "date", "sku", "quantity", "price", "in_stock"]
SALES = [
    ["1", "2026-01-01 12:00", "A", "1", "10", "3"],
    ["2", "2026-01-03 12:00", "A", "2", "10", "2"],  # the last two
    ["3", "2026-01-19 12:00", "A", "1", "10", "4"],
    ["4", "2026-01-21 12:00", "A", "1", "10", "3"],
    ["5", "2026-01-23 12:00", "A", "1", "10", ""],
]


def sold(rows: list[tuple[int, int, int | None]]) -> pl.DataFrame:
    """Sales of one SKU: day, units, level."""
    named = [
        ("A", datetime(2026, 1, day, 12, tzinfo=UTC), units, level, str(n))
        for n, (day, units, level) in enumerate(rows)
    ]
    return pl.DataFrame(named, schema=shelf_history.LEVELS, orient="row")


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_stock_out_is_seen_where_the_levels_say_it(tmp_path: Path) -> None:
    run(write_cells(tmp_path / "a.csv", [HEADER, *SALES]), preset="generic", time_zone="UTC")
    variant = ProductVariant.objects.get()
    moves = pl.DataFrame(
        list(variant.movements.values_list("at", "units", "kind")), schema=["at", "units", "kind"], orient="row"
    )
    assert variant.stock == moves["units"].sum() == 1
    history = moves.with_columns(
        variant_id=pl.lit("v"), day=pl.col("at").dt.date(), units=pl.col("units").cast(pl.Float64)
    )
    lines = pl.DataFrame({"variant_id": ["v"] * 5, "day": [date(2026, 1, d) for d in (1, 3, 19, 21, 23)],
                          "units": [1.0] * 5, "is_return": [False] * 5})  # fmt: skip
    now = pl.DataFrame({"variant_id": ["v"], "on_hand": [float(variant.stock)]})
    found = shelf.walk_back(history, now, lines, ids=np.array(["v"]), start=date(2026, 1, 1), days=25)
    # Sold out on the 3rd; sales are two days apart, so what was sold on the 19th is taken to have come on the 17th.
    assert np.flatnonzero(found.out[0]).tolist() == list(range(3, 16))
    assert np.flatnonzero(found.ran_out[0]).tolist() == [2]
    assert found.trusted.all()


@pytest.mark.postgres
@pytest.mark.django_db
def test_again_changes_nothing_more_sales_rewrite_it_and_a_part_of_them_does_not(tmp_path: Path) -> None:
    run(write_cells(tmp_path / "a.csv", [HEADER, *SALES]), preset="generic")
    before = list(StockMovement.objects.order_by("pk").values_list())
    assert "Articles with a stock history         0 new         1 unchanged" in run(
        tmp_path / "a.csv", preset="generic"
    )
    assert list(StockMovement.objects.order_by("pk").values_list()) == before
    more = [*SALES, ["6", "2026-01-29 12:00", "A", "2", "10", "2"]]
    assert "0 new         0 unchanged         1 changed" in run(
        write_cells(tmp_path / "b.csv", [HEADER, *more]), preset="generic"
    )
    variant = ProductVariant.objects.get()
    assert variant.stock == variant.movements.aggregate(x=Sum("units"))["x"] == 0
    text = run(write_cells(tmp_path / "c.csv", [HEADER, *more[4:]]), preset="generic")
    assert "0 changed, 1 kept as they were" in text
    assert ProductVariant.objects.get().movements.count() == variant.movements.count()


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_rewritten_history_is_undone_with_its_import(tmp_path: Path) -> None:
    run(write_cells(tmp_path / "a.csv", [HEADER, *SALES]), preset="generic")
    before = list(StockMovement.objects.order_by("pk").values_list())
    more = [*SALES[:3], ["4", "2026-01-21 12:00", "A", "1", "10", "9"], ["6", "2026-01-29 12:00", "A", "2", "10", "2"]]
    run(write_cells(tmp_path / "b.csv", [HEADER, *more, SALES[4]]), preset="generic")
    variant = ProductVariant.objects.get()
    assert variant.stock == variant.movements.aggregate(x=Sum("units"))["x"] == 0
    undo.undo(ImportRun.objects.order_by("-pk")[0], lambda *_: None)
    assert list(StockMovement.objects.order_by("pk").values_list()) == before
    variant.refresh_from_db()
    assert variant.stock == variant.movements.aggregate(x=Sum("units"))["x"] == 1


@pytest.mark.django_db
def test_a_stock_that_something_else_moved_is_left_alone(tmp_path: Path) -> None:
    first = [[*row[:5], ""] for row in SALES]
    run(write_cells(tmp_path / "a.csv", [HEADER, *first]), preset="generic", opening_stock_days=30)
    before = list(StockMovement.objects.values_list())
    text = run(write_cells(tmp_path / "b.csv", [HEADER, *SALES]), preset="generic")
    assert "1 kept as they were" in text
    assert list(StockMovement.objects.values_list()) == before


@pytest.mark.django_db
def test_prestashops_level_is_cut_off_at_what_was_sold() -> None:
    run(GOLDEN / "prestashop", preset="prestashop")
    # Order 2 found none (0 of 1); the orders before and after had as much as they took.
    moves = StockMovement.objects.filter(variant__sku="CAM-R-M").order_by("at", "pk")
    assert list(moves.values_list("kind", "units")) == [
        ("opening", 2), ("sale", -2), ("receipt", 1), ("sale", -1), ("receipt", 2), ("sale", -1),
    ]  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 28), st.integers(1, 5), st.none() | st.integers(-2, 9)), min_size=1, max_size=12)
)
def test_every_level_is_met_and_the_shelf_is_never_below_zero(rows: list[tuple[int, int, int | None]]) -> None:
    days = {day: (day, units, level) for day, units, level in rows}
    levels = sold([days[day] for day in sorted(days)])
    level = 0
    known = {f"shelf:{n}/0": one for n, one in enumerate(levels.iter_rows(named=True))}
    for row in shelf_history.movements(levels).iter_rows(named=True):
        sale = known.get(row["reference"])
        if sale is not None and sale["level"] is not None:
            assert level == max(sale["level"], 0)
        elif sale is not None:
            assert level >= sale["units"]
        level += row["units"]
        if sale is None or sale["level"] is None or sale["level"] >= sale["units"]:
            assert level >= 0
    assert level >= 0
