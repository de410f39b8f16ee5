"""The shop of this project and a folder of Parquet files tell the same of the same shop."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_predictions.testing.folder import FolderFiller
from ml_predictions.testing.shops import Filler
from ml_predictions.testing.source_contract import SourceContract
from ml_predictions.tests.sources.fillers import DjangoFiller

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["django_shop", "files"])
def filler(request: pytest.FixtureRequest, tmp_path: Path) -> Filler:
    return DjangoFiller() if request.param == "django_shop" else FolderFiller(tmp_path / "shop")


class TestSources(SourceContract):
    """The contract."""
