"""Erasing a person, and the certificates of it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from ml_predictions import actions, selectors
from ml_predictions.messages import message
from ml_predictions.models import MLTrainingLog
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.serializers import erasure as serializers
from ml_predictions.views.base import Call, answer, checked_id, waited
from ml_predictions.views.records import Records
from ml_predictions.views.training import PREFER, TrainingFailed


class PersonalData(Call):
    """What is known of one person."""

    @extend_schema(
        summary="Erase a person",
        request=None,
        parameters=[PREFER],
        responses={200: serializers.ERASED, 202: serializers.UNDER_WAY},
    )
    def delete(self, request: Request, customer_id: str) -> Response:
        """Erase from rows, results, model files and files: 200 with the certificate, 202 while it runs."""
        from ml_predictions.jobs import erasure as runs

        row = actions.request_erasure(checked_id(customer_id), user=request.user)
        log = runs.start(row, requested_by=str(request.user))
        log, headers = waited(request, log)
        row.refresh_from_db()
        found, status = _outcome(row, log)
        if status == 202:
            headers["Location"] = found["status_url"]
        return answer(found, status, **headers)


def _outcome(row: PersonalDataErasure, log: MLTrainingLog) -> tuple[dict[str, Any], int]:
    """Body and status for an erasure as it stands. Raises TrainingFailed."""
    if log.status == MLTrainingLog.Status.COMPLETED:
        detail = serializers.ErasureDetail(row).data
        return {"message": message("erasure.done"), "erasure": detail}, 200
    if log.status not in MLTrainingLog.OPEN:
        raise TrainingFailed(log)
    url = reverse("ml:training-logs-detail", args=[log.pk])
    waits = log.status == MLTrainingLog.Status.QUEUED and not selectors.worker_alive()
    text = message("erasure.no_worker", url=url) if waits else message("erasure.under_way", status=log.status, url=url)
    return {
        "message": text,
        "erasure_id": row.pk,
        "training_log_id": log.pk,
        "status": log.status,
        "status_url": url,
        "certificate_url": reverse("ml:personal-data-erasures-detail", args=[row.pk]),
    }, 202


@extend_schema_view(
    list=extend_schema(summary="Erasures of persons"), retrieve=extend_schema(summary="The certificate of an erasure")
)
class Erasures(Records):
    """Erasures with their certificates; they name nobody."""

    queryset = PersonalDataErasure.objects.order_by("-id")
    serializer_class = serializers.ErasureRecord
    detail_serializer_class = serializers.ErasureDetail
    search_fields = ["requested_by"]
    ordering_fields = ["id", "requested_at", "finished_at"]
