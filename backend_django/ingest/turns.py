"""One at a time: who writes an import, an undo or a pull holds a lock that ends with the process.

`kill -9` leaves nothing behind: the system gives the lock of a file back, and PostgreSQL that of a connection (which
holds on every machine). Whoever has the turn therefore knows that no other command is alive, and says so of the
imports that one left as being written.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.utils import timezone

from ingest.errors import TEXTS
from ingest.models import ImportRun
from retail_ml.errors import RetailMLError

PATIENCE = 600.0
"""Seconds that the worker waits for its turn."""
PAUSE = 0.5
KEY = 7_261_746_001
"""The number of the lock in PostgreSQL: any, the same on every machine."""
State = ImportRun.State


class Busy(RetailMLError):
    """Another import, undo or pull is being written."""

    code = "import.busy"


@contextmanager
def turn(*, wait: float = 0, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Be the only one who writes, and settle what a dead command left. `waiting` is called while another is at it.

    Raises Busy after `wait` seconds.
    """
    until = time.monotonic() + wait
    while (give_back := _take()) is None:
        if time.monotonic() >= until:
            other = ImportRun.objects.filter(state__in=ImportRun.UNDER_WAY).first()
            name = f"{other.pk} ({other.file_name})" if other else "WooCommerce"
            raise Busy(TEXTS[Busy.code].format(name=name), name=name)
        if waiting:
            waiting()
        time.sleep(PAUSE)
    try:
        _stopped()
        yield
    finally:
        give_back()


def settle() -> None:
    """Settle what a dead command left, unless a living one is at it."""
    if _of_commands().exists() and (give_back := _take()):
        try:
            _stopped()
        finally:
            give_back()


def _of_commands() -> QuerySet[ImportRun]:
    """Imports under way that no run of the worker answers for."""
    return ImportRun.objects.filter(state__in=ImportRun.UNDER_WAY, run_id=None)


def _stopped() -> None:
    for row in _of_commands():
        undone = row.state in ImportRun.IN_UNDO
        code = "import.undo_stopped" if undone else "import.stopped"
        row.error = {"code": code, "params": {"number": row.pk}, "text": TEXTS[code].format(number=row.pk)}
        row.state = row.before_undo if undone else State.FAILED
        row.finished_at = timezone.now()
        row.save(update_fields=["state", "error", "finished_at"])


def _take() -> Callable[[], None] | None:
    """Take the lock: what gives it back, or None when another process has it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
            return _unlock if cursor.fetchone()[0] else None
    import fcntl

    path = lock_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file.close


def lock_file() -> Path:
    """The file whose lock it is, one for each database; one in memory is this process's own."""
    name = str(connection.settings_dict["NAME"])
    if "mode=memory" in name:
        name += str(os.getpid())
    return Path(settings.DATA_FOLDER) / f"imports-{zlib.crc32(name.encode()):08x}.lock"


def _unlock() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [KEY])
    except DatabaseError:  # the connection is lost or cannot be used, and the lock goes with it
        connection.close()
