"""Sentences of the service `sales_forecast`; their codes begin with `forecast.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "forecast.reading": _("Reading the sales"),
    "forecast.replaying": _("Replaying the past with every candidate"),
    "forecast.fitting": _("Fitting total, categories and products"),
    "forecast.storing": _("Storing the forecasts"),
    "forecast.not_enough_sales": _(
        "A sales forecast needs {needed} sales; the shop has {found}. Import past orders, or train again when more has "
        "been sold."
    ),
    "forecast.unknown_category": _("The sales forecast knows no category {id}. It knows: {known}."),
    "forecast.no_categories": _("The sales forecast knows no category {id}: the shop's products have none."),
    "forecast.unknown_product": _(
        "The sales forecast knows no product {id}; it knows {count} products. If it is new, train the sales forecast "
        "again."
    ),
    "forecast.unknown_variant": _(
        "The sales forecast knows no variant {id}; it knows {count} variants. If it is new, train the sales forecast "
        "again."
    ),
    "forecast.not_for_sale": _("This variant is not for sale: what is asked of its product goes to the others."),
    "forecast.newcomer_alike_unsold": _(
        "New, not sold yet: forecast from what {count} products that look like it sold when they were new, above all "
        "{names}. Low confidence."
    ),
    "forecast.newcomer_alike_sold": _(
        "New, first sold {days} days ago: forecast from its own sales and from what {count} products that look like it "
        "sold at that age, above all {names}. Low confidence."
    ),
    "forecast.newcomer_anyone_unsold": _(
        "New, not sold yet, and no product like it has been seen: forecast from what all products sell. Low confidence."
    ),
    "forecast.newcomer_anyone_sold": _(
        "New, first sold {days} days ago, and no product like it has been seen at that age: forecast from its own "
        "sales and from what all products sell. Low confidence."
    ),
    "forecast.best": _(
        "{model} has the smallest error of {candidates} candidates over {folds} origins: {wape} % of sales, the naive "
        "baseline {baseline} %."
    ),
    "forecast.best_replayed": _(
        "{model} has the smallest error of {candidates} candidates over {folds} origins: {wape} % of sales, the naive "
        "baseline {baseline} %. Chosen anew at each origin from the earlier ones alone, as it had to be done then, the "
        "error was {choice} %, the baseline's {choice_baseline} %: count on that."
    ),
    "forecast.choice_loses": _(
        "Choosing a model at each of {folds} origins from the earlier ones alone was not better than the naive "
        "baseline ({choice} % of sales against {choice_baseline} %): the baseline serves."
    ),
    "forecast.none_beats": _(
        "No candidate is better than the naive baseline ({wape} % of sales over {folds} origins): the baseline serves."
    ),
    "forecast.asked_serves": _(
        "{model} was asked for and beats the naive baseline: error {wape} % of sales against {baseline} % over "
        "{folds} origins."
    ),
    "forecast.asked_loses": _(
        "{model} was asked for, but its error ({wape} % of sales over {folds} origins) is not below the naive "
        "baseline's ({baseline} %). It is kept and not put into service; {better} serves or goes on serving."
    ),
    "forecast.asked_baseline": _("The naive baseline was asked for: error {wape} % of sales over {folds} origins."),
    "forecast.asked_needs": _(
        "{model} was asked for, but {days} days with {orders} orders are too little to try it; {better} serves."
    ),
    "forecast.untested": _(
        "{days} days are too few to replay the past: {model} serves, and its width comes from the spread of the days "
        "seen."
    ),
    "forecast.little": _(
        "Low confidence: {orders} orders on {days} days with a sale; {enough_orders} orders on {enough_days} days are "
        "needed for more than a mean per weekday."
    ),
    "forecast.quiet": _(
        "Low confidence: nothing has been sold for {days} days (since {since}). The forecast supposes that the shop is "
        "open again from tomorrow at its old level; its intervals allow for a longer closure."
    ),
    "forecast.why_level": _("Level: an ordinary open day brings about {amount} {currency} now."),
    "forecast.why_trend_up": _("Trend: {percent} % more in the next {days} days than in the last 28."),
    "forecast.why_trend_down": _("Trend: {percent} % less in the next {days} days than in the last 28."),
    "forecast.why_season_up": _("Season: the time of the year brings {percent} % more than the last 28 days."),
    "forecast.why_season_down": _("Season: the time of the year brings {percent} % less than the last 28 days."),
    "forecast.why_weekday": _(
        "{weekday_best} is the strongest day of the week ({more} % above an ordinary one), {weekday_worst} the weakest "
        "({less} % below)."
    ),
    "forecast.why_holiday_up": _("{name_id} ({first}): {percent} % more than an ordinary day."),
    "forecast.why_holiday_down": _("{name_id} ({first}): {percent} % less than an ordinary day."),
    "forecast.why_promotion_up": _("Promotion {name_id} (from {first}): {percent} % more on its days."),
    "forecast.why_promotion_down": _("Promotion {name_id} (from {first}): {percent} % less on its days."),
    "forecast.why_closed": _("Closed, beside the weekly closing days: {closed}."),
    "forecast.why_closed_many": _("Closed on {count} days beside the weekly closing days, first {closed} …"),
    "forecast.no_backtest": _("Unknown: {days} days are too few to replay the past."),
    "forecast.no_coverage": _(
        "Unknown: only {folds} origins could be replayed; the first {needed} calibrate the width."
    ),
    "forecast.no_training_fit": _("{model} has no fitted values to compare with the sales it learned from."),
    "forecast.no_importances": _("{model} uses no features."),
    "forecast.no_sales": _("Unknown: nothing was sold in the days replayed."),
    "forecast.constant": _("Unknown: sales did not vary in the days replayed."),
}  # fmt: skip
