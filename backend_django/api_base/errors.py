"""Refusals that every call can raise; `ml_predictions.views.errors.exception_handler` answers them in the one shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from rest_framework import exceptions


class BadInput(exceptions.ValidationError):
    """One field of a body or query is outside its range: names the field, the range and the value received."""

    def __init__(self, field: str, problem: str, received: Any, **allowed: Any) -> None:
        super().__init__({field: [problem]})
        self.explained = {field: {"message": problem, "allowed": allowed, "received": received}}


class ChoiceRefused(exceptions.ValidationError):
    """Filters of a list were refused, those with `choices` with what they take."""

    def __init__(self, problems: dict[str, Any], fields: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.explained = {
            field: {"message": " ".join(texts(problem)), "allowed": {"choices": _choices(fields[field])}}
            for field, problem in problems.items()
            if _choices(fields[field])
        }


class Conflict(exceptions.APIException):
    """409: the input is well-formed, but the row's present state does not allow it; do something else first."""

    status_code = 409
    default_code = "conflict"

    def __init__(self, message: str, *, code: str = "conflict", **details: Any) -> None:
        super().__init__(message, code=code)
        self.details = details


class Taken(Conflict):
    """409: all that is wrong with a body is that other rows have its keys; `explained` by field."""

    def __init__(self, message: str, explained: dict[str, Any]) -> None:
        super().__init__(message, code="exists_already")
        self.details = explained


class NotThere(exceptions.NotFound):
    """404: a row that the body refers to is not there."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, code="unknown_id")
        self.details = details


def changed_meanwhile() -> Conflict:
    """What is said when a row that was checked is another one by the time of storing."""
    told = gettext("Another call has changed these rows at the same moment. Read them and try again.")
    return Conflict(told, code="changed_meanwhile")


def whole_number(field: str, text: str, *, most: int, least: int = 1) -> int:
    """`text` as a whole number from `least` to `most`, else a 400 that says so."""
    value = int(text) if re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) else None
    if value is None or not least <= value <= most:
        problem = gettext("A whole number from {least} to {most} is needed.").format(least=least, most=most)
        raise BadInput(field, problem, text, minimum=least, maximum=most)
    return value


def texts(problem: Any) -> list[str]:
    """The sentences in DRF's nested errors, each with the names and, in a list of rows, the row that it is about."""
    if isinstance(problem, Mapping):
        found = [
            (f"#{key + 1}" if isinstance(key, int) else key, text) for key, x in problem.items() for text in texts(x)
        ]
        return [text if key == "non_field_errors" else f"{key}: {text}" for key, text in found]
    if isinstance(problem, list | tuple):
        if any(isinstance(x, Mapping) for x in problem):
            return texts(dict(enumerate(problem)))
        return [text for x in problem for text in texts(x)]
    return [str(problem)]


def _choices(field: Any) -> list[str]:
    """The values that a field of a form may have, as one writes them in an address; none for free ones."""
    return [str(value) for value, _label in getattr(field, "choices", ()) if value not in ("", None)]
