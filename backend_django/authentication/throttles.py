"""How many requests a minute one account, one service key, and one address without an account may make.

Counted in the memory of each process of the web server: with two processes the limit is between one and two times
the rate. A wrong password is counted beside this, in the database (`authentication.lockout`).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from authentication.models import ServiceKey


class _Rate(SimpleRateThrottle):
    scope: str

    def get_rate(self) -> str | None:
        """Requests a minute, by `scope`, of the setting API_RATES; without one there is no limit."""
        rate = settings.API_RATES.get(self.scope)
        return f"{rate}/min" if rate else None


class AccountThrottle(_Rate):
    """One account, or one service key, from wherever it comes."""

    scope = "account"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """By key or user; nothing to count for nobody."""
        if isinstance(request.auth, ServiceKey):
            return f"throttle:key:{request.auth.pk}"
        return f"throttle:user:{request.user.pk}" if request.user and request.user.is_authenticated else None


class AddressThrottle(_Rate):
    """One address, as long as nobody is signed in: signing in, refreshing, the documentation."""

    scope = "address"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """By the address; NUM_PROXIES says how much of `X-Forwarded-For` is believed."""
        if request.user and request.user.is_authenticated:
            return None
        return f"throttle:address:{self.get_ident(request)}"
