"""What the machine learning keeps. The shop's ids are stored as text, so that any shop fits.

Stored sentences are messages (`ml_predictions.messages`): a code and its figures.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ml_predictions import (  # noqa: F401 (their tables are found from here)
    conf,
    models_accuracy,
    models_calendar,
    models_erasure,
    models_inventory,
    models_owner,
    models_rules,
    models_schedule,
)
from ml_predictions.models_segments import ChanceBand
from ml_predictions.models_segments import Segment as CustomersSegment


class Kind(models.TextChoices):
    """The four services, and the four together."""

    SALES_FORECAST = "sales_forecast", _("Sales forecast")
    PRODUCT_RECOMMENDATION = "product_recommendation", _("Product recommendation")
    CUSTOMER_SEGMENTATION = "customer_segmentation", _("Customer segmentation")
    INVENTORY_OPTIMIZATION = "inventory_optimization", _("Inventory optimization")
    ALL = "all", _("All four")


Row = TypeVar("Row", bound=models.Model)
SERVICES = [kind.value for kind in Kind if kind != Kind.ALL]
SERVICE_CHOICES = [choice for choice in Kind.choices if choice[0] != "all"]


class MLTrainingLog(models.Model):
    """One run: queued, running, completed, failed or cancelled. The row is the hand-over to the worker."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Cause(models.TextChoices):
        PERSON = "person", _("Asked for")
        SCHEDULE = "schedule", _("By the schedule")
        NIGHTLY = "nightly", _("By the nightly refresh")
        FILE = "file", _("Its model file was refused")
        DRIFT = "drift", _("The shop has changed")

    OPEN = (Status.QUEUED, Status.RUNNING)

    kind = models.CharField(_("what"), max_length=40)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    requested_by = models.CharField(_("requested by"), max_length=160, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    progress = models.FloatField(_("progress (%)"), default=0)
    step = models.JSONField(_("step"), null=True, blank=True, help_text=_("A message: what it is doing."))
    result = models.JSONField(
        _("result"), null=True, blank=True,
        help_text=_("The version trained, the one that serves and why, and the figures of the test."),
    )  # fmt: skip
    error = models.JSONField(_("error"), null=True, blank=True, help_text=_("A message: why it failed."))
    cancel_requested_by = models.CharField(_("cancel requested by"), max_length=160, blank=True)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    not_before = models.DateTimeField(
        _("not before"), null=True, blank=True, help_text=_("A run that is tried again waits until then.")
    )
    cause = models.CharField(_("cause"), max_length=12, choices=Cause.choices, default=Cause.PERSON)
    retry_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="retries", verbose_name=_("again after")
    )
    owner = models.CharField(_("owner"), max_length=80, blank=True, help_text=_("The worker and its attempt."))
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)

    class Meta:
        verbose_name = _("training")
        verbose_name_plural = _("trainings")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(status__in=["queued", "running"]), name="one_open_run_per_kind"
            ),
        ]
        indexes = [models.Index(fields=["status", "id"], name="training_queue")]

    def __str__(self) -> str:
        return f"{dict(Kind.choices).get(self.kind, self.kind)} {self.pk} ({self.get_status_display()})"

    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to end, or None while it runs."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max((self.finished_at - self.started_at).total_seconds(), 0.0)  # the clock may have been set back


class MLModel(models.Model):
    """One version of a service's model, with the file it lives in and the evidence for it."""

    service = models.CharField(_("service"), max_length=40, choices=SERVICE_CHOICES)
    version = models.PositiveIntegerField(_("version"))
    model_type = models.CharField(_("model type"), max_length=40)
    is_active = models.BooleanField(_("in service"), default=False)
    as_of = models.DateField(_("as of"), help_text=_("The last day of data that it has seen."))
    trained_at = models.DateTimeField(_("trained"), default=timezone.now)
    activated_at = models.DateTimeField(_("in service since"), null=True, blank=True)
    retired_at = models.DateTimeField(_("in service until"), null=True, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict)
    receipt = models.JSONField(_("receipt"), default=dict, help_text=_("The back-test behind its numbers."))
    comparison = models.JSONField(
        _("comparison"), null=True, help_text=_("With the version that was in service, on the same days.")
    )
    drift = models.JSONField(
        _("drift"), null=True, help_text=_("Whether the shop is still the one that it has learned from.")
    )
    parameters = models.JSONField(_("parameters"), default=dict)
    fingerprint = models.JSONField(_("data fingerprint"), default=dict)
    libraries = models.JSONField(_("library versions"), default=dict)
    beats_baseline = models.BooleanField(_("beats the baseline"), null=True)
    artifact = models.CharField(_("model file"), max_length=200, unique=True)
    artifact_sha256 = models.CharField(_("checksum"), max_length=64)
    training_log = models.ForeignKey(
        MLTrainingLog,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="models",
        verbose_name=_("training"),
    )

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["service", "version"], name="model_version_once"),
            models.UniqueConstraint(fields=["service"], condition=Q(is_active=True), name="one_active_model"),
        ]

    def __str__(self) -> str:
        return f"{self.get_service_display()} v{self.version} ({self.model_type})"


class Stored(models.Manager[Row]):
    """Rows that belong to versions of a service."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def in_service(self) -> models.QuerySet[Row]:
        """Those of the version in service, found by its id: a join would look at every row of the table."""
        serving = MLModel.objects.filter(service=self.kind, is_active=True).order_by()
        return self.filter(model=models.Subquery(serving.values("pk")[:1]))


class Prediction(models.Model):
    """What was answered to one `predict-sales/` call, kept so that it can be looked back on."""

    model = models.ForeignKey(
        MLModel, models.SET_NULL, null=True, related_name="predictions", verbose_name=_("model version")
    )
    service = models.CharField(_("service"), max_length=40, choices=SERVICE_CHOICES)
    parameters = models.JSONField(_("parameters"), default=dict)
    result = models.JSONField(_("result"), default=dict)
    as_of = models.DateField(_("as of"))
    requested_by = models.CharField(_("requested by"), max_length=160, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)
    execution_time_ms = models.FloatField(_("time (ms)"), default=0)
    last_day = models.DateField(_("last day"), null=True, db_index=True, help_text=_("The last day that it is of."))
    looked_back = models.JSONField(
        _("looked back"), null=True, help_text=_("Promise and truth, once its days are over.")
    )
    looked_back_on = models.DateField(_("looked back on"), null=True, help_text=_("The last day of sales known then."))

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_service_display()} {self.pk}"


class SalesForecast(models.Model):
    """Forecast of one period: a day for the shop and its categories, a week for products and variants."""

    class Level(models.TextChoices):
        TOTAL = "total", _("Whole shop")
        CATEGORY = "category", _("Category")
        PRODUCT = "product", _("Product")
        VARIANT = "variant", _("Variant")

    model = models.ForeignKey(MLModel, models.CASCADE, related_name="sales_forecasts", verbose_name=_("model version"))
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    object_id = models.CharField(_("id"), max_length=120, blank=True)  # "" for the total
    start = models.DateField(_("from"))
    days = models.PositiveSmallIntegerField(_("days"), default=1)
    sales = models.FloatField(_("sales"))
    sales_lower_80 = models.FloatField(_("sales, lower 80 %"))
    sales_upper_80 = models.FloatField(_("sales, upper 80 %"))
    sales_lower_95 = models.FloatField(_("sales, lower 95 %"))
    sales_upper_95 = models.FloatField(_("sales, upper 95 %"))
    quantity = models.FloatField(_("units"))
    quantity_lower_80 = models.FloatField(_("units, lower 80 %"))
    quantity_upper_80 = models.FloatField(_("units, upper 80 %"))
    quantity_lower_95 = models.FloatField(_("units, lower 95 %"))
    quantity_upper_95 = models.FloatField(_("units, upper 95 %"))

    objects = Stored["SalesForecast"](Kind.SALES_FORECAST)

    class Meta:
        verbose_name = _("sales forecast")
        verbose_name_plural = _("sales forecasts")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "level", "object_id", "start"], name="one_forecast_per_period"),
        ]

    def __str__(self) -> str:
        return f"{self.get_level_display()} {self.object_id} {self.start}: {self.sales:.2f}"


class ProductRecommendation(models.Model):
    """One of the best products to show on another product's page."""

    model = models.ForeignKey(MLModel, models.CASCADE, related_name="recommendations", verbose_name=_("model version"))
    product_id = models.CharField(_("product"), max_length=120)
    recommended_id = models.CharField(_("recommended product"), max_length=120)
    rank = models.PositiveSmallIntegerField(_("rank"))
    score = models.FloatField(_("score"))
    reason = models.JSONField(_("reason"), null=True, blank=True)

    class Meta:
        verbose_name = _("product recommendation")
        verbose_name_plural = _("product recommendations")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "product_id", "rank"], name="one_recommendation_per_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} → {self.recommended_id}"


class CustomerSegment(models.Model):
    """Who a customer is, as of the model's day."""

    Segment = CustomersSegment

    model = models.ForeignKey(
        MLModel, models.CASCADE, related_name="segments", verbose_name=_("model version"), db_index=False
    )
    customer_id = models.CharField(_("customer"), max_length=120)
    cluster = models.SmallIntegerField(_("cluster"))
    segment = models.CharField(_("segment"), max_length=10, choices=Segment.choices)
    previous_segment = models.CharField(_("previous segment"), max_length=10, choices=Segment.choices, blank=True)
    changed_on = models.DateField(
        _("changed on"), null=True, help_text=_("The day of the training that moved the customer; empty: never moved.")
    )
    confidence = models.FloatField(_("confidence"), help_text="0…1")
    recency_days = models.IntegerField(_("days since the last order"))
    total_orders = models.IntegerField(_("orders"))
    total_spent = models.FloatField(_("spent"))
    spent_year = models.FloatField(_("spent in the last 365 days"), default=0)
    avg_order_value = models.FloatField(_("mean order"))
    purchase_frequency_monthly = models.FloatField(_("orders a month"))
    usual_interval_days = models.FloatField(_("usual interval (days)"), null=True)
    overdue_ratio = models.FloatField(_("overdue (× usual interval)"), null=True)
    recency_score = models.PositiveSmallIntegerField(_("recency score"), help_text=_("1 (weakest) to 5 (best)."))
    frequency_score = models.PositiveSmallIntegerField(_("frequency score"), help_text=_("1 (weakest) to 5 (best)."))
    monetary_score = models.PositiveSmallIntegerField(_("spending score"), help_text=_("1 (weakest) to 5 (best)."))
    value_3 = models.FloatField(_("value, 3 months"), null=True)
    value_3_lower = models.FloatField(_("3 months, lower"), null=True)
    value_3_upper = models.FloatField(_("3 months, upper"), null=True)
    value_6 = models.FloatField(_("value, 6 months"), null=True)
    value_6_lower = models.FloatField(_("6 months, lower"), null=True)
    value_6_upper = models.FloatField(_("6 months, upper"), null=True)
    value_12 = models.FloatField(_("value, 12 months"), null=True)
    value_lower = models.FloatField(_("12 months, lower"), null=True)
    value_upper = models.FloatField(_("12 months, upper"), null=True)
    orders_12 = models.FloatField(_("orders expected in 12 months"), null=True)
    probability_alive = models.FloatField(_("chance of still being a customer"), null=True)
    probability_90d = models.FloatField(_("chance of an order within 90 days"), null=True)
    chance_band = models.CharField(
        _("an order within 90 days is"), max_length=8, choices=ChanceBand.choices, blank=True, default=""
    )
    expected_early = models.DateField(
        _("next order, at the earliest"), null=True, help_text=_("Has come by then with a chance of 25 %.")
    )
    expected_next = models.DateField(
        _("next order expected"), null=True, help_text=_("Has come by then with a chance of 50 %.")
    )
    money_at_risk = models.FloatField(
        _("money at risk"),
        null=True,
        help_text=_("Spent in the last 365 days less what the next 12 months should bring."),
    )
    explanation = models.JSONField(_("explanation"), default=list)
    advice = models.JSONField(_("what to do"), default=list)

    objects = Stored["CustomerSegment"](Kind.CUSTOMER_SEGMENTATION)

    class Meta:
        verbose_name = _("customer segment")
        verbose_name_plural = _("customer segments")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "customer_id"], name="one_segment_per_customer"),
        ]
        indexes = [
            models.Index(fields=["model", "id"], name="segment_of_model"),
            models.Index(  # the sums of the segments come from it alone
                fields=[
                    "model",
                    "segment",
                    "total_spent",
                    "spent_year",
                    "value_12",
                    "money_at_risk",
                    "probability_90d",
                    "recency_days",
                    "total_orders",
                    "overdue_ratio",
                ],
                name="segment_sums",
            ),
            models.Index(fields=["model", "-total_spent", "id"], name="segment_by_spend"),
            models.Index(fields=["model", "segment", "-money_at_risk", "id"], name="segment_by_risk"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.get_segment_display()}"


class Workers(models.Manager["MLWorker"]):
    """Reads of the workers' signs of life, by the database's clock: machines may disagree about the time."""

    def alive(self) -> bool:
        """Has any worker given a sign of life within a lease?"""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=conf.get("LEASE_SECONDS"))).exists()


class MLWorker(models.Model):
    """A worker's sign of life."""

    objects = Workers()

    name = models.CharField(_("name"), max_length=40, unique=True)
    host = models.CharField(_("machine"), max_length=120)
    pid = models.PositiveIntegerField(_("process"))
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.host} {self.pid}"
