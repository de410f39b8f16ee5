"""Rows as JSON: versions, predictions, alerts, trainings, segments. Stored messages become sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api_base.serializers import Answered
from ml_predictions import selectors
from ml_predictions.messages import render
from ml_predictions.models import (
    MLModel,
    MLTrainingLog,
    Prediction,
    SalesForecast,
)
from ml_predictions.models_inventory import InventoryAlert

MESSAGE = {"code", "params"}
"""The keys of a stored message; an error's has its English `text` as well."""


def rendered(value: Any) -> Any:
    """`value` with every stored message in it, however deep, as a sentence in the reader's language."""
    kind = type(value)
    if kind is str or kind is float or kind is int or value is None:  # most of an answer
        return value
    if isinstance(value, Mapping):
        if value.keys() >= MESSAGE and value.keys() <= MESSAGE | {"text"}:
            return render(value)
        return {key: rendered(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(item) for item in value]
    return value


@extend_schema_field(OpenApiTypes.OBJECT)
class Stored(serializers.JSONField):
    """A JSON column, its messages rendered."""

    def to_representation(self, value: Any) -> Any:
        """The value with its messages as sentences."""
        return rendered(value)


@extend_schema_field(OpenApiTypes.STR)
class Sentence(serializers.Field[Any, Any, Any, Any]):
    """A column that holds one message."""

    def to_representation(self, value: Any) -> str:
        """The sentence."""
        return render(value)


class ModelRecord(Answered[MLModel]):
    """One version of a service's model."""

    metrics = Stored(read_only=True)
    parameters = Stored(read_only=True)

    class Meta:
        model = MLModel
        fields = [
            "id", "service", "version", "model_type", "is_active", "as_of", "trained_at", "activated_at", "retired_at",
            "beats_baseline", "metrics", "parameters", "training_log",
        ]  # fmt: skip
        read_only_fields = fields


class ModelDetail(ModelRecord):
    """One version with the evidence for it."""

    receipt = Stored(read_only=True)
    comparison = Stored(read_only=True, allow_null=True)
    drift = Stored(read_only=True, allow_null=True)
    fingerprint = Stored(read_only=True)
    libraries = Stored(read_only=True)

    class Meta(ModelRecord.Meta):
        fields = [
            *ModelRecord.Meta.fields,
            "receipt",
            "comparison",
            "drift",
            "fingerprint",
            "libraries",
            "artifact_sha256",
        ]
        read_only_fields = fields


class PredictionRecord(Answered[Prediction]):
    """One answer of `predict-sales/`, without its days."""

    parameters = Stored(read_only=True)

    class Meta:
        model = Prediction
        fields = [
            "id", "service", "model", "parameters", "as_of", "last_day", "looked_back_on", "requested_by", "created_at",
            "execution_time_ms",
        ]  # fmt: skip
        read_only_fields = fields


class PredictionDetail(PredictionRecord):
    """One answer of `predict-sales/`, whole."""

    result = Stored(read_only=True)
    looked_back = Stored(
        read_only=True, allow_null=True, help_text="What was promised and what came; null until its days are over."
    )

    class Meta(PredictionRecord.Meta):
        fields = [*PredictionRecord.Meta.fields, "result", "looked_back"]
        read_only_fields = fields


class SalesForecastRecord(Answered[SalesForecast]):
    """Forecast of one period, with 80 and 95 % intervals of revenue and units."""

    class Meta:
        model = SalesForecast
        fields = "__all__"


class AlertRecord(Answered[InventoryAlert]):
    """Something about one variant that wants a decision."""

    reason = Sentence(read_only=True)

    class Meta:
        model = InventoryAlert
        exclude = ["absent_runs"]


class TrainingRecord(Answered[MLTrainingLog]):
    """One training: how far it is, what came of it."""

    step = Sentence(read_only=True, allow_null=True)
    error = Sentence(read_only=True, allow_null=True)
    result = Stored(read_only=True, allow_null=True)
    parameters = Stored(read_only=True)
    duration_seconds = serializers.FloatField(read_only=True, allow_null=True)
    queue_position = serializers.SerializerMethodField(help_text="1 for the next of those that wait; else null.")

    class Meta:
        model = MLTrainingLog
        fields = [
            "id", "kind", "status", "queue_position", "progress", "step", "parameters", "result", "error", "cause",
            "requested_by", "created_at", "not_before", "started_at", "finished_at", "duration_seconds", "attempt",
            "retry_of", "cancel_requested_by",
        ]  # fmt: skip
        read_only_fields = fields

    def get_queue_position(self, log: MLTrainingLog) -> int | None:
        """Its place in the queue; read once for all rows of an answer."""
        if log.status != MLTrainingLog.Status.QUEUED:
            return None
        context: Any = self.context
        if "queue" not in context:
            context["queue"] = selectors.queue_positions()
        place: int | None = context["queue"].get(log.pk)
        return place


def model_summary(model: MLModel) -> dict[str, Any]:
    """The version behind an answer."""
    return {
        "id": model.pk,
        "model_type": model.model_type,
        "trained_at": timezone.localtime(model.trained_at).isoformat(),
        "as_of": model.as_of.isoformat(),
    }
