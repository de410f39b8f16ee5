"""Where personal data may stand, each place with how to find a person there and how to remove them.

This list holds the tables of this app; a project adds its own (the setting PERSONAL_DATA). A table that has a column
`customer_id` is among them by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.apps import apps
from django.db.models import F, JSONField, Model, Q, QuerySet
from django.utils.module_loading import import_string

from ml_predictions import conf
from ml_predictions.services.erasure.needles import Needles

APP = "ml_predictions"


class Place(Protocol):
    """A place that may name a person."""

    @property
    def name(self) -> str:
        """What the certificate calls it: `erasure.place_<name>` in `messages.erasure`."""

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """The columns that it looks through: model (`app.Model`) → names of fields; none for files."""

    def find(self, needles: Needles) -> int:
        """How many rows or files name the person."""

    def erase(self, needles: Needles) -> int:
        """Remove the person from them; returns how many it changed or deleted. May be called again."""


def places() -> list[Place]:
    """The list of the setting PERSONAL_DATA."""
    found: list[Place] = import_string(conf.get("PERSONAL_DATA"))
    return found


class OfCustomer:
    """Every stored result of one customer: the rows of all tables of this app with a column `customer_id`."""

    name = "results"
    keeps = ("PersonalDataErasure",)
    """Tables that the erasure itself sees to."""

    @property
    def models(self) -> list[type[Model]]:
        """The tables with that column."""
        every = apps.get_app_config(APP).get_models()
        return [m for m in every if m.__name__ not in self.keeps and _has(m, "customer_id")]

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """All columns of text of those tables: the rows go as a whole."""
        return {m._meta.label: [field.name for field in m._meta.fields] for m in self.models}

    def find(self, needles: Needles) -> int:
        """Rows of this customer."""
        return sum(self._rows(m, needles).count() for m in self.models)

    def erase(self, needles: Needles) -> int:
        """Delete them."""
        return sum(self._rows(m, needles).delete()[0] for m in self.models)

    def _rows(self, model: type[Model], needles: Needles) -> QuerySet[Any]:
        return model._default_manager.filter(customer_id=needles.person.customer_id)


@dataclass(frozen=True)
class Columns:
    """Some columns of one table (`app.Model`)."""

    name: str
    model: str
    fields: tuple[str, ...]

    @property
    def covers(self) -> Mapping[str, Sequence[str]]:
        """These columns."""
        return {self.model: self.fields}


class Words(Columns):
    """Columns in which somebody may have written a name or an address: the words are replaced, the row stays."""

    def find(self, needles: Needles) -> int:
        """Rows that name the person."""
        return len(self._changed(needles))

    def erase(self, needles: Needles) -> int:
        """Write `[erased]` in the place of the words, as far as the column is wide."""
        model, changed = apps.get_model(self.model), self._changed(needles)
        for pk, values in changed.items():
            model._default_manager.filter(pk=pk).update(**values)
        return len(changed)

    def _changed(self, needles: Needles) -> dict[Any, dict[str, Any]]:
        """Primary key → the columns that name the person, as they will be."""
        model = apps.get_model(self.model)
        texts, condition = needles.candidates(*self.fields)
        json = [f for f in self.fields if isinstance(model._meta.get_field(f), JSONField)]
        for field in json:
            customer = needles.person.customer_id
            numbers = [int(customer)] if customer.isascii() and customer.isdigit() else []
            for value in (customer, *numbers):
                condition |= Q(**{f"{field}__customer_id": value})
        rows = model._default_manager.order_by().annotate(**texts).filter(condition).values("pk", *self.fields)
        changed = {}
        for row in rows.iterator():
            new = {f: self._redacted(model, f, row[f], needles) for f in self.fields}
            if different := {f: value for f, value in new.items() if value != row[f]}:
                changed[row["pk"]] = different
        return changed

    @staticmethod
    def _redacted(model: type[Model], field: str, value: Any, needles: Needles) -> Any:
        if not isinstance(value, str) or isinstance(model._meta.get_field(field), JSONField):
            return needles.redact_json(value)
        return needles.redact(value)[: getattr(model._meta.get_field(field), "max_length", None)]


class Rows(Columns):
    """Rows that are about one person as a whole: those whose columns name them are deleted."""

    def find(self, needles: Needles) -> int:
        """Rows that name the person."""
        return len(self._keys(needles))

    def erase(self, needles: Needles) -> int:
        """Delete them."""
        keys = self._keys(needles)
        for start in range(0, len(keys), 500):
            apps.get_model(self.model)._default_manager.filter(pk__in=keys[start : start + 500]).delete()
        return len(keys)

    def _keys(self, needles: Needles) -> list[Any]:
        texts, condition = needles.candidates(*self.fields)
        rows = apps.get_model(self.model)._default_manager.order_by().annotate(**texts).filter(condition)
        found = rows.values_list("pk", *(F(name) for name in texts)).iterator()
        return [pk for pk, *values in found if any(needles.found_in(str(value)) for value in values if value)]


def _has(model: type[Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.fields)


PLACES: list[Place] = [
    OfCustomer(),
    Words(
        "trainings",
        f"{APP}.MLTrainingLog",
        ("parameters", "requested_by", "step", "result", "error", "cancel_requested_by"),
    ),
    Words("versions", f"{APP}.MLModel", ("metrics", "receipt", "parameters", "fingerprint", "comparison", "drift")),
    Words("predictions", f"{APP}.Prediction", ("parameters", "result", "looked_back", "requested_by")),
    Words("alerts", f"{APP}.InventoryAlert", ("resolved_by", "acknowledged_by", "snoozed_by", "note", "reason")),
    Words("calendar", f"{APP}.CalendarEvent", ("created_by", "note")),
    Words("rules", f"{APP}.RecommendationRule", ("created_by", "note")),
    Words("schedule", f"{APP}.Schedule", ("changed_by",)),
    Words(
        "owner_settings",
        f"{APP}.OwnerSettings",
        ("country", "region", "brief_recipients", "critical_recipients", "changed_by"),
    ),
    Words("owner_mails", f"{APP}.OwnerMail", ("error",)),
]
"""Where this app may name a person. Model files are looked through apart (`services.erasure.versions`)."""
