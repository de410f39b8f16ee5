"""Calendar events as CSV: read what people and spreadsheets write, in Spanish or English, or name every faulty cell.

UTF-8 (with or without its mark), UTF-16 or Windows' Western table; comma, semicolon or tab; dates as 2026-11-27 or
27/11/2026. What `write` gives can be read again.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, serializers

from api_base.spreadsheets import UTF8_MARK, csv_line, original
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.serializers.calendar_events import WRITTEN, CalendarEventRecord, check_whole, not_in_shop
from ml_predictions.services import calendar_events

MOST_BYTES = 1_000_000
MOST_ROWS = 5_000
MOST_TOLD = 200
"""Faults that an answer lists; it counts all of them."""
NOT_EMPTY = ("kind", "name", "first_day")
HEADERS: dict[str, tuple[str, ...]] = {
    "kind": ("kind", "type", "tipo", "clase"),
    "name": ("name", "nombre", "evento", "event"),
    "first_day": ("first_day", "from", "start", "date", "desde", "primer_dia", "inicio", "fecha", "fecha_inicio"),
    "last_day": ("last_day", "to", "until", "end", "hasta", "ultimo_dia", "fin", "fecha_fin"),
    "level": ("level", "scope", "nivel", "ambito"),
    "object_id": ("object_id", "id", "category_or_product", "categoria_o_producto"),
    "uplift": ("uplift", "factor", "efecto"),
    "repeats_yearly": ("repeats_yearly", "every_year", "yearly", "cada_ano", "anual", "se_repite"),
    "note": ("note", "notes", "nota", "notas"),
}
KINDS: dict[str, tuple[str, ...]] = {
    "promotion": ("promotion", "sale", "offer", "promocion", "oferta", "rebajas", "campana"),
    "closure": ("closure", "closed", "cierre", "cerrado", "vacaciones"),
    "holiday": ("holiday", "feast", "festivo", "fiesta"),
    "opening": ("opening", "extra_opening", "open", "apertura", "apertura_extra", "abierto"),
}
LEVELS: dict[str, tuple[str, ...]] = {
    "total": ("", "total", "shop", "whole_shop", "tienda", "toda_la_tienda"),
    "category": ("category", "categoria"),
    "product": ("product", "producto"),
}
ANSWERS: dict[str, tuple[str, ...]] = {
    "true": ("yes", "y", "true", "1", "x", "si", "s", "verdadero"),
    "false": ("", "no", "n", "false", "0", "falso"),
}
ALLOWED: dict[str, Any] = {
    "kind": _("promotion, closure, holiday or opening (promoción, cierre, festivo, apertura)"),
    "name": _("a text of up to 120 characters"),
    "first_day": _("a date like 2026-11-27 or 27/11/2026 (day first), from 1990 to 2100"),
    "last_day": _("a date like 2026-11-27 or 27/11/2026 (day first), or empty for one day; up to 366 days in all"),
    "level": _("total, category or product (tienda, categoría, producto); empty: total"),
    "object_id": _("a category's name or a product's id; empty for the whole shop"),
    "uplift": _("a factor from 0.05 to 20, such as 1.3 or 1,3 for 30 % more, with a promotion alone; empty: unknown"),
    "repeats_yearly": _("yes or no (sí, no); empty: no"),
    "note": _("a text of up to 500 characters"),
}


@dataclass(frozen=True)
class Fault:
    """One cell (or line) that cannot be taken: where it is, what stands there, what may, and why."""

    line: int
    column: str
    found: str
    allowed: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """For the answer."""
        return dict(vars(self))


class FaultyFile(exceptions.APIException):
    """The file has faults: nothing is taken from it. `details` lists them."""

    status_code = 400
    default_code = "faulty_file"

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        told = " ".join(_sentence(fault) for fault in faults[:3])
        counted = ngettext("The file has {n} fault, and nothing was stored.",
                           "The file has {n} faults, and nothing was stored.", len(faults))  # fmt: skip
        super().__init__(f"{counted.format(n=len(faults))} {told}{' …' if len(faults) > 3 else ''}")
        self.details = {"count": len(faults), "faults": [fault.as_dict() for fault in faults[:MOST_TOLD]]}


def _sentence(fault: Fault) -> str:
    where = gettext("Line {line}, {column}:") if fault.column else gettext("Line {line}:")
    return f"{where.format(line=fault.line, column=fault.column)} {fault.message}"


@dataclass
class Table:
    """The cells of a file: the line that each row begins at, and its texts by field."""

    headers: dict[str, str]
    """Field → the header as it is written in the file."""
    rows: list[tuple[int, dict[str, str]]]
    faults: list[Fault] = field(default_factory=list)


def read(content: bytes) -> list[CalendarEvent]:
    """The events of a CSV file, not stored. Raises FaultyFile with every fault that it has."""
    table = _table(_text(content))
    serializer = CalendarEventRecord()
    faults, events = list(table.faults), []
    for line, cells in table.rows:
        event, found = _event(line, cells, table.headers, serializer)
        faults += found
        if event is not None:
            events.append((line, event))
    faults += _not_in_shop(events, table.headers)
    if faults:
        raise FaultyFile(sorted(faults, key=lambda fault: fault.line))
    return [event for _line, event in events]


def write(events: Iterable[CalendarEvent]) -> str:
    """The events as CSV, with the mark by which spreadsheets know UTF-8."""
    lines = [csv_line(WRITTEN)]
    for event in events:
        cells = {name: getattr(event, name) for name in WRITTEN}
        cells["repeats_yearly"] = "yes" if event.repeats_yearly else "no"
        cells["uplift"] = "" if event.uplift is None else repr(event.uplift)
        lines.append(csv_line(cells[name] for name in WRITTEN))
    return UTF8_MARK + "".join(lines)


# --- from bytes to cells --------------------------------------------------------------------------


def _whole(message: str, *, line: int = 1, found: str = "", allowed: str = "") -> FaultyFile:
    """A fault of the file as a whole."""
    return FaultyFile([Fault(line, "", found[:100], allowed, message)])


def too_large(size: int) -> FaultyFile:
    """A file of `size` bytes is refused."""
    message = gettext("The file is larger than 1 MB; upload it in parts.")
    return _whole(message, found=f"{size} B", allowed=f"{MOST_BYTES} B")


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise too_large(len(content))
    if content.startswith(b"PK\x03\x04"):
        raise _whole(gettext("This is a workbook. Save it as CSV, and upload that."), found="XLSX", allowed="CSV")
    names = ["utf-8-sig", "cp1252", "latin-1"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        names = ["utf-16"]
    for name in names:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise _whole(gettext("This is no text. Upload a CSV file."), allowed="CSV")


def _table(text: str) -> Table:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise _whole(gettext("The file is empty."), allowed=", ".join(WRITTEN))
    separator = max(",;\t", key=first.count)
    records = list(_records(text, separator))
    headers = _headers(*records[0])
    columns, rows, faults = list(headers), [], []
    for line, cells in records[1:]:
        if len(cells) == len(columns):
            rows.append((line, dict(zip(columns, map(original, cells), strict=True))))
            continue
        told = gettext("{found} cells instead of {needed}. A text with a separator in it stands in quotation marks.")
        message = told.format(found=len(cells), needed=len(columns))
        faults.append(Fault(line, "", separator.join(cells)[:100], str(len(columns)), message))
    if not rows and not faults:
        raise _whole(gettext("The file has no row under its headers."), found=first)
    if len(rows) > MOST_ROWS:
        raise _whole(gettext("The file has more than 5,000 rows; upload it in parts."), found=str(len(rows)))
    return Table(headers, rows, faults)


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, each with the number of the line of the file that it begins at."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begin, [cell.strip() for cell in cells]
            begin = reader.line_num + 1
    except csv.Error as error:
        message = gettext("This line cannot be read ({error}): perhaps a quotation mark is never closed.")
        raise _whole(message.format(error=error), line=begin) from error


def plain(text: str) -> str:
    """`text` in small letters without accents, with _ for whatever is neither letter nor digit."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^0-9a-z]+", "_", letters).strip("_")


def _known(text: str, words: dict[str, tuple[str, ...]]) -> str | None:
    key = plain(text)
    return next((name for name, spellings in words.items() if key in spellings), None)


def _headers(line: int, cells: list[str]) -> dict[str, str]:
    """Field → header. Raises FaultyFile for headers that are unknown, written twice, or missing."""
    allowed, faults = ", ".join(WRITTEN), []
    headers: dict[str, str] = {}
    for cell in cells:
        name = _known(cell, HEADERS)
        if name is None:
            faults.append(Fault(line, cell, cell, allowed, gettext("This column is not known.")))
        elif name in headers:
            message = gettext("This column stands there twice: {first}, {second}.")
            faults.append(Fault(line, cell, cell, allowed, message.format(first=headers[name], second=cell)))
        else:
            headers[name] = cell
    for name in NOT_EMPTY:
        if name not in headers:
            faults.append(Fault(line, name, "", allowed, gettext("This column is missing.")))
    if faults:  # the rows mean nothing without their columns
        raise FaultyFile(faults)
    return headers


# --- from cells to events -------------------------------------------------------------------------


def _event(
    line: int, cells: dict[str, str], headers: dict[str, str], serializer: CalendarEventRecord
) -> tuple[CalendarEvent | None, list[Fault]]:
    """The event of a row, or the faults of its cells."""

    def fault(name: str, message: str) -> Fault:
        return Fault(line, headers.get(name, name), cells.get(name, "")[:100], str(ALLOWED[name]), message)

    values: dict[str, Any] = {}
    faults = []
    for name, text in cells.items():
        try:
            if text or name not in NOT_EMPTY:
                written = READ[name](text) if name in READ else text
                values |= {} if written is None else {name: serializer.fields[name].run_validation(written)}
            else:
                faults.append(fault(name, gettext("This cell is empty.")))
        except serializers.ValidationError as error:
            faults.append(fault(name, " ".join(str(told) for told in error.detail)))
    if faults:
        return None, faults
    values.setdefault("last_day", values["first_day"])
    event = CalendarEvent(**values)
    try:
        check_whole(event)
    except serializers.ValidationError as error:
        return None, [fault(name, " ".join(map(str, told))) for name, told in dict(error.detail).items()]  # type: ignore[arg-type]
    return event, []


def _not_in_shop(events: list[tuple[int, CalendarEvent]], headers: dict[str, str]) -> list[Fault]:
    unknown = calendar_events.unknown((event.level, event.object_id) for _line, event in events)
    return [
        Fault(line, headers.get("object_id", "object_id"), event.object_id, str(ALLOWED["object_id"]),
              not_in_shop(event.level, event.object_id, unknown[event.level, event.object_id]))
        for line, event in events
        if (event.level, event.object_id) in unknown
    ]  # fmt: skip


def _word(words: dict[str, tuple[str, ...]], problem: Any) -> Callable[[str], str]:
    """Reads one of `words` in any of its spellings."""

    def read_word(text: str) -> str:
        name = _known(text, words)
        if name is None:
            raise serializers.ValidationError(str(problem).format(text=text))
        return name

    return read_word


def _day(text: str) -> str | None:
    """A date, year first or day first, as ISO text."""
    if not text:
        return None
    numbers = re.fullmatch(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}))", text, re.ASCII)
    if numbers is None:
        raise serializers.ValidationError(gettext("“{text}” is no date that can be read.").format(text=text[:60]))
    year, month, day = (int(n) for n in (numbers.group(1, 2, 3) if numbers[1] else numbers.group(6, 5, 4)))
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        told = gettext("There is no day {text}, read as yyyy-mm-dd or dd/mm/yyyy.").format(text=text)
        raise serializers.ValidationError(told) from None


def _yes(text: str) -> bool:
    """Yes or no, in any spelling."""
    return _word(ANSWERS, _("“{text}” is neither yes nor no."))(text) == "true"


def _number(text: str) -> float | None:
    """A number with point or comma."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}([.,][0-9]{1,17})?", text, re.ASCII):
        raise serializers.ValidationError(gettext("“{text}” is no number.").format(text=text[:60]))
    return float(text.replace(",", "."))


READ: dict[str, Callable[[str], str | float | None]] = {
    "kind": _word(KINDS, _("“{text}” is no kind of event.")),
    "first_day": _day,
    "last_day": _day,
    "level": _word(LEVELS, _("“{text}” is no level.")),
    "uplift": _number,
    "repeats_yearly": _yes,
}
