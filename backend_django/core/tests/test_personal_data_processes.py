"""A real worker, a real SQLite file: the process is killed in the middle, and no byte of the person is left at last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.tests.erased_person import named_in_files
from ml_predictions.tests.jobs.test_processes import Machine

DATABASE = "trastienda.sqlite3"
READER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
print(database.execute("SELECT COUNT(*) FROM orders_order").fetchone(), flush=True)
time.sleep(600)
"""
"""Another process that has the database open, as a server does: nobody takes the write-ahead log away."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "core.tests.process_settings")
    machine = Machine(tmp_path)
    machine.environment["DJANGO_SETTINGS_MODULE"] = "core.tests.process_settings"
    code = "from core.tests.process_settings import prepare; prepare()"
    subprocess.run(machine.manage("shell", "-v0", "-c", code), env=machine.environment, check=True)
    yield machine
    for process in machine.started:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def test_killed_with_9_it_is_taken_up_and_no_byte_is_left(machine: Machine, tmp_path: Path):
    assert {DATABASE, "imports/orders.csv"} <= set(named_in_files(tmp_path))
    reader = [sys.executable, "-c", READER, str(tmp_path / DATABASE)]
    machine.started.append(subprocess.Popen(reader, stdout=subprocess.PIPE))
    assert machine.started[-1].stdout.readline()
    worker = machine.worker("--once")
    machine.until(lambda row: row["progress"] >= 71, seconds=120)
    assert named_in_files(tmp_path)
    unfinished = machine.sql("SELECT finished_at, certificate FROM ml_predictions_personaldataerasure")
    assert unfinished == [(None, None)]
    os.kill(machine.child(), signal.SIGKILL)
    row = machine.until(lambda row: row["status"] in ("completed", "failed"), seconds=120)
    assert (row["status"], row["attempt"]) == ("completed", 2), row
    assert worker.wait(60) == 0
    assert (tmp_path / f"{DATABASE}-wal").exists()
    assert named_in_files(tmp_path) == []
    told = "SELECT json_extract(certificate, '$.removed[0].count'), length(signature)"
    assert machine.sql(f"{told} FROM ml_predictions_personaldataerasure") == [(8, 64)]
    guests = "SELECT COUNT(*) FROM orders_order WHERE order_number LIKE 'X%' AND customer_id IS NULL"
    assert machine.sql(guests) == [(8,)]
