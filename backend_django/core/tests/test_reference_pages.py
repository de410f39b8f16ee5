"""The reference pages are what the code says: API, settings, frames, errors, alert codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import translation

from core.tests import reference
from ml_predictions.messages import TEXTS
from ml_predictions.views import errors as answers
from retail_ml import errors, frames

BACKEND = Path(settings.BASE_DIR)
NOT_API = {"retail_ml_error"}
"""The class that all errors of the mathematics have in common; nobody raises it."""


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]


def operations() -> dict[str, list[str]]:
    """Per tag of the schema its calls, each with the summary and the first sentence of its description."""
    from drf_spectacular.generators import SchemaGenerator

    found: dict[str, list[str]] = {}
    with translation.override("en"):
        document: Any = SchemaGenerator().get_schema(request=None, public=True)
        for path, methods in sorted(document["paths"].items()):
            for method, call in sorted(methods.items()):
                told = first_sentence(call.get("description") or "")
                row = f"| `{method.upper()} {path}` | {call['summary']} | {told} |"
                found.setdefault(call["tags"][0], []).append(row)
    return found


def comments(path: Path, name: str) -> Iterator[tuple[str, str, str]]:
    """The entries of the dictionary `name` in a source file: key, value as written, comment above or beside it."""
    source = path.read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", None) == name:
            assert isinstance(node.value, ast.Dict)
            lines = source.splitlines()
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                assert isinstance(key, ast.Constant)
                above = key.lineno - 2
                told: list[str] = []
                while lines[above].strip().startswith("#"):
                    told.insert(0, lines[above].strip().removeprefix("#").strip())
                    above -= 1
                beside = lines[(value.end_lineno or value.lineno) - 1].partition("  # ")[2]
                yield str(key.value), ast.unparse(value), " ".join(told) or beside


def settings_rows() -> list[str]:
    found = list(comments(BACKEND / "ml_predictions" / "conf.py", "DEFAULTS"))
    above = ""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, default, told in found:
        above = told or above  # one comment may stand above two settings
        rows.append(f"| `{name}` | `{default}` | {above} |")
    return rows


def _is_schema(value: object) -> bool:
    import polars as pl

    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            isinstance(x, pl.DataType) or (isinstance(x, type) and issubclass(x, pl.DataType)) for x in value.values()
        )
    )


def error_rows() -> dict[str, list[str]]:
    """Codes of our own exceptions, with the sentence where it is one of the stored ones."""
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.RetailMLError)]
    status = {cls.code: next((s for c, s in answers.STATUS_OF_CLASS if issubclass(cls, c)), 409) for cls in classes}
    status |= dict.fromkeys(answers.CONFLICTS, 409)
    head = ["| code | status | says |", "|---|---|---|"]
    rows = []
    with translation.override("en"):
        for code in sorted(set(status) - NOT_API):
            said = str(TEXTS[code]) if code in TEXTS else ""
            rows.append(f"| `{code}` | {status[code]} | {said} |")
    common = [f"| `{code}` | {number} | |" for number, code in sorted(answers.DRF_CODES.items())]
    return {"own": head + rows, "common": head + common}


def test_the_api_page_has_every_call():
    tables = {tag: ["| call | what | |", "|---|---|---|", *rows] for tag, rows in operations().items()}
    assert sum(len(rows) for rows in tables.values()) > 120
    page = (reference.FOLDER / "api.md").read_text()
    assert {tag for tag in tables if f"<!-- {tag} -->" not in page} == set(), "a section is missing"
    reference.check("api.md", tables)


def test_the_settings_page_has_every_setting_of_the_machine_learning():
    reference.check("settings.md", {"ml": settings_rows()})


def test_the_frames_page_has_every_column():
    page = (reference.FOLDER / "frames.md").read_text()
    schemas = {name: value for name, value in vars(frames).items() if name.isupper() and _is_schema(value)}
    assert {"ORDER_LINES", "STOCK", "OPEN_ORDERS"} <= set(schemas)
    follows = {"day"}  # it follows from `at`
    missing = {
        f"{name}.{column}"
        for name, schema in schemas.items()
        for column in schema
        if column not in follows and f"`{column}`" not in page
    }
    assert missing == set()


def test_the_errors_page_has_every_code():
    reference.check("errors.md", error_rows())


def test_every_code_that_is_raised_is_on_the_errors_page():
    page = (reference.FOLDER / "errors.md").read_text()
    raised = set()
    for app in ("api_base", "authentication", "products", "purchasing", "orders", "core"):
        for file in (BACKEND / app).rglob("*.py"):
            if "tests" not in file.parts:
                raised |= set(re.findall(r'(?:code|default_code)\s*=\s*"([a-z_]+)"', file.read_text()))
    assert len(raised) > 10
    raised -= {"invalid"}  # of one field, inside of a bad_parameter
    assert {code for code in raised if f"`{code}`" not in page} == set()


def test_the_alert_codes_are_those_of_the_code():
    from retail_ml.inventory.alerts import CODES

    page = (reference.FOLDER / "alert-codes.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == set(CODES)
