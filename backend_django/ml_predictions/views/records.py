"""Versions, predictions, forecasts, trainings: lists with filters, and what one may do to a row."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from api_base.lists import DayFilter, FilterSet, IdFilter, TextFilter, TimeFilter
from ml_predictions import actions, selectors, selectors_versions
from ml_predictions.models import MLModel, MLTrainingLog, Prediction, SalesForecast
from ml_predictions.serializers import answers, inputs, records
from ml_predictions.views.base import Guarded, answer, asked_to_wait, waited
from ml_predictions.views.training import PREFER, result_of


class Records(Guarded, ReadOnlyModelViewSet):
    """A list and its rows, read only."""

    lookup_value_converter = "int"
    detail_serializer_class: Any = None

    def get_serializer_class(self) -> Any:
        """One row may tell more than the list."""
        if self.action != "list" and self.detail_serializer_class:
            return self.detail_serializer_class
        return self.serializer_class

    def checked(self, serializer: Any, request: Request) -> dict[str, Any]:
        """The body of an action, checked."""
        body = serializer(data=request.data)
        body.is_valid(raise_exception=True)
        found: dict[str, Any] = body.validated_data
        return found


class ModelFilter(FilterSet):
    """Filters of `models/`."""

    trained_from = TimeFilter(field_name="trained_at", lookup_expr="gte")
    trained_to = TimeFilter(field_name="trained_at", lookup_expr="lte")

    class Meta:
        model = MLModel
        fields = ["service", "model_type", "is_active", "beats_baseline"]


@extend_schema_view(list=extend_schema(summary="Model versions"), retrieve=extend_schema(summary="One version"))
class Models(Records):
    """Versions of the four services' models."""

    queryset = MLModel.objects.order_by("-id")
    serializer_class = records.ModelRecord
    detail_serializer_class = records.ModelDetail
    filterset_class = ModelFilter
    search_fields = ["service", "model_type"]
    ordering_fields = ["id", "service", "version", "model_type", "as_of", "trained_at", "is_active"]

    @extend_schema(summary="The versions in service", responses=answers.ACTIVE_MODELS, filters=False)
    @action(detail=False, pagination_class=None)
    def active(self, request: Request) -> Response:
        """The version in service of each service that has one."""
        models = MLModel.objects.filter(is_active=True).order_by("service")
        return answer({"models": records.ModelRecord(models, many=True).data})

    @extend_schema(summary="Put a version into service", request=inputs.Activate, responses=records.ModelDetail)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: int) -> Response:
        """Roll back or forward; one that loses to the baseline needs `accept_worse`."""
        wanted = self.checked(inputs.Activate, request)
        model = actions.activate_model(self.get_object(), user=request.user, accept_worse=wanted["accept_worse"])
        return answer(records.ModelDetail(model).data)

    @extend_schema(summary="The report of a version", responses=answers.REPORT, filters=False)
    @action(detail=True, pagination_class=None)
    def report(self, request: Request, pk: int) -> Response:
        """The receipt: how it was tested, beside what, on which data, by which code; in sentences and figures."""
        model = self.get_object()
        return answer({"model": records.ModelRecord(model).data, **selectors_versions.report(model)})

    @extend_schema(summary="Delete a version", responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """One that is not in service, with its rows and files; audited."""
        actions.delete_model(self.get_object(), user=request.user)
        return Response(status=204)


class PredictionFilter(FilterSet):
    """Filters of `predictions/`."""

    model = IdFilter(field_name="model_id")
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = TimeFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = Prediction
        fields = ["service", "as_of"]


@extend_schema_view(list=extend_schema(summary="Predictions"), retrieve=extend_schema(summary="One prediction"))
class Predictions(Records):
    """What `predict-sales/` has answered."""

    queryset = Prediction.objects.select_related("model").order_by("-id")
    serializer_class = records.PredictionRecord
    detail_serializer_class = records.PredictionDetail
    filterset_class = PredictionFilter
    search_fields = ["service", "requested_by"]
    ordering_fields = ["id", "created_at", "as_of", "execution_time_ms"]

    def get_queryset(self) -> QuerySet[Prediction]:
        """The list leaves the days out, and does not read them."""
        rows: QuerySet[Prediction] = super().get_queryset()
        return rows.defer("result", "looked_back") if self.action == "list" else rows

    @extend_schema(summary="The same numbers again", request=inputs.TrainNothing, responses=answers.REPRODUCED)
    @action(detail=True, methods=["post"])
    def reproduce(self, request: Request, pk: int) -> Response:
        """Made again from the stored version, and held against what was answered; nothing is stored."""
        from ml_predictions.services import predictions

        self.checked(inputs.TrainNothing, request)
        found = predictions.reproduce(self.get_object())
        return answer({**found, "model": records.model_summary(found["model"])})


class SalesForecastFilter(FilterSet):
    """Filters of `sales-forecasts/`."""

    start_from = DayFilter(field_name="start", lookup_expr="gte")
    start_to = DayFilter(field_name="start", lookup_expr="lte")

    class Meta:
        model = SalesForecast
        fields = ["level", "object_id", "start", "days"]


@extend_schema_view(list=extend_schema(summary="Stored forecasts"), retrieve=extend_schema(summary="One forecast"))
class SalesForecasts(Records):
    """The rows of the version in service: days of the shop and its categories, weeks of products and variants."""

    queryset = SalesForecast.objects.in_service().order_by("id")
    serializer_class = records.SalesForecastRecord
    filterset_class = SalesForecastFilter
    search_fields = ["object_id"]
    ordering_fields = ["id", "level", "object_id", "start", "sales", "quantity"]


class TrainingFilter(FilterSet):
    """Filters of `training-logs/`."""

    kind = TextFilter()
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = TimeFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = MLTrainingLog
        fields = ["status", "cause"]


@extend_schema_view(list=extend_schema(summary="Trainings"), retrieve=extend_schema(summary="One training"))
class TrainingLogs(Records):
    """Trainings: how far they are, what came of them."""

    queryset = MLTrainingLog.objects.order_by("-id")
    serializer_class = records.TrainingRecord
    filterset_class = TrainingFilter
    search_fields = ["kind", "requested_by"]
    ordering_fields = ["id", "created_at", "started_at", "finished_at", "kind", "status"]

    def get_queryset(self) -> QuerySet[MLTrainingLog]:
        """The list shows the trainings of the services, unless `?kind=` asks; one row is found whatever it is."""
        rows: QuerySet[MLTrainingLog] = super().get_queryset()
        listed = self.action == "list" and not self.request.query_params.get("kind")
        return selectors.trainings() if listed else rows

    @extend_schema(summary="Cancel a training", request=inputs.TrainNothing, responses=records.TrainingRecord)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """A queued one is cancelled at once, a running one asked to stop."""
        from ml_predictions import jobs

        self.checked(inputs.TrainNothing, request)
        log = jobs.cancel(self.get_object(), requested_by=str(request.user))
        return answer(records.TrainingRecord(log).data)

    @extend_schema(
        summary="Try again",
        request=inputs.TrainNothing,
        responses={201: answers.TRAINED, 202: answers.UNDER_WAY},
        parameters=[PREFER],
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: int) -> Response:
        """What failed or was cancelled, as a run of its own; with `Prefer: wait=N` until it is over."""
        from ml_predictions import jobs

        self.checked(inputs.TrainNothing, request)
        log = jobs.retry(self.get_object(), requested_by=str(request.user))
        applied: dict[str, str] = {}
        if asked_to_wait(request):
            log, applied = waited(request, log)
        found, status, headers = result_of(log)
        return answer(found, status, **headers, **applied)
