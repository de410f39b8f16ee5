"""Bring a backup back: everything is checked before anything is touched."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from authentication import suppression
from authentication.models import ErasedPerson, User
from core.backups import database
from core.backups.make import FORMAT, MANIFEST, digest
from ml_predictions import conf
from ml_predictions.selectors import worker_alive


@dataclass
class Restored:
    """What was brought back."""

    manifest: dict[str, Any]
    aside: str | None = None
    """Where the database that was there before has been put."""
    keys_kept: list[str] = field(default_factory=list)
    """Keys of this machine that differ from the backup's and were put aside."""
    to_erase: list[int] = field(default_factory=list)
    """Customers who had been erased since the backup was made, and are back with it."""


def restore(archive: Path, *, replace: bool = False) -> Restored:
    """Bring `archive` back. A database with orders or people in it is replaced only with `replace`.

    Raises CommandError for a file that is no backup, is damaged, is of a newer release or of another database, and
    while a server or worker uses the database: nothing is changed then.
    """
    with tempfile.TemporaryDirectory(prefix="trastienda-restore-") as name:
        folder = Path(name)
        manifest = _unpack(archive, folder)
        _check(manifest, folder)
        people = _already_here()
        if people and not replace:
            raise CommandError(
                f"The database already holds a shop ({people} users). To replace it, stop the server and the worker "
                "and give --replace; an SQLite database is put aside, not deleted."
            )
        if people and worker_alive():
            raise CommandError(f"A worker is running. {database.STOP_FIRST}")
        erased = list(ErasedPerson.objects.values_list("digest", flat=True)) if people else []
        found = Restored(manifest, aside=database.put_back(folder / database.NAMES[manifest["database"]]))
        found.keys_kept = _put_keys(folder / "keys")
        for part, target in (("models", conf.get("ARTIFACT_ROOT")), ("media", settings.MEDIA_ROOT)):
            if (folder / part).is_dir():
                shutil.copytree(folder / part, target, dirs_exist_ok=True)
    call_command("migrate", verbosity=0)
    found.to_erase = _still_erased(erased)
    return found


def _unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """The files that the manifest names, with the checksums that it gives, and nothing else."""
    try:
        with tarfile.open(archive, "r:gz") as packed:
            packed.extractall(folder, filter="data")
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        wanted = manifest["files"]
    except FileNotFoundError as error:
        missing = archive if not archive.exists() else f"{MANIFEST} in {archive}"
        raise CommandError(f"{missing} was not found. Give the file that `make backup` has written.") from error
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{archive} is no whole backup ({error}). Take another one.") from error
    for path, wanted_digest in wanted.items():
        if not (folder / path).is_file() or digest(folder / path) != wanted_digest:
            raise CommandError(f"{path} in {archive} is missing or damaged. Take another backup.")
    return manifest


def _check(manifest: dict[str, Any], folder: Path) -> None:
    if manifest.get("format") != FORMAT:
        raise CommandError(f"The backup has format {manifest.get('format')}; this release reads {FORMAT}.")
    if manifest["database"] != database.vendor():
        raise CommandError(
            f"The backup is of {manifest['database']}, this installation uses {database.vendor()}. Set DATABASE_URL to "
            "a database of the same kind."
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None, ignore_no_migrations=True).disk_migrations}
    if newer := [name for name in manifest["migrations"] if name not in known]:
        raise CommandError(
            f"The backup is of a newer release: {newer[-1]} is unknown here. Install that release, then restore."
        )
    database.sound(folder / database.NAMES[manifest["database"]])


def _already_here() -> int:
    """How many users the present database has; 0 for an empty or new one."""
    try:
        return int(User.objects.count())
    except DatabaseError:  # no table yet
        connection.close()
        return 0


def _put_keys(folder: Path) -> list[str]:
    """The backup's keys in their place; one of this machine that differs is put aside."""
    aside = []
    for key in sorted(folder.iterdir()) if folder.is_dir() else []:
        target = Path(settings.DATA_FOLDER) / key.name
        if target.exists() and target.read_bytes() != key.read_bytes():
            target.replace(target.with_name(target.name + ".before-restore"))
            aside.append(key.name)
        shutil.copy2(key, target)
        target.chmod(0o600)
    return aside


def _still_erased(digests: list[str]) -> list[int]:
    """Put erasures of after the backup back on the list, and find who has come back with it."""
    ErasedPerson.objects.bulk_create([ErasedPerson(digest=d) for d in digests], ignore_conflicts=True)
    people = list(User.objects.values_list("pk", "email", "source", "external_id"))
    emails = suppression.erased_emails(email for _, email, _, _ in people if email)
    back = {pk for pk, email, _, _ in people if email in emails}
    for source in {source for _, _, source, _ in people}:
        numbers = suppression.erased_numbers(source, [n for _, _, s, n in people if n and s == source])
        back |= {pk for pk, _, s, number in people if s == source and number in numbers}
    return sorted(back)
