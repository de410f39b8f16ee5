"""Sentences that every service and the edge share. Errors are found here by their own code."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "served_newest": _("It is the newest version."),
    "not_trained": _("Nothing has been trained yet for {service}. Call POST {call} first."),
    "already_running": _("A training of {kind} is already under way: training log {training_log_id}."),
    "training_cancelled": _("Cancelled by {who}."),
    "training_killed": _(
        "The training process was ended by signal {signal} in attempt {attempt} of {attempts}, perhaps for want of "
        "memory. The model in service was not touched."
    ),
    "training_lost": _(
        "The worker of attempt {attempt} of {attempts} stopped answering. The model in service was not touched."
    ),
    "bad_parameter_range": _("{name} must lie between {low} and {high}; {found} was given."),
    "not_running": _("Training {training_log_id} is over ({status}); only a queued or running one can be cancelled."),
    "training_timeout": _("The training took longer than {seconds} seconds and was ended."),
    "training_error": _("The training stopped with an unexpected error ({error}); the worker's log has the details."),
}  # fmt: skip
