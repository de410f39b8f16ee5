"""The figures of a stored message as people read them, in the active language."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from django.utils import formats
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

AS_THEY_ARE = {"id", "product", "signal", "sku", "supplier", "version"}
"""Figures that name something and count nothing; so do all whose name ends with `_id`."""
NAMED = {"kind", "service", "status", "trained", "failed", "segment", "rival", "axis", "axis_1", "axis_2", "driver"}
"""Figures that hold our own names of things, perhaps several joined by `, `."""
NAMES: dict[str, Any] = {
    "sales_forecast": _("the sales forecast"),
    "product_recommendation": _("the product recommendation"),
    "customer_segmentation": _("the customer segmentation"),
    "inventory_optimization": _("the inventory optimization"),
    "all": _("all four services"),
    "queued": _("queued"),
    "running": _("under way"),
    "completed": _("completed"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "vip": _("VIP"),
    "frequent": _("Frequent"),
    "occasional": _("Occasional"),
    "at_risk": _("At risk"),
    "new": _("New"),
    "inactive": _("Inactive"),
    "recency": _("how recently they bought"),
    "frequency": _("how often they bought"),
    "monetary": _("how much they spent"),
    "tenure": _("how long they have been customers"),
    "unlikely": _("unlikely"),
    "possible": _("possible"),
    "likely": _("likely"),
    "first_order": _("first order"),
    "ordered": _("ordered again"),
    "returned": _("returned goods"),
    "no_longer_new": _("the first 60 days are over"),
    "silence": _("no order since, only time has passed"),
    "review": _("the groups were drawn anew, the customer did nothing"),
    "left": _("their orders are gone: an import undone, a person erased"),
}
COLUMNS = {
    "order_id": _("order"), "day": _("day"), "product_id": _("product"), "variant_id": _("variant"), "sku": "SKU",
    "name": _("name"), "units": _("units"), "amount": _("amount"), "price": _("price"), "cost": _("cost"),
    "usual": _("usual"), "first": _("from"), "last": _("to"), "days": _("days"), "sold": _("sold"),
    "returned": _("came back"), "on_hand": _("stock"), "options": _("options"), "supplier": _("supplier"),
}  # fmt: skip
"""What the columns of a finding's examples are called."""
METHODS = {
    "seasonal_naive": _("the same weekday last time"), "window_average": _("mean of the same weekdays"),
    "weekday_mean": _("mean by weekday"), "historic_average": _("mean of all days"), "last_year": _("as last year"),
    "linear": _("linear"), "gradient_boosting": _("gradient boosting"), "random_forest": _("random forest"),
    "ensemble": _("ensemble"), "popularity": _("best sellers"),
    "popularity_content": _("best sellers alike"), "hybrid": _("bought together and alike"),
    "co_purchase": _("bought together"), "frequency": _("what they buy often"),
    "personal": _("learned for each customer"), "kmeans_rfm": _("K-Means over recency, frequency and spending"),
    "reorder_point": _("reorder points"),
}  # fmt: skip
"""Ways of forecasting and the like; figures named `method` hold one."""
WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
"""Names of the days by their number; figures whose name begins with `weekday` hold one."""
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def readable(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a sentence: numbers and days in the active language, our own names of things in words."""
    language = get_language()
    return {name: _shown(name, value, language) for name, value in figures.items()}


def _shown(name: str, value: Any, language: str | None) -> Any:
    if name in AS_THEY_ARE or name.endswith("_id") or isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(str(_shown(name, item, language)) for item in value)
    if isinstance(value, str):
        return _text(name, value, language)
    if isinstance(value, date):
        return _day(value.isoformat()[:10], language)
    return _figure(name, value, language) if isinstance(value, int | float) else value


def _text(name: str, value: str, language: str | None) -> str:
    if name == "method":
        return str(METHODS.get(value, value))
    if name in NAMED:
        return _words(value, language)
    return _day(value, language) if DAY.fullmatch(value) else value


# A page of customers says hundreds of figures, most of them several times: each is put into words once. The language
# is part of what they are kept by, and the active one.


@lru_cache(maxsize=1024)
def _words(value: str, language: str | None) -> str:
    return ", ".join(str(NAMES.get(word, word)) for word in value.split(", "))


def _figure(name: str, value: float, language: str | None) -> str:
    if name.endswith("_cost"):  # two decimals, four where a price has them
        decimals = 2 if round(value, 2) == value else 4
        return formats.number_format(f"{value:.{decimals}f}", decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return str(WEEKDAYS[int(value)]) if name.startswith("weekday") and value in range(7) else _number(value, language)


@lru_cache(maxsize=4096)
def _number(value: float, language: str | None = None) -> str:
    """Thousands apart, at most two decimals; a figure below one keeps two digits that say something.

    >>> _number(577939.0), _number(0.00412), _number(-3.10)
    ('577,939', '0.0041', '-3.1')
    """
    if not math.isfinite(value):
        return str(value)
    digits = 2 if abs(value) >= 1 or value == 0 else min(1 - math.floor(math.log10(abs(value))), 8)
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    decimals = len(text.partition(".")[2])
    return formats.number_format(text, decimal_pos=decimals, use_l10n=True, force_grouping=True)


@lru_cache(maxsize=4096)
def _day(text: str, language: str | None) -> str:
    try:
        return formats.date_format(date.fromisoformat(text), "DATE_FORMAT")
    except ValueError:  # looks like a day and is none: a product may be called so
        return text


def example(row: Mapping[str, Any]) -> str:
    """A row that a finding shows, as words and figures; what is empty is left out.

    >>> example({"order_id": "2555", "day": "2025-08-23", "units": -1.0, "supplier": None})
    'order 2555, day 2025-08-23, units -1'
    """
    figures = {name: f"{value:g}" if isinstance(value, float) else value for name, value in row.items()}
    return ", ".join(f"{COLUMNS.get(name, name)} {value}" for name, value in figures.items() if value not in (None, ""))
