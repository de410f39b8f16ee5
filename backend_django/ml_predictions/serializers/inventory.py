"""The inventory's calls: what is asked of alerts and stock, and the shapes of the answers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers as s

from api_base.fields import Day, Text, Whole
from api_base.serializers import Explained
from ml_predictions.actions_alerts import MOST_AT_ONCE
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim
from ml_predictions.serializers import answers
from ml_predictions.serializers.inputs import LONGEST_ID
from ml_predictions.serializers.records import AlertRecord

# --- asking ---------------------------------------------------------------------------------------


class InventoryAnalysis(Explained):
    """Which alerts of the analysis to show; the summary is over all."""

    alert_type = s.ChoiceField(choices=InventoryAlert.Type.choices, required=False)
    code = s.CharField(max_length=40, required=False)
    min_urgency = s.IntegerField(min_value=1, max_value=5, required=False)
    category = s.CharField(max_length=LONGEST_ID, required=False)
    product_id = s.CharField(max_length=LONGEST_ID, required=False)
    search = s.CharField(max_length=LONGEST_ID, required=False, help_text=_("In SKU and product name."))
    ordering = s.ChoiceField(
        choices=[
            f"{sign}{name}"
            for name in ("money_at_stake", "urgency_level", "days_until_stockout", "product_name", "sku")
            for sign in ("", "-")
        ],
        default="-money_at_stake",
    )
    page = s.IntegerField(min_value=1, max_value=1_000_000, default=1)
    page_size = s.IntegerField(min_value=1, max_value=200, default=100)


class SlowMoving(Explained):
    """Which idle stock to show, and what a markdown is reckoned with; the summary is over all that passes."""

    kind = s.ChoiceField(choices=["dead", "slow", "excess"], required=False)
    category = s.CharField(max_length=LONGEST_ID, required=False)
    supplier_id = s.CharField(max_length=LONGEST_ID, required=False)
    product_id = s.CharField(max_length=LONGEST_ID, required=False)
    min_cost = s.FloatField(min_value=0, required=False, help_text=_("Stock at cost."))
    search = s.CharField(max_length=LONGEST_ID, required=False, help_text=_("In SKU and product name."))
    elasticity = s.FloatField(
        min_value=1.05, max_value=5, default=2.0,
        help_text=_("By so many per cent demand rises when the price falls by one: an assumption."),
    )  # fmt: skip
    days = s.IntegerField(min_value=7, max_value=365, default=91, help_text=_("Days that a markdown is given."))
    ordering = s.ChoiceField(
        choices=[
            f"{sign}{name}"
            for name in ("stock_value", "gain", "cover_days", "idle_days", "current_stock", "product_name", "sku")
            for sign in ("", "-")
        ],
        default="-stock_value",
    )
    page = s.IntegerField(min_value=1, max_value=1_000_000, default=1)
    page_size = s.IntegerField(min_value=1, max_value=200, default=100)


class Value(Explained):
    """Which claims of the past to look at."""

    since = Day(required=False, help_text=_("Claims made from this day on."))
    until = Day(required=False, help_text=_("Claims made up to this day."))
    kind = s.ChoiceField(choices=InventoryClaim.Kind.choices, required=False)
    code = s.CharField(max_length=40, required=False)
    variant_id = s.CharField(max_length=LONGEST_ID, required=False)


# --- acting on alerts -----------------------------------------------------------------------------


class Note(Explained):
    """A note on how the alert was dealt with."""

    note = Text(max_length=500, required=False, allow_blank=True, default="")


class Snooze(Note):
    """Until which day an alert is put off."""

    until = Day(help_text=_("The day on which it comes back: from tomorrow to a year ahead."))


class ResolveMany(Note):
    """Which alerts to resolve: by their ids, or by filters of the list. All of them or none."""

    ids = s.ListField(child=Whole(min_value=1, max_value=2**63 - 1), required=False, max_length=MOST_AT_ONCE)
    filters = s.DictField(
        required=False, help_text=_('Filters of the list, such as {"code": "SLOW_MOVING"}; at least one.')
    )
    at_most = Whole(min_value=1, max_value=MOST_AT_ONCE, default=200, help_text=_("When more fit, none is resolved."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ids or filters, one of them and not empty."""
        if bool(attrs.get("ids")) == bool(attrs.get("filters")):
            raise s.ValidationError({"ids": [_("Send ids or filters, one of the two.")]})
        return attrs


# --- answers --------------------------------------------------------------------------------------

ANALYSIS = answers.shape(
    "InventoryAnalysis",
    success=s.BooleanField(),
    total_products_analyzed=s.IntegerField(help_text="Variants."),
    as_of=s.DateField(),
    count=s.IntegerField(help_text="Alerts that pass the filters."),
    page=s.IntegerField(),
    page_size=s.IntegerField(),
    alerts=answers.many(
        "AnalysedVariant",
        product_id=answers.text(),
        variant_id=answers.text(),
        sku=answers.text(),
        product_name=answers.text(),
        alert_type=s.ChoiceField(choices=InventoryAlert.Type.choices),
        code=answers.text(),
        current_stock=answers.number(null=False),
        recommended_stock=answers.number(),
        predicted_demand_7days=answers.number(),
        predicted_demand_30days=answers.number(),
        daily_sales_rate=answers.number(),
        days_until_stockout=answers.number(),
        estimated_stockout_date=answers.day(),
        urgency_level=s.IntegerField(min_value=1, max_value=5),
        rotation_rate=answers.number(),
        price=answers.number(),
        category=answers.text(null=True),
        money_at_stake=answers.number(),
        probability=answers.number("Of what the alert warns of; null: it is so already."),
        expected_money=answers.number("The money at stake, weighed with the probability."),
        also=s.ListField(child=s.CharField(), help_text="Codes of what else is true, the most urgent first."),
        reason=answers.text(),
    ),
    summary=answers.part(
        "AnalysisSummary",
        total_alerts=s.IntegerField(),
        by_type=s.DictField(child=s.IntegerField()),
        by_urgency=s.DictField(child=s.IntegerField()),
        total_stock_value_at_risk=answers.number(),
    ),
    note=s.CharField(required=False, help_text="When the shop has never counted its stock."),
)
HEALTH = answers.shape(
    "InventoryHealth",
    success=s.BooleanField(),
    health_score=answers.number("0…100"),
    status=s.ChoiceField(choices=["healthy", "warning", "critical"], allow_null=True),
    components=answers.part(
        "HealthComponents",
        **{name: answers.number("0…100") for name in ("availability", "cover", "movement", "return", "data_quality")},
    ),
    margin_at_risk=answers.number(),
    cash_in_excess=answers.number(),
    metrics=answers.part(
        "HealthCounts",
        total_products=s.IntegerField(),
        **{n: s.IntegerField(allow_null=True) for n in ("low_stock", "overstock", "slow_moving", "optimal")},
    ),
    history=answers.many(
        "HealthOfADay",
        day=s.DateField(),
        health_score=answers.number(null=False),
        margin_at_risk=answers.number(null=False),
        cash_in_excess=answers.number(null=False),
    ),
    recommendations=answers.texts(),
)
ALERT_SUMMARY = answers.shape(
    "AlertSummary",
    success=s.BooleanField(),
    total_active=s.IntegerField(),
    critical=s.IntegerField(),
    by_type=s.DictField(child=s.IntegerField()),
    by_urgency=s.DictField(child=s.IntegerField()),
    money_at_stake=answers.number(null=False),
)
DIGEST = answers.shape(
    "AlertDigest",
    success=s.BooleanField(),
    today=s.DateField(),
    alerts_a_day=s.IntegerField(help_text="The setting ALERTS_A_DAY: how many are worth the owner's time."),
    alerts=AlertRecord(many=True),
    rest=answers.part("DigestRest", count=s.IntegerField(), money=answers.number(null=False)),
    acknowledged=answers.part("DigestSeen", count=s.IntegerField(), money=answers.number(null=False)),
    snoozed=answers.part("DigestSnoozed", count=s.IntegerField(), money=answers.number(null=False)),
    sentence=answers.text(),
)
RESOLVED_MANY = answers.shape(
    "ResolvedMany",
    success=s.BooleanField(),
    resolved=s.IntegerField(),
    ids=s.ListField(child=s.IntegerField()),
)
PROMISED = {
    "money_promised": answers.number("Of the claims that could be scored."),
    "money_came": answers.number("Units missed or left, at the margin or cost of then."),
}
VALUE = answers.shape(
    "InventoryValue",
    success=s.BooleanField(),
    scored_until=s.DateField(allow_null=True),
    codes=answers.many(
        "ValueOfACode",
        kind=s.ChoiceField(choices=InventoryClaim.Kind.choices),
        code=answers.text(),
        claims=s.IntegerField(),
        waiting=s.IntegerField(help_text="Their days are not over."),
        scored=s.IntegerField(),
        came_true=s.IntegerField(),
        precision=answers.number("Share of the scored ones that came true."),
        base_rate=answers.number("Share of all variants of the class that sold out in the same days."),
        mean_probability=answers.number(),
        brier=answers.number("Mean squared error of the probability."),
        brier_skill=answers.number("1 - it over that of the base rate: above 0 is better than knowing only the class."),
        **PROMISED,
        unknown=s.DictField(child=s.IntegerField(), help_text="Claims that cannot be scored, by the reason."),
        done=s.DictField(child=s.IntegerField(), help_text="What was done within their days."),
    ),
    calibration=answers.many(
        "ValueByProbability",
        **{"from": s.FloatField(), "to": s.FloatField()},
        claims=s.IntegerField(),
        predicted=answers.number(null=False),
        observed=answers.number(null=False),
    ),
    months=answers.many(
        "ValueOfAMonth",
        month=s.DateField(),
        claims=s.IntegerField(),
        scored=s.IntegerField(),
        precision=answers.number(),
        **PROMISED,
    ),
    currency=answers.text(),
    notes=answers.texts(),
)
IDLE = {"count": s.IntegerField(), "cost": answers.number(null=False), "gain": answers.number(null=False)}
SLOW_MOVING = answers.shape(
    "SlowMovingProducts",
    success=s.BooleanField(),
    as_of=s.DateField(),
    count=s.IntegerField(),
    page=s.IntegerField(),
    page_size=s.IntegerField(),
    products=answers.many(
        "SlowMovingProduct",
        product_id=answers.text(),
        variant_id=answers.text(),
        sku=answers.text(),
        product_name=answers.text(),
        options=answers.text(),
        category=answers.text(),
        supplier_id=answers.text(null=True),
        supplier=answers.text(null=True),
        kind=s.ChoiceField(choices=["dead", "slow", "excess"]),
        current_stock=answers.number(null=False),
        stock_value=answers.number("At cost; at the shop's usual share of the price where the cost is not known."),
        cost_known=s.BooleanField(),
        daily_demand=answers.number(),
        cover_days=answers.number("Null: nothing is expected to sell."),
        idle_days=answers.number("Since the last sale; null: never sold."),
        excess_units=answers.number(),
        cash_in_excess=answers.number(),
        season_end=answers.day(),
        price=answers.number(),
        markdown_percent=answers.number("0: none pays; null: it cannot be known."),
        markdown_price=answers.number(),
        days=s.IntegerField(help_text="Days that the markdown is given: to the end of its season at most."),
        units_sold=answers.number("Expected in those days, at the lower price."),
        units_sold_unchanged=answers.number("At today's price."),
        gain=answers.number("Expected revenue and worth of what is left, over those at today's price."),
        reason=answers.text(),
    ),
    summary=answers.part(
        "SlowMovingSummary",
        **{kind: answers.part(f"SlowMoving{kind.title()}", **IDLE) for kind in ("dead", "slow", "excess")},
        total_cost=answers.number(null=False),
    ),
    assumptions=answers.part(
        "MarkdownAssumptions",
        elasticity=s.FloatField(),
        days=s.IntegerField(),
        salvage_share=s.FloatField(),
        sentence=answers.text(),
    ),
    currency=answers.text(),
    note=s.CharField(required=False, help_text="When the shop has never counted its stock."),
)
SIMULATION = answers.shape(
    "InventorySimulation",
    success=s.BooleanField(),
    model=answers.anything("The version in service."),
    available=s.BooleanField(),
    replay=s.DictField(
        allow_null=True, help_text="Policy and best rule of thumb in hindsight, whole and per ABC class; own shelves."
    ),
    difference=s.DictField(allow_null=True, help_text="The policy less each rule: cost, stock, fill rate, lines."),
    parameters=answers.anything("What it was replayed with."),
    settings=answers.anything("The owner's settings now."),
    sentence=s.CharField(allow_null=True),
    reason=s.CharField(allow_null=True, help_text="Why there is no replay."),
    notes=answers.texts(),
)
EXPLAINED = answers.shape(
    "ExplainedVariant",
    success=s.BooleanField(),
    variant_id=answers.text(),
    product_id=answers.text(),
    sku=answers.text(),
    reason=answers.text(),
    demand=answers.anything("Demand over review + lead time: days, mean, sd and quantiles."),
    deliveries=answers.many("ExpectedDelivery", date=s.DateField(), units=answers.number(null=False)),
    projected_stock=answers.many(
        "ProjectedDay",
        date=s.DateField(),
        expected=answers.number(null=False),
        lower=answers.number("Nine of ten times more is left.", null=False),
        arriving=answers.number(null=False),
    ),
    past_forecasts=answers.anything("Weeks of its product that were forecast and are over; null sums: none."),
    past_claims=s.ListField(child=s.DictField(), help_text="What was said of it, and what came."),
)
