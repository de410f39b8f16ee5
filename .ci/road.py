"""The README's road with real processes: `make run` in an empty folder, its curl lines word for word, start again.

Fails when a line fails, an answer says no success, a stop leaves a process behind, or a second start trains again.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "backend_django" / "manage.py")]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(port: int, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the server says that it is ready, with its worker."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready/") as answer:
            if answer.status == 200:
                return
        assert process.poll() is None, f"`make run` ended with code {process.returncode}"
        assert time.monotonic() < deadline, "the server did not become ready"
        time.sleep(0.5)


def stop(process: subprocess.Popen[bytes], port: int) -> None:
    """Ctrl-C, and nobody listens any more."""
    process.send_signal(signal.SIGINT)
    process.wait(30)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the web server outlived Ctrl-C"


def curl_lines(port: int, data: Path) -> str:
    """The shell block of the README's section on the API."""
    block = re.search(r"## The API.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "the README has no shell block under `## The API`"
    return (
        block[1].replace("localhost:8000", f"localhost:{port}").replace("var/admin_password", f"{data}/admin_password")
    )


def trainings(data: Path) -> int:
    """How many trainings the database knows."""
    with sqlite3.connect(data / "trastienda.sqlite3") as connection:
        return int(connection.execute("SELECT count(*) FROM ml_predictions_mltraininglog").fetchone()[0])


def main() -> None:
    """Walk the road."""
    with tempfile.TemporaryDirectory(prefix="trastienda-road-") as folder:
        data, port = Path(folder), free_port()
        environment = {
            **os.environ,
            "TRASTIENDA_DATA": folder,
            "PORT": str(port),
            "DATABASE_URL": f"sqlite:///{data}/trastienda.sqlite3",
        }
        started = time.monotonic()
        first = subprocess.Popen([*MANAGE, "start"], env=environment)
        ready(port, first, 400)
        print(f"From nothing to a trained, served demo: {time.monotonic() - started:.0f} s", flush=True)
        done = subprocess.run(["bash", "-euc", curl_lines(port, data)], capture_output=True, text=True, check=True)
        print(done.stdout[:1500])
        assert done.stdout.count('"success":true') == 3, done.stdout
        stop(first, port)
        before, started = trainings(data), time.monotonic()
        second = subprocess.Popen([*MANAGE, "start"], env=environment)
        ready(port, second, 60)
        print(f"Started again in {time.monotonic() - started:.0f} s", flush=True)
        stop(second, port)
        assert trainings(data) == before == 5, "starting again trained again"
        subprocess.run(
            [sys.executable, str(ROOT / "backend_django" / "test_ml_complete.py")], env=environment, check=True
        )


if __name__ == "__main__":
    main()
