"""Sentences of the service `customer_segmentation`; their codes begin with `segment.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    # what it is doing
    "segment.step_reading": _("Reading the orders"),
    "segment.step_grouping": _("Grouping the customers and testing their lifetime value"),
    "segment.step_saving": _("Saving the segments"),
    # errors
    "segment.not_enough_sales": _(
        "Segmenting customers needs {needed} sales; the shop has {found}. Import more orders, or train again when "
        "they have come."
    ),
    "segment.no_customers": _(
        "None of the shop's sales has a customer whose purchase stands; sales to guests: {guests}. Record who buys (a "
        "customer number or an e-mail will do) and train again."
    ),
    "customer_without_orders": _(
        "The customer {customer_id} is known, but has no order up to {as_of}: nobody can be segmented before the first "
        "one. After an order, train the segmentation again."
    ),
    "unknown_customer": _("The shop has no customer with the id {customer_id}."),
    # which method, and what is not known and why
    "segment.method_rules": _(
        "With {customers} customer(s), names follow fixed rules; clusters need {needed}. Take them as a first hint."
    ),
    "segment.method_ranks": _(
        "With {customers} customers, names follow each one's place among all; clusters need {needed}. Confidence is "
        "lowered accordingly."
    ),
    "segment.method_alike": _(
        "The {customers} customers are too much alike for clusters; names follow each one's place among all."
    ),
    "segment.no_silhouette": _("A silhouette needs clusters, and those {needed} customers that differ."),
    "segment.no_holdout": _(
        "There is too little history to test what customers will spend, so no value is given: {days} days, {customers} "
        "customers known before the test period and {visits} orders by them in it; at least 42, 30 and 10 are needed."
    ),
    "segment.no_probability_history": _(
        "There is too little history to test the chance of an order within 90 days, so none is given: {needed} days "
        "are needed, with 30 customers at the start."
    ),
    "segment.probability_not_better": _(
        "The chance of an order within 90 days foretold the last 90 days no better than the same chance for everybody, "
        "so none is given."
    ),
    "segment.probability_bands": _(
        "The chance of an order within 90 days is given as a band, not in digits: to know the season of a shop takes "
        "{needed} days of history, with 30 customers at the start; there are {found}."
    ),
    # what serves
    "segment.value_blend": _(
        "Lifetime value is the blend of MBG/NBD with Gamma-Gamma and the customer's own last window: in the held-out "
        "period its root mean squared error was lower than that of every naive prediction, for orders and for revenue."
    ),
    "segment.value_blend_noise": _(
        "Lifetime value is the blend of MBG/NBD with Gamma-Gamma and the customer's own last window: in the held-out "
        "period its error of orders was the lowest. By revenue a naive prediction ({method}) came out ahead, but "
        "within the noise that a few large customers make."
    ),
    "segment.value_naive": _(
        "Lifetime value is a naive prediction ({method}): in the held-out period the model was no better by its root "
        "mean squared error."
    ),
    "segment.value_none": _("No lifetime value is given: there is too little history to test one."),
    # why a customer is where it is
    "segment.rhythm": _("Buys every {interval} days on average; the last order was {recency} days ago."),
    "segment.rhythm_overdue": _(
        "Buys every {interval} days on average; the last order was {recency} days ago, {overdue} times as long."
    ),
    "segment.rhythm_now": _("Buys every {interval} days on average; the last order has only just come in."),
    "segment.once": _("Has bought on one day only, {recency} days ago."),
    "segment.once_now": _("Has bought on one day only; the order has only just come in."),
    "segment.spent": _("Has spent {spent} in all, more than {percent} % of the customers."),
    "segment.spent_only": _("Has spent {spent} in all."),
    "segment.spent_nothing": _("Has returned as much as was bought, or more."),
    "segment.rule_not_overdue": _("Not overdue against the usual interval, so not at risk."),
    "segment.rule_overdue": _("Far behind the usual interval and silent for more than 60 days, so at risk."),
    "segment.rule_too_few_orders": _("Fewer than three days with an order: too few for VIP or frequent."),
    "segment.rule_joined_lately": _("The first order was at most 60 days ago, and there were at most two, so new."),
    "segment.rule_joined_long_ago": _("The first order is older than 60 days, or there were more than two: not new."),
    "segment.rule_once_long_ago": _("One order only, more than a year ago, so inactive."),
    "segment.between": _("Lies between two segments: take the name with care."),
    # what to do
    "segment.advise_vip_1": _("Thank them personally and show them what is new first."),
    "segment.advise_vip_2": _("No discount is needed: give service, early access, or an invitation."),
    "segment.advise_frequent_1": _("Offer what goes with the last purchase: they come back by themselves."),
    "segment.advise_frequent_2": _("A reward at the next order can make a VIP of them."),
    "segment.advise_occasional_1": _("Give a reason to come back: a novelty in what they bought, with an end date."),
    "segment.advise_at_risk_1": _("Write now, in person, and ask what was missing: they used to come."),
    "segment.advise_at_risk_2": _("A moderate offer pays here more than anywhere else."),
    "segment.advise_new_1": _("Welcome them, and ask within two weeks whether all was well."),
    "segment.advise_new_2": _("The second order decides: make it easy, for example with free delivery."),
    "segment.advise_inactive_1": _("One last offer at most; spend the money on customers at risk first."),
    "segment.advise_before": _("By their rhythm the next order is due around {date}: a message shortly before fits."),
}  # fmt: skip
