"""How gunicorn serves (`gunicorn --config core/web_server.py core.wsgi`): for `make run`, systemd and the container.

Two processes use both cores; threads wait for the database and for trainings that a caller wants to see finished.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sqlite3
from typing import Any

from gunicorn import util

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 90
"""Seconds that a process may be silent; an answer that waits for a training takes at most 50."""
limit_request_line = 8190
"""Characters of an address that reach the project, which answers those that are too long in its own words."""
SETTLED = (50, 500)
"""Requests of a process after which what it has loaded is there to stay."""
served = itertools.count(1)
loglevel = "warning"
control_socket_disable = True


def on_starting(_: Any) -> None:
    """One thread of numerics in each process that is to come.

    They share the cores among them: threads beside these would wait for each other, and a list of recommendations is
    too short a sum to be shared out.
    """
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")


def write_error(client: Any, status: int, reason: str, told: str) -> None:
    """What never reaches the project (no HTTP, too long an address or header), refused in the shape of its errors."""
    code = "address_too_long" if status == 414 else reason.lower().replace(" ", "_")  # the project's own word for it
    error = {"code": code, "message": told or reason, "details": {}}
    body = json.dumps({"success": False, "error": error})
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii"))


def post_worker_init(worker: Any) -> None:
    """Refuse in JSON, and keep one connection to SQLite open for as long as this process serves.

    Whoever closes the last one removes the write-ahead log, and who opens one at that moment gets a disk I/O error.
    """
    util.write_error = write_error
    from django.db import connection

    if connection.vendor == "sqlite":
        worker.kept = sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False)
        worker.kept.execute("SELECT count(*) FROM sqlite_master").fetchone()


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """Take what is there to stay out of the garbage collector's sight.

    It looked at a quarter of a million objects of modules and models now and then: some answer waited 150 ms for it.
    """
    if next(served) in SETTLED:
        gc.collect()
        gc.freeze()
