"""Reading CSV, Parquet and XLSX: every file becomes one part, a workbook one part per sheet.

What a file is, is seen from its content and not from its name. The cells of CSV and XLSX stay text; `ingest.parse`
decides what they mean, over the whole column.
"""

from __future__ import annotations

import csv
import itertools
import mmap
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from ingest.errors import BadFile

CHUNK = 2_000
"""CSV rows at a time: few, for Python's garbage collector goes through all lists that are alive again and again."""

TITLES = 20
"""Lines at the beginning among which the header is looked for."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

Pick = Callable[[list[str], str], dict[str, str]]
"""From the header of a part (and the part's name) which column is which field; raises BadFile when one lacks."""


@dataclass(frozen=True)
class Part:
    """One file or sheet: the picked columns under their fields' names, beside `line` (1 = the header's line)."""

    label: str
    frame: pl.DataFrame
    ragged: list[tuple[int, str]] = field(default_factory=list)
    """Lines that have another number of columns than the header, with what was found."""
    decimal_comma: bool = False
    """The columns are separated by semicolons, so a lone comma in a number is a decimal comma."""


def read(path: Path, pick: Pick, *, most: int | None = None) -> Iterator[Part]:
    """The parts of the file at `path`, of each the first `most` rows (None: all).

    Raises BadFile when it cannot be read, is empty, or lacks a column.
    """
    if not path.is_file():
        raise BadFile("file.folder" if path.is_dir() else "file.missing", path=str(path))
    with path.open("rb") as file:
        start = file.read(8_192)
    if not start.strip():
        raise BadFile("file.empty", path=str(path))
    if is_document(start):
        raise BadFile("file.documents", path=str(path))
    if start.startswith(OLE) and _encrypted(path):
        raise BadFile("file.locked", path=str(path))
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith((b"<!doctype html", b"<html")):
        raise BadFile("file.web_page", path=str(path))
    if start.startswith(b"PAR1"):
        yield _parquet(path, pick, most)
    elif start.startswith(b"PK\x03\x04"):
        yield from _workbook(path, pick, most)
    elif start.startswith(b"%PDF") or (b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff"))):
        raise BadFile("file.binary", path=str(path))
    else:
        yield _csv(path, pick, most)


def _encrypted(path: Path) -> bool:
    """Whether a file of Microsoft's old container holds a workbook under a password, and not an old workbook."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find("EncryptedPackage".encode("utf-16-le")) >= 0


def is_document(start: bytes) -> bool:
    """Whether a file that begins with these bytes is JSON or XML."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*\{|<\?xml|<prestashop)", start) is not None


def _parquet(path: Path, pick: Pick, most: int | None) -> Part:
    try:
        table = pl.scan_parquet(path)
        chosen = pick(table.collect_schema().names(), path.name)
        table = table.select(pl.col(header).alias(name) for name, header in chosen.items())
        frame = (table if most is None else table.head(most)).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadFile("file.parquet", path=str(path), error=str(error)) from error
    return Part(path.name, frame.with_columns(line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)))


def _workbook(path: Path, pick: Pick, most: int | None) -> Iterator[Part]:
    import fastexcel

    if not zipfile.is_zipfile(path):
        raise BadFile("file.cut_off", path=str(path))
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if not any(name.startswith("xl/") or name == "content.xml" for name in members):
        raise BadFile("file.zip", path=str(path), names=", ".join(members[:5]))
    try:
        book = fastexcel.read_excel(path)
        names = book.sheet_names
    except fastexcel.FastExcelError as error:
        raise BadFile("file.xlsx", path=str(path), error=str(error).splitlines()[0]) from error
    problems, found = [], 0
    for name in names:
        label = f"{path.name} [{name}]"
        try:
            head, at = _below_titles(book, name)
            headers = [column.name for column in head.available_columns()]
            if not headers:
                continue
            chosen = pick(headers, label)
            columns = list(chosen.values())
            frame = book.load_sheet(
                name, header_row=at, use_columns=columns, dtypes="string", n_rows=most
            ).to_polars()  # fmt: skip
        except BadFile as error:
            problems.append(error)
            continue
        except fastexcel.FastExcelError as error:
            raise BadFile("file.sheet", label=label, error=str(error).splitlines()[0]) from error
        found += 1
        fields = [pl.col(header).cast(pl.String).alias(field) for field, header in chosen.items()]
        lines = pl.int_range(at + 2, pl.len() + at + 2, dtype=pl.Int64)
        part = Part(label, frame.select(fields).with_columns(line=lines))
        del frame, head  # half a gigabyte that must not wait beside the next sheet
        yield part
        del part
    # A sheet of notes beside the data is no error; a workbook without any data is.
    if not found:
        raise problems[0] if problems else BadFile("file.no_sheet", path=str(path))


def _below_titles(book: Any, name: str) -> tuple[Any, int]:
    """The beginning of a sheet under its header, and which row that is: a title above it fills one cell alone."""
    head = book.load_sheet(name, n_rows=TITLES, dtypes="string")
    named = [column.name for column in head.available_columns() if not column.name.startswith("__UNNAMED__")]
    if len(named) == 1 and head.width > 1:
        for at, row in enumerate(head.to_polars().iter_rows(), start=1):
            if sum(bool(cell and cell.strip()) for cell in row) > 1:
                return book.load_sheet(name, header_row=at, n_rows=0), at
    return head, 0


def _encoding(path: Path) -> str:
    """UTF-8 when every byte fits, UTF-16 by its mark, else Windows' Western table."""
    with path.open("rb") as file:
        start = file.read(3)
    if start.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        with path.open(encoding="utf-8") as text:
            for _chunk in iter(lambda: text.read(1 << 20), ""):
                pass
    except UnicodeDecodeError:
        # latin-1 knows every byte, and reads Windows' 0x80 to 0x9F as control characters: cp1252 first.
        try:
            with path.open(encoding="cp1252") as text:
                for _chunk in iter(lambda: text.read(1 << 20), ""):
                    pass
        except UnicodeDecodeError:
            return "latin-1"
        return "cp1252"
    return "utf-8"


def _separator(line: str) -> str:
    """The character among comma, semicolon, tab and bar that splits the header into most columns."""
    return max(",;\t|", key=lambda character: len(next(csv.reader([line], delimiter=character), [])))


def _header(lines: list[str]) -> tuple[str, int]:
    """The separator, and which line is the header: the first that is not blank and no title, which fills one cell."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    for at, line in enumerate(lines[first:], start=first):
        separator = _separator(line)
        cells = next(csv.reader([line], delimiter=separator), [])
        if sum(bool(cell.strip()) for cell in cells) > 1 or line.count('"') % 2:
            return separator, at
    return _separator(lines[first] if lines else ""), first


def _csv(path: Path, pick: Pick, most: int | None) -> Part:
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        try:
            return _csv_rows(path, file, pick, most)
        except (csv.Error, UnicodeError) as error:
            raise BadFile("file.csv", path=str(path), encoding=encoding, error=str(error)) from error


def _csv_rows(path: Path, file: TextIO, pick: Pick, most: int | None) -> Part:
    # The csv module and not Polars' reader: it gives the file's own line numbers also when a text holds line breaks,
    # and a row with too few columns is reported instead of ending the import.
    separator, at = _header(list(itertools.islice(file, TITLES)))
    file.seek(0)
    reader = csv.reader(file, delimiter=separator, strict=True)
    headers: list[str] = []
    for row in reader:
        if reader.line_num > at and any(cell.strip() for cell in row):
            headers = [cell.strip() for cell in row]
            break
    chosen = pick(headers, path.name)
    places = [headers.index(header) for header in chosen.values()]
    schema: dict[str, Any] = dict.fromkeys([*chosen], pl.String) | {"line": pl.Int64}
    frames = [pl.DataFrame(schema=schema)]
    odd: list[tuple[int, list[str]]] = []
    for rows, numbers in _chunks(reader, most, len(headers), odd):
        cells = list(zip(*rows, strict=True))
        data: dict[str, Any] = {name: cells[at] for name, at in zip(chosen, places, strict=True)}
        frames.append(pl.DataFrame({**data, "line": numbers}, schema=schema))
    ragged = [
        (number, f"{len(row)} columns instead of {len(headers)}: {separator.join(row)[:200]}") for number, row in odd
    ]
    return Part(path.name, pl.concat(frames, rechunk=True), ragged, decimal_comma=separator == ";")


def _chunks(
    reader: Any, most: int | None, width: int, odd: list[tuple[int, list[str]]]
) -> Iterator[tuple[list[list[str]], list[int]]]:
    """The first `most` rows with their lines' numbers, CHUNK at a time; those of another width go into `odd`."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    for row in itertools.islice(reader, most):
        if len(row) == width:
            rows.append(row)
            numbers.append(reader.line_num)
        elif any(cell.strip() for cell in row):
            odd.append((reader.line_num, row))
        if len(rows) == CHUNK:
            yield rows, numbers
            rows, numbers = [], []
    if rows:
        yield rows, numbers
