"""Model files without one customer: rewritten where their row can be taken out, else deleted or trained again.

Every kept version is looked through. A step is one transaction with its record, so that a run that is killed goes on
where it was; files that no version names any more are swept.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from ml_predictions import artifacts
from ml_predictions.messages import message
from ml_predictions.models import SERVICES, MLModel
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.services import get_service
from ml_predictions.services.base import Service, TrainingRun
from retail_ml.errors import RetailMLError

REWRITTEN, DELETED, RETRAINED = "rewritten", "deleted", "retrained"
FROM, TO = 20.0, 70.0
"""Progress at which the model files begin and end, in per cent."""


class Retraining:
    """A training inside the erasure: its progress is a part of the whole, its result is not the run's."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.log_id = run.log_id

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Between FROM and TO."""
        self.run.progress(FROM + (TO - FROM) * percent / 100, step)

    def published(self, result: dict[str, Any]) -> None:
        """Only ask whether the run is still ours; raises when it is not."""
        self.progress(100, message("erasure.step_versions"))


def clean(run: TrainingRun, row: PersonalDataErasure) -> None:
    """Take the person out of every version of every service; what was done to which stands in `row.done`."""
    run.progress(FROM, message("erasure.step_versions"))
    for name in SERVICES:
        service = get_service(name)
        if type(service).without_customer is not Service.without_customer:
            # The one in service last: when it is trained again the others are gone, and nothing can bring them back.
            for model in _older(run, row, name).order_by("is_active", "version"):
                _clean_one(run, row, service, model)
        kept = MLModel.objects.filter(service=name).values_list("artifact", flat=True)
        assert row.forgotten_at is not None
        artifacts.sweep(name, keep=kept, before=row.forgotten_at.timestamp())


def _older(run: TrainingRun, row: PersonalDataErasure, service: str) -> Any:
    """Versions that may have seen the person: not those of trainings that began when the account was gone."""
    versions = MLModel.objects.filter(service=service).exclude(training_log_id=run.log_id)
    return versions.exclude(training_log__started_at__gte=row.forgotten_at)


def _clean_one(run: TrainingRun, row: PersonalDataErasure, service: Service, model: MLModel) -> None:
    try:
        content = service.content(model)
    except artifacts.ArtifactRefused:  # nobody can say what is in it
        new = None
    else:
        new = service.without_customer(content, row.customer_id)
        if new is content:
            return
    if new is not None:
        _rewrite(run, row, model, new)
    elif model.is_active:
        _train_again(run, row, service, model)
    else:
        _delete(run, row, model, DELETED)


def _rewrite(run: TrainingRun, row: PersonalDataErasure, model: MLModel, content: artifacts.Content) -> None:
    saved, old = artifacts.save(model.service, content), model.artifact
    try:
        with transaction.atomic():
            run.progress(FROM, message("erasure.step_versions"))
            MLModel.objects.filter(pk=model.pk).update(artifact=saved.name, artifact_sha256=saved.sha256)
            _record(row, model, REWRITTEN)
    except BaseException:
        artifacts.delete(saved.name)
        raise
    artifacts.delete(old)


def _delete(run: TrainingRun, row: PersonalDataErasure, model: MLModel, what: str, **more: Any) -> None:
    with transaction.atomic():
        run.progress(FROM, message("erasure.step_versions"))
        _record(row, model, what, **more)
        model.delete()
    artifacts.delete(model.artifact)


def _train_again(run: TrainingRun, row: PersonalDataErasure, service: Service, model: MLModel) -> None:
    """Train from the shop as it is now, and delete the version; when there is too little data left, only delete it."""
    try:
        new = service.train_again(Retraining(run), model)
    except RetailMLError as error:
        _delete(run, row, model, DELETED, why=error.stored())
        return
    model.refresh_from_db()
    if model.is_active:  # the new one was not promoted: it serves all the same, since the old one must go
        with transaction.atomic():
            service.put_in_service(new, service.content(new))
    _delete(run, row, model, RETRAINED, new_version=new.version)


def _record(row: PersonalDataErasure, model: MLModel, what: str, **more: Any) -> None:
    """What was done to a version, inside the transaction that does it."""
    entry = {"service": model.service, "version": model.version, "what": what, **more}
    row.done.setdefault("versions", []).append(entry)
    row.save(update_fields=["done"])
