"""Errors of addresses under `/api/` outside the views, in the one shape of `ml_predictions.views.errors`."""

from __future__ import annotations

import logging
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from core.logs import current_id
from ml_predictions.views.errors import body, internal

log = logging.getLogger("core.api")


def of_api(request: HttpRequest) -> bool:
    """Does this address belong to the API?"""
    return request.path_info.startswith("/api/")


@csrf_exempt  # else a write to it meets Django's page on cross-site forgery, and not this answer
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """404 for an address under `/api/` that does not exist; a read that only lacks the last slash is sent on."""
    message = gettext("There is no address {path}.").format(path=request.path)
    if not request.path_info.endswith("/") and _exists(request.path_info + "/"):
        if request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(request.get_full_path(force_append_slash=True))
        message += " " + gettext("The addresses end with a slash: {path}/").format(path=request.path)
    return _json(body("not_found", message, {"path": request.path}), 404)


def _exists(path: str) -> bool:
    try:
        return resolve(path).func is not unknown_address
    except Resolver404:
        return False


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 of Django itself: a bad host, a suspicious request."""
    if of_api(request):
        return _json(body("bad_request", gettext("The request was refused.")), 400)
    return cast("HttpResponse", defaults.bad_request(request, exception))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403 of Django itself."""
    if of_api(request):
        return _json(body("permission_denied", gettext("This is not allowed.")), 403)
    return cast("HttpResponse", defaults.permission_denied(request, exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 of Django itself."""
    return unknown_address(request) if of_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 of Django itself, which has logged the stack."""
    if not of_api(request):
        return cast("HttpResponse", defaults.server_error(request))
    request_id = current_id()
    log.error("Request %s failed outside a view: %s %s", request_id, request.method, request.path)
    return _json(internal(request_id), 500)


def json_error(code: str, message: str, status: int, **details: Any) -> JsonResponse:
    """An error that is answered before any view."""
    return _json(body(code, message, details), status)


def _json(data: dict[str, Any], status: int) -> JsonResponse:
    return JsonResponse(data, status=status, json_dumps_params={"ensure_ascii": False})
