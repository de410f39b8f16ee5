"""What one asks of the recommendations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils.translation import get_language, override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api_base.spreadsheets import UTF8_MARK, csv_line
from ml_predictions.messages import render
from ml_predictions.serializers import answers, inputs
from ml_predictions.views.base import Call, answer, checked_id, service_of

COLUMNS = ("product_id", "rank", "recommended_id", "recommended_name", "similarity_score", "price", "pinned", "reason")
"""Columns of the export."""


class OfProduct(Call):
    """Recommendations beside a product."""

    serializer_class = inputs.TopN

    def found(self, request: Request, product_id: str, method: str) -> Response:
        """What the service's `method` recommends beside this product."""
        top_n = self.checked(request)["top_n"]
        service = service_of("product_recommendation")
        recommended = getattr(service, method)(checked_id(product_id), top_n=top_n)
        return answer({"source_product_id": product_id, **recommended})


class ProductRecommendations(OfProduct):
    """For a product's page."""

    @extend_schema(summary="For a product's page", parameters=[inputs.TopN], responses=answers.RECOMMENDED)
    def get(self, request: Request, product_id: str) -> Response:
        """The hybrid of bought together and alike; a product without history is served from its content."""
        return self.found(request, product_id, "for_product")


class SimilarProducts(OfProduct):
    """Alike by content."""

    @extend_schema(summary="Products alike", parameters=[inputs.TopN], responses=answers.RECOMMENDED)
    def get(self, request: Request, product_id: str) -> Response:
        """Products alike in name, category, brand and description."""
        return self.found(request, product_id, "similar")


class BoughtTogether(OfProduct):
    """Bought together."""

    @extend_schema(summary="Bought together", parameters=[inputs.TopN], responses=answers.BOUGHT_TOGETHER)
    def get(self, request: Request, product_id: str) -> Response:
        """Products found in the same baskets more often than by chance."""
        return self.found(request, product_id, "bought_together")


class ProductCustomers(Call):
    """Whom to tell of a product."""

    serializer_class = inputs.TopN

    @extend_schema(summary="Customers for a product", parameters=[inputs.TopN], responses=answers.CUSTOMERS_FOR)
    def get(self, request: Request, product_id: str) -> Response:
        """Customers who lately bought what is like it and buy often, without those who have it; for a new product."""
        service, top_n = service_of("product_recommendation"), self.checked(request)["top_n"]
        return answer({"source_product_id": product_id, **service.customers_for(checked_id(product_id), top_n=top_n)})


class CustomerRecommendations(Call):
    """For a customer."""

    serializer_class = inputs.CustomerRecommendations

    @extend_schema(
        summary="For a customer", parameters=[inputs.CustomerRecommendations], responses=answers.FOR_CUSTOMER
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """What to offer to this customer, after what they bought."""
        wanted = self.checked(request)
        recommended = service_of("product_recommendation").for_customer(checked_id(customer_id), **wanted)
        return answer({"customer_id": customer_id, **recommended})


class ManyProductRecommendations(Call):
    """For many product pages at once."""

    serializer_class = inputs.ManyProducts

    @extend_schema(
        operation_id="ml_product_recommendations_many",
        summary="For many products' pages",
        parameters=[inputs.ManyProducts],
        responses=answers.RECOMMENDED_MANY,
    )
    def get(self, request: Request) -> Response:
        """The list of each product, as `product-recommendations/{product_id}/` gives it; unknown ids are listed."""
        wanted = self.checked(request)
        service = service_of("product_recommendation")
        return answer(service.for_products(wanted["product_ids"], top_n=wanted["top_n"]))


class ExportedRecommendations(Call):
    """For a shop front that stores the lists."""

    serializer_class = inputs.Export

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The file is CSV whatever the request accepts; its errors are JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        summary="All product pages as CSV",
        parameters=[inputs.Export],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """A line per product and recommendation: what is on sale and in stock now, by the rules of now."""
        pages = service_of("product_recommendation").every_page(top_n=self.checked(request)["top_n"])
        lines = _lines(pages, get_language() or settings.LANGUAGE_CODE)
        headers = {"Content-Disposition": 'attachment; filename="product-recommendations.csv"'}
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class BasketRecommendations(Call):
    """For a basket in progress."""

    serializer_class = inputs.Basket
    only_reads = True

    @extend_schema(summary="For a basket", request=inputs.Basket, responses=answers.RECOMMENDED_TO_ALL)
    def post(self, request: Request) -> Response:
        """What goes with the products of the basket; for a known customer also with what they bought."""
        wanted = self.checked(request)
        basket = wanted.pop("product_ids")
        return answer(service_of("product_recommendation").for_basket(basket, **wanted))


class TrendingProducts(Call):
    """What sells more than usual."""

    serializer_class = inputs.TopN

    @extend_schema(summary="Trending products", parameters=[inputs.TopN], responses=answers.RECOMMENDED_TO_ALL)
    def get(self, request: Request) -> Response:
        """What sells well these weeks, and more than usually."""
        return answer(service_of("product_recommendation").trending(top_n=self.checked(request)["top_n"]))


def _lines(pages: Iterator[tuple[str, list[dict[str, Any]]]], language: str) -> Iterator[str]:
    """The export, a product at a time, with the mark by which spreadsheets know UTF-8.

    It is written when the request is over, so that the language of its sentences must be given.
    """
    yield UTF8_MARK + csv_line(COLUMNS)
    for product, items in pages:
        with override(language):
            text = "".join(csv_line(_cells(product, item)) for item in items)
        yield text


def _cells(product: str, item: dict[str, Any]) -> tuple[Any, ...]:
    found = {**item, "product_id": product, "recommended_id": item["product_id"]}
    found["recommended_name"], found["reason"] = item["product_name"], render(item["reason"])
    found["pinned"] = "yes" if item["pinned"] else "no"
    return tuple(found[name] for name in COLUMNS)
