"""Whom the shop buys from, and what is on its way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from products.models import ProductVariant

ZERO = Decimal(0)


class Supplier(models.Model):
    """Someone who delivers: how long it takes, how much it varies, what the smallest order is worth."""

    name = models.CharField(_("name"), max_length=160, unique=True)
    email = models.EmailField(_("e-mail"), blank=True)
    lead_time_days = models.FloatField(
        _("lead time (days)"),
        default=7,
        validators=[MinValueValidator(0)],
        help_text=_("Mean, from order to shelf."),
    )
    lead_time_sd = models.FloatField(
        _("spread of the lead time (days)"), default=2, validators=[MinValueValidator(0)],
        help_text=_("Standard deviation."),
    )  # fmt: skip
    minimum_order_value = models.DecimalField(
        _("minimum order value"),
        max_digits=12,
        decimal_places=2,
        default=ZERO,
        validators=[MinValueValidator(ZERO)],
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("supplier")
        verbose_name_plural = _("suppliers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SupplierItem(models.Model):
    """Which supplier a variant is bought from, and under which number."""

    variant = models.OneToOneField(
        ProductVariant, models.CASCADE, related_name="supplier_item", verbose_name=_("variant")
    )
    supplier = models.ForeignKey(Supplier, models.CASCADE, related_name="items", verbose_name=_("supplier"))
    supplier_sku = models.CharField(_("supplier's number"), max_length=120, blank=True)

    class Meta:
        verbose_name = _("supplier's item")
        verbose_name_plural = _("suppliers' items")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.supplier_id}: {self.variant_id}"


class SupplierPrice(models.Model):
    """What one unit costs at a supplier when at least so many are bought: from 1 its price, above that a break."""

    variant = models.ForeignKey(
        ProductVariant, models.CASCADE, related_name="supplier_prices", verbose_name=_("variant")
    )
    supplier = models.ForeignKey(Supplier, models.CASCADE, related_name="prices", verbose_name=_("supplier"))
    minimum_quantity = models.PositiveIntegerField(
        _("minimum quantity"), default=1, validators=[MinValueValidator(1)],
        help_text=_("From so many units on; the price then holds for all of them."),
    )  # fmt: skip
    unit_cost = models.DecimalField(
        _("unit cost"), max_digits=12, decimal_places=4, validators=[MinValueValidator(ZERO)]
    )

    class Meta:
        verbose_name = _("supplier's price")
        verbose_name_plural = _("suppliers' prices")
        ordering = ["variant_id", "supplier_id", "minimum_quantity"]
        constraints = [
            models.UniqueConstraint(fields=["variant", "supplier", "minimum_quantity"], name="supplier_price_once"),
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} ≥ {self.minimum_quantity}: {self.unit_cost}"


class PurchaseOrders(models.QuerySet["PurchaseOrder"]):
    """Purchase orders, perhaps with the figures of their lines."""

    def with_sums(self) -> PurchaseOrders:
        """With `line_count, units, received_units, total, lines_without_cost`, worked out for the rows read alone."""
        whole, money = models.IntegerField(), models.DecimalField(max_digits=16, decimal_places=2)
        unknown = models.Q(unit_cost=None)
        return self.annotate(
            line_count=_of_lines(models.Count("pk"), whole),
            units=_of_lines(models.Sum("units"), whole),
            received_units=_of_lines(models.Sum("received_units"), whole),
            total=_of_lines(models.Sum(models.F("units") * models.F("unit_cost"), output_field=money), money),
            lines_without_cost=_of_lines(models.Count("pk", filter=unknown), whole),
        )


def _of_lines(expression: models.Expression, output: models.Field[Any, Any]) -> Coalesce:
    lines = PurchaseOrderLine.objects.filter(purchase_order=models.OuterRef("pk")).order_by().values("purchase_order")
    sums = models.Subquery(lines.annotate(n=expression).values("n"), output_field=output)
    return Coalesce(sums, 0, output_field=output)


class PurchaseOrder(models.Model):
    """An order to a supplier: a draft, confirmed, received, or cancelled."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        CONFIRMED = "confirmed", _("Confirmed")
        RECEIVED = "received", _("Received")
        CANCELLED = "cancelled", _("Cancelled")

    number = models.CharField(_("number"), max_length=60, unique=True)
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="purchase_orders", verbose_name=_("supplier"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    ordered_at = models.DateTimeField(_("ordered"), null=True, blank=True)
    expected_on = models.DateField(_("expected"), null=True, blank=True)
    received_at = models.DateTimeField(_("received"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    created_by = models.CharField(_("created by"), max_length=160, blank=True, editable=False)

    objects = PurchaseOrders.as_manager()

    class Meta:
        verbose_name = _("purchase order")
        verbose_name_plural = _("purchase orders")
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "expected_on"], name="purchase_order_status")]

    def __str__(self) -> str:
        return self.number


class PurchaseOrderLine(models.Model):
    """One variant in a purchase order; it may come in parts."""

    purchase_order = models.ForeignKey(
        PurchaseOrder, models.CASCADE, related_name="lines", verbose_name=_("purchase order")
    )
    variant = models.ForeignKey(
        ProductVariant, models.PROTECT, related_name="purchase_lines", verbose_name=_("variant")
    )
    units = models.PositiveIntegerField(_("units"), validators=[MinValueValidator(1)])
    received_units = models.PositiveIntegerField(_("received units"), default=0)
    unit_cost = models.DecimalField(
        _("unit cost"), max_digits=12, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(ZERO)],
        help_text=_("Empty: the supplier's price at this quantity, where it is known."),
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("purchase order line")
        verbose_name_plural = _("purchase order lines")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.variant_id} × {self.units}"
