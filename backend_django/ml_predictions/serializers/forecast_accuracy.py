"""How well past forecasts kept their word: which ones are asked for, and the shape of the answer."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers as s

from api_base.fields import Day
from api_base.serializers import Explained
from ml_predictions.models_accuracy import Horizon, ScoredLevel
from ml_predictions.serializers import answers


class Which(Explained):
    """Which past forecasts to look at."""

    level = s.ChoiceField(choices=ScoredLevel.choices, required=False)
    horizon = s.ChoiceField(choices=Horizon.choices, required=False, help_text=_("Days ahead."))
    model_id = s.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    since = Day(required=False, help_text=_("Forecasts whose last day of data is this day or a later one."))


ANSWER = answers.shape(
    "ForecastAccuracyFound",
    success=s.BooleanField(),
    scored_until=s.DateField(allow_null=True, help_text="The last day that is over and scored."),
    scores=answers.many(
        "ForecastScore",
        level=s.ChoiceField(choices=ScoredLevel.choices),
        unit=s.ChoiceField(choices=["sales", "units"]),
        period_days=s.IntegerField(
            help_text="Days of one period: a day of sales, a week or four of a product's units."
        ),
        horizon=s.ChoiceField(choices=Horizon.choices, help_text="Days ahead."),
        versions=s.IntegerField(help_text="Versions behind it."),
        periods=s.IntegerField(help_text="Forecasts scored: days, or weeks of products."),
        counted_periods=s.IntegerField(help_text="Those of which something was forecast or sold: coverage is of them."),
        wape=answers.number("Σ|forecast − came| / Σ|came|."),
        baseline_wape=answers.number("The same of the naive baseline: the same weekday of the last week known."),
        promised_wape=answers.number("What the back-tests had promised; null where none reached so far ahead."),
        promised_baseline_wape=answers.number(),
        bias=answers.number("Σ(forecast − came) / Σ|came|: positive when too much was forecast."),
        baseline_bias=answers.number(),
        coverage_80=answers.number("Share of the periods inside their 80 % interval."),
        coverage_95=answers.number("Share of the periods inside their 95 % interval."),
        promised_coverage_80=answers.number("What the back-tests had measured for the 80 % interval."),
        promised_coverage_95=answers.number(),
        closure_periods=s.IntegerField(help_text="Inside a closure that the forecast did not know of; they count."),
        wape_without_closures=answers.number(),
        final=s.BooleanField(help_text="False while later deliveries may still change what came."),
    ),
    versions=answers.many(
        "ScoredVersion",
        model_id=s.IntegerField(allow_null=True, help_text="Null when the version was deleted."),
        version=s.IntegerField(),
        model_type=answers.text(),
        as_of=s.DateField(),
        published_at=s.DateTimeField(),
    ),
    last_days=answers.many(
        "ScoredDay",
        date=s.DateField(),
        forecast=answers.number("The last one made before the day.", null=False),
        lower_80=answers.number(null=False),
        upper_80=answers.number(null=False),
        lower_95=answers.number(null=False),
        upper_95=answers.number(null=False),
        baseline=answers.number(),
        actual=answers.number(null=False),
        unforeseen_closure=s.BooleanField(),
        version=s.IntegerField(),
        days_ahead=s.IntegerField(),
    ),
    drift=s.DictField(
        allow_null=True,
        help_text="Whether the forecast in service is still of this shop: checked_until, drifted, live_days, inputs, "
        "warnings. Null until the nightly refresh has looked.",
    ),
    notes=answers.texts(),
)
