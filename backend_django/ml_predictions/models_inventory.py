"""What in the stock wants a decision, what became of it, and how healthy the stock was day by day."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class AlertQuerySet(models.QuerySet["InventoryAlert"]):
    """Alerts by what a person has decided about them."""

    def active(self) -> AlertQuerySet:
        """Those whose condition goes on and that nobody has resolved, the snoozed ones among them."""
        return self.filter(status=InventoryAlert.Status.ACTIVE)

    def awake(self, today: date) -> AlertQuerySet:
        """The active ones that are not snoozed beyond `today`: a snoozed one comes back by itself on its day."""
        return self.active().exclude(snoozed_until__gt=today)


class InventoryAlert(models.Model):
    """Something about one variant that wants a decision, with the money at stake."""

    class Type(models.TextChoices):
        REORDER_NOW = "reorder_now", _("Reorder now")
        LOW_STOCK = "low_stock", _("Low stock")
        OVERSTOCK = "overstock", _("Overstock")
        SLOW_MOVING = "slow_moving", _("Slow moving")
        HIGH_DEMAND = "high_demand", _("High demand")

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("alert", "Active")
        RESOLVED = "resolved", _("Resolved")

    class How(models.TextChoices):
        HAND = "hand", _("By hand")
        FACTS = "facts", _("By the facts")

    variant_id = models.CharField(_("variant"), max_length=120)
    product_id = models.CharField(_("product"), max_length=120)
    sku = models.CharField(_("SKU"), max_length=120)
    product_name = models.CharField(_("product name"), max_length=255)
    category = models.CharField(_("category"), max_length=120, blank=True)
    alert_type = models.CharField(_("type"), max_length=12, choices=Type.choices)
    code = models.CharField(_("code"), max_length=40)
    urgency_level = models.PositiveSmallIntegerField(_("urgency"), help_text=_("1 (can wait) to 5 (today)."))
    current_stock = models.FloatField(_("stock"))
    recommended_stock = models.FloatField(_("recommended stock"))
    predicted_demand_7days = models.FloatField(_("demand, 7 days"))
    predicted_demand_30days = models.FloatField(_("demand, 30 days"))
    daily_sales_rate = models.FloatField(_("units a day"))
    days_until_stockout = models.FloatField(_("days until sold out"), null=True)
    estimated_stockout_date = models.DateField(_("sold out on"), null=True)
    rotation_rate = models.FloatField(_("turns a year"), null=True)
    price = models.FloatField(_("price"), null=True)
    money_at_stake = models.FloatField(_("money at stake"))
    probability = models.FloatField(
        _("probability"), null=True, help_text=_("Of what the alert warns of, 0…1; empty: it is so already.")
    )
    expected_money = models.FloatField(
        _("money expected"), default=0, help_text=_("The money at stake, weighed with its probability.")
    )
    also = models.JSONField(
        _("also"), default=list, help_text=_("Codes of what else is true of the variant, the most urgent first.")
    )
    reason = models.JSONField(_("reason"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    absent_runs = models.PositiveSmallIntegerField(_("looks without it"), default=0)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    resolved_by = models.CharField(_("resolved by"), max_length=160, blank=True)
    resolved_how = models.CharField(_("how"), max_length=10, choices=How.choices, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    acknowledged_at = models.DateTimeField(_("seen"), null=True, blank=True)
    acknowledged_by = models.CharField(_("seen by"), max_length=160, blank=True)
    snoozed_until = models.DateField(_("snoozed until"), null=True, blank=True)
    snoozed_by = models.CharField(_("snoozed by"), max_length=160, blank=True)
    decided_type = models.CharField(_("type when seen or snoozed"), max_length=12, blank=True)
    decided_urgency = models.PositiveSmallIntegerField(_("urgency when seen or snoozed"), default=0)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("inventory alert")
        verbose_name_plural = _("inventory alerts")
        ordering = ["-money_at_stake", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["variant_id"], condition=Q(status="active"), name="one_active_alert_per_variant"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "alert_type"], name="alert_status_type"),
            models.Index(fields=["status", "-expected_money"], name="alert_status_expected"),
        ]

    def __str__(self) -> str:
        return f"{self.sku}: {self.get_alert_type_display()}"


class InventoryClaim(models.Model):
    """What an alert or an order suggestion said of the days to come, and what came: written down at its birth."""

    class Kind(models.TextChoices):
        ALERT = "alert", pgettext_lazy("inventory", "Alert")
        SUGGESTION = "suggestion", _("Order suggestion")
        RULE = "rule", _("Naive rule")

    class Done(models.TextChoices):
        ORDERED = "ordered", _("Ordered")
        RESOLVED = "resolved", _("Resolved")
        SNOOZED = "snoozed", _("Snoozed")
        ACKNOWLEDGED = "acknowledged", pgettext_lazy("alert", "Seen")
        NOTHING = "nothing", _("Nothing")

    class Unknown(models.TextChoices):
        NO_HISTORY = "no_stock_history", _("No stock history")
        NOT_TRUSTED = "not_trusted", _("Stock history missing or contradicting itself")
        NEVER_THERE = "never_there", _("Never on the shelf: nobody can say what was missed")
        GONE = "gone", _("Variant is no more")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    code = models.CharField(_("code"), max_length=40)
    variant_id = models.CharField(_("variant"), max_length=120)
    product_id = models.CharField(_("product"), max_length=120)
    sku = models.CharField(_("SKU"), max_length=120)
    abc = models.CharField(_("class"), max_length=1)
    alert = models.ForeignKey(
        InventoryAlert, models.SET_NULL, null=True, related_name="claims", verbose_name=_("inventory alert")
    )
    made_on = models.DateField(_("made on"), help_text=_("The last day that was known; the days after it decide."))
    due_on = models.DateField(_("decided on"))
    probability = models.FloatField(_("probability"), null=True)
    money = models.FloatField(_("money promised"), null=True)
    units = models.FloatField(_("units promised"), null=True)
    stock = models.FloatField(_("stock"), null=True)
    bound = models.FloatField(_("units to compare with"), null=True)
    unit_money = models.FloatField(_("money of a unit"), null=True)
    done = models.CharField(_("what was done"), max_length=12, choices=Done.choices, blank=True)
    came_true = models.BooleanField(_("came true"), null=True)
    units_came = models.FloatField(_("units that came"), null=True)
    money_came = models.FloatField(_("money that came"), null=True)
    base_rate = models.FloatField(
        _("base rate"), null=True, help_text=_("Share of the class, with stock then, that sold out in the same days.")
    )
    unknown = models.CharField(_("why it is not known"), max_length=20, choices=Unknown.choices, blank=True)
    scored_on = models.DateField(_("scored"), null=True)
    final = models.BooleanField(_("final"), default=False, help_text=_("It will not be looked at again."))

    class Meta:
        verbose_name = _("inventory claim")
        verbose_name_plural = _("inventory claims")
        ordering = ["-made_on", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "code", "variant_id", "made_on"], name="one_claim_a_day"),
        ]
        indexes = [
            models.Index(fields=["final", "due_on"], name="claim_due"),
            models.Index(fields=["kind", "code", "made_on"], name="claim_code_made"),
            models.Index(fields=["variant_id", "-made_on"], name="claim_variant"),
        ]

    def __str__(self) -> str:
        return f"{self.sku}: {self.code} ({self.made_on})"


class InventoryHealthDay(models.Model):
    """The health of the stock as of one day, 0…100 each part: the trend of a dashboard."""

    day = models.DateField(_("day"), unique=True)
    health_score = models.FloatField(_("health"))
    components = models.JSONField(_("parts"), default=dict)
    margin_at_risk = models.FloatField(_("margin at risk"))
    cash_in_excess = models.FloatField(_("cash in excess"))
    stock_value = models.FloatField(_("stock at cost"))

    class Meta:
        verbose_name = _("inventory health of a day")
        verbose_name_plural = _("inventory health by day")
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day}: {self.health_score:.1f}"
