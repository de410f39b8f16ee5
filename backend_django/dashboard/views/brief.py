"""The weekly brief as a page, the e-mails that went out, and sending it now."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from dashboard import mails, tasks
from dashboard.views.base import Page, Step
from ml_predictions.models_owner import OwnerMail, addresses, owner_settings

LAST = 10


class Brief(Page):
    """What the e-mail says."""

    template = "dashboard/brief.html"
    title = _("Weekly brief")
    entry = "morning"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The sections, who gets them, and the last e-mails."""
        owner = owner_settings()
        subject, sections = tasks.written()
        return {
            "subject": subject, "sections": sections, "recipients": addresses(owner.brief_recipients),
            "weekday": owner.get_brief_day_display(), "mails": OwnerMail.objects.all()[:LAST],
        }  # fmt: skip


class SendNow(Step):
    """Send the brief to its recipients, beside the schedule."""

    back = "dashboard:brief"

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """In their language; what the mail server answers is said."""
        owner = owner_settings()
        to = addresses(owner.brief_recipients)
        if not to:
            raise ValidationError(gettext("Nobody gets the brief yet: name somebody in the settings."))
        try:
            with translation.override(mails.language(owner)):
                subject, sections = tasks.written()
                mails.send(subject, sections, to=to)
        except mails.FAILURES as error:
            text = gettext("The mail server did not take it: %(error)s. EMAIL_URL says which server that is.")
            raise ValidationError(text % {"error": error}) from error
        n = len(to)
        return ngettext("Sent to {n} address.", "Sent to {n} addresses.", n).format(n=n)
