"""Recommendations: what is shown beside a product, what sells these weeks, and how good such lists were."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.views.base import Page, Step
from ml_predictions import actions, selectors, selectors_offers, selectors_sales
from ml_predictions.errors import NotTrained
from ml_predictions.models_rules import RecommendationRule
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
            "sets": selectors_offers.sets(),
            "rules": _rules(),
            "product_id": product_id,
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
        return {**found, "product_name": name, "lists": [(key, LISTS[key], lists[key]) for key in LISTS]}


def _rules() -> list[dict[str, Any]]:
    """The rules that are not over, with what their products are called."""
    rows = selectors_offers.rules()
    ids = {row.object_id for row in rows if row.level == "product"} | {row.source_product_id for row in rows}
    names = {"": "", **selectors.product_names(sorted(ids - {""}))}
    called = [(names.get(row.object_id), names.get(row.source_product_id)) for row in rows]
    return [
        {"rule": row, "name": name or row.object_id, "beside": row.source_product_id if beside is None else beside}
        for row, (name, beside) in zip(rows, called, strict=True)
    ]


class Decide(Step):
    """A product first in a list, not in it any more, or nowhere."""

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the button that was pressed."""
        given = request.POST
        what, item, surface = given.get("what", ""), given.get("item", ""), given.get("surface", "")
        name = selectors.product_names([item]).get(item)
        if name is None or surface not in {*LISTS, "trending"} or what not in SAID:
            raise Http404(what)
        rule = RecommendationRule(kind="pin" if what == "pin" else "exclude", level="product", object_id=item)
        if what != "nowhere":
            rule.surface = surface
            rule.source_product_id = "" if surface == "trending" else given.get("product", "")
        rule.clean()
        actions.save_rule(rule, user=request.user)
        return str(SAID[what]).format(name=name)

    def where(self, **kwargs: Any) -> str:
        """The lists it was pressed in."""
        product_id = self.request.POST.get("product", "")
        page = reverse("dashboard:recommendations")
        return f"{page}?{urlencode({'product': product_id})}" if product_id else page


SAID = {
    "pin": _("“{name}” comes first here. Below, under “Your rules”, you can take it back."),
    "here": _("“{name}” is not shown here any more. Below, under “Your rules”, you can take it back."),
    "nowhere": _("“{name}” is recommended nowhere any more. Below, under “Your rules”, you can take it back."),
}


class TakeBack(Decide):
    """A rule that no longer holds."""

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """Delete it."""
        actions.delete_rule(get_object_or_404(RecommendationRule, pk=kwargs["rule_id"]), user=request.user)
        return gettext("Taken back: the lists are again as they were learned.")
