"""The pages that document the API. They load from this server alone, and may load from nowhere else."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

POLICY = {
    "swagger": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Redoc searches in a worker that it makes itself, and writes its styles into the page.
    "redoc": "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; "
    "frame-ancestors 'none'",
}


class SwaggerPage(SpectacularSwaggerSplitView):
    """`/api/docs/`."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the policy that keeps the page on this server."""
        found: Response = super().finalize_response(request, response, *args, **kwargs)
        found["Content-Security-Policy"] = POLICY["swagger"]
        return found


class RedocPage(SpectacularRedocView):
    """`/api/redoc/`; its own template, because the original asks a font server."""

    template_name = "core/redoc.html"

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the policy that keeps the page on this server."""
        found: Response = super().finalize_response(request, response, *args, **kwargs)
        found["Content-Security-Policy"] = POLICY["redoc"]
        return found
