"""What the shop sells. A product is what a shopper sees; a variant is what stands on the shelf."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ZERO = Decimal(0)
MOST_PRICE = Decimal("99999999.99")
"""As much as an order line can hold: its price has four decimals, of twelve digits."""
PRICE = [MinValueValidator(ZERO), MaxValueValidator(MOST_PRICE)]


class Category(models.Model):
    """A group of products, perhaps inside another."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children", verbose_name=_("inside")
    )

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """A style: name, category, brand, description, price. Its variants are what is sold."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        INACTIVE = "inactive", _("Inactive")
        DISCONTINUED = "discontinued", _("Discontinued")

    code = models.CharField(
        _("code"), max_length=120, unique=True, null=True, blank=True,
        help_text=_("The style's own number, when the shop gives it one."),
    )  # fmt: skip
    name = models.CharField(_("name"), max_length=255)
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, blank=True, related_name="products", verbose_name=_("category")
    )
    brand = models.CharField(_("brand"), max_length=120, blank=True)
    description = models.TextField(_("description"), blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, default=ZERO, validators=PRICE)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.ACTIVE)
    image = models.ImageField(_("picture"), upload_to="products/", blank=True)
    image_url = models.URLField(
        _("picture's address"), max_length=500, blank=True,
        help_text=_("An address elsewhere; it is passed on by the API and never loaded here."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("in the range since"), default=timezone.now)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "id"], name="product_status")]

    def __str__(self) -> str:
        return self.name


class ProductVariant(models.Model):
    """One SKU: size and colour of a product, with its stock. `stock` changes only by stock movements."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants", verbose_name=_("product"))
    sku = models.CharField(_("SKU"), max_length=120, unique=True)
    options = models.JSONField(_("options"), default=dict, blank=True, help_text='{"size": "M", "color": "red"}')
    is_active = models.BooleanField(_("active"), default=True)
    price = models.DecimalField(
        _("own price"), max_digits=12, decimal_places=2, null=True, blank=True,
        validators=PRICE, help_text=_("Empty: the product's price."),
    )  # fmt: skip
    cost = models.DecimalField(
        _("cost"), max_digits=12, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(ZERO)],
        help_text=_("What one unit costs the shop; empty: unknown."),
    )  # fmt: skip
    stock = models.IntegerField(_("stock"), default=0, editable=False)
    reserved = models.PositiveIntegerField(_("reserved"), default=0)
    pack_size = models.PositiveIntegerField(_("pack size"), default=1, validators=[MinValueValidator(1)])
    minimum_order = models.PositiveIntegerField(_("minimum order"), default=1, validators=[MinValueValidator(1)])
    lead_time_days = models.PositiveIntegerField(
        _("own lead time (days)"), null=True, blank=True, help_text=_("Empty: the supplier's lead time.")
    )
    season_end = models.DateField(
        _("end of its season"), null=True, blank=True,
        help_text=_("The last day on which it is to be sold; nothing is ordered for later. Empty: no end."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.sku

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save everything but the stock of a stored variant, which only movements change.

        An instance read before a movement would otherwise write the old stock back. The stock of a new variant is its
        opening movement.
        """
        if self._state.adding:
            with transaction.atomic():
                super().save(*args, **kwargs)
                if self.stock:
                    reference = f"opening:{self.sku}"[:120]
                    self.movements.create(kind=StockMovement.Kind.OPENING, units=self.stock, reference=reference)
            return
        if kwargs.get("update_fields") is None and not kwargs.get("force_insert"):
            kwargs["update_fields"] = [f.name for f in self._meta.concrete_fields if f.name not in ("id", "stock")]
        super().save(*args, **kwargs)

    @property
    def sale_price(self) -> Decimal:
        """The variant's own price, else its product's."""
        return self.product.price if self.price is None else self.price


class StockMovement(models.Model):
    """One change of a variant's stock: the sum of a variant's movements is its stock."""

    class Kind(models.TextChoices):
        OPENING = "opening", _("Opening stock")
        SALE = "sale", _("Sale")
        CANCELLATION = "cancellation", _("Cancelled sale")
        RETURN = "return", _("Return")
        RECEIPT = "receipt", _("Received from a supplier")
        ADJUSTMENT = "adjustment", _("Count")
        WRITE_OFF = "write_off", _("Write-off")

    variant = models.ForeignKey(ProductVariant, models.CASCADE, related_name="movements", verbose_name=_("variant"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    units = models.IntegerField(_("units"), help_text=_("Positive: in; negative: out."))
    at = models.DateTimeField(_("when"), default=timezone.now)
    reference = models.CharField(
        _("reference"), max_length=120, null=True, blank=True,
        help_text=_("What moved it, such as an order's line: the same reference never moves stock twice."),
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference"], name="stock_movement_once"),
        ]
        indexes = [models.Index(fields=["variant", "at"], name="stock_movement_history")]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.units:+d} ({self.get_kind_display()})"
