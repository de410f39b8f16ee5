"""Model versions: the evidence for each, put another one into service, delete old ones."""

from __future__ import annotations

from collections.abc import Iterable
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
from ml_predictions.models import MLModel, SalesForecast

FOLDS = {
    "cutoff": _("known up to"), "horizon_days": _("days ahead"), "model": _("model"), "wape": _("error"),
    "baseline_wape": _("error of the naive baseline"), "coverage_80": _("inside the 80 % interval"),
    "coverage_95": _("inside the 95 % interval"), "forecast": _("forecast"), "actual": _("came"),
}  # fmt: skip
"""Columns of the table of a forecast's back-test, with their headings."""
PARTS = {
    "level": _("level"), "method": _("model"), "error": _("error"), "baseline": _("error of the naive baseline"),
    "simple": _("error of the best simple one"), "coverage_80": _("inside the 80 % interval"),
    "coverage_95": _("inside the 95 % interval"),
}  # fmt: skip
"""Columns of the table of a forecast's levels."""
SHARES = {"wape", "baseline_wape", "coverage_80", "coverage_95"}


SHOP_TABLE = {
    "surface": _("list"), "method": _("method"), "from": _("from"), "to": _("until"), "cases": _("cases"),
    "hit_rate_10": _("hit among ten"), "ndcg_10": "NDCG@10", "ndcg_error": "±", "recall_10": _("recall@10"),
    "coverage": _("of the range shown"),
}  # fmt: skip
"""Columns of the shop's own table of recommendations, with their headings."""
METHODS = {
    "popularity": _("best sellers"), "frequency": _("own frequency"), "popularity_content": _("best sellers alike"),
    "hybrid": _("hybrid"), "co_purchase": _("co-purchases"), "personal": _("personal"), "learned": _("learned"),
}  # fmt: skip
LISTS = {
    "page": _("Product page"), "basket": _("Basket"), "customer": _("Customer"),
    "customer_novel": _("Customer, new to them"), "customer_repeat": _("Customer, bought again"),
}  # fmt: skip


@admin.register(MLModel)
class MLModelAdmin(ReadOnly):
    """Versions of the four services."""

    list_display = ("service", "version", "model_type", "is_active", "beats_baseline", "as_of", "trained_at")
    list_filter = ("service", "is_active", "beats_baseline")
    actions = ("activate", "activate_worse", "delete_idle")
    json_fields = ("metrics", "receipt", "comparison", "drift", "parameters", "fingerprint", "libraries")
    pretty_comparison = pretty("comparison", _("comparison"))
    pretty_drift = pretty("drift", _("drift"))
    pretty_metrics = pretty("metrics", _("metrics"))
    pretty_receipt = pretty("receipt", _("receipt"))
    pretty_parameters = pretty("parameters", _("parameters"))
    pretty_fingerprint = pretty("fingerprint", _("data fingerprint"))
    pretty_libraries = pretty("libraries", _("library versions"))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """The back-test of a forecast or of recommendations as a table, above the JSON of its receipt."""
        fields = super().get_fields(request, obj)
        tables = {"fold_table": _rows(obj, "folds"), "level_table": _levels(obj), "shop_table": _rows(obj, "table")}
        for name, rows in tables.items():
            if rows:
                fields.insert(fields.index("pretty_receipt"), name)
        return fields

    @admin.display(description=_("back-test"))
    def fold_table(self, obj: MLModel) -> SafeString:
        """What was forecast at each origin of the past, and what came."""
        return _table(FOLDS, ([_cell(fold, key) for key in FOLDS] for fold in _rows(obj, "folds")))

    @admin.display(description=_("the shop's own table"))
    def shop_table(self, obj: MLModel) -> SafeString:
        """What serves on each list beside best sellers and own frequency, on the last windows; the last one tests."""
        return _table(SHOP_TABLE, ([_shop_cell(row, key) for key in SHOP_TABLE] for row in _rows(obj, "table")))

    @admin.display(description=_("back-test of each level"))
    def level_table(self, obj: MLModel) -> SafeString:
        """Revenue of days (shop, categories), units of four weeks (products, variants, newcomers): errors, widths."""
        return _table(PARTS, _levels(obj))

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


def _rows(model: Any, name: str) -> list[dict[str, Any]]:
    """The rows of a back-test under `name` in a version's receipt; none for other services."""
    found = model.receipt.get(name) if model else None
    return found if isinstance(found, list) else []


def _table(heads: dict[str, Any], rows: Iterable[list[Any]]) -> SafeString:
    head = format_html_join("", "<th>{}</th>", ((heading,) for heading in heads.values()))
    lines = ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows)
    body = format_html_join("", "<tr>{}</tr>", lines)
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body)


def _shop_cell(row: dict[str, Any], key: str) -> Any:
    """A figure of the shop's own table; what serves is in bold."""
    value = row.get(key)
    if value is None:
        return "—"
    if key in ("method", "surface"):
        bold = key == "method" and row["serves"]
        return format_html("<strong>{}</strong>" if bold else "{}", {**METHODS, **LISTS}.get(value, value))
    if key in ("from", "to"):
        return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    if key in ("cases", "ndcg_10", "ndcg_error"):
        return number_format(value, decimal_pos=0 if key == "cases" else 4, force_grouping=True)
    return _share(value)


def _levels(model: Any) -> list[list[str]]:
    """A forecast's levels, each with its errors and how often its interval held; none for the other services."""
    kept = model.receipt if model else {}
    rows: list[list[str]] = []
    for level, part in (("total", kept), ("category", (kept.get("category") or {}).get("sales") or {})):
        if "variant" in kept and part:
            best = (part.get("best_simple") or {}).get("wape")
            shares = (part.get("wape"), part.get("baseline_wape"), best, part["coverage_80"], part["coverage_95"])
            rows.append([str(SalesForecast.Level(level).label), str(part["method"]), *map(_share, shares)])
    for level in ("product", "variant", "newcomer"):
        part = kept.get(level) or {}
        days = next((d for d in (28, 14, 7) if part.get(f"wape_{d}") is not None), None)
        if days is None:
            continue
        held = [part["coverage"].get(f"coverage_{c}_{days}") for c in (80, 95)]
        best = (part.get("best_simple") or {}).get(f"wape_{days}")
        label = _("New products") if level == "newcomer" else SalesForecast.Level(level).label
        shares = (part[f"wape_{days}"], part.get(f"baseline_wape_{days}"), best, *held)
        rows.append([str(label), str(part["method"]), *map(_share, shares)])
    return rows


def _share(value: float | None) -> str:
    """A share in per cent, in the reader's language."""
    return "—" if value is None else f"{number_format(round(100 * value, 1), decimal_pos=1)}\N{NO-BREAK SPACE}%"


def _cell(fold: dict[str, Any], key: str) -> str:
    """A figure of the back-test as people read it: shares in per cent, dates and numbers in their language."""
    value = fold.get(key)
    if value is None:
        return "—"
    if key == "cutoff":
        return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    if key in SHARES:
        return _share(value)
    return number_format(round(value), force_grouping=True) if isinstance(value, float) else str(value)
