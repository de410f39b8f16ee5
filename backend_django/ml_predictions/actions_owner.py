"""The owner's settings, changed by dashboard or admin alike."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.utils.translation import gettext_noop

from api_base.audit import record
from ml_predictions import conf
from ml_predictions.models_owner import BAKED, OwnerSettings, in_force

UNTOLD = ("brief_recipients", "critical_recipients")
"""Columns with addresses: the history says that they changed, and not to what."""


def save_owner_settings(wanted: OwnerSettings, *, user: Any) -> list[str]:
    """Store what the owner has decided, checked before; returns the services to train again to make all of it count.

    Audited with what was and what is. Other processes follow within `models_owner.SECONDS`.
    """
    with transaction.atomic():
        before = OwnerSettings.objects.select_for_update().filter(pk=OwnerSettings.ONE).first() or OwnerSettings()
        was, will = _effective(before), _effective(wanted)
        wanted.pk, wanted.changed_by = OwnerSettings.ONE, str(user)[:160]
        wanted.save()
        record(user, wanted, CHANGE, gettext_noop("Settings changed."), _told(before, wanted))
        transaction.on_commit(in_force.forget)
    return list(dict.fromkeys(s for name, services in BAKED.items() if was[name] != will[name] for s in services))


def _effective(row: OwnerSettings) -> dict[str, Any]:
    """What is in force with this row, of all that trainings learn with."""
    mine = row.values()
    return {name: mine.get(name.upper(), conf.project(name.upper())) for name in BAKED}


def _told(before: OwnerSettings, after: OwnerSettings) -> str:
    names = [f.name for f in OwnerSettings._meta.fields if f.name not in ("id", "changed_by", "changed_at")]
    changed = [(name, getattr(before, name), getattr(after, name)) for name in names]
    return "; ".join(
        name if name in UNTOLD else f"{name}: {old} → {new}" for name, old, new in changed if old != new
    ).replace("None", "–")
