"""A backup is whole or not there; what comes back is what was there; nothing is touched before all is checked."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management.base import CommandError
from django.db import connection

from authentication import suppression
from authentication.models import User
from core import backups
from ml_predictions import artifacts, conf
from ml_predictions.models import MLModel
from products.models import Product

MANAGE = [sys.executable, str(Path(__file__).resolve().parents[2] / "manage.py")]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(settings: Any, tmp_path: Path) -> MLModel:
    """A product, a customer, a version with its file, a picture, a key."""
    settings.DATA_FOLDER = tmp_path / "data"
    settings.MEDIA_ROOT = tmp_path / "data" / "media"
    settings.MEDIA_ROOT.mkdir(parents=True)
    (settings.MEDIA_ROOT / "coat.png").write_bytes(b"picture")
    (settings.DATA_FOLDER / "erasure_key").write_text(settings.ERASURE_KEYS[0])
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": settings.DATA_FOLDER / "models"}
    Product.objects.create(name="Coat", price=90)
    User.objects.create_user("ana@mail.test", "pass-word-1", role="customer")
    saved = artifacts.save("sales_forecast", artifacts.Content(arrays={"mean": np.arange(3.0)}))
    return MLModel.objects.create(
        service="sales_forecast", version=1, model_type="linear", as_of=date(2026, 6, 29), artifact=saved.name,
        artifact_sha256=saved.sha256, is_active=True,
    )  # fmt: skip


def manage(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One of our commands, on an installation of its own."""
    environment = {**os.environ, "TRASTIENDA_DATA": str(folder), "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3"}
    return subprocess.run([*MANAGE, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="an installation of its own needs no server")
def test_there_and_back_to_a_new_machine(shop: MLModel, tmp_path: Path) -> None:
    made, new = tmp_path / "shop.tar.gz", tmp_path / "new"
    manifest = backups.make(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert {"database.sqlite3", "keys/erasure_key", "media/coat.png"} <= set(manifest["files"])
    assert [p.name for p in tmp_path.iterdir() if "trastienda" in p.name or p.suffix == ".part"] == []

    back = manage("restore", str(made), folder=new)
    assert back.returncode == 0, back.stderr
    with closing(sqlite3.connect(new / "shop.sqlite3")) as found:
        assert found.execute("SELECT name FROM products_product").fetchall() == [("Coat",)]
    assert (new / "models" / shop.artifact / "mean.npy").is_file()
    assert (new / "media" / "coat.png").read_bytes() == b"picture"

    refused = manage("restore", str(made), folder=new)
    assert refused.returncode != 0
    assert "already holds a shop" in refused.stderr
    assert "--replace" in refused.stderr

    digest = suppression._digest(suppression.settings.ERASURE_KEYS[0], suppression.EMAIL, "ana@mail.test")
    with closing(sqlite3.connect(new / "shop.sqlite3")) as found:
        found.execute("UPDATE authentication_user SET email = NULL")
        found.execute(
            "INSERT INTO authentication_erasedperson (digest, created_at) VALUES (?, '2026-06-29')", (digest,)
        )
        found.commit()
        in_use = manage("restore", str(made), "--replace", folder=new)
        assert "Stop the server and the worker first" in in_use.stderr
    replaced = manage("restore", str(made), "--replace", folder=new)
    assert replaced.returncode == 0, replaced.stderr
    assert (new / "shop.sqlite3.before-restore").is_file()
    assert "1 customer(s) were erased after this backup" in replaced.stderr


@pytest.mark.postgres
def test_on_postgresql_the_old_state_comes_back(shop: MLModel, tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has its own way")
    made = tmp_path / "shop.tar.gz"
    backups.make(made)
    Product.objects.all().delete()
    with pytest.raises(CommandError, match="already holds a shop"):
        backups.restore(made)
    assert Product.objects.count() == 0
    backups.restore(made, replace=True)
    assert Product.objects.get().name == "Coat"
    assert MLModel.objects.get().artifact == shop.artifact


def test_where_it_may_lie(shop: MLModel, settings: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        backups.make(tmp_path / "no" / "b.tar.gz")
    with pytest.raises(CommandError, match="lies in the data folder"):
        backups.make(settings.DATA_FOLDER / "b.tar.gz")
    (tmp_path / "b.tar.gz").write_text("older")
    with pytest.raises(CommandError, match="exists already"):
        backups.make(tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "older"


def test_a_version_without_its_file_is_named(shop: MLModel, tmp_path: Path) -> None:
    artifacts.delete(shop.artifact)
    with pytest.raises(CommandError, match=f"{shop.artifact} is named in the database and not there"):
        backups.make(tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_full_disk_leaves_nothing(shop: MLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", full)
    with pytest.raises(CommandError, match="No space left on device"):
        backups.make(tmp_path / "b.tar.gz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("fault", ["cut", "changed", "other", "missing", "newer"])
def test_what_is_not_sound_touches_nothing(fault: str, shop: MLModel, tmp_path: Path, settings: Any) -> None:
    made = tmp_path / "b.tar.gz"
    backups.make(made)
    if fault == "cut":
        made.write_bytes(made.read_bytes()[:-200])
    elif fault == "other":
        made.write_text("a letter")
    elif fault == "missing":
        made.unlink()
    else:
        repack(made, tmp_path / "inside", fault)
    before = sorted(p.name for p in Path(conf.get("ARTIFACT_ROOT")).rglob("*"))
    with pytest.raises(CommandError, match=r"backup|Install that release"):
        backups.restore(made, replace=True)
    assert Product.objects.count() == 1
    assert sorted(p.name for p in Path(conf.get("ARTIFACT_ROOT")).rglob("*")) == before


def repack(made: Path, folder: Path, fault: str) -> None:
    """The backup again, with one byte changed in a file, or of a release with one migration more."""
    with tarfile.open(made) as packed:
        packed.extractall(folder, filter="data")
    if fault == "changed":
        (folder / "media" / "coat.png").write_bytes(b"Picture")
    else:
        manifest = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(manifest.replace('"migrations": [', '"migrations": ["shop.0999_new",'))
    with tarfile.open(made, "w:gz") as packed:
        for path in folder.iterdir():
            packed.add(path, path.name)
