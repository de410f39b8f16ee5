"""Start-up checks: each finds its fault, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from ml_predictions import checks

BACKEND = Path(__file__).resolve().parents[2]
ALL = (
    checks.keys, checks.artifact_root, checks.paths, checks.values, checks.place, checks.lightgbm, checks.imports,
)  # fmt: skip


def found(settings: Any, **values: Any) -> list[str]:
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **values}
    errors = [error for check in ALL for error in check(None)]
    assert all(error.hint for error in errors)
    return [error.id.removeprefix("ml_predictions.") for error in errors]


def test_the_projects_own_settings_are_fine(settings: Any):
    assert found(settings) == []


def test_e001_no_key(settings: Any):
    assert found(settings, ARTIFACT_KEYS=[]) == ["E001"]
    assert found(settings, ARTIFACT_KEYS=[""]) == ["E001"]


def test_e002_a_weak_key_matters_in_production_alone(settings: Any):
    assert found(settings, ARTIFACT_KEYS=["short"]) == []
    settings.PRODUCTION = True
    assert found(settings, ARTIFACT_KEYS=["short"]) == ["E002"]
    settings.SECRET_KEY = "s" * 60
    assert found(settings, ARTIFACT_KEYS=["s" * 60]) == ["E002"]
    assert found(settings, ARTIFACT_KEYS=["k" * 60]) == []


def test_e003_a_folder_that_cannot_be_written(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "file"
    file.write_text("")
    assert found(settings, ARTIFACT_ROOT=file / "models") == ["E003"]
    monkeypatch.setattr(checks.os, "access", lambda *_: False)
    assert found(settings, ARTIFACT_ROOT=tmp_path / "new" / "models") == ["E003"]


@pytest.mark.parametrize(
    ("name", "path", "ids"),
    [
        ("SOURCE", "no_such_package.Shop", ["E004", "E009"]),
        ("SOURCE", "ml_predictions.sources.no_such_file.Shop", ["E004", "E009"]),
        ("SOURCE", "Shop", ["E004", "E009"]),
        ("REQUEST_ID", "core.no_such_file.current_id", ["E006"]),
        ("PERSONAL_DATA", "core.no_such_file.PLACES", ["E006"]),
        ("PERMISSION", "rest_framework.permissions.NoSuchClass", ["E005"]),
        ("KINDS", {"pull": "ingest.no_such_file.pull"}, ["E006"]),
        ("ENGINE", "ml_predictions.engines.abacus.Abacus", ["E013"]),
    ],
)
def test_e004_e005_e006_paths_that_lead_nowhere(settings: Any, name: str, path: Any, ids: list[str]):
    import rest_framework.permissions  # noqa: F401  # a project that serves has it loaded

    assert found(settings, **{name: path}) == ids


def test_e007_a_setting_that_does_not_exist(settings: Any):
    assert found(settings, HOLDING_RAT=0.2) == ["E007"]


def test_e008_a_time_zone_that_does_not_exist(settings: Any):
    assert found(settings, TIME_ZONE="Europe/Atlantis") == ["E008"]


def test_e009_a_source_that_is_there_but_lacks_its_class(settings: Any):
    assert "E009" in found(settings, SOURCE="ml_predictions.sources.django_shop.NoShop")


# --- where the shop is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "region", "ids"),
    [
        ("", "", []),
        ("ES", "", []),
        ("es", "MD", []),
        ("Spain", "ES-MD", []),
        ("EE", "", []),
        ("Espana", "", ["E010"]),
        ("QQ", "MD", ["E010"]),
        ("ES", "Madrit", ["E011"]),
        ("EE", "X", ["E011"]),
        ("", "MD", ["W002"]),
    ],
)
def test_e010_e011_w002_country_and_region(settings: Any, country: str, region: str, ids: list[str]):
    assert found(settings, COUNTRY=country, REGION=region) == ids


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"COUNTRY": "Espana"}, "ES (Spain)"),
        ({"COUNTRY": "united kingdon"}, "GB (United Kingdom)"),
        ({"COUNTRY": "DE", "REGION": "BYY"}, "BY,"),
        ({"COUNTRY": "ES", "REGION": "QQ"}, "AN, AR, "),
    ],
)
def test_the_hint_names_what_was_probably_meant(settings: Any, values: dict[str, str], named: str):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **values}
    (error,) = checks.place(None)
    assert error.hint is not None
    assert named in error.hint


def test_without_a_country_the_holidays_are_not_loaded():
    code = "import django; django.setup(); from django.core.checks import run_checks; run_checks(); import sys; "
    code += "print([m for m in ('holidays', 'lightgbm', 'sklearn', 'polars') if m in sys.modules])"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "core.settings", "COUNTRY": "", "REGION": ""}
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=BACKEND, env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


# --- LightGBM -------------------------------------------------------------------------------------


def broken(tmp_path: Path) -> ModuleSpec:
    """A package lightgbm whose library no system can load."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "lib_lightgbm.so").write_bytes(b"no library")
    spec = ModuleSpec("lightgbm", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    return spec


def test_w001_a_library_that_cannot_be_loaded(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = broken(tmp_path)
    monkeypatch.setattr(checks, "find_spec", lambda name: spec)
    assert found(settings) == ["W001"]
    (warning,) = checks.lightgbm(None)
    assert "lib_lightgbm.so" in warning.msg
    assert "HistGradientBoosting" in warning.msg
    assert "apt install libgomp1" in str(warning.hint)


def test_w001_a_package_that_is_not_there(settings: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert found(settings) == ["W001"]


def test_w001_agrees_with_what_the_forecast_does():
    from retail_ml.forecast import boosting

    assert boosting.available() == (checks.lightgbm(None) == [])
