"""The database as one file, and back: SQLite by its own backup, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connection, transaction

NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
"""What the database is called in a backup, by vendor."""

STOP_FIRST = "Stop the server and the worker first. Nothing was changed."


def vendor() -> str:
    """`sqlite` or `postgresql`; any other is not backed up here."""
    if connection.vendor not in NAMES:
        raise CommandError(f"A backup knows SQLite and PostgreSQL; this database is {connection.vendor}.")
    return connection.vendor


@contextlib.contextmanager
def copied(folder: Path) -> Iterator[set[str]]:
    """Write the database into `folder` as of one moment; inside, the names of its model files of that moment."""
    target = folder / NAMES[vendor()]
    if vendor() == "sqlite":
        _copy_sqlite(target)
        with closing(sqlite3.connect(target)) as copy:
            yield {name for (name,) in copy.execute("SELECT artifact FROM ml_predictions_mlmodel WHERE artifact <> ''")}
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        _run("pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}")
        cursor.execute("SELECT artifact FROM ml_predictions_mlmodel WHERE artifact <> ''")
        yield {name for (name,) in cursor.fetchall()}


def _copy_sqlite(target: Path) -> None:
    """A copy that other writers do not disturb; compact, with no deleted text in it."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(target)])
    target.chmod(0o600)


def sound(file: Path) -> None:
    """Raise CommandError for a copy that the database itself finds damaged."""
    if file.name == NAMES["postgresql"]:
        _run("pg_restore", "--list", str(file), database=False)
        return
    try:
        with closing(sqlite3.connect(file)) as copy:
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise CommandError(f"The database in the backup is damaged ({found}). Take an older backup.")


def put_back(file: Path) -> str | None:
    """Replace the database by `file`; returns where the old one was put aside, if it was (SQLite)."""
    connection.close()
    if vendor() == "postgresql":
        _run("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(file))
        return None
    path = Path(connection.settings_dict["NAME"])
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".restoring")
    shutil.copyfile(file, new)
    new.chmod(0o600)
    aside = _put_aside(path) if path.exists() else None
    os.replace(new, path)
    return aside


def _put_aside(path: Path) -> str:
    """Keep the old database beside the new one, with all that is still in its log."""
    try:
        with closing(sqlite3.connect(path, timeout=1)) as old:
            old.execute("PRAGMA journal_mode=DELETE")  # empties the log; fails while anybody else is connected
    except sqlite3.OperationalError as error:
        raise CommandError(f"The database is in use ({error}). {STOP_FIRST}") from error
    aside = path.with_name(path.name + ".before-restore")
    os.replace(path, aside)
    return str(aside)


def _run(program: str, *arguments: str, database: bool = True) -> None:
    """One of PostgreSQL's programs, its password handed over by the environment."""
    given: dict[str, Any] = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    environment = {key: str(given[name]) for key, name in names.items() if given.get(name)}
    if not environment.get("PGHOST") and (host := (given.get("OPTIONS") or {}).get("host")):
        environment["PGHOST"] = str(host)
    if program == "pg_restore" and database:
        arguments = (f"--dbname={given['NAME']}", *arguments)
    try:
        done = subprocess.run(
            [program, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise CommandError(
            f"{program} was not found. Install PostgreSQL's client programs, at least as new as the server."
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CommandError(f"{program} failed: {lines[-1]}")
