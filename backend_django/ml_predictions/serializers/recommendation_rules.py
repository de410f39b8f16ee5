"""The owner's rules on recommendations: a body checked field by field and as a whole, a row as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from api_base.serializers import Record
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.serializers.calendar_events import not_in_shop
from ml_predictions.services import calendar_events

WRITTEN = ("kind", "level", "object_id", "surface", "source_product_id", "first_day", "last_day", "note")
"""The fields that a person fills in."""


class RecommendationRuleRecord(Record):
    """A pin or an exclusion of a product or a category."""

    class Meta:
        model = RecommendationRule
        fields = ["id", *WRITTEN, "created_by", "created_at", "changed_at"]
        read_only_fields = ["created_by", "created_at", "changed_at"]
        extra_kwargs = {
            "level": {"default": RecommendationRule.Level.PRODUCT.value},
            "surface": {"default": ""},
            "source_product_id": {"default": ""},
            "first_day": {"default": None},
            "last_day": {"default": None},
            "note": {"default": ""},
        }
        validators: list[Any] = []  # a rule that is there already is a conflict, and found when it is stored

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields must fit each other, and what a rule names must be the shop's."""
        whole = {name: getattr(self.instance, name) for name in WRITTEN} if self.instance else {}
        rule = RecommendationRule(**{**whole, **attrs})
        try:
            rule.clean()
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        if faults := unknown_names(rule, None if self.instance is None else whole):
            raise serializers.ValidationError(faults)
        return attrs


def unknown_names(rule: RecommendationRule, before: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Field and sentence of every product or category of `rule` that the shop does not have.

    `before`: the fields of the rule as it is stored, if it is; what has not changed is not looked up again.
    """
    before, found = before or {}, {}
    named = {"object_id": (rule.level, rule.object_id), "source_product_id": ("product", rule.source_product_id)}
    old = {"object_id": (before.get("level"), before.get("object_id")),
           "source_product_id": ("product", before.get("source_product_id"))}  # fmt: skip
    scopes = {field: scope for field, scope in named.items() if scope[1] and scope != old[field]}
    unknown = calendar_events.unknown(scopes.values())
    for field, scope in scopes.items():
        if scope in unknown:
            found[field] = [not_in_shop(*scope, unknown[scope])]
    return found
