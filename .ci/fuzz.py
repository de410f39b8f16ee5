"""Every call of the API against its own description: schemathesis, on a throw-away shop.

    python .ci/fuzz.py 180

For so many seconds, on SQLite; on another database when DATABASE_URL names one, which must be empty. The four services
are trained before; then no worker runs, so trainings are only queued. Fails when an answer is not what the OpenAPI
document says, or a bad input is taken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from road import free_port

CI = Path(__file__).resolve().parent
BACKEND = CI.parent / "backend_django"
MANAGE = [sys.executable, str(BACKEND / "manage.py")]
FILL = "from conftest import fill_shop; fill_shop(orders=80, products=6, customers=12, days=120)"
TRAIN = """
from ml_predictions import jobs
from ml_predictions.models import SERVICES
ended = {kind: jobs.run_here(kind, requested_by="fuzz").status for kind in SERVICES}
assert set(ended.values()) == {"completed"}, ended
"""


TOLERANT = "--tolerant"
"""Chance draws another body every time; with this word only what breaks the server fails the run, the rest is told."""
BROKEN = re.compile(r"Traceback|Internal Server Error|Worker \(pid:\d+\) (?:was sent|exited)")
"""What the server's log says of a 500, or of a process that died."""


def environment_of(folder: str) -> dict[str, str]:
    """A throw-away installation in `folder`."""
    return {
        **os.environ,
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/fuzz.sqlite3",
        "TRASTIENDA_DATA": folder,
        "DJANGO_SETTINGS_MODULE": "fuzz_settings",
        "PYTHONPATH": os.pathsep.join([str(CI), str(BACKEND), os.environ.get("PYTHONPATH", "")]),
        "ADMIN_PASSWORD": "a-word-for-this-run-1",
        "LANGUAGE_CODE": "en",
        "LOG_LEVEL": "ERROR",
    }


def token(address: str) -> str:
    """An administrator's, once the server answers."""
    body = json.dumps({"email": "admin@boutique.com", "password": "a-word-for-this-run-1"}).encode()
    asked = urllib.request.Request(f"{address}/api/auth/login/", body, {"Content-Type": "application/json"})
    for _ in range(60):
        try:
            with urllib.request.urlopen(asked) as answer:
                return str(json.load(answer)["access"])
        except OSError:  # it does not listen yet
            time.sleep(0.5)
    raise SystemExit("The server did not answer.")


def faults(log: str) -> str:
    """The stacks in the server's log: what answered 500."""
    lines = [line for line in log.splitlines() if " WARNING django.request: " not in line]
    return "\n".join(["The server's log:", *lines[-200:]])


def main() -> int:
    """Make the shop, serve it, ask everything; returns schemathesis' exit code, 0 for mere findings when TOLERANT."""
    seconds, *more = sys.argv[1:] or ["180"]
    tolerant = TOLERANT in more
    more = [word for word in more if word != TOLERANT]
    with tempfile.TemporaryDirectory(prefix="trastienda-fuzz-", ignore_cleanup_errors=True) as folder:
        environment = environment_of(folder)
        shell = ["shell", "-v", "0", "-c"]
        for command in (["migrate", "--verbosity", "0"], ["make_admin"], [*shell, FILL], [*shell, TRAIN]):
            subprocess.run([*MANAGE, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        web = [sys.executable, "-m", "gunicorn", "--config", str(BACKEND / "core" / "web_server.py"), "core.wsgi"]
        said = Path(folder) / "server.log"
        with said.open("w") as log:
            server = subprocess.Popen(web, env={**environment, "PORT": str(port)}, cwd=BACKEND, stderr=log)
        try:
            run = ["run", f"{address}/api/schema/?format=json", "--header", f"Authorization: Bearer {token(address)}"]
            # Left out: it takes a 404 for the row's own, and a change may name another row that is not there.
            checks = ["--checks", "all", "--exclude-checks", "ensure_resource_availability"]
            limits = ["--max-time", seconds, *checks, "--continue-on-failure", "--no-color", *more]
            command = ["--config-file", str(CI / "schemathesis.toml"), *run, *limits]
            code = subprocess.call([sys.executable, "-m", "schemathesis.cli", *command], env=environment, cwd=folder)
            if code:
                print(faults(said.read_text()))
            if code and tolerant and server.poll() is None and not BROKEN.search(said.read_text()):
                print("Findings, none of them a fault of the server: see above. They do not stop what comes after.")
                return 0
            return code
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    sys.exit(main())
