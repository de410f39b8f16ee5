"""Model files: whole or not at all, checked, signed, never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression

from ml_predictions import artifacts, conf
from ml_predictions.artifacts import ArtifactRefused, Content

CONTENT = Content({"as_of": "2026-06-29"}, {"ids": np.array(["a", "b"]), "x": np.arange(4.0)})


@pytest.fixture(autouse=True)
def _nothing_cached():
    artifacts.load.cache_clear()
    yield
    artifacts.load.cache_clear()


def folder(saved) -> Path:
    return Path(conf.get("ARTIFACT_ROOT")) / saved.name


def sign_again(saved) -> str:
    """Write a manifest that fits the files as they are now, as somebody with the key could."""
    path = folder(saved)
    manifest = json.loads((path / "manifest.json").read_bytes())
    manifest["files"] = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.iterdir() if not p.name.startswith("manifest")
    }
    data = json.dumps(manifest, sort_keys=True).encode()
    (path / "manifest.json").write_bytes(data)
    (path / "manifest.hmac").write_text(artifacts._sign(conf.get("ARTIFACT_KEYS")[0], data))
    return hashlib.sha256(data).hexdigest()


def test_what_was_saved_is_loaded_memory_mapped_and_once():
    saved = artifacts.save("sales_forecast", CONTENT)
    loaded = artifacts.load(saved.name, saved.sha256)
    assert loaded.meta == CONTENT.meta
    assert loaded.arrays["ids"].tolist() == ["a", "b"]
    assert isinstance(loaded.arrays["x"], np.memmap)
    assert artifacts.load(saved.name, saved.sha256) is loaded


def test_without_an_estimator_nothing_is_loaded_that_only_estimators_need(monkeypatch):
    """The import of skops alone is a second of CPU."""
    monkeypatch.setitem(sys.modules, "skops.io", None)
    saved = artifacts.save("sales_forecast", CONTENT)
    assert artifacts.load(saved.name, saved.sha256).meta == CONTENT.meta


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(n_estimators=3, random_state=0),
        HistGradientBoostingRegressor(max_iter=3, random_state=0),
        LinearRegression(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_estimator_predicts_the_same_after_loading(estimator):
    x = np.arange(60.0).reshape(-1, 2)
    estimator.fit(x, x[:, 0] ** 2)
    saved = artifacts.save("sales_forecast", Content(estimators={"model": estimator}))
    again = artifacts.load(saved.name, saved.sha256).estimators["model"]
    np.testing.assert_array_equal(again.predict(x), estimator.predict(x))


def test_a_type_that_is_not_allowed_is_refused():
    from sklearn.preprocessing import FunctionTransformer

    saved = artifacts.save("sales_forecast", Content(estimators={"model": FunctionTransformer(os.getcwd)}))
    with pytest.raises(ArtifactRefused, match="not allowed"):
        artifacts.load(saved.name, saved.sha256)


@pytest.mark.parametrize("name", ["x.npy", "meta.json"])
def test_a_changed_file_is_refused(name):
    saved = artifacts.save("sales_forecast", CONTENT)
    path = folder(saved) / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactRefused, match=f"{name} is missing or was changed"):
        artifacts.load(saved.name, saved.sha256)


def test_a_missing_file_is_refused():
    saved = artifacts.save("sales_forecast", CONTENT)
    (folder(saved) / "x.npy").unlink()
    with pytest.raises(ArtifactRefused, match="missing"):
        artifacts.load(saved.name, saved.sha256)
    artifacts.delete(saved.name)
    with pytest.raises(ArtifactRefused, match="cannot be read"):
        artifacts.load(saved.name, saved.sha256)


def test_a_foreign_signature_is_refused_and_an_older_key_of_ours_is_not(settings):
    saved = artifacts.save("sales_forecast", CONTENT)
    ours = conf.get("ARTIFACT_KEYS")
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_KEYS": ["another"]}
    with pytest.raises(ArtifactRefused, match="signature"):
        artifacts.load(saved.name, saved.sha256)
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_KEYS": ["another", *ours]}
    assert artifacts.load(saved.name, saved.sha256).meta == CONTENT.meta


def test_a_file_that_the_database_does_not_know_is_refused_even_when_signed():
    saved = artifacts.save("sales_forecast", CONTENT)
    (folder(saved) / "meta.json").write_text('{"as_of": "2020-01-01"}')
    sign_again(saved)
    with pytest.raises(ArtifactRefused, match="database"):
        artifacts.load(saved.name, saved.sha256)


@pytest.mark.parametrize(("written", "release"), [(1, "older"), (99, "newer")])
def test_a_file_of_another_release_is_refused_by_name(monkeypatch, written, release):
    monkeypatch.setitem(artifacts.FORMATS, "sales_forecast", written)
    saved = artifacts.save("sales_forecast", CONTENT)
    monkeypatch.setitem(artifacts.FORMATS, "sales_forecast", 2)
    with pytest.raises(ArtifactRefused, match=rf"an? {release} release \(its format is {written}, this one reads 2\)"):
        artifacts.load(saved.name, saved.sha256)


def test_a_new_format_of_one_service_refuses_no_file_of_another(monkeypatch):
    saved = artifacts.save("customer_segmentation", CONTENT)
    monkeypatch.setitem(artifacts.FORMATS, "sales_forecast", 99)
    assert artifacts.load(saved.name, saved.sha256).meta == CONTENT.meta


def test_a_pickle_is_never_opened(tmp_path):
    saved = artifacts.save("sales_forecast", CONTENT)
    witness = tmp_path / "opened"

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    array = np.empty(1, dtype=object)
    array[0] = Trap()
    np.save(folder(saved) / "x.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match="pickle|Object arrays|Array can't"):
        artifacts.load(saved.name, sign_again(saved))
    assert not witness.exists()
    assert pickle.dumps(Trap())  # the trap itself works: it would have made the folder when loaded


def test_arrays_of_python_objects_are_not_saved_and_nothing_is_left_behind():
    with pytest.raises(TypeError, match="'x' holds Python objects"):
        artifacts.save("sales_forecast", Content(arrays={"x": np.array([{}], dtype=object)}))
    assert list(Path(conf.get("ARTIFACT_ROOT")).glob("*/*")) == []


def test_a_disk_that_is_full_leaves_nothing_behind(monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left.*is the disk full"):
        artifacts.save("sales_forecast", CONTENT)
    assert list(Path(conf.get("ARTIFACT_ROOT")).glob("*/*")) == []
