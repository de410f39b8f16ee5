"""What the shop sold. A sale is a line of an order that is delivered or completed; returns are rows of their own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authentication.models import User
from products.models import ProductVariant

ZERO = Decimal(0)
MOST_UNIT_PRICE = Decimal("99999999.9999")
MOST_MONEY = Decimal("999999999999.99")
"""Of a line, and of an order: fourteen digits."""


class Order(models.Model):
    """One purchase: by a customer, or by a guest when `customer` is empty."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        CONFIRMED = "confirmed", _("Confirmed")
        PROCESSING = "processing", _("In preparation")
        SHIPPED = "shipped", _("Shipped")
        DELIVERED = "delivered", _("Delivered")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        REFUNDED = "refunded", _("Refunded")

    order_number = models.CharField(_("order number"), max_length=80, unique=True)
    customer = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="orders", verbose_name=_("customer"),
        help_text=_("Empty: a guest."),
    )  # fmt: skip
    channel = models.CharField(_("channel"), max_length=40, default="store")
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PENDING)
    placed_at = models.DateTimeField(_("placed"), default=timezone.now, db_index=True)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    subtotal = models.DecimalField(_("lines"), max_digits=14, decimal_places=2, default=ZERO)
    shipping = models.DecimalField(_("shipping"), max_digits=12, decimal_places=2, default=ZERO)
    tax = models.DecimalField(_("tax"), max_digits=12, decimal_places=2, default=ZERO)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=ZERO)
    is_test = models.BooleanField(_("test order"), default=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["status", "placed_at"], name="order_status_placed"),
            models.Index(fields=["customer", "placed_at"], name="order_customer_placed"),
            models.Index(fields=["currency"], name="order_currency"),
        ]

    def __str__(self) -> str:
        return self.order_number


class OrderItem(models.Model):
    """An order line: one variant, units, unit price and the discount on the whole line."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", verbose_name=_("order"))
    variant = models.ForeignKey(ProductVariant, models.PROTECT, related_name="order_items", verbose_name=_("variant"))
    units = models.PositiveIntegerField(_("units"), validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(
        _("unit price"), max_digits=12, decimal_places=4, validators=[MinValueValidator(ZERO)]
    )
    discount = models.DecimalField(
        _("discount"), max_digits=12, decimal_places=2, default=ZERO, validators=[MinValueValidator(ZERO)],
        help_text=_("On the whole line."),
    )  # fmt: skip
    amount = models.DecimalField(
        _("amount"), max_digits=14, decimal_places=2, default=ZERO, editable=False,
        help_text=_("Units × unit price − discount."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.variant_id} × {self.units}"

    def computed_amount(self) -> Decimal:
        """Units × unit price − discount, to the cent."""
        return (self.units * Decimal(self.unit_price) - Decimal(self.discount)).quantize(Decimal("0.01"))

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with the amount that follows from the other three."""
        self.amount = self.computed_amount()
        super().save(*args, **kwargs)


class OrderReturn(models.Model):
    """Units of an order line that came back, and the money given for them."""

    item = models.ForeignKey(OrderItem, models.CASCADE, related_name="returns", verbose_name=_("order line"))
    units = models.PositiveIntegerField(_("units"), validators=[MinValueValidator(1)])
    amount = models.DecimalField(
        _("amount"), max_digits=14, decimal_places=2, validators=[MinValueValidator(ZERO)],
        help_text=_("Money given back: a positive number."),
    )  # fmt: skip
    returned_at = models.DateTimeField(_("returned"), default=timezone.now)
    reference = models.CharField(
        _("reference"), max_length=120, null=True, blank=True, unique=True,
        help_text=_("The return's own number; the same one is never booked twice."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("return")
        verbose_name_plural = _("returns")
        ordering = ["-id"]
        indexes = [models.Index(fields=["returned_at"], name="order_return_at")]

    def __str__(self) -> str:
        return f"{self.item_id} × {self.units}"
