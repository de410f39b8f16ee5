"""Who passes `IsSuperuserOrAdmin`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser

from authentication.models import User
from authentication.permissions import IsSuperuserOrAdmin


def allowed(user: object) -> bool:
    return IsSuperuserOrAdmin().has_permission(SimpleNamespace(user=user), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "is_superuser", "expected"),
    [
        ("admin", False, True),
        ("admin", True, True),
        ("manager", False, False),
        ("employee", False, False),
        ("customer", False, False),
        ("customer", True, True),
        ("employee", True, True),
    ],
)
def test_superusers_and_the_role_admin_pass_and_nobody_else(role, is_superuser, expected):
    assert allowed(User(email="x@y.zz", role=role, is_superuser=is_superuser)) is expected


def test_staff_alone_is_not_enough():
    assert not allowed(User(role="manager", is_staff=True))


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"is_superuser": True}])
def test_an_inactive_admin_or_superuser_is_refused(extra):
    assert not allowed(User(is_active=False, **extra))


def test_nobody_and_the_anonymous_user_are_refused():
    assert not allowed(None)
    assert not allowed(AnonymousUser())
