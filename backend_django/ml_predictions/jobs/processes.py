"""The parent of a training: starts it as a process of its own, keeps its lease, and says what became of it.

A training has a process of its own so that it can be ended from outside, gives all its memory back, and takes
nothing down with it when it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
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
from ml_predictions.jobs import memory, rows, schedule
from ml_predictions.jobs.run import NO_DATABASE
from ml_predictions.messages import message
from ml_predictions.models import MLTrainingLog, MLWorker

logger = logging.getLogger(__name__)
OnProgress = Callable[[MLTrainingLog], Any]
LOOK_SECONDS = 0.25
CANCEL_GRACE_SECONDS = 10.0
SCHEDULE_SECONDS = 20.0
"""Between two looks at the schedule."""
PR_SET_PDEATHSIG = 1
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""More threads than one per library make small fits slower, and a training must leave a core to the web server."""


def end_with_parent(parent: int, signum: int = signal.SIGKILL) -> None:
    """Ask Linux to send this process `signum` when `parent`, which started it, dies; ends it if it has died.

    Elsewhere than on Linux it asks for nothing: there the ownership of a row, checked at every step and before
    publishing, keeps an orphan's work out of sight.
    """
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signum))
    if os.getppid() != parent:
        sys.exit("The process that started this one is gone.")


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
    watch = Watch(log, child, on_progress)
    while child.poll() is None:
        time.sleep(LOOK_SECONDS)
        try:
            watch.look()
        except NO_DATABASE as error:  # the child goes on; whether the run is still ours is asked when it answers again
            logger.warning("Training %s: the database cannot be used (%s)", log.pk, error)
            close_old_connections()
    if _ours(log):  # it ended without a word
        code, figures = "training_ended", {"exit_code": child.returncode}
        if child.returncode < 0:
            code, figures = "training_killed", {"signal": -child.returncode, "megabytes": watch.megabytes}
        rows.give_up(MLTrainingLog.objects.get(pk=log.pk), code, only_if=None, **figures)


class Watch:
    """One look after the other at a training's process and its row."""

    def __init__(self, log: MLTrainingLog, child: subprocess.Popen[bytes], on_progress: OnProgress | None) -> None:
        self.log = log
        self.child = child
        self.on_progress = on_progress
        self.started = self.renewed = time.monotonic()
        self.cancelled_at: float | None = None
        self.megabytes: int | None = None
        self.most = memory.limit()
        timeouts = conf.get("TIMEOUTS")
        self.longest = timeouts.get(log.kind, timeouts["default"])

    def look(self) -> None:
        """Renew the lease, tell the progress, end a child that is lost, cancelled, too slow or too big."""
        now = time.monotonic()
        if now - self.renewed >= conf.get("HEARTBEAT_SECONDS"):
            self.renewed = now
            if not rows.heartbeat(self.log):  # it is over, or another worker has it
                _end(self.child)
                return
        row = MLTrainingLog.objects.get(pk=self.log.pk)
        if self.on_progress is not None:
            self.on_progress(row)
        if row.cancel_requested_by:
            self.cancelled_at = self.cancelled_at or now
            if now - self.cancelled_at > CANCEL_GRACE_SECONDS:
                _end(self.child)
        if now - self.started > self.longest:
            self._fail(message("training_timeout", seconds=self.longest))
        self.megabytes = memory.used(self.child.pid) or self.megabytes
        if self.megabytes and self.most and self.megabytes > self.most:
            self._fail(message("training_memory", megabytes=self.megabytes, most=self.most))

    def _fail(self, error: dict[str, Any]) -> None:
        """End the child for good: trying again would end the same way."""
        _end(self.child)
        rows.finish(self.log.pk, self.log.owner, MLTrainingLog.Status.FAILED, error)


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
    return _to_its_end(log, worker, on_progress=on_progress, on_stop=stopped)


def follow(log: MLTrainingLog, *, on_progress: OnProgress | None = None) -> MLTrainingLog:
    """Wait for a training that is under way and return the row as it ended.

    When its process is gone and no worker lives that would take it up, it is run here, in a child of this process.
    """
    worker, reaper = rows.new_worker_id(), rows.Reaper()
    while log.status in MLTrainingLog.OPEN:
        reaper.reap()
        log.refresh_from_db()
        if log.status == MLTrainingLog.Status.QUEUED and not MLWorker.objects.alive() and rows.take(log, worker):
            return _to_its_end(log, worker, on_progress=on_progress, on_stop=rows.release)
        log = rows.wait(log, 1)
        if on_progress is not None:
            on_progress(log)
    return log


def _to_its_end(
    log: MLTrainingLog, worker: str, *, on_progress: OnProgress | None, on_stop: OnProgress
) -> MLTrainingLog:
    """Run a row that `worker`, which is this process, has taken; tried again here when the child dies."""
    log = supervise(log, on_progress=on_progress, on_stop=on_stop)
    while log.status == MLTrainingLog.Status.QUEUED:
        if not rows.take(log, worker):
            return follow(log, on_progress=on_progress)
        log = supervise(log, on_progress=on_progress, on_stop=on_stop)
    return log


class Worker:
    """Takes one waiting training after the other."""

    def __init__(self) -> None:
        self.name = rows.new_worker_id()
        self.stopping = False
        self.reaper = rows.Reaper()
        self._reported = self._scheduled = 0.0

    def step(self) -> bool:
        """Take and run one training; False when there is none to take."""
        self._report()
        self.reaper.reap()
        now = time.monotonic()
        if now - self._scheduled >= SCHEDULE_SECONDS or not self._scheduled:
            self._scheduled = now
            schedule.look()
        log = rows.claim(self.name)
        if log is None:
            return False
        supervise(log, on_progress=lambda _row: self._report())
        return True

    def run(self, *, once: bool = False) -> None:
        """Work until stopped; with `once` until nothing waits and no run looks left behind."""
        with self._stoppable():
            while not self.stopping:
                close_old_connections()
                try:
                    busy = self.step()
                    if once and not busy and not rows.some_wait() and not self.reaper.suspects:
                        return
                except NO_DATABASE as error:  # for a while, which does not end the worker
                    logger.warning("The database cannot be used (%s); the worker tries again.", error)
                    self._reported, busy = 0.0, False
                if not busy:
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
            with contextlib.suppress(*NO_DATABASE):  # then it is forgotten as a dead one is: after a lease
                rows.forget_worker(self.name)
