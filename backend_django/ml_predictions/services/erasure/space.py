"""What a database keeps of deleted rows, and how it is made to give it up."""

from __future__ import annotations

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ml_predictions.messages import message
from ml_predictions.models_erasure import PersonalDataErasure


def compact() -> dict[str, object]:
    """Rewrite the database file (SQLite), or return the dead rows' place (PostgreSQL); a message that says which.

    SQLite leaves deleted text in free pages and in the write-ahead log until it is written over: VACUUM copies what
    lives, the checkpoint empties the log. PostgreSQL's VACUUM lets the place be used again; its write-ahead log, and
    pages until they are, hold the bytes for longer. Outside of any transaction.
    """
    connection = connections[router.db_for_write(PersonalDataErasure)]
    if connection.vendor == "sqlite":
        return _sqlite(connection)
    if connection.vendor == "postgresql":
        tables = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True)})
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM {', '.join(connection.ops.quote_name(table) for table in tables)}")
        return message("erasure.space_postgresql")
    return message("erasure.space_other", database=connection.display_name)


def _sqlite(connection: BaseDatabaseWrapper) -> dict[str, object]:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        busy, _log, _moved = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return message("erasure.space_log_busy" if busy == 1 else "erasure.space_sqlite")
