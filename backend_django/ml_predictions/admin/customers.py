"""Customers in the admin: who they are, why, what to do, and who has moved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ml_predictions import selectors_customers
from ml_predictions.admin.base import ReadOnly, amount, pretty
from ml_predictions.messages import render, spoken
from ml_predictions.messages.readable import NAMES
from ml_predictions.models import CustomerSegment
from ml_predictions.models_segments import SegmentChange, SegmentSnapshot
from retail_ml.errors import BadParameter


class Choice(admin.SimpleListFilter):
    """A filter with a few named conditions."""

    conditions: ClassVar[dict[str, tuple[Any, Q]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The names."""
        return [(key, label) for key, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that meet the condition chosen."""
        chosen = self.conditions.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class Overdue(Choice):
    """By how far behind the usual rhythm."""

    title = _("rhythm")
    parameter_name = "rhythm"
    conditions: ClassVar[dict[str, tuple[Any, Q]]] = {
        "in_time": (_("in time"), Q(overdue_ratio__lt=1)),
        "late": (_("late: 1 to 2 times the usual interval"), Q(overdue_ratio__gte=1, overdue_ratio__lt=2)),
        "overdue": (_("overdue: more than 2 times"), Q(overdue_ratio__gte=2)),
        "once": (_("one visit only"), Q(overdue_ratio=None)),
    }


class AtRisk(Choice):
    """By the money at risk."""

    title = _("money at risk")
    parameter_name = "at_risk"
    conditions: ClassVar[dict[str, tuple[Any, Q]]] = {
        "100": (_("100 or more"), Q(money_at_risk__gte=100)),
        "1000": (_("1,000 or more"), Q(money_at_risk__gte=1_000)),
    }


def sentences(name: str, label: Any) -> Any:
    """A column that shows the messages of `name`, one below the other."""

    @admin.display(description=label)
    def shown(page: Any, row: Any) -> SafeString | str:
        told = [(render(one),) for one in getattr(row, name)]
        return format_html_join("", "<div>{}</div>", told) if told else "—"

    return shown


class NamedCustomers(ReadOnly):
    """Shows the names of the customers of a page: one read."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page, with its people."""
        page: Any = super().get_changelist_instance(request)
        self._name(page.result_list)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """One row, with its person."""
        row = super().get_object(request, object_id, from_field)
        self._name([row] if row else [])
        return row

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By id, name, e-mail or number."""
        text = search_term.strip()[:120]
        try:
            return (selectors_customers.search(queryset, text) if text else queryset), False
        except BadParameter as error:  # it finds too many
            self.message_user(request, spoken(error), messages.WARNING)
            return queryset.none(), False

    @admin.display(description=_("customer"), ordering="customer_id")
    def who(self, row: Any) -> str:
        """The name, else the e-mail, else the id."""
        person = row.person
        return person.get("name") or person.get("email") or row.customer_id

    def _name(self, rows: Iterable[Any]) -> None:
        people = selectors_customers.contacts(sorted({row.customer_id for row in rows}))
        for row in rows:
            row.person = people.get(row.customer_id, {})


@admin.register(CustomerSegment)
class CustomerSegmentAdmin(NamedCustomers):
    """Who the customers are, as the version in service sees them."""

    list_display = (
        "who", "segment", "previous_segment", "changed_on", "recency_days", "overdue_ratio", "total_orders", "spent",
        "expected", "risk",
    )  # fmt: skip
    list_filter = ("segment", Overdue, AtRisk, "previous_segment", "changed_on")
    ordering = ("-total_spent", "id")
    search_fields = ("customer_id",)  # how it searches: `get_search_results`
    search_help_text = _("The id, or a part of the name, the e-mail or the number.")
    json_fields = ("explanation", "advice")
    pretty_explanation = sentences("explanation", _("explanation"))
    pretty_advice = sentences("advice", _("what to do"))
    spent = amount("total_spent", _("spent"))
    expected = amount("value_12", _("value, 12 months"))
    risk = amount("money_at_risk", _("money at risk"))


@admin.register(SegmentChange)
class SegmentChangeAdmin(NamedCustomers):
    """Who went from which segment to which, at which training, and why."""

    list_display = ("who", "before", "after", "driver", "as_of", "was", "now")
    list_filter = ("driver", "before", "after", "snapshot__as_of")
    list_select_related = ("snapshot",)
    search_fields = ("customer_id",)
    search_help_text = _("The id, or a part of the name, the e-mail or the number.")
    was = amount("value_before", _("12 months' value before"))
    now = amount("value_after", _("12 months' value after"))

    @admin.display(description=_("as of"), ordering="snapshot__as_of")
    def as_of(self, row: SegmentChange) -> Any:
        """The day of the training."""
        return row.snapshot.as_of


@admin.register(SegmentSnapshot)
class SegmentSnapshotAdmin(ReadOnly):
    """The six segments as of each training."""

    list_display = ("version", "as_of", "follows", "sizes")
    json_fields = ("segments",)
    pretty_segments = pretty("segments", _("segments"))

    @admin.display(description=_("customers"))
    def sizes(self, row: SegmentSnapshot) -> SafeString:
        """How many are in each."""
        told = ((NAMES[name], part["customers"]) for name, part in row.segments.items())
        return format_html_join(" · ", "{} {}", told)
