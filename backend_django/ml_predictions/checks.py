"""Start-up checks: what is wrong with the settings of ML_PREDICTIONS, and how to mend it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from ml_predictions import conf

SHORTEST_KEY = 32
"""Characters that a key needs in production: 32 random letters and digits are more than 128 bits."""
Configs = Sequence[AppConfig] | None


@register(Tags.security)
def keys(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E001: no key. E002: in production a key that is short, or the one that signs sessions."""
    found = [str(key) for key in conf.get("ARTIFACT_KEYS")]
    if not any(found):
        return [
            Error(
                "ML_PREDICTIONS['ARTIFACT_KEYS'] is empty: no model file can be signed or read.",
                hint="Set ML_ARTIFACT_KEY to 32 or more random characters; keep it with the backup.",
                id="ml_predictions.E001",
            )
        ]
    weak = [key for key in found if len(key) < SHORTEST_KEY or key == settings.SECRET_KEY]
    if weak and getattr(settings, "PRODUCTION", False):
        return [
            Error(
                f"{len(weak)} of {len(found)} keys that sign model files are shorter than {SHORTEST_KEY} characters, "
                "or are DJANGO_SECRET_KEY as well.",
                hint="Set ML_ARTIFACT_KEY to a value of its own, for example the output of: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'",
                id="ml_predictions.E002",
            )
        ]
    return []


@register(Tags.files)
def artifact_root(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E003: the folder of the model files cannot be written."""
    root = Path(conf.get("ARTIFACT_ROOT")).absolute()
    # It is made at the first training: until then the nearest folder that is there counts.
    nearest = next(folder for folder in (root, *root.parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"ML_PREDICTIONS['ARTIFACT_ROOT'] is {root}, and {nearest} is no folder that this user may write.",
            hint="Give the folder to the user that runs the server and the worker, or name another one.",
            id="ml_predictions.E003",
        )
    ]


@register()
def paths(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E004: SOURCE, E005: PERMISSION, E006: an entry of KINDS names nothing that can be imported."""
    named = [("SOURCE", conf.get("SOURCE"), "E004"), ("PERMISSION", conf.get("PERMISSION"), "E005")]
    named += [(f"KINDS[{kind!r}]", path, "E006") for kind, path in conf.get("KINDS").items()]
    return [
        Error(
            f"ML_PREDICTIONS: {name} is {path!r}: {problem}.",
            hint="Give the dotted path of a module and a name in it, like 'package.module.Name'.",
            id=f"ml_predictions.{number}",
        )
        for name, path, number in named
        if (problem := _problem(str(path)))
    ]


@register()
def values(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E007: a setting that does not exist. E008: a time zone that does not exist."""
    own = getattr(settings, "ML_PREDICTIONS", {})
    errors: list[CheckMessage] = [
        Error(
            f"ML_PREDICTIONS has no setting {name!r}.",
            hint=f"The settings are {', '.join(conf.DEFAULTS)} (ml_predictions/conf.py).",
            id="ml_predictions.E007",
        )
        for name in own
        if name not in conf.DEFAULTS
    ]
    if conf.get("TIME_ZONE") not in available_timezones():
        errors.append(
            Error(
                f"ML_PREDICTIONS['TIME_ZONE'] is {conf.get('TIME_ZONE')!r}, which is no time zone.",
                hint="Set TIME_ZONE to a name like Europe/Madrid.",
                id="ml_predictions.E008",
            )
        )
    return errors


@register(deploy=True)
def imports(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E009: SOURCE is found but does not import. Only with `--deploy`: it brings the numerical libraries along."""
    path = str(conf.get("SOURCE"))
    try:
        import_string(path)
    except ImportError as error:
        return [
            Error(
                f"ML_PREDICTIONS['SOURCE'] is {path!r}, which does not import: {error}.",
                hint="Mend the import, or name another source.",
                id="ml_predictions.E009",
            )
        ]
    return []


def _problem(path: str) -> str | None:
    """Why `path` names nothing. Looks for the module's file without importing it, so that start-up stays quick."""
    module, _, name = path.rpartition(".")
    if not module or not name:
        return "it has no module"
    if module in sys.modules:
        return None if hasattr(sys.modules[module], name) else f"{module} has no {name}"
    spec, where, names = None, None, module.split(".")
    for depth in range(len(names)):
        spec = PathFinder.find_spec(".".join(names[: depth + 1]), where)
        if spec is None:
            return f"there is no module {'.'.join(names[: depth + 1])}"
        where = list(spec.submodule_search_locations or [])
    return None
