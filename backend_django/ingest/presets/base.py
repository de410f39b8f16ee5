"""What a layout is: which header is which field, and which rows are no sales."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import BadFile

if TYPE_CHECKING:
    import polars as pl

    from ingest.readers import Part

FIELDS = {
    "order_number": "the order's number; rows that share it are one order",
    "placed_at": "when it was placed",
    "sku": "the variant's number",
    "units": "units sold; negative: units that came back",
    "unit_price": "price of one unit",
    "product_name": "the product's name",
    "product_code": "the style's number, when several SKUs are one product",
    "category": "the product's category",
    "customer_id": "the customer's number; empty: a guest",
    "email": "the customer's e-mail",
    "country": "the customer's country",
    "discount": "discount on the whole line, a positive number",
    "shipping": "the order's shipping; its first row counts",
    "tax": "the order's tax on top of the prices; its first row counts",
    "status": "the order's status; empty: completed",
    "channel": "where it was sold",
    "currency": "three letters",
}
"""Every field of a sales file, with its meaning."""

REQUIRED = ("order_number", "placed_at", "sku", "units", "unit_price")


@dataclass(frozen=True)
class Shaped:
    """What `Preset.shape` makes of the rows read: all of them with those it added, and what it took for granted."""

    frame: pl.DataFrame
    """Added columns: `entry` (sale, return, shipping, tax), `of_row` (the sale row that came back), `return_number`."""
    notes: pl.DataFrame
    """`code` (a key of `whole_orders.NOTES`), `order_number`, `part`, `line`, `cents`: one row per order."""
    added: int


@dataclass(frozen=True)
class Preset:
    """A layout. Regular expressions are for the whole text; None: there are no such rows."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    """Field → the headers it is known under, in any case."""
    time_zone: str | None = None
    currency: str | None = None
    channel: str = "store"
    cancellation: str | None = None
    """Order numbers that take a sale back."""
    not_a_sale: str | None = None
    """Order numbers that are bookkeeping."""
    not_a_product: str | None = None
    """SKUs that are no goods."""
    shipping_sku: str | None = None
    """SKUs that are the order's shipping."""
    upper_case_sku: bool = False
    zero_price_is_sale: bool = True
    optional: tuple[str, ...] = field(default=tuple(f for f in FIELDS if f not in REQUIRED))
    extra: Mapping[str, str] = field(default_factory=dict)
    """Fields that this layout alone has → `money` or `text`. They are found by their headers and go into `shape`."""
    of_order: tuple[str, ...] = ()
    """Fields that may stand on one row of an order only, and hold for all of them."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Field → what every row has, where no column says it."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """A status as the files have it, in small letters → a status of the shop."""
    levels_cut_off: bool = False
    """`in_stock` is never more than what was sold: equal to it, it says that there was enough."""
    sku_from_name: bool = False
    """A line without an SKU is known by its product's name."""
    read: Callable[[Iterable[Path]], list[Part]] | None = None
    """For what is no table: the parts of these files and folders, under the fields' names."""
    shape: Callable[[pl.DataFrame], Shaped] | None = None
    """What the platform says of whole orders, as rows; see `ingest.whole_orders`."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that is looked for."""
        return (*REQUIRED, *self.optional, *self.extra)

    def find(self, headers: list[str]) -> dict[str, str]:
        """Field → header for those fields that are known by a header's name."""
        by_header = {plain(h): h for h in reversed(headers)}
        found: dict[str, str] = {}
        for name in self.fields:
            header = next((by_header[plain(h)] for h in self.columns.get(name, ()) if plain(h) in by_header), None)
            if header is not None:
                found[name] = header
        return found

    def pick(self, headers: list[str], label: str, *, given: Mapping[str, str]) -> dict[str, str]:
        """Field → header for a part with these headers; `given` (from --map) wins over the preset.

        Raises BadFile naming the field, what was found, and the --map to use.
        """
        by_header = {plain(h): h for h in reversed(headers)}
        found = self.find(headers)
        for name in self.fields:
            if name not in given:
                continue
            if (header := by_header.get(plain(given[name]))) is None:
                raise BadFile(
                    "file.no_column_given",
                    label=label,
                    column=given[name],
                    field=name,
                    headers=named(headers),
                )
            found[name] = header
        chosen = {name: found[name] for name in self.fields if name in found}
        missing = [name for name in REQUIRED if name not in chosen and name not in self.constants]
        if missing:
            known = ", ".join(self.columns.get(missing[0], ())) or missing[0]
            hints = " ".join(f'--map {name}="…"' for name in missing)
            raise BadFile(
                "file.lacks_columns", label=label, missing=", ".join(missing), meaning=FIELDS[missing[0]], known=known,
                headers=named(headers) or "none", hints=hints,
            )  # fmt: skip
        return chosen


def named(headers: Iterable[str]) -> str:
    """The headers of a file in a row, for a sentence; what has none is left out."""
    return ", ".join(filter(None, headers))


def plain(header: str) -> str:
    """A header without case, blanks and signs: `Customer ID` and `customer_id` are the same."""
    return re.sub(r"[\W_]+", "", header).lower()
