"""Whom an import must not bring back: keyed hashes of the e-mails and numbers of persons who were erased.

A hash is HMAC-SHA-256 under `settings.ERASURE_KEYS`: without the key nobody can try e-mails against the list. The key
is part of the backup, and it must not change: with another key the list finds nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from django.conf import settings

from authentication.models import ErasedPerson, User

EMAIL, NUMBER = "e-mail", "number"


def remember(*, source: str, numbers: Iterable[str] = (), emails: Iterable[str] = ()) -> int:
    """Put e-mails, and numbers of `source`, on the list; returns how many are on it now for them."""
    key = settings.ERASURE_KEYS[0]
    rows = [ErasedPerson(digest=_digest(key, EMAIL, text)) for text in emails]
    rows += [ErasedPerson(digest=_digest(key, NUMBER, text, source)) for text in numbers]
    ErasedPerson.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def erased_emails(emails: Iterable[str]) -> set[str]:
    """Those of `emails` that are on the list, as they were given: one query for any number of them."""
    return _on_the_list(emails, EMAIL)


def erased_numbers(source: str, numbers: Iterable[str]) -> set[str]:
    """Those of `numbers` that are on the list for `source`; a number that is an e-mail is looked up as both."""
    wanted = set(numbers)
    return _on_the_list(wanted, NUMBER, source) | erased_emails(text for text in wanted if "@" in text)


def forget(user: User) -> int:
    """Put what this user is known by on the list; returns how many hashes."""
    numbers = [user.external_id] if user.external_id else []
    emails = {text for text in (user.email, *numbers) if text and "@" in text}
    return remember(source=user.source, numbers=numbers, emails=sorted(emails))


def _on_the_list(texts: Iterable[str], kind: str, source: str = "") -> set[str]:
    listed = set(ErasedPerson.objects.values_list("digest", flat=True))
    if not listed:
        return set()
    keys = settings.ERASURE_KEYS
    return {text for text in texts if any(_digest(key, kind, text, source) in listed for key in keys)}


def _digest(key: str, kind: str, text: str, source: str = "") -> str:
    """The hash of one e-mail (in any case) or of one number of a source."""
    value = text.strip().lower() if kind == EMAIL else f"{source}\0{text.strip()}"
    return hmac.new(key.encode(), f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()
