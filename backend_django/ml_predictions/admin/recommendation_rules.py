"""The owner's rules on recommendations: entered, changed and deleted by whom PERMISSION lets in."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ml_predictions.admin.base import Kept, NamedProducts
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.serializers.recommendation_rules import WRITTEN, unknown_names


class RuleForm(forms.ModelForm):
    """A rule; the products and the category that it names must be the shop's."""

    class Meta:
        model = RecommendationRule
        fields = WRITTEN

    def _post_clean(self) -> None:
        """Look up what the rule names, where that has changed and the fields fit each other."""
        super()._post_clean()  # type: ignore[misc]
        changed = {"level", "object_id", "source_product_id"} & set(self.changed_data)
        if not changed or self.errors.keys() & {"level", "object_id", "source_product_id"}:
            return
        before = self.initial if self.instance.pk else None
        for field, sentences in unknown_names(self.instance, before).items():
            self.add_error(field, sentences)


@admin.register(RecommendationRule)
class RecommendationRuleAdmin(NamedProducts, Kept):
    """Pins and exclusions."""

    form = RuleForm
    list_display = ("subject", "kind", "surface", "beside", "first_day", "last_day", "note")
    list_filter = ("kind", "level", "surface")
    search_fields = ("object_id", "note")
    product_fields: ClassVar[tuple[str, ...]] = ("object_id", "source_product_id")
    written = WRITTEN

    @admin.display(description=_("of what"), ordering="object_id")
    def subject(self, rule: Any) -> str:
        """A category, or a product by its name."""
        names = rule.product_names if rule.level == RecommendationRule.Level.PRODUCT else {}
        return f"{rule.get_level_display()}: {names.get(rule.object_id, rule.object_id)}"

    @admin.display(description=_("beside the product"), ordering="source_product_id")
    def beside(self, rule: Any) -> str:
        """The product beside which alone the rule holds, by its name."""
        return str(rule.product_names.get(rule.source_product_id, rule.source_product_id)) or "—"
