"""The environment variables of Trastienda: read here and nowhere else.

`docs/reference/settings.md` lists every variable with its meaning and default.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from pathlib import Path

import environ

env = environ.Env()

ROOT = Path(__file__).resolve().parent.parent.parent

# A .env file beside the README is read when it is there; real variables win. First, since it may name the folder below.
if (ROOT / ".env").is_file():
    env.read_env(str(ROOT / ".env"))

VAR = Path(os.environ.get("TRASTIENDA_DATA", ROOT / "var"))
"""Everything that Trastienda writes on this machine: database, model files, keys."""


RELEASE = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
"""The release of this installation: written in pyproject.toml and nowhere else."""


def private_file(name: str, make: str | None = None) -> str:
    """The secret kept in `VAR/name` (mode 0600), made when it is not there yet.

    Two processes may start at once: the file is created exclusively, the slower one reads it.
    """
    path = VAR / name
    if not path.exists():
        VAR.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w") as file:
                file.write(make if make is not None else secrets.token_urlsafe(50))
    return path.read_text().strip()
