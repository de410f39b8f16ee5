"""What PostgreSQL knows of its tables when a run begins.

Its own analysis follows a large import, or a restored backup, by a minute or more. A run that begins at once would be
planned for tables that look small, and join a million lines one by one: for hours.
"""

from __future__ import annotations

from django.db import connection

FEW, SHARE = 1_000, 0.1
"""Rows changed since the last analysis that are let pass: so many, and a share of those there are."""


def bring_up_to_date() -> list[str]:
    """Analyse the tables of which much has changed since they were analysed last; returns their names.

    Nothing on other databases. Tables that the account does not own are passed over with a warning of the server's.
    """
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relid::regclass::text FROM pg_stat_user_tables WHERE n_mod_since_analyze > %s + %s * n_live_tup",
            [FEW, SHARE],
        )
        tables = [name for (name,) in cursor.fetchall()]
        for name in tables:
            cursor.execute(f"ANALYZE {name}")
    return tables
