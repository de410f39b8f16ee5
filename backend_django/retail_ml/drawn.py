"""The order lines of some of the people: what a model of habits learns from where not all of them fit in memory.

People are drawn, not lines: whoever is drawn keeps every order. An order of a guest is a person of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from retail_ml import daily, engine, frames

BITS = 64
"""Of the hash that a person is drawn by."""


def share(lines: int, most: int) -> float:
    """The share of the people whose lines are about `most` of so many; 1 where there are no more.

    >>> share(1_000, 2_000), share(8_000, 2_000)
    (1.0, 0.25)
    """
    return min(most / max(lines, 1), 1.0)


def is_drawn(share: float, seed: int) -> pl.Expr:
    """Is the person of a line among those drawn? Of one person always the same, whatever else there is.

    By Polars' seeded hash of the id, which is the same in every process with the same libraries.

    >>> people = pl.DataFrame({"customer_id": [str(i) for i in range(1000)] + [None], "order_id": "1"})
    >>> mine = [people.filter(is_drawn(share, seed=1))["customer_id"] for share in (0.0, 0.3, 0.6, 1.0)]
    >>> [round(len(some), -2) for some in mine], mine[1].is_in(mine[2].implode()).all()
    ([0, 300, 600, 1000], True)
    """
    number = pl.coalesce(pl.col("customer_id"), "guest " + pl.col("order_id")).hash(seed)
    return pl.lit(value=True) if share >= 1 else number < int(share * 2**BITS)


def lines(parts: Sequence[pl.LazyFrame], *, time_zone: str, share: float, seed: int) -> pl.DataFrame:
    """`frames.ORDER_LINES` of about this share of the people, oldest first; read wherever the engine in use computes.

    parts: order lines with the columns of `frames.ORDER_LINES`, `day` left out. Raises BadFrame.

    >>> from datetime import UTC, datetime
    >>> table = pl.LazyFrame({"order_id": ["2", "1"], "customer_id": ["b", "a"], "product_id": ["p", "p"],
    ...     "variant_id": ["v", "v"], "at": [datetime(2026, 3, 2, 9, tzinfo=UTC)] * 2, "units": [1.0, 2.0],
    ...     "amount": [10.0, 20.0], "is_return": [False, False]}, schema_overrides={"at": pl.Datetime("us", "UTC")})
    >>> lines([table, table], time_zone="UTC", share=1.0, seed=1)["customer_id"].to_list()
    ['a', 'a', 'b', 'b']
    """
    found = engine.map(partial(_drawn, time_zone, share, seed), parts)
    return pl.concat([frames.empty(frames.ORDER_LINES), *found]).sort(frames.OLDEST_FIRST)


def _drawn(time_zone: str, share: float, seed: int, part: pl.LazyFrame) -> pl.DataFrame:
    return daily.read(part.filter(is_drawn(share, seed)), time_zone)
