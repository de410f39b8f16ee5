"""What the owner decides: one row. A value that is empty leaves the project's setting (or its default) in force."""

from __future__ import annotations

import re
import time
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from ml_predictions.models_schedule import Weekday

SECONDS = 5.0
"""A process reads the row again after so long: a change counts everywhere within it."""
RANGES: dict[str, tuple[float, float]] = {
    "holding_rate": (0.01, 2.0), "order_line_cost": (0.0, 10_000.0), "review_days": (1, 90),
    "default_lead_time_days": (1, 365), "service_level": (0.5, 0.999), "alerts_a_day": (1, 500),
    "stock_steering_loss": (0.0, 0.2),
}  # fmt: skip
"""What each figure may be, from and to."""
BAKED: dict[str, tuple[str, ...]] = {
    "country": ("sales_forecast",),
    "region": ("sales_forecast",),
    "currency": ("sales_forecast", "product_recommendation", "customer_segmentation", "inventory_optimization"),
    **dict.fromkeys(
        ("holding_rate", "order_line_cost", "review_days", "default_lead_time_days", "service_level"),
        ("inventory_optimization",),
    ),
    "stock_steering_loss": ("product_recommendation",),
}
"""Values that a training learns with: a change counts in full only when these services are trained again."""
OWNERS = (*BAKED, "alerts_a_day")
"""Columns that stand for the setting of the same name in capitals."""
LANGUAGES = [(code, get_language_info(code)["name_local"].capitalize()) for code in ("es", "en")]
"""Languages that there are texts in."""
SEPARATORS = re.compile(r"[\s,;]+")


def _within(name: str) -> list[Any]:
    return [MinValueValidator(RANGES[name][0]), MaxValueValidator(RANGES[name][1])]


def addresses(text: str) -> list[str]:
    """The e-mail addresses of a text, which commas, semicolons, blanks or lines separate; each once.

    >>> addresses("ana@shop.es, ben@shop.es\\nana@shop.es"), addresses("")
    (['ana@shop.es', 'ben@shop.es'], [])
    """
    return list(dict.fromkeys(one for one in SEPARATORS.split(text) if one))


class OwnerSettings(models.Model):
    """The only row; it is made when the owner first decides something."""

    ONE = 1
    """The key of the only row."""

    country = models.CharField(
        _("country"), max_length=60, null=True, blank=True,
        help_text=_("Two letters, such as ES, or the English name: the forecast knows its public holidays."),
    )  # fmt: skip
    region = models.CharField(
        _("region"), max_length=20, null=True, blank=True,
        help_text=_("Its code, such as MD for Madrid: for the holidays that it has beside the country's."),
    )  # fmt: skip
    currency = models.CharField(
        _("currency"), max_length=3, null=True, blank=True,
        help_text=_("Three letters, such as EUR. Orders in another currency are left out and counted."),
    )  # fmt: skip
    holding_rate = models.FloatField(
        _("cost of holding stock"), null=True, blank=True, validators=_within("holding_rate"),
        help_text=_("What a year on the shelf costs, of the stock's value: capital, room, loss of value."),
    )  # fmt: skip
    order_line_cost = models.FloatField(
        _("cost of an order line"), null=True, blank=True, validators=_within("order_line_cost"),
        help_text=_("To order, receive and shelve one line, in the shop's currency. More: rarer, larger orders."),
    )  # fmt: skip
    review_days = models.PositiveSmallIntegerField(
        _("days between orders"), null=True, blank=True, validators=_within("review_days"),
        help_text=_("How often you look at what to reorder."),
    )  # fmt: skip
    default_lead_time_days = models.PositiveSmallIntegerField(
        _("usual lead time"), null=True, blank=True, validators=_within("default_lead_time_days"),
        help_text=_("Days from order to shelf where neither the supplier nor past deliveries say it."),
    )  # fmt: skip
    service_level = models.FloatField(
        _("service level"), null=True, blank=True, validators=_within("service_level"),
        help_text=_("Share of order cycles that should end without selling out. More needs more stock."),
    )  # fmt: skip
    alerts_a_day = models.PositiveSmallIntegerField(
        _("alerts a day"), null=True, blank=True, validators=_within("alerts_a_day"),
        help_text=_("So many, by the money expected, are shown each day; the rest is counted."),
    )  # fmt: skip
    stock_steering_loss = models.FloatField(
        _("accuracy that stock may cost"), null=True, blank=True, validators=_within("stock_steering_loss"),
        help_text=_(
            "How much of their accuracy recommendations may lose so that overstock is shown first and what sells out "
            "last. 0: the stock plays no part."
        ),
    )  # fmt: skip
    brief_language = models.CharField(
        _("language of the e-mails"), max_length=2, null=True, blank=True, choices=LANGUAGES,
        help_text=_("Empty: the language of this installation."),
    )  # fmt: skip
    brief_day = models.PositiveSmallIntegerField(
        _("day of the weekly brief"), choices=Weekday.choices, default=Weekday.MONDAY,
        help_text=_("It goes out after the nightly refresh of that day."),
    )  # fmt: skip
    brief_recipients = models.TextField(
        _("who gets the weekly brief"), blank=True, max_length=2_000,
        help_text=_("E-mail addresses, separated by commas or lines. Empty: it is not sent."),
    )  # fmt: skip
    critical_recipients = models.TextField(
        _("who is told of critical stock-outs"), blank=True, max_length=2_000,
        help_text=_("E-mail addresses. At most one e-mail a day, and only when a new one has appeared."),
    )  # fmt: skip
    changed_by = models.CharField(_("changed by"), max_length=160, blank=True, editable=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("owner's settings")
        verbose_name_plural = _("owner's settings")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_owner_settings")]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def clean(self) -> None:
        """Country and region that have a calendar, a currency of three letters, addresses that can be written to."""
        errors: dict[str, Any] = {}
        self._clean_place(errors)
        self.currency = (self.currency or "").strip().upper() or None
        if self.currency and not re.fullmatch("[A-Z]{3}", self.currency):
            errors["currency"] = _("A currency has three letters, such as EUR or GBP.")
        for name in ("brief_recipients", "critical_recipients"):
            found = addresses(getattr(self, name))
            wrong = [one for one in found if not _is_address(one)]
            if wrong:
                text = _("These are no e-mail addresses: %(wrong)s.")
                errors[name] = ValidationError(text, params={"wrong": ", ".join(wrong)})
            setattr(self, name, ", ".join(found))
        if errors:
            raise ValidationError(errors)

    def _clean_place(self, errors: dict[str, Any]) -> None:
        from retail_ml.errors import BadParameter
        from retail_ml.forecast import public_holidays

        self.country, self.region = (self.country or "").strip() or None, (self.region or "").strip() or None
        if not self.country:
            if self.region:
                errors["region"] = _("A region needs its country: fill in the country too.")
            return
        try:
            self.country = public_holidays.country_code(self.country)
        except BadParameter:
            text = _("The public holidays of “%(country)s” are not known. Write two letters, such as ES, GB or MX.")
            errors["country"] = ValidationError(text, params={"country": self.country})
            return
        try:
            self.region = public_holidays.region_code(self.country, self.region or "") or None
        except BadParameter:
            regions = ", ".join(public_holidays.regions(self.country)) or "–"
            text = _("%(country)s has no region “%(region)s”. It has: %(regions)s.")
            told = {"country": self.country, "region": self.region, "regions": regions}
            errors["region"] = ValidationError(text, params=told)

    def values(self) -> dict[str, Any]:
        """Setting → the owner's value, those that there are. With a country goes its region, be it none."""
        found = {name.upper(): value for name in OWNERS if (value := getattr(self, name)) is not None}
        return found | {"REGION": self.region or ""} if self.country else found


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


class InForce:
    """The owner's values as this process knows them: read again after SECONDS, at once after a change of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.until = 0.0

    def __call__(self) -> dict[str, Any]:
        """Setting → the owner's value."""
        now = time.monotonic()
        if now >= self.until:
            self.values, self.until = owner_settings().values(), now + SECONDS
        return self.values

    def forget(self) -> None:
        """Read again at the next question."""
        self.until = 0.0


def owner_settings() -> OwnerSettings:
    """The row, or one that decides nothing."""
    return OwnerSettings.objects.first() or OwnerSettings()


in_force = InForce()


class OwnerMail(models.Model):
    """One e-mail to the owner's people: the constraint keeps a day from having two of a kind."""

    class Kind(models.TextChoices):
        WEEKLY = "weekly", _("weekly brief")
        CRITICAL = "critical", _("critical stock-outs")

    kind = models.CharField(_("what"), max_length=8, choices=Kind.choices)
    day = models.DateField(_("of the day"), help_text=_("In shop time."))
    sent_at = models.DateTimeField(_("sent"), null=True, help_text=_("Empty: it could not be sent."))
    recipients = models.PositiveSmallIntegerField(_("recipients"), default=0)
    error = models.CharField(_("error"), max_length=500, blank=True)
    known = models.JSONField(_("alerts told or seen"), default=list)

    class Meta:
        verbose_name = _("e-mail to the owner")
        verbose_name_plural = _("e-mails to the owner")
        ordering = ["-day", "kind"]
        constraints = [models.UniqueConstraint(fields=["kind", "day"], name="one_owner_mail_per_kind_and_day")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.day}"
