"""Clients of the API, for the tests of every app."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient


def client_of(user: Any) -> APIClient:
    """A client signed in as this user of the cast, or as nobody."""
    client = APIClient(raise_request_exception=False)
    if user is not None:
        answer = client.post("/api/auth/login/", {"email": user.email, "password": "pass-word-1"})
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


def queries(client: APIClient, path: str, body: Any = None, *, status: int = 200) -> int:
    """How many queries a call takes: a GET, or a POST when there is a body."""
    with CaptureQueriesContext(connection) as found:
        answer = client.get(path) if body is None else client.post(path, body)
    assert answer.status_code == status, answer.content
    return len(found)
