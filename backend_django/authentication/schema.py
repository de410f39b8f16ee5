"""How the OpenAPI document describes the tokens."""

from __future__ import annotations

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme


class TokenScheme(SimpleJWTScheme):
    """`Authorization: Bearer …`."""

    target_class = "authentication.tokens.TokenAuthentication"
