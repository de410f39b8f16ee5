"""What the log says of a request: an id that every line of it bears and the answer repeats."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""An id that a proxy may hand over; anything else would let strangers write into the log."""
request_id: ContextVar[str] = ContextVar("request_id", default="")
log = logging.getLogger("core.requests")


def current_id() -> str:
    """The id of the request under way; a new one outside of any."""
    return request_id.get() or uuid.uuid4().hex


class RequestLog:
    """Middleware: gives each request its id, and writes one line when it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the id in the header; the line has no query string, which may name a person."""
        given = request.headers.get(HEADER, "")
        token = request_id.set(given if GIVEN.fullmatch(given) else uuid.uuid4().hex)
        start = time.perf_counter()
        try:
            response = self.get_response(request)
            response[HEADER] = request_id.get()
            milliseconds = round(1000 * (time.perf_counter() - start), 1)
            figures = {"method": request.method, "path": request.path, "status": response.status_code}
            log.info("%(method)s %(path)s %(status)s", figures, extra={"request": {**figures, "ms": milliseconds}})
            return response
        finally:
            request_id.reset(token)


class WithRequestId(logging.Filter):
    """Adds `request_id` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """All records pass."""
        record.request_id = request_id.get()
        return True


class JSONLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request id, and the figures of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback stands in `exception`."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if found := getattr(record, "request_id", ""):
            line["request_id"] = found
        figures = getattr(record, "request", None)
        if isinstance(figures, dict):  # Django's own records carry the request itself under this name
            line.update(figures)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
