"""PrestaShop's webservice answers, XML or JSON, as records: field → text. No entity and no document type is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.parsers import expat

from ingest.documents import files_of
from ingest.errors import BadFile

Record = dict[str, str]
SINGULAR = {"categories": "category", "currencies": "currency"}
DEPTHS = (2, 3)
"""A record is `prestashop/order` or `prestashop/orders/order`; what is deeper names others by their number."""


def read(paths: Iterable[Path], kinds: dict[str, str]) -> dict[str, list[tuple[str, Record]]]:
    """Kind → its records, each with its file's label. `kinds`: an element's name → the kind.

    A record holds the texts of its fields, of a text in several languages the first, and `line`, its place among those
    of its kind. Raises BadFile.
    """
    found: dict[str, list[tuple[str, Record]]] = {kind: [] for kind in kinds.values()}
    places: Counter[tuple[Path, str]] = Counter()
    for path in files_of(paths, (".xml", ".json")):
        content = path.read_bytes()
        if not content.strip():
            raise BadFile("file.empty", path=str(path))
        first = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        records = _json(path, content) if first in (b"{", b"[") else _xml(path, content, kinds)
        known = [(kinds[name], record) for name, record in records if name in kinds]
        if records and not known:
            names = ", ".join(sorted({name for name, _record in records})[:8])
            raise BadFile("file.json_kind", path=str(path), fields=names, kinds=", ".join(sorted(set(kinds.values()))))
        for kind, record in known:
            places[path, kind] += 1
            found[kind].append((path.name, record | {"line": str(places[path, kind])}))
    return found


class _Reader:
    """Expat's events as records."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.records: list[tuple[str, Record]] = []
        self.open: list[str] = []
        self.inside = 0
        self.text = ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        """An element begins."""
        self.open.append(name)
        self.text = ""
        if not self.inside and len(self.open) in DEPTHS and name in self.names:
            self.records.append((name, {}))
            self.inside = len(self.open)

    def end(self, name: str) -> None:
        """An element ends: a field of a record, or its first language."""
        depth = len(self.open) - self.inside
        self.open.pop()
        field = name if depth == 1 else self.open[-1] if depth == 2 and name == "language" else ""
        if self.inside and field and (text := self.text.strip()):
            self.records[-1][1].setdefault(field, text)
        if not depth:
            self.inside = 0
        self.text = ""

    def data(self, text: str) -> None:
        """Text inside an element."""
        self.text += text


def _xml(path: Path, content: bytes, names: Iterable[str]) -> list[tuple[str, Record]]:
    reader = _Reader(names)

    def refuse(*_anything: Any) -> None:
        told = "it declares a document type or entities, which are not read"
        raise BadFile("file.xml_document", path=str(path), error=told)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = refuse, refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadFile("file.xml_document", path=str(path), error=str(error)) from error
    if not reader.records:
        raise BadFile("file.xml_kind", path=str(path), kinds=", ".join(sorted(names)))
    return reader.records


def _json(path: Path, content: bytes) -> list[tuple[str, Record]]:
    try:
        whole = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadFile("file.json", path=str(path), error=str(error)) from error
    lists = whole.items() if isinstance(whole, dict) else ()
    records: list[tuple[str, Record]] = []
    for name, found in lists:
        one = SINGULAR.get(name, name.removesuffix("s"))
        for record in found if isinstance(found, list) else [found]:
            if isinstance(record, dict):
                records.append((one, {field: text for field, value in record.items() if (text := _text(value))}))
    return records


def _text(value: Any) -> str:
    """A field as text; of several languages the first."""
    if isinstance(value, list):
        value = next((one.get("value") for one in value if isinstance(one, dict) and "value" in one), None)
    return "" if value is None or value is False or isinstance(value, (dict, list)) else str(value).strip()
