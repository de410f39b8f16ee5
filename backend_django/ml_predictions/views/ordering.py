"""What to order now: as an answer, as a file, as drafts of purchase orders."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api_base.spreadsheets import UTF8_MARK, csv_line
from ml_predictions.serializers import ordering
from ml_predictions.views.base import Call, answer, service_of


class ReorderRecommendations(Call):
    """What to order now."""

    serializer_class = ordering.ReorderAsked

    @extend_schema(summary="What to order", parameters=[ordering.ReorderAsked], responses=ordering.REORDER)
    def get(self, request: Request) -> Response:
        """Quantities with pack, minimum and price break, within a budget when one is given, and per supplier."""
        wanted = self.checked(request)
        most = wanted.pop("top_n", None)
        return answer(service_of("inventory_optimization").reorder(**wanted, most=most))


class ExportedReorder(Call):
    """What to order now, as a file."""

    serializer_class = ordering.Reorder

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The file is CSV whatever the request accepts; its errors are JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        summary="What to order, as CSV", parameters=[ordering.Reorder], responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> HttpResponse:
        """The lines of the recommendations, supplier by supplier."""
        header, rows = service_of("inventory_optimization").order_table(**self.checked(request))
        text = UTF8_MARK + csv_line(header) + "".join(csv_line(row) for row in rows)
        headers = {"Content-Disposition": 'attachment; filename="reorder-recommendations.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


class DraftOrders(Call):
    """Purchase-order drafts."""

    serializer_class = ordering.DraftOrders

    @extend_schema(
        summary="Draft purchase orders",
        request=ordering.DraftOrders,
        responses={201: ordering.DRAFTED, 200: OpenApiResponse(ordering.DRAFTED, description="Nothing to draft.")},
    )
    def post(self, request: Request) -> Response:
        """One draft per supplier of what is recommended, or of the chosen lines; asked again, nothing is added."""
        from ml_predictions import actions_orders  # it brings the numerical libraries

        found = actions_orders.draft_orders(user=request.user, **self.checked(request))
        return answer(found, 201 if found["drafts"] else 200)
