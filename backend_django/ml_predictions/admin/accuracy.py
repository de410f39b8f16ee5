"""Past forecasts beside what came: the scores, and the periods that are waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Case, When
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy as _

from ml_predictions import selectors_accuracy
from ml_predictions.admin.base import NamedProducts, ReadOnly, amount, product
from ml_predictions.models_accuracy import ForecastScore, PastForecast

PERIOD = "SHORT_DATE_FORMAT"


def per_cent(value: float | None) -> str:
    """A share as a per cent figure that does not break; — for an unknown one."""
    return "—" if value is None else f"{number_format(round(100 * value, 1), decimal_pos=1)}\u00a0%"


def share(name: str, label: Any) -> Callable[..., str]:
    """A column with a share of a score (`selectors_accuracy.pooled`), what was promised behind it in brackets."""

    @admin.display(description=label)
    def shown(page: Any, score: ForecastScore) -> str:
        found = selectors_accuracy.pooled([score])
        promised = found.get(f"promised_{name}")
        return per_cent(found[name]) + (f" ({per_cent(promised)})" if promised is not None else "")

    return shown


@admin.display(description=_("version"), ordering="published_id")
def version(row: Any) -> str:
    """The version and the last day that it had seen."""
    return f"v{row.published.version}, {date_format(row.published.as_of, PERIOD)}"


@admin.register(ForecastScore)
class ForecastScoreAdmin(ReadOnly):
    """Promise and truth of each published forecast, level and horizon."""

    list_display = (
        version, "level", "horizon", "periods", "wape", "baseline_wape", "bias", "coverage_80", "coverage_95", "final",
    )  # fmt: skip
    list_filter = ("level", "horizon", "final")
    list_select_related = ("published",)
    ordering = ("-published_id", "-level", "first_day")
    wape = share("wape", _("error (promised)"))
    baseline_wape = share("baseline_wape", _("naive baseline (promised)"))
    bias = share("bias", _("bias"))
    coverage_80 = share("coverage_80", _("inside 80 % (promised)"))
    coverage_95 = share("coverage_95", _("inside 95 % (promised)"))


@admin.register(PastForecast)
class PastForecastAdmin(NamedProducts, ReadOnly):
    """What was forecast of each period, and what came: sales of a day, or a product's units of a week or four.

    What is over comes first, the newest first; then what is waited for.
    """

    product_fields = ("object_id",)
    list_display = (version, "level", "subject", "period", "forecast", "interval", "baseline", "came")
    list_filter = ("level", "horizon", ("actual", admin.EmptyFieldListFilter))
    list_select_related = ("published",)
    search_fields = ("=object_id",)
    ordering = (Case(When(actual__isnull=True, then=1), default=0), "-end", "-published_id", "level", "object_id")
    subject = product("object_id", _("product or category"))
    forecast = amount("mean", _("forecast"))
    baseline = amount("naive", _("naive baseline"))
    came = amount("actual", _("came"))

    @admin.display(description=_("period"), ordering="start")
    def period(self, row: PastForecast) -> str:
        """The day, or the first and last one."""
        days = (row.start,) if row.start == row.end else (row.start, row.end)
        return " – ".join(date_format(day, PERIOD) for day in days)

    @admin.display(description=_("95 % interval"))
    def interval(self, row: PastForecast) -> str:
        """Both bounds."""
        bounds = (row.lower_95, row.upper_95)
        return " – ".join(number_format(round(bound, 2), decimal_pos=2, force_grouping=True) for bound in bounds)
