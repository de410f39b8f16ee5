"""Read-only, expiring keys for a shop's own server: `Authorization: Api-Key …`.

A key reads what its owner may read and writes nothing; it ends on its day, when it is revoked, and with its owner. Only
a hash is stored: 256 random bits need no slow one. Why this is no library: docs/decisions.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, DELETION
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from api_base import audit
from authentication.models import ServiceKey, User

KEYWORD = "Api-Key"
MOST_DAYS = 731
"""That a key may live: two years."""
STAMP_EVERY = timedelta(hours=1)
"""The last use is written at most this often, so that reading with a key does not write at each call."""


def issue(owner: User, name: str, *, days: int) -> tuple[ServiceKey, str]:
    """A new key of `owner` that ends after `days`, audited; and its text, which nobody can read again."""
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    with transaction.atomic():
        row = ServiceKey.objects.create(
            owner=owner,
            name=name,
            prefix=prefix,
            digest=_digest(secret),
            expires_at=timezone.now() + timedelta(days=days),
        )
        audit.record(owner, row, ADDITION, gettext_noop("Service key made."), name)
    return row, f"{prefix}.{secret}"


def revoke(key: ServiceKey, *, user: Any) -> None:
    """End a key at once, audited; one that is revoked already stays as it is."""
    with transaction.atomic():
        if ServiceKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(user, key, DELETION, gettext_noop("Service key revoked."), key.name)


class ServiceKeyAuthentication(BaseAuthentication):
    """The owner of the key in `Authorization: Api-Key …`; `request.auth` is the key."""

    def authenticate(self, request: Request) -> tuple[User, ServiceKey] | None:
        """Owner and key. Raises AuthenticationFailed (401), and PermissionDenied (403) for a call that writes."""
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != KEYWORD.lower():
            return None
        key = _found(words[1] if len(words) == 2 else "")
        view = (request.parser_context or {}).get("view")
        if request.method not in SAFE_METHODS and not getattr(view, "only_reads", False):
            raise PermissionDenied(_("A service key only reads. Sign in to change something."), code="key_only_reads")
        _stamp(key)
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        """Makes a refusal 401."""
        return f'{KEYWORD} realm="api"'


def _found(text: str) -> ServiceKey:
    """The key of this text, when it and its owner are valid now."""
    prefix, _dot, secret = text.partition(".")
    key = ServiceKey.objects.select_related("owner").filter(prefix=prefix[:8]).first()
    if key is None or not constant_time_compare(key.digest, _digest(secret)):
        raise AuthenticationFailed(_("This service key is not known."), code="key_unknown")
    if key.revoked_at is not None or not key.owner.is_active:
        raise AuthenticationFailed(_("This service key has been revoked."), code="key_revoked")
    if key.expires_at <= timezone.now():
        told = _("This service key has expired on {day}. Make a new one.")
        raise AuthenticationFailed(told.format(day=timezone.localdate(key.expires_at).isoformat()), code="key_expired")
    return key


def _stamp(key: ServiceKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - STAMP_EVERY:
        ServiceKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
