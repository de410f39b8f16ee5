"""Start-up checks: each finds its fault, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml_predictions import checks

ALL = (checks.keys, checks.artifact_root, checks.paths, checks.values, checks.imports)


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
        ("PERMISSION", "rest_framework.permissions.NoSuchClass", ["E005"]),
        ("KINDS", {"pull": "ingest.no_such_file.pull"}, ["E006"]),
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
