"""How figures are written: money in the shop's currency, numbers and days in the reader's language."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.context import RequestContext
from django.utils import formats, timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ml_predictions.messages import render, spoken
from ml_predictions.messages.readable import METHODS
from ml_predictions.messages.readable import example as shown
from ml_predictions.models import Kind
from ml_predictions.models_segments import Segment

register = template.Library()
SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "MXN": "$", "ARS": "$", "COP": "$", "CLP": "$", "PEN": "S/"}
BEFORE = {"GBP", "USD", "MXN", "ARS", "COP", "CLP", "PEN"}
"""Currencies whose symbol stands before the figure in English."""
LEVELS = {"total": _("The whole shop"), "category": _("Category"), "product": _("Product"), "variant": _("Variant")}
SURFACES = {
    "page": _("A product's page"), "basket": _("A basket"), "customer": _("A customer"), "single": _("One product"),
    "customer_all": _("A customer"), "customer_novel": _("A customer, new things"),
    "customer_repeat": _("A customer, known things"),
}  # fmt: skip
HEALTH = {
    "availability": _("Availability"), "cover": _("Cover"), "movement": _("Movement"), "return": _("Return on stock"),
    "data_quality": _("Data"),
}  # fmt: skip
ALERTS = {
    "NEGATIVE_STOCK": _("Stock below zero"), "OUT_OF_STOCK": _("Sold out"),
    "STOCKOUT_BEFORE_DELIVERY": _("Sold out before the delivery"), "LATE_PO": _("Delivery is late"),
    "MARGIN_NEGATIVE": _("Sold below cost"), "SEASON_END_RISK": _("Left over at the season's end"),
    "REORDER_NOW": _("To order now"), "REORDER_SOON": _("To order soon"), "REORDER": _("Quantity to order"),
    "PRICE_OR_COST_MISSING": _("Price or cost is missing"), "DEMAND_SPIKE": _("Sells far more than usual"),
    "DEMAND_DROP": _("Sells far less than usual"), "DEAD_STOCK": _("No longer sells"), "OVERSTOCK": _("Too much of it"),
    "LEAD_TIME_DRIFT": _("Deliveries take longer"), "SLOW_MOVING": _("Sells slowly"),
    "BELOW_7_DAYS": _("Rule of thumb: less than 7 days left"),
}  # fmt: skip
"""Codes of alerts and of what is said of stock, in a few words."""
LAYOUTS = {
    "generic": _("any other table"), "online-retail-ii": "Online Retail II", "shopify": "Shopify",
    "woocommerce": "WooCommerce", "prestashop": "PrestaShop",
}  # fmt: skip
RUNS = {"import": _("Import"), "refresh": _("Nightly refresh"), "erase": _("Erasing a person")}
"""Kinds of run that are no training."""
FACTS = {
    "orders": _("orders"), "customers": _("customers"), "lines": _("order lines"), "returns": _("returns"),
    "products": _("products"), "variants": _("variants"), "last_order": _("last order"), "data_until": _("data until"),
    "live": _("live shop"), "currency": _("currency"),
}  # fmt: skip
"""What is counted of a shop."""
NONE = "–"
"""What is not known."""


def _unknown(value: Any) -> bool:
    """None, not finite, or the "" that a template gives for what is not there."""
    return value is None or value == "" or not math.isfinite(float(value))


@register.filter
def number(value: Any, decimals: int = 0) -> str:
    """A figure with so many decimals; – for none.

    >>> number(1234.56, 1), number(None)
    ('1,234.6', '–')
    """
    if _unknown(value):
        return NONE
    return formats.number_format(round(float(value), decimals) + 0.0, decimals, use_l10n=True, force_grouping=True)


@register.filter
def percent(share: Any, decimals: int = 0) -> str:
    """A share as per cent; – for none.

    >>> percent(0.1234, 1)
    '12.3\\xa0%'
    """
    return NONE if _unknown(share) else f"{number(100 * share, decimals)}\u00a0%"


@register.filter
def signed(share: Any) -> str:
    """A change as per cent with its sign; – for none.

    >>> signed(0.193), signed(-0.02)
    ('+19\\xa0%', '-2\\xa0%')
    """
    return NONE if _unknown(share) else ("+" if share > 0 else "") + percent(share)


@register.filter
def figure(receipt: Mapping[str, Any], name: str) -> Any:
    """A figure of a receipt: of days, else of sums of 28 days (products and variants have only these).

    >>> figure({"wape": 0.2}, "wape"), figure({"wape_28": 0.3}, "wape")
    (0.2, 0.3)
    """
    return receipt.get(name, receipt.get(f"{name}_28"))


@register.filter
def per(total: float | None, count: float) -> float | None:
    """`total` shared among `count`; none for none."""
    return total / count if total is not None and count else None


@register.filter
def method(name: str) -> str:
    """What a way of forecasting is called."""
    return str(METHODS.get(name, name))


@register.filter
def level(name: str) -> str:
    """What a level of the forecast is called."""
    return str(LEVELS.get(name, name))


@register.filter
def layout(name: str) -> str:
    """What a layout of files is called."""
    return str(LAYOUTS.get(name, name))


@register.filter
def surface(name: str) -> str:
    """Where recommendations are shown."""
    return str(SURFACES.get(name, name))


@register.filter
def kind(name: str) -> str:
    """What a kind of run is called."""
    return str(({kind.value: kind.label for kind in Kind} | RUNS).get(name, name))


@register.filter
def fact(name: str) -> str:
    """What is counted of a shop, in words."""
    return str(FACTS.get(name, name))


@register.filter
def fact_value(value: Any) -> str:
    """A figure of a shop as it is stored: counts, yes and no, moments, words.

    >>> fact_value(7295), fact_value(True), fact_value("EUR")
    ('7,295', 'yes', 'EUR')
    """
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, int | float):
        return number(value)
    try:
        return cell(datetime.fromisoformat(str(value)))
    except ValueError:
        return NONE if value is None else str(value)


@register.filter
def example(row: Mapping[str, Any]) -> str:
    """A row that a finding shows, as words and figures."""
    return shown(row)


@register.filter
def health_part(name: str) -> str:
    """What a part of the health score is called."""
    return str(HEALTH.get(name, name))


@register.filter
def alert(code: str) -> str:
    """What an alert's code says.

    >>> alert("REORDER_NOW"), alert("OF_ANOTHER_VERSION")
    ('To order now', 'OF_ANOTHER_VERSION')
    """
    return str(ALERTS.get(code, code))


@register.filter
def segment(name: str) -> str:
    """What a segment is called."""
    return str(Segment(name).label) if name in Segment.values else name


@register.filter
def explained(error: Exception | None) -> str:
    """The sentence of one of our own exceptions."""
    return spoken(error) if error else ""


@register.simple_tag(takes_context=True)
def money(context: Mapping[str, Any], value: float | None, decimals: int = -1) -> str:
    """An amount in the shop's currency; whole from 1,000 on unless `decimals` says otherwise."""
    return amount(value, str(context.get("currency", "")), decimals)


def amount(value: Any, currency: str, decimals: int = -1) -> str:
    """An amount as people write it in the active language.

    >>> amount(1234.5, "GBP"), amount(-12.3, "GBP"), amount(2, "CHF")
    ('£1,234', '-£12.30', '2.00\\xa0CHF')
    """
    if _unknown(value):
        return NONE
    places = decimals if decimals >= 0 else (0 if abs(value) >= 1_000 else 2)
    text, symbol = number(abs(value), places), SYMBOLS.get(currency, currency)
    sign = "-" if value < 0 and float(f"{abs(value):.{places}f}") else ""
    first = currency in BEFORE and (get_language() or "").startswith("en")
    return f"{sign}{symbol}{text}" if first else f"{sign}{text}\u00a0{symbol}".rstrip()


@register.simple_tag
def cents(value: int | None, currency: str) -> str:
    """Cents as an amount to the cent.

    >>> cents(-123456, "GBP")
    '-£1,234.56'
    """
    return amount(None if value is None else value / 100, currency, 2)


@register.filter
def cell(value: Any) -> str:
    """A cell of a file as it was read: moments in the shop's time, numbers without the zeros behind; "" for none.

    >>> cell(Decimal("2.5000")), cell(None), cell("A-1")
    ('2.5', '', 'A-1')
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, Decimal):
        return formats.localize(value.normalize() + 0)
    return str(value)


@register.filter
def day(value: date | datetime | str | None, form: str = "DATE_FORMAT") -> str:
    """A day in words, of a date or of ISO text; – for none."""
    if not value:
        return NONE
    if isinstance(value, str):
        value = date.fromisoformat(value[:10])
    return formats.date_format(value, form)


@register.filter
def said(message: Mapping[str, Any] | None) -> str:
    """The sentence of a stored message."""
    return render(message)


@register.filter
def chart_data(spec: Mapping[str, Any]) -> SafeString:
    """A chart as JSON for its data block: nothing in it can end the block."""
    text = json.dumps(spec, ensure_ascii=False, allow_nan=False, default=str)
    return mark_safe(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """The address's query with some parameters changed; one that is None is left out, and the page begins anew."""
    given = {key: values for key, values in context["request"].GET.lists() if key != "page"}
    for key, value in changes.items():
        given.pop(key, None)
        if value not in (None, ""):
            given[key] = [str(value)]
    return "?" + urlencode(given, doseq=True)


@register.simple_tag(takes_context=True)
def sorting(context: RequestContext, name: str, label: Any, kind: str = "") -> SafeString:
    """The head of a column one can sort by: a link, with the direction for everybody to read; `kind`: text."""
    now = context["request"].GET.get("ordering") or context.get("ordering", "")
    down, up = now == f"-{name}", now == name
    target = query(context, ordering=name if down else f"-{name}")
    arrow = "↓" if down else "↑" if up else ""
    direction = "descending" if down else "ascending" if up else "none"
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a href="{}">{} <span aria-hidden="true">{}</span></a></th>',
        kind, direction, target, label, arrow,
    )  # fmt: skip


@register.simple_tag
def icon(name: str) -> SafeString:
    """A symbol of the set in base.html; it says nothing to a screen reader."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', escape(name))
