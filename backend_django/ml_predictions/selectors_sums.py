"""What the customers of the version in service add up to, segment by segment: remembered while no row can change."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.db.models import Avg, Count, Q, Sum
from django.db.models.functions import Coalesce

from ml_predictions.models import CustomerSegment, MLModel
from ml_predictions.models_erasure import PersonalDataErasure

OVERDUE = 2.0
"""Usual intervals since the last order from which on a customer counts as overdue."""
Sums = dict[str, dict[str, Any]]


def of_segments(model: MLModel) -> Sums:
    """Segment → `customers`, sums of money and means; one query or two.

    The rows of a version are written when it is put into service; after that only an erasure takes some away. While one
    is under way nothing is remembered.
    """
    erased = PersonalDataErasure.objects.aggregate(all=Count("id"), finished=Count("finished_at"))
    if erased["all"] != erased["finished"]:
        return _added_up(model.pk)
    return _remembered(model.pk, model.artifact, model.trained_at, model.activated_at, erased["all"])


@lru_cache(maxsize=4)
def _remembered(version: int, *_what_changes_with_the_rows: object) -> Sums:
    return _added_up(version)


def _added_up(version: int) -> Sums:
    # From an index alone: it does not hold `id`.
    found = CustomerSegment.objects.filter(model=version).order_by().values("segment").annotate(
        customers=Count("*"),
        spent=Sum("total_spent"),
        earned=Coalesce(Sum("total_spent", filter=Q(total_spent__gt=0)), 0.0),
        year=Sum("spent_year"),
        value=Sum("value_12"),
        risk=Sum("money_at_risk"),
        buyers=Sum("probability_90d"),
        recency=Avg("recency_days"),
        orders=Avg("total_orders"),
        overdue=Count("overdue_ratio", filter=Q(overdue_ratio__gte=OVERDUE)),
    )  # fmt: skip
    return {row["segment"]: dict(row) for row in found}
