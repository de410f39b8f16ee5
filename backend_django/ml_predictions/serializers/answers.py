"""The shapes of the answers, for the documentation of the API: names and types, no behaviour."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers as s

from ml_predictions.models import MLTrainingLog
from ml_predictions.serializers.records import ModelRecord, TrainingRecord


def shape(name: str, /, **fields: Any) -> s.Serializer[Any]:
    """A documented JSON object."""
    found: s.Serializer[Any] = inline_serializer(name, fields)
    return found


def part(name: str, /, **fields: Any) -> s.Serializer[Any]:
    """A documented JSON object inside another."""
    found: s.Serializer[Any] = inline_serializer(name, fields)
    return found


def many(name: str, /, **fields: Any) -> s.Serializer[Any]:
    """A documented list of JSON objects."""
    found: s.Serializer[Any] = inline_serializer(name, fields, many=True)
    return found


def number(help_text: str = "", *, null: bool = True) -> s.FloatField:
    """A number; null where it cannot be known."""
    return s.FloatField(allow_null=null, help_text=help_text)


def text(*, null: bool = False) -> s.CharField:
    """A text."""
    return s.CharField(allow_null=null)


def texts() -> s.ListField:
    """A list of sentences."""
    return s.ListField(child=s.CharField())


def day() -> s.DateField:
    """A date; null where it cannot be known."""
    return s.DateField(allow_null=True)


def anything(help_text: str = "") -> s.DictField:
    """A JSON object whose keys depend on the method."""
    return s.DictField(help_text=help_text)


# --- training -------------------------------------------------------------------------------------

SERVED = {
    "model_id": s.IntegerField(allow_null=True),
    "model_type": text(null=True),
    "why": s.CharField(help_text="Why this version is the one that serves."),
}
TRAINED = shape(
    "Trained",
    success=s.BooleanField(),
    message=text(),
    model_id=s.IntegerField(),
    model_type=text(),
    promoted=s.BooleanField(help_text="Is the model that was asked for now in service?"),
    served=part("Served", **SERVED),
    metrics=anything("Out of sample, beside a naive baseline."),
    duration_seconds=number(),
    training_log_id=s.IntegerField(),
)
TRAINED_ALL = shape(
    "TrainedAll",
    success=s.BooleanField(),
    message=text(),
    services=s.DictField(help_text="Per service: model_id, model_type, promoted, served, metrics."),
    errors=s.DictField(help_text="Per service that could not be trained: code and message."),
    duration_seconds=number(),
    training_log_id=s.IntegerField(),
)
UNDER_WAY = shape(
    "TrainingUnderWay",
    success=s.BooleanField(),
    message=text(),
    training_log_id=s.IntegerField(),
    status=s.ChoiceField(choices=MLTrainingLog.Status.choices),
    queue_position=s.IntegerField(allow_null=True, help_text="1 for the next of those that wait; else null."),
    status_url=text(),
)

REPORT = shape(
    "VersionReport",
    success=s.BooleanField(),
    model=ModelRecord(),
    sentences=texts(),
    comparison=s.DictField(allow_null=True, help_text="With the version that was in service, on the same tests."),
    metrics=anything(),
    receipt=anything("The back-test, fold by fold."),
    parameters=anything(),
    fingerprint=anything("Of the data that it has seen."),
    libraries=anything("Versions of the libraries and of the code that trained it."),
    changed_since=texts(),
    file=part("VersionFile", name=text(), sha256=text(), whole=s.BooleanField(), reason=text(null=True)),
    training=s.DictField(allow_null=True),
)

DATA_QUALITY = shape(
    "DataQuality",
    success=s.BooleanField(),
    as_of=day(),
    looked_at=part("DataLookedAt", lines=s.IntegerField(), products=s.IntegerField(), variants=s.IntegerField()),
    findings=many(
        "DataFinding",
        code=text(),
        services=texts(),
        count=s.IntegerField(),
        of=s.IntegerField(allow_null=True, help_text="Rows looked at; null for what the source leaves out."),
        share=number("count / of"),
        message=text(),
        examples=s.ListField(child=s.DictField(), help_text="The first five."),
    ),
    services=s.DictField(child=s.IntegerField(), help_text="How many findings touch each service."),
    note=text(),
)

# --- sales forecast -------------------------------------------------------------------------------

MODEL = {
    "id": s.IntegerField(),
    "model_type": text(),
    "trained_at": s.DateTimeField(),
    "as_of": s.DateField(),
}
PREDICTED = shape(
    "PredictedSales",
    success=s.BooleanField(),
    predictions=many(
        "PredictedDay",
        date=s.DateField(),
        predicted_sales=number(null=False),
        predicted_quantity=number(null=False),
        confidence_lower=number(null=False),
        confidence_upper=number(null=False),
        quantity_lower=number(null=False),
        quantity_upper=number(null=False),
    ),
    summary=part(
        "PredictedTotal",
        total_predicted_sales=number(null=False),
        avg_daily_sales=number(null=False),
        total_predicted_quantity=number(null=False),
        total_lower=number("The interval of the total, not the sum of daily bounds.", null=False),
        total_upper=number(null=False),
        quantity_total_lower=number(null=False),
        quantity_total_upper=number(null=False),
    ),
    months=many(
        "PredictedMonth",
        month=text(),
        days=s.IntegerField(help_text="Days of the month that are asked for."),
        predicted_sales=number(null=False),
        sales_lower=number("The interval of the month's sum.", null=False),
        sales_upper=number(null=False),
        predicted_quantity=number(null=False),
        quantity_lower=number(null=False),
        quantity_upper=number(null=False),
    ),
    explanation=s.DictField(
        allow_null=True, help_text="Why, of the whole shop: sentences, the factors behind them, named and closed days."
    ),
    model=part("ServingModel", **MODEL),
    receipt=anything("The back-test behind the numbers."),
    execution_time_ms=number(null=False),
    prediction_id=s.IntegerField(),
)

REPRODUCED = shape(
    "ReproducedPrediction",
    success=s.BooleanField(),
    identical=s.BooleanField(help_text="Are these the numbers that were answered?"),
    largest_difference=number(null=False),
    changed_since=texts(),
    predictions=s.ListField(child=s.DictField()),
    summary=anything(),
    model=part("ReproducedModel", **MODEL),
)

# --- recommendations ------------------------------------------------------------------------------

RECOMMENDED_ITEM = {
    "product_id": text(),
    "product_name": text(),
    "similarity_score": number("0…1", null=False),
    "price": number(),
    "image_url": text(null=True),
    "rank": s.IntegerField(),
    "reason": text(),
    "support": number("Orders behind it."),
    "pinned": s.BooleanField(help_text="Comes first by a rule of the shop."),
}
RECOMMENDED_ITEMS = many("RecommendedItem", **RECOMMENDED_ITEM)
RECEIPT = part(
    "RecommendationReceipt",
    surface=text(),
    sentence=s.CharField(help_text="How good such lists were on later baskets, beside plain best sellers."),
    method=s.CharField(required=False),
    measured=s.DictField(required=False, allow_null=True, help_text="On the last window, which trained nothing."),
    baseline=s.DictField(required=False, allow_null=True, help_text="Best sellers on the same questions."),
    steering=s.DictField(required=False, help_text="How strongly the stock changes the order, and what that costs."),
    **{"from": s.DateField(required=False), "to": s.DateField(required=False)},
)
NOTE = s.CharField(required=False, help_text="Where the list comes from when it is not the usual one.")
RECOMMENDED = shape(
    "Recommended",
    success=s.BooleanField(),
    source_product_id=text(),
    recommendations=RECOMMENDED_ITEMS,
    note=NOTE,
    receipt=RECEIPT,
)
RECOMMENDED_MANY = shape(
    "RecommendedMany",
    success=s.BooleanField(),
    results=many(
        "RecommendedBesideProduct",
        source_product_id=text(),
        recommendations=RECOMMENDED_ITEMS,
        note=NOTE,
    ),
    unknown_product_ids=texts(),
    receipt=RECEIPT,
)
RECOMMENDED_TO_ALL = shape(
    "RecommendedToAll",
    success=s.BooleanField(),
    recommendations=RECOMMENDED_ITEMS,
    note=NOTE,
    receipt=RECEIPT,
)
CUSTOMERS_FOR = shape(
    "CustomersForProduct",
    success=s.BooleanField(),
    source_product_id=text(),
    customers=many(
        "InterestedCustomer",
        customer_id=text(),
        rank=s.IntegerField(),
        score=number("0…1, 1 for the first.", null=False),
        reason=text(),
        support=s.IntegerField(help_text="Orders of the customer with something like it."),
        last_bought=s.DateField(help_text="Day of the latest of them."),
    ),
    note=NOTE,
    receipt=RECEIPT,
)
BOUGHT_TOGETHER = shape(
    "BoughtTogether",
    success=s.BooleanField(),
    source_product_id=text(),
    recommendations=many(
        "BoughtTogetherItem",
        **RECOMMENDED_ITEM,
        lift=number("Times more often together than by chance."),
        share_of_baskets=number("0…1: of the baskets with the source product."),
        share_lower=number("Lower end of the share's 95 % interval."),
        baskets=number("Baskets with both."),
    ),
    note=NOTE,
    receipt=RECEIPT,
)
FOR_CUSTOMER = shape(
    "RecommendedToCustomer",
    success=s.BooleanField(),
    customer_id=text(),
    recommendations=many("RecommendedToCustomerItem", **RECOMMENDED_ITEM),
    note=NOTE,
    receipt=RECEIPT,
)

# --- customers ------------------------------------------------------------------------------------

# --- records --------------------------------------------------------------------------------------

ACTIVE_MODELS = shape("ActiveModels", success=s.BooleanField(), models=ModelRecord(many=True))
DASHBOARD = shape(
    "DashboardSummary",
    success=s.BooleanField(),
    summary=part(
        "DashboardCounts",
        total_active_models=s.IntegerField(),
        total_predictions=s.IntegerField(),
        predictions_last_7days=s.IntegerField(),
        active_inventory_alerts=s.IntegerField(),
        critical_inventory_alerts=s.IntegerField(),
    ),
    sales_forecast=part(
        "DashboardSales",
        next_7_days=number(),
        next_30_days=number(),
        trend=s.ChoiceField(choices=["up", "stable", "down"], allow_null=True),
        change=number("Next 30 days against the last 30, as a share."),
        change_on_year=number("Next 30 days against the same days a year ago, as a share."),
        as_of=s.DateField(required=False),
    ),
    inventory=part(
        "DashboardInventory",
        total_alerts=s.IntegerField(),
        critical_alerts=s.IntegerField(),
        health_score=number("0…100"),
    ),
    customers=part(
        "DashboardCustomers",
        total_segments=s.IntegerField(allow_null=True),
        vip_customers=s.IntegerField(allow_null=True),
        at_risk_customers=s.IntegerField(allow_null=True),
    ),
    recommendations=part(
        "DashboardRecommendations", total_products=s.IntegerField(allow_null=True), avg_similarity=number()
    ),
    business_health=part(
        "BusinessHealth",
        score=number("0…100: the weighted mean of the parts that are known."),
        components=part(
            "BusinessHealthParts",
            sales=number("100: the next 30 days hold or beat the last 30."),
            inventory=number("The inventory's health score."),
            customers=number("Share of past spending by customers who are neither at risk nor inactive."),
            data_and_models=number("25 per service in service, half of it when it loses to its baseline."),
        ),
        weights=s.DictField(child=s.IntegerField()),
        left_out=texts(),
    ),
    recent_models=ModelRecord(many=True),
    recent_trainings=TrainingRecord(many=True),
    notes=texts(),
)
REQUIREMENTS = shape(
    "DataRequirements",
    success=s.BooleanField(),
    as_of=day(),
    requirements=many(
        "DataRequirement",
        service=text(),
        measure=text(),
        minimum=s.IntegerField(),
        recommended=s.IntegerField(),
        have=s.IntegerField(),
        verdict=s.ChoiceField(choices=["recommended", "sufficient", "low_confidence", "insufficient"]),
        can_train=s.BooleanField(),
        message=text(),
    ),
    note=text(),
)


# --- the calendar ---------------------------------------------------------------------------------

UPLOADED = shape(
    "UploadedEvents",
    success=s.BooleanField(),
    rows=s.IntegerField(help_text="Rows of the file."),
    created=s.IntegerField(help_text="Events stored; with dry_run: that would be."),
    duplicates=s.IntegerField(help_text="Rows left out: in the calendar already, or twice in the file."),
    dry_run=s.BooleanField(),
)
