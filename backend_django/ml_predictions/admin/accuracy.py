"""Past forecasts beside what came: the scores, and the periods that are waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Case, When
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from ml_predictions import selectors_accuracy
from ml_predictions.admin.base import NamedProducts, ReadOnly, amount, product
from ml_predictions.models_accuracy import ForecastScore, PastForecast


def share(name: str, label: Any) -> Callable[..., str]:
    """A column with a share of a score (`selectors_accuracy.pooled`) as a per cent figure; — where it is unknown."""

    @admin.display(description=label)
    def shown(page: Any, score: ForecastScore) -> str:
        value = selectors_accuracy.pooled([score])[name]
        return "—" if value is None else f"{number_format(round(100 * value, 1), decimal_pos=1)} %"

    return shown


@admin.register(ForecastScore)
class ForecastScoreAdmin(ReadOnly):
    """Promise and truth of each published forecast, level and horizon."""

    list_display = (
        "published", "level", "horizon", "last_day", "periods", "wape", "promised_wape", "baseline_wape", "bias",
        "coverage_80", "promised_coverage_80", "coverage_95", "promised_coverage_95", "final",
    )  # fmt: skip
    list_filter = ("level", "horizon", "final")
    list_select_related = ("published",)
    wape = share("wape", _("error"))
    promised_wape = share("promised_wape", _("error promised"))
    baseline_wape = share("baseline_wape", _("error of the naive baseline"))
    bias = share("bias", _("bias"))
    coverage_80 = share("coverage_80", _("inside the 80 % interval"))
    promised_coverage_80 = share("promised_coverage_80", _("promised (80 %)"))
    coverage_95 = share("coverage_95", _("inside the 95 % interval"))
    promised_coverage_95 = share("promised_coverage_95", _("promised (95 %)"))


@admin.register(PastForecast)
class PastForecastAdmin(NamedProducts, ReadOnly):
    """What was forecast of each period, and what came: sales of a day, or units of a product's week.

    What is over comes first, the newest first; then what is waited for.
    """

    product_fields = ("object_id",)
    list_display = ("published", "level", "subject", "start", "end", "forecast", "low", "high", "baseline", "came")
    list_filter = ("level", "horizon", ("actual", admin.EmptyFieldListFilter))
    list_select_related = ("published",)
    search_fields = ("=object_id",)
    ordering = (Case(When(actual__isnull=True, then=1), default=0), "-end", "-published", "level", "object_id")
    subject = product("object_id", _("product or category"))
    forecast = amount("mean", _("forecast"))
    low = amount("lower_95", _("lower 95 %"))
    high = amount("upper_95", _("upper 95 %"))
    baseline = amount("naive", _("naive baseline"))
    came = amount("actual", _("came"))
