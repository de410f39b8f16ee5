"""Returns find the nearest earlier sale with units left, and never more than was sold."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.matching import match_returns

DAY = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 29)]
EVENTS: dict = {
    "row": pl.Int64,
    "buyer": pl.String,
    "sku": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "units": pl.Int64,
}


def sales(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=EVENTS, orient="row")


def returns(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={**EVENTS, "cents": pl.Int64}, orient="row")


def test_a_return_never_belongs_to_a_later_sale():
    sold = sales((0, "7", "A", DAY[0], 1), (1, "7", "A", DAY[9], 5))
    back = returns((2, "7", "A", DAY[4], 2, 200), (3, "8", "A", DAY[10], 1, 100), (4, "7", "B", DAY[10], 1, 100))
    assert match_returns(sold, back).rows() == [(2, 0, 0, 1, 100)]


def test_a_cancellation_in_the_same_minute_belongs_to_its_sale():
    assert match_returns(sales((5, "7", "A", DAY[0], 3)), returns((1, "7", "A", DAY[0], 3, 99))).rows() == [
        (1, 5, 0, 3, 99)
    ]


MOVES = st.lists(
    st.tuples(st.booleans(), st.sampled_from("78"), st.sampled_from("AB"), st.integers(0, 6), st.integers(1, 9)),
    max_size=20,
)


@settings(deadline=None)  # a busy machine is no fault
@given(MOVES)
def test_no_unit_comes_back_twice_and_no_cent_is_made(moves):
    rows = [(i, buyer, sku, DAY[day], units) for i, (_, buyer, sku, day, units) in enumerate(moves)]
    sold = sales(*(row for row, move in zip(rows, moves, strict=True) if not move[0]))
    back = returns(*((*row, row[4] * 33 + 1) for row, move in zip(rows, moves, strict=True) if move[0]))
    pieces = match_returns(sold, back)
    by_row = {row[0]: row for row in rows}
    for number, sale, _, units, cents in pieces.iter_rows():
        assert by_row[number][1:3] == by_row[sale][1:3]
        assert by_row[sale][3] <= by_row[number][3]
        assert units > 0
        assert cents >= 0
    for column in ("sale_row", "return_row"):
        for row, units in pieces.group_by(column).agg(pl.col("units").sum()).iter_rows():
            assert units <= by_row[row][4]
    whole = pieces.group_by("return_row").agg(pl.col("units", "cents").sum())
    for row, units, cents in whole.iter_rows():
        assert cents == (by_row[row][4] * 33 + 1) * units // by_row[row][4]
