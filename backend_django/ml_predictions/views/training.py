"""`train-…/`: queue a training, wait for it a little, answer with what came of it or where to ask."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from ml_predictions import selectors
from ml_predictions.messages import message, render
from ml_predictions.models import Kind, MLTrainingLog
from ml_predictions.serializers import answers, inputs
from ml_predictions.views.base import Call, answer, waited

FAULTS = {
    "training_database", "training_ended", "training_error", "training_killed", "training_lost", "training_memory",
    "training_timeout",
}  # fmt: skip
"""Codes of failures that are ours and not the data's."""
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="`wait=N`: seconds to wait for the end (default 25, most 50)."
)


class TrainingFailed(APIException):
    """The training is over without a version: for want of data (409), cancelled (409), or by a fault (500)."""

    def __init__(self, log: MLTrainingLog) -> None:
        error = log.error or {"code": "training_error", "params": {"error": "?"}}
        self.status_code = 500 if error["code"] in FAULTS else 409
        super().__init__(render(error), code=error["code"])
        self.details = {**error.get("params", {}), "training_log_id": log.pk, "status": log.status}


class Train(Call):
    """One training call."""

    kind: ClassVar[str]

    def post(self, request: Request) -> Response:
        """Queue, wait, answer: 201 when it is over, 202 with where to ask while it runs."""
        from ml_predictions import jobs

        log = jobs.submit(self.kind, self.checked(request), requested_by=str(request.user))
        log, applied = waited(request, log)
        found, status, headers = result_of(log)
        return answer(found, status, **headers, **applied)


def result_of(log: MLTrainingLog) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Body, status and headers for a training as it stands. Raises TrainingFailed."""
    if log.status in MLTrainingLog.OPEN:
        url = reverse("ml:training-logs-detail", args=[log.pk])
        place = selectors.queue_positions().get(log.pk)
        text = message("edge.under_way", status=log.status, url=url)
        if place and not selectors.worker_alive():
            text = message("edge.no_worker", url=url)
        elif place:
            text = message("edge.waits", place=place, url=url)
        told = {"status": log.status, "queue_position": place, "status_url": url}
        return {"message": text, "training_log_id": log.pk, **told}, 202, {"Location": url}
    if log.status != MLTrainingLog.Status.COMPLETED or not log.result:
        raise TrainingFailed(log)
    over = {"duration_seconds": log.duration_seconds, "training_log_id": log.pk}
    return {"message": _message(log.result), **log.result, **over}, 201, {}


def _message(result: dict[str, Any]) -> dict[str, Any]:
    if "services" in result:
        trained, failed = (", ".join(result.get(part) or ()) or "—" for part in ("services", "errors"))
        return message("edge.trained_all", trained=trained, failed=failed)
    return message("edge.trained" if result["promoted"] else "edge.trained_not_promoted")


def documented(summary: str, body: Any, done: Any) -> Any:
    """The documentation of a training call."""
    return extend_schema(
        summary=summary, request=body, parameters=[PREFER], responses={201: done, 202: answers.UNDER_WAY}
    )


@documented("Train the sales forecast", inputs.TrainSalesForecast, answers.TRAINED)
class TrainSalesForecast(Train):
    """Train the sales forecast; `auto` tries every method and serves the best."""

    kind = Kind.SALES_FORECAST.value
    serializer_class = inputs.TrainSalesForecast


@documented("Train the product recommendations", inputs.TrainNothing, answers.TRAINED)
class TrainProductRecommendation(Train):
    """Train the product recommendations."""

    kind = Kind.PRODUCT_RECOMMENDATION.value


@documented("Train the customer segmentation", inputs.TrainCustomerSegmentation, answers.TRAINED)
class TrainCustomerSegmentation(Train):
    """Train the customer segmentation."""

    kind = Kind.CUSTOMER_SEGMENTATION.value
    serializer_class = inputs.TrainCustomerSegmentation


@documented("Train the inventory optimization", inputs.TrainNothing, answers.TRAINED)
class TrainInventoryOptimization(Train):
    """Train the inventory optimization."""

    kind = Kind.INVENTORY_OPTIMIZATION.value


@documented("Train all four", inputs.TrainNothing, answers.TRAINED_ALL)
class TrainAll(Train):
    """Train the four in the order that lets the inventory use the new forecast."""

    kind = Kind.ALL.value
