"""What the owner knows about days, and no sale tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ml_predictions.expressions import DaysSince


class CalendarEvent(models.Model):
    """What the owner knows about days, past or to come: a promotion, a closure, a holiday, an extra opening."""

    class Kind(models.TextChoices):
        PROMOTION = "promotion", _("Promotion")
        CLOSURE = "closure", _("Closure")
        HOLIDAY = "holiday", _("Holiday")
        OPENING = "opening", _("Extra opening")

    class Level(models.TextChoices):
        TOTAL = "total", _("Whole shop")
        CATEGORY = "category", _("Category")
        PRODUCT = "product", _("Product")

    LONGEST_DAYS = 366
    UPLIFT = (0.05, 20.0)
    EARLIEST, LATEST = date(1990, 1, 1), date(2100, 12, 31)

    kind = models.CharField(
        _("kind"), max_length=10, choices=Kind.choices,
        help_text=_("A holiday: a day of its own that comes back under the same name; whether the shop sells then, and "
                    "how much, is learned. An extra opening: the shop sells although it is closed as a rule."),
    )  # fmt: skip
    name = models.CharField(
        _("name"), max_length=120, help_text=_("Events of one name are taken to have one effect: “Summer sale”.")
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    level = models.CharField(_("level"), max_length=10, choices=Level.choices, default=Level.TOTAL)
    object_id = models.CharField(
        _("category or product"), max_length=120, blank=True, default="",
        help_text=_("The category's name or the product's id; empty for the whole shop."),
    )  # fmt: skip
    uplift = models.FloatField(
        _("uplift"), null=True, blank=True,
        help_text=_("Expected sales as a multiple of a day without it: 1.3 is 30 % more. Empty: unknown."),
    )  # fmt: skip
    repeats_yearly = models.BooleanField(
        _("every year"), default=False, help_text=_("On the same days of every year, of the past too.")
    )
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    created_by = models.CharField(_("created by"), max_length=160, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("calendar event")
        verbose_name_plural = _("calendar events")
        ordering = ["-first_day", "id"]
        # `clean` says the same in words; here it holds for whatever else writes the table.
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["promotion", "closure", "holiday", "opening"]), name="event_kind"
            ),
            models.CheckConstraint(
                condition=Q(level="total", object_id="") | Q(level__in=["category", "product"], object_id__gt=""),
                name="event_scope",
            ),
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="event_ends_after_it_begins"),
            models.CheckConstraint(
                condition=LessThan(DaysSince(F("last_day"), F("first_day")), 366), name="event_of_a_year_at_most"
            ),
            models.CheckConstraint(
                condition=Q(first_day__gte=date(1990, 1, 1), last_day__lte=date(2100, 12, 31)),
                name="event_in_our_times",
            ),
            models.CheckConstraint(
                condition=Q(uplift=None) | Q(uplift__gte=0.05, uplift__lte=20), name="event_uplift_is_a_factor"
            ),
            models.CheckConstraint(
                condition=Q(kind="promotion") | Q(level="total", uplift=None), name="event_with_a_part_or_uplift"
            ),
            models.UniqueConstraint(
                fields=["kind", "first_day", "last_day", "level", "object_id", "name"], name="event_once",
                violation_error_message=_("This event is in the calendar already."),
            ),
        ]  # fmt: skip

    @property
    def key(self) -> tuple[Any, ...]:
        """What no two events share."""
        return (self.kind, self.first_day, self.last_day, self.level, self.object_id, self.name)

    def __str__(self) -> str:
        return f"{self.name} ({self.first_day:%Y-%m-%d} – {self.last_day:%Y-%m-%d})"

    def clean(self) -> None:
        """Raise ValidationError with a sentence per field that does not fit the others."""
        if faults := dict(self._faults()):
            raise ValidationError(faults)

    def _faults(self) -> Iterator[tuple[str, Any]]:
        """Field and sentence. Fields that are missing altogether are for others to find."""
        for name in ("first_day", "last_day"):
            day = getattr(self, name)
            if day and not self.EARLIEST <= day <= self.LATEST:
                yield name, _("A day from 1990-01-01 to 2100-12-31 is needed.")
        if self.first_day and self.last_day:
            days = (self.last_day - self.first_day).days + 1
            if days < 1:
                yield "last_day", _("The last day lies before the first.")
            elif self.repeats_yearly and days > self.LONGEST_DAYS - 1:
                yield "last_day", _("An event of every year lasts 365 days at most.")
            elif days > self.LONGEST_DAYS:
                yield "last_day", _("An event lasts 366 days at most; enter a longer one in parts.")
        if self.level == self.Level.TOTAL and self.object_id:
            yield "object_id", _("An event of the whole shop names no category or product.")
        elif self.level != self.Level.TOTAL and not self.object_id:
            yield "object_id", _("This level needs the category's name or the product's id.")
        least, most = self.UPLIFT
        if self.uplift is not None and not least <= self.uplift <= most:
            yield "uplift", _("A factor from 0.05 to 20 is needed: 1.3 is 30 % more, 0.8 is 20 % less.")
        if self.kind in (self.Kind.CLOSURE, self.Kind.HOLIDAY, self.Kind.OPENING):
            if self.level != self.Level.TOTAL:
                yield (
                    "level",
                    _("Only a promotion can be of a category or product; the other kinds are of the whole shop."),
                )
            if self.uplift is not None:
                yield "uplift", _("Only a promotion takes an uplift; what the other kinds do is learned from the past.")
