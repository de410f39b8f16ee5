"""What an import writes is noted here, so that it can be undone: nothing is noted outside `of`.

A writer reads what is stored before (`read`, `read_orders`) and notes what is there afterwards (`note`,
`note_orders`), inside the transaction that writes. One entry per row, a whole order being one; values are kept of rows
that were changed or deleted alone. See docs/decisions for why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal

import polars as pl
from django.db import connection, models

from ingest import bulk, canonical, prints
from ingest.models import ImportEntry
from ingest.prints import KINDS, Kind, Orders, Values
from orders.models import OrderReturn

_run: ContextVar[int | None] = ContextVar("import_run", default=None)
ENTRY = {
    "kind": pl.Int64, "object_id": pl.Int64, "found": pl.Int64, "after": pl.Int64, "before": pl.String,
    "customer": pl.Int64, "cents": pl.Int64,
}  # fmt: skip
KNOWN = ("id", "kind", "object_id", "found", "before", "cents")


@contextmanager
def of(run_id: int) -> Iterator[None]:
    """What is written inside is noted as of this import."""
    token = _run.set(run_id)
    try:
        yield
    finally:
        _run.reset(token)


def active() -> bool:
    """Is anything noted?"""
    return _run.get() is not None


def read(model: type[models.Model], ids: Iterable[int]) -> dict[int, Values]:
    """The rows before they are written over; nothing when nothing is noted."""
    return prints.read(model, ids) if active() else {}


def note(model: type[models.Model], was: dict[int, Values], new: Iterable[int] = ()) -> None:
    """Note what became of the rows `was`, and of those that are new; a row that is gone was deleted."""
    if not active():
        return
    new = list(new)
    now = prints.read(model, [*was, *new])
    rows = []
    for pk in [*was, *new]:
        values, before = now.get(pk), was.get(pk)
        found, after = (None if v is None else prints.of_row(v) for v in (before, values))
        kept = json.dumps(before, ensure_ascii=False) if before is not None and found != after else None
        rows.append(
            (KINDS[model], pk, found, after, kept, None, _given_back(model, values) - _given_back(model, before))
        )
    _write(pl.DataFrame(rows, schema=ENTRY, orient="row"))


def _given_back(model: type[models.Model], values: Values | None) -> int:
    return -int(Decimal(values["amount"]) * 100) if model is OrderReturn and values else 0


def hold(model: type[models.Model], ids: Iterable[int]) -> None:
    """Note rows that the import found and needs: undoing an earlier import leaves them."""
    note(model, read(model, ids))


def read_orders(ids: Iterable[int]) -> Orders | None:
    """The orders before they are written over; None when nothing is noted."""
    return prints.read_orders(ids) if active() else None


def note_orders(was: Orders | None, ids: Iterable[int]) -> None:
    """Note what became of the orders `ids`, those of `was` among them."""
    if was is None:
        return
    found = prints.of_orders(was).select("object_id", found="print", cents_were="cents", whose="customer")
    now = prints.of_orders(prints.read_orders(ids))
    both = now.join(found, on="object_id", how="left", maintain_order="left")
    moved = pl.col("whose").ne_missing(pl.col("customer")) & pl.col("found").is_not_null()
    changed = both.filter((pl.col("found") != pl.col("print")) | moved)["object_id"]
    before = pl.DataFrame(
        list(before_of(was, changed.to_list()).items()),
        schema={"object_id": pl.Int64, "before": pl.String},
        orient="row",
    )
    both = both.join(before, on="object_id", how="left", maintain_order="left").with_columns(
        kind=pl.lit(int(Kind.ORDER), pl.Int64),
        after=pl.col("print"),
        cents=pl.col("cents") - pl.col("cents_were").fill_null(0),
    )
    _write(both.select(ENTRY.keys()))


def before_of(was: Orders, ids: list[int]) -> dict[int, str]:
    """Order → its head and lines as JSON."""
    at, money = pl.from_epoch("placed_at", time_unit="us"), pl.col("shipping", "tax").cast(pl.Decimal(38, 2)) / 100
    heads = was.heads.filter(pl.col("id").is_in(ids)).with_columns(
        at.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        money.cast(canonical.MONEY).cast(pl.String),
        pl.col("is_test").cast(pl.Boolean),
    )
    of_line = pl.format("[{},{},{},{},{},{}]", "id", "variant_id", "units", "price", "discount", "cents")
    lines = was.lines.filter(pl.col("order_id").is_in(ids)).group_by("order_id").agg(text=of_line.str.join(","))
    texts = dict(lines.iter_rows())
    return {
        row["id"]: json.dumps(row, ensure_ascii=False)[:-1] + f', "lines": [{texts.get(row["id"], "")}]}}'
        for row in heads.iter_rows(named=True)
    }


def _write(entries: pl.DataFrame) -> None:
    """Insert the entries; of a row that this run noted before, only what it is now is taken over."""
    run = _run.get()
    table, entries = bulk.table(ImportEntry), entries.unique(["kind", "object_id"], keep="last", maintain_order=True)
    known = []
    for kind in entries["kind"].unique():
        among, given = bulk.among(entries.filter(pl.col("kind") == kind)["object_id"])
        query = f"SELECT {', '.join(KNOWN)} FROM {table} WHERE run_id = %s AND kind = %s AND object_id {among}"
        with connection.cursor() as cursor:
            cursor.execute(query, [run, kind, given])
            known += cursor.fetchall()
    schema = {name: pl.String if name == "before" else pl.Int64 for name in KNOWN}
    stored = pl.DataFrame(known, schema=schema, orient="row")
    again = entries.join(stored, on=["kind", "object_id"], how="inner", suffix="_stored")
    was_there = pl.when(pl.col("found_stored").is_not_null()).then(pl.coalesce("before_stored", "before"))
    again = again.with_columns(before=was_there, cents=pl.col("cents_stored") + pl.col("cents"))
    bulk.update(ImportEntry, again.select("id", "after", "before", "customer", "cents"))
    fresh = entries.join(stored, on=["kind", "object_id"], how="anti", maintain_order="left")
    bulk.insert(ImportEntry, fresh.with_columns(run_id=pl.lit(run, pl.Int64)))
