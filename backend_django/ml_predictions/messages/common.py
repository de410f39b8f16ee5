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
        "memory: it held {megabytes} MB shortly before. The model in service was not touched."
    ),
    "training_ended": _(
        "The training process ended with code {exit_code} in attempt {attempt} of {attempts}; the worker's log has the "
        "details. The model in service was not touched."
    ),
    "training_database": _(
        "The database was lost in attempt {attempt} of {attempts} ({error}). The model in service was not touched."
    ),
    "training_memory": _(
        "The training needs more than {megabytes} MB of memory; {most} MB are allowed. Give the machine more memory, "
        "or raise MEMORY_MB if it has more. The model in service was not touched."
    ),
    "not_retryable": _("Training {training_log_id} is {status}; only a failed or cancelled one can be tried again."),
    "training_lost": _(
        "The worker of attempt {attempt} of {attempts} stopped answering. The model in service was not touched."
    ),
    "bad_parameter.range": _("{field} must lie between {minimum} and {maximum}; {received} was given."),
    "bad_parameter.whole": _("{field} must be a whole number from {minimum} to {maximum}; {received} was given."),
    "bad_parameter.least": _("{field} must be at least {minimum}; {received} was given."),
    "bad_parameter.choice": _("{field} must be one of: {allowed}; {received} was given."),
    "bad_parameter.demand": _("The demand must be one number or more, none below 0; {demand} was given."),
    "bad_parameter.snooze": _("An alert can be snoozed until a day from {first} to {last}; {until} was given."),
    "bad_parameter.not_known": _("{field} is not a parameter of {service}; it takes: {allowed}."),
    "bad_parameter.none_known": _("{field} is not a parameter of {service}; it takes none."),
    "bad_frame.columns": _("The table {table} of the shop's data lacks the columns {missing}."),
    "bad_frame.type": _("The column {column} of the table {table} is {found}; {needed} is needed."),
    "bad_frame.empty": _("The column {column} of the table {table} is empty in some rows: {rows}."),
    "bad_frame.not_finite": _("The column {column} of the table {table} holds a number that is not finite."),
    "bad_frame.signs": _(
        "The sign of the units does not fit is_return in some order lines: {rows}. A return has negative units, a sale "
        "positive ones."
    ),
    "bad_frame.file": _(
        "The folder {folder} has neither {table}.parquet nor a folder {table} with Parquet files. It has: {found}."
    ),
    "bad_frame.no_parquet": _("The file {table} cannot be read as Parquet: {why}"),
    "bad_frame.no_csv": _("The file {table} cannot be read as a CSV of costs: {why}"),
    "bad_frame.files_differ": _(
        "The column {column} of {table} is {found}, in {first} it is {needed}; all files of a table have the same "
        "columns."
    ),
    "bad_frame.about": _("The file {table} cannot be used: {why}"),
    "bad_frame.twice": _(
        "{table}: {column} {example} stands there more than once ({ids} such ids); one row each is needed."
    ),
    "bad_parameter.folder_used": _("{folder} is there and not empty; name a new folder, or empty this one."),
    "bad_parameter.folder": _("SOURCE_OPTIONS: folder is {folder}, which is no folder."),
    "unknown_id": _("There is no id like {id}."),
    "not_running": _("Training {training_log_id} is over ({status}); only a queued or running one can be cancelled."),
    "training_timeout": _("The training took longer than {seconds} seconds and was ended."),
    "engine.fault": _(
        "The engine {engine}, which was to compute parts of it, cannot be trusted: {what}. Nothing was published. Give "
        "every machine the same release, the same library versions, the same kind of processor and "
        "OMP_NUM_THREADS=1, or compute here: ENGINE = retail_ml.engine.InProcess."
    ),
    "training_error": _("The training stopped with an unexpected error ({error}); the worker's log has the details."),
}  # fmt: skip
