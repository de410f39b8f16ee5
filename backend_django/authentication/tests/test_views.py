"""Signing in over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from authentication.models import User

PASSWORD = "pass-word-1"
NEW = "quite-another-92"


def post(name: str, data: Any, *, access: str | None = None) -> Any:
    client = APIClient()
    if access:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.post(reverse(f"authentication:{name}"), data, format="json")


def me(access: str | None) -> Any:
    client = APIClient()
    if access:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.get(reverse("authentication:me"))


def sign_in(email: str = "ben@shop.test", password: str = PASSWORD) -> dict[str, Any]:
    answer = post("login", {"email": email, "password": password})
    assert answer.status_code == 200, answer.data
    return answer.data


# --- login ----------------------------------------------------------------------------------------


def test_login_answers_tokens_and_the_user(cast):
    data = sign_in()
    assert set(data) == {"access", "refresh", "user"}
    assert data["user"] == {
        "id": cast["ben"].pk,
        "email": "ben@shop.test",
        "first_name": "Ben",
        "last_name": "",
        "full_name": "Ben",
        "role": "admin",
        "is_superuser": False,
    }
    assert me(data["access"]).data == data["user"]


@pytest.mark.parametrize("name", ["ada", "ben", "cleo", "eve", "max"])
def test_every_role_may_sign_in_and_see_itself(cast, name):
    assert me(sign_in(f"{name}@shop.test")["access"]).data["id"] == cast[name].pk


@pytest.mark.parametrize("typed", ["BEN@SHOP.TEST", "Ben@shop.Test", "  ben@shop.test "])
def test_the_case_of_the_email_does_not_matter(cast, typed):
    assert sign_in(typed)["user"]["id"] == cast["ben"].pk


def test_the_blanks_of_a_password_count(db):
    User.objects.create_user("blank@shop.test", " two blanks ")
    assert sign_in("blank@shop.test", " two blanks ")
    assert post("login", {"email": "blank@shop.test", "password": "two blanks"}).status_code == 401


def test_signing_in_notes_the_time(cast):
    sign_in()
    assert User.objects.get(pk=cast["ben"].pk).last_login is not None


def test_wrong_password_unknown_email_inactive_user_and_customer_without_password_get_the_same_401(cast):
    User.objects.filter(pk=cast["eve"].pk).update(is_active=False)
    User.objects.bulk_create_customers([User(email="bulk@shop.test")])
    answers = [
        post("login", {"email": email, "password": password})
        for email, password in [
            ("ben@shop.test", "wrong"),
            ("nobody@shop.test", PASSWORD),
            ("eve@shop.test", PASSWORD),
            ("bulk@shop.test", PASSWORD),
        ]
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert all(answer["WWW-Authenticate"] == 'Bearer realm="api"' for answer in answers)


def test_each_refusal_costs_exactly_one_password_hash_so_that_the_time_tells_nothing(cast, monkeypatch):
    from django.contrib.auth.hashers import MD5PasswordHasher

    User.objects.filter(pk=cast["eve"].pk).update(is_active=False)
    User.objects.bulk_create_customers([User(email="bulk@shop.test")])
    hashes: list[str] = []
    original = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda self, *args, **kw: hashes.append("one") or original(self, *args, **kw)
    )
    for email in ("ben@shop.test", "nobody@shop.test", "eve@shop.test", "bulk@shop.test"):
        hashes.clear()
        assert post("login", {"email": email, "password": "wrong"}).status_code == 401
        assert len(hashes) == 1, email


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "ben@shop.test"}, {"email": "x", "password": "y"}, {"email": "a\0@b.cd", "password": "y"}, []],
)
def test_an_incomplete_login_is_400(db, body):
    assert post("login", body).status_code == 400


def test_an_old_token_beside_the_login_does_no_harm(cast):
    assert post("login", {"email": "ben@shop.test", "password": PASSWORD}, access="rubbish").status_code == 200


# --- lock-out -------------------------------------------------------------------------------------


@pytest.fixture
def limit(settings):
    settings.AXES_FAILURE_LIMIT = 3
    return 3


def fail(times: int, email: str = "ben@shop.test") -> Any:
    for _ in range(times):
        answer = post("login", {"email": email, "password": "wrong"})
    return answer


def test_too_many_wrong_passwords_answer_429_with_retry_after_in_the_shape_of_the_api(cast, limit):
    assert fail(limit - 1).status_code == 401
    answer = fail(1)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60
    assert answer.json()["success"] is False
    assert set(answer.json()["error"]) == {"code", "message", "details"}


def test_locked_out_even_the_right_password_is_429(cast, limit):
    fail(limit)
    assert post("login", {"email": "ben@shop.test", "password": PASSWORD}).status_code == 429


def test_an_unknown_email_is_locked_out_like_a_known_one(cast, limit):
    assert fail(limit, "nobody@shop.test").json() == fail(limit, "ben@shop.test").json()


def test_another_case_of_the_email_is_no_way_round_the_lock_out(cast, limit):
    fail(1, "ben@shop.test")
    fail(1, "Ben@shop.test")
    assert fail(1, "BEN@shop.test").status_code == 429


def test_one_locked_out_email_leaves_the_others_alone(cast, limit):
    fail(limit)
    assert sign_in("ada@shop.test")


def test_the_lock_ends_when_retry_after_says_and_trying_meanwhile_does_not_lengthen_it(cast, limit):
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        assert int(fail(limit)["Retry-After"]) == 15 * 60
    with time_machine.travel(start + timedelta(minutes=10), tick=False):
        assert int(fail(2)["Retry-After"]) == 5 * 60
    with time_machine.travel(start + timedelta(minutes=15, seconds=1), tick=False):
        assert sign_in()


def test_a_right_password_starts_the_count_anew(cast, limit):
    fail(limit - 1)
    sign_in()
    assert fail(limit - 1).status_code == 401


def test_the_admin_page_locks_out_too_and_shares_the_count(cast, limit, client):
    fail(limit - 1)
    answer = client.post(reverse("admin:login"), {"username": "Ben@shop.test", "password": "wrong"})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60


# --- refresh --------------------------------------------------------------------------------------


def test_refresh_rotates_and_uses_up_the_old_token(cast):
    first = sign_in()
    second = post("refresh", {"refresh": first["refresh"]})
    assert second.status_code == 200
    assert set(second.data) == {"access", "refresh"}
    assert second.data["refresh"] != first["refresh"]
    assert me(second.data["access"]).status_code == 200
    assert BlacklistedToken.objects.count() == 1


def test_a_reused_refresh_token_revokes_every_token_of_the_user_and_of_nobody_else(cast):
    stolen, elsewhere, other = sign_in(), sign_in(), sign_in("ada@shop.test")
    newer = post("refresh", {"refresh": stolen["refresh"]}).data
    assert post("refresh", {"refresh": stolen["refresh"]}).status_code == 401
    for pair in (newer, elsewhere):
        assert post("refresh", {"refresh": pair["refresh"]}).status_code == 401
        assert me(pair["access"]).status_code == 401
    assert not OutstandingToken.objects.filter(user=cast["ben"], blacklistedtoken=None).exists()
    assert post("refresh", {"refresh": other["refresh"]}).status_code == 200
    assert me(sign_in()["access"]).status_code == 200


@pytest.mark.parametrize("token", ["", "rubbish", "a.b.c", "ñ" * 50])
def test_a_broken_refresh_token_is_refused(db, token):
    assert post("refresh", {"refresh": token}).status_code in (400, 401)


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(cast):
    data = sign_in()
    assert post("refresh", {"refresh": data["access"]}).status_code == 401
    assert me(data["refresh"]).status_code == 401


def test_a_token_that_is_over_or_foreign_is_told_what_to_do(cast):
    tokens = sign_in()
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=False):
        over = me(tokens["access"])
    for answer in (over, me("no.token.ofours")):
        assert answer.status_code == 401
        assert answer.data["error"]["code"] == "token_not_valid"
        assert "POST /api/auth/refresh/" in answer.data["error"]["message"]


def test_an_expired_refresh_token_is_refused(cast):
    data = sign_in()
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert post("refresh", {"refresh": data["refresh"]}).status_code == 401


@pytest.mark.parametrize("change", ["deactivated", "deleted"])
def test_a_user_who_is_gone_refreshes_nothing(cast, change):
    data = sign_in()
    user = User.objects.filter(pk=cast["ben"].pk)
    user.update(is_active=False) if change == "deactivated" else user.delete()
    assert post("refresh", {"refresh": data["refresh"]}).status_code == 401
    assert me(data["access"]).status_code == 401


def test_the_stored_copy_of_a_token_signs_nobody_in(cast):
    data = sign_in()
    post("refresh", {"refresh": data["refresh"]})
    for stored in OutstandingToken.objects.values_list("token", flat=True):
        assert post("refresh", {"refresh": stored}).status_code == 401


# --- logout, me -----------------------------------------------------------------------------------


def test_logout_is_205_and_uses_up_the_refresh_token(cast):
    data = sign_in()
    assert post("logout", {"refresh": data["refresh"]}, access=data["access"]).status_code == 205
    assert post("refresh", {"refresh": data["refresh"]}).status_code == 401


def test_logout_takes_no_token_of_another_user(cast):
    ben, ada = sign_in(), sign_in("ada@shop.test")
    assert post("logout", {"refresh": ada["refresh"]}, access=ben["access"]).status_code == 401
    assert post("refresh", {"refresh": ada["refresh"]}).status_code == 200


@pytest.mark.parametrize(("name", "method"), [("logout", "post"), ("me", "get"), ("change-password", "post")])
def test_without_a_token_the_others_answer_401(db, name, method):
    assert getattr(APIClient(), method)(reverse(f"authentication:{name}")).status_code == 401


def test_an_access_token_ends_after_30_minutes(cast):
    data = sign_in()
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert me(data["access"]).status_code == 401


# --- change of password ---------------------------------------------------------------------------


def change(access: str, current: str = PASSWORD, new: str = NEW) -> Any:
    return post("change-password", {"current_password": current, "new_password": new}, access=access)


def test_a_changed_password_ends_every_refresh_and_access_token_of_the_user(cast):
    here, elsewhere, other = sign_in(), sign_in(), sign_in("ada@shop.test")
    assert change(here["access"]).status_code == 204
    for pair in (here, elsewhere):
        assert me(pair["access"]).status_code == 401
        assert post("refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert not OutstandingToken.objects.filter(user=cast["ben"], blacklistedtoken=None).exists()
    assert me(other["access"]).status_code == 200
    assert post("login", {"email": "ben@shop.test", "password": PASSWORD}).status_code == 401
    assert sign_in(password=NEW)


def test_a_password_set_elsewhere_ends_the_tokens_too(cast):
    data = sign_in()
    cast["ben"].set_password(NEW)
    cast["ben"].save(update_fields=["password"])
    assert me(data["access"]).status_code == 401
    assert post("refresh", {"refresh": data["refresh"]}).status_code == 401


def test_a_changed_password_ends_the_sessions_of_the_admin(cast, client):
    client.force_login(cast["ben"])
    assert client.get(reverse("admin:index")).status_code == 200
    change(sign_in()["access"])
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong", NEW, "current_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "12345678901", "new_password"),
        (PASSWORD, "password123", "new_password"),
        (PASSWORD, "ben@shop.test", "new_password"),
    ],
)
def test_a_refused_change_names_the_field_and_changes_nothing(cast, current, new, field):
    data = sign_in()
    answer = change(data["access"], current, new)
    assert answer.status_code == 400
    assert field in str(answer.json())
    assert me(data["access"]).status_code == 200


def test_a_wrong_present_password_counts_to_the_lockout(cast, settings):
    settings.AXES_FAILURE_LIMIT = 3
    access = sign_in()["access"]
    answers = [change(access, current="wrong-word-9") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert change(access, current=PASSWORD).status_code == 429, "also with the right one, until the time is over"
    assert post("login", {"email": "ben@shop.test", "password": PASSWORD}).status_code == 429
