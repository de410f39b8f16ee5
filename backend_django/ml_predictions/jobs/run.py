"""Inside the training's own process: the run as a service sees it, and how it ends."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.module_loading import import_string

from ml_predictions import conf
from ml_predictions.engines import get_engine
from ml_predictions.jobs import memory, rows, statistics
from ml_predictions.messages import message
from ml_predictions.models import SERVICES, Kind, MLTrainingLog
from ml_predictions.services import get_service
from retail_ml.errors import RetailMLError

if TYPE_CHECKING:
    from ml_predictions.services.base import TrainingRun

logger = logging.getLogger(__name__)
Status = MLTrainingLog.Status
NO_DATABASE = (OperationalError, InterfaceError)
"""Locked by another writer, restarting, out of disk: it may be over in a moment, and says nothing of the training."""


class LostRun(Exception):
    """Another worker has taken the run over: nothing of this attempt may become visible."""


class Cancelled(Exception):
    """Somebody has asked for the run to stop."""

    def __init__(self, who: str) -> None:
        super().__init__(f"cancelled by {who}")
        self.who = who


class Run:
    """`services.base.TrainingRun` over one row and one attempt."""

    def __init__(self, log_id: int, owner: str) -> None:
        self.log_id = log_id
        self.owner = owner

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Write how far it is. Raises Cancelled or LostRun."""
        self._update(progress=round(min(max(percent, 0.0), 100.0), 1), step=step)

    def published(self, result: dict[str, Any]) -> None:
        """Store the result, inside the transaction that publishes the version. Raises Cancelled or LostRun."""
        self._update(result=clean(result))

    def _update(self, **values: Any) -> None:
        row = MLTrainingLog.objects.filter(pk=self.log_id, status=Status.RUNNING, owner=self.owner)
        if row.filter(cancel_requested_by="").update(**values):
            return
        if who := row.values_list("cancel_requested_by", flat=True).first():
            raise Cancelled(who)
        raise LostRun(f"training {self.log_id} is no longer owned by {self.owner}")


class PartOfAll:
    """One of the four inside a run of all: its progress is a quarter, its result one entry."""

    def __init__(self, run: TrainingRun, service: str, results: dict[str, Any]) -> None:
        self.log_id = run.log_id
        self.run = run
        self.service = service
        self.results = results

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """A quarter of the whole, after the services before this one."""
        self.run.progress((SERVICES.index(self.service) + percent / 100) * 100 / len(SERVICES), step)

    def published(self, result: dict[str, Any]) -> None:
        """Add this service's result to the row's."""
        self.results["services"][self.service] = result
        self.run.published(self.results)


def train_all(run: TrainingRun, **parameters: Any) -> None:
    """Train the four in the order that lets inventory use the new forecast, from one read of the shop.

    One that has too little data does not keep the others from being trained: its error stands in the result. When
    none could be trained, the first error is raised. So is, at the end, a fault of ours: it too ends its own service
    alone.
    """
    from ml_predictions.sources import get_source
    from ml_predictions.sources.once import ReadOnce  # tables of Polars: no web process needs them at its start

    results: dict[str, Any] = {"services": {}, "errors": {}}
    first: RetailMLError | None = None
    fault: Exception | None = None
    reads: Any = ReadOnce(get_source())
    for service in SERVICES:
        try:
            get_service(service, reads=reads).train(PartOfAll(run, service, results), **parameters.get(service, {}))
        except (*NO_DATABASE, Cancelled, LostRun):
            raise
        except RetailMLError as error:
            results["errors"][service] = error.stored()
            first = first or error
        except Exception as unexpected:
            logger.exception("Training %s: %s failed", run.log_id, service)
            results["errors"][service] = as_fault(unexpected)
            fault = fault or unexpected
    if fault is None and first is not None and not results["services"]:
        raise first
    run.published(results)
    if fault is not None:
        raise fault


def handler(kind: str) -> Any:
    """What runs a kind: a service's training, the four, or what the project has registered in KINDS."""
    registered: dict[str, str] = conf.get("KINDS")
    if kind in registered:
        return import_string(registered[kind])
    if kind == Kind.ALL:
        return train_all
    return get_service(kind).train


def execute(log_id: int, owner: str) -> str | None:
    """Run a row to its end and write how it ended; returns the status, or None when the row was lost or put back.

    A fault of the data ends it; a database that was lost on the way may be back soon, and the run is put back.
    """
    from retail_ml import engine

    log = MLTrainingLog.objects.get(pk=log_id)
    run = Run(log_id, owner)
    error: dict[str, Any] | None = None
    try:
        statistics.bring_up_to_date()
        with engine.using(get_engine()):
            handler(log.kind)(run, **log.parameters)
        status = Status.COMPLETED
    except LostRun:
        logger.warning("Training %s was taken over by another worker; this attempt is dropped.", log_id)
        return None
    except Cancelled as stopped:
        status, error = Status.CANCELLED, message("training_cancelled", who=stopped.who)
    except RetailMLError as expected:
        status, error = Status.FAILED, expected.stored()
    except NO_DATABASE as lost:
        logger.exception("Training %s (%s) lost the database", log_id, log.kind)
        close_old_connections()  # if it is still lost, this process ends with an error and its parent puts the run back
        rows.give_up(MLTrainingLog.objects.get(pk=log_id), "training_database", error=str(lost))
        return None
    except MemoryError:
        logger.exception("Training %s (%s) ran out of memory", log_id, log.kind)
        used = {"megabytes": memory.used(os.getpid()), "most": memory.limit()}
        status, error = Status.FAILED, message("training_memory", **used)
    except Exception as unexpected:
        logger.exception("Training %s (%s) failed", log_id, log.kind)
        status, error = Status.FAILED, as_fault(unexpected)
    return status if rows.finish(log_id, owner, status, error) else None


def as_fault(error: Exception) -> dict[str, Any]:
    """An unexpected error as a stored message."""
    return message("training_error", error=f"{type(error).__name__}: {error}")


def clean(value: Any) -> Any:
    """`value` as plain JSON; a number that is not finite is a fault and raises ValueError."""
    return json.loads(json.dumps(value, allow_nan=False, default=str))
