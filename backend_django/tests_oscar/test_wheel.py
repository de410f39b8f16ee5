"""The wheel that is installed here: what it holds, what it asks for, and that nothing of our own shop is needed."""

from __future__ import annotations

import re
from importlib.metadata import distribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.utils import translation

import ml_predictions

NAME = "trastienda"


def test_it_holds_the_two_packages_alone():
    files = [str(file) for file in distribution(NAME).files or ()]
    assert {file.split("/")[0] for file in files if ".dist-info" not in file} == {"ml_predictions", "retail_ml"}
    assert not [file for file in files if "/tests/" in file or "django_shop" in file or "django_purchasing" in file]
    assert Path(ml_predictions.__file__).is_relative_to(Path(str(distribution(NAME).locate_file(""))))
    for ours in ("api_base", "authentication", "core", "dashboard", "ingest", "orders", "products", "purchasing"):
        assert find_spec(ours) is None, ours


def test_it_asks_for_what_it_imports_and_for_nothing_else():
    root = Path(str(distribution(NAME).locate_file("")))
    imported: set[str] = set()
    for package in ("ml_predictions", "retail_ml"):
        for file in (root / package).rglob("*.py"):
            if "testing" not in file.relative_to(root).parts:  # what a test imports is the tester's own
                imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", file.read_text(), re.MULTILINE))
    of = packages_distributions()
    needed = {name.lower() for module in imported for name in of.get(module, ())} - {NAME, "pandas"}
    asked = {
        re.split(r"[<>=\[; ]", one)[0].lower() for one in distribution(NAME).requires or () if "extra ==" not in one
    }
    assert asked - {"tzdata"} == needed  # tzdata is read by zoneinfo, where a machine has no zones of its own


def test_its_migrations_its_texts_and_its_pages_came_along(db: None):
    tables = set(connection.introspection.table_names())
    assert {model._meta.db_table for model in apps.get_app_config("ml_predictions").get_models()} <= tables
    with translation.override("es"):
        assert translation.gettext("There is no id like {id}.") == "No existe ningún identificador como {id}."
        assert translation.gettext("The list has no such filter.") != "The list has no such filter."
    assert find_spec("ml_predictions.testing.source_contract")
    call_command("makemigrations", "ml_predictions", check=True, dry_run=True, verbosity=0)


def test_the_checks_of_django_find_nothing(settings):
    settings.SECRET_KEY = "x" * 60
    call_command("check", fail_level="WARNING")


@pytest.mark.django_db
def test_the_admin_shows_its_pages(admin_client):
    answer = admin_client.get("/admin/ml_predictions/mltraininglog/")
    assert answer.status_code == 200


def test_the_example_of_the_how_to_is_the_corner_shop_and_short():
    here = Path(__file__).resolve().parent
    code = (here / "corner_shop" / "joined.py").read_text()
    page = (here.parents[1] / "docs" / "how-to" / "join-another-django-shop.md").read_text()
    assert f"```python not-run: tested in a project of its own\n{code}```" in page
    assert len(code.splitlines()) < 100


def test_the_options_of_the_how_to_are_those_that_oscar_takes():
    from inspect import signature

    from ml_predictions.sources.oscar import OscarShop

    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "join-django-oscar.md").read_text()
    table = page[page.index("## Options") : page.index("## What it lacks")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"SOURCE_OPTIONS"} == set(
        signature(OscarShop).parameters
    )
