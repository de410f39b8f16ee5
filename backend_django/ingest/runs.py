"""An import as a row that stays: what it wrote is noted with it, and the shop's totals before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from ingest import journal, turns, undo
from ingest.models import ImportEntry, ImportRun
from retail_ml.errors import RetailMLError

CONSOLE = "console"
"""Who asked for an import that was begun by a command."""
State = ImportRun.State


@contextmanager
def noted(run: ImportRun) -> Iterator[None]:
    """What is written inside is noted as of this import. Begun again after it was killed, it is one import still."""
    if "before" not in run.totals:
        run.totals["before"] = undo.totals()
        run.save(update_fields=["totals"])
    with journal.of(run.pk):
        yield
    run.totals["after"] = undo.totals()
    run.save(update_fields=["totals"])


@contextmanager
def on_console(what: str, paths: Sequence[Path], *, preset: str = "", **options: Any) -> Iterator[ImportRun]:
    """The row of an import by a command, of files or folders: imported when the block ends, failed when it raises.

    Raises Busy when another is being written.
    """
    digest = hashlib.sha256()
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    for file_path in sorted(files):
        with file_path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    run = ImportRun(
        what=what,
        file_name=", ".join(path.name for path in paths)[:200],
        size=sum(file_path.stat().st_size for file_path in files),
        sha256=digest.hexdigest(),
        requested_by=CONSOLE,
        preset=preset,
        options={name: value for name, value in options.items() if value},
        state=State.WRITING,
    )
    with turns.turn():
        run.save()
        try:
            with noted(run):
                yield run
        except BaseException as error:
            if isinstance(error, RetailMLError):
                run.error = error.stored()
            run.state, run.finished_at = State.FAILED, timezone.now()
            run.totals.setdefault("after", undo.totals())
            run.save()
            raise
        run.state, run.finished_at = State.IMPORTED, timezone.now()
        run.save()


def drop_old() -> dict[str, int]:
    """Forget what is needed to undo imports that are older than `IMPORT_UNDO_DAYS`: a step of the nightly refresh."""
    before = timezone.now() - timedelta(days=settings.IMPORT_UNDO_DAYS)
    old = ImportEntry.objects.filter(run__created_at__lt=before).exclude(run__state__in=ImportRun.UNDER_WAY)
    return {"entries": old.delete()[0]}
