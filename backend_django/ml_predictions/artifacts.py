"""Model files: one folder per version with JSON, `.npy` arrays and skops estimators; never a pickle.

A folder is written under a temporary name, flushed to disk and renamed, so that it is there whole or not at
all. `manifest.json` lists every file with its SHA-256, the format and the library versions; the manifest's own
SHA-256 stands in the database and its HMAC (`ML_PREDICTIONS["ARTIFACT_KEYS"]`) beside it. A file that was
changed, cut short or signed by nobody we know is refused. Arrays are memory-mapped on load.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from django.utils import translation
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

import retail_ml
from ml_predictions import conf

FORMATS = {"sales_forecast": 2}
"""Format of a service's files, 1 where it is not named. To be raised with every array that answers cannot do without:
a file of an older release is then refused by name, and not found wanting in the middle of an answer."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "polars", "skops")
TRUSTED = [
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]
"""The only types beyond skops' own defaults that an estimator file may name."""


class ArtifactRefused(Exception):
    """A model file that is missing, damaged, unsigned or of another format."""

    code = "artifact_refused"

    def __init__(self, name: str, reason: Any) -> None:
        with translation.override("en"):  # for the log; `reason` may be a text that waits for the reader's language
            super().__init__(
                f"The model file {name} was refused: {reason}. Stored results go on serving; train the service again."
            )
        self.name = name
        self.reason = reason
        self.details = {"name": name, "reason": reason}


@dataclass(frozen=True)
class Content:
    """What one fitted model consists of: JSON values, arrays, and scikit-learn estimators by name."""

    meta: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    estimators: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """Name of the folder under ARTIFACT_ROOT, and the SHA-256 of its manifest."""

    name: str
    sha256: str


def libraries() -> dict[str, str]:
    """Versions of the libraries that a model file depends on, of Python, and of the mathematics of this project."""
    found = {name: version(name) for name in LIBRARIES}
    return {**found, "python": platform.python_version(), "retail_ml": code_digest()}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Twelve digits that change with any line of `retail_ml`: which code trained a version."""
    digest = hashlib.sha256()
    root = Path(retail_ml.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if "tests" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def save(service: str, content: Content) -> Saved:
    """Write `content` to a new folder of its own and return its name and checksum; whole or not at all."""
    root = Path(conf.get("ARTIFACT_ROOT"))
    name = f"{service}/{uuid.uuid4().hex}"
    target, temporary = root / name, root / f"{name}.part"
    temporary.mkdir(parents=True)
    try:
        files = _write_files(temporary, content)
        manifest = json.dumps(
            {"format": FORMATS.get(service, 1), "service": service, "libraries": libraries(), "files": files},
            sort_keys=True,
        ).encode()
        _write(temporary / "manifest.json", manifest)
        _write(temporary / "manifest.hmac", _sign(conf.get("ARTIFACT_KEYS")[0], manifest).encode())
        os.replace(temporary, target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(f"the model file could not be written ({error.strerror or error}); is the disk full?") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _flush(target.parent)
    return Saved(name, hashlib.sha256(manifest).hexdigest())


@lru_cache(maxsize=8)
def load(name: str, sha256: str) -> Content:
    """The content of a saved folder, checked against `sha256` (from the database) and its signature.

    Kept per process: a version's files never change, so they are read once. Raises ArtifactRefused.
    """
    folder = Path(conf.get("ARTIFACT_ROOT")) / name
    try:
        manifest_bytes = (folder / "manifest.json").read_bytes()
        signature = (folder / "manifest.hmac").read_text()
    except OSError as error:
        raise ArtifactRefused(name, format_lazy(_("it cannot be read ({error})"), error=error.strerror)) from error
    if not any(hmac.compare_digest(_sign(key, manifest_bytes), signature) for key in conf.get("ARTIFACT_KEYS")):
        raise ArtifactRefused(name, _("its signature is not ours"))
    if hashlib.sha256(manifest_bytes).hexdigest() != sha256:
        raise ArtifactRefused(name, _("its checksum is not the one in the database"))
    manifest = json.loads(manifest_bytes)
    _check_format(name, manifest["format"], FORMATS.get(manifest["service"], 1))
    for file, digest in manifest["files"].items():
        path = folder / file
        if not path.is_file() or _digest(path) != digest:
            raise ArtifactRefused(name, format_lazy(_("{file} is missing or was changed"), file=file))
    return _read_files(name, folder, manifest["files"])


def delete(name: str) -> None:
    """Remove a version's folder; it may be gone already."""
    shutil.rmtree(Path(conf.get("ARTIFACT_ROOT")) / name, ignore_errors=True)


def sweep(service: str, *, keep: Iterable[str], before: float) -> list[str]:
    """Remove what trainings that were killed have left of `service`: folders that no version names.

    `keep`: the names that versions have. `before`: seconds since 1970; what is younger may be in the making.
    Returns the names of what was removed, half-written ones (`….part`) among them.
    """
    root, kept, gone = Path(conf.get("ARTIFACT_ROOT")), set(keep), []
    for folder in sorted((root / service).glob("*")):
        name = f"{service}/{folder.name}"
        if name not in kept and folder.stat().st_mtime < before:
            delete(name)
            gone.append(name)
    return gone


def _check_format(name: str, found: int, known: int) -> None:
    if found < known:
        text = _("it was trained by an older release (its format is {found}, this one reads {known})")
    elif found > known:
        text = _("it was trained by a newer release (its format is {found}, this one reads {known})")
    else:
        return
    raise ArtifactRefused(name, format_lazy(text, found=found, known=known))


def _write_files(folder: Path, content: Content) -> dict[str, str]:
    _write(folder / "meta.json", json.dumps(content.meta, allow_nan=False).encode())
    for key, array in content.arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {key!r} holds Python objects; give it a NumPy dtype")
        with open(folder / f"{key}.npy", "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    if content.estimators:
        import skops.io  # it loads every estimator that scikit-learn has: a second of CPU that most versions can spare

        for key, estimator in content.estimators.items():
            _write(folder / f"{key}.skops", skops.io.dumps(estimator))
    return {path.name: _digest(path) for path in sorted(folder.iterdir())}


def _read_files(name: str, folder: Path, files: dict[str, str]) -> Content:
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
    arrays = {
        Path(file).stem: np.load(folder / file, mmap_mode="r", allow_pickle=False)
        for file in files
        if file.endswith(".npy")
    }
    estimators = {Path(file).stem: _read_estimator(name, folder / file) for file in files if file.endswith(".skops")}
    return Content(meta, arrays, estimators)


def _read_estimator(name: str, path: Path) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(path, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        text = _("{file} names types that are not allowed: {error}")
        raise ArtifactRefused(name, format_lazy(text, file=path.name, error=str(error))) from error


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sign(key: str, data: bytes) -> str:
    return hmac.new(key.encode(), data, hashlib.sha256).hexdigest()
