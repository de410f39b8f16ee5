"""Customers' segments as JSON and as CSV, and the shapes of their answers for the documentation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers as s

from api_base.fields import Day
from api_base.serializers import Explained
from api_base.spreadsheets import UTF8_MARK, csv_line
from ml_predictions.messages.readable import NAMES
from ml_predictions.models import CustomerSegment
from ml_predictions.models_segments import ChanceBand, Driver, Segment
from ml_predictions.serializers.answers import anything, day, many, number, part, shape, text, texts
from ml_predictions.serializers.records import rendered

SEPARATORS = {"comma": ",", "semicolon": ";"}


def segment_fields(row: CustomerSegment) -> dict[str, Any]:
    """What is told of one customer, in the list and alone."""
    return {
        "customer_id": row.customer_id,
        "cluster": row.cluster,
        "segment_type": row.segment,
        "segment_name": str(NAMES[row.segment]),
        "confidence_score": row.confidence,
        "characteristics": {
            "recency_days": row.recency_days,
            "total_orders": row.total_orders,
            "total_spent": row.total_spent,
            "spent_last_year": row.spent_year,
            "avg_order_value": row.avg_order_value,
            "purchase_frequency_monthly": row.purchase_frequency_monthly,
            "usual_interval_days": row.usual_interval_days,
            "overdue_ratio": row.overdue_ratio,
        },
        "rfm_scores": {
            "recency": row.recency_score,
            "frequency": row.frequency_score,
            "monetary": row.monetary_score,
        },
        "lifetime_value_prediction": row.value_12,
        "lifetime_value": {
            "months_3": row.value_3,
            "months_6": row.value_6,
            "months_12": row.value_12,
            "lower": row.value_lower,
            "upper": row.value_upper,
            "months_3_lower": row.value_3_lower,
            "months_3_upper": row.value_3_upper,
            "months_6_lower": row.value_6_lower,
            "months_6_upper": row.value_6_upper,
        },
        "expected_orders_12_months": row.orders_12,
        "probability_alive": row.probability_alive,
        "probability_of_purchase_90d": row.probability_90d,
        "purchase_90d": row.chance_band or None,
        "expected_next_purchase": row.expected_next,
        "expected_next_purchase_early": row.expected_early,
        "money_at_risk": row.money_at_risk,
        "recommendations": rendered(row.advice),
        "explanation": rendered(row.explanation),
        "previous_segment": row.previous_segment or None,
        "changed_on": row.changed_on,
    }


def segment_answer(row: CustomerSegment) -> dict[str, Any]:
    """The answer of `customer-segment/` for one stored row, with its version (`row.model`)."""
    return {"success": True, **segment_fields(row), "as_of": row.model.as_of}


# --- queries --------------------------------------------------------------------------------------


class Migration(Explained):
    """Which two trainings to compare: by day (the last training by then) or by version."""

    to = Day(required=False, help_text=_("The last training on or before this day; the default: in service."))
    from_version = s.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    to_version = s.IntegerField(min_value=1, max_value=2**31 - 1, required=False)

    def get_fields(self) -> dict[str, Any]:
        """With `from`, which Python does not take for a name."""
        told = _("The last training on or before this day; the default: the one before `to`.")
        return {"from": Day(required=False, help_text=told), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A day or a version, not both."""
        for side in ("from", "to"):
            if side in attrs and f"{side}_version" in attrs:
                raise s.ValidationError({side: [_("Give a day or a version, not both.")]})
        return attrs


class Export(Explained):
    """What the file holds beside the figures."""

    contact = s.BooleanField(default=False, help_text=_("With name and e-mail, as far as the shop knows them."))
    separator = s.ChoiceField(
        choices=list(SEPARATORS),
        default="comma",
        help_text=_("Spreadsheets set to Spanish open files with semicolons by themselves."),
    )


EXPORT_PARAMETERS = ("contact", "separator")
"""The parameters of the file, beside the filters of the list."""


# --- CSV ------------------------------------------------------------------------------------------

COLUMNS = (
    "customer_id", "segment", "segment_name", "previous_segment", "changed_on", "confidence", "recency_days",
    "total_orders", "total_spent", "spent_last_year", "usual_interval_days", "overdue_ratio", "value_12_months",
    "value_lower", "value_upper", "probability_90d", "purchase_90d", "expected_next_purchase", "money_at_risk", "why",
    "what_to_do",
)  # fmt: skip
CONTACT = ("name", "email")


def csv_cells(row: CustomerSegment) -> list[Any]:
    """The cells of `COLUMNS` of one customer."""
    why, what = " ".join(rendered(row.explanation)), " ".join(rendered(row.advice))
    return [
        row.customer_id, row.segment, str(NAMES[row.segment]), row.previous_segment, row.changed_on, row.confidence,
        row.recency_days, row.total_orders, row.total_spent, row.spent_year, row.usual_interval_days,
        row.overdue_ratio, row.value_12, row.value_lower, row.value_upper, row.probability_90d, row.chance_band,
        row.expected_next, row.money_at_risk, why, what,
    ]  # fmt: skip


def csv_lines(parts: Iterator[list[CustomerSegment]], *, contacts: Any, separator: str, language: str) -> Iterator[str]:
    """The file, a part at a time, in the language given: it is written after the request's own has ended.

    contacts: ids → names and e-mails of a part, or None for a file without.
    """
    yield UTF8_MARK + csv_line([*COLUMNS[:1], *(CONTACT if contacts else ()), *COLUMNS[1:]], separator)
    for rows in parts:
        people = contacts([row.customer_id for row in rows]) if contacts else {}
        with translation.override(language):
            lines = [csv_line(_with_contact(row, people if contacts else None), separator) for row in rows]
        yield "".join(lines)


def _with_contact(row: CustomerSegment, people: dict[str, dict[str, str]] | None) -> list[Any]:
    first, *others = csv_cells(row)
    if people is None:
        return [first, *others]
    person = people.get(row.customer_id, {})
    return [first, *(person.get(name) for name in CONTACT), *others]


# --- shapes, for the documentation ----------------------------------------------------------------


_OF_CUSTOMER: dict[str, Any] = {
    "customer_id": text(),
    "cluster": s.IntegerField(),
    "segment_type": s.ChoiceField(choices=Segment.choices),
    "segment_name": text(),
    "confidence_score": number("0…1: how much nearer than the nearest other segment.", null=False),
    "characteristics": part(
        "SegmentCharacteristics",
        recency_days=s.IntegerField(),
        total_orders=s.IntegerField(),
        total_spent=number(null=False),
        spent_last_year=number("In the last 365 days.", null=False),
        avg_order_value=number(null=False),
        purchase_frequency_monthly=number(null=False),
        usual_interval_days=number("Mean days between two visits; null after a single one."),
        overdue_ratio=number("Days since the last order / usual interval (14 days at least)."),
    ),
    "rfm_scores": part(
        "RfmScores", recency=s.IntegerField(), frequency=s.IntegerField(), monetary=s.IntegerField()
    ),
    "lifetime_value_prediction": number("The next 12 months."),
    "lifetime_value": part(
        "LifetimeValue",
        **{f"months_{m}": number(f"Revenue of the next {m} months, at its worth today.") for m in (3, 6, 12)},
        **{
            name: number("80 % of such customers bring no less, and no more.")
            for name in ("lower", "upper", "months_3_lower", "months_3_upper", "months_6_lower", "months_6_upper")
        },
    ),
    "expected_orders_12_months": number(),
    "probability_alive": number("0…1: is still a customer."),
    "probability_of_purchase_90d": number("0…1; null with less history than it takes to know the season."),
    "purchase_90d": s.ChoiceField(choices=ChanceBand.choices, allow_null=True, help_text="In words."),
    "expected_next_purchase": s.DateField(allow_null=True, help_text="Has come by then with a chance of 50 %."),
    "expected_next_purchase_early": s.DateField(allow_null=True, help_text="… of 25 %."),
    "money_at_risk": number("Spent in the last 365 days less what the next 12 months should bring, at least 0."),
    "recommendations": texts(),
    "explanation": texts(),
    "previous_segment": text(null=True),
    "changed_on": day(),
}  # fmt: skip


def of_customer() -> dict[str, Any]:
    """The fields of `segment_fields`, for a serializer of its own."""
    return copy.deepcopy(_OF_CUSTOMER)


SEGMENT = shape("Segment", success=s.BooleanField(), **of_customer(), as_of=s.DateField())


class SegmentRecord(s.Serializer[CustomerSegment]):
    """One customer in the list; name and e-mail as far as the shop knows them."""

    def get_fields(self) -> dict[str, Any]:
        """Those of one customer, and who it is."""
        who = {"name": s.CharField(allow_null=True), "email": s.CharField(allow_null=True)}
        return {**who, **of_customer()}

    def to_representation(self, instance: CustomerSegment) -> dict[str, Any]:
        """The row; `context["contacts"]` names people by id."""
        person = self.context.get("contacts", {}).get(instance.customer_id, {})
        return {**{name: person.get(name) or None for name in CONTACT}, **segment_fields(instance)}


def _figures() -> dict[str, Any]:
    return {
        "spent": number("In all."),
        "spent_last_year": number("In the last 365 days."),
        "expected_12_months": number("What the next 12 months should bring; null where it cannot be tested."),
        "money_at_risk": number("Spent in the last 365 days less what is expected, per customer at least 0, added up."),
        "expected_buyers_90d": number("Customers expected to order within 90 days."),
    }


SUMMARY = shape(
    "SegmentSummary",
    success=s.BooleanField(),
    as_of=s.DateField(),
    model=anything("The version behind the answer."),
    total_customers=s.IntegerField(),
    segments=many(
        "SegmentFigures",
        segment=s.ChoiceField(choices=Segment.choices),
        name=text(),
        customers=s.IntegerField(),
        share=number("Of the customers."),
        spent_share=number("Of all that was spent."),
        expected_share=number("Of all that is expected."),
        overdue_customers=s.IntegerField(help_text="Two usual intervals or more since the last order."),
        average_recency_days=number(),
        average_orders=number(),
        **_figures(),
    ),
    totals=part("SegmentTotals", **_figures()),
    guests=anything("Orders and money of guests: in no segment."),
    only_returns=s.IntegerField(allow_null=True, help_text="Customers with returns alone: in no segment."),
    clusters=s.DictField(
        allow_null=True, help_text="Which clusters each name stands for; null where names were given by rank."
    ),
    value=anything("The method behind the expected values, with the receipt of its back-test."),
    explanation=texts(),
)
_TRAINING = {"version": s.IntegerField(), "as_of": s.DateField()}
MIGRATION = shape(
    "SegmentMigration",
    success=s.BooleanField(),
    **{"from": part("MigrationStart", **_TRAINING), "to": part("MigrationEnd", **_TRAINING)},
    trainings=many("MigrationTraining", **_TRAINING),
    segments=many(
        "MigrationSegment",
        segment=s.ChoiceField(choices=Segment.choices),
        name=text(),
        before=s.IntegerField(),
        after=s.IntegerField(),
        arrived=s.IntegerField(help_text="Customers who had no order before."),
        left=s.IntegerField(help_text="Customers who have no order any more."),
    ),
    matrix=s.DictField(child=s.DictField(child=s.IntegerField()), help_text="Customers: from → to."),
    shares=s.DictField(
        child=s.DictField(child=s.FloatField(allow_null=True)), help_text="The same as shares of each row."
    ),
    stayed=s.IntegerField(),
    moved=s.IntegerField(),
    moves=many(
        "SegmentMove",
        **{"from": s.ChoiceField(choices=Segment.choices), "to": s.ChoiceField(choices=Segment.choices)},
        customers=s.IntegerField(),
        share=number("Of those who were there."),
        value_before=number("Expected of them in 12 months, before."),
        value_after=number("Expected of them in 12 months, now."),
        value_change=number(),
        drivers=many(
            "MoveDriver", driver=s.ChoiceField(choices=Driver.choices), name=text(), customers=s.IntegerField()
        ),
    ),
    explanation=texts(),
)
