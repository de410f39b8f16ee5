"""The folder of uploaded files: one folder each, for this server's user alone, gone after the import or a day.

It lies in the data folder, so that erasing a person goes through it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.utils import timezone
from django.utils.text import get_valid_filename

from ingest.models import ImportRun

KEPT = timedelta(days=1)


class Limit(FileUploadHandler):
    """Stops storing an upload that is larger than `IMPORT_MAX_MB`: the request then has no such file."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count anew."""
        super().new_file(*args, **kwargs)
        self.bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Count, and pass on to the handlers that store."""
        self.bytes += len(raw_data)
        if self.bytes > settings.IMPORT_MAX_MB * 1_000_000:
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handlers that store make the file."""


def root() -> Path:
    """Where uploads are kept."""
    return Path(settings.DATA_FOLDER) / "imports"


def keep(files: Sequence[UploadedFile], *, what: str, requested_by: str) -> ImportRun:
    """Store an upload of one or more files with its row; files of one name are told apart by a number."""
    names = distinct([get_valid_filename(Path(file.name or "file").name)[-100:] for file in files])
    run = ImportRun(
        what=what,
        file_name=", ".join(names)[:200],
        size=sum(file.size or 0 for file in files),
        requested_by=requested_by,
    )
    folder = root() / str(run.folder)
    folder.mkdir(parents=True, mode=0o700)
    digest = hashlib.sha256()
    for name, file in sorted(zip(names, files, strict=True)):
        path = folder / name
        path.touch(mode=0o600)
        with path.open("wb") as target:
            for chunk in file.chunks():
                digest.update(chunk)
                target.write(chunk)
    run.sha256 = digest.hexdigest()
    run.save()
    return run


def distinct(names: list[str]) -> list[str]:
    """The names, those that stand there already with a number before them.

    >>> distinct(["a.csv", "b.csv", "a.csv"])
    ['a.csv', 'b.csv', '2_a.csv']
    """
    found: list[str] = []
    for name in names:
        number = 1 + sum(name == other for other in names[: len(found)])
        found.append(name if number == 1 else f"{number}_{name}")
    return found


def paths_of(run: ImportRun) -> list[Path]:
    """The files of a run, by name; none once they are gone."""
    folder = root() / str(run.folder)
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def drop(run: ImportRun) -> None:
    """Delete the file of a run."""
    shutil.rmtree(root() / str(run.folder), ignore_errors=True)


def drop_old() -> dict[str, int]:
    """Delete the files that were uploaded more than a day ago, and folders that have no row.

    A step of the nightly refresh; returns how many.
    """
    if not root().is_dir():
        return {"files": 0}
    fresh = ImportRun.objects.filter(created_at__gt=timezone.now() - KEPT) | ImportRun.objects.filter(
        state__in=ImportRun.UNDER_WAY, created_at__gt=timezone.now() - 7 * KEPT
    )
    known = {str(folder) for folder in fresh.values_list("folder", flat=True)}
    old = [folder for folder in root().iterdir() if folder.name not in known]
    for folder in old:
        shutil.rmtree(folder)
    return {"files": len(old)}


def imported_before(run: ImportRun) -> ImportRun | None:
    """The last import of a file with the same content, of the same kind; None: the first of it."""
    same = ImportRun.objects.filter(sha256=run.sha256, what=run.what, state=ImportRun.State.IMPORTED)
    return same.exclude(pk=run.pk).first()
