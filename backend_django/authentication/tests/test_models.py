"""Users, roles and customers."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import IntegrityError, transaction

from authentication.models import User


def test_an_email_is_kept_in_lower_case_and_found_in_any(db):
    user = User.objects.create_user(" Ada@Shop.TEST ", "x")
    assert user.email == "ada@shop.test"
    assert User.objects.get_by_natural_key("ADA@shop.test") == user


@pytest.mark.postgres
def test_two_users_cannot_share_an_email_in_whatever_case(db):
    User.objects.create_user("ada@shop.test")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="ADA@shop.test")])


def test_many_users_may_have_no_email_and_no_external_id(db):
    User.objects.create_user("")
    User.objects.create_user(None, external_id="")
    assert User.objects.filter(email=None, external_id=None).count() == 2


@pytest.mark.postgres
def test_an_external_id_is_unique_within_its_source_only(db):
    User.objects.create_user(None, source="a", external_id="7")
    User.objects.create_user(None, source="b", external_id="7")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user(None, source="a", external_id="7")


def test_the_role_admin_implies_staff_and_a_customer_is_never_staff(db):
    user = User.objects.create_user("x@shop.test", role="admin")
    assert user.is_staff
    user.role = "customer"
    user.save()
    assert not user.is_staff


def test_a_superuser_is_an_admin(db):
    user = User.objects.create_superuser("root@shop.test", "x")
    assert (user.role, user.is_staff, user.is_superuser) == ("admin", True, True)


@pytest.mark.postgres
def test_a_thousand_customers_are_made_without_hashing_a_password(db, monkeypatch, django_assert_max_num_queries):
    def refuse(*args: object, **kwargs: object) -> str:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(MD5PasswordHasher, "encode", refuse)
    with django_assert_max_num_queries(20):
        made = User.objects.bulk_create_customers(
            User(email=f"C{i}@Mail.test", external_id=str(i)) for i in range(1_000)
        )
    assert len(made) == User.objects.filter(role="customer").count() == 1_000
    assert User.objects.filter(email="c999@mail.test").exists()
    assert not any(user.has_usable_password() for user in made)
    assert len({user.password for user in made}) == 1_000


def test_the_session_hash_changes_with_the_password_and_with_the_session_number():
    user = User(password="a")
    first = user.get_session_auth_hash()
    user.session_number += 1
    second = user.get_session_auth_hash()
    user.password = "b"
    assert len({first, second, user.get_session_auth_hash()}) == 3
