"""Which sale a return belongs to: the nearest earlier one of the same buyer and SKU that has units left."""

from __future__ import annotations

from itertools import groupby

import polars as pl

PIECES: dict[str, pl.DataType | type[pl.DataType]] = {
    "return_row": pl.Int64,
    "sale_row": pl.Int64,
    "piece": pl.Int64,  # 0, 1, … within the return
    "units": pl.Int64,
    "cents": pl.Int64,  # this piece's share of the return's money, positive
}


def match_returns(sales: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """Allot each return's units to sales: columns `PIECES`.

    Both have `row, buyer, sku, at, units` (units positive); returns also `cents`. A return takes the latest sale at or
    before its own moment first, goes on to the one before when that has no units left, and what finds no sale gets
    no piece. Returns are served in the order of their time, ties by `row`. Money is shared by units, to the cent,
    so that the pieces of a return that is wholly matched add up to it.

    >>> from datetime import datetime
    >>> at = [datetime(2026, 1, day) for day in (1, 2, 3)]
    >>> sales = pl.DataFrame({"row": [0, 1], "buyer": ["7"] * 2, "sku": ["A"] * 2, "at": at[:2], "units": [5, 1]})
    >>> back = pl.DataFrame({"row": [2], "buyer": ["7"], "sku": ["A"], "at": at[2:], "units": [3], "cents": [100]})
    >>> match_returns(sales, back).rows()
    [(2, 1, 0, 1, 33), (2, 0, 1, 2, 67)]
    """
    columns = ["buyer", "sku", "at", "is_return", "row", "units", "cents"]
    returned = returns.select("buyer", "sku").unique()
    events = pl.concat(
        [
            sales.join(returned, on=["buyer", "sku"], how="semi")
            .with_columns(is_return=pl.lit(value=False), cents=pl.lit(0, pl.Int64))
            .select(columns),
            returns.with_columns(is_return=pl.lit(value=True)).select(columns),
        ]
    ).sort("buyer", "sku", "at", "is_return", "row")
    pieces: list[tuple[int, int, int, int, int]] = []
    # A stack per buyer and SKU: no join says "the nearest with units left". Only what came back is walked through.
    for _, group in groupby(events.iter_rows(), key=lambda event: event[:2]):
        left: list[list[int]] = []
        for *_, is_return, row, units, cents in group:
            if not is_return:
                left.append([row, units])
                continue
            wanted, piece, given = units, 0, 0
            while wanted and left:
                take = min(wanted, left[-1][1])
                wanted -= take
                share = cents * (units - wanted) // units - given
                given += share
                pieces.append((row, left[-1][0], piece, take, share))
                piece += 1
                left[-1][1] -= take
                if not left[-1][1]:
                    left.pop()
    return pl.DataFrame(pieces, schema=PIECES, orient="row").sort("return_row", "piece")
