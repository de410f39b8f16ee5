"""Forecasts kept to be held against what came: as published, period by period, and the score once it is over."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Horizon(models.TextChoices):
    """How many days ahead a period lay when it was forecast."""

    WEEK = "1-7", _("Days 1 to 7")
    SECOND_WEEK = "8-14", _("Days 8 to 14")
    MONTH = "15-28", _("Days 15 to 28")
    SECOND_MONTH = "29-56", _("Days 29 to 56")
    QUARTER = "57-91", _("Days 57 to 91")
    FOUR_WEEKS = "1-28", _("Sum of days 1 to 28")

    @property
    def first(self) -> int:
        """The first day ahead that it holds."""
        return int(self.value.split("-")[0])

    @property
    def last(self) -> int:
        """The last day ahead that it holds."""
        return int(self.value.split("-")[1])


class ScoredLevel(models.TextChoices):
    """The levels that are scored: total and categories by the sales of a day, products by the units of weeks."""

    TOTAL = "total", _("Whole shop")
    CATEGORY = "category", _("Category")
    PRODUCT = "product", _("Product")


class PublishedForecast(models.Model):
    """A version of the sales forecast as it went into service, with what its back-test promised.

    It outlives the version's file: a forecast that was deleted is held to its word as well.
    """

    model = models.OneToOneField(
        "ml_predictions.MLModel",
        models.SET_NULL,
        null=True,
        related_name="published_forecast",
        verbose_name=_("model version"),
    )
    version = models.PositiveIntegerField(_("version"))
    model_type = models.CharField(_("model type"), max_length=40)
    as_of = models.DateField(_("as of"), help_text=_("The last day of data that it has seen."))
    published_at = models.DateTimeField(_("in service since"), default=timezone.now)
    whole = models.BooleanField(_("with categories and products"))
    promised = models.JSONField(
        _("promised"), default=dict, help_text=_("Error and coverage of its back-test, per level and days ahead.")
    )

    class Meta:
        verbose_name = _("published forecast")
        verbose_name_plural = _("published forecasts")
        ordering = ["-id"]
        indexes = [models.Index(fields=["as_of"], name="published_as_of")]

    def __str__(self) -> str:
        return f"v{self.version} ({self.model_type}, {self.as_of})"


class PastForecast(models.Model):
    """One period of a published forecast: a day of the total or a category (sales), of a product a week or four."""

    published = models.ForeignKey(
        PublishedForecast, models.CASCADE, related_name="periods", verbose_name=_("published forecast")
    )
    level = models.CharField(_("level"), max_length=10, choices=ScoredLevel.choices)
    object_id = models.CharField(_("id"), max_length=120, blank=True)  # "" for the total
    horizon = models.CharField(_("days ahead"), max_length=5, choices=Horizon.choices)
    start = models.DateField(_("from"))
    end = models.DateField(_("to"))
    mean = models.FloatField(_("forecast"))
    lower_80 = models.FloatField(_("lower 80 %"))
    upper_80 = models.FloatField(_("upper 80 %"))
    lower_95 = models.FloatField(_("lower 95 %"))
    upper_95 = models.FloatField(_("upper 95 %"))
    naive = models.FloatField(_("naive baseline"), null=True, help_text=_("The same weekday of the week before."))
    actual = models.FloatField(_("came"), null=True, help_text=_("Empty until the period is over and scored."))
    closed = models.BooleanField(
        _("shop closed"), default=False, help_text=_("It lay inside a closure that the forecast did not know of.")
    )

    class Meta:
        verbose_name = _("past forecast")
        verbose_name_plural = _("past forecasts")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["published", "level", "object_id", "start", "end"], name="one_past_forecast_per_period"
            ),
        ]
        indexes = [models.Index(fields=["level", "end"], name="past_forecast_level_end")]

    def __str__(self) -> str:
        return f"{self.get_level_display()} {self.object_id} {self.start}: {self.mean:.2f}"


class ForecastScore(models.Model):
    """Promise and truth of one published forecast, level and horizon: sums over its periods that are over.

    Errors are forecast − what came. The shares are made of the sums, so that several scores can be pooled.
    """

    published = models.ForeignKey(
        PublishedForecast, models.CASCADE, related_name="scores", verbose_name=_("published forecast")
    )
    level = models.CharField(_("level"), max_length=10, choices=ScoredLevel.choices)
    horizon = models.CharField(_("days ahead"), max_length=5, choices=Horizon.choices)
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    periods = models.PositiveIntegerField(_("periods"))
    actual = models.FloatField(_("sum of what came"), help_text=_("Each period's size, whatever its sign."))
    error = models.FloatField(_("sum of errors"))
    absolute_error = models.FloatField(_("sum of errors' sizes"))
    naive_error = models.FloatField(_("sum of the baseline's errors"), null=True)
    naive_absolute_error = models.FloatField(_("sum of the baseline's errors' sizes"), null=True)
    counted = models.PositiveIntegerField(
        _("periods with an interval"), help_text=_("Those of which something was forecast or sold.")
    )
    inside_80 = models.PositiveIntegerField(_("inside the 80 % interval"))
    inside_95 = models.PositiveIntegerField(_("inside the 95 % interval"))
    closed = models.PositiveIntegerField(_("periods inside a closure"))
    closed_error = models.FloatField(_("sum of errors' sizes inside a closure"))
    final = models.BooleanField(_("final"), default=False, help_text=_("Its periods will not be looked at again."))

    class Meta:
        verbose_name = _("forecast accuracy")
        verbose_name_plural = _("forecast accuracy")
        ordering = ["-published_id", "level", "first_day"]
        constraints = [
            models.UniqueConstraint(fields=["published", "level", "horizon"], name="one_score_per_horizon"),
        ]

    def __str__(self) -> str:
        return f"{self.published} {self.get_level_display()} {self.horizon}"
