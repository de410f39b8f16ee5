"""JSON that a platform's interface answered with, as files: read by columns, with only what is asked for.

A file holds a list of records, one record, or one record per line. What a record is, is seen from its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ingest.errors import BadFile


@dataclass(frozen=True)
class Document:
    """A file's records as the text of a JSON list, and which kind they are."""

    path: Path
    label: str
    kind: str
    text: str


def files_of(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files named, and those in the folders named, in the order of their names. Raises BadFile."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in suffixes)
            if not inside:
                raise BadFile("file.empty_folder", path=str(path), suffixes=", ".join(suffixes))
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise BadFile("file.missing", path=str(path))
    return found


def read(path: Path, kinds: Mapping[str, tuple[str, ...]]) -> Document | None:
    """The file's records; `kinds`: kind → fields that only its records have, all of them. None: an empty list.

    Raises BadFile when it is no JSON, or its records are of no kind.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadFile("file.json", path=str(path), error=str(error)) from error
    if not text:
        raise BadFile("file.empty", path=str(path))
    start = text.find("{")
    if text.startswith("[") and not text.strip("[] \r\n\t"):
        return None
    try:
        first, end = json.JSONDecoder().raw_decode(text, max(start, 0))
    except (ValueError, RecursionError) as error:
        raise BadFile("file.json", path=str(path), error=str(error)) from error
    if not isinstance(first, dict):
        raise BadFile("file.json", path=str(path), error=f"it holds {type(first).__name__}, not records")
    if not text.startswith("["):
        text = f"[{','.join(text.splitlines())}]" if text[end:].strip() else f"[{text}]"
    kind = next((name for name, fields in kinds.items() if all(field in first for field in fields)), None)
    if kind is None:
        raise BadFile("file.json_kind", path=str(path), fields=", ".join(list(first)[:12]), kinds=", ".join(kinds))
    return Document(path, path.name, kind, text)


def table(document: Document, fields: pl.Struct) -> pl.DataFrame:
    """The records with these fields, whatever else they hold, beside `line`, their place in the file from 1.

    Raises BadFile when the JSON is cut off, or a field is of another shape.
    """
    try:
        records = pl.Series([document.text]).str.json_decode(pl.List(fields)).explode()
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", maxsplit=1)[0][:300]
        raise BadFile("file.json", path=str(document.path), error=reason) from error
    return records.struct.unnest().with_columns(line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


def records(document: Document) -> list[dict[str, Any]]:
    """The records as they are, for those few that hold what no column can. Raises BadFile."""
    try:
        found = json.loads(document.text)
    except (ValueError, RecursionError) as error:
        raise BadFile("file.json", path=str(document.path), error=str(error)) from error
    return [record for record in found if isinstance(record, dict)]
