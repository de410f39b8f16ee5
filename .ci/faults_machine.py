"""A machine to break things on: a data folder, real processes that can be killed, and what is stored and served."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "backend_django" / "manage.py")]
LOG = "ml_predictions_mltraininglog"
PATIENCE = 90


class Machine:
    """A data folder with a database, processes that can be killed, and looks at what is stored."""

    def __init__(self, folder: Path, database: str = "", **more: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "TRASTIENDA_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "faults_settings",
            "PYTHONPATH": f"{ROOT / '.ci'}{os.pathsep}{ROOT / 'backend_django'}",
            "DATABASE_URL": database or f"sqlite:///{folder / 'trastienda.sqlite3'}",
            "LOG_LEVEL": "CRITICAL",
            "ADMIN_PASSWORD": "a-password-for-faults",
            "API_RATE_ACCOUNT": "0",  # four readers without a pause are more than an account may ask for
            **more,
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self.run("migrate", "-v0")

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            [*MANAGE, *arguments], env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def python(self, code: str) -> str:
        return self.run("shell", "-v0", "-c", code).strip()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.started.append(subprocess.Popen(command, env=self.environment, start_new_session=True, **silent))
        return self.started[-1]

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start(*MANAGE, "ml_worker")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / "trastienda.sqlite3", timeout=20)) as db, db:
            return db.execute(statement).fetchall()

    def submit(self, kind: str = "customer_segmentation") -> int:
        code = f"from ml_predictions.jobs import submit; print(submit({kind!r}, {{}}).pk)"
        return int(self.python(code))

    def row(self, log: int) -> dict[str, Any]:
        columns = ("status", "attempt", "error", "result", "owner", "progress")
        return dict(zip(columns, self.sql(f"SELECT {', '.join(columns)} FROM {LOG} WHERE id = {log}")[0], strict=True))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain for: {what}"
            time.sleep(0.05)
        return found

    def ended(self, log: int) -> dict[str, Any]:
        over = ("completed", "failed", "cancelled")
        return self.until(
            lambda: (row := self.row(log))["status"] in over and row, f"the end of {log}: {self.row(log)}"
        )

    def stop_in(self, phase: str) -> None:
        for path in self.folder.glob("phase-*"):
            path.unlink()
        for path in self.folder.glob("stop-*"):
            path.unlink()
        (self.folder / f"stop-{phase}").touch()

    def reached(self, phase: str) -> int:
        marker = self.folder / f"phase-{phase}"
        return int(self.until(lambda: marker.exists() and marker.read_text(), f"the phase {phase}"))

    def versions(self) -> tuple[int, int]:
        """Versions in all, and in service."""
        return self.sql("SELECT count(*), sum(is_active) FROM ml_predictions_mlmodel")[0]  # type: ignore[return-value]

    def orphans(self) -> list[str]:
        """Model folders that no version names."""
        named = {name for (name,) in self.sql("SELECT artifact FROM ml_predictions_mlmodel")}
        folders = (self.folder / "models").glob("*/*")
        return [path.name for path in folders if f"{path.parent.name}/{path.name}" not in named]

    def end(self) -> None:
        for process in self.started:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9, the process and all that it has started in its session."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# --- the web server -------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(machine: Machine, port: int) -> subprocess.Popen[bytes]:
    """The web server, once it answers."""
    web = machine.start(
        sys.executable, "-m", "gunicorn", "core.wsgi", "--chdir", str(ROOT / "backend_django"), "--bind",
        f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8", "--no-control-socket", "--log-level",
        "critical",
    )  # fmt: skip
    machine.until(lambda: call(port, "GET", "/health/live/")[0] == 200, "the web server")
    return web


def sign_in(port: int) -> str:
    """A token of the administrator."""
    body = {"email": "admin@boutique.com", "password": "a-password-for-faults"}
    status, found = call(port, "POST", "/api/auth/login/", body=body)
    assert status == 200, found
    return str(found["access"])


def call(port: int, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and body; 0 when nobody answers."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = json.dumps(body or {}).encode() if method == "POST" else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:  # refused, or cut off
        return 0, {}


def page(port: int, path: str, session: str) -> tuple[int, str]:
    """Status of a page of the dashboard for whoever has this session, and where one was sent."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": f"sessionid={session}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, urllib.parse.urlsplit(answer.url).path
