"""What a person does to alerts: acknowledge, snooze, wake, resolve one or many. All of it is audited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from api_base.audit import log, record
from ml_predictions import conf
from ml_predictions.actions import Refused
from ml_predictions.models_inventory import InventoryAlert
from retail_ml.errors import BadParameter

LONGEST_SNOOZE = 366
"""Days that an alert can be put off at most."""
MOST_AT_ONCE = 1_000
Status = InventoryAlert.Status


class AlreadyResolved(Refused):
    """The alert was resolved before."""

    code = "already_resolved"

    def __init__(self, alert_id: int) -> None:
        self.details = {"alert_id": alert_id}
        super().__init__(f"Alert {alert_id} was resolved already.")


class TooManyAlerts(Refused):
    """More alerts fit the choice than may be resolved at once; none was."""

    code = "too_many_alerts"

    def __init__(self, found: int, *, at_most: int) -> None:
        self.details = {"found": found, "at_most": at_most}
        super().__init__(f"{found} alerts fit, at most {at_most} may be resolved at once: none was. Narrow the choice.")


class SomeNotActive(Refused):
    """Some of the alerts named are unknown or resolved already; none was resolved."""

    code = "alerts_not_active"

    def __init__(self, ids: Sequence[int]) -> None:
        self.details = {"count": len(ids), "alert_ids": list(ids[:20])}
        named = ", ".join(str(one) for one in ids[:20])
        super().__init__(f"{len(ids)} of the alerts are unknown or resolved already ({named}): none was resolved.")


def resolve_alert(alert: InventoryAlert, *, user: Any, note: str = "") -> InventoryAlert:
    """Resolve an active alert by hand. Raises AlreadyResolved."""
    values = _resolved(user, note)
    return _change(alert, values, user=user, what=gettext_noop("Resolved by hand."), note=note)


def acknowledge_alert(alert: InventoryAlert, *, user: Any, note: str = "") -> InventoryAlert:
    """Say that an active alert was seen, by whom and when; it stays active. Raises AlreadyResolved.

    It counts as unseen again when it becomes more urgent or another thing.
    """
    values = {"acknowledged_at": timezone.now(), "acknowledged_by": str(user)[:160], **_as_decided(note)}
    return _change(alert, values, user=user, what=gettext_noop("Acknowledged."), note=note)


def snooze_alert(alert: InventoryAlert, *, until: date, user: Any, note: str = "") -> InventoryAlert:
    """Put an active alert off until a day, on which it comes back by itself.

    Raises AlreadyResolved, and BadParameter for a day that is over or more than a year off.

    It comes back earlier when it becomes more urgent or another thing.
    """
    first, last = (conf.shop_today() + timedelta(days=days) for days in (1, LONGEST_SNOOZE))
    if not first <= until <= last:
        raise BadParameter(
            f"An alert can be snoozed until a day from {first} to {last}; {until} was given.",
            code="bad_parameter.snooze",
            until=until.isoformat(),
            first=first.isoformat(),
            last=last.isoformat(),
        )
    values = {"snoozed_until": until, "snoozed_by": str(user)[:160], **_as_decided(note)}
    told = f"{until.isoformat()} {note}".strip()
    return _change(alert, values, user=user, what=gettext_noop("Snoozed until:"), note=told)


def wake_alert(alert: InventoryAlert, *, user: Any) -> InventoryAlert:
    """Take the snooze off an active alert. Raises AlreadyResolved."""
    values: dict[str, Any] = {"snoozed_until": None, "snoozed_by": ""}
    return _change(alert, values, user=user, what=gettext_noop("Woken."))


def resolve_many(
    chosen: QuerySet[InventoryAlert], *, user: Any, note: str = "", at_most: int, ids: Sequence[int] | None = None
) -> list[int]:
    """Resolve all active alerts of `chosen` by hand, or none; the ids of those resolved.

    With `ids` exactly these of them. Raises SomeNotActive when one of `ids` is not among them, TooManyAlerts when more
    than `at_most` are. As many queries for a thousand as for one.
    """
    with transaction.atomic():
        wanted = chosen.filter(status=Status.ACTIVE)
        if ids is not None:
            wanted = wanted.filter(pk__in=ids)
        rows = list(wanted.order_by("pk").select_for_update()[: at_most + 1])
        if ids is not None and (missing := sorted(set(ids) - {row.pk for row in rows})):
            raise SomeNotActive(missing)
        if len(rows) > at_most:
            raise TooManyAlerts(wanted.order_by().count(), at_most=at_most)
        found = [row.pk for row in rows]
        InventoryAlert.objects.filter(pk__in=found).update(**_resolved(user, note))
        _record_many(user, rows, gettext_noop("Resolved by hand."), note)
    return found


def _resolved(user: Any, note: str) -> dict[str, Any]:
    return {
        "status": Status.RESOLVED,
        "resolved_at": timezone.now(),
        "resolved_by": str(user)[:160],
        "resolved_how": InventoryAlert.How.HAND,
        "note": note[:500],
    }


def _as_decided(note: str) -> dict[str, Any]:
    """What the alert was when somebody decided about it; a note only where one is given."""
    found: dict[str, Any] = {"decided_type": F("alert_type"), "decided_urgency": F("urgency_level")}
    return found | ({"note": note[:500]} if note else {})


def _change(alert: InventoryAlert, values: dict[str, Any], *, user: Any, what: str, note: str = "") -> InventoryAlert:
    """Change an alert that is active still, and say so in the history."""
    with transaction.atomic():
        if not InventoryAlert.objects.filter(pk=alert.pk, status=Status.ACTIVE).update(**values):
            raise AlreadyResolved(alert.pk)
        record(user, alert, CHANGE, what, note)
    alert.refresh_from_db()
    return alert


def _record_many(user: Any, rows: Sequence[InventoryAlert], what: str, note: str) -> None:
    """One line in the log for all, one entry in each one's history."""
    log.info("%s: alerts %s: %s %s", user, ", ".join(str(row.pk) for row in rows), what, note)
    if rows and getattr(user, "pk", None) is not None:
        told = f"{gettext(what)} {note}".strip()
        LogEntry.objects.log_actions(user_id=user.pk, queryset=rows, action_flag=CHANGE, change_message=told)
