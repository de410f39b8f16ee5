"""The web server: what it refuses by itself has the shape of the API's errors; what it has loaded is let be."""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a web server of one process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    data = str(tmp_path_factory.mktemp("data"))
    environment = {**os.environ, "TRASTIENDA_DATA": data, "PORT": str(port), "WEB_PROCESSES": "1"}
    command = [sys.executable, "-m", "gunicorn", "--config", "core/web_server.py", "core.wsgi"]
    process = subprocess.Popen(command, cwd=BACKEND, env=environment)
    try:
        for _attempt in range(240):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.25)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"what is this\r\n\r\n", 400, "bad_request"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "address_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", 431, "request_header_fields_too_large"),
    ],
)
def test_it_is_refused_in_json(port, sent, status, code):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert re.search(rb"(?i)content-type: application/json", head)
    assert json.loads(body)["success"] is False
    assert json.loads(body)["error"]["code"] == code


def test_what_a_process_has_loaded_is_taken_out_of_the_collectors_sight(monkeypatch: pytest.MonkeyPatch):
    """Once after some requests, and not at every one."""
    from core import web_server

    monkeypatch.setattr(web_server, "served", itertools.count(1))
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(len(asked)))
    asked: list[int] = []
    try:
        for number in range(1, 501):
            asked.append(number)
            web_server.post_request(None, None, None, None)
        assert collected == [50, 500]
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
