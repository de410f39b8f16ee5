"""The environment variables of Trastienda: read here and nowhere else.

`docs/reference/settings.md` lists every variable with its meaning and default.
"""

from __future__ import annotations

import os
import secrets
import tomllib
import zoneinfo
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

FALSE = ("", "0", "false", "off", "no", "n", "f")
KINDS_OF_DATABASE = ("sqlite", "postgres", "postgresql", "psql", "pgsql")


class Env(environ.Env):
    """Reads a variable, and says which one cannot be, instead of a traceback or a silent `off`."""

    def int(self, var: str, default: Any = environ.Env.NOTSET) -> Any:
        """A whole number, or the default. Raises ImproperlyConfigured."""
        try:
            return super().int(var, default)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} must be a whole number; it is {os.environ[var]!r}.") from error

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> bool:
        """On or off. Raises ImproperlyConfigured for what is neither."""
        told = os.environ.get(var)
        if told is not None and told.strip().lower() not in (*self.BOOLEAN_TRUE_STRINGS, *FALSE):
            raise ImproperlyConfigured(f"{var} must be true or false; it is {told!r}.")
        return bool(super().bool(var, default))

    def db_url(self, var: str = "DATABASE_URL", default: Any = environ.Env.NOTSET, **options: Any) -> dict[str, Any]:
        """A database of a kind that we run on. Raises ImproperlyConfigured."""
        kind = os.environ.get(var, "sqlite:").partition(":")[0]
        if kind not in KINDS_OF_DATABASE:
            raise ImproperlyConfigured(
                f"{var} begins with {kind!r}; it must be postgres://user:password@host:5432/name or sqlite:////path/of/file."
            )
        return dict(super().db_url(var, default, **options))

    def time_zone(self, var: str, default: str) -> str:
        """The name of a time zone. Raises ImproperlyConfigured."""
        name = str(self.str(var, default))
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ImproperlyConfigured(f"{var} is {name!r}, which is no time zone; one is Europe/Madrid.") from error
        return name


env = Env()

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
