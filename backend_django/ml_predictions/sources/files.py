"""A folder of Parquet files as a shop: `docs/reference/frames.md` has the layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from ml_predictions import conf
from ml_predictions.sources import joined
from ml_predictions.sources.base import OPTIONAL_READS, DataUntil
from retail_ml import daily, drawn, engine, frames
from retail_ml.errors import BadFrame, BadParameter

NEEDED: dict[str, frames.Schema] = {
    "order_lines": joined.LINES,
    "products": frames.PRODUCTS,
    "stock": frames.STOCK,
    "customers": frames.CUSTOMERS,
}
TABLES: dict[str, frames.Schema] = {**NEEDED, "stock_history": frames.STOCK_HISTORY, **OPTIONAL_READS}
"""The tables of a folder: `NAME.parquet`, or a folder `NAME` of such files, perhaps in `year=2026/month=5`."""
BESIDE: dict[str, frames.Schema] = {
    "order_lines": joined.MARKS,
    "customers": {"name": pl.String, "email": pl.String, "closed": pl.Boolean},
}
"""Columns that a table may have beside those of its frame."""
DERIVED = {"order_lines": {"is_return"}, "stock_history": {"day"}}
"""Columns that follow from others where they are not given."""
PART_LINES = 2_000_000
"""Order lines that are read at once where they are added up, at some 200 bytes each; one file is never parted."""
ABOUT = "shop.json"
"""What may stand beside the tables: `currency`, and `data_until` with a time zone."""


@dataclass(frozen=True)
class Folder:
    """A folder whose tables have been looked at: the files of each table there is, and what `ABOUT` says."""

    path: Path
    files: dict[str, list[str]]
    about: dict[str, Any]
    found: dict[Any, Any] = field(default_factory=dict)
    """What was computed of these very files: see `remembered`."""

    def remembered(self, what: Any, compute: Callable[[], Any]) -> Any:
        """What `compute` gives, computed once as long as the files are the same."""
        if what not in self.found:
            self.found[what] = compute()
        return self.found[what]

    def scan(self, table: str, files: list[str] | None = None) -> pl.LazyFrame:
        """The table, or these files of it, not read yet; parts of a path such as `status=completed` are columns too."""
        return pl.scan_parquet(files or self.files[table], hive_partitioning=True, extra_columns="ignore")


def look(path: Path) -> Folder:
    """The folder, each file's columns checked by their names and types; nothing of the rows is read.

    Raises BadParameter for a folder that is not there, BadFrame for a table that is missing or does not fit: it names
    the file and the column, what was needed and what was found.
    """
    if not path.is_dir():
        raise BadParameter(
            f"SOURCE_OPTIONS: folder is {path}, which is no folder; name the one that holds {', '.join(NEEDED)}",
            code="bad_parameter.folder",
            folder=str(path),
        )
    return _looked(path, _state(path))


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every file: another state is looked at again."""
    found = [path / ABOUT] if (path / ABOUT).is_file() else []
    for table in TABLES:
        one = path / f"{table}.parquet"
        found += [one] if one.is_file() else sorted((path / table).rglob("*.parquet"))
    stats = [(file, file.stat()) for file in found]
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)


@lru_cache(maxsize=4)
def _looked(path: Path, state: tuple[tuple[str, int, int], ...]) -> Folder:
    files: dict[str, list[str]] = {}
    for name, _size, _time in state:
        part = Path(name).relative_to(path).parts[0]
        if part != ABOUT:
            files.setdefault(part.removesuffix(".parquet"), []).append(name)
    for table, schema in TABLES.items():
        if table in files:
            first = _columns(table, files[table][0], schema)
            for file in files[table][1:]:
                _same(first, _columns(table, file, schema), file, files[table][0])
        elif table in NEEDED:
            raise BadFrame(
                f"{path} has neither {table}.parquet nor a folder {table} with Parquet files; it has "
                f"{', '.join(sorted(files)) or 'none of the tables'}. Needed are {', '.join(NEEDED)}",
                code="bad_frame.file",
                table=table,
                folder=str(path),
                found=sorted(files),
            )
    return Folder(path, files, _about(path / ABOUT))


def _columns(table: str, file: str, schema: frames.Schema) -> dict[str, Any]:
    """The columns of a file that are read, with the types that they have there. Raises BadFrame."""
    try:
        found = pl.scan_parquet(file, hive_partitioning=True).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadFrame(
            f"{file} cannot be read as Parquet: {error}", code="bad_frame.no_parquet", table=file, why=str(error)
        ) from error
    wanted = {c: t for c, t in schema.items() if c in found or c not in DERIVED.get(table, ())}
    wanted |= {c: t for c, t in BESIDE.get(table, {}).items() if c in found}
    fits = joined.fitted(pl.LazyFrame(schema=found), wanted).collect_schema()
    frames.check(pl.DataFrame(schema=fits), wanted, name=file)
    return {c: found[c] for c in wanted if c in found}


def _same(first: dict[str, Any], found: dict[str, Any], file: str, than: str) -> None:
    """All files of a table have the same columns of the same types: what one lacks would be made up, or lost."""
    for column in [*first, *found]:
        if first.get(column) != found.get(column):
            raise BadFrame(
                f"{file}: {column} is {found.get(column, 'absent')}, in {than} it is {first.get(column, 'absent')}; "
                "all files of a table have the same columns",
                code="bad_frame.files_differ",
                table=file,
                column=column,
                found=str(found.get(column, "–")),
                first=than,
                needed=str(first.get(column, "–")),
            )


def _about(file: Path) -> dict[str, Any]:
    """What the file says. Raises BadFrame for what is no JSON, and for a moment without a zone."""
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text())
        until = told.get("data_until")
        told["data_until"] = None if until is None else datetime.fromisoformat(until)
        if until is not None and told["data_until"].tzinfo is None:
            raise ValueError(f"data_until is {until}, without a time zone: write it like 2026-06-30T18:00:00+00:00")
    except (ValueError, TypeError, AttributeError) as error:
        raise BadFrame(f"{file}: {error}", code="bad_frame.about", table=str(file), why=str(error)) from error
    return dict(told)


class FileShop(joined.JoinedShop):
    """`sources.base.Source` over a folder: `SOURCE_OPTIONS = {"folder": …}`.

    The files may be exchanged while the server runs: write beside them and rename.
    """

    def __init__(self, folder: str | Path) -> None:
        """Look at the folder. Raises BadParameter or BadFrame: see `look`."""
        self.folder = look(Path(folder))

    # --- until when ---------------------------------------------------------------------------

    @cached_property
    def currency(self) -> str:
        """What `ABOUT` says, unless a setting does; else the one that most orders have."""
        return str(conf.get("CURRENCY") or self.folder.about.get("currency") or self.most_used_currency())

    @cached_property
    def _until(self) -> DataUntil | None:
        """What `ABOUT` says, for a shop that has sold something until then; else the last sale or return."""
        until = super()._until
        told = self.folder.about.get("data_until")
        return until if told is None or until is None else DataUntil(told, live=False, time_zone=self.time_zone)

    def most_used_currency(self) -> str:
        """The one that most orders have, of two the first by name; counted once for each state of the files."""
        return str(self.folder.remembered("currency", super().most_used_currency))

    def fingerprint(self) -> dict[str, Any]:
        """Counts and last times of what is read; read once for each state of the files and settings."""
        told = (self.currency, self.data_until(), tuple(conf.get("SALE_STATUSES")))
        return dict(self.folder.remembered(told, super().fingerprint))

    # --- part by part -------------------------------------------------------------------------

    def counts(self) -> daily.Counts:
        """What is in the order lines, counted where the engine in use computes."""
        return daily.counts(self._parts(), time_zone=self.time_zone)

    def daily_lines(self) -> pl.DataFrame:
        """`retail_ml.daily.DAILY`: what `order_lines` tells of days, added up where the engine in use computes.

        The sale lines of an order stand in one file.
        """
        return daily.lines(self._parts(), time_zone=self.time_zone)

    def customer_lines(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """`retail_ml.daily.CUSTOMER_DAYS`, and `daily_lines`."""
        return daily.customer_lines(self._parts(), time_zone=self.time_zone)

    def lines_of_some(self, *, most: int, seed: int) -> tuple[pl.DataFrame, float]:
        """`sources.base.lines_of_some`: drawn where the engine in use computes, and never held as a whole."""
        share = drawn.share(sum(self.fingerprint()[name] for name in ("lines", "returns")), most)
        if share == 1:
            return self.order_lines(), 1.0
        return drawn.lines(self._parts(), time_zone=self.time_zone, share=share, seed=seed), share

    def _parts(self) -> list[pl.LazyFrame]:
        """What `order_lines` reads, not read yet, in blocks of files: as many as the engine or the memory wants."""
        until, files = self.data_until(), self.folder.files["order_lines"]
        if until is None:
            return []
        most = max(PART_LINES // max(self.folder.remembered("rows", self._rows), 1), 1)
        mine = (pl.col("at") <= until.at) & (pl.col("currency") == self.currency)
        blocks = [files[rows] for rows in engine.blocks(len(files), most=most)]
        scans = (self.folder.scan("order_lines", some) for some in blocks)
        return [self._sales(table=one).filter(mine).select(*joined.LINES) for one in scans]

    def _rows(self) -> int:
        """Order lines in the largest of the files, as their ends say: how many bytes they take says little."""
        counts = [pl.scan_parquet(file).select(pl.len()) for file in self.folder.files["order_lines"]]
        return max(int(found.item()) for found in pl.collect_all(counts))

    # --- the four tables ----------------------------------------------------------------------

    def lines(
        self,
        *,
        since: datetime | None = None,
        customer_ids: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """The order lines, not read yet: limits reach the scan, which passes over row groups that cannot fit."""
        return self.folder.scan("order_lines")

    def products(self, *, ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`frames.PRODUCTS`, in the order of their ids."""
        return self._table("products", ["product_id"], product_id=ids)

    def stock(
        self, *, product_ids: Sequence[str] | None = None, variant_ids: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """`frames.STOCK`, in the order of the variants' ids."""
        return self._table("stock", ["variant_id"], product_id=product_ids, variant_id=variant_ids)

    def customers(self) -> pl.DataFrame:
        """`frames.CUSTOMERS`, in the order of their ids."""
        return self._table("customers", ["customer_id"])

    def _table(self, table: str, order: list[str], **chosen: Sequence[str] | None) -> pl.DataFrame:
        """A table whole, or its rows with these ids. Raises BadFrame, also for an id that stands there twice."""
        schema, name = TABLES[table], str(self.folder.path / table)
        if table not in self.folder.files:
            return frames.empty(schema)
        rows = joined.fitted(self.folder.scan(table), schema)
        for column, ids in chosen.items():
            if ids is not None:
                rows = rows.filter(pl.col(column).is_in(list(ids)))
        found = frames.check(rows.select(*schema).sort(order).collect(), schema, name=name)
        if table in NEEDED:
            joined.once(found[order[0]], name)
        return found

    def _people(self) -> pl.LazyFrame:
        """The customers with the columns of `BESIDE`, null where the files have none."""
        table = joined.fitted(self.folder.scan("customers"), frames.CUSTOMERS)
        absent = {c: t for c, t in BESIDE["customers"].items() if c not in table.collect_schema()}
        return table.with_columns(**{c: pl.lit(None, dtype=dtype) for c, dtype in absent.items()})

    def closed_accounts(self) -> list[str]:
        """Those whose `closed` is true."""
        return self._people().filter("closed").select("customer_id").collect()["customer_id"].to_list()

    def customer_exists(self, customer_id: str) -> bool:
        """Is there such a customer?"""
        return bool(self._people().filter(pl.col("customer_id") == customer_id).select(pl.len()).collect().item())

    def contacts(self, ids: Sequence[str]) -> pl.DataFrame:
        """`customer_id`, `name` and `email` of these customers, "" where the files say nothing."""
        mine = self._people().filter(pl.col("customer_id").is_in(list(ids)))
        return mine.select("customer_id", pl.col("name", "email").fill_null("")).sort("customer_id").collect()

    def find_customers(self, text: str, *, most: int) -> list[str]:
        """Ids of customers whose name, e-mail or id contains `text`, in whatever case."""
        sought = text.lower()
        fits = [
            pl.col(c).fill_null("").str.to_lowercase().str.contains(sought, literal=True)
            for c in ("customer_id", "name", "email")
        ]
        found = self._people().filter(pl.any_horizontal(fits)).select("customer_id").sort("customer_id").head(most)
        return found.collect()["customer_id"].to_list()

    # --- what only some folders have ------------------------------------------------------------

    def counts_stock(self) -> bool:
        """Is there a change of stock, or a unit of anything?"""
        return "stock_history" in self.folder.files or super().counts_stock()

    def stock_history(self) -> pl.DataFrame | None:
        """`frames.STOCK_HISTORY`, oldest first; None where the folder has none."""
        if "stock_history" not in self.folder.files:
            return None
        schema = {c: t for c, t in frames.STOCK_HISTORY.items() if c != "day"}
        rows = joined.fitted(self.folder.scan("stock_history"), schema).select(*schema)
        table = frames.with_day(rows.collect(), self.time_zone).sort("at", "variant_id", "kind", "units")
        return frames.check(table, frames.STOCK_HISTORY, name=str(self.folder.path / "stock_history"))

    def price_breaks(self) -> pl.DataFrame:
        """`frames.PRICE_BREAKS`."""
        return self._table("price_breaks", ["variant_id", "minimum_quantity"])

    def deliveries(self) -> pl.DataFrame:
        """`frames.DELIVERIES`, oldest first."""
        return self._table("deliveries", ["received", "variant_id", "ordered", "units"])

    def open_orders(self) -> pl.DataFrame:
        """`frames.OPEN_ORDERS`, in the order of their ids."""
        return self._table("open_orders", ["order_id", "variant_id"])
