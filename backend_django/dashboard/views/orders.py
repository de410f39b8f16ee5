"""Purchase orders: drafts to send, what is on its way, what came."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, DecimalField, F, Sum
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.views.base import Page, Step
from ml_predictions import conf
from purchasing import drafts, services
from purchasing.models import PurchaseOrder

PER_PAGE = 25


class Orders(Page):
    """All purchase orders, the newest first."""

    template = "dashboard/orders.html"
    title = _("Purchase orders")
    entry = "inventory"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """A page of them, by status."""
        rows = PurchaseOrder.objects.select_related("supplier").order_by("-id")
        status = self.request.GET.get("status", "")
        if status in PurchaseOrder.Status.values:
            rows = rows.filter(status=status)
        cost = Sum(F("lines__units") * F("lines__unit_cost"), output_field=DecimalField())
        rows = rows.annotate(count=Count("lines"), units=Sum("lines__units"), cost=cost)
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page"))
        return {"page": page, "statuses": PurchaseOrder.Status.choices, "status": status, "today": conf.shop_today()}


class Order(Page):
    """One purchase order with its lines."""

    template = "dashboard/order.html"
    title = _("Purchase order")
    entry = "inventory"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The order and its lines."""
        order = get_object_or_404(PurchaseOrder.objects.select_related("supplier"), pk=kwargs["order_id"])
        rows = order.lines.select_related("variant__product").order_by("id")
        lines = rows.annotate(missing=F("units") - F("received_units"))
        return {"order": order, "lines": lines, "title": order.number}


class ChangeOrder(Step):
    """Send it, book what came, give it up."""

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the button that was pressed."""
        pk, what = kwargs["order_id"], request.POST.get("what", "")
        if not PurchaseOrder.objects.filter(pk=pk).exists():
            raise Http404
        try:
            if what == "confirm":
                services.confirm(pk)
                return gettext("Confirmed: it counts as on its way.")
            if what == "receive":
                units = _units(request)
                services.receive(pk, units, reference=request.POST.get("reference", "").strip()[:60] or None)
                return gettext("Booked: the stock is up to date.")
            if what == "cancel":
                services.cancel(pk)
                return gettext("Cancelled. What had come stays on the shelf.")
            if what == "delete":
                drafts.delete(pk)
                return gettext("The draft is gone.")
        except services.PurchaseError as error:
            raise ValidationError(str(error)) from error
        raise Http404(what)

    back = "dashboard:orders"


def _units(request: HttpRequest) -> dict[int, int]:
    """Units by line as typed in the form; empty fields are none."""
    found = {}
    for name in request.POST:
        text = request.POST.get(name, "")
        if name.startswith("line-") and text.strip():
            if not (text.isascii() and text.strip().isdigit() and name[5:].isdigit()):
                raise ValidationError(
                    gettext("Units that came must be whole numbers; “{text}” is none.").format(text=text[:20])
                )
            found[int(name[5:])] = int(text)
    if not any(found.values()):
        raise ValidationError(gettext("Write how many units came."))
    return found
