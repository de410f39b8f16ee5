"""Which versions are kept, and which are deleted with their files."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from ml_predictions import artifacts, conf
from ml_predictions.models import MLModel

IN_USE = timedelta(hours=1)
"""How long a version that has left service may still be in the hands of a request."""


def superfluous(service: str) -> QuerySet[MLModel]:
    """Versions that no rule keeps.

    Kept are the one in service; the newest, KEEP_VERSIONS with it; those that have been in service within the last
    KEEP_SERVED_DAYS; and whatever was in service within the last hour, because a request may still be reading it.
    """
    now, versions = timezone.now(), MLModel.objects.filter(service=service)
    newest = versions.filter(is_active=False).order_by("-version").values_list("pk", flat=True)
    kept = list(newest[: max(conf.get("KEEP_VERSIONS") - 1, 0)])
    since = now - max(timedelta(days=conf.get("KEEP_SERVED_DAYS")), IN_USE)
    return versions.filter(is_active=False).exclude(Q(pk__in=kept) | Q(retired_at__gt=since))


def prune(service: str) -> list[int]:
    """Delete what is superfluous, row by row with its file; returns the numbers of the versions."""
    gone = []
    for model in superfluous(service).order_by("version"):
        deleted, _ = superfluous(service).filter(pk=model.pk).delete()  # unless it was put into service meanwhile
        if deleted:
            artifacts.delete(model.artifact)
            gone.append(model.version)
    return gone
