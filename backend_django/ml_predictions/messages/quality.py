"""Sentences on faults in the shop's data: how many, what follows from it, what to do; codes begin with `quality.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "quality.note": _("Everything here is trained with as it is; what you mend makes the numbers better."),
    "quality.clean": _("No faults were found."),
    "quality.free_lines": _("{count} of {of} sold lines brought no money: gifts, or prices that are missing."),
    "quality.no_units": _("{count} of {of} sold lines have no units: enter what came back as a return."),
    "quality.price_far_off": _(
        "{count} of {of} sold lines are twenty times as dear or as cheap as their product usually is: look for slips "
        "of the decimal point."
    ),
    "quality.giant_quantity": _(
        "{count} of {of} sold lines are of 100 units or more and fifty times what is usual for them: wholesale or "
        "slips; such a line alone can lead to an order."
    ),
    "quality.entered_twice": _("{count} of {of} sold lines stand in their order more than once, wholly alike."),
    "quality.more_back_than_sold": _(
        "Of {count} of {of} variants more came back than was ever sold: sales from before the import are missing."
    ),
    "quality.same_day_back": _(
        "{count} of {of} lines were taken back on the day they were sold; the forecast leaves them out."
    ),
    "quality.silent_weeks": _(
        "{count} times nothing was sold for two weeks or longer: enter closures in the calendar, or import what is "
        "missing."
    ),
    "quality.mostly_guests": _(
        "{count} of {of} orders ({percent} %) have no customer: segments and values are of the others alone."
    ),
    "quality.at_midnight": _("{count} of {of} orders are at 0:00 sharp: their times of day are not known."),
    "quality.at_night": _(
        "{count} of {of} orders with a time of day are between 1 and 6 o'clock: see whether the time zone is right."
    ),
    "quality.future_dates": _("{count} of {of} sold lines are dated in the future."),
    "quality.gift_cards": _(
        "{count} of {of} sold lines are gift cards: money for later, and no goods that could be ordered."
    ),
    "quality.test_orders": _("{count} of {of} sold lines look like a test: mark those orders as one."),
    "quality.no_category": _("{count} of {of} products have no category: they have no part in the forecasts of one."),
    "quality.no_description": _(
        "{count} of {of} products have no description: what is alike is told by name, category and price."
    ),
    "quality.no_price": _("{count} of {of} products have no price."),
    "quality.same_name": _("{count} of {of} products share their name with another one: perhaps one product twice."),
    "quality.never_counted": _("The stock has never been counted: nobody knows what is on the shelf."),
    "quality.below_zero": _("{count} of {of} variants have less than nothing on the shelf: count them again."),
    "quality.no_cost": _("{count} of {of} variants have no cost: their margin and the best service level are guessed."),
    "quality.dearer_than_its_price": _("{count} of {of} variants cost more than they are sold for."),
    "quality.no_supplier": _("{count} of {of} variants have no supplier: nobody to order them from."),
    "quality.no_lead_time": _("{count} of {of} variants have no lead time: the default of the settings is used."),
    "quality.left_out_other_currency": _("{count} sold lines are in another currency and are left out."),
    "quality.left_out_test_order": _("{count} sold lines are of test orders and are left out."),
    "quality.left_out_refund_without_lines": _("{count} refunds name no order lines and are left out."),
    "quality.left_out_after_data_until": _("{count} sold lines are dated after the end of the data and are left out."),
}  # fmt: skip
