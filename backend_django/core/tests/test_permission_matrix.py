"""Route × role × method, from the addresses themselves; compared with docs/reference/permissions.md."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.test import APIRequestFactory

from api_base.tests.clients import client_of
from api_base.tests.walk import calls, filled
from authentication import roles
from authentication.models import User
from core.tests import reference

OPEN = ("/api/auth/login/", "/api/auth/refresh/", "/api/schema/", "/api/docs/", "/api/redoc/")
SHOP = [call for call in calls("/api/", without=("/api/ml/", *OPEN)) if hasattr(call[2].callback, "cls")]
WHO = {"superuser": "ada", "admin": "ben", "manager": "max", "employee": "eve", "customer": "cleo"}
OWN = {("get", "/api/orders/"), ("get", "/api/orders/<int:pk>/")}
"""What customers may look at: only what is theirs."""


def may(call: tuple[str, str, Any], user: User) -> bool:
    """Do the view's permissions let this user make the call?"""
    method, path, pattern = call
    view = pattern.callback.cls(**pattern.callback.initkwargs)
    view.action_map = getattr(pattern.callback, "actions", None) or {}
    request = getattr(APIRequestFactory(), method)(path)
    view.setup(request)
    view.request = view.initialize_request(request)
    view.request.user = user
    try:
        view.check_permissions(view.request)
    except (NotAuthenticated, PermissionDenied):  # the first, because nobody was authenticated: the user was set here
        return False
    return True


def permissions_table() -> list[str]:
    """The rows of the permissions that roles give."""
    every = sorted(set().union(*roles.PERMISSIONS.values()))
    marks = [["✓" if name in roles.PERMISSIONS[role] else "" for role in ("manager", "employee")] for name in every]
    rows = [f"| `{name}` | {' | '.join(mark)} |" for name, mark in zip(every, marks, strict=True)]
    return ["| permission | manager | employee |", "|---|---|---|", *rows]


def calls_table(cast: dict[str, User]) -> list[str]:
    """The rows of the calls: who may make each."""
    rows = []
    for call in sorted(SHOP, key=lambda call: (call[1], call[0])):
        marks = ["✓" if may(call, cast[name]) else "" for role, name in WHO.items() if role != "superuser"]
        if call[:2] in OWN:
            marks[-1] = "own"
        rows.append(f"| `{call[0].upper()} {call[1]}` | {' | '.join(marks)} |")
    return ["| call | admin | manager | employee | customer |", "|---|---|---|---|---|", *rows]


def test_the_page_says_what_the_code_does(cast):
    tables = {"permissions": permissions_table(), "calls": calls_table(cast)}
    reference.check("permissions.md", tables)


def test_the_walk_finds_the_records():
    found = {call[:2] for call in SHOP}
    assert len(SHOP) >= 30
    assert {("post", "/api/orders/bulk/"), ("patch", "/api/products/<int:pk>/"), *OWN} <= found


@pytest.mark.parametrize("role", [None, *WHO])
def test_every_call_answers_as_the_table_says(cast, role):
    """Really sent: nobody gets 401, who may not gets 403, who may gets neither."""
    user = cast[WHO[role]] if role else None
    client = client_of(user)
    for call in SHOP:
        method, path, pattern = call
        if path.startswith("/api/auth/") and user:
            continue  # they are everybody's, and end the session that is being used
        status = getattr(client, method)(filled(path, pattern), {}).status_code
        if user is None:
            assert status == 401, call[:2]
        elif may(call, user):
            assert status < 500, call[:2]
            assert status not in (401, 403), call[:2]
        else:
            assert status == 403, call[:2]


def test_superuser_and_admin_may_do_everything_and_customers_look_at_their_own(cast):
    assert all(may(call, cast[name]) for call in SHOP for name in ("ada", "ben"))
    found = {call[:2] for call in SHOP if may(call, cast["cleo"]) and not call[1].startswith("/api/auth/")}
    assert found == OWN


def test_one_permission_more_opens_one_call_more(cast):
    from django.contrib.auth.models import Permission

    before = {call[:2] for call in SHOP if may(call, User.objects.get(pk=cast["eve"].pk))}
    cast["eve"].user_permissions.add(Permission.objects.get(codename="change_product"))
    after = {call[:2] for call in SHOP if may(call, User.objects.get(pk=cast["eve"].pk))}
    assert after - before == {("put", "/api/products/<int:pk>/"), ("patch", "/api/products/<int:pk>/")}
