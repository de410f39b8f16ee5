"""What the owner decides about recommendations: products and categories that come first, or never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

OPEN = date(1990, 1, 1)
"""Stands for "without a day" where no two rules may be alike."""


class Surface(models.TextChoices):
    """Where recommendations are shown; each is a call of the API."""

    PAGE = "page", _("Product page")
    SIMILAR = "similar", _("Similar products")
    TOGETHER = "together", _("Bought together")
    CUSTOMER = "customer", _("Customer")
    BASKET = "basket", _("Basket")
    TRENDING = "trending", _("Trending")


BESIDE_PRODUCTS = (Surface.PAGE, Surface.SIMILAR, Surface.TOGETHER, Surface.BASKET)
"""Surfaces whose question names products: only there a rule can be that of one product."""


class RecommendationRule(models.Model):
    """A pin or an exclusion by the owner, of a product or a category, everywhere or somewhere, always or for a time."""

    class Kind(models.TextChoices):
        PIN = "pin", _("Comes first")
        EXCLUDE = "exclude", _("Never shown")

    class Level(models.TextChoices):
        PRODUCT = "product", _("Product")
        CATEGORY = "category", _("Category")

    kind = models.CharField(
        _("kind"), max_length=8, choices=Kind.choices,
        help_text=_("An exclusion wins over a pin. The pin of a category takes one place, for its best product."),
    )  # fmt: skip
    level = models.CharField(_("level"), max_length=10, choices=Level.choices, default=Level.PRODUCT)
    object_id = models.CharField(
        _("category or product"), max_length=120, help_text=_("The category's name or the product's id.")
    )
    surface = models.CharField(
        _("where"), max_length=10, choices=Surface.choices, blank=True, default="", help_text=_("Empty: everywhere.")
    )
    source_product_id = models.CharField(
        _("beside the product"), max_length=120, blank=True, default="",
        help_text=_("Only beside this product, on its page or in a basket that holds it. Empty: beside any."),
    )  # fmt: skip
    first_day = models.DateField(_("first day"), null=True, blank=True, help_text=_("Empty: at once."))
    last_day = models.DateField(_("last day"), null=True, blank=True, help_text=_("Empty: until it is deleted."))
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    created_by = models.CharField(_("created by"), max_length=160, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("recommendation rule")
        verbose_name_plural = _("recommendation rules")
        ordering = ["-id"]
        # `clean` says the same in words; here it holds for whatever else writes the table.
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["pin", "exclude"]), name="rule_kind"),
            models.CheckConstraint(
                condition=Q(level__in=["product", "category"], object_id__gt=""), name="rule_of_something"
            ),
            models.CheckConstraint(
                condition=Q(source_product_id="") | Q(surface__in=["", "page", "similar", "together", "basket"]),
                name="rule_beside_a_product",
            ),
            models.CheckConstraint(
                condition=Q(first_day=None) | Q(last_day=None) | Q(last_day__gte=F("first_day")),
                name="rule_ends_after_it_begins",
            ),
            models.UniqueConstraint(
                "kind", "level", "object_id", "surface", "source_product_id",
                Coalesce("first_day", Value(OPEN)), Coalesce("last_day", Value(OPEN)),
                name="rule_once", violation_error_message=_("This rule is there already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.object_id}"

    def clean(self) -> None:
        """Raise ValidationError with a sentence per field that does not fit the others."""
        if faults := dict(self._faults()):
            raise ValidationError(faults)

    def _faults(self) -> Iterator[tuple[str, Any]]:
        """Field and sentence. Fields that are missing altogether are for others to find."""
        if self.first_day and self.last_day and self.last_day < self.first_day:
            yield "last_day", _("The last day lies before the first.")
        if self.source_product_id and self.surface and self.surface not in BESIDE_PRODUCTS:
            yield (
                "source_product_id",
                _("Only a rule of product pages, similar products, bought together or baskets can be of one product."),
            )
        if self.level == self.Level.PRODUCT and self.object_id and self.object_id == self.source_product_id:
            yield "source_product_id", _("A product is never recommended beside itself; name another one.")
