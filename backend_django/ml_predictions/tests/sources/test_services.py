"""The four services over the shop of this project and over a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml_predictions.testing.folder import FolderFiller
from ml_predictions.testing.service_contract import ServiceContract
from ml_predictions.testing.shops import Filler
from ml_predictions.tests.sources.fillers import DjangoFiller

FILES = "ml_predictions.sources.files.FileShop"


@pytest.fixture(params=["django_shop", "files"])
def filler(request: pytest.FixtureRequest, tmp_path: Path) -> Filler:
    return DjangoFiller() if request.param == "django_shop" else FolderFiller(tmp_path / "shop")


class TestServices(ServiceContract):
    """The contract."""

    @pytest.fixture
    def source_options(self, filler: Filler, tmp_path: Path) -> dict[str, Any]:
        files = {"SOURCE": FILES, "SOURCE_OPTIONS": {"folder": tmp_path / "shop"}}
        return files if isinstance(filler, FolderFiller) else {}
