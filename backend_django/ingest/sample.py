"""The beginning of an uploaded file: its headers, which column is which field by their names, and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from ingest import layouts, readers, rows, tables
from ingest.errors import BadFile
from ingest.models import ImportRun
from ingest.presets import PRESETS, Preset, generic
from ingest.presets.base import FIELDS, REQUIRED, plain

ROWS = 1_000
"""Rows of each part that are looked at: the decimal sign and the order of day and month are decided over them."""
SHOWN = 10
WANTED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ImportRun.What.SALES: (tuple(FIELDS), REQUIRED),
    ImportRun.What.PRODUCTS: (tuple(tables.PRODUCT_FIELDS), ("sku",)),
    ImportRun.What.STOCK: (tuple(tables.STOCK_FIELDS), ("sku", "counted")),
}
"""What a file holds → the fields that it may have, and those that it must."""


@dataclass(frozen=True)
class Sample:
    """The headers of all parts, and the first rows of each part with its own headers."""

    headers: list[str]
    parts: list[tuple[list[str], readers.Part]]


@dataclass(frozen=True)
class Preview:
    """The first rows as they are read: `line`, the fields, and `detail` where a row cannot be read."""

    fields: list[str]
    rows: list[dict[str, Any]]
    undecided: bool
    """Day and month can be either way round in these rows: the whole file decides, or the owner."""


def take(path: Path, most: int = ROWS) -> Sample:
    """Read the beginning of a file. Raises BadFile when it cannot be read."""
    headers: list[list[str]] = []

    def pick(found: list[str], _label: str) -> dict[str, str]:
        headers.append(list(dict.fromkeys(header for header in found if header)))
        return {f"column {place}": header for place, header in enumerate(headers[-1])}

    parts = list(readers.read(path, pick, most=most))
    if not any(headers):
        raise BadFile("file.empty", path=str(path))
    whole = list(dict.fromkeys(header for of_part in headers for header in of_part))
    return Sample(whole, list(zip(headers, parts, strict=True)))


def guess(what: str, headers: list[str]) -> tuple[str, dict[str, str]]:
    """The preset that finds most of what is needed (sales), and field → header by the headers' names."""
    if what != ImportRun.What.SALES:
        if layout := layouts.of(WANTED[what][1], headers):
            return "", layout.find(headers)
        known = {plain(header): header for header in reversed(headers)}
        return "", {name: known[plain(name)] for name in WANTED[what][0] if plain(name) in known}
    found = {name: preset.find(headers) for name, preset in PRESETS.items()}
    best = max(found, key=lambda name: (sum(f in found[name] for f in REQUIRED), name == generic.PRESET.name))
    return best, found[best]


def other_kind(what: str, headers: list[str]) -> str:
    """What else a table holds that lacks what `what` needs; empty: it lacks nothing, or nothing else fits."""
    kinds = ImportRun.What
    fields = {kind.value: set(guess(kind, headers)[1]) for kind in kinds}
    fitting = [kind for kind in fields if set(WANTED[kind][1]) <= fields[kind]]
    if what in fitting or not fitting:
        return ""
    if kinds.SALES in fitting:
        return str(kinds.SALES.value)
    # An SKU alone is no table of products, and sales whose columns have names of their own have one too.
    if {"order_number", "placed_at", "units"} & fields[kinds.SALES]:
        return ""
    most = max(fitting, key=lambda kind: len(fields[kind]))
    return most if len(fields[most]) > len(WANTED[most][1]) + (most == kinds.PRODUCTS) - (most == kinds.STOCK) else ""


def of_layout(run: ImportRun, headers: list[str]) -> dict[str, str]:
    """Field → header of the fields that this layout alone has; nobody chooses them."""
    wanted, required = WANTED[run.what]
    layout = PRESETS.get(run.preset) if run.preset else layouts.of(required, headers)
    return {name: header for name, header in layout.find(headers).items() if name not in wanted} if layout else {}


def preset_for(preset: str, columns: Mapping[str, str]) -> Preset:
    """The preset that reads these columns and no others."""
    optional = tuple(name for name in columns if name not in REQUIRED)
    given = {name: (header,) for name, header in columns.items()}
    return replace(PRESETS[preset], columns=given, optional=optional)


def preview(sample: Sample, run: ImportRun, options: rows.Options) -> Preview:
    """The first rows as they would be read with the run's columns. Raises BadFile."""
    headers, part = next((one for one in sample.parts if set(run.columns.values()) <= set(one[0])), sample.parts[0])
    places = {header: f"column {place}" for place, header in enumerate(headers)}
    picked = {name: places[header] for name, header in run.columns.items() if header in places}
    frame = part.frame.select(*(pl.col(column).alias(name) for name, column in picked.items()), "line")
    part = readers.Part(part.label, frame, part.ragged, decimal_comma=part.decimal_comma)
    if run.what != ImportRun.What.SALES:
        required = WANTED[run.what][1]
        part, _places = layouts.shaped(part, layouts.of(required, headers))
        typed = tables.typed(part, required, options.time_zone).rename({"reason": "detail"})
        fields = [name for name in typed.columns if name not in ("line", "detail")]
        return Preview(fields, typed.head(SHOWN).to_dicts(), undecided=False)
    undecided = False
    preset = preset_for(run.preset, run.columns)
    try:
        typed = rows.parsed(part, preset, options)
    except BadFile as error:
        if error.code != "file.day_or_month":
            raise
        undecided = True
        typed = rows.parsed(part, preset, replace(options, date_order="dmy"))
    shown = [name for name in picked if name in WANTED[run.what][0]]
    return Preview(shown, typed.select("line", *shown, "detail").head(SHOWN).to_dicts(), undecided=undecided)
