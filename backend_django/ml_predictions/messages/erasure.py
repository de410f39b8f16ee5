"""Sentences of erasures and their certificates."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "not_supported_by_source": _("The source of this shop has no {write}: do it in the shop's own system."),
    "not_a_customer": _(
        "The user {customer_id} belongs to the staff, and only customers are erased by this call. Give the user the "
        "role customer first, or delete the account in the admin."
    ),
    "erasure_under_way": _(
        "Another person is being erased (training log {training_log_id}). Ask again when that is over."
    ),
    "erasure_not_all_gone": _("Rows or files of {places} still name the person: {count}. Ask for the erasure again."),
    "erasure.done": _("Erased. The certificate says what was removed where, and what stays."),
    "erasure.under_way": _(
        "The erasure is {status}; nothing counts as erased until it is over. Ask {url} how far it is."
    ),
    "erasure.no_worker": _(
        "The erasure is queued, but no worker is running to take it: start one with `make worker`, or everything with "
        "`make run`. Ask {url} how far it is."
    ),
    # What it does.
    "erasure.step_shop": _("Removing the account; the orders become guest orders"),
    "erasure.step_waiting": _("Waiting for training {training_log_id}, which began before"),
    "erasure.step_versions": _("Taking the person out of the model files"),
    "erasure.step_places": _("Taking the person out of tables and files"),
    "erasure.step_checking": _("Looking whether anything is left"),
    "erasure.step_space": _("Compacting the database"),
    # What was removed.
    "erasure.place_account": _("The account: e-mail, names, phone, country, customer number, password"),
    "erasure.place_orders": _("Orders that have become guest orders"),
    "erasure.place_tokens": _("Tokens of the API"),
    "erasure.place_results": _("Stored results of this customer"),
    "erasure.place_trainings": _("Trainings that named the person"),
    "erasure.place_versions": _("Figures of model versions that named the person"),
    "erasure.place_predictions": _("Kept predictions that named the person"),
    "erasure.place_alerts": _("Notes on alerts that named the person"),
    "erasure.place_calendar": _("Notes in the calendar that named the person"),
    "erasure.place_rules": _("Notes on recommendation rules that named the person"),
    "erasure.place_schedule": _("Who changed the schedule"),
    "erasure.place_owner_settings": _("Who changed the owner's settings, and who gets e-mails"),
    "erasure.place_owner_mails": _("What mail servers answered about e-mails"),
    "erasure.place_purchase_order_notes": _("Notes on purchase orders that named the person"),
    "erasure.place_purchase_line_notes": _("Notes on lines of purchase orders that named the person"),
    "erasure.place_stock_notes": _("Notes on stock movements that named the person"),
    "erasure.place_import_entries": _("What is noted for the undo of imports"),
    "erasure.place_failed_sign_ins": _("Failed sign-ins and lock-outs"),
    "erasure.place_lockouts": _("Failures behind lock-outs"),
    "erasure.place_sign_ins": _("Sign-ins"),
    "erasure.place_sessions": _("Sessions, and messages waiting in sessions of the staff"),
    "erasure.place_admin_log": _("Entries of the admin's history"),
    "erasure.place_files": _("Files under the data folder (imports, reports of errors, logs)"),
    "erasure.place_other": _("Rows of {place}"),
    # What was done to the model files.
    "erasure.version_rewritten": _("The customer's row was taken out of the file, and the file signed again."),
    "erasure.version_deleted": _(
        "Deleted with its file: it holds what single customers did, and nobody's row can be picked out of it."
    ),
    "erasure.version_retrained": _(
        "Trained again from the shop without the person, and deleted with its file: nobody's row can be picked out of "
        "it."
    ),
    "erasure.versions_without": _(
        "Every other kept version was looked through, or holds sums over products alone, and nothing of single "
        "customers."
    ),
    # What stays.
    "erasure.stays_orders": _(
        "Orders that stay as guest orders, with their number, day, amounts and lines, and without name, e-mail, "
        "address or customer: {orders}. The books and the forecasts need them, and they name nobody."
    ),
    "erasure.stays_sums": _(
        "Figures learned of many customers together (centres of segments, what is bought with what, sums of past "
        "back-tests) stay: no single person can be read from them."
    ),
    "erasure.stays_hashes": _(
        "Keyed hashes of e-mail and customer number stay, so that an import does not bring the person back: {hashes}."
    ),
    "erasure.backups_unknown": _(
        "Trastienda changes no backup. Whatever copies you keep still hold the person until you delete them, "
        "and BACKUP_RETENTION_DAYS is not set, so nobody can say until when. After bringing back a copy from before "
        "this day, erase the person again."
    ),
    "erasure.backups": _(
        "Trastienda changes no backup. By your setting BACKUP_RETENTION_DAYS the copies that you keep are "
        "gone after {days} days, on {date}: see to it that they are. After bringing back a copy from before this day, "
        "erase the person again."
    ),
    "erasure.space_sqlite": _("The database file was rewritten and its log emptied: no deleted text is left in them."),
    "erasure.space_log_busy": _(
        "The database file was rewritten, but its write-ahead log was being read and could not be emptied: it may hold "
        "deleted text until the server is restarted."
    ),
    "erasure.space_postgresql": _(
        "VACUUM has returned the place of the deleted rows in PostgreSQL. Their bytes may stay in pages and in its "
        "write-ahead log until these are used again; an archive of that log is a backup."
    ),
    "erasure.space_other": _("{database} was not compacted: do what its manual says to remove deleted rows for good."),
}
