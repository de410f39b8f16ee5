"""What a page says about an import, in the reader's language: names of fields, errors, why a row is left out.

Reports and errors are stored in English with their codes, as the console prints them; here they are translated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import formats
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ingest.counts import Counts
from ingest.errors import TEXTS
from retail_ml.errors import RetailMLError

LABELS = {
    "order_number": _("Order number"), "placed_at": _("Date and time"), "sku": _("Reference (SKU)"),
    "units": _("Units"), "unit_price": _("Price of one unit"), "product_name": _("Product's name"),
    "product_code": _("Style's number"), "category": _("Category"), "customer_id": _("Customer's number"),
    "email": _("Customer's e-mail"), "country": _("Country"), "discount": _("Discount on the line"),
    "shipping": _("Shipping"), "tax": _("Tax on top"), "status": _("Status"), "channel": _("Channel"),
    "currency": _("Currency"), "brand": _("Brand"), "description": _("Description"), "price": _("Price"),
    "cost": _("Cost of one unit"), "size": _("Size"), "color": _("Colour"), "pack_size": _("Units per pack"),
    "minimum_order": _("Fewest units in a purchase"), "lead_time_days": _("Lead time, days"),
    "season_end": _("Last day of the season"), "supplier": _("Supplier"), "supplier_email": _("Supplier's e-mail"),
    "supplier_lead_time_days": _("Supplier's lead time, days"), "supplier_lead_time_sd": _("Its spread, days"),
    "supplier_minimum_order_value": _("Supplier's smallest order"), "image_url": _("Address of a picture"),
    "options": _("Options"), "counted": _("Units counted"), "counted_at": _("Counted when"),
}  # fmt: skip
"""Every field of the three kinds of file."""
TABLES = {
    "products": _("Products"), "customers": _("Customers"), "orders": _("Orders"), "lines": _("Order lines"),
    "returns": _("Returns"), "suppliers": _("Suppliers"), "counts": _("Counts"),
    "cost": _("Costs"), "stock": _("Opening stock"),
    "categories": _("Categories"), "supplier": _("Suppliers of variants"), "category": _("Categories"),
    "stock_history": _("Articles with a stock history"), "withdrawn": _("Orders that are no sales any more"),
}  # fmt: skip
ON_PAGE: dict[str, Any] = {
    "file.lacks_columns": _("{label} lacks a column for {missing}. It has: {headers}. Choose which column it is."),
    "file.lacks_fields": _("{label} lacks a column for {missing}. It has: {headers}. Choose which column it is."),
    "file.two_decimals": _(
        "{column} holds numbers with a decimal comma ({commas}) and with a decimal point ({points}). Choose which is "
        "right."
    ),
    "file.day_or_month": _(
        "{column}: a date such as {example} can be day first or month first, and no date of the file decides it. "
        "Choose which."
    ),
    "import.file_gone": _("The file is no longer here; upload it again."),
}
"""Sentences that the console says with its options."""
REPEAT = _("the same row stands in its order again")
DETAILS: tuple[tuple[str, Any], ...] = (
    (r"(?P<field>\w+) is empty", _("{field} is empty")),
    (r'(?P<field>\w+) is "(?P<cell>.*)"', _("{field} is “{cell}”, which cannot be")),
    (r"discount is more than the line", _("the discount is more than the line")),
    (r"units × unit_price is more than a line can hold", _("units × price is more than a line can hold")),
    (r"order (?P<order>.*): refunded beyond its goods", _("order {order}: refunded beyond its goods")),
    (r"order (?P<order>.*): its total is (?P<total>.*), its parts add up to (?P<sum>.*)",
     _("order {order}: its total is {total}, its parts add up to {sum}")),
    (r"(?P<n>\d+) columns instead of (?P<m>\d+): (?P<cell>.*)", _("{n} columns instead of {m}: {cell}")),
    (r"the SKU (?P<cell>.*) stands in an earlier row", _("the SKU {cell} stands in an earlier row")),
    (r"the shop has no SKU (?P<cell>.*); give product_name to make it",
     _("the shop has no SKU {cell}; with a product's name it is made")),
    (r"the shop has no SKU (?P<cell>.*)", _("the shop has no SKU {cell}")),
    (r"the SKU (?P<cell>.*) was counted later already; give all its counts in one file",
     _("the SKU {cell} was counted later already; give all its counts in one file")),
)  # fmt: skip
"""What is wrong with a row: the sentences of `ingest.rows` and `ingest.tables`, which fill whole columns at once."""


def field(name: str) -> str:
    """What a field is called."""
    return str(LABELS.get(name, name))


def error(stored: Mapping[str, Any] | None) -> str | None:
    """The sentence of a stored error, if it is one of an import; None for another."""
    if not stored or not (text := ON_PAGE.get(stored["code"]) or TEXTS.get(stored["code"])):
        return None
    figures = dict(stored["params"])
    if "path" in figures:  # where the upload lies is nobody's business
        figures["path"] = Path(figures["path"]).name
    if stored["code"].startswith("file.lacks"):
        figures["missing"] = ", ".join(field(name) for name in figures["missing"].split(", "))
    if "column" in figures and ": " in str(figures["column"]):
        label, _colon, name = figures["column"].rpartition(": ")
        figures["column"] = f"{label}: {field(name)}"
    return gettext(str(text)).format(**figures)


def on_console(raised: RetailMLError) -> str:
    """An error in the language of the console, with the options that mend it."""
    if not (text := TEXTS.get(raised.code)):
        return raised.message
    figures = dict(raised.details)
    if "meaning" in figures:
        figures["meaning"] = field(str(figures["missing"]).split(", ")[0])
    return gettext(text).format(**figures)


def number(value: Decimal | int, decimals: int = 0) -> str:
    """A figure as the language writes it, thousands parted.

    >>> number(1234567), number(Decimal("-1234.5"), 2)
    ('1,234,567', '-1,234.50')
    """
    return formats.number_format(value, decimals, force_grouping=True)


def written(counts: Mapping[str, Counts]) -> Iterable[str]:
    """What was written, by table, as lines of text."""
    text, kept = gettext("{new} new {same} unchanged {changed} changed"), gettext(", {n} kept as they were")
    for name, one in counts.items():
        figures = {"new": one.created, "same": one.unchanged, "changed": one.updated}
        line = text.format(**{key: f"{number(figure):>9}" for key, figure in figures.items()})
        yield f"{TABLES.get(name, name)!s:24} {line}" + (kept.format(n=number(one.kept)) if one.kept else "")


def reason(name: str) -> str:
    """Why rows are left out."""
    from ingest.rows import REASONS

    return str(REPEAT) if name == "repeat" else gettext(REASONS.get(name, name))


def note(code: str) -> str:
    """What was taken for granted of some orders."""
    from ingest.whole_orders import NOTES

    return gettext(NOTES.get(code, code))


def detail(text: str | None) -> str:
    """What is wrong with one row.

    >>> detail('units is "many"'), detail("100, A-1, 3 × 2.50"), detail("100, 2026-03-11 10:00")
    ('Units is “many”, which cannot be', '100, A-1, 3 × 2.50', '100, 03/11/2026 10 a.m.')
    """
    for pattern, sentence in DETAILS:
        if found := re.fullmatch(pattern, text or "", re.DOTALL):
            parts = found.groupdict()
            if "field" in parts:
                parts["field"] = field(parts["field"])
            return str(sentence).format(**parts)
    text = re.sub(r"(?<= × )\d+(?:\.\d+)?$", _price, text or "")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d$", _moment, text)


def _price(found: re.Match[str]) -> str:
    """The price at the end of an example, with two decimals, or as many as it has."""
    decimals = len(found[0].rstrip("0").partition(".")[2])
    return formats.number_format(Decimal(found[0]), max(decimals, 2) if "." in found[0] else 2)


def _moment(found: re.Match[str]) -> str:
    """The moment at the end of an example."""
    return formats.date_format(datetime.strptime(found[0], "%Y-%m-%d %H:%M"), "SHORT_DATETIME_FORMAT")  # noqa: DTZ007


def example(text: str) -> str:
    """One row left out, as a report has it: file, line, and what is wrong or what it holds."""
    found = re.fullmatch(r"(?P<file>.*?), line (?P<line>\d+): (?P<rest>.*)", text, re.DOTALL)
    if not found:
        return text
    return gettext("{file}, line {line}: {rest}").format(
        file=found["file"], line=found["line"], rest=detail(found["rest"])
    )
