"""Sentences of the API and the admin; their codes begin with `edge.`, those of errors are the errors' own."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "artifact_refused": _(
        "The model file {name} was refused: {reason}. Stored results go on serving; train the service again."
    ),
    "already_resolved": _("Alert {alert_id} was resolved already."),
    "too_many_alerts": _(
        "{found} alerts fit, at most {at_most} may be resolved at once: none was. Narrow the choice."
    ),
    "alerts_not_active": _(
        "{count} of the alerts are unknown or resolved already ({alert_ids}): none was resolved."
    ),
    "model_in_service": _("Version {version} of {service} is in service; activate another one first."),
    "worse_than_baseline": _(
        "Version {version} of {service} loses to the naive baseline. Send accept_worse: true to put it into service "
        "all the same."
    ),
    "unknown_product": _("There is no product {id}."),
    "rule_exists": _("There is such a rule already for {object_id}: change it, or give it other days."),
    "edge.trained": _("Trained, and now in service."),
    "edge.trained_not_promoted": _("Trained and kept; another version goes on serving."),
    "edge.trained_all": _("Trained: {trained}. Not trained: {failed}."),
    "edge.under_way": _("The training is {status}. Ask {url} how far it is."),
    "edge.waits": _("The training is queued, at place {place}. Ask {url} how far it is."),
    "edge.no_worker": _(
        "The training is queued, but no worker is running to take it: start one with `make worker`, or everything with "
        "`make run`. Ask {url} how far it is."
    ),
    "edge.part_not_trained": _("Nothing has been trained yet for {service}: its figures are unknown."),
    "edge.no_trend": _("There are no sales of the last 30 days to compare the forecast with."),
    "edge.data_recommended": _("Enough: {have}; recommended: {recommended}."),
    "edge.data_sufficient": _("It works: {have}, and {minimum} are needed. It gets better up to {recommended}."),
    "edge.data_low_confidence": _("It trains, with low confidence: {have}; {minimum} are needed to rely on it."),
    "edge.data_few_orders": _(
        "It trains, with low confidence: {have}, but only {orders} orders to learn from; {reliable} are the least from "
        "which it learns anything of sales."
    ),
    "edge.nothing_there": _("Nothing to train from: {have}. It trains from 1 on, with any number of orders."),
    "edge.data_insufficient": _(
        "Too little: {have}, with {orders} orders. It trains from {fewest} orders on; {minimum} are needed to rely on "
        "it."
    ),
    "edge.from_ten_sales": _(
        "From {fewest} orders on all four services train, with low confidence until the minimum is reached. "
        "Recommendations and inventory train from the first product on, before anything is sold."
    ),
}  # fmt: skip
