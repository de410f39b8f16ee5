"""Erasures and their certificates as JSON, the sentences in the reader's language."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ml_predictions.models import MLTrainingLog
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.serializers.answers import shape, text
from ml_predictions.serializers.records import Stored


class ErasureRecord(serializers.ModelSerializer[PersonalDataErasure]):
    """One erasure: who asked and when, and whether it is done. It names nobody."""

    done = serializers.SerializerMethodField(help_text="False while it is under way, and when its run has failed.")

    class Meta:
        model = PersonalDataErasure
        fields = ["id", "requested_by", "requested_at", "finished_at", "done", "training_log"]
        read_only_fields = fields

    def get_done(self, row: PersonalDataErasure) -> bool:
        """Is everything removed?"""
        return row.finished_at is not None


class ErasureDetail(ErasureRecord):
    """One erasure with its certificate; null until it is done."""

    certificate = serializers.SerializerMethodField()
    genuine = serializers.SerializerMethodField(
        help_text="Is the certificate the one that was signed here? Null until it is done."
    )

    class Meta(ErasureRecord.Meta):
        fields = [*ErasureRecord.Meta.fields, "certificate", "sha256", "signature", "genuine"]
        read_only_fields = fields

    def get_certificate(self, row: PersonalDataErasure) -> dict[str, Any] | None:
        """What was removed where, with its sentences."""
        return Stored().to_representation(row.certificate) if row.finished_at else None

    def get_genuine(self, row: PersonalDataErasure) -> bool | None:
        """The checksum and the signature fit."""
        from ml_predictions.services.erasure.certificate import is_genuine

        return is_genuine(row) if row.finished_at else None


ERASED = shape(
    "Erased",
    success=serializers.BooleanField(),
    message=text(),
    erasure=ErasureDetail(),
)
UNDER_WAY = shape(
    "ErasureUnderWay",
    success=serializers.BooleanField(),
    message=text(),
    erasure_id=serializers.IntegerField(),
    training_log_id=serializers.IntegerField(),
    status=serializers.ChoiceField(choices=MLTrainingLog.Status.choices),
    status_url=text(),
    certificate_url=text(),
)
