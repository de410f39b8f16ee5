"""Persons who were erased: what was removed where, and the certificate of it. No row says who it was."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PersonalDataErasure(models.Model):
    """One person's erasure. While it is under way it holds what the person is found by; then only the certificate."""

    requested_by = models.CharField(_("requested by"), max_length=160, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    training_log = models.ForeignKey(
        "ml_predictions.MLTrainingLog", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("run")
    )
    customer_id = models.CharField(
        _("customer"), max_length=120, blank=True, help_text=_("Empty once the person is erased.")
    )
    person = models.JSONField(
        _("person"), default=dict, blank=True,
        help_text=_("What the person is known by, while it is looked for; empty afterwards."),
    )  # fmt: skip
    forgotten_at = models.DateTimeField(_("account removed"), null=True, blank=True)
    done = models.JSONField(_("steps done"), default=dict, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    certificate = models.JSONField(_("certificate"), null=True, blank=True)
    sha256 = models.CharField(_("checksum"), max_length=64, blank=True)
    signature = models.CharField(_("signature"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("erasure of personal data")
        verbose_name_plural = _("erasures of personal data")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id"], condition=models.Q(customer_id__gt=""), name="one_open_erasure_per_customer"
            ),
            models.CheckConstraint(
                condition=models.Q(finished_at=None) | models.Q(customer_id="", certificate__isnull=False),
                name="finished_erasure_names_nobody",
            ),
        ]

    def __str__(self) -> str:
        return _("Erasure {id}").format(id=self.pk)
