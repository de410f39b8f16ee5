"""Recommendations: what is shown beside a product, what sells these weeks, and how good such lists were."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from dashboard.views.base import Page
from ml_predictions import selectors, selectors_offers, selectors_sales
from ml_predictions.errors import NotTrained
from retail_ml.errors import RetailMLError

LISTS = {
    "page": _("On the product's page"),
    "together": _("Bought together"),
    "similar": _("Alike"),
}


class Recommendations(Page):
    """The three lists of a product, what is trending, and the proof."""

    template = "dashboard/recommendations.html"
    title = _("Recommendations")
    entry = "recommendations"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The lists of the product in the address; without one, of the first one that is trending."""
        try:
            trending = selectors_offers.trending()
        except NotTrained:
            return {}
        text, product_id = self.request.GET.get("text", ""), self.request.GET.get("product", "")
        if not product_id and trending["recommendations"]:
            product_id = trending["recommendations"][0]["product_id"]
        found: dict[str, Any] = {
            "trending": trending,
            "model": selectors.active_models()["product_recommendation"],
            "text": text,
            "found": selectors_sales.find_products(text) if text else [],
        }
        if not product_id:
            return found
        try:
            lists = selectors_offers.beside(product_id)
        except RetailMLError as error:
            return {**found, "problem": error}
        name = selectors.product_names([product_id]).get(product_id, product_id)
        return {**found, "product_name": name, "lists": [(LISTS[key], lists[key]) for key in LISTS]}
