"""What the segments were like, training by training: sizes and money of each, and who changed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ml_predictions.messages.readable import NAMES


class Segment(models.TextChoices):
    """The six segments."""

    VIP = "vip", NAMES["vip"]
    FREQUENT = "frequent", NAMES["frequent"]
    OCCASIONAL = "occasional", NAMES["occasional"]
    AT_RISK = "at_risk", NAMES["at_risk"]
    NEW = "new", NAMES["new"]
    INACTIVE = "inactive", NAMES["inactive"]


class ChanceBand(models.TextChoices):
    """How likely an order within 90 days is; the codes of `retail_ml.segment.BANDS`."""

    UNLIKELY = "unlikely", NAMES["unlikely"]
    POSSIBLE = "possible", NAMES["possible"]
    LIKELY = "likely", NAMES["likely"]


class Driver(models.TextChoices):
    """What drove a customer from one segment to another; the codes of `retail_ml.segment.DRIVERS`."""

    FIRST_ORDER = "first_order", NAMES["first_order"]
    ORDERED = "ordered", NAMES["ordered"]
    RETURNED = "returned", NAMES["returned"]
    NO_LONGER_NEW = "no_longer_new", NAMES["no_longer_new"]
    SILENCE = "silence", NAMES["silence"]
    REVIEW = "review", NAMES["review"]
    LEFT = "left", NAMES["left"]


class SnapshotManager(models.Manager["SegmentSnapshot"]):
    """Snapshots in the order in which trainings built on each other."""

    def lineage(self, *versions: int) -> list[SegmentSnapshot]:
        """The snapshots of these versions and of all that they go back to, oldest first: one read."""
        known = {snapshot.version: snapshot for snapshot in self.all()}
        found: dict[int, SegmentSnapshot] = {}
        for version in versions:
            at = known.get(version)
            while at is not None and at.version not in found:
                found[at.version] = at
                at = None if at.follows is None else known.get(at.follows)
        return sorted(found.values(), key=lambda snapshot: snapshot.version)


class SegmentSnapshot(models.Model):
    """The six segments as of one training. It outlives the version's file: the history goes back farther."""

    version = models.PositiveIntegerField(_("version"), unique=True)
    follows = models.PositiveIntegerField(
        _("follows version"), null=True, blank=True, help_text=_("The version that was in service when it was trained.")
    )
    as_of = models.DateField(_("as of"), help_text=_("The last day of data that it has seen."))
    created_at = models.DateTimeField(_("trained"), default=timezone.now)
    segments = models.JSONField(_("segments"), default=dict, help_text=_("Customers and money of each segment."))

    objects = SnapshotManager()

    class Meta:
        verbose_name = _("segment snapshot")
        verbose_name_plural = _("segment snapshots")
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"v{self.version} ({self.as_of:%Y-%m-%d})"


class SegmentChange(models.Model):
    """One customer's change of segment at one training. Who stays where they are has no row."""

    snapshot = models.ForeignKey(
        SegmentSnapshot, models.CASCADE, related_name="changes", verbose_name=_("training")
    )  # fmt: skip
    customer_id = models.CharField(_("customer"), max_length=120, db_index=True)
    before = models.CharField(
        _("from"), max_length=10, choices=Segment.choices, blank=True, help_text=_("Empty: had no order yet.")
    )
    after = models.CharField(
        _("to"), max_length=10, choices=Segment.choices, blank=True, help_text=_("Empty: has no order any more.")
    )
    driver = models.CharField(_("driver"), max_length=16, choices=Driver.choices)
    value_before = models.FloatField(_("12 months' value before"), null=True)
    value_after = models.FloatField(_("12 months' value after"), null=True)

    class Meta:
        verbose_name = _("change of segment")
        verbose_name_plural = _("changes of segment")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.before or '—'} → {self.after or '—'}"
