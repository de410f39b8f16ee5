"""Named errors: which thing, what was needed, what was found, what to do.

Each carries a stable `code` (the edge translates by it) and `details` (the figures of the sentence);
the message itself is a complete English sentence.
"""

from __future__ import annotations

import json
from typing import Any

FEWEST_SALES = 10
"""Sales below which nothing is learnt from them: NotEnoughHistory."""


class RetailMLError(Exception):
    """Base of every error that this package raises on purpose."""

    code = "retail_ml_error"

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.details = details

    def stored(self) -> dict[str, Any]:
        """As plain JSON, `code, params, text`: what a database keeps, and the edge says in a reader's language.

        >>> BadParameter("days is 0; it must be 1 to 365", days=0).stored()
        {'code': 'bad_parameter', 'params': {'days': 0}, 'text': 'days is 0; it must be 1 to 365'}
        """
        plain = {"code": self.code, "params": self.details, "text": self.message}
        found: dict[str, Any] = json.loads(json.dumps(plain, allow_nan=False, default=str))
        return found


class BadFrame(RetailMLError):
    """A table lacks a column, or a column has another type or a value that cannot be."""

    code = "bad_frame"


class NotEnoughHistory(RetailMLError):
    """There is too little data for what was asked.

    >>> error = NotEnoughHistory("product 42 has 9 days of sales, 28 are needed", found=9, needed=28)
    >>> error.code, error.details["needed"]
    ('not_enough_history', 28)
    """

    code = "not_enough_history"


class BadParameter(RetailMLError):
    """A parameter is outside its range."""

    code = "bad_parameter"


class UnknownId(RetailMLError):
    """An id that the model or the shop does not know."""

    code = "unknown_id"
