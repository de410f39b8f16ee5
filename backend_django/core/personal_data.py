"""Where this project may name a person: the list that erasing one goes through (`ML_PREDICTIONS["PERSONAL_DATA"]`).

A new table or file that can hold personal data gets an entry here; a test walks all columns of text and finds those
that have none. Orders and accounts are not on the list: the source sees to them (`sources.django_shop.erase_customer`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from authentication.models import User
from core.personal_files import DataFolder
from ingest.models import ImportEntry
from ml_predictions.services.erasure.needles import Needles
from ml_predictions.services.erasure.places import PLACES as RESULTS
from ml_predictions.services.erasure.places import Place, Rows, Words

LOG_TEXTS = ("object_repr", "change_message")
SIGN_IN = ("username", "user_agent", "http_accept", "path_info")


class AdminLog:
    """The admin's history: entries about the person's account go, others that name them are redacted."""

    name = "admin_log"

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """What was done to whom, in words."""
        return {"admin.LogEntry": ("object_id", *LOG_TEXTS)}

    def find(self, needles: Needles) -> int:
        """Entries about the account, and entries that name the person."""
        return self._about(needles).count() + self._words.find(needles)

    def erase(self, needles: Needles) -> int:
        """Delete the first, redact the others."""
        return self._about(needles).delete()[0] + self._words.erase(needles)

    @property
    def _words(self) -> Words:
        return Words(self.name, "admin.LogEntry", LOG_TEXTS)

    @staticmethod
    def _about(needles: Needles) -> QuerySet[LogEntry]:
        users = ContentType.objects.get_for_model(User)
        return LogEntry.objects.filter(content_type=users, object_id=needles.person.customer_id)


class Sessions:
    """Sessions of the person, and messages that wait in somebody's session and name them."""

    name = "sessions"

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """Their content is signed and packed: it is read row by row."""
        return {"sessions.Session": ("session_key", "session_data")}

    def find(self, needles: Needles) -> int:
        """Sessions that are theirs or name them."""
        return sum(1 for _session in self._found(needles))

    def erase(self, needles: Needles) -> int:
        """End theirs; redact the others, which stay."""
        count = 0
        for key, content in list(self._found(needles)):
            row = Session.objects.filter(session_key=key)
            if self._is_theirs(content, needles):
                row.delete()
            else:
                row.update(session_data=self._store().encode(needles.redact_json(content)))
            count += 1
        return count

    def _found(self, needles: Needles) -> Iterator[tuple[str, dict[str, Any]]]:
        store = self._store()
        for key, data in Session.objects.values_list("session_key", "session_data").iterator():
            content = store.decode(data)
            if self._is_theirs(content, needles) or needles.redact_json(content) != content:
                yield key, content

    @staticmethod
    def _store() -> SessionBase:
        store: SessionBase = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
        return store

    @staticmethod
    def _is_theirs(content: dict[str, Any], needles: Needles) -> bool:
        return str(content.get("_auth_user_id", "")) == needles.person.customer_id


class ImportEntries:
    """What is noted for the undo of imports: the person's own rows go, orders that name them become a guest's."""

    name = "import_entries"

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """Rows as they were before an import."""
        return {"ingest.ImportEntry": ("before",)}

    def find(self, needles: Needles) -> int:
        """Entries of the person, and of orders that were or are theirs."""
        return self._own(needles).count() + self._orders(needles).count()

    def erase(self, needles: Needles) -> int:
        """Delete the first; the others stay without the person, so that their import can still be undone."""
        count = self._own(needles).delete()[0]
        customer = int(needles.person.customer_id)
        changed = list(self._orders(needles))
        for entry in changed:
            entry.customer = None if entry.customer == customer else entry.customer
            entry.before = re.sub(rf'("customer_id": ){customer}(?=[,}}])', r"\g<1>null", entry.before or "") or None
        ImportEntry.objects.bulk_update(changed, ["customer", "before"], batch_size=200)
        return count + len(changed)

    @staticmethod
    def _own(needles: Needles) -> QuerySet[ImportEntry]:
        return ImportEntry.objects.filter(kind=ImportEntry.Kind.CUSTOMER, object_id=int(needles.person.customer_id))

    @staticmethod
    def _orders(needles: Needles) -> QuerySet[ImportEntry]:
        customer = needles.person.customer_id
        named = Q(customer=int(customer)) | Q(before__contains=f'"customer_id": {customer},')
        return ImportEntry.objects.filter(named, kind=ImportEntry.Kind.ORDER)


PLACES: list[Place] = [
    *RESULTS,
    Words("stock_notes", "products.StockMovement", ("note", "reference")),
    Words("purchase_order_notes", "purchasing.PurchaseOrder", ("note", "created_by")),
    Words("purchase_line_notes", "purchasing.PurchaseOrderLine", ("note",)),
    Words("imports", "ingest.ImportRun", ("file_name", "requested_by", "columns", "report", "error", "undo")),
    ImportEntries(),
    Rows("failed_sign_ins", "axes.AccessAttempt", (*SIGN_IN, "get_data", "post_data")),
    Rows("lockouts", "axes.AccessFailureLog", SIGN_IN),
    Rows("sign_ins", "axes.AccessLog", SIGN_IN),
    Sessions(),
    AdminLog(),
    DataFolder(),
]
