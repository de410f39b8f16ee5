"""The owner's rules on recommendations: list, read, enter, change, delete."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_view

from api_base.lists import DayFilter, FilterSet
from ml_predictions import actions
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.serializers.recommendation_rules import RecommendationRuleRecord
from ml_predictions.views.base import Entered


class RuleFilter(FilterSet):
    """Filters of `recommendation-rules/`."""

    on = DayFilter(method="in_force", help_text=_("Rules that hold on this day."))

    class Meta:
        model = RecommendationRule
        fields = ["kind", "level", "object_id", "surface", "source_product_id"]

    def in_force(self, rows: QuerySet[RecommendationRule], name: str, day: date) -> QuerySet[RecommendationRule]:
        """Those that have begun by `day` and are not over."""
        begun, lasting = Q(first_day=None) | Q(first_day__lte=day), Q(last_day=None) | Q(last_day__gte=day)
        return rows.filter(begun & lasting)


@extend_schema_view(
    list=extend_schema(summary="Recommendation rules"),
    retrieve=extend_schema(summary="One recommendation rule"),
    create=extend_schema(summary="Enter a recommendation rule"),
    update=extend_schema(summary="Replace a recommendation rule"),
    partial_update=extend_schema(summary="Change a recommendation rule"),
    destroy=extend_schema(summary="Delete a recommendation rule"),
)
class RecommendationRules(Entered):
    """Products and categories that come first in recommendations, or are never shown: honoured from the next call on.

    An exclusion wins over a pin. A pin shows only what is on sale and in stock; that of a category takes one place.
    """

    lookup_value_converter = "int"
    queryset = RecommendationRule.objects.order_by("-id")
    serializer_class = RecommendationRuleRecord
    filterset_class = RuleFilter
    search_fields: ClassVar[list[str]] = ["object_id", "note"]
    ordering_fields: ClassVar[list[str]] = [
        "id", "kind", "level", "object_id", "surface", "source_product_id", "first_day", "last_day", "created_at",
        "changed_at",
    ]  # fmt: skip
    save = staticmethod(actions.save_rule)
    remove = staticmethod(actions.delete_rule)
