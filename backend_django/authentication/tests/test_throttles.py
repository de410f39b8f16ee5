"""Counting requests: in any minute, and over all processes of the web server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from authentication.throttles import Requests

BACKEND = Path(__file__).resolve().parents[2]
ASK = """
import django; django.setup()
from authentication.throttles import Requests
asked = Requests()
print(sum(not asked.take("user:1", most=60, seconds=60, now=1000.0) for _ in range(50)))
"""


@pytest.fixture
def asked() -> Iterator[Requests]:
    asked = Requests()
    yield asked
    asked.close()


def test_so_many_in_any_minute_and_the_rest_waits_for_the_first_to_be_over(asked):
    takes = [asked.take("user:1", most=2, seconds=60, now=now) for now in (0.0, 50.0, 55.0, 59.0, 60.0, 61.0, 110.0)]
    assert takes == [0, 0, 5, 1, 0, 49, 0]
    assert asked.take("user:2", most=2, seconds=60, now=110.0) == 0, "each key for itself"


def test_nothing_is_kept_of_who_asked_more_than_a_minute_ago(asked, settings):
    for address in ("10.0.0.1", "10.0.0.2"):
        asked.take(f"address:{address}", most=2, seconds=60, now=0.0)
    asked.take("user:1", most=2, seconds=60, now=61.0)
    assert asked.file.execute("SELECT who FROM request").fetchall() == [("user:1",)]


def test_the_limit_holds_over_two_processes(tmp_path):
    environment = {**os.environ, "TRASTIENDA_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "core.settings"}
    pair = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=BACKEND, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[0] for process in pair]
    assert sum(int(text) for text in told) == 60
