"""What to order and the drafts of it: queries, bodies, and the shapes of the answers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers as s

from api_base.fields import Flag, Number, Text, Whole
from api_base.serializers import Explained
from ml_predictions.serializers.answers import day, many, number, part, shape, text, texts
from ml_predictions.serializers.inputs import LONGEST_ID

MOST_LINES, MOST_ASKED = 1_000, 100_000
FILL = _("Fill orders below the least that their supplier takes up to it.")


class Reorder(Explained):
    """What may be spent, and at whom."""

    budget = s.FloatField(min_value=0, max_value=1e12, required=False, help_text=_("In the shop's currency."))
    supplier = Text(max_length=160, required=False, help_text=_("A supplier's id or name."))
    fill_minimum = s.BooleanField(default=False, help_text=FILL)


class ReorderAsked(Reorder):
    """The same, and how many lines are to be told."""

    top_n = s.IntegerField(
        min_value=1, max_value=MOST_ASKED, required=False,
        help_text=_("So many lines, the most urgent; counts and sums are of all. Without it every line is told."),
    )  # fmt: skip


class DraftedLine(Explained):
    """How many units of a variant to order, beside those that stood in drafts when one decided."""

    variant_id = Text(max_length=LONGEST_ID)
    units = Whole(min_value=1, max_value=1_000_000)
    drafted = Number(
        min_value=0, max_value=1e9, default=0,
        help_text=_("As the recommendation said it: drafts beyond these count as part of the units."),
    )  # fmt: skip


class DraftOrders(Reorder):
    """What to draft: chosen lines, else all that is recommended, within a budget and from a supplier if given."""

    budget = Number(min_value=0, max_value=1e12, required=False, help_text=_("In the shop's currency."))
    fill_minimum = Flag(default=False, help_text=FILL)
    lines = s.ListField(
        child=DraftedLine(), min_length=1, max_length=MOST_LINES, required=False,
        help_text=_("What has been drafted meanwhile counts; the rest is added, in whole packs."),
    )  # fmt: skip

    def validate_lines(self, value: list[dict[str, Any]]) -> dict[str, float]:
        """Units by variant that are to stand in drafts afterwards; each variant stands on one line."""
        found = {line["variant_id"]: line["units"] + line["drafted"] for line in value}
        if len(found) < len(value):
            raise s.ValidationError(_("A variant stands on more than one line; put its units on one."))
        return found


# --- answers --------------------------------------------------------------------------------------

NEVER_COUNTED = "When the shop has never counted its stock."


def _lines(name: str) -> Any:
    return many(
        name,
        product_id=text(),
        variant_id=text(),
        sku=text(),
        product_name=text(),
        options=text(),
        current_stock=number(null=False),
        on_order=number(null=False),
        drafted=number(null=False),
        reorder_point=number(),
        order_up_to=number(),
        recommended_order_quantity=number(null=False),
        safety_stock=number(),
        daily_demand=number(),
        lead_time_days=number(),
        unit_cost=number("At this quantity: of the supplier's price break, else the variant's own."),
        estimated_cost=number(),
        stockout_date_without_order=day(),
        stockout_date_with_order=day(),
        expected_on=s.DateField(help_text="When it comes, ordered today."),
        cover_days=number("Days of demand that are there once it has come."),
        filled_units=number("Units of it that fill the order up to the supplier's minimum.", null=False),
        break_taken=s.BooleanField(help_text="Raised to a price break."),
        next_break_units=number("The next quantity from which one costs less."),
        next_break_cost=number(),
        season_end=day(),
        supplier_id=text(null=True),
        supplier=text(null=True),
        confidence=s.ChoiceField(choices=["low", "medium", "high"]),
        priority=s.IntegerField(),
        reason=text(),
        notes=texts(),
    )


def _supplier(name: str) -> dict[str, Any]:
    return {
        "supplier_id": text(null=True),
        "supplier": text(null=True),
        "units": number(null=False),
        "estimated_cost": number(null=False),
        "without_cost": s.IntegerField(help_text="Lines whose cost nobody knows."),
        "minimum_order_value": number("The supplier's smallest order."),
        "missing_to_minimum": number("0: it is reached."),
        "expected_on": s.DateField(help_text="When the last of it comes, ordered today."),
        "note": s.CharField(allow_null=True, help_text="Where the smallest order is not reached, how much is missing."),
        "fill_cost": number("What filling it up to the smallest order costs more; 0: not needed, or not possible."),
        "fill_lines": many(
            f"{name}FillLine",
            variant_id=text(),
            sku=text(),
            product_name=text(),
            units=number("Units to add, or with `fill_minimum` those that were.", null=False),
            estimated_cost=number(),
        ),
    }


def _left_out(name: str) -> Any:
    return part(
        name,
        count=s.IntegerField(),
        expected_margin_lost=number(),
        estimated_cost=number("What it would cost."),
        in_drafts=number("What of the budget stands in drafts already."),
        unspent=number("What is left of the budget; null without one."),
        lines=many(
            f"{name}Line",
            variant_id=text(),
            sku=text(),
            product_name=text(),
            units=number(null=False),
            estimated_cost=number(),
        ),
    )


REORDER = shape(
    "ReorderRecommendations",
    success=s.BooleanField(),
    recommendations=_lines("ReorderLine"),
    total_recommendations=s.IntegerField(),
    estimated_total_cost=number(),
    without_cost=s.IntegerField(),
    by_supplier=many("ReorderSupplier", lines=s.IntegerField(), **_supplier("Reorder")),
    left_out=_left_out("ReorderLeftOut"),
    currency=text(),
    note=s.CharField(required=False, help_text=f"{NEVER_COUNTED} Or that far more is due than in a usual week."),
)
DRAFTED = shape(
    "DraftedOrders",
    success=s.BooleanField(),
    message=s.CharField(required=False, help_text="When there was nothing to draft."),
    drafts=many(
        "DraftedOrder",
        purchase_order_id=text(),
        number=text(),
        lines=_lines("DraftedOrderLine"),
        **_supplier("Draft"),
    ),
    totals=part(
        "DraftedTotals",
        drafts=s.IntegerField(),
        lines=s.IntegerField(),
        units=number(null=False),
        estimated_cost=number(null=False),
        without_cost=s.IntegerField(),
    ),
    without_supplier=_lines("LineWithoutSupplier"),
    skipped=many("SkippedLine", variant_id=text(), sku=text(), asked_units=number(null=False), reason=text()),
    left_out=_left_out("DraftLeftOut"),
    currency=text(),
    note=s.CharField(required=False, help_text=NEVER_COUNTED),
)
