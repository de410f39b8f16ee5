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
        "Customers: {customers}. Names follow fixed rules, as clusters need {needed}; take them as a first hint."
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
    "segment.spent": _("Has spent {spent} {currency} in all, more than {percent} % of the customers."),
    "segment.spent_only": _("Has spent {spent} {currency} in all."),
    "segment.spent_nothing": _("Has returned as much as was bought, or more."),
    "segment.rule_not_overdue": _("Not overdue against the usual interval, so not at risk."),
    "segment.rule_overdue": _("Far behind the usual interval and silent for more than 60 days, so at risk."),
    "segment.rule_too_few_orders": _("Fewer than three days with an order: too few for VIP or frequent."),
    "segment.rule_joined_lately": _("The first order was at most 60 days ago, and there were at most two, so new."),
    "segment.rule_joined_long_ago": _("The first order is older than 60 days, or there were more than two: not new."),
    "segment.rule_once_long_ago": _("One order only, more than a year ago, so inactive."),
    "segment.decided_two": _("Nearer to “{segment}” than to “{rival}”, above all by {axis_1} and {axis_2}."),
    "segment.decided_one": _("Nearer to “{segment}” than to “{rival}”, above all by {axis_1}."),
    "segment.between": _("Lies between “{segment}” and “{rival}”: take the name with care."),
    "segment.held": _("By now nearer to “{rival}”, but not clearly enough to leave “{segment}” without a new order."),
    # how the groups came about
    "segment.map_first": _("The groups were drawn for the first time."),
    "segment.map_kept": _("The groups are those drawn on {drawn}: only who changed has moved."),
    "segment.map_quarter": _("The groups were drawn anew after {days} days, as every quarter, from the old ones."),
    "segment.map_drift": _(
        "The groups were drawn anew from the old ones, for the customers have become others by {axis} (stability index "
        "{index}, limit {limit})."
    ),
    "segment.map_clusters": _("The groups were drawn anew: {now} clusters instead of {before}."),
    "segment.map_earlier": _("The groups were drawn anew: those in service were drawn on a later day, {drawn}."),
    "segment.map_unreadable": _(
        "The groups were drawn anew: the file of version {version}, which was in service, cannot be read."
    ),
    "segment.names_shared": _("{clusters} clusters share the six names: several are called {segment}."),
    "segment.names_missing": _(
        "None of the {clusters} clusters is called {segment}: only a rule gives such a name, if any customer fits it."
    ),
    # what to do
    "segment.advise_vip": _("Thank them personally and show them what is new first; no discount is needed."),
    "segment.advise_vip_late": _("One of the best, and later than usual: a personal word now, before they are lost."),
    "segment.advise_frequent": _("Offer what goes with the last purchase: they come back by themselves."),
    "segment.advise_frequent_late": _("Later than usual: remind them of what goes with the last purchase."),
    "segment.advise_frequent_rising": _("Close to the VIPs: a reward at the next order can make one of them."),
    "segment.advise_occasional": _("Give a reason to come back: a novelty in what they bought, with an end date."),
    "segment.advise_occasional_once": _("Bought once only: make the second order easy, it is the one that decides."),
    "segment.advise_occasional_late": _("Later than usual: write once, with a novelty in what they bought."),
    "segment.advise_at_risk": _("They used to come: a moderate offer pays here more than anywhere else."),
    "segment.advise_at_risk_good": _("One of the better customers: write or call in person, and ask what was missing."),
    "segment.advise_at_risk_lost": _(
        "Silent for more than a year, so probably gone: one personal attempt, and then those who are only late."
    ),
    "segment.advise_new": _("Has already come back: welcome them by name, and show what goes with what they have."),
    "segment.advise_new_once": _(
        "Welcome them, ask within two weeks whether all was well, and make the second order easy."
    ),
    "segment.advise_inactive": _("One last offer at most; spend the money on customers at risk first."),
    "segment.advise_inactive_good": _("Was a good customer once: one personal attempt, then let it be."),
    "segment.advise_returned": _("Everything went back: ask why before offering anything."),
    "segment.advise_stake": _("About {money} {currency} of what they spent in the last year is at stake."),
    "segment.advise_before": _("The next order is expected around {date}: a message shortly before fits."),
    # how customers moved
    "segment.one_training": _(
        "There is one training only, so nothing to compare with. Train again when new orders have come, in a week say."
    ),
    "segment.moved_most": _(
        "{customers} customers went from “{segment}” to “{rival}”, most of them because: {driver}. Expected of them in "
        "12 months: {after} {currency}, before {before} {currency}."
    ),
    "segment.moved_most_count": _(
        "{customers} customers went from “{segment}” to “{rival}”, most of them because: {driver}."
    ),
    "segment.nobody_moved": _("Nobody changed segment between the two trainings."),
    "segment.guests": _(
        "{orders} sales to guests, {spent} {currency} in all, belong to no customer that is known; they are in no "
        "segment."
    ),
    "segment.only_returns": _("{customers} customers have returns only; they are in no segment."),
    "no_such_training": _(
        "No training on or before {day} leads to the version in service; the history goes back to {first}."
    ),
    "no_such_version": _("Version {version} is not among the trainings that lead to the version in service: {known}."),
    "backwards": _("The training to compare with, of {start}, is later than the other, of {end}; exchange them."),
    "too_many_found": _("More than {most} customers match “{search}”. Write more of the name or the e-mail."),
}  # fmt: skip
