"""What one asks of the four services."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ml_predictions import actions, selectors, selectors_accuracy, selectors_quality
from ml_predictions.messages import message
from ml_predictions.serializers import answers, forecast_accuracy, inputs
from ml_predictions.serializers.records import (
    ModelRecord,
    TrainingRecord,
    model_summary,
)
from ml_predictions.views.base import Call, answer
from retail_ml.errors import FEWEST_SALES


class PredictSales(Call):
    """The next days' sales."""

    serializer_class = inputs.PredictSales

    @extend_schema(summary="Predict sales", request=inputs.PredictSales, responses=answers.PREDICTED)
    def post(self, request: Request) -> Response:
        """Sales and units of each of the next days, and of their total, with intervals; kept as a prediction."""
        found = actions.predict_sales(self.checked(request), user=request.user)
        return answer({**found, "model": model_summary(found["model"])})


class ForecastAccuracy(Call):
    """How well past forecasts kept their word."""

    serializer_class = forecast_accuracy.Which

    @extend_schema(
        summary="Promise and truth of past forecasts",
        parameters=[forecast_accuracy.Which],
        responses=forecast_accuracy.ANSWER,
    )
    def get(self, request: Request) -> Response:
        """Per level and days ahead: error and coverage as promised and as they came, beside the naive baseline."""
        return answer(selectors_accuracy.forecast_accuracy(self.checked(request)))


# --- the whole ------------------------------------------------------------------------------------


class DashboardSummary(Call):
    """One screen."""

    @extend_schema(summary="The figures of one screen", responses=answers.DASHBOARD)
    def get(self, request: Request) -> Response:
        """Real figures; what is not known is null, and `notes` says why."""
        found = selectors.dashboard()
        models, trainings = found.pop("recent_models"), found.pop("recent_trainings")
        found["recent_models"] = ModelRecord(models, many=True).data
        found["recent_trainings"] = TrainingRecord(trainings, many=True).data
        return answer(found)


class DataQuality(Call):
    """What is wrong in the data?"""

    @extend_schema(summary="Faults in the data", responses=answers.DATA_QUALITY)
    def get(self, request: Request) -> Response:
        """The faults in the shop's live data with counts and examples, and which services they touch."""
        return answer(selectors_quality.data_quality())


class DataRequirements(Call):
    """Is there enough data?"""

    @extend_schema(summary="Is there enough data?", responses=answers.REQUIREMENTS)
    def get(self, request: Request) -> Response:
        """Per service: what is needed, what is recommended, what there is, and a verdict."""
        return answer(
            {
                "as_of": selectors.data_until(),
                "requirements": [requirement.as_dict() for requirement in selectors.requirements()],
                "note": message("edge.from_ten_sales", fewest=FEWEST_SALES),
            }
        )
