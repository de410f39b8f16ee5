"""Customers: one, the list, the segments as a whole, who moved, and a file for a campaign."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api_base.lists import DayFilter, FilterSet, NumberFilter, TextFilter, WholeFilter
from ml_predictions import actions, selectors_customers
from ml_predictions.models import CustomerSegment
from ml_predictions.models_segments import ChanceBand, Segment
from ml_predictions.serializers import segments
from ml_predictions.serializers.records import model_summary
from ml_predictions.views.base import Call, Guarded, answer, checked_id, service_of

PART = 2_000
"""Rows of a file that are written, and named, at a time."""


class OneCustomer(Call):
    """Who a customer is."""

    @extend_schema(summary="A customer's segment", responses=segments.SEGMENT)
    def get(self, request: Request, customer_id: str) -> Response:
        """Segment, value, what to expect next and what to do."""
        row = service_of("customer_segmentation").segment(checked_id(customer_id))
        return Response(segments.segment_answer(row))


class SegmentFilter(FilterSet):
    """Filters of `customer-segments/`."""

    segment = django_filters.MultipleChoiceFilter(choices=Segment.choices, help_text=_("May be given several times."))
    previous_segment = django_filters.MultipleChoiceFilter(choices=Segment.choices)
    changed_from = DayFilter(method="changed", help_text=_("Changed segment on or after this day."))
    min_value = NumberFilter(field_name="value_12", lookup_expr="gte", help_text=_("Of 12 months."))
    max_value = NumberFilter(field_name="value_12", lookup_expr="lte", help_text=_("Of 12 months."))
    min_spent = NumberFilter(field_name="total_spent", lookup_expr="gte")
    max_spent = NumberFilter(field_name="total_spent", lookup_expr="lte")
    min_probability = NumberFilter(
        field_name="probability_90d",
        lookup_expr="gte",
        help_text=_("Of an order within 90 days, 0…1; churn is the rest."),
    )
    max_probability = NumberFilter(field_name="probability_90d", lookup_expr="lte")
    purchase_90d = django_filters.MultipleChoiceFilter(choices=ChanceBand.choices, field_name="chance_band")
    min_overdue = NumberFilter(
        field_name="overdue_ratio", lookup_expr="gte", help_text=_("In usual intervals since the last order.")
    )
    max_overdue = NumberFilter(field_name="overdue_ratio", lookup_expr="lte")
    min_recency_days = WholeFilter(field_name="recency_days", lookup_expr="gte")
    max_recency_days = WholeFilter(field_name="recency_days", lookup_expr="lte")
    min_at_risk = NumberFilter(field_name="money_at_risk", lookup_expr="gte")
    due_until = DayFilter(
        field_name="expected_next", lookup_expr="lte", help_text=_("Next order expected on or before this day.")
    )
    search = TextFilter(method="found", help_text=_("The id, or a part of the name, the e-mail or the number."))

    class Meta:
        model = CustomerSegment
        fields: ClassVar[list[str]] = []

    def changed(self, rows: QuerySet[CustomerSegment], name: str, day: date) -> QuerySet[CustomerSegment]:
        """Those who changed since."""
        return rows.filter(selectors_customers.changed_since(day))

    def found(self, rows: QuerySet[CustomerSegment], name: str, text: str) -> QuerySet[CustomerSegment]:
        """Those who match."""
        return selectors_customers.search(rows, text)


@extend_schema_view(list=extend_schema(summary="Customers and their segments"))
class CustomerSegments(Guarded, mixins.ListModelMixin, GenericViewSet[CustomerSegment]):
    """The customers of the version in service, who spent most first."""

    people: Any = MappingProxyType({})
    own_parameters: Collection[str] = ()
    queryset = CustomerSegment.objects.none()  # for the documentation; the rows come from `get_queryset`
    serializer_class = segments.SegmentRecord
    filterset_class = SegmentFilter
    ordering_fields: ClassVar[list[str]] = [
        "id", "customer_id", "segment", "confidence", "recency_days", "total_orders", "total_spent", "spent_year",
        "overdue_ratio", "value_12", "probability_90d", "expected_next", "money_at_risk", "changed_on",
    ]  # fmt: skip

    def get_queryset(self) -> QuerySet[CustomerSegment]:
        """The rows; raises NotTrained."""
        return (
            CustomerSegment.objects.none() if getattr(self, "swagger_fake_view", False) else selectors_customers.rows()
        )

    def paginate_queryset(self, queryset: Any) -> Any:
        """A page with the names of its people: one read."""
        page = super().paginate_queryset(queryset)
        self.people = selectors_customers.contacts([row.customer_id for row in page or []])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        """With the names of the page's people."""
        return {**super().get_serializer_context(), "contacts": self.people}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The export is CSV whatever the request accepts; its errors are JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "export")

    @extend_schema(summary="The segments as a whole", responses=segments.SUMMARY, filters=False)
    @action(detail=False, pagination_class=None)
    def summary(self, request: Request) -> Response:
        """Size, revenue, expected value and money at risk of each segment; guests apart."""
        found = selectors_customers.summary()
        return answer({**found, "model": model_summary(found["model"])})

    @extend_schema(
        summary="Who moved between two trainings", parameters=[segments.Migration], responses=segments.MIGRATION,
        filters=False,
    )  # fmt: skip
    @action(detail=False, pagination_class=None)
    def migration(self, request: Request) -> Response:
        """Six by six, with the reasons and the money that moved."""
        return answer(selectors_customers.migration(self._checked(segments.Migration)))

    @extend_schema(
        summary="Customers as CSV, for a campaign", parameters=[segments.Export],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )  # fmt: skip
    @action(detail=False, pagination_class=None, own_parameters=segments.EXPORT_PARAMETERS)
    def export(self, request: Request) -> StreamingHttpResponse:
        """The customers of the list, with its filters and its order; names and e-mails only when asked for."""
        wanted = self._checked(segments.Export, only=segments.EXPORT_PARAMETERS)
        rows = self.filter_queryset(self.get_queryset())
        contacts = selectors_customers.contacts if wanted["contact"] else None
        actions.record_export(request.user, filters=sorted(request.query_params), contact=wanted["contact"])
        lines = segments.csv_lines(
            selectors_customers.in_parts(rows, PART), contacts=contacts, language=get_language() or "en",
            separator=segments.SEPARATORS[wanted["separator"]],
        )  # fmt: skip
        headers = {"Content-Disposition": 'attachment; filename="customers.csv"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)

    def _checked(self, serializer: Any, only: Collection[str] | None = None) -> dict[str, Any]:
        """The query as `serializer` reads it; with `only`, the rest of it belongs to the list's filters."""
        given = self.request.query_params.dict()
        query = serializer(data={name: x for name, x in given.items() if only is None or name in only})
        query.is_valid(raise_exception=True)
        found: dict[str, Any] = query.validated_data
        return found
