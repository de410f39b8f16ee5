"""What the models have said: predictions, forecasts, recommendations, rows to look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ml_predictions import selectors
from ml_predictions.admin.base import NamedProducts, ReadOnly, amount, pretty, product, sentence
from ml_predictions.models import (
    Prediction,
    ProductRecommendation,
    SalesForecast,
)


@admin.register(Prediction)
class PredictionAdmin(ReadOnly):
    """What `predict-sales/` has answered."""

    list_display = ("id", "service", "model", "as_of", "last_day", "looked_back_on", "requested_by", "created_at")
    list_filter = ("service",)
    list_select_related = ("model",)
    search_fields = ("requested_by",)
    json_fields = ("parameters", "result", "looked_back")
    pretty_parameters = pretty("parameters", _("parameters"))
    pretty_result = pretty("result", _("result"))
    pretty_looked_back = pretty("looked_back", _("looked back"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        """The list does not read the days of each answer."""
        rows: QuerySet[Prediction] = super().get_queryset(request)
        match = request.resolver_match
        return rows.defer("result", "looked_back") if match and str(match.url_name).endswith("_changelist") else rows


@admin.register(SalesForecast)
class SalesForecastAdmin(NamedProducts, ReadOnly):
    """The stored forecast of the version in service."""

    list_display = ("level", "subject", "start", "days", "money", "money_lower", "money_upper", "units")
    list_filter = ("level",)
    search_fields = ("=object_id",)
    subject = product("object_id", _("category, product or variant"))
    money = amount("sales", _("sales"))
    money_lower = amount("sales_lower_95", _("sales, lower 95 %"))
    money_upper = amount("sales_upper_95", _("sales, upper 95 %"))
    units = amount("quantity", _("units"))

    def _name(self, rows: Iterable[Any]) -> None:
        """Rows of the page may be of products and of variants, which have ids of their own."""
        levels = {"product": selectors.product_names, "variant": selectors.variant_names}
        names = {
            level: named(sorted({row.object_id for row in rows if row.level == level}))
            for level, named in levels.items()
        }
        for row in rows:
            row.product_names = names.get(row.level, {})


@admin.register(ProductRecommendation)
class ProductRecommendationAdmin(NamedProducts, ReadOnly):
    """The stored recommendations of the version in service."""

    product_fields = ("product_id", "recommended_id")
    list_display = ("shown_with", "rank", "recommended", "score", "sentence_reason")
    shown_with = product("product_id", _("product"))
    recommended = product("recommended_id", _("recommended product"))
    search_fields = ("=product_id", "=recommended_id")
    message_fields = ("reason",)
    sentence_reason = sentence("reason", _("reason"))
    pretty_reason = sentence("reason", _("reason"))
