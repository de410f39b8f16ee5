"""The kind `import` of the worker: a dry run or the import of one uploaded file."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from django.utils import timezone

from ingest import imports, turns, uploads
from ingest import undo as undoing
from ingest.models import ImportRun
from retail_ml.errors import RetailMLError

State = ImportRun.State


class Watched(Protocol):
    """The worker's run: it is told how far this is, and stops it when somebody has cancelled."""

    @property
    def log_id(self) -> int | None:
        """The row of the worker; None: there is no worker."""

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Raises to stop."""


class FileGone(RetailMLError):
    """The upload was deleted before it was read."""

    code = "import.file_gone"


def import_files(run: Watched, *, import_run: int, write: bool, undo: bool = False) -> None:
    """Check or import the upload `import_run`, or undo it; with its state and its report as the result.

    Up to the writing it stops when it is cancelled. The writing is done in small transactions, so that trainings and
    the worker's signs of life get in between. Killed there and begun again, it writes the same and completes it.
    """
    row = ImportRun.objects.get(pk=import_run)
    if undo:
        return take_back(row, write=write, run_id=run.log_id)
    if row.state == State.IMPORTED:  # the process died between the import and the end of its run
        return
    with my_turn(run) if write else nullcontext():
        bring_in(run, row, write=write)


def my_turn(run: Watched, *, wait: float = turns.PATIENCE) -> AbstractContextManager[None]:
    """The turn of a run of the worker: it waits for that of a command, and can be cancelled meanwhile."""
    return turns.turn(wait=wait, waiting=lambda: run.progress(1, {"code": "import.waiting", "params": {}}))


def bring_in(run: Watched, row: ImportRun, *, write: bool) -> None:
    """Check the upload, or import it, in whose turn it is."""
    writing = False

    def begin() -> None:
        nonlocal writing
        writing = True
        _set(row, state=State.WRITING, progress=imports.BEGINS)

    def tell(percent: float, code: str) -> None:
        if writing:
            _set(row, progress=percent)
        else:
            run.progress(percent, {"code": code, "params": {}})

    _set(row, state=State.IMPORTING if write else State.CHECKING, run_id=run.log_id, progress=0, error=None)
    try:
        paths = uploads.paths_of(row)
        if not paths:
            raise FileGone(f"The file of import {row.pk} is gone; upload it again.")
        imports.process(row, paths, write=write, tell=tell, begin=begin)
    except RetailMLError as error:
        _set(row, state=State.FAILED, error=error.stored(), finished_at=timezone.now())
        raise
    if write:
        _set(row, state=State.IMPORTED, report=row.report, counts=row.counts, finished_at=timezone.now())
        uploads.drop(row)
    else:
        _set(row, state=State.CHECKED, report=row.report)


def take_back(
    row: ImportRun, *, write: bool, run_id: int | None = None, progress: undoing.Progress | None = None
) -> None:
    """Look what undoing an import would do, or undo it; `undo` of the row tells. Raises CannotUndo.

    Killed and begun again it goes on where it stood. Raises Busy when another import is being written.
    """
    with turns.turn(wait=0 if run_id is None else turns.PATIENCE):
        _take_back(row, write=write, run_id=run_id, progress=progress)


def _take_back(row: ImportRun, *, write: bool, run_id: int | None, progress: undoing.Progress | None) -> None:
    row.refresh_from_db()
    if run_id is not None and row.state == State.UNDONE:  # the process died between the undo and the end of its run
        return
    undoing.refuse(row)
    was = (row.undo or {}).get("was") or row.state
    known = {**(row.undo or {}), "was": was}
    _set(row, state=State.UNDOING if write else State.WEIGHING, undo=known, run_id=run_id, progress=0, error=None)

    def tell(done: int, whole: int) -> None:
        _set(row, progress=99 * done / max(1, whole))
        if progress:
            progress(done, whole)

    try:
        account = (undoing.undo if write else undoing.weigh)(row, tell)
    except BaseException as error:
        _set(row, state=was, error=error.stored() if isinstance(error, RetailMLError) else None)
        raise
    if write:
        _set(row, state=State.UNDONE, finished_at=timezone.now())
    else:
        _set(row, state=was, undo={**(row.undo or {}), "weighed": account.told()})


def _set(row: ImportRun, **values: Any) -> None:
    """Only these columns: the page may have changed others meanwhile."""
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
