"""The queue: rows of `MLTrainingLog`, changed only by conditional updates, so that any number of workers is safe.

A lease says until when a running row may go without a sign of life; it is kept by the database's clock. The owner
(`uuid of the worker:attempt`) tells a worker that it has lost a row to another one.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models import SERVICES, Kind, MLTrainingLog, MLWorker

Status = MLTrainingLog.Status
POLL = 0.25


class AlreadyRunning(Exception):
    """A training of this service, or of all four, is queued or running already."""

    code = "already_running"

    def __init__(self, kind: str, training_log_id: int) -> None:
        self.training_log_id = training_log_id
        self.details = {"kind": kind, "training_log_id": training_log_id}
        super().__init__(f"A training of {kind} is already under way: training log {training_log_id}.")


class NotRunning(Exception):
    """A training that is over cannot be cancelled."""

    code = "not_running"

    def __init__(self, log: MLTrainingLog) -> None:
        self.details = {"training_log_id": log.pk, "status": log.status}
        super().__init__(f"Training {log.pk} is over ({log.status}); only a queued or running one can be cancelled.")


def submit(kind: str, parameters: dict[str, Any], *, requested_by: str = "", owner: str = "") -> MLTrainingLog:
    """Queue a training; the worker takes it from there. With `owner` it is taken already, by the caller.

    Raises AlreadyRunning when one of the same service, or of all four, is under way.
    """
    rivals = {kind} | ({Kind.ALL.value} if kind in SERVICES else set()) | (set(SERVICES) if kind == Kind.ALL else set())
    open_runs = MLTrainingLog.objects.filter(status__in=MLTrainingLog.OPEN)
    try:
        with transaction.atomic():
            _one_at_a_time()
            if under_way := open_runs.filter(kind__in=rivals).order_by("id").first():
                raise AlreadyRunning(under_way.kind, under_way.pk)
            log = MLTrainingLog.objects.create(kind=kind, parameters=parameters, requested_by=requested_by)
            if owner:
                MLTrainingLog.objects.filter(pk=log.pk).update(**_taken(owner))
    except IntegrityError as error:  # the constraint is the last word where the lock above does not reach
        under_way = open_runs.filter(kind=kind).first()
        if under_way is None:
            raise
        raise AlreadyRunning(kind, under_way.pk) from error
    log.refresh_from_db()
    return log


def claim(worker: str) -> MLTrainingLog | None:
    """Take the oldest waiting run, or None. Safe with any number of workers."""
    reap()
    while log := MLTrainingLog.objects.filter(status=Status.QUEUED).order_by("id").first():
        if take(log, worker):
            return log  # else another worker was faster: look again
    return None


def take(log: MLTrainingLog, worker: str) -> bool:
    """Make a waiting row this worker's; False when another one was faster."""
    waiting = MLTrainingLog.objects.filter(pk=log.pk, status=Status.QUEUED)
    taken = waiting.update(**_taken(f"{worker}:{log.attempt + 1}"))
    log.refresh_from_db()
    return bool(taken)


def heartbeat(log: MLTrainingLog) -> bool:
    """Renew the lease; False when the row is no longer this owner's."""
    return bool(_mine(log.pk, log.owner).update(lease_until=_lease()))


def reap() -> int:
    """Queue again every run whose lease is over, or fail it after MAX_ATTEMPTS; returns how many."""
    count = 0
    for log in MLTrainingLog.objects.filter(status=Status.RUNNING, lease_until__lt=Now()):
        count += give_up(log, "training_lost", only_if=Q(lease_until__lt=Now()))
    return count


def give_up(log: MLTrainingLog, code: str, *, only_if: Q | None = None, **figures: Any) -> int:
    """The process of this attempt is gone: queue the run again, or fail it when it was the last attempt."""
    attempts = conf.get("MAX_ATTEMPTS")
    row = _mine(log.pk, log.owner).filter(only_if or Q())
    if log.cancel_requested_by:
        return row.update(**_over(Status.CANCELLED, message("training_cancelled", who=log.cancel_requested_by)))
    if log.attempt < attempts:
        return row.update(status=Status.QUEUED, owner="", lease_until=None, progress=0, step=None)
    why = message(code, attempt=log.attempt, attempts=attempts, **figures)
    return row.update(**_over(Status.FAILED, why))


def release(log: MLTrainingLog) -> int:
    """Put a run back untouched because its worker is being stopped: the attempt does not count."""
    return _mine(log.pk, log.owner).update(
        status=Status.QUEUED, owner="", lease_until=None, progress=0, step=None, attempt=F("attempt") - 1
    )


def finish(log_id: int, owner: str, status: str, error: dict[str, Any] | None = None) -> bool:
    """End a run; False when it is no longer this owner's."""
    return bool(_mine(log_id, owner).update(**_over(status, error)))


def cancel(log: MLTrainingLog, *, requested_by: str) -> MLTrainingLog:
    """Cancel a queued run at once, ask a running one to stop; raises NotRunning when it is over."""
    rows = MLTrainingLog.objects.filter(pk=log.pk)
    who = requested_by or "?"
    over = _over(Status.CANCELLED, message("training_cancelled", who=who))
    cancelled = rows.filter(status=Status.QUEUED).update(cancel_requested_by=who, **over)
    asked = cancelled or rows.filter(status=Status.RUNNING).update(cancel_requested_by=who)
    log.refresh_from_db()
    if not asked:
        raise NotRunning(log)
    return log


def wait(log: MLTrainingLog, seconds: float) -> MLTrainingLog:
    """The row when it is over, or as it stands after `seconds`. Holds no transaction while it waits."""
    deadline = time.monotonic() + seconds
    log.refresh_from_db()
    while log.status in MLTrainingLog.OPEN and time.monotonic() < deadline:
        time.sleep(POLL)
        log.refresh_from_db()
    return log


def new_worker_id() -> str:
    """A name that no other worker has."""
    return uuid.uuid4().hex


def report_worker(worker: str, host: str, pid: int) -> None:
    """Say that this worker lives; forget those that have been silent for a day."""
    MLWorker.objects.update_or_create(name=worker, defaults={"host": host, "pid": pid, "seen_at": timezone.now()})
    MLWorker.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()


def forget_worker(worker: str) -> None:
    """This worker has ended: nobody shall wait for it."""
    MLWorker.objects.filter(name=worker).delete()


def worker_alive() -> bool:
    """Has any worker given a sign of life within a lease?"""
    return MLWorker.objects.filter(seen_at__gt=timezone.now() - timedelta(seconds=conf.get("LEASE_SECONDS"))).exists()


def _mine(log_id: int, owner: str) -> Any:
    return MLTrainingLog.objects.filter(pk=log_id, status=Status.RUNNING, owner=owner)


def _lease() -> Any:
    return Now() + timedelta(seconds=conf.get("LEASE_SECONDS"))


def _taken(owner: str) -> dict[str, Any]:
    return {
        "status": Status.RUNNING,
        "owner": owner,
        "attempt": F("attempt") + 1,
        "started_at": Now(),
        "lease_until": _lease(),
    }


def _over(status: str, error: dict[str, Any] | None) -> dict[str, Any]:
    ended: dict[str, Any] = {"status": status, "error": error, "finished_at": Now(), "lease_until": None, "owner": ""}
    if status == Status.COMPLETED:
        ended |= {"progress": 100, "step": None}
    return ended


def _one_at_a_time() -> None:
    """Let one submit look and insert at a time: SQLite's IMMEDIATE transaction does, PostgreSQL is told to."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ml_predictions.submit'))")
