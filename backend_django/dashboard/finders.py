"""Hands out one file of Plotly's package, so that no copy of it is kept in this repository."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

NAME = "plotly/plotly.min.js"


@cache
def package_data() -> Path:
    """The folder with Plotly's JavaScript; the package itself is not imported."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("Plotly is not installed; run `make setup`.")
    return Path(next(iter(spec.submodule_search_locations))) / "package_data"


class PlotlyFinder(BaseFinder):
    """Finds `plotly/plotly.min.js`."""

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """Its place on this machine, when `path` is asked for."""
        found = str(package_data() / "plotly.min.js")
        if find_all:
            return [found] if path == NAME else []
        return found if path == NAME else None

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[Any]:
        """The one file, for `collectstatic`."""
        storage: Any = FileSystemStorage(location=package_data())
        storage.prefix = "plotly"
        yield "plotly.min.js", storage

    def check(self, **kwargs: Any) -> Any:
        """Nothing to configure."""
        return []
