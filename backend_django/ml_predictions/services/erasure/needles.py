"""What is looked for in texts, JSON and files: everything that a person is known by, as whole words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from ml_predictions.sources.base import Person

SHORTEST_NUMBER = 5
"""Characters; a shorter customer number is found in its own columns alone: in a text it could be any figure."""
SHORTEST_IN_BINARY = 8
"""Characters; a shorter word could stand in compressed or binary content by chance."""
FEWEST_DIGITS = 7
"""Of a phone number that is looked for however its digits are grouped."""
MARK = "[erased]"
"""What stands in a text afterwards."""
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")


class Needles:
    """The person's e-mails, phones, names and numbers, found in any case.

    >>> needles = Needles(Person("7", emails=("ana@shop.test",), names=("Ana Sol",), phones=("+34 600 123 456",)))
    >>> needles.redact("ANA  SOL (ana@shop.test, 600123456) is not mariana@shop.test")
    '[erased] ([erased], [erased]) is not mariana@shop.test'
    """

    def __init__(self, person: Person) -> None:
        self.person = person

    @cached_property
    def words(self) -> list[str]:
        """Everything that is looked for as it is written, the longest first."""
        numbers = [text for text in self.person.numbers if len(text) >= SHORTEST_NUMBER]
        addresses = {text for email in self.person.emails for text in (email, email.replace("@", "%40"))}
        found = {*addresses, *self.person.names, *self.person.phones, *self.phone_digits, *numbers}
        return sorted((text for text in found if text.strip()), key=lambda text: (-len(text), text))

    @cached_property
    def phone_digits(self) -> list[str]:
        """The digits of each phone number, and its last nine: without the country's prefix."""
        digits = [re.sub(r"\D", "", phone) for phone in self.person.phones]
        return sorted({part for text in digits for part in (text, text[-9:]) if len(part) >= FEWEST_DIGITS})

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Any of the words, as a whole: not inside a longer word, address or number."""
        return self._compiled(self.words)

    def found_in(self, text: str) -> bool:
        """Does the text name the person?"""
        return self.pattern.search(text) is not None

    def redact(self, text: str) -> str:
        """The text with `[erased]` in the place of whatever names the person."""
        return self.pattern.sub(MARK, text)

    def redact_json(self, value: Any) -> Any:
        """A JSON value with every text in it redacted, and every `customer_id` that is theirs."""
        if isinstance(value, dict):
            return {self.redact(key): self._redacted_item(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.redact_json(item) for item in value]
        return self.redact(value) if isinstance(value, str) else value

    def _redacted_item(self, key: str, value: Any) -> Any:
        if key == "customer_id" and str(value) == self.person.customer_id:
            return MARK
        return self.redact_json(value)

    def found_in_bytes(self, data: bytes) -> bool:
        """Does a file's content name the person? In content that is no text only longer words are looked for."""
        lowered = data.lower()  # of ASCII alone: it spares most files the slow look
        if not any(part in lowered for part in self._beginnings):
            return False
        text = decoded(data)
        if text is not None:
            return self.found_in(text)
        return any(self._strong.search(data.decode(encoding, "replace")) for encoding in ENCODINGS)

    def candidates(self, *fields: str) -> tuple[dict[str, Cast], Q]:
        """Annotations and a condition that let no row pass by that names the person in one of `fields`.

        Some that do not may be among them: `redact` has the last word.
        """
        texts = {f"_text_{field}": Cast(field, TextField()) for field in fields}
        condition = Q(pk__in=[])
        for name in texts:
            for spelling in self._spellings():
                condition |= Q(**{f"{name}__icontains": spelling})
        return texts, condition

    def _spellings(self) -> Iterator[str]:
        """The words as a database compares them: SQLite folds the case of ASCII alone, JSON may escape what is not."""
        for word in self.words:
            for spelling in dict.fromkeys((word, word.lower(), word.upper(), word.title())):
                yield spelling
                if (escaped := json.dumps(spelling)[1:-1]) != spelling:
                    yield escaped

    @cached_property
    def _strong(self) -> re.Pattern[str]:
        return self._compiled([word for word in self.words if len(word) >= SHORTEST_IN_BINARY])

    @cached_property
    def _beginnings(self) -> list[bytes]:
        """The first ASCII letters of each word, as every encoding would write them."""
        heads = {(re.match(r"[\x21-\x7e]*", word) or [""])[0][:4].lower() for word in self.words}
        heads |= {digits[:1] for digits in self.phone_digits}
        return [head.encode(encoding) for head in sorted(heads) for encoding in ENCODINGS]

    def _compiled(self, words: list[str]) -> re.Pattern[str]:
        if not words:
            return re.compile(r"(?!)")
        parts = [self._any_grouping(word) if word in self.phone_digits else _spaced(word) for word in words]
        # Nor behind a letter, or a sign that joins letters to an address.
        return re.compile(rf"(?<![\w.+@-])(?:{'|'.join(parts)})(?![\w@]|[.-]\w)", re.IGNORECASE)

    @staticmethod
    def _any_grouping(digits: str) -> str:
        return r"(?:(?:\+|00)\d{1,3}[ ]?)?" + r"[ ()./-]{0,2}".join(digits)


def decoded(data: bytes) -> str | None:
    """The text of a file, or None when it is no text.

    >>> decoded("año".encode("latin-1")), decoded(bytes([0, 159, 146, 150]))
    ('año', None)
    """
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    encoding = marks.get(data[:2]) or marks.get(data[:3])
    if encoding is None and (b"\0" in data or re.search(rb"[\x01-\x08\x0e-\x1f]", data)):
        return None
    for name in (encoding,) if encoding else ("utf-8", "latin-1"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return None


def _spaced(word: str) -> str:
    """A word's pattern, its blanks however many."""
    return r"\s+".join(re.escape(part) for part in word.split())
