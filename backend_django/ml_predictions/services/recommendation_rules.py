"""The owner's rules on recommendations, as they stand at the moment of a question.

Light: neither the mathematics nor the shop's tables are imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.models_rules import RecommendationRule

Row = tuple[str, str, str, str, str]
"""Kind, level, id, surface, source product."""
Pin = tuple[str, str]
"""Level and id of what comes first."""


@dataclass(frozen=True)
class Wishes:
    """What the owner wants of one list: what comes first, in this order, and what is never shown."""

    pins: tuple[Pin, ...] = ()
    products: frozenset[str] = field(default_factory=frozenset)
    categories: frozenset[str] = field(default_factory=frozenset)

    def forbids(self, product: Mapping[str, Any]) -> bool:
        """Is this product (`product_id`, `category`) never to be shown? An exclusion wins over a pin."""
        return product["product_id"] in self.products or product["category"] in self.categories


class RulesInForce:
    """The rules of a surface that hold today: one query, whatever number of questions they are for."""

    def __init__(self, surface: str, subjects: Collection[str] | None = ()) -> None:
        """For questions beside the products of `subjects`; None: beside any."""
        today = timezone.localdate(timezone=ZoneInfo(str(conf.get("TIME_ZONE"))))
        chosen = (
            Q(surface__in=["", surface])
            & (Q(first_day=None) | Q(first_day__lte=today))
            & (Q(last_day=None) | Q(last_day__gte=today))
        )
        if subjects is not None:
            chosen &= Q(source_product_id__in=["", *subjects])
        rows = RecommendationRule.objects.filter(chosen).order_by("id")
        self._by_source: dict[str, list[Row]] = {}
        for row in rows.values_list("kind", "level", "object_id", "surface", "source_product_id"):
            self._by_source.setdefault(row[4], []).append(row)

    def beside(self, subjects: Sequence[str]) -> Wishes:
        """The wishes for a question that names these products.

        Pins: those of one of the products first, then those of the surface, then those of everywhere; of equals the
        oldest.
        """
        general = self._by_source.get("", [])
        own = [row for subject in subjects for row in self._by_source.get(subject, [])]
        ordered = [*own, *(row for row in general if row[3]), *(row for row in general if not row[3])]
        never = [row for row in ordered if row[0] == RecommendationRule.Kind.EXCLUDE]
        return Wishes(
            tuple(dict.fromkeys(row[1:3] for row in ordered if row[0] == RecommendationRule.Kind.PIN)),
            frozenset(row[2] for row in never if row[1] == RecommendationRule.Level.PRODUCT),
            frozenset(row[2] for row in never if row[1] == RecommendationRule.Level.CATEGORY),
        )
