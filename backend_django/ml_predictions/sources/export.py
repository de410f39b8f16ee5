"""Any shop written as a folder of Parquet files, in the layout that `sources.files.FileShop` reads."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import polars as pl

from ml_predictions.sources import currency_of
from ml_predictions.sources.base import OPTIONAL_READS, Source, read_optional
from ml_predictions.sources.files import ABOUT
from retail_ml.errors import BadParameter

PARTITIONED = "order_lines"


def export(source: Source, folder: Path) -> dict[str, int]:
    """Write the tables of a shop into a new folder; returns the rows of each.

    Order lines are parted by year. All or nothing: the folder appears when everything is written. Of customers ids and
    days stand in the files, no names and no addresses. Raises BadParameter for a folder that holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadParameter(
            f"{folder} is there and not empty; name a new folder, or empty this one",
            code="bad_parameter.folder_used",
            folder=str(folder),
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        made = Path(beside) / "frames"
        made.mkdir(mode=0o700)
        rows = {name: _write(table, name, made) for name, table in _tables(source).items()}
        until = source.data_until()
        about = {"currency": currency_of(source), "data_until": until.at.isoformat() if until else None}
        (made / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
        if folder.exists():
            folder.rmdir()
        shutil.move(made, folder)
    return rows


def _tables(source: Source) -> dict[str, pl.DataFrame]:
    """Every table that the shop has."""
    tables = {
        "order_lines": source.order_lines().with_columns(currency=pl.lit(currency_of(source))),
        "products": source.products(),
        "stock": source.stock(),
        "customers": source.customers(),
    }
    history = source.stock_history()
    if history is not None:
        tables["stock_history"] = history
    return tables | {name: read_optional(source, name) for name in OPTIONAL_READS if hasattr(source, name)}


def _write(table: pl.DataFrame, name: str, folder: Path) -> int:
    if name != PARTITIONED or table.is_empty():
        table.write_parquet(folder / f"{name}.parquet")
        return table.height
    for (year,), part in table.group_by(pl.col("day").dt.year(), maintain_order=True):
        where = folder / name / f"year={year}"
        where.mkdir(parents=True)
        part.write_parquet(where / "lines.parquet")
    return table.height
