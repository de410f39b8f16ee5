"""Start-up checks: what is wrong with the settings of ML_PREDICTIONS, and how to mend it."""

from __future__ import annotations

import ctypes
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.utils.module_loading import import_string

from ml_predictions import conf

SHORTEST_KEY = 32
"""Characters that a key needs in production: 32 random letters and digits are more than 128 bits."""
MOST_NAMED = 20
"""Names that a hint lists."""
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
    """E004: SOURCE, E005: PERMISSION, E013: ENGINE, E006: another path names nothing to import."""
    named = [("SOURCE", conf.get("SOURCE"), "E004"), ("PERMISSION", conf.get("PERMISSION"), "E005")]
    named.append(("ENGINE", conf.get("ENGINE"), "E013"))
    named += [(name, conf.get(name), "E006") for name in ("REQUEST_ID", "PERSONAL_DATA")]
    for setting in ("KINDS", "NIGHTLY_FIRST", "NIGHTLY"):
        named += [(f"{setting}[{name!r}]", path, "E006") for name, path in conf.get(setting).items()]
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


@register()
def place(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E010: a country that is not known. E011: a region that it does not have. W002: a region without a country."""
    country, region = str(conf.project("COUNTRY")), str(conf.project("REGION"))
    if not country:
        return [_region_alone(region)] if region else []
    from retail_ml.errors import BadParameter
    from retail_ml.forecast import public_holidays

    try:
        code = public_holidays.country_code(country)
    except BadParameter:
        return [
            Error(
                f"ML_PREDICTIONS['COUNTRY'] is {country!r}, which is no country whose public holidays are known.",
                hint=f"Set COUNTRY to an ISO 3166 code or an English name, such as {_near(country, _countries())}; or "
                "leave it empty: it is then guessed from the days on which the shop was closed.",
                id="ml_predictions.E010",
            )
        ]
    try:
        public_holidays.region_code(code, region)
    except BadParameter:
        regions = public_holidays.regions(code)
        names = {f"{code}-{name}": name for name in regions} | {name: name for name in regions}
        one = f"Set REGION to one of {_near(region, names)}, or leave it empty for the holidays of the whole country."
        none = f"Leave REGION empty: no region of {code} is known to have holidays of its own."
        return [
            Error(
                f"ML_PREDICTIONS['REGION'] is {region!r}, which {country} does not have.",
                hint=one if regions else none,
                id="ml_predictions.E011",
            )
        ]
    return []


def _region_alone(region: str) -> CheckMessage:
    return Warning(
        f"ML_PREDICTIONS['REGION'] is {region!r}, and COUNTRY is empty: the region says nothing.",
        hint="Set COUNTRY to the two letters of the region's country, or leave REGION empty.",
        id="ml_predictions.W002",
    )


def _countries() -> dict[str, str]:
    """Every spelling of every country whose holidays are known → its code and name."""
    from holidays.registry import COUNTRIES

    spellings: dict[str, str] = {}
    for name, (_class, two, three, *_more) in COUNTRIES.items():
        readable = name.replace("_", " ").title()
        spellings |= dict.fromkeys((two, three, readable), f"{two} ({readable})")
    return spellings


def _near(text: str, spellings: Mapping[str, str]) -> str:
    """The names whose spellings are most like `text`; the first few when none is."""
    folded = {spelling.casefold(): name for spelling, name in spellings.items()}
    near = [folded[key] for key in difflib.get_close_matches(text.casefold(), folded, n=MOST_NAMED, cutoff=0.6)]
    names = list(dict.fromkeys(near or spellings.values()))
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


@register()
def lightgbm(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """W001: LightGBM's library cannot be loaded. Loads that one file, in milliseconds, and not the Python package."""
    spec = find_spec("lightgbm")
    folders = (spec.submodule_search_locations or []) if spec else []
    libraries = [path for folder in folders for path in sorted(Path(folder).glob("*/lib_lightgbm.*"))]
    problem = "the package lightgbm is not installed" if not libraries else None
    for path in libraries[:1]:
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            problem = str(error)
    if problem is None:
        return []
    return [
        Warning(
            f"LightGBM cannot be loaded ({problem}): the forecasts are trained by HistGradientBoosting of scikit-learn "
            "instead, a little slower and a little less exact.",
            hint="Install the library that it needs, on Debian and Ubuntu: apt install libgomp1; then train again.",
            id="ml_predictions.W001",
        )
    ]


@register(deploy=True)
def imports(app_configs: Configs, **_: Any) -> list[CheckMessage]:
    """E009: SOURCE is found but does not import. E012: it cannot be made with SOURCE_OPTIONS.

    Only with `--deploy`: it brings the numerical libraries along.
    """
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
    from ml_predictions.sources import get_source
    from retail_ml.errors import RetailMLError

    try:
        get_source()
    except (RetailMLError, TypeError) as error:
        return [
            Error(
                f"ML_PREDICTIONS['SOURCE'], {path}, cannot be opened with SOURCE_OPTIONS: {error}.",
                hint="Mend what it names; docs/reference/frames.md has the layout of a folder of files.",
                id="ml_predictions.E012",
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
