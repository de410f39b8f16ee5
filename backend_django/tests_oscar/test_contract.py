"""The contract of sources, and the four services, over Oscar, the corner shop and a folder of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fillers import CornerFiller, OscarFiller

from ml_predictions.testing.folder import FolderFiller
from ml_predictions.testing.service_contract import ServiceContract
from ml_predictions.testing.shops import Filler
from ml_predictions.testing.source_contract import SourceContract


@pytest.fixture(params=["oscar", "corner_shop", "files"])
def filler(request: pytest.FixtureRequest, tmp_path: Path) -> Filler:
    if request.param == "files":
        return FolderFiller(tmp_path / "shop")
    return OscarFiller(tmp_path) if request.param == "oscar" else CornerFiller()


class TestSources(SourceContract):
    """The contract of sources."""


class TestServices(ServiceContract):
    """The contract of the API."""

    @pytest.fixture
    def source_options(self, filler: Filler, tmp_path: Path) -> dict[str, Any]:
        if isinstance(filler, FolderFiller):
            return {
                "SOURCE": "ml_predictions.sources.files.FileShop",
                "SOURCE_OPTIONS": {"folder": tmp_path / "shop"},
            }
        if isinstance(filler, CornerFiller):
            return {"SOURCE": "corner_shop.joined.CornerShop"}
        return {"SOURCE_OPTIONS": {"costs": str(tmp_path / "costs.csv")}}
