"""Customers over the API."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from api_base.tests.clients import client_of, queries
from authentication import suppression
from authentication.models import User


@pytest.fixture
def api(cast: dict[str, Any]) -> APIClient:
    """Max: the role manager."""
    return client_of(cast["max"])


def test_a_customer_is_entered_and_cannot_sign_in(api):
    answer = api.post("/api/customers/", {"email": " Dora@Mail.TEST ", "first_name": "Dora", "external_id": "77"})
    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert (row["email"], row["full_name"], row["source"]) == ("dora@mail.test", "Dora", "shop")
    user = User.objects.get(pk=row["id"])
    assert (user.role, user.is_staff, user.has_usable_password()) == ("customer", False, False)
    assert api.get("/api/customers/?external_id=77").json()["results"] == [row]


def test_staff_are_not_there(api, cast):
    assert [row["id"] for row in api.get("/api/customers/").json()["results"]] == [cast["cleo"].pk]
    assert api.get(f"/api/customers/{cast['ada'].pk}/").status_code == 404
    assert api.patch(f"/api/customers/{cast['ben'].pk}/", {"email": "evil@mail.test"}).status_code == 404


@pytest.mark.parametrize("field", ["role", "is_staff", "is_superuser", "password"])
def test_nobody_is_raised_by_this_call(api, cast, field):
    answer = api.patch(f"/api/customers/{cast['cleo'].pk}/", {field: "admin"})
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, [field])


@pytest.mark.parametrize("body", [{"email": "BEN@shop.test"}, {"external_id": "1"}])
def test_an_e_mail_or_number_that_is_taken_is_refused(api, body):
    api.post("/api/customers/", {"external_id": "1"})
    answer = api.post("/api/customers/", {"first_name": "New", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "customer_refused")
    assert User.objects.filter(first_name="New").count() == 0


@pytest.mark.parametrize("body", [{"email": "gone@mail.test"}, {"external_id": "9"}])
def test_who_was_erased_does_not_come_back(api, cast, body):
    suppression.remember(source="shop", numbers=["9"], emails=["gone@mail.test"])
    assert api.post("/api/customers/", body).json()["error"]["code"] == "customer_refused"
    assert api.patch(f"/api/customers/{cast['cleo'].pk}/", body).status_code == 409
    assert User.objects.get(pk=cast["cleo"].pk).email == "cleo@shop.test"


def test_two_customers_may_have_neither_e_mail_nor_number(api):
    assert [api.post("/api/customers/", {"first_name": "x"}).status_code for _ in range(2)] == [201, 201]


def test_thirty_customers_take_as_many_queries_as_three(api):
    User.objects.bulk_create_customers(User(external_id=str(n)) for n in range(3))
    few = queries(api, "/api/customers/")
    User.objects.bulk_create_customers(User(external_id=str(n)) for n in range(3, 30))
    assert queries(api, "/api/customers/") == few <= 4
