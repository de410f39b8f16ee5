"""Headers of every answer, production settings, addresses that are too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from core.security import LONGEST_ADDRESS


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status", "policy"),
    [
        ("/api/products/", 401, "default-src 'none'; frame-ancestors 'none'"),
        ("/api/nothing/", 404, "default-src 'none'; frame-ancestors 'none'"),
        ("/admin/login/", 200, "script-src 'self'; style-src 'self'"),
        ("/health/live/", 200, "script-src 'self'; style-src 'self'"),
        ("/media/none.png", 404, "sandbox"),
        ("/api/docs/", 200, "style-src 'self' 'unsafe-inline'"),
    ],
)
def test_every_answer_has_a_strict_policy_and_lets_no_other_origin_read(path, status, policy):
    answer = Client().get(path, headers={"Origin": "https://evil.example"})
    assert answer.status_code == status
    assert policy in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if "/media/" in path else "same-origin")
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.django_db
def test_answers_of_the_api_are_kept_by_no_cache():
    assert Client().get("/api/products/").headers["Cache-Control"] == "no-store"


def test_the_admin_pages_hold_no_script_and_no_style_inside(cast, client):
    """Else the policy would break them."""
    client.force_login(cast["ada"])
    for path in ("", "products/product/", "products/product/add/", "orders/order/add/", "authentication/user/add/"):
        page = client.get(f"/admin/{path}").content.decode()
        assert "<script>" not in page, path
        assert " style=" not in page, path
        assert " onclick=" not in page, path


@pytest.mark.django_db
def test_an_address_that_is_too_long_is_414_in_our_shape():
    fits = "/api/products/?search=" + "x" * (LONGEST_ADDRESS - 22)
    assert Client().get(fits).status_code == 401
    answer = Client().get(fits + "x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (414, "address_too_long")
    assert answer.json()["error"]["details"] == {"received": 4097, "most": 4096}


def test_the_deployment_check_is_clean_with_production_settings(tmp_path):
    environment = {
        **os.environ, "PRODUCTION": "true", "DJANGO_SECRET_KEY": "k" * 20 + "0123456789-abcdefghij-ABCDEFGHIJ-#!",
        "ALLOWED_HOSTS": "shop.example", "TRASTIENDA_DATA": str(tmp_path),
    }  # fmt: skip
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


ASKED = """
import json
import django
django.setup()
from django.test import Client
ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
found = {}
for name, method, path, headers in [
    ("read", "get", "/api/nothing/", {}), ("preflight", "options", "/api/ml/predict-sales/", ask),
    ("refused", "get", "/api/nothing/?q=" + "x" * 5000, {}), ("page", "get", "/health/live/", {}),
]:
    for origin in ("https://front.example", "https://evil.example", "http://front.example"):
        answer = getattr(Client(), method)(path, headers={"Origin": origin, **headers})
        lower = {key.lower(): value for key, value in answer.headers.items()}
        told = {key: value for key, value in lower.items() if key.startswith("access-control-")}
        found[f"{name} {origin}"] = [answer.status_code, told]
print(json.dumps(found))
"""


def with_origins(origins: str, folder: Any, *command: str) -> subprocess.CompletedProcess[str]:
    """A process whose environment names these origins."""
    environment = {**os.environ, "CORS_ALLOWED_ORIGINS": origins, "TRASTIENDA_DATA": str(folder)}
    environment |= {"DJANGO_SETTINGS_MODULE": "core.settings", "ALLOWED_HOSTS": "testserver"}
    return subprocess.run(
        [sys.executable, *command],
        env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_pages_of_the_named_origins_alone_may_call_the_api(tmp_path):
    done = with_origins("https://front.example", tmp_path, "-c", ASKED)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    statuses = {"read": 404, "preflight": 200, "refused": 414}
    for name, status in statuses.items():
        told = found[f"{name} https://front.example"]
        assert told[0] == status
        assert told[1]["access-control-allow-origin"] == "https://front.example"
        assert "Location" in told[1]["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in told[1]
    asked = found["preflight https://front.example"][1]
    assert {"authorization", "content-type", "prefer"} <= set(asked["access-control-allow-headers"].split(", "))
    assert "POST" in asked["access-control-allow-methods"]
    others = {name: told[1] for name, told in found.items() if "https://front" not in name or name.startswith("page")}
    assert len(others) == 9
    assert not any(others.values()), others


@pytest.mark.parametrize("entry", ["front.example", "https://front.example/shop"])
def test_what_is_no_origin_stops_the_start(tmp_path, entry: str):
    done = with_origins(entry, tmp_path, "manage.py", "check")
    assert done.returncode != 0
    assert entry in done.stderr


def test_signing_in_leaves_nothing_behind(cast: dict[str, Any], client: Client):
    from datetime import timedelta

    import time_machine
    from django.utils import timezone

    from ml_predictions.jobs import nightly

    body = {"email": "ben@shop.test", "password": "pass-word-1"}
    client.post("/api/auth/login/", body, content_type="application/json")
    client.post("/api/auth/login/", {**body, "password": "wrong"}, content_type="application/json")
    client.force_login(cast["ben"])
    step = nightly.steps()["drop_expired_sign_ins"]
    assert step() == {"tokens": 0, "sessions": 0, "attempts": 0}
    with time_machine.travel(timezone.now() + timedelta(days=15), tick=False):
        found = step()
    assert (found["tokens"], found["sessions"]) == (1, 1)
    assert found["attempts"] >= 1
