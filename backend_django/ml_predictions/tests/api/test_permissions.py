"""Nobody but superusers and the role admin comes in anywhere: found by walking the addresses."""

from __future__ import annotations

from typing import Any

import pytest

from api_base.tests.clients import client_of
from api_base.tests.walk import calls, filled

CALLS = [(method, filled(path, pattern)) for method, path, pattern in calls("/api/ml/")]


def test_the_walk_finds_every_call_of_this_part():
    assert len(CALLS) >= 28
    assert ("post", "/api/ml/train-sales-forecast/") in CALLS
    assert ("post", "/api/ml/models/1/activate/") in CALLS
    assert not [path for _, path in CALLS if "<" in path]


@pytest.mark.django_db
def test_without_a_token_every_call_is_401():
    client = client_of(None)
    found = {(m, p): getattr(client, m)(p).status_code for m, p in CALLS}
    assert set(found.values()) == {401}, found


@pytest.mark.parametrize("name", ["cleo", "eve", "max"])
def test_customer_employee_and_manager_are_refused_everywhere(cast: dict[str, Any], name: str):
    client = client_of(cast[name])
    found = {(m, p): getattr(client, m)(p).status_code for m, p in CALLS}
    assert set(found.values()) == {403}, found


@pytest.mark.parametrize("name", ["ben", "ada"])
def test_admin_and_superuser_come_in_everywhere(cast: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch):
    from ml_predictions import jobs

    monkeypatch.setattr(jobs, "wait", lambda log, seconds: log)
    client = client_of(cast[name])
    found = {(m, p): getattr(client, m)(p).status_code for m, p in CALLS}
    assert not {call: status for call, status in found.items() if status in (401, 403, 500)}, found


@pytest.mark.parametrize("method", ["head", "options"])
def test_head_and_options_are_guarded_too_and_never_fail(cast: dict[str, Any], method: str):
    stranger, ben = client_of(None), client_of(cast["ben"])
    for _, path in CALLS:
        assert getattr(stranger, method)(path).status_code == 401
        assert getattr(ben, method)(path).status_code < 500


def test_the_setting_decides_and_not_the_app(cast: dict[str, Any], settings: Any):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "PERMISSION": "rest_framework.permissions.IsAuthenticated"}
    assert client_of(cast["cleo"]).get("/api/ml/models/").status_code == 200


def test_an_inactive_admin_is_out(cast: dict[str, Any]):
    client = client_of(cast["ben"])
    cast["ben"].is_active = False
    cast["ben"].save()
    assert client.get("/api/ml/models/").status_code == 401
