"""Who did what to which row: in the log, and in the admin's history of the row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.utils.translation import gettext

log = logging.getLogger("audit")


def record(user: Any, row: Model, flag: int, what: str, note: str = "") -> None:
    """Note that `user` did `what` (a sentence marked with gettext_noop) to `row`.

    `flag` is ADDITION, CHANGE or DELETION of `django.contrib.admin.models`. The log has it in English, the history in
    the language of who did it. Somebody without a row of their own (a command) stands in the log alone.
    """
    log.info("%s: %s %s: %s %s", user, row._meta.label, row.pk, what, note)
    if getattr(user, "pk", None) is not None:
        LogEntry.objects.log_actions(
            user_id=user.pk,
            queryset=[row],
            action_flag=flag,
            change_message=f"{gettext(what)} {note}".strip(),
            single_object=True,
        )


def record_many(user: Any, rows: Sequence[Model], flag: int, what: str) -> None:
    """`record` for many rows of one model: one line in the log, one entry each in the history."""
    if not rows:
        return
    log.info("%s: %d × %s: %s", user, len(rows), rows[0]._meta.label, what)
    if getattr(user, "pk", None) is not None:
        LogEntry.objects.log_actions(user_id=user.pk, queryset=rows, action_flag=flag, change_message=gettext(what))
