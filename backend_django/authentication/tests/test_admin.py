"""Users in the admin: made by e-mail, and nobody raises themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from authentication.models import User

LIST = "admin:authentication_user_changelist"
ADD = "admin:authentication_user_add"
NEW = {"email": "New@Shop.test", "role": "employee", "usable_password": "true"}
PASSWORDS = {"password1": "quite-another-92", "password2": "quite-another-92"}


def change(user: User) -> str:
    return reverse("admin:authentication_user_change", args=[user.pk])


def form_of(client: Any, user: User) -> dict[str, Any]:
    """What the change page would post back unchanged."""
    form = client.get(change(user)).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {k: v for k, v in values.items() if v not in (None, False, []) and k != "password"}


def test_a_user_is_made_by_email_with_role_and_password(cast, client):
    client.force_login(cast["ada"])
    answer = client.post(reverse(ADD), NEW | PASSWORDS)
    assert answer.status_code == 302, answer.context["errors"]
    user = User.objects.get(email="new@shop.test")
    assert user.role == "employee"
    assert user.check_password("quite-another-92")


def test_a_user_may_be_made_without_a_password(cast, client):
    client.force_login(cast["ada"])
    client.post(reverse(ADD), NEW | {"usable_password": "false"})
    assert not User.objects.get(email="new@shop.test").has_usable_password()


def test_the_same_email_in_another_case_is_an_error_of_the_form(cast, client):
    client.force_login(cast["ada"])
    assert client.post(reverse(ADD), NEW | PASSWORDS | {"email": "BEN@shop.test"}).status_code == 200
    assert User.objects.count() == 5


def test_a_superuser_changes_everyone(cast, client):
    client.force_login(cast["ada"])
    data = form_of(client, cast["eve"]) | {"role": "admin", "is_superuser": "on"}
    answer = client.post(change(cast["eve"]), data)
    assert answer.status_code == 302, answer.context["errors"]
    eve = User.objects.get(pk=cast["eve"].pk)
    assert (eve.role, eve.is_superuser, eve.is_staff) == ("admin", True, True)


def test_a_password_is_set_on_its_own_page(cast, client):
    client.force_login(cast["ada"])
    client.post(
        reverse("admin:auth_user_password_change", args=[cast["eve"].pk]), PASSWORDS | {"usable_password": "true"}
    )
    assert User.objects.get(pk=cast["eve"].pk).check_password("quite-another-92")


def test_an_admin_gives_roles_but_no_superpowers_and_does_not_touch_superusers(cast, client):
    client.force_login(cast["ben"])
    client.post(change(cast["eve"]), form_of(client, cast["eve"]) | {"role": "admin", "is_superuser": "on"})
    eve = User.objects.get(pk=cast["eve"].pk)
    assert (eve.role, eve.is_superuser) == ("admin", False)
    client.post(change(cast["ben"]), form_of(client, cast["ben"]) | {"is_superuser": "on"})
    assert not User.objects.get(pk=cast["ben"].pk).is_superuser
    assert client.post(change(cast["ada"]), {"email": "mine@shop.test"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[cast["ada"].pk])
    assert client.post(password, PASSWORDS | {"usable_password": "true"}).status_code == 403
    assert client.get(reverse("admin:authentication_user_delete", args=[cast["ada"].pk])).status_code == 403


@pytest.fixture
def clerk(cast, client):
    """Max, a manager with Django's permissions on users."""
    cast["max"].is_staff = True
    cast["max"].save()
    cast["max"].user_permissions.set(Permission.objects.filter(content_type__app_label="authentication"))
    client.force_login(cast["max"])
    return cast["max"]


def test_staff_with_permissions_on_users_cannot_raise_anyone(cast, client, clerk):
    powers = {"role": "admin", "is_superuser": "on", "is_staff": "on"}
    for person in (clerk, cast["cleo"]):
        client.post(change(person), form_of(client, person) | powers | {"first_name": "Changed"})
    max_, cleo = User.objects.get(pk=clerk.pk), User.objects.get(pk=cast["cleo"].pk)
    assert (max_.first_name, max_.role, max_.is_superuser) == ("Changed", "manager", False)
    assert (cleo.first_name, cleo.role, cleo.is_staff) == ("Changed", "customer", False)
    client.post(reverse(ADD), NEW | PASSWORDS | {"role": "admin"})
    assert User.objects.get(email="new@shop.test").role == "customer"


def test_staff_with_permissions_on_users_does_not_touch_admins(cast, client, clerk):
    assert client.post(change(cast["ben"]), {"email": "mine@shop.test"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[cast["ben"].pk])
    assert client.post(password, PASSWORDS | {"usable_password": "true"}).status_code == 403
