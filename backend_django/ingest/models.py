"""The files that were brought in over a page, each with what became of it."""

from __future__ import annotations

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _


class ImportRun(models.Model):
    """One uploaded file: how it is read, its dry run, its import. The file itself goes, this stays."""

    class What(models.TextChoices):
        """What the file holds."""

        SALES = "sales", _("Past sales")
        PRODUCTS = "products", _("Products and costs")
        STOCK = "stock", _("Counted stock")

    class State(models.TextChoices):
        """How far it is. Checking and importing are runs of the worker; writing can no longer be cancelled."""

        UPLOADED = "uploaded", _("uploaded")
        CHECKING = "checking", _("dry run under way")
        CHECKED = "checked", _("dry run done")
        IMPORTING = "importing", _("import under way")
        WRITING = "writing", _("being written")
        IMPORTED = "imported", _("imported")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        WEIGHING = "weighing", _("undo is being looked into")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    IN_UNDO = (State.WEIGHING, State.UNDOING)
    UNDER_WAY = (State.CHECKING, State.IMPORTING, State.WRITING, *IN_UNDO)
    UNDOABLE = (State.IMPORTED, State.FAILED, State.CANCELLED)
    """An import that stopped while it was written is undone like a whole one."""
    PULL = "pull"
    """Who asked for what is new in a live shop."""

    what = models.CharField(_("what"), max_length=10, choices=What, default=What.SALES)
    file_name = models.CharField(_("file"), max_length=200)
    folder = models.UUIDField(_("folder"), default=uuid.uuid4, unique=True, editable=False)
    """Its folder among the uploads, which holds nothing else."""
    size = models.BigIntegerField(_("bytes"))
    sha256 = models.CharField("SHA-256", max_length=64, db_index=True)
    requested_by = models.CharField(_("requested by"), max_length=254)
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    preset = models.CharField(_("layout"), max_length=40, blank=True)
    columns = models.JSONField(_("columns"), default=dict)
    """Field → header: what is read, and nothing else."""
    options = models.JSONField(_("options"), default=dict)
    """How it is read: `time_zone, currency, decimal, date_order, repeats`."""
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.UPLOADED)
    run_id = models.BigIntegerField(_("run"), null=True)
    """The worker's run that checks or imports it."""
    progress = models.FloatField(_("progress"), default=0)
    """Per cent, of the writing; before it the worker's run knows."""
    report = models.JSONField(_("report"), null=True)
    """The reconciliation, see `ingest.imports`."""
    counts = models.JSONField(_("counts"), null=True)
    """Table → `created, unchanged, updated, kept`, once it is imported."""
    totals = models.JSONField(_("totals of the shop"), default=dict)
    """`orders, cents, returned` of the shop: `before` the import, `after` it, at the `start` and `end` of its undo."""
    undo = models.JSONField(_("undo"), null=True)
    """The dry run of the undo, or the undo: see `ingest.undo`."""
    error = models.JSONField(_("error"), null=True, encoder=DjangoJSONEncoder)
    """Why it failed, as a stored message: `code, params, text`."""

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.file_name

    @classmethod
    def failed_pull(cls) -> ImportRun | None:
        """The last pull, where it failed: what is new in the live shop is not here."""
        ended = (cls.State.FAILED, cls.State.IMPORTED)
        last = cls.objects.filter(requested_by=cls.PULL, state__in=ended).first()
        return last if last is not None and last.state == cls.State.FAILED else None

    @property
    def under_way(self) -> bool:
        """Is a dry run or an import queued or running?"""
        return self.state in self.UNDER_WAY

    @property
    def before_undo(self) -> str:
        """The state to which it returns when its undo, or the look at it, does not come to an end: nothing was lost."""
        return str((self.undo or {}).get("was", self.State.IMPORTED))

    @property
    def changed(self) -> bool:
        """Did the import make or change anything?"""
        return any(table["created"] or table["updated"] for table in (self.counts or {}).values())


class ImportEntry(models.Model):
    """One row of the shop that an import wrote, or found as it would have written it: what undoing it needs.

    A whole order is one entry, its lines among it. `found` and `after` are fingerprints of the row before and after the
    import: no `found`, the import made it; no `after`, the import deleted it; both alike and no `before`, it was there
    already and is held by this import too. Undone entries go.
    """

    class Kind(models.IntegerChoices):
        """Which table: what depends on others comes before them."""

        RETURN = 1
        ORDER = 2
        MOVEMENT = 3
        SUPPLIER_ITEM = 4
        VARIANT = 5
        PRODUCT = 6
        SUPPLIER = 7
        CATEGORY = 8
        CUSTOMER = 9

    run = models.ForeignKey(ImportRun, models.CASCADE, related_name="entries", db_index=False)
    kind = models.PositiveSmallIntegerField(choices=Kind)
    object_id = models.BigIntegerField()
    found = models.BigIntegerField(null=True)
    after = models.BigIntegerField(null=True)
    before = models.TextField(null=True)
    """The row as it was, as JSON, where the import changed or deleted it."""
    customer = models.BigIntegerField(null=True)
    """Whose order it is after the import."""
    inherited = 0
    """Cents that were another import's, while that one is undone."""
    cents = models.BigIntegerField(default=0)
    """Money by which the import changed it: of an order with shipping and tax; of a return what was given back."""

    class Meta:
        verbose_name = _("entry of an import")
        verbose_name_plural = _("entries of imports")
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("run", "kind", "object_id"), name="import_entry_once"),)
        indexes = (models.Index(fields=("kind", "object_id"), name="import_entry_object"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.object_id}"
