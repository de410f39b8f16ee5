"""What `deploy/compose.yaml` starts: found by Docker Compose itself once, held here without it."""

from __future__ import annotations

from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_the_worker_takes_what_the_web_server_has_but_not_its_port():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    web, worker = services["web"], services["worker"]
    assert web["ports"]
    assert not worker["ports"], "two containers cannot listen on one port of the machine"
    for name in ("image", "env_file", "environment", "volumes"):
        assert worker[name] == web[name]


def test_what_the_compose_file_asks_of_env_is_in_its_example():
    names = {line.partition("=")[0] for line in (DEPLOY / "env.example").read_text().splitlines()}
    assert {"DATABASE_PASSWORD", "DJANGO_SECRET_KEY", "ALLOWED_HOSTS"} <= names
