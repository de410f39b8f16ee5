"""Bodies and queries of the calls. A value outside its range is refused with the range and what was received."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.fields import Flag, Number, Text, Whole
from api_base.serializers import Explained

FORECAST_MODELS = [
    "auto", "random_forest", "gradient_boosting", "linear", "linear_regression", "seasonal_naive", "window_average",
    "weekday_mean", "historic_average", "last_year", "seasonal_profile", "gam", "lightgbm", "ensemble",
]  # fmt: skip
"""The names that the forecast service trains by; kept here because the service's imports are heavy."""
LEVELS = ["total", "category", "product", "variant"]
LONGEST_ID = 120


# --- training -------------------------------------------------------------------------------------


class TrainSalesForecast(Explained):
    """Which method to train; `auto` tries them all and serves the best."""

    model_type = serializers.ChoiceField(choices=FORECAST_MODELS, default="auto")

    def validate_model_type(self, value: str) -> str:
        """`linear_regression` is another name of `linear`."""
        return "linear" if value == "linear_regression" else value


class TrainCustomerSegmentation(Explained):
    """How many groups to look for."""

    n_clusters = Whole(min_value=2, max_value=12, default=6)


class TrainNothing(Explained):
    """A training without options: `{}`."""


# --- asking ---------------------------------------------------------------------------------------


class PredictSales(Explained):
    """How far ahead, of what, and how wide the interval."""

    days_ahead = Whole(min_value=1, max_value=365, default=30)
    level = serializers.ChoiceField(choices=LEVELS, default="total")
    id = Text(
        max_length=LONGEST_ID,
        required=False,
        help_text=_("The category, product or variant; not with the level total."),
    )
    coverage = Number(min_value=0.5, max_value=0.99, default=0.95)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The total has no id, the other levels need one."""
        if attrs["level"] == "total" and "id" in attrs:
            raise serializers.ValidationError({"id": [_("The level total takes no id.")]})
        if attrs["level"] != "total" and "id" not in attrs:
            raise serializers.ValidationError({"id": [_("This level needs an id.")]})
        return attrs


class TopN(Explained):
    """How many recommendations."""

    top_n = serializers.IntegerField(min_value=1, max_value=100, default=10)


class CustomerRecommendations(TopN):
    """How many recommendations, and of which kind."""

    mode = serializers.ChoiceField(
        choices=["all", "novel", "repeat"],
        default="all",
        help_text=_("novel: never bought by the customer; repeat: bought before."),
    )


class ManyProducts(TopN):
    """Which product pages, and how many recommendations for each."""

    product_ids = serializers.CharField(
        max_length=100 * (LONGEST_ID + 1), help_text=_("Ids with commas between them, 100 at most.")
    )

    def validate_product_ids(self, value: str) -> list[str]:
        """The ids, each once."""
        return _distinct(value.split(","), most=100)


class Export(Explained):
    """How many recommendations for each product; 50 are stored."""

    top_n = serializers.IntegerField(min_value=1, max_value=50, default=10)


class Basket(Explained):
    """The products of a basket in progress, and perhaps whose it is."""

    top_n = Whole(min_value=1, max_value=100, default=10)
    product_ids = serializers.ListField(child=Text(max_length=LONGEST_ID), max_length=500, allow_empty=True)
    customer_id = Text(max_length=LONGEST_ID, required=False, allow_null=True, default=None)

    def validate_product_ids(self, value: list[str]) -> list[str]:
        """The ids, each once."""
        return _distinct(value, most=500)


def _distinct(ids: list[str], *, most: int) -> list[str]:
    """Ids without blanks and doubles; a ValidationError where there are too many, or one is longer than any."""
    found = list(dict.fromkeys(i.strip() for i in ids if i.strip()))
    if len(found) > most:
        told = gettext("{found} products were given, {most} at most are allowed.")
        raise serializers.ValidationError(told.format(found=len(found), most=most))
    for one in found:
        if len(one) > LONGEST_ID:
            raise serializers.ValidationError(gettext("There is no id like {id}.").format(id=one[:40]))
    return found


# --- acting ---------------------------------------------------------------------------------------


class Activate(Explained):
    """Whether a version that loses to the baseline may serve."""

    accept_worse = Flag(default=False)
