"""A mistake on the console is one sentence."""

from __future__ import annotations

import pytest

from core.tests.test_environment import manage


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PORT", "abc", "PORT must be a whole number; it is 'abc'."),
        ("PRODUCTION", "yess", "PRODUCTION must be true or false; it is 'yess'."),
        ("TIME_ZONE", "Madrid", "TIME_ZONE is 'Madrid', which is no time zone"),
        ("DATABASE_URL", "postgre://x", "DATABASE_URL begins with 'postgre'"),
    ],
)
def test_a_variable_that_cannot_be_is_named(tmp_path, variable, value, said):
    answer = manage("check", folder=tmp_path, **{variable: value})
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_without_tables_says_what_to_do(tmp_path):
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    answer = manage("check_ml_data", folder=tmp_path, DATABASE_URL=url)
    assert answer.returncode == 1
    assert "make migrate" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Traceback" in manage("check_ml_data", "--traceback", folder=tmp_path, DATABASE_URL=url).stderr


def test_a_database_that_is_not_there_says_so(tmp_path):
    answer = manage("migrate", folder=tmp_path, DATABASE_URL="postgres://a:b@127.0.0.1:1/none")
    assert answer.returncode == 1
    assert answer.stderr.startswith("The database cannot be reached: ")
    assert "DATABASE_URL" in answer.stderr


@pytest.mark.parametrize("value", ["true", "1", "false", "off", ""])
def test_on_and_off_may_be_said_in_many_ways(tmp_path, value):
    assert manage("check", folder=tmp_path, DEBUG=value).returncode == 0
