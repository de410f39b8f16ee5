"""The contract's assertions are explained; each test has a folder of its own for model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("ml_predictions.testing.source_contract", "ml_predictions.testing.service_contract")


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    own = {"ARTIFACT_ROOT": tmp_path / "models", "LIVE": "no"}
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **own}
