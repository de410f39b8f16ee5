"""One import, undo or pull at a time; one whose process is gone keeps nobody waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ingest import turns
from ingest.models import ImportRun
from orders.models import Order

pytestmark = pytest.mark.django_db
HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
)
HOLD_POSTGRES = (
    "import psycopg, sys; c = psycopg.connect(sys.argv[1]); c.execute(f'SELECT pg_advisory_lock({sys.argv[2]})'); "
    "print('held', flush=True); input()"
)
SALES = """order_number,placed_at,sku,units,unit_price
1,2026-01-05,A,2,10.00
2,2026-01-06,B,1,5.00
"""


@contextmanager
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the turn until it is killed."""
    command = [sys.executable, "-c", HOLD, str(turns.lock_file())]
    if connection.vendor == "postgresql":
        given = connection.get_connection_params()
        names = {"dbname": "dbname", "user": "user", "password": "password", "host": "host", "port": "port"}
        address = " ".join(f"{name}={given[name]}" for name in names if given.get(name))
        command = [sys.executable, "-c", HOLD_POSTGRES, address, str(turns.KEY)]
    else:
        turns.lock_file().parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()
    for _ in range(600):  # PostgreSQL notices in its own time that the connection is gone
        if give_back := turns._take():
            return give_back()
        time.sleep(0.1)
    raise AssertionError("the lock of a killed process is still held")


@pytest.mark.postgres
def test_an_import_whose_process_was_killed_can_be_undone_or_completed_at_once(tmp_path, settings):
    settings.DATA_FOLDER = tmp_path
    (tmp_path / "sales.csv").write_text(SALES)
    call_command("import_sales", tmp_path / "sales.csv", stdout=StringIO())
    run = ImportRun.objects.get()
    ImportRun.objects.update(state="writing", counts=None, report=None, totals={"before": run.totals["before"]})
    with another_process():
        turns.settle()
        run.refresh_from_db()
        assert run.state == "writing"  # its process may live
        with pytest.raises(CommandError, match=f"import {run.pk} .sales.csv.. Nothing was begun"):
            call_command("import_sales", tmp_path / "sales.csv", stdout=StringIO())
        with pytest.raises(CommandError, match="is being written"):
            call_command("undo_import", run.pk, "--yes", stdout=StringIO())
    said = StringIO()
    call_command("undo_import", stdout=said)
    assert "failed" in said.getvalue()
    run.refresh_from_db()
    assert run.error["code"] == "import.stopped"
    assert f"or undo import {run.pk}" in run.error["text"]
    call_command("undo_import", run.pk, "--yes", stdout=StringIO())
    run.refresh_from_db()
    assert (run.state, run.undo["money"]["difference"], Order.objects.count()) == ("undone", 0, 0)


def test_an_undo_whose_process_was_killed_goes_on_at_once(tmp_path, settings):
    settings.DATA_FOLDER = tmp_path
    (tmp_path / "sales.csv").write_text(SALES)
    call_command("import_sales", tmp_path / "sales.csv", stdout=StringIO())
    ImportRun.objects.update(state="undoing", undo={"was": "imported"})
    call_command("import_sales", tmp_path / "sales.csv", stdout=StringIO())  # it settles what is left
    first = ImportRun.objects.earliest("pk")
    assert (first.state, first.error["code"]) == ("imported", "import.undo_stopped")
    for number in ImportRun.objects.values_list("pk", flat=True):
        call_command("undo_import", number, "--yes", stdout=StringIO())
    assert Order.objects.count() == 0
