"""`manage.py start` and what it has started: they end together, whatever ends first and however it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from products.models import Product

BACKEND = Path(__file__).resolve().parents[2]
SCRIPT = """
import signal, sys, django
django.setup()
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background have it ignored
if "nohup" not in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from core.management.commands import start
processes = start.Processes()
# One write: two processes that print at once mix up the number and the end of its line.
say = "import os, time; os.write(1, (str(os.getpid()) + os.linesep).encode()); time.sleep(60)"
processes.commands = {name: [sys.executable, "-c", say] for name in ("web server", "worker")}
with start._stoppable():
    processes.serve()
"""


def gone(pid: int) -> bool:
    """Has the process ended, or does it only wait to be collected?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """Starts the command with two harmless processes; gives it and their ids."""
    started: list[subprocess.Popen[str]] = []

    def start(*before: str, **options: Any) -> tuple[subprocess.Popen[str], list[int]]:
        environment = {
            **os.environ,
            "TRASTIENDA_DATA": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "core.settings",
            "PYTHONPATH": str(BACKEND),
        }
        command = [*before, sys.executable, "-c", SCRIPT, *before]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        assert process.stdout is not None
        children = [int(process.stdout.readline()) for _ in range(2)]
        return process, children

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent has died")
def test_what_it_started_ends_when_it_is_killed(served: Any):
    process, children = served()
    process.kill()
    until(lambda: all(gone(pid) for pid in children))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_way_to_stop_it_stops_everything(served: Any, signum: signal.Signals):
    process, children = served(stderr=subprocess.PIPE)
    process.send_signal(signum)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, "Stopping" in said, "Traceback" in said) == (0, True, False)
    assert all(gone(pid) for pid in children)


def test_nohup_is_obeyed(served: Any):
    process, children = served("nohup", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None
    assert not any(gone(pid) for pid in children)


def test_a_terminal_that_is_gone_stops_everything_though_nobody_says_so(served: Any):
    mine, theirs = pty.openpty()
    process, children = served(stdin=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    os.close(mine)
    process.wait(120)
    assert all(gone(pid) for pid in children)


def test_when_one_ends_the_other_is_ended_and_it_says_which(served: Any):
    process, (web, worker) = served(stderr=subprocess.PIPE)
    os.kill(web, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "ended with code -9" in said
    assert gone(worker)


@pytest.mark.django_db
def test_a_shop_of_ones_own_begins_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any):
    monkeypatch.setattr("core.console.PASSWORD_FILE", tmp_path / "admin_password")
    monkeypatch.setattr("core.management.commands.start.PASSWORD_FILE", tmp_path / "admin_password")
    call_command("start", "--no-serve", "--empty")
    assert not Product.objects.exists()
    assert "page Data" in capsys.readouterr().out
