"""Builds the wheel of the reusable app; what it is and needs stands in pyproject.toml.

`ml_predictions` shares `api_base` with the shop's own apps. The wheel holds a copy of it as `ml_predictions.api_base`,
its imports rewritten, so that no third package stands beside the two.
"""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHARED = Path("backend_django/api_base")
OWN_SHOP = ("django_shop.py", "django_purchasing.py")
"""Sources over the apps of this project, which the wheel does not hold."""
IMPORT = re.compile(r"^(\s*)(from|import) api_base\b", re.MULTILINE)
NAMED = re.compile(r"""(["'])api_base(?=[."'])""")
"""In a text: the app's name, and dotted paths of its classes."""


def moved(text: str) -> str:
    """The source with `api_base` under its name in the wheel."""
    text = IMPORT.sub(r"\1\2 ml_predictions.api_base", text)
    return NAMED.sub(r"\1ml_predictions.api_base", text)


class BuildPy(build_py):
    """Copies the packages without the sources of our own shop, then `api_base`, and rewrites every import of it."""

    def run(self) -> None:
        """Build."""
        super().run()
        app = Path(self.build_lib, "ml_predictions")
        for file in sorted(SHARED.rglob("*")):
            if file.suffix in (".py", ".mo") and "tests" not in file.parts:
                target = app / "api_base" / file.relative_to(SHARED)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        for name in OWN_SHOP:
            (app / "sources" / name).unlink()
        for file in sorted(app.rglob("*.py")):
            file.write_text(moved(file.read_text(encoding="utf-8")), encoding="utf-8")


setup(cmdclass={"build_py": BuildPy})
