"""Too many wrong passwords: whom it counts against, how long it lasts, and what the admin's sign-in page answers.

The API's own answer is a `Throttled` raised by the view, so that it has the shape of every other error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled


def username(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """The e-mail that is tried, in lower case: typing it in another case is not another user.

    The API calls it `email`, Django's sign-in form `username`.
    """
    given: Mapping[str, Any] = credentials or request.POST
    return str(given.get("email") or given.get("username") or "").strip().lower()[:255]


def authenticated(request: Any, email: str, password: str) -> Any:
    """The user with this e-mail and password, or None; a wrong one counts. Raises Throttled when it is locked out."""
    user = authenticate(request, email=email, password=password)
    if getattr(request, "axes_locked_out", False):
        left = seconds_left(request, username(request, {"email": email}))
        raise Throttled(wait=left, detail=_("Too many wrong passwords."))
    return user


def seconds_left(request: HttpRequest, email: str) -> int:
    """Whole seconds until this e-mail may be tried again from this address; at least 1."""
    from axes.helpers import get_client_ip_address
    from axes.models import AccessAttempt

    attempts = AccessAttempt.objects.filter(username=email, ip_address=get_client_ip_address(request))
    last = attempts.order_by("-attempt_time").values_list("attempt_time", flat=True).first() or timezone.now()
    return max(1, math.ceil((last + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds()))


def response(
    request: HttpRequest, _original: HttpResponse | None = None, credentials: Mapping[str, Any] | None = None
) -> HttpResponse:
    """What the admin's sign-in page answers when it is locked: 429, in plain words, with `Retry-After`."""
    seconds = seconds_left(request, username(request, credentials))
    text = _("Too many wrong passwords. Try again in {minutes} minutes.").format(minutes=math.ceil(seconds / 60))
    return HttpResponse(
        text, status=429, content_type="text/plain; charset=utf-8", headers={"Retry-After": str(seconds)}
    )
