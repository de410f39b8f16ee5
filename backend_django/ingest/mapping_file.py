"""A file that says how a shop's own table is to be read (TOML or JSON), kept beside the exports: `--mapping FILE`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from ingest.errors import BadFile
from ingest.presets import PRESETS
from ingest.presets.base import FIELDS, Preset
from ingest.rows import STATUSES

CHOICES = {
    "decimal": ("auto", "point", "comma"),
    "date_order": ("auto", "dmy", "mdy"),
    "repeats": ("keep", "drop"),
}  # fmt: skip
OPTIONS = ("time_zone", "currency", "channel", *CHOICES)
PATTERNS = ("cancellation", "not_a_sale", "not_a_product", "shipping_sku")
SWITCHES = ("upper_case_sku", "zero_price_is_sale")
SECTIONS = ("preset", "columns", "options", "constants", "status", "rules")


@dataclass(frozen=True)
class MappingFile:
    """What the file says: the layout with its rules, field → header, and options over the layout's own."""

    preset: Preset
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


def read(path: Path, *, preset: str) -> MappingFile:
    """Read a mapping over the layout `preset`, or over the one that it names itself.

    Raises BadFile naming what is not known or of the wrong kind, and what is.
    """
    told = _parsed(path)
    _known(path, "", told, SECTIONS)
    name = told.get("preset", preset)
    if name not in PRESETS:
        raise BadFile("mapping.unknown", path=str(path), section="preset", name=str(name), known=", ".join(PRESETS))
    layout = PRESETS[name]
    fields = (*FIELDS, *layout.extra)
    columns = _texts(path, told, "columns", fields)
    constants = _texts(path, told, "constants", fields)
    options = _texts(path, told, "options", OPTIONS)
    for option, values in CHOICES.items():
        if option in options and options[option] not in values:
            _wrong(path, f"options.{option}", options[option], ", ".join(values))
    if "time_zone" in options:
        _zone(path, options["time_zone"])
    statuses = {word.strip().lower(): status for word, status in _texts(path, told, "status", None).items()}
    if bad := next((status for status in statuses.values() if status not in STATUSES), None):
        _wrong(path, "status", bad, ", ".join(STATUSES))
    rules = _rules(path, told.get("rules", {}))
    return MappingFile(replace(layout, constants=constants, statuses=statuses, **rules), columns, options)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        told = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile("mapping.unreadable", path=str(path), error=str(error)) from error
    return dict(told)


def _known(path: Path, section: str, found: Iterable[str], known: Iterable[str]) -> None:
    for name in found:
        if name not in known:
            raise BadFile("mapping.unknown", path=str(path), section=section, name=name, known=", ".join(known))


def _wrong(path: Path, name: str, found: object, needed: str) -> None:
    raise BadFile("mapping.wrong", path=str(path), name=name, found=str(found), needed=needed)


def _texts(path: Path, told: Mapping[str, Any], section: str, known: Iterable[str] | None) -> dict[str, str]:
    found = told.get(section, {})
    if not isinstance(found, dict):
        _wrong(path, section, found, "a table of names and texts")
    if known is not None:
        _known(path, section, found, known)
    for name, value in found.items():
        if not isinstance(value, str) or not value.strip():
            _wrong(path, f"{section}.{name}", value, "a text")
    return dict(found)


def _zone(path: Path, name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        _wrong(path, "options.time_zone", name, "a zone such as Europe/Madrid")


def _rules(path: Path, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        _wrong(path, "rules", found, "a table")
    _known(path, "rules", found, (*PATTERNS, *SWITCHES))
    for name, value in found.items():
        if name in SWITCHES and not isinstance(value, bool):
            _wrong(path, f"rules.{name}", value, "true or false")
        if name in PATTERNS:
            try:
                pl.Series([""]).str.contains(f"^(?:{value})$")
            except pl.exceptions.PolarsError as error:
                raise BadFile(
                    "mapping.wrong", path=str(path), name=f"rules.{name}", found=value, needed="a regular expression"
                ) from error
    return dict(found)
