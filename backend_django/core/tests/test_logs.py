"""Every line of a request bears its id, and strangers write nothing into the log."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.test import Client

from core.logs import JSONLines, WithRequestId, request_id


def line(record: logging.LogRecord) -> dict[str, object]:
    WithRequestId().filter(record)
    text = JSONLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    return logging.LogRecord("shop", logging.WARNING, __file__, 1, message, args, None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "kept"), [("edge-42.a_B", True), ("", False), ("a" * 65, False), ("two\tparts", False), ("ñ", False)]
)
def test_an_id_is_taken_over_only_when_it_is_harmless(given: str, kept: bool) -> None:
    answer = Client().get("/health/live/", headers={"X-Request-ID": given})
    found = answer["X-Request-ID"]
    assert (found == given) == kept
    assert kept or len(found) == 32
    assert request_id.get() == ""  # nothing is left for the next request of this thread


def test_a_request_is_one_line_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "core.requests"):
        Client().get("/health/live/?email=ana@shop.test", headers={"X-Request-ID": "r1"})
    (found,) = (r for r in caplog.records if r.name == "core.requests")
    said = line(found)
    assert (said["method"], said["path"], said["status"]) == ("GET", "/health/live/", 200)
    assert isinstance(said["ms"], float)
    assert "ana" not in json.dumps(said)


def test_json_lines_hold_whatever_was_logged() -> None:
    token = request_id.set("r2")
    try:
        said = line(record("two\nlines of %s", "ñandú"))
    finally:
        request_id.reset(token)
    assert said["message"] == "two\nlines of ñandú"
    assert (said["level"], said["logger"], said["request_id"]) == ("WARNING", "shop", "r2")
    try:
        raise ValueError("broken")
    except ValueError:
        told = logging.LogRecord("shop", logging.ERROR, __file__, 1, "no", (), sys.exc_info())
    assert "ValueError: broken" in str(line(told)["exception"])
    assert "request_id" not in line(record("later"))
