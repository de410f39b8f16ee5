"""Settings come from the environment, are documented, and refuse what cannot be."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BACKEND = ROOT / "backend_django"
DOCUMENTED = (ROOT / "docs" / "reference" / "settings.md").read_text()


def manage(*arguments, folder, **environment):
    return subprocess.run(
        [sys.executable, str(BACKEND / "manage.py"), *arguments],
        env={**os.environ, "TRASTIENDA_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "core.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_variable_that_is_read_is_documented():
    sources = (BACKEND / "core" / "settings.py").read_text() + (BACKEND / "core" / "environment.py").read_text()
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', sources)) | set(
        re.findall(r'environ\.get\("([A-Z_]+)"', sources)
    )
    assert len(read) > 12
    assert {name for name in read if f"`{name}`" not in DOCUMENTED} == set()


def test_the_env_file_may_name_the_data_folder(tmp_path):
    module = tmp_path / "backend" / "core" / "environment.py"
    module.parent.mkdir(parents=True)
    module.write_text((BACKEND / "core" / "environment.py").read_text())
    (tmp_path / ".env").write_text("TRASTIENDA_DATA=/srv/shop\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "7.8.9"\n')
    environment = {name: value for name, value in os.environ.items() if name != "TRASTIENDA_DATA"}
    code = f"import runpy; found = runpy.run_path({str(module)!r}); print(found['VAR'], found['RELEASE'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["/srv/shop", "7.8.9"]


def test_the_release_is_the_newest_of_the_changelog_and_what_the_api_says(settings):
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == newest[1]


def test_production_demands_a_secret_key(tmp_path):
    answer = manage("check", folder=tmp_path, PRODUCTION="1", DJANGO_SECRET_KEY="")
    assert answer.returncode != 0
    assert "DJANGO_SECRET_KEY is not set, and PRODUCTION is on" in answer.stderr


def test_development_makes_a_private_key_and_keeps_it(tmp_path):
    assert manage("check", folder=tmp_path, DJANGO_SECRET_KEY="").returncode == 0
    key = tmp_path / "secret_key"
    before = key.read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(before) >= 50
    assert manage("check", folder=tmp_path, DJANGO_SECRET_KEY="").returncode == 0
    assert key.read_text() == before


def test_production_settings_pass_djangos_own_deployment_check(tmp_path):
    answer = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        folder=tmp_path,
        PRODUCTION="1",
        DJANGO_SECRET_KEY="kq3$mZ8-xW5!" * 5,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("module", ["core.urls", "core.wsgi"])
def test_nothing_heavy_is_imported_at_start_up(module, tmp_path):
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'core.settings'; import django; django.setup(); "
        f"import importlib; importlib.import_module({module!r}); "
        "print([m for m in ('sklearn', 'scipy', 'polars', 'fastexcel', 'skops') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=BACKEND,
        env={**os.environ, "TRASTIENDA_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"
