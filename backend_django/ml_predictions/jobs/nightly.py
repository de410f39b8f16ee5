"""The kind `refresh`: what is done every night, as named steps one after the other.

A step is a function without arguments that returns its figures (plain JSON). A project adds its own by name in the
settings NIGHTLY_FIRST and NIGHTLY. One that fails does not keep the others from being done; the run then ends as failed
and names it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from ml_predictions import conf
from ml_predictions.jobs import mending, rows
from ml_predictions.jobs.run import NO_DATABASE, Cancelled, LostRun
from ml_predictions.messages import TEXTS, message
from ml_predictions.models import SERVICES, Kind, MLModel
from ml_predictions.services import get_service, retention
from ml_predictions.sources import get_source
from retail_ml.errors import RetailMLError

if TYPE_CHECKING:
    from ml_predictions.services.base import TrainingRun

logger = logging.getLogger(__name__)
SOLD = ("orders", "lines", "returns", "last_order")
"""What of a shop's fingerprint moves when something is sold or comes back."""
Step = Callable[[], dict[str, Any]]


class StepsFailed(RetailMLError):
    """Steps of the nightly refresh that failed; the others were done."""

    code = "nightly.failed"


def score_forecasts() -> dict[str, Any]:
    """Hold past forecasts against what came."""
    from ml_predictions.services import forecast_accuracy

    return {"scored": forecast_accuracy.refresh()}


def look_back() -> dict[str, Any]:
    """Hold the predictions whose days are over against what came."""
    from ml_predictions.services import predictions

    return {"predictions": predictions.look_back()}


def watch_drift() -> dict[str, Any]:
    """Is the forecast still of this shop? With RETRAIN_ON_DRIFT it is trained again when not."""
    from ml_predictions.services import drift

    found = drift.watch()
    model = _active(drift.SERVICE)
    if not found or not found["drifted"] or model is None or not conf.get("RETRAIN_ON_DRIFT"):
        return {"drifted": bool(found and found["drifted"])}
    return {"drifted": True, "training_log_id": mending.train_again(model, cause=rows.Cause.DRIFT).pk}


def refresh_alerts() -> dict[str, Any]:
    """Bring the inventory's alerts in line with today's stock and sales."""
    if not _active(Kind.INVENTORY_OPTIMIZATION.value):
        return {}
    service: Any = get_service(Kind.INVENTORY_OPTIMIZATION.value)
    found: dict[str, Any] = service.refresh_alerts()
    return found


def refresh_customers() -> dict[str, Any]:
    """Where sales have come since the segments were made, queue making them anew: the groups stay, the figures move."""
    kind = Kind.CUSTOMER_SEGMENTATION.value
    model = _active(kind)
    found = get_source().fingerprint()
    if model is None or all(found.get(name) == model.fingerprint.get(name) for name in SOLD):
        return {}
    try:
        return {"training_log_id": rows.submit(kind, mending.parameters_of(model), cause=rows.Cause.NIGHTLY).pk}
    except rows.AlreadyRunning as under_way:
        return {"training_log_id": under_way.training_log_id}


def prune() -> dict[str, Any]:
    """Delete the versions that no rule keeps, with their files."""
    return {service: gone for service in SERVICES if (gone := retention.prune(service))}


STEPS: dict[str, Step] = {
    "check_files": mending.check_files,
    "score_forecasts": score_forecasts,
    "look_back": look_back,
    "watch_drift": watch_drift,
    "refresh_alerts": refresh_alerts,
    "refresh_customers": refresh_customers,
    "prune": prune,
}
"""The steps of this app, in their order, between those of the settings NIGHTLY_FIRST and NIGHTLY."""


def steps() -> dict[str, Step]:
    """Name → step: the project's first ones, this app's, then the project's others."""
    first, last = (
        {name: import_string(path) for name, path in conf.get(setting).items()}
        for setting in ("NIGHTLY_FIRST", "NIGHTLY")
    )
    return first | STEPS | last


def refresh(run: TrainingRun) -> None:
    """Do every step and store its figures on the row. Raises StepsFailed at the end when one of them failed."""
    result: dict[str, Any] = {"steps": {}, "errors": {}}
    todo = steps()
    for done, (name, step) in enumerate(todo.items()):
        code = f"nightly.{name}"
        run.progress(100 * done / len(todo), message(code) if code in TEXTS else message("nightly.step", name=name))
        try:
            result["steps"][name] = step()
        except (*NO_DATABASE, Cancelled, LostRun):
            raise
        except Exception as error:  # it is logged and told; the other steps do not need this one
            logger.exception("The step %s of the nightly refresh failed", name)
            result["errors"][name] = f"{type(error).__name__}: {error}"
    run.published(result)
    if failed := sorted(result["errors"]):
        names = ", ".join(failed)
        raise StepsFailed(f"These steps of the nightly refresh failed: {names}.", names=names, **result["errors"])


def _active(service: str) -> MLModel | None:
    return MLModel.objects.filter(service=service, is_active=True).first()
