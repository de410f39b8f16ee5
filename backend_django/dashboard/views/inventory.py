"""Inventory: what wants a decision, what to order, how healthy the stock is, one variant in full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from dashboard import charts
from dashboard.views.base import Page, Step
from ml_predictions import actions_alerts, conf, selectors, selectors_inventory
from ml_predictions.errors import NotTrained
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.services import get_service
from retail_ml.errors import RetailMLError

PER_PAGE = 25
MOST_LINES = 100
"""Lines to order that are shown at once, the most urgent first."""
SNOOZES = (7, 30)


def _service() -> Any:
    return get_service("inventory_optimization")


class Inventory(Page):
    """Health and alerts."""

    template = "dashboard/inventory.html"
    title = _("Inventory")
    entry = "inventory"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The digest, or all alerts of a type when the address asks; the health with its parts; the proof."""
        model = selectors.active_models().get("inventory_optimization")
        if model is None:
            return {}
        chosen = self.request.GET.get("type", "")
        found: dict[str, Any] = {
            "model": model, "health": _service().health(), "types": InventoryAlert.Type.choices,
            "chosen": chosen, "snoozes": SNOOZES, "value": selectors_inventory.claims_by_code({}),
        }  # fmt: skip
        if not chosen:
            digest = selectors_inventory.digest()
            return {**found, "digest": digest, "alerts": digest["alerts"]}
        rows = InventoryAlert.objects.awake(conf.shop_today()).order_by("-expected_money", "id")
        if chosen in InventoryAlert.Type.values:
            rows = rows.filter(alert_type=chosen)
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page"))
        return {**found, "page": page, "alerts": page.object_list}


class DecideAlert(Step):
    """Seen, put off, or done with."""

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the button that was pressed."""
        alert = get_object_or_404(InventoryAlert, pk=kwargs["alert_id"])
        what = request.POST.get("what", "")
        if what == "acknowledge":
            actions_alerts.acknowledge_alert(alert, user=request.user)
            return gettext("Seen. It comes back when it becomes more urgent.")
        if what == "resolve":
            actions_alerts.resolve_alert(alert, user=request.user)
            return gettext("Done with. It stays away while nothing changes.")
        if what not in {f"snooze-{days}" for days in SNOOZES}:
            raise Http404(what)
        until = conf.shop_today() + timedelta(days=int(what.removeprefix("snooze-")))
        actions_alerts.snooze_alert(alert, until=until, user=request.user)
        return gettext("Put off. It comes back by itself.")

    def where(self, **kwargs: Any) -> str:
        """The list it was pressed in."""
        chosen = self.request.POST.get("type", "")
        return reverse("dashboard:inventory") + (f"?type={chosen}" if chosen in InventoryAlert.Type.values else "")


class Reorder(Page):
    """What to order, with quantities to change, within a budget, and the drafts at one click."""

    template = "dashboard/reorder.html"
    title = _("What to order")
    entry = "inventory"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The lines, by supplier and budget as the address asks."""
        given = self.request.GET
        budget = _amount(given.get("budget", ""))
        found: dict[str, Any] = {"given": given, "wrong": budget is None and bool(given.get("budget"))}
        wanted: dict[str, Any] = {"budget": budget, "supplier": given.get("supplier") or None}
        wanted["fill_minimum"] = given.get("fill_minimum") == "true"
        try:
            plan = _service().reorder(**wanted, most=MOST_LINES)
        except NotTrained:
            return found
        except RetailMLError as error:
            return {**found, "problem": error}
        return {**found, "plan": plan, "lines": plan["recommendations"], "most": MOST_LINES}


def _amount(text: str) -> float | None:
    """An amount as typed, with a comma or a point; None for nothing or nonsense."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


class Draft(Step):
    """Purchase-order drafts of the ticked lines, one for each supplier."""

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """All or none; quantities as they stand in the form."""
        chosen = {}
        for variant_id in request.POST.getlist("take"):
            text = request.POST.get(f"units-{variant_id}", "")
            if not (text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000):
                raise ValidationError(
                    gettext(
                        "The quantity of {sku} must be a whole number from 1; it is “{text}”. Nothing was ordered."
                    ).format(sku=request.POST.get(f"sku-{variant_id}", variant_id)[:120], text=text[:20])
                )
            # What was drafted since the page was read is part of it: the button may be pressed twice.
            chosen[variant_id] = float(text) + (_amount(request.POST.get(f"drafted-{variant_id}", "")) or 0.0)
        if not chosen:
            raise ValidationError(gettext("Tick what you want to order."))
        from ml_predictions import actions_orders  # it brings Polars along, which the server's start does without

        found = actions_orders.draft_orders(user=request.user, lines=chosen)
        count = len(found["drafts"])
        told = ngettext("{n} purchase-order draft was made.", "{n} purchase-order drafts were made.", count).format(
            n=count
        )
        if left := found["without_supplier"]:
            told += " " + gettext("Without a supplier, so left out: {skus}.").format(
                skus=", ".join(row["sku"] for row in left[:5])
            )
        return told

    def where(self, **kwargs: Any) -> str:
        """The purchase orders."""
        return reverse("dashboard:orders")


class Variant(Page):
    """One variant: why it is or is not ordered, and its stock day by day."""

    template = "dashboard/variant.html"
    title = _("Variant")
    entry = "inventory"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or what is wrong with the id."""
        try:
            row = _service().explain(kwargs["variant_id"])
        except (NotTrained, RetailMLError) as error:
            return self.page({"problem": error}, status=404, template="dashboard/problem.html")
        title = f"{row['product_name']} {row['options']}".strip()
        return self.page({"row": row, "title": title, "chart": charts.stock(row), "rows": None})
