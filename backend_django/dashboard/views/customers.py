"""Customers: the segments as a whole, who is in them, who moved, and one customer in full."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from dashboard import charts
from dashboard.views.base import Page
from ml_predictions import actions, selectors_customers, selectors_offers
from ml_predictions.errors import NotTrained
from ml_predictions.models_segments import ChanceBand, Segment
from ml_predictions.serializers import segments
from ml_predictions.views.customers import PART, CustomerSegments, SegmentFilter
from retail_ml.errors import BadParameter, RetailMLError

PER_PAGE = 25
MOST_POINTS = 1_500
"""Customers that are drawn in the scatter."""
USUAL_ORDER = "-total_spent"


class Customers(Page):
    """Sizes and money of the segments, the list with its filters, and who moved."""

    template = "dashboard/customers.html"
    title = _("Customers")
    entry = "customers"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The summary, the movement and a page of the list."""
        try:
            summary = selectors_customers.summary()
        except NotTrained:
            return {}
        found = chosen(self.request)
        page = Paginator(found["rows"], PER_PAGE).get_page(self.request.GET.get("page"))
        people = selectors_customers.contacts([row.customer_id for row in page.object_list])
        for row in page.object_list:
            row.person = people.get(row.customer_id, {})
        return {
            **found,
            "page": page,
            "rows": None,
            "summary": summary,
            "migration": selectors_customers.migration({}),
            "treemap": charts.segments(summary["segments"]),
            "scatter": charts.customers(selectors_customers.points(MOST_POINTS)),
            "segments": Segment.choices,
            "bands": ChanceBand.choices,
        }


def chosen(request: HttpRequest) -> dict[str, Any]:
    """The `rows` that the filters of the address leave, in its order, and the `problem` with a filter, if any."""
    rows = selectors_customers.rows()
    wanted = SegmentFilter(request.GET, queryset=rows, request=request)
    ordering = request.GET.get("ordering", USUAL_ORDER)
    if ordering.lstrip("-") not in CustomerSegments.ordering_fields:
        ordering = USUAL_ORDER
    problem = ""
    if wanted.is_valid():
        try:
            rows = wanted.qs
        except BadParameter as error:
            return {"rows": rows.none(), "problem": error, "ordering": ordering, "given": request.GET}
    else:
        problem = " ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in wanted.errors.items())
    return {"rows": rows.order_by(ordering, "id"), "wrong": problem, "ordering": ordering, "given": request.GET}


class Customer(Page):
    """One customer: what they bought, who they are and why, what is expected of them, what to offer."""

    template = "dashboard/customer.html"
    title = _("Customer")
    entry = "customers"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or what is wrong with the id."""
        customer_id = kwargs["customer_id"]
        try:
            row = selectors_customers.one(customer_id)
        except (NotTrained, RetailMLError) as error:
            return self.page({"problem": error}, status=404, template="dashboard/problem.html")
        person = selectors_customers.contacts([customer_id]).get(customer_id, {})
        return self.page(
            {
                "row": row,
                "person": person,
                "title": person.get("name") or person.get("email") or customer_id,
                "orders": selectors_customers.orders(customer_id),
                "offers": selectors_offers.to_customer(customer_id),
            }
        )


class CustomersExport(Page):
    """The customers of the list as a file for a campaign; audited."""

    title = _("Customers")
    entry = "customers"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """CSV, with names and e-mails when `contact` is asked for."""
        try:
            found = chosen(request)
        except NotTrained as error:
            return self.page({"problem": error}, status=404, template="dashboard/problem.html")
        contact = request.GET.get("contact") == "1"
        actions.record_export(request.user, filters=sorted(request.GET), contact=contact)
        spanish = (get_language() or "").startswith("es")
        lines = segments.csv_lines(
            selectors_customers.in_parts(found["rows"], PART),
            contacts=selectors_customers.contacts if contact else None,
            language=get_language() or "en",
            separator=segments.SEPARATORS["semicolon" if spanish else "comma"],
        )
        headers = {"Content-Disposition": 'attachment; filename="customers.csv"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
