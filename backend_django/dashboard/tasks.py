"""Steps of the nightly refresh that write to the owner's people. Without recipients they do nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import brief, mails
from dashboard.templatetags.dashboard import day as in_words
from ml_predictions import conf, selectors_brief, selectors_sales
from ml_predictions.models_owner import OwnerMail, addresses, owner_settings

KIND = OwnerMail.Kind


def weekly_brief() -> dict[str, Any]:
    """The brief of this week, on the owner's weekday, or in one of the nights after it when it could not be sent."""
    owner = owner_settings()
    to = addresses(owner.brief_recipients)
    due = _last_weekday(conf.shop_today(), owner.brief_day)
    if not to or OwnerMail.objects.filter(kind=KIND.WEEKLY, day=due).exclude(sent_at=None).exists():
        return {"sent": 0}
    with translation.override(mails.language(owner)):
        subject, sections = written()
        return mails.once(KIND.WEEKLY, due, subject=subject, sections=sections, to=to)


def written() -> tuple[str, list[brief.Section]]:
    """Subject and sections of the brief, in the active language."""
    found = selectors_brief.brief()
    subject = _("The shop's week up to {day}").format(day=in_words(found["as_of"] or conf.shop_today()))
    return subject, brief.weekly(found)


def critical_stock_outs() -> dict[str, Any]:
    """An e-mail when a critical stock-out is there that was not at the last look; at most one a day."""
    owner, today = owner_settings(), conf.shop_today()
    to = addresses(owner.critical_recipients)
    if not to:
        return {"sent": 0}
    alerts = selectors_brief.critical(today)
    now = {alert.pk for alert in alerts}
    last = OwnerMail.objects.filter(kind=KIND.CRITICAL).exclude(sent_at=None).order_by("-day").first()
    known = set(last.known) & now if last else set()
    if last and len(known) < len(last.known):  # what is over and comes back is new
        OwnerMail.objects.filter(pk=last.pk).update(known=sorted(known))
    if not now - known or (last and last.day >= today):
        return {"sent": 0}
    with translation.override(mails.language(owner)):
        n = len(now - known)
        subject = ngettext("{n} new critical stock-out", "{n} new critical stock-outs", n).format(n=n)
        sections = brief.critical(alerts, selectors_sales.currency())
        done = mails.once(KIND.CRITICAL, today, subject=subject, sections=sections, to=to)
    if done["sent"]:
        OwnerMail.objects.filter(kind=KIND.CRITICAL, day=today).update(known=sorted(now))
    return done


def _last_weekday(today: date, weekday: int) -> date:
    """The last day up to `today` that is this day of the week.

    >>> _last_weekday(date(2026, 7, 1), 0), _last_weekday(date(2026, 6, 29), 0)
    (datetime.date(2026, 6, 29), datetime.date(2026, 6, 29))
    """
    return today - timedelta(days=(today.weekday() - weekday) % 7)
