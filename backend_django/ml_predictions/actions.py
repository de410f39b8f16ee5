"""Every change a person makes by API or admin: versions, forecasts, events, rules, erasures.

What is done to alerts stands in `actions_alerts`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from api_base.audit import record
from ml_predictions.models import MLModel, Prediction
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.models_schedule import Schedule, Task
from retail_ml.errors import UnknownId

audit = logging.getLogger("ml_predictions.audit")


class Refused(Exception):
    """An action that this row does not allow in its state; `code` and `details` as everywhere."""


class WorseThanBaseline(Refused):
    """A version that loses to the naive baseline is put into service only on purpose."""

    code = "worse_than_baseline"

    def __init__(self, model: MLModel) -> None:
        self.details = {"model_id": model.pk, "service": model.service, "version": model.version}
        super().__init__(
            f"Version {model.version} of {model.service} loses to the naive baseline. "
            "Send accept_worse: true to put it into service all the same."
        )


class InService(Refused):
    """The version in service cannot be deleted."""

    code = "model_in_service"

    def __init__(self, model: MLModel) -> None:
        self.details = {"model_id": model.pk, "service": model.service, "version": model.version}
        super().__init__(f"Version {model.version} of {model.service} is in service; activate another one first.")


class EventExists(Refused):
    """The calendar has this event already: same kind, days, level, id and name."""

    code = "event_exists"

    def __init__(self, event: CalendarEvent) -> None:
        days = {"first_day": event.first_day.isoformat(), "last_day": event.last_day.isoformat()}
        self.details = {"name": event.name, **days}
        super().__init__(f"This event is in the calendar already: {event.name}, {event.first_day} to {event.last_day}.")


class CalendarBusy(Refused):
    """Another call added one of the events while they were being stored."""

    code = "calendar_busy"
    details: dict[str, Any] = {}

    def __init__(self) -> None:
        super().__init__("Another call has changed the calendar at the same moment. Nothing was stored; upload again.")


class RuleExists(Refused):
    """There is such a rule already: same kind, thing, place and days."""

    code = "rule_exists"

    def __init__(self, rule: RecommendationRule) -> None:
        self.details = {"kind": rule.kind, "level": rule.level, "object_id": rule.object_id}
        super().__init__(f"There is such a rule already: {rule.kind} the {rule.level} {rule.object_id}.")


class NotSupportedBySource(Refused):
    """The shop's source lacks an optional write."""

    code = "not_supported_by_source"

    def __init__(self, write: str, **instead: Any) -> None:
        self.details = {"write": write, **instead}
        super().__init__(f"The source of this shop has no {write}: do it in the shop's own system.")


class NotACustomer(Refused):
    """Staff and administrators are not erased as customers are."""

    code = "not_a_customer"

    def __init__(self, customer_id: str) -> None:
        self.details = {"customer_id": customer_id}
        super().__init__(
            f"The user {customer_id} belongs to the staff, and only customers are erased by this call. "
            "Give the user the role customer first, or delete the account in the admin."
        )


def activate_model(model: MLModel, *, user: Any, accept_worse: bool = False) -> MLModel:
    """Put a version into service, with its stored rows, in one transaction.

    Raises WorseThanBaseline unless `accept_worse`, and artifacts.ArtifactRefused when its file is not whole.
    """
    from ml_predictions.services import get_service

    if model.is_active:
        return model
    if model.beats_baseline is False and not accept_worse:
        raise WorseThanBaseline(model)
    service = get_service(model.service)
    content = service.content(model)
    with transaction.atomic():
        # Two activations of a service queue up here; a training that publishes meets the constraint.
        list(MLModel.objects.select_for_update().filter(service=model.service).values_list("pk"))
        service.put_in_service(model, content)
        worse = model.beats_baseline is False
        what = gettext_noop("Put into service although it loses to the baseline.") if worse else ""
        record(user, model, CHANGE, what or gettext_noop("Put into service."))
    return model


def delete_model(model: MLModel, *, user: Any) -> None:
    """Delete a version that is not in service, with its file. Raises InService."""
    from ml_predictions import artifacts

    with transaction.atomic():
        current = MLModel.objects.select_for_update().get(pk=model.pk)
        if current.is_active:
            raise InService(current)
        record(user, current, DELETION, gettext_noop("Deleted."))
        current.delete()
    artifacts.delete(model.artifact)


def save_event(event: CalendarEvent, *, user: Any) -> CalendarEvent:
    """Store a new or changed calendar event, whose fields have been checked. Raises EventExists."""
    new = event.pk is None
    if new:
        event.created_by = str(user)[:160]
    with transaction.atomic():
        try:
            with transaction.atomic():
                event.save()
        except IntegrityError as error:
            raise EventExists(event) from error
        added = (ADDITION, gettext_noop("Added to the calendar."))
        record(user, event, *(added if new else (CHANGE, gettext_noop("Changed in the calendar."))))
    return event


def delete_event(event: CalendarEvent, *, user: Any) -> None:
    """Take an event out of the calendar."""
    with transaction.atomic():
        record(user, event, DELETION, gettext_noop("Taken out of the calendar."))
        event.delete()


def add_events(events: Sequence[CalendarEvent], *, user: Any, dry_run: bool = False) -> dict[str, Any]:
    """Store checked events, all or none; those that the calendar has already, or that come twice, are left out.

    Returns `rows`, `created` (with `dry_run`: that would be), `duplicates` and `dry_run`. Raises CalendarBusy.
    """
    with transaction.atomic():
        known = {event.key for event in CalendarEvent.objects.all()}
        new = {event.key: event for event in reversed(events) if event.key not in known}  # of two alike the first
        if not dry_run and new:
            _store(list(reversed(new.values())), user=user)
    return {
        "rows": len(events), "created": len(new), "duplicates": len(events) - len(new), "dry_run": dry_run,
    }  # fmt: skip


def _store(events: list[CalendarEvent], *, user: Any) -> None:
    for event in events:
        event.created_by = str(user)[:160]
    try:
        with transaction.atomic():
            CalendarEvent.objects.bulk_create(events)
    except IntegrityError as error:
        raise CalendarBusy from error
    audit.info("%s: %d calendar events uploaded", user, len(events))
    if getattr(user, "pk", None) is not None:
        told = gettext("Uploaded to the calendar.")
        LogEntry.objects.log_actions(user_id=user.pk, queryset=events, action_flag=ADDITION, change_message=told)


def save_rule(rule: RecommendationRule, *, user: Any) -> RecommendationRule:
    """Store a new or changed recommendation rule, whose fields have been checked. Raises RuleExists."""
    new = rule.pk is None
    if new:
        rule.created_by = str(user)[:160]
    with transaction.atomic():
        try:
            with transaction.atomic():
                rule.save()
        except IntegrityError as error:
            raise RuleExists(rule) from error
        added = (ADDITION, gettext_noop("Rule added."))
        record(user, rule, *(added if new else (CHANGE, gettext_noop("Rule changed."))))
    return rule


def delete_rule(rule: RecommendationRule, *, user: Any) -> None:
    """Delete a recommendation rule."""
    with transaction.atomic():
        record(user, rule, DELETION, gettext_noop("Rule deleted."))
        rule.delete()


def save_schedule(values: dict[str, Any], *, user: Any) -> Schedule:
    """Store the owner's schedule; a task that is switched on begins with its next day, and makes up for none before."""
    with transaction.atomic():
        row, _new = Schedule.objects.select_for_update().get_or_create(pk=Schedule.ONE)
        for task in Task.values:
            if values[f"{task}_on"] and not getattr(row, f"{task}_on"):
                setattr(row, f"{task}_since", timezone.now())
        for name, value in values.items():
            setattr(row, name, value)
        row.changed_by = str(user)[:160]
        row.save()
        record(user, row, CHANGE, gettext_noop("Schedule changed."))
    return row


def request_erasure(customer_id: str, *, user: Any) -> PersonalDataErasure:
    """The row of this customer's erasure, for a run of the kind `erase`: the one under way, else a new one.

    Raises NotSupportedBySource, NotACustomer, or UnknownId (so it is once somebody is erased).
    """
    from ml_predictions.sources import get_source
    from ml_predictions.sources.base import Erasing

    source = get_source()
    if not isinstance(source, Erasing):
        raise NotSupportedBySource("erase_customer")
    with transaction.atomic():
        if under_way := PersonalDataErasure.objects.filter(customer_id=customer_id).first():
            return under_way
        person = source.person(customer_id)
        if person is None:
            raise UnknownId(
                f"The shop has no customer with the id {customer_id}.", code="unknown_customer", customer_id=customer_id
            )
        if not person.erasable:
            raise NotACustomer(customer_id)
        asked = {"requested_by": str(user)[:160]}
        row, new = PersonalDataErasure.objects.get_or_create(customer_id=person.customer_id, defaults=asked)
        if new:
            record(user, row, ADDITION, gettext_noop("Erasure of personal data requested."))
    return row


def predict_sales(parameters: dict[str, Any], *, user: Any) -> dict[str, Any]:
    """Ask the forecast in service and keep the answer as a `Prediction`.

    `parameters`: days_ahead, level, coverage and perhaps id. Returns the service's answer with `prediction_id`
    and `execution_time_ms`. Raises NotTrained, UnknownId, BadParameter or ArtifactRefused.
    """
    from ml_predictions.services.sales_forecast import SalesForecastService

    started = time.perf_counter()
    answer = dict(
        SalesForecastService().predict(
            days_ahead=parameters["days_ahead"],
            level=parameters["level"],
            object_id=parameters.get("id", ""),
            coverage=parameters["coverage"],
        )
    )
    model: MLModel = answer["model"]
    elapsed = round((time.perf_counter() - started) * 1000, 1)
    row = Prediction.objects.create(
        model=model,
        service=model.service,
        parameters=parameters,
        result={name: answer[name] for name in ("predictions", "summary", "months", "explanation", "receipt")},
        as_of=model.as_of,
        last_day=model.as_of + timedelta(days=parameters["days_ahead"]),
        requested_by=str(user)[:160],
        execution_time_ms=elapsed,
    )
    return {**answer, "execution_time_ms": elapsed, "prediction_id": row.pk}


def record_export(user: Any, *, filters: Sequence[str], contact: bool) -> None:
    """Who took customers out as a file, filtered by what, and whether with names and e-mails: in the log."""
    people = "with contacts" if contact else "without contacts"
    audit.info("%s: customers exported %s, filtered by %s", user, people, ", ".join(filters) or "nothing")
