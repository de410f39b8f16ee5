"""The parent of a training: starts it as a process of its own, keeps its lease, and says what became of it.

A training has a process of its own so that it can be ended from outside, gives all its memory back, and takes
nothing down with it when it dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from ml_predictions import conf
from ml_predictions.jobs import rows
from ml_predictions.messages import message
from ml_predictions.models import MLTrainingLog

OnProgress = Callable[[MLTrainingLog], Any]
LOOK_SECONDS = 0.25
CANCEL_GRACE_SECONDS = 10.0
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""More threads than one per library make small fits slower, and a training must leave a core to the web server."""


def start_child(log: MLTrainingLog) -> subprocess.Popen[bytes]:
    """The training of this row as a process; it ends itself when its parent dies."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "ml_run", str(log.pk), log.owner]
    environment = {**THREADS, **os.environ, "TRASTIENDA_PARENT": str(os.getpid())}
    # A session of its own: Ctrl-C reaches the parent alone, which then decides.
    return subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL)


def supervise(
    log: MLTrainingLog, *, on_progress: OnProgress | None = None, on_stop: OnProgress = rows.release
) -> MLTrainingLog:
    """Start the training of a row that is ours, keep its lease, and return the row as it ended.

    When this process is told to stop meanwhile, the child is ended and `on_stop` says what becomes of the row.
    """
    child = start_child(log)
    try:
        _watch(log, child, on_progress)
    except BaseException:
        _end(child)
        on_stop(log)
        raise
    log.refresh_from_db()
    return log


def _watch(log: MLTrainingLog, child: subprocess.Popen[bytes], on_progress: OnProgress | None) -> None:
    started = renewed = time.monotonic()
    cancelled_at: float | None = None
    while child.poll() is None:
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        if now - renewed >= conf.get("HEARTBEAT_SECONDS"):
            renewed = now
            if not rows.heartbeat(log):  # it is over, or another worker has it
                _end(child)
                return
        row = MLTrainingLog.objects.get(pk=log.pk)
        if on_progress is not None:
            on_progress(row)
        if row.cancel_requested_by:
            cancelled_at = cancelled_at or now
            if now - cancelled_at > CANCEL_GRACE_SECONDS:
                _end(child)
        if now - started > conf.get("TRAINING_TIMEOUT"):
            _end(child)
            error = message("training_timeout", seconds=conf.get("TRAINING_TIMEOUT"))
            rows.finish(log.pk, log.owner, MLTrainingLog.Status.FAILED, error)
    if _ours(log):  # it ended without a word
        rows.give_up(MLTrainingLog.objects.get(pk=log.pk), "training_killed", signal=abs(child.returncode or 0))


def _ours(log: MLTrainingLog) -> bool:
    return MLTrainingLog.objects.filter(pk=log.pk, owner=log.owner, status=MLTrainingLog.Status.RUNNING).exists()


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself in the meantime
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def run_here(
    kind: str,
    parameters: dict[str, Any] | None = None,
    *,
    requested_by: str = "",
    on_progress: OnProgress | None = None,
) -> MLTrainingLog:
    """Train at once, in a child of this process, and return the row as it ended: for scripts and commands.

    Raises rows.AlreadyRunning when one is under way.
    """
    worker = rows.new_worker_id()

    def stopped(row: MLTrainingLog) -> None:
        error = message("training_cancelled", who=requested_by or "Ctrl-C")
        rows.finish(row.pk, row.owner, MLTrainingLog.Status.CANCELLED, error)

    log = rows.submit(kind, parameters or {}, requested_by=requested_by, owner=f"{worker}:1")
    log = supervise(log, on_progress=on_progress, on_stop=stopped)
    while log.status == MLTrainingLog.Status.QUEUED:  # the child died: this process tries again
        if not rows.take(log, worker):
            return rows.wait(log, conf.get("TRAINING_TIMEOUT"))
        log = supervise(log, on_progress=on_progress, on_stop=stopped)
    return log


class Worker:
    """Takes one waiting training after the other."""

    def __init__(self) -> None:
        self.name = rows.new_worker_id()
        self.stopping = False
        self._reported = 0.0

    def step(self) -> bool:
        """Take and run one training; False when none waits."""
        self._report()
        log = rows.claim(self.name)
        if log is None:
            return False
        supervise(log, on_progress=lambda _row: self._report())
        return True

    def run(self, *, once: bool = False) -> None:
        """Work until stopped; with `once` until nothing waits."""
        with self._stoppable():
            while not self.stopping:
                close_old_connections()
                if not self.step():
                    if once:
                        return
                    time.sleep(conf.get("POLL_SECONDS"))

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported >= conf.get("HEARTBEAT_SECONDS") or not self._reported:
            self._reported = now
            rows.report_worker(self.name, socket.gethostname(), os.getpid())

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """SIGTERM ends the worker as Ctrl-C does: the training in hand goes back to the queue."""

        def stop(signum: int, _frame: Any) -> None:
            self.stopping = True
            raise KeyboardInterrupt(f"signal {signum}")

        before = signal.signal(signal.SIGTERM, stop)
        try:
            yield
        except KeyboardInterrupt:
            self.stopping = True
        finally:
            signal.signal(signal.SIGTERM, before)
