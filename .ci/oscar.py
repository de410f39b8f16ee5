"""Another shop with the wheel: build it, install it beside django-oscar in an environment of its own, run its tests.

They run on SQLite and then, but for those of a folder of files, on a PostgreSQL of their own (`with_postgres.py`).
The environment is kept in `.tools/oscar` and made again when what it needs has changed; the wheel is installed anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "backend_django" / "tests_oscar"
LOCK = ROOT / "backend_django" / "requirements-dev.txt"
CACHE = ROOT / ".tools" / "oscar"
PYTHON = CACHE / "venv" / "bin" / "python"
PACKAGED = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
PACKAGES = ("ml_predictions", "retail_ml", "api_base")


def pip(*arguments: str | Path) -> None:
    """pip of that environment."""
    subprocess.run([PYTHON, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


def build(folder: Path) -> Path:
    """The wheel, made of a copy: nothing is left beside the sources."""
    source = folder / "source"
    source.mkdir()
    for name in PACKAGED:
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        where = Path("backend_django") / package
        shutil.copytree(ROOT / where, source / where, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "-w", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path) -> None:
    """A virtual environment with the versions of our lock, where it has them."""
    needs = [ROOT / "pyproject.toml", PROJECT / "requirements.txt", LOCK]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in needs)).hexdigest()
    stamp = CACHE / "stamp"
    if not (stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists()):
        shutil.rmtree(CACHE, ignore_errors=True)
        empty = folder / "nothing.txt"
        empty.write_text("")
        subprocess.run(["sh", ".ci/make-venv", sys.executable, PYTHON.parent.parent, empty], check=True, cwd=ROOT)
        constraints = folder / "constraints.txt"
        lines = (line.rstrip(" \\") for line in LOCK.read_text().splitlines())
        constraints.write_text("\n".join(line for line in lines if not line.lstrip().startswith("--hash")))
        pip("install", "-c", constraints, build(folder), "-r", PROJECT / "requirements.txt")
        stamp.write_text(wanted)
    else:
        pip("install", "--no-deps", "--force-reinstall", build(folder))


def main() -> None:
    """Install, walk the road once, run the tests twice."""
    with tempfile.TemporaryDirectory(prefix="trastienda-oscar-") as name:
        folder = Path(name)
        environment(folder)
        data = folder / "data"
        data.mkdir()
        own = {
            **os.environ,
            "OSCAR_DATA": str(data),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": "settings",
        }
        for variable in ("PYTHONPATH", "DATABASE_URL"):
            own.pop(variable, None)
        tests = [PYTHON, "-m", "pytest", *sys.argv[1:]]
        postgres = [sys.executable, ROOT / ".ci" / "with_postgres.py", "--no-autovacuum"]
        for command in ([PYTHON, "road.py"], tests, [*postgres, *tests, "-k", "not files"]):
            subprocess.run(command, cwd=PROJECT, env=own, check=True)


if __name__ == "__main__":
    main()
