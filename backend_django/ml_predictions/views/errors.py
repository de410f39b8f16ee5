"""Errors of the API's views in one shape; what a body may be. Another project's settings of DRF do not matter to it.

Every error is `{"success": false, "error": {"code": …, "message": …, "details": {…}}}`, the message in the language of
the request.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.parsers import JSONParser as DRFJSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from api_base.errors import texts
from ml_predictions import conf
from ml_predictions.messages import spoken
from retail_ml.errors import BadFrame, BadParameter, NotEnoughHistory, RetailMLError, UnknownId

log = logging.getLogger("ml_predictions.api")

CONFLICTS = {
    "alerts_not_active",
    "already_resolved",
    "already_running",
    "artifact_being_mended",
    "artifact_refused",
    "calendar_busy",
    "erasure_under_way",
    "event_exists",
    "model_in_service",
    "not_a_customer",
    "not_retryable",
    "not_running",
    "not_supported_by_source",
    "not_trained",
    "rule_exists",
    "too_many_alerts",
    "version_gone",
    "worse_than_baseline",
}
"""Codes of our own exceptions that say: not in this state, do something else first."""

STATUS_OF_CLASS: list[tuple[type[RetailMLError], int]] = [
    (BadParameter, 400),
    (UnknownId, 404),
    (NotEnoughHistory, 409),
    (BadFrame, 409),
]
DRF_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
MOST_BYTES = 1_000_000
"""Of a body, where a view does not say otherwise."""
LONGEST = 200
"""Characters of a received value that are repeated in an error."""


class BodyTooLarge(exceptions.APIException):
    """413: refused before it is read."""

    status_code = 413
    default_code = "body_too_large"

    def __init__(self, most: int, received: int) -> None:
        told = gettext("The body may have {most} bytes. Received: {received}. Send it in parts.")
        super().__init__(told.format(most=most, received=received))
        self.details = {"most": most, "received": received}


class JSONParser(DRFJSONParser):
    """JSON; a body nested deeper than Python reads is a bad body, not a fault of ours, and one too large is not read.

    `most_bytes` of a view is more, or less, than the usual MOST_BYTES.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The body as Python values. Raises BodyTooLarge, ParseError."""
        context = parser_context or {}
        most = getattr(context.get("view"), "most_bytes", None) or MOST_BYTES
        if (length := _length(context.get("request"))) > most:
            raise BodyTooLarge(most, length)
        try:
            return super().parse(stream, media_type=media_type, parser_context=parser_context)
        except RecursionError as error:
            raise exceptions.ParseError(gettext("The body is nested too deeply.")) from error


# --- errors of views ------------------------------------------------------------------------------


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Every error of a view in the one shape. What nobody foresaw is logged and answered with 500."""
    request = context.get("request")
    from rest_framework.views import set_rollback  # it reads the settings, which name this module

    set_rollback()
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):  # the body was read as a whole before it came to the parser
        error = BodyTooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, _length(request))
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error, request)
    if isinstance(error, exceptions.APIException):
        return _from_drf(error)
    status = _own_status(error)
    if status is not None:
        return Response(_own_body(error), status=status)
    if isinstance(error, OperationalError | InterfaceError):
        return _no_database(error, request)
    if isinstance(error, SuspiciousOperation):
        return Response(body("bad_request", gettext("The request was refused.")), status=400)
    return Response(_unforeseen(error, request), status=500)


def _length(request: Any) -> int:
    """Bytes of the body as the request tells them; 0 where it does not."""
    told = str(request.META.get("CONTENT_LENGTH") or "0") if request is not None else "0"
    return int(told) if told.isdecimal() else 0


def body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    """The one shape of an error."""
    return {"success": False, "error": {"code": code, "message": clean(message), "details": clean(details or {})}}


def clean(value: Any, depth: int = 6) -> Any:
    """`value` such that JSON can hold it: finite numbers, valid and short texts, few levels."""
    if value is None or isinstance(value, bool | int):
        return value if not isinstance(value, int) or abs(value) < 10**30 else str(value)[:LONGEST]
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if depth and isinstance(value, Mapping):
        return {clean(str(key)): clean(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set):
        return [clean(item, depth - 1) for item in list(value)[:LONGEST]]
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= 2_000 else text[:LONGEST] + "…"


def _invalid(error: exceptions.ValidationError, request: Request | None) -> Response:
    """400: per field what is wrong, what is allowed, and what was received (as far as it is no secret)."""
    details: dict[str, Any] = {}
    explained = getattr(error, "explained", {})
    problems = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    for field, problem in problems.items():
        found = explained.get(field) or {"message": " ".join(texts(problem))}
        if "received" not in found and request is not None and field in request.query_params:
            found["received"] = ", ".join(request.query_params.getlist(field))
        details[str(field)] = {key: _short(item) if key == "received" else item for key, item in found.items()}
    message = " ".join(_sentence(field, found) for field, found in details.items())
    return Response(body("bad_parameter", message, details), status=400)


def _sentence(field: str, found: Mapping[str, Any]) -> str:
    text = str(found["message"])
    if field != "non_field_errors":
        text = f"{field}: {text}"
    allowed = found.get("allowed") or {}
    if "choices" in allowed:
        names = ", ".join(str(choice) for choice in allowed["choices"])
        text += " " + gettext("Allowed: {allowed}.").format(allowed=names)
    elif "minimum" in allowed and "maximum" in allowed:
        span = f"{allowed['minimum']}…{allowed['maximum']}"
        text += " " + gettext("Allowed: {allowed}.").format(allowed=span)
    if "received" in found:
        text += " " + gettext("Received: {received}.").format(received=found["received"])
    return text


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _from_drf(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, int(-(-wait // 1))))
    status = error.status_code
    code, details = DRF_CODES.get(status, "error"), getattr(error, "details", None)
    if isinstance(error.detail, Mapping):  # simplejwt: {"detail": …, "code": …, "messages": …}
        code = str(error.detail.get("code", code))
        message = str(error.detail.get("detail", "")) or " ".join(texts(error.detail))
    else:
        message = " ".join(texts(error.detail))
        own = getattr(error.detail, "code", None)
        if own and own != error.default_code:
            code = own
        elif type(error).__module__ != exceptions.__name__ and error.default_code != "error":
            code = error.default_code
    return Response(body(code, message, details), status=status, headers=headers)


def _own_status(error: Exception) -> int | None:
    """The status of an exception that we raise on purpose; None for any other."""
    if isinstance(error, RetailMLError):
        return next((status for cls, status in STATUS_OF_CLASS if isinstance(error, cls)), 409)
    # The other own exceptions live beside heavy imports: they are known by their code.
    return 409 if getattr(error, "code", None) in CONFLICTS else None


def _own_body(error: Any) -> dict[str, Any]:
    details = getattr(error, "details", None) or {}
    # "bad_parameter.range" finds the sentence; callers are told what every refusal of an input is called.
    code = type(error).code if isinstance(error, BadParameter | BadFrame) else error.code
    return body(code, spoken(error), details)


def _no_database(error: Exception, request: Any) -> Response:
    """503: locked by another writer for longer than we wait, restarting, full. The log has the reason."""
    request_id = _logged(error, request)
    text = gettext("The database cannot be used at the moment; try again soon. The log has more under {request_id}.")
    told = body("database_unavailable", text.format(request_id=request_id), {"request_id": request_id})
    return Response(told, status=503, headers={"Retry-After": "10"})


def _unforeseen(error: Exception, request: Any) -> dict[str, Any]:
    """The generic sentence; the log has the stack under the same id."""
    return internal(_logged(error, request))


def _logged(error: Exception, request: Any) -> str:
    """Write the stack to the log; returns the id that it stands under."""
    request_id = str(import_string(conf.get("REQUEST_ID"))())
    where = f"{request.method} {request.path}" if request is not None else "?"
    log.error("Request %s failed: %s", request_id, where, exc_info=error)
    return request_id


def new_id() -> str:
    """An id for a request whose project gives it none."""
    return uuid.uuid4().hex


def internal(request_id: str) -> dict[str, Any]:
    """The body of a 500."""
    text = gettext("Something went wrong on the server. Its log has the details under {request_id}.")
    return body("internal_error", text.format(request_id=request_id), {"request_id": request_id})
