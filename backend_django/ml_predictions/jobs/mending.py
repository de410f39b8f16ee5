"""A model file that is refused makes its service train again, once a day at most; drift does the same, by a setting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.urls import reverse

from ml_predictions import artifacts
from ml_predictions.jobs import rows
from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.services import get_service


class BeingMended(Exception):
    """A model file was refused, and a training that makes it anew is under way."""

    code = "artifact_being_mended"

    def __init__(self, refused: artifacts.ArtifactRefused, log: MLTrainingLog) -> None:
        url = reverse("ml:training-logs-detail", args=[log.pk])
        self.details = {"name": refused.name, "reason": refused.reason, "training_log_id": log.pk, "url": url}
        super().__init__(f"{refused} Training {log.pk} makes it anew.")


def mend(refused: artifacts.ArtifactRefused) -> Exception:
    """Queue a training where the refused file is that of a version in service; the error to answer meanwhile."""
    model = MLModel.objects.filter(artifact=refused.name, is_active=True).first()
    if model is None:
        return refused
    log = train_again(model, cause=rows.Cause.FILE)
    return BeingMended(refused, log) if log.status in MLTrainingLog.OPEN else refused


def train_again(model: MLModel, *, cause: str) -> MLTrainingLog:
    """The training of the service of `model`: one for this cause within the last day, one under way, or a new one."""
    lately = MLTrainingLog.objects.filter(kind=model.service, cause=cause, created_at__gt=Now() - timedelta(days=1))
    if log := lately.order_by("-id").first():
        return log
    try:
        log = rows.submit(model.service, parameters_of(model), cause=cause)
    except rows.AlreadyRunning as under_way:
        log = MLTrainingLog.objects.get(pk=under_way.training_log_id)
    return log


def parameters_of(model: MLModel) -> dict[str, Any]:
    """What a training like that of `model` is asked with."""
    return {"n_clusters": model.parameters["n_clusters"]} if "n_clusters" in model.parameters else {}


def check_files() -> dict[str, Any]:
    """Read the file of every version in service; one that is refused is made anew."""
    found: dict[str, Any] = {}
    for model in MLModel.objects.filter(is_active=True):
        try:
            get_service(model.service).content(model)
        except artifacts.ArtifactRefused as refused:
            log = train_again(model, cause=rows.Cause.FILE)
            found[model.service] = {"refused": str(refused.reason), "training_log_id": log.pk}
    return found
