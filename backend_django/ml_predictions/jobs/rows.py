"""The queue: rows of `MLTrainingLog`, changed only by conditional updates, so that any number of workers is safe.

A lease says until when a running row may go without a sign of life; it is kept by the database's clock, which all
machines share. The owner (`uuid of the worker:attempt`) tells a worker that it has lost a row to another one.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models import SERVICES, Kind, MLTrainingLog, MLWorker

Status, Cause = MLTrainingLog.Status, MLTrainingLog.Cause
POLL = 0.25
DONE_WHEN_PUBLISHED = set(SERVICES) - {Kind.INVENTORY_OPTIMIZATION.value}
"""Kinds that have done all there is to do when their result stands on the row: it came with the version, in one
transaction. The inventory still has its alerts to bring in line."""
LONGEST_RETRY = 900
"""Seconds a run that is tried again waits at most."""


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


class NotRetryable(Exception):
    """Only a run that failed or was cancelled is tried again."""

    code = "not_retryable"

    def __init__(self, log: MLTrainingLog) -> None:
        self.details = {"training_log_id": log.pk, "status": log.status}
        super().__init__(f"Training {log.pk} is {log.status}; only a failed or cancelled one can be tried again.")


def submit(kind: str, parameters: dict[str, Any], *, requested_by: str = "", owner: str = "", **more: Any) -> Any:
    """Queue a run (`MLTrainingLog`); the worker takes it from there. With `owner` it is taken already, by the caller.

    `more`: `cause` and `retry_of`. Raises AlreadyRunning when one of the same service, or of all four, is under way.
    """
    rivals = {kind} | ({Kind.ALL.value} if kind in SERVICES else set()) | (set(SERVICES) if kind == Kind.ALL else set())
    open_runs = MLTrainingLog.objects.filter(status__in=MLTrainingLog.OPEN)
    try:
        with transaction.atomic():
            _one_at_a_time()
            if under_way := open_runs.filter(kind__in=rivals).order_by("id").first():
                raise AlreadyRunning(under_way.kind, under_way.pk)
            log = MLTrainingLog.objects.create(kind=kind, parameters=parameters, requested_by=requested_by, **more)
            if owner:
                MLTrainingLog.objects.filter(pk=log.pk).update(**_taken(owner))
    except IntegrityError as error:  # the constraint is the last word where the lock above does not reach
        under_way = open_runs.filter(kind=kind).first()
        if under_way is None:
            raise
        raise AlreadyRunning(kind, under_way.pk) from error
    log.refresh_from_db()
    return log


def retry(log: MLTrainingLog, *, requested_by: str) -> MLTrainingLog:
    """Queue again, as a run of its own, what failed or was cancelled. Raises NotRetryable, AlreadyRunning."""
    if log.status not in (Status.FAILED, Status.CANCELLED):
        raise NotRetryable(log)
    again: MLTrainingLog = submit(log.kind, log.parameters, requested_by=requested_by, retry_of=log)
    return again


def claim(worker: str) -> MLTrainingLog | None:
    """Take the oldest run that waits and whose time has come, or None. Safe with any number of workers."""
    skip = {"skip_locked": True} if connection.features.has_select_for_update_skip_locked else {}
    while _claimable().exists():
        with transaction.atomic():
            log = _claimable().select_for_update(**skip).order_by("id").first()
            if log is None or take(log, worker):
                return log  # else another worker was faster: look again
    return None


def some_wait() -> bool:
    """Does a run wait, be it for its time?"""
    return MLTrainingLog.objects.filter(status=Status.QUEUED).exists()


def take(log: MLTrainingLog, worker: str) -> bool:
    """Make a waiting row this worker's; False when another one was faster."""
    waiting = MLTrainingLog.objects.filter(pk=log.pk, status=Status.QUEUED)
    taken = waiting.update(**_taken(f"{worker}:{log.attempt + 1}"))
    log.refresh_from_db()
    return bool(taken)


def heartbeat(log: MLTrainingLog) -> bool:
    """Renew the lease; False when the row is no longer this owner's."""
    return bool(_mine(log.pk, log.owner).update(lease_until=_lease()))


class Reaper:
    """Finds the runs whose worker is gone, and queues them again or fails them after MAX_ATTEMPTS.

    A lease that is over is not enough: a clock that was set forward, or a machine that slept, would take a run away
    from a worker that lives. So the lease must also have stood still while this process watched it (`clock`, seconds
    that nobody can set) for three heartbeats; one that stands still for a whole lease is dead whatever the clock says.
    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        self.clock = clock
        self.seen: dict[tuple[int, str, Any], float] = {}
        self.suspects = 0
        """Runs that looked dead at the last look, and have not been watched for long enough."""

    def reap(self) -> int:
        """Take back what is dead; returns how many runs."""
        now, running = self.clock(), MLTrainingLog.objects.filter(status=Status.RUNNING)
        rows = {(log.pk, log.owner, log.lease_until): log for log in running.annotate(now=Now())}
        self.seen = {key: self.seen.get(key, now) for key in rows}
        patience = {False: conf.get("LEASE_SECONDS"), True: 3 * conf.get("HEARTBEAT_SECONDS")}
        dead = [key for key, log in rows.items() if now - self.seen[key] >= patience[self._over(log)]]
        self.suspects = sum(self._over(log) for key, log in rows.items() if key not in dead)
        return sum(self._give_up(rows[key]) for key in dead)

    @staticmethod
    def _over(log: Any) -> bool:
        """Is its lease over by the database's clock?"""
        return bool(log.lease_until is None or log.lease_until < log.now)

    @staticmethod
    def _give_up(log: MLTrainingLog) -> int:
        return give_up(log, "training_lost", only_if=Q(lease_until=log.lease_until))


def give_up(log: MLTrainingLog, code: str, *, only_if: Q | None = None, **figures: Any) -> int:
    """This attempt is gone by a fault that may pass: queue the run again after a while, or fail it at the last one."""
    attempts = conf.get("MAX_ATTEMPTS")
    row = _mine(log.pk, log.owner).filter(only_if or Q())
    if log.kind in DONE_WHEN_PUBLISHED and log.result is not None:
        return row.update(**_over(Status.COMPLETED, None))
    if log.cancel_requested_by:
        return row.update(**_over(Status.CANCELLED, message("training_cancelled", who=log.cancel_requested_by)))
    if log.attempt < attempts:
        later = Now() + timedelta(seconds=back_off(log.attempt))
        return row.update(**_queued(), not_before=later)
    why = message(code, attempt=log.attempt, attempts=attempts, **figures)
    return row.update(**_over(Status.FAILED, why))


def back_off(attempt: int) -> float:
    """Seconds to wait after this attempt: RETRY_SECONDS, doubled each time, LONGEST_RETRY at most.

    >>> [back_off(attempt) for attempt in (1, 2, 3, 50)]
    [15, 30, 60, 900]
    """
    seconds: float = conf.get("RETRY_SECONDS") * 2 ** min(attempt - 1, 20)
    return min(seconds, LONGEST_RETRY)


def release(log: MLTrainingLog) -> int:
    """Put a run back untouched because its worker is being stopped: the attempt does not count."""
    return _mine(log.pk, log.owner).update(**_queued(), not_before=None, attempt=F("attempt") - 1)


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
    if not MLWorker.objects.filter(name=worker).update(host=host, pid=pid, seen_at=Now()):
        MLWorker.objects.get_or_create(name=worker, defaults={"host": host, "pid": pid})
        MLWorker.objects.filter(name=worker).update(seen_at=Now())
    MLWorker.objects.filter(seen_at__lt=Now() - timedelta(days=1)).delete()


def forget_worker(worker: str) -> None:
    """This worker has ended: nobody shall wait for it."""
    MLWorker.objects.filter(name=worker).delete()


def _claimable() -> Any:
    """What waits and whose time has come; a time further off than any back-off is of a clock that was set back."""
    come = Q(not_before=None) | Q(not_before__lte=Now())
    come |= Q(not_before__gt=Now() + timedelta(seconds=LONGEST_RETRY))
    return MLTrainingLog.objects.filter(come, status=Status.QUEUED)


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
        "not_before": None,
    }


def _queued() -> dict[str, Any]:
    return {"status": Status.QUEUED, "owner": "", "lease_until": None, "progress": 0, "step": None}


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
