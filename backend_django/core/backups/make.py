"""Write a backup: whole under its final name, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from core.backups import database
from core.personal_files import KEYS
from ml_predictions import conf

FORMAT = 1
MANIFEST = "manifest.json"
TRIES = 3
"""How often it begins anew when a model file was removed while it was being copied."""


def make(target: Path) -> dict[str, Any]:
    """Write the backup `target` (.tar.gz) and return its manifest. The shop may go on working meanwhile.

    Raises CommandError when it exists, lies in the data folder, or cannot be written; nothing is left then.
    """
    _check_target(target)
    part = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".trastienda-backup-") as name:
            folder = Path(name)
            _gather(folder)
            manifest = _describe(folder)
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            _pack(folder, part)
            os.replace(part, target)
    except OSError as error:
        raise CommandError(
            f"The backup could not be written to {target} ({error.strerror or error}). Is the disk full? "
            "Nothing was left behind."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise CommandError(f"The folder {target.parent} does not exist. Make it first.")
    if target.exists():
        raise CommandError(f"{target} exists already. Choose another name, with the date in it for example.")
    if target.resolve().is_relative_to(Path(settings.DATA_FOLDER).resolve()):
        raise CommandError(
            f"{target} lies in the data folder, which a broken disk takes along. Choose a folder on another disk."
        )


def _gather(folder: Path) -> None:
    """Copy everything into `folder`; begins anew when a model file of that moment has gone meanwhile."""
    for attempt in range(TRIES):
        try:
            with database.copied(folder) as artifacts:
                _copy_models(artifacts, folder / "models")
            break
        except FileNotFoundError as error:
            shutil.rmtree(folder / "models", ignore_errors=True)
            (folder / database.NAMES[database.vendor()]).unlink(missing_ok=True)
            if attempt == TRIES - 1:
                raise CommandError(
                    f"The model file {error.filename} is named in the database and not there. Train that service "
                    "again or delete the version in the admin, then make the backup."
                ) from error
    for key in sorted(KEYS):
        if (Path(settings.DATA_FOLDER) / key).is_file():
            (folder / "keys").mkdir(exist_ok=True)
            shutil.copy2(Path(settings.DATA_FOLDER) / key, folder / "keys" / key)
    if Path(settings.MEDIA_ROOT).is_dir():
        shutil.copytree(settings.MEDIA_ROOT, folder / "media")


def _copy_models(names: Iterable[str], target: Path) -> None:
    root = Path(conf.get("ARTIFACT_ROOT"))
    for name in sorted(names):
        if not (root / name).is_dir():
            raise FileNotFoundError(2, "no such model file", name)
        try:
            shutil.copytree(root / name, target / name)
        except shutil.Error as error:  # it was removed half-way, or the disk is full
            if (root / name).is_dir():
                raise OSError(str(error.args[0][0][2])) from error
            raise FileNotFoundError(2, "no such model file", name) from error


def _describe(folder: Path) -> dict[str, Any]:
    """What it is, of when, and the checksum of every file."""
    files = {str(p.relative_to(folder)): digest(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "made": made, "database": database.vendor(), "migrations": applied, "files": files}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(folder: Path, target: Path) -> None:
    """One archive that nobody else on this machine may read: it holds persons and keys."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
            archive.add(folder / MANIFEST, MANIFEST)
            for path in sorted(folder.iterdir()):
                if path.name != MANIFEST:
                    archive.add(path, path.name)
        file.flush()
        os.fsync(file.fileno())
