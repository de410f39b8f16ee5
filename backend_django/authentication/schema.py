"""How the OpenAPI document describes the tokens and keys."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(SimpleJWTScheme):
    """`Authorization: Bearer …`."""

    target_class = "authentication.tokens.TokenAuthentication"


class ServiceKeyScheme(OpenApiAuthenticationExtension):
    """`Authorization: Api-Key …`."""

    target_class = "authentication.service_keys.ServiceKeyAuthentication"
    name = "serviceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A header; OpenAPI has no better word for it."""
        told = "`Api-Key ` and the key of a shop's server. It reads, and writes nothing."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": told}
