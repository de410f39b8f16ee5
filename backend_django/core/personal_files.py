"""Files under the data folder that name a person: reports of errors, copies of imports, logs.

A text file of lines loses the lines that name them; any other file (a sheet, an archive, Parquet) is deleted, since
nothing can be taken out of it line by line. The database, the keys and the model files are seen to elsewhere; copies of
the database are backups and stay, as the certificate says.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from django.conf import settings
from django.db import connections

from ml_predictions import conf
from ml_predictions.services.erasure.needles import Needles, decoded

LINES = {".csv", ".tsv", ".txt", ".log", ".jsonl", ".ndjson"}
"""Files of which single lines are taken out."""
UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
}
"""Beginnings of compressed files."""
BACKUPS = {".sqlite3", ".sqlite", ".db", ".sql", ".dump", ".bak"}
DATABASE = b"SQLite format 3\0"
"""Names and the beginning of copies of the database: those are the owner's backups, which nobody deletes unasked."""
KEYS = {"secret_key", "artifact_key", "erasure_key", "admin_password"}
ENCRYPTED = 1
"""The bit of a zip's member that has a password: nobody here can read it."""
DEEPEST = 5
"""Archives inside archives that are opened."""


class DataFolder:
    """Every file under `settings.DATA_FOLDER`, those inside archives too."""

    name = "files"

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """No columns."""
        return {}

    def find(self, needles: Needles) -> int:
        """Files that name the person, in their name or their content."""
        return sum(1 for _path in self._found(needles))

    def erase(self, needles: Needles) -> int:
        """Take the lines out, or delete the file."""
        count = 0
        for path in list(self._found(needles)):
            if path.suffix.lower() in LINES and not named(path, needles):
                without_lines(path, needles)
            else:
                delete(path)
            count += 1
        return count

    def _found(self, needles: Needles) -> Iterator[Path]:
        for path in own_files():
            parts = list(contents(path))
            found = named(path, needles) or any(needles.found_in_bytes(part) for part in parts)
            if found and not any(DATABASE in part for part in parts):
                yield path


def named(path: Path, needles: Needles) -> bool:
    """Does the name of a file, or of a folder that it is in, name the person?"""
    parts = path.relative_to(settings.DATA_FOLDER).parts
    words = [re.sub(r"[\s._-]+", " ", part) for part in parts]
    return any(needles.found_in(text) for text in (*words, *parts, path.name.partition(".")[0]))


def delete(path: Path) -> None:
    """Delete a file, and the folders that are empty without it."""
    path.unlink()
    root, folder = Path(settings.DATA_FOLDER), path.parent
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def own_files() -> Iterator[Path]:
    """The files under the data folder that nobody else sees to; links are not followed."""
    root = Path(settings.DATA_FOLDER)
    others = {Path(conf.get("ARTIFACT_ROOT")).resolve(), Path(settings.STATIC_ROOT).resolve()}
    named = [*(str(c.settings_dict["NAME"]) for c in connections.all()), str(settings.API_RATES_FILE)]
    databases = {str(Path(name).resolve()) for name in named}
    files = {name + end for name in databases for end in ("", "-wal", "-shm", "-journal")}
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if (Path(folder) / name).resolve() not in others]
        for name in sorted(names):
            path = Path(folder) / name
            if (path.parent == root and name in KEYS) or BACKUPS & set(path.suffixes) or path.is_symlink():
                continue
            if path.is_file() and str(path.resolve()) not in files:
                yield path


def contents(path: Path) -> Iterator[bytes]:
    """The content of a file, and what is packed in it."""
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        yield from _parquet(path)
    yield from unpacked(data)


def unpacked(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """`data`, and everything compressed in it, however often up to five times.

    >>> [part for part in unpacked(gzip.compress(b"Ana"))][1:]
    [b'Ana']
    """
    yield data
    if depth == DEEPEST:
        return
    for begins, unpack in UNPACK.items():
        if data.startswith(begins):
            try:
                inner = unpack(data)
            except (OSError, EOFError, ValueError, lzma.LZMAError):  # it only looks like it, or is cut short
                return
            yield from unpacked(inner, depth + 1)
    if data.startswith(b"PK\x03\x04") and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                yield member.filename.encode()
                if not member.flag_bits & ENCRYPTED:
                    yield from unpacked(archive.read(member), depth + 1)


def without_lines(path: Path, needles: Needles) -> None:
    """Take the lines that name the person out of a file; it is replaced whole, but for a log, which may be open."""
    data = path.read_bytes()
    text = decoded(data)
    if text is None:
        path.unlink()
        return
    encoding = next(name for name in ("utf-8", "utf-16", "latin-1") if _is(data, text, name))
    kept = "".join(line for line in text.splitlines(keepends=True) if not needles.found_in(line))
    if path.suffix.lower() == ".log":
        with open(path, "r+b") as file:
            file.write(kept.encode(encoding))
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        return
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        file.write(kept.encode(encoding))
        file.flush()
        os.fsync(file.fileno())
    part.chmod(path.stat().st_mode & 0o777)
    os.replace(part, path)


def _is(data: bytes, text: str, encoding: str) -> bool:
    try:
        return data.decode(encoding).lstrip("\ufeff") == text
    except UnicodeDecodeError:
        return False


def _parquet(path: Path) -> Iterator[bytes]:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):  # cut short: what can be read of it is looked through as it is
        return
    for column in frame.select(pl.selectors.string(), pl.selectors.categorical()).iter_columns():
        yield "\n".join(column.cast(pl.String).drop_nulls().unique()).encode()
