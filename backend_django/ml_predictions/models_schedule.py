"""When the worker does what by itself: the owner's schedule, and what came of each of its days."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Task(models.TextChoices):
    """What is scheduled."""

    NIGHTLY = "nightly", _("Nightly refresh")
    WEEKLY = "weekly", _("Weekly training")


class Weekday(models.IntegerChoices):
    """Days of the week, as Python counts them."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class Schedule(models.Model):
    """The owner's one schedule. Hours are the shop's own (`TIME_ZONE`)."""

    ONE = 1
    """The key of the only row."""

    nightly_on = models.BooleanField(_("nightly refresh"), default=True)
    nightly_hour = models.PositiveSmallIntegerField(
        _("hour of the refresh"), default=4, validators=[MaxValueValidator(23)], help_text=_("0 to 23, shop time.")
    )
    weekly_on = models.BooleanField(_("weekly training"), default=True)
    weekly_day = models.PositiveSmallIntegerField(
        _("day of the training"), choices=Weekday.choices, default=Weekday.SUNDAY
    )
    weekly_hour = models.PositiveSmallIntegerField(
        _("hour of the training"), default=5, validators=[MaxValueValidator(23)], help_text=_("0 to 23, shop time.")
    )
    nightly_since = models.DateTimeField(_("refresh on since"), default=timezone.now, editable=False)
    weekly_since = models.DateTimeField(_("training on since"), default=timezone.now, editable=False)
    changed_by = models.CharField(_("changed by"), max_length=160, blank=True, editable=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedule")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(nightly_hour__lte=23, weekly_hour__lte=23, weekly_day__lte=6), name="schedule_hours"
            ),
            models.CheckConstraint(condition=models.Q(id=1), name="one_schedule"),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class ScheduledRun(models.Model):
    """One day of the schedule for which a run was queued: the constraint keeps two workers from queueing two."""

    task = models.CharField(_("what"), max_length=8, choices=Task.choices)
    day = models.DateField(_("of the day"), help_text=_("In shop time."))
    due_at = models.DateTimeField(_("due"))
    queued_at = models.DateTimeField(_("queued"))
    left_out = models.PositiveIntegerField(
        _("left out before it"), default=0, help_text=_("Days missed while no worker ran: this run makes up for them.")
    )
    training_log = models.ForeignKey(
        "ml_predictions.MLTrainingLog",
        models.SET_NULL,
        null=True,
        related_name="scheduled",
        verbose_name=_("training"),
    )

    class Meta:
        verbose_name = _("scheduled run")
        verbose_name_plural = _("scheduled runs")
        ordering = ["-day", "task"]
        constraints = [models.UniqueConstraint(fields=["task", "day"], name="one_run_per_task_and_day")]

    def __str__(self) -> str:
        return f"{self.get_task_display()} {self.day}"
