"""Model versions: the evidence for each, put another one into service, delete old ones."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ml_predictions import actions
from ml_predictions.admin.base import ReadOnly, pretty
from ml_predictions.messages import spoken
from ml_predictions.models import MLModel

FOLDS = {
    "cutoff": _("known up to"), "horizon_days": _("days ahead"), "model": _("model"), "wape": _("error"),
    "baseline_wape": _("error of the naive baseline"), "coverage_80": _("inside the 80 % interval"),
    "coverage_95": _("inside the 95 % interval"), "forecast": _("forecast"), "actual": _("came"),
}  # fmt: skip
"""Columns of the table of a forecast's back-test, with their headings."""
SHARES = {"wape", "baseline_wape", "coverage_80", "coverage_95"}


@admin.register(MLModel)
class MLModelAdmin(ReadOnly):
    """Versions of the four services."""

    list_display = ("service", "version", "model_type", "is_active", "beats_baseline", "as_of", "trained_at")
    list_filter = ("service", "is_active", "beats_baseline")
    actions = ("activate", "activate_worse", "delete_idle")
    json_fields = ("metrics", "receipt", "parameters", "fingerprint", "libraries")
    pretty_metrics = pretty("metrics", _("metrics"))
    pretty_receipt = pretty("receipt", _("receipt"))
    pretty_parameters = pretty("parameters", _("parameters"))
    pretty_fingerprint = pretty("fingerprint", _("data fingerprint"))
    pretty_libraries = pretty("libraries", _("library versions"))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """A forecast's back-test as a table, above the JSON of its receipt."""
        fields = super().get_fields(request, obj)
        if _folds(obj):
            fields.insert(fields.index("pretty_receipt"), "fold_table")
        return fields

    @admin.display(description=_("back-test"))
    def fold_table(self, obj: MLModel) -> SafeString:
        """What was forecast at each origin of the past, and what came."""
        heads = format_html_join("", "<th>{}</th>", ((heading,) for heading in FOLDS.values()))
        rows = format_html_join(
            "",
            "<tr>{}</tr>",
            ((format_html_join("", "<td>{}</td>", ((_cell(fold, key),) for key in FOLDS)),) for fold in _folds(obj)),
        )
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", heads, rows)

    @admin.action(description=_("Put into service"))
    def activate(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """Put the one selected version into service."""
        self._activate(request, queryset, accept_worse=False)

    @admin.action(description=_("Put into service although it loses to the baseline"))
    def activate_worse(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """The same, for a version that loses to the naive baseline."""
        self._activate(request, queryset, accept_worse=True)

    def _activate(self, request: HttpRequest, queryset: QuerySet[MLModel], *, accept_worse: bool) -> None:
        from ml_predictions.artifacts import ArtifactRefused

        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, gettext("Select exactly one version."), messages.ERROR)
            return
        try:
            model = actions.activate_model(chosen[0], user=request.user, accept_worse=accept_worse)
        except (actions.Refused, ArtifactRefused) as error:
            self.message_user(request, spoken(error), messages.ERROR)
            return
        self.message_user(request, gettext("{model} is in service.").format(model=model), messages.SUCCESS)

    @admin.action(description=_("Delete versions that are not in service"))
    def delete_idle(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        """Delete the selected versions with their files, except those in service."""
        deleted = 0
        for model in queryset:
            try:
                actions.delete_model(model, user=request.user)
            except actions.Refused as error:
                self.message_user(request, spoken(error), messages.ERROR)
            else:
                deleted += 1
        if deleted:
            text = ngettext("{n} version deleted.", "{n} versions deleted.", deleted).format(n=deleted)
            self.message_user(request, text, messages.SUCCESS)


def _folds(model: Any) -> list[dict[str, Any]]:
    """One entry per origin of a forecast's back-test; none for the other services."""
    found = model.receipt.get("folds") if model else None
    return found if isinstance(found, list) else []


def _cell(fold: dict[str, Any], key: str) -> str:
    """A figure of the back-test as people read it: shares in per cent, dates and numbers in their language."""
    value = fold.get(key)
    if value is None:
        return "—"
    if key == "cutoff":
        return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    if key in SHARES:
        return f"{number_format(round(100 * value, 1), decimal_pos=1)}\N{NO-BREAK SPACE}%"
    return number_format(round(value), force_grouping=True) if isinstance(value, float) else str(value)
