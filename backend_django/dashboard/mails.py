"""E-mails to the owner's people: written in their language, sent once a day and kind, and a failure is kept."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone

from dashboard.brief import Section
from ml_predictions.models_owner import OwnerMail, OwnerSettings

logger = logging.getLogger(__name__)
FAILURES = (smtplib.SMTPException, OSError)
"""What a mail server that is not there, or will not, raises."""


def language(owner: OwnerSettings) -> str:
    """The language the owner's people read."""
    return owner.brief_language or str(settings.LANGUAGE_CODE)


def send(subject: str, sections: Sequence[Section], *, to: Sequence[str]) -> None:
    """As text and as HTML, in the active language. Raises one of FAILURES."""
    context = {"subject": subject, "sections": sections}
    mail = EmailMultiAlternatives(subject, render_to_string("dashboard/mail/sections.txt", context), to=list(to))
    mail.attach_alternative(render_to_string("dashboard/mail/sections.html", context), "text/html")
    mail.send()


def once(
    kind: OwnerMail.Kind, day: date, *, subject: str, sections: Sequence[Section], to: Sequence[str]
) -> dict[str, Any]:
    """Send the e-mail of this kind and day unless it was sent; returns the figures of the step.

    The row is claimed before the server is asked: a run that dies in between never sends twice. A failure gives it
    free again, so that the next night tries once more, and stands in the row and the log.
    """
    row, _new = OwnerMail.objects.get_or_create(kind=kind, day=day)
    claimed = OwnerMail.objects.filter(pk=row.pk, sent_at=None)
    if not claimed.update(sent_at=timezone.now(), recipients=len(to), error=""):
        return {"sent": 0}
    try:
        send(subject, sections, to=to)
    except FAILURES as error:
        logger.exception("The e-mail %s of %s could not be sent", kind, day)
        told = f"{type(error).__name__}: {error}"[:500]
        OwnerMail.objects.filter(pk=row.pk).update(sent_at=None, error=told)
        return {"sent": 0, "failed": type(error).__name__}
    return {"sent": len(to)}
