"""What signing in leaves behind, and nobody needs any more."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken


def drop_expired() -> dict[str, int]:
    """Delete refresh tokens and sessions that have expired, and wrong passwords that lock nobody out any more.

    A step of the nightly refresh; returns how many of each. A token's row, also on the blacklist, goes only when its
    signature has run out.
    """
    now = timezone.now()
    old = {"attempt_time__lt": now - settings.AXES_COOLOFF_TIME}
    tokens = OutstandingToken.objects.filter(expires_at__lte=now)
    counts = {"tokens": tokens.count()}
    tokens.delete()
    counts["sessions"] = Session.objects.filter(expire_date__lt=now).delete()[0]
    counts["attempts"] = sum(
        model.objects.filter(**old).delete()[0] for model in (AccessAttempt, AccessFailureLog, AccessLog)
    )
    return counts
