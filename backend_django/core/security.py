"""What every answer tells the browser that it may do, and addresses that are too long."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext

from core import api

LONGEST_ADDRESS = 4_096
"""Characters of an address with its query; gunicorn reads up to 8,190 and answers longer ones by itself."""
POLICY = {
    # JSON: nothing in it may be run, framed, or loaded from anywhere.
    "api": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    # Pages of this server: what they load comes from it, and nothing stands inside the page itself.
    "page": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # A picture that was uploaded, or whatever it turns out to be.
    "media": "default-src 'none'; sandbox",
}
FEATURES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class SecurityHeaders:
    """Middleware: a strict policy for every answer that brings none of its own; Django's own does the rest.

    Answers of the API are for whoever asked: no cache between keeps them. No header lets other origins read them
    but those of `CORS_ALLOWED_ORIGINS`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or refuse the address; with the headers."""
        long = len(request.get_full_path()) > LONGEST_ADDRESS
        response = _too_long(request) if long else self.get_response(request)
        kind = "api" if api.of_api(request) else "media" if request.path_info.startswith("/media/") else "page"
        response.headers.setdefault("Content-Security-Policy", POLICY[kind])
        response.headers.setdefault("Permissions-Policy", FEATURES)
        # A shop front on another address may show the shop's pictures.
        response.headers.setdefault(
            "Cross-Origin-Resource-Policy", "cross-origin" if kind == "media" else "same-origin"
        )
        if kind == "api":
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _too_long(request: HttpRequest) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):  # this comes before Django's middleware
        text = gettext("The address has {received} characters; up to {most} are read. Send less at a time.")
    found = {"received": len(request.get_full_path()), "most": LONGEST_ADDRESS}
    return api.json_error("address_too_long", text.format(**found), 414, **found)
