"""One read of a shop for several trainings in a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import polars as pl
from django.db import connection

from ml_predictions.sources.base import DataUntil, Source

MOST_LINES = 3_000_000
"""Order lines and stock changes up to which a table is kept, at some hundred bytes each: beyond, memory is dearer."""


class ReadOnce:
    """A shop as it was when each of its whole tables was first asked for; everything else is asked of the shop itself.

    Only for what trainings read: as of one moment, stock and stock history fit each other, which a stock that was read
    minutes later would not. Tables of more than MOST_LINES rows are not kept but read anew.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        return partial(self._once, name) if name == "daily_lines" else found

    def data_until(self) -> DataUntil | None:
        """As of the first call: the four services train up to the same day."""
        found: DataUntil | None = self._once("data_until")
        return found

    def fingerprint(self) -> dict[str, Any]:
        """As of the first call."""
        found: dict[str, Any] = self._once("fingerprint")
        return found

    def order_lines(self, *, since: date | None = None, customer_id: str | None = None) -> pl.DataFrame:
        """Kept when it is all of them."""
        if since is not None or customer_id is not None:
            return self._source.order_lines(since=since, customer_id=customer_id)
        found: pl.DataFrame = self._once("order_lines")
        return found

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """Kept when it is all of them."""
        return self._source.products(ids=ids) if ids is not None else self._once("products")

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Kept when it is all of it."""
        if product_ids is not None or variant_ids is not None:
            return self._source.stock(product_ids=product_ids, variant_ids=variant_ids)
        found: pl.DataFrame = self._once("stock")
        return found

    def stock_history(self) -> pl.DataFrame | None:
        """Kept."""
        found: pl.DataFrame | None = self._once("stock_history")
        return found

    def _once(self, read: str) -> Any:
        """What a read without arguments gave the first time."""
        if read in self._known:
            return self._known[read]
        found = getattr(self._source, read)()
        if not (isinstance(found, pl.DataFrame) and len(found) > MOST_LINES):
            self._known[read] = found
        if not connection.in_atomic_block:
            connection.close()  # SQLite has mapped what was read, half a gigabyte of a million lines: let it go
        return found
