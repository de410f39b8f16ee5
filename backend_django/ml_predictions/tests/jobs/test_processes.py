"""Real processes, a real database file: kill the child, kill the worker, stop it, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parents[3]
SETTINGS = "ml_predictions.tests.jobs.process_settings"


class Machine:
    """A database of its own with a worker that can be started, killed and looked at from outside."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "TRASTIENDA_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": f"sqlite:///{folder / 'trastienda.sqlite3'}",
        }
        self.database = folder / "trastienda.sqlite3"
        self.started: list[subprocess.Popen] = []
        subprocess.run(self.manage("migrate", "-v0"), env=self.environment, check=True)

    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, str(BACKEND / "manage.py"), *arguments]

    def worker(self, *arguments: str) -> subprocess.Popen:
        self.started.append(subprocess.Popen(self.manage("ml_worker", *arguments), env=self.environment))
        return self.started[-1]

    def sql(self, statement: str, *values: object) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def submit(self, kind: str) -> None:
        code = f"from ml_predictions.jobs import submit; submit({kind!r}, {{}})"
        subprocess.run(self.manage("shell", "-v0", "-c", code), env=self.environment, check=True)

    def row(self) -> dict:
        columns = ("status", "attempt", "progress", "error", "result", "owner")
        return dict(
            zip(columns, self.sql(f"SELECT {', '.join(columns)} FROM ml_predictions_mltraininglog")[0], strict=True)
        )

    def until(self, condition, seconds: float = 40) -> dict:
        deadline = time.monotonic() + seconds
        while not condition(row := self.row()):
            assert time.monotonic() < deadline, f"still {row}"
            time.sleep(0.1)
        return row

    def child(self) -> int:
        """The process id that the training has written as its progress step."""
        self.until(lambda row: row["progress"] > 0)
        return int(self.sql("SELECT json_extract(step, '$.params.pid') FROM ml_predictions_mltraininglog")[0][0])


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    for process in machine.started:
        if process.poll() is None:
            process.kill()
            process.wait()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_killed_child_is_tried_again_and_then_failed_with_the_reason(machine):
    machine.submit("endless")
    worker = machine.worker("--once")
    first = machine.child()
    os.kill(first, signal.SIGKILL)
    machine.until(lambda row: row["attempt"] == 2 and row["progress"] > 0)
    os.kill(machine.child(), signal.SIGKILL)
    row = machine.until(lambda row: row["status"] == "failed")
    assert '"training_killed"' in row["error"]
    assert '"signal": 9' in row["error"]
    assert row["result"] is None
    assert worker.wait(20) == 0


def test_a_killed_worker_takes_its_child_along_and_the_next_worker_takes_over(machine):
    machine.submit("endless")
    first = machine.worker()
    child = machine.child()
    first.kill()
    first.wait()
    deadline = time.monotonic() + 10
    while not gone(child):
        assert time.monotonic() < deadline, "the child outlived its worker"
        time.sleep(0.1)
    assert machine.row()["status"] == "running"  # nobody has noticed yet
    machine.worker()
    row = machine.until(lambda row: row["attempt"] == 2)
    assert row["status"] == "running"


def test_a_stopped_worker_puts_its_training_back(machine):
    machine.submit("endless")
    worker = machine.worker()
    child = machine.child()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    row = machine.row()
    assert (row["status"], row["attempt"], row["owner"]) == ("queued", 0, "")
    assert gone(child)
    assert machine.sql("SELECT COUNT(*) FROM ml_predictions_mlworker") == [(0,)]  # nobody waits for it


def follow(machine: Machine) -> subprocess.Popen:
    """A command that waits for the training that is under way."""
    code = (
        "from ml_predictions import jobs; from ml_predictions.models import MLTrainingLog; "
        "print(jobs.follow(MLTrainingLog.objects.get()).status)"
    )
    machine.started.append(
        subprocess.Popen(
            machine.manage("shell", "-v0", "-c", code), env=machine.environment, stdout=subprocess.PIPE, text=True
        )
    )
    return machine.started[-1]


def test_who_waits_for_a_training_that_nobody_works_on_any_more_runs_it(machine):
    machine.submit("brief")
    worker = machine.worker()
    machine.child()
    worker.kill()
    worker.wait()
    machine.sql("DELETE FROM ml_predictions_mlworker")  # as after a lease
    assert machine.row()["status"] == "running"
    out, _ = follow(machine).communicate(timeout=30)
    assert out.strip() == "completed"
    assert machine.row()["attempt"] == 2


def test_a_database_that_another_writer_holds_for_long_ends_neither_worker_nor_training(machine):
    machine.environment["TEST_BUSY_SECONDS"] = "0.5"
    machine.submit("brief")
    worker = machine.worker()
    machine.child()
    with contextlib.closing(sqlite3.connect(machine.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(6)  # longer than the training lasts, its lease holds, and anybody waits for the lock
        assert worker.poll() is None
    row = machine.until(lambda row: row["status"] == "completed")
    assert row["result"]
    assert worker.poll() is None


def test_a_training_that_eats_all_memory_is_ended_before_the_machine_is_and_not_tried_again(machine):
    machine.submit("hungry")
    assert machine.worker("--once").wait(40) == 0
    row = machine.row()
    assert (row["status"], row["attempt"]) == ("failed", 1)
    assert '"training_memory"' in row["error"]
    assert '"most": 700' in row["error"]
