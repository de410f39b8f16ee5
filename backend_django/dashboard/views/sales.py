"""Sales: what was sold and what will be, for the shop, a category, a product or a variant."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from api_base.spreadsheets import UTF8_MARK, csv_line
from dashboard import charts
from dashboard.views.base import Page, frame
from ml_predictions import selectors, selectors_accuracy, selectors_backtests, selectors_sales
from ml_predictions.errors import NotTrained
from retail_ml.errors import BadParameter, UnknownId

LEVELS = ("total", "category", "product", "variant")
MEASURES = {"sales": _("Revenue"), "units": _("Units")}
LEAST_DAYS, MOST_DAYS, USUAL_DAYS = 7, 365, 30
PAST = {7: 28, 30: 60, 90: 180}
"""Days of history beside so many days ahead; 365 beside more."""


class Wanted:
    """What the address asks for; what it cannot mean falls back to the usual, and `problem` says so."""

    def __init__(self, request: HttpRequest) -> None:
        given = request.GET
        self.level = given.get("level", "total")
        self.object_id = given.get("id", "")
        self.measure = given.get("measure", "sales")
        days = given.get("days", str(USUAL_DAYS))
        if self.level not in LEVELS or (self.level != "total" and not self.object_id):
            self.level = "total"
        if self.level == "total":
            self.object_id = ""
        if self.measure not in MEASURES:
            self.measure = "sales"
        self.days = min(max(int(days), LEAST_DAYS), MOST_DAYS) if days.isascii() and days.isdigit() else USUAL_DAYS
        self.past = next((past for most, past in PAST.items() if self.days <= most), 365)


class Sales(Page):
    """History and forecast with both bands, and how true such forecasts were."""

    template = "dashboard/sales.html"
    title = _("Sales")
    entry = "sales"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The chart, its figures, the receipt and the models beside each other."""
        wanted = Wanted(self.request)
        found: dict[str, Any] = {
            "wanted": wanted, "measures": MEASURES, "categories": selectors_sales.categories(),
            "shown_name": _name(wanted), "accuracy": selectors_accuracy.forecast_accuracy({}),
            "model": selectors.active_models().get("sales_forecast"),
        }  # fmt: skip
        try:
            ahead = selectors_sales.forecast(wanted.level, wanted.object_id, days=wanted.days)
        except NotTrained:
            return found
        except (UnknownId, BadParameter) as error:
            return {**found, "problem": error}
        shop = selectors_sales.shop()
        past = selectors_sales.history(wanted.level, wanted.object_id, days=wanted.past, source=shop)
        said = selectors_accuracy.last_days() if wanted.level == "total" and wanted.measure == "sales" else []
        marks = (ahead["explanation"] or {}).get("named_days", [])
        return {
            **found,
            "currency": selectors_sales.currency(shop),
            "forecast": ahead,
            "chart": charts.sales(past, ahead["predictions"], measure=wanted.measure, said=said, marks=marks),
            "rows": charts.table(past[-7:], ahead["predictions"], measure=wanted.measure),
        }


class LookBack(Page):
    """What was said on a past day, or would have been, beside what came and the naive baseline."""

    template = "dashboard/look_back.html"
    title = _("Looking back")
    entry = "sales"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The days to choose from, and the one in the address; without one, the newest."""
        tried, published = selectors_backtests.tried(), selectors_backtests.published()
        keys = [one["key"] for one in [*published, *tried]]
        key = self.request.GET.get("at") or (keys[0] if keys else "")
        found = selectors_backtests.look_back(key) if key in keys else None
        return {
            "tried": tried, "published": published, "key": key, "found": found,
            "chosen": next((one for one in [*published, *tried] if one["key"] == key), None),
            "chart": charts.looked_back(found["rows"]) if found else None,
        }  # fmt: skip


def _name(wanted: Wanted) -> str:
    """What to call what is shown."""
    if wanted.level == "product":
        return selectors.product_names([wanted.object_id]).get(wanted.object_id, wanted.object_id)
    if wanted.level == "variant":
        return selectors.variant_names([wanted.object_id]).get(wanted.object_id, wanted.object_id)
    return wanted.object_id


class FindProducts(Page):
    """Products whose name contains what was typed, as links."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A list to put below the search field."""
        found = selectors_sales.find_products(request.GET.get("text", ""))
        return TemplateResponse(request, "dashboard/parts/products_found.html", {"found": found, **frame(request)})


class Export(Page):
    """The forecast as a file for a spreadsheet."""

    title = _("Sales")
    entry = "sales"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """CSV with a row a day."""
        wanted = Wanted(request)
        try:
            rows = selectors_sales.forecast(wanted.level, wanted.object_id, days=wanted.days)["predictions"]
        except (NotTrained, UnknownId, BadParameter) as error:
            return self.page({"problem": error}, status=404, template="dashboard/problem.html")
        head = ["date", "sales", "sales_80_low", "sales_80_high", "sales_95_low", "sales_95_high", "units"]
        lines = ([r["date"], r["sales"], *r["sales_80"], *r["sales_95"], r["units"]] for r in rows)
        text = UTF8_MARK + "".join(csv_line(cells) for cells in [head, *lines])
        headers = {"Content-Disposition": 'attachment; filename="forecast.csv"'}
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
