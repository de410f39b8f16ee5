"""What the four services share: the run they report to, the version they publish, the version in service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar, Protocol

from django.db import transaction
from django.db.models import Max, Model
from django.utils import timezone

from ml_predictions import artifacts
from ml_predictions.errors import NotTrained
from ml_predictions.messages import message
from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.services import promotion, retention
from ml_predictions.sources import get_source
from ml_predictions.sources.base import Source


class TrainingRun(Protocol):
    """The row of `MLTrainingLog` behind a training, as a service sees it (`jobs.Run`)."""

    log_id: int

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Say how far it is (0…100) and what it does (a message). Raises when the run was cancelled or lost."""

    def published(self, result: dict[str, Any]) -> None:
        """Store the result on the row; called inside the transaction that publishes the version.

        Raises when another worker has taken the run over, so that the transaction is undone.
        """


@dataclass(frozen=True, kw_only=True)
class Version:
    """A trained version, before it is stored."""

    model_type: str
    content: artifacts.Content
    metrics: dict[str, Any]
    receipt: dict[str, Any]
    as_of: date
    parameters: dict[str, Any] = field(default_factory=dict)
    beats_baseline: bool | None = None  # None: nothing to compare with
    promote: bool = True
    why: dict[str, Any] | None = None  # a message: why it is, or is not, the one that serves
    comparison: dict[str, Any] | None = None  # with the version in service; made when it is published


class Service(ABC):
    """One of the four services."""

    name: ClassVar[str]
    rows: ClassVar[type[Model] | None] = None
    """The table whose rows belong to a version (with a `model` column), if there is one."""

    def __init__(self, source: Source | None = None, *, reads: Source | None = None) -> None:
        """`source`: the shop as it is now, for answers; `reads`: what a training reads, None: the same."""
        self.source = source or get_source()
        self.reads = reads or self.source

    @abstractmethod
    def train(self, run: TrainingRun, **parameters: Any) -> MLModel:
        """Read the shop, fit, back-test, and publish a version. Returns the version that was asked for."""

    def write_rows(self, model: MLModel, content: artifacts.Content) -> None:
        """Write the stored rows of a version: a pure function of its file, so that any version can be activated."""

    def without_customer(self, content: artifacts.Content, customer_id: str) -> artifacts.Content | None:
        """`content` without what is one customer's: the very same when it holds nothing of single customers.

        None when it does, and they cannot be told apart: then the version is deleted, or trained again.
        """
        return content

    def train_again(self, run: TrainingRun, model: MLModel) -> MLModel:
        """Train in the place of a version that must go."""
        return self.train(run)

    def active(self) -> MLModel:
        """The version in service; raises NotTrained."""
        model = MLModel.objects.filter(service=self.name, is_active=True).first()
        if model is None:
            raise NotTrained(self.name)
        return model

    def content(self, model: MLModel) -> artifacts.Content:
        """The file of a version, read once per process; raises ArtifactRefused."""
        return artifacts.load(model.artifact, model.artifact_sha256)

    def publish(self, run: TrainingRun, versions: Sequence[Version]) -> MLModel:
        """Store the versions and put the promoted one into service, all in one transaction.

        `versions[0]` is the one that was asked for and is returned; at most one has `promote`. A version that
        is not promoted is kept beside the one in service.
        """
        fingerprint = self.reads.fingerprint()
        versions = [self._judged(version) for version in versions]
        saved = [artifacts.save(self.name, version.content) for version in versions]
        try:
            with transaction.atomic():
                models = [
                    self._store(run, version, file, fingerprint) for version, file in zip(versions, saved, strict=True)
                ]
                for model, version in zip(models, versions, strict=True):
                    if version.promote:
                        self.put_in_service(model, version.content)
                run.published(self._result(models[0], versions))
        except BaseException:
            for file in saved:
                artifacts.delete(file.name)
            raise
        retention.prune(self.name)
        self._sweep(run)
        return models[0]

    def _judged(self, version: Version) -> Version:
        """A version that was to serve, with what came of holding it against the one in service.

        One that is worse is not promoted. Where the file of the one in service cannot be read, any other is better.
        """
        active = MLModel.objects.filter(service=self.name, is_active=True).first()
        if active is None or not version.promote:
            return version
        try:
            self.content(active)
        except artifacts.ArtifactRefused:
            return version
        found = promotion.compare(self.name, version, active)
        judged = replace(version, comparison=found)
        return replace(judged, promote=False, why=found["sentence"]) if found["worse"] else judged

    def put_in_service(self, model: MLModel, content: artifacts.Content) -> None:
        """Make `model` the version in service, inside the caller's transaction."""
        now = timezone.now()
        before = MLModel.objects.filter(service=self.name, is_active=True).exclude(pk=model.pk)
        before.update(is_active=False, retired_at=now)
        if self.rows is not None:
            rows = self.rows._default_manager
            self.before_rows(model)
            versions = MLModel.objects.filter(service=self.name).values("pk")
            rows.filter(model_id__in=versions)._raw_delete(rows.db)
            self.write_rows(model, content)
        model.is_active = True
        model.activated_at = now
        model.save(update_fields=["is_active", "activated_at"])

    def before_rows(self, model: MLModel) -> None:
        """Called before the rows of the version in service are replaced: the last look at the old ones."""

    def _store(self, run: TrainingRun, version: Version, file: artifacts.Saved, fingerprint: dict[str, Any]) -> MLModel:
        last = MLModel.objects.filter(service=self.name).aggregate(last=Max("version"))["last"]
        return MLModel.objects.create(
            service=self.name,
            version=(last or 0) + 1,
            model_type=version.model_type,
            as_of=version.as_of,
            metrics=version.metrics,
            receipt=version.receipt,
            comparison=version.comparison,
            parameters=version.parameters,
            fingerprint=fingerprint,
            libraries=artifacts.libraries(),
            beats_baseline=version.beats_baseline,
            artifact=file.name,
            artifact_sha256=file.sha256,
            training_log_id=run.log_id,
        )

    def _result(self, asked: MLModel, versions: Sequence[Version]) -> dict[str, Any]:
        serving = MLModel.objects.filter(service=self.name, is_active=True).first()
        return {
            "model_id": asked.pk,
            "model_type": asked.model_type,
            "promoted": versions[0].promote,
            "served": {
                "model_id": serving.pk if serving else None,
                "model_type": serving.model_type if serving else None,
                "why": versions[0].why or message("served_newest"),
            },
            "metrics": versions[0].metrics,
        }

    def _sweep(self, run: TrainingRun) -> None:
        """Remove what attempts that were killed have left in the folder: all of it is older than this run's start."""
        started = MLTrainingLog.objects.filter(pk=run.log_id).values_list("started_at", flat=True).first()
        if started is not None:
            keep = MLModel.objects.filter(service=self.name).values_list("artifact", flat=True)
            artifacts.sweep(self.name, keep=keep, before=started.timestamp())
