"""Keys of a shop's server: shown once, read only, ended by their day, by hand, or with their owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from api_base.tests.clients import client_of
from api_base.tests.walk import calls, filled
from authentication.models import ServiceKey, User
from authentication.throttles import requests


def with_key(text: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {text}")
    return client


@pytest.fixture
def made(cast: dict[str, Any]) -> dict[str, Any]:
    """What making a key of Ben's answers."""
    answer = client_of(cast["ben"]).post("/api/service-keys/", {"name": "shop front", "days": 30})
    assert answer.status_code == 201, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def refused(client: APIClient, path: str = "/api/products/") -> str:
    answer = client.get(path)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    return answer.json()["error"]["code"]


def test_the_key_is_shown_once_and_stored_as_a_hash(made, cast):
    secret = made["key"].split(".")[1]
    assert made["key"].startswith(made["prefix"])
    row = ServiceKey.objects.get()
    assert secret not in str(vars(row))
    assert "key" not in client_of(cast["ben"]).get(f"/api/service-keys/{row.pk}/").json()
    assert (row.owner, row.expires_at.date()) == (cast["ben"], (timezone.now() + timedelta(days=30)).date())
    assert LogEntry.objects.get().change_message == "Service key made. shop front"


def test_it_reads_what_its_owner_may_read(made):
    client = with_key(made["key"])
    assert client.get("/api/products/").status_code == 200
    assert client.get("/api/ml/models/").status_code == 200
    assert client.head("/api/orders/").status_code == 200


def test_it_writes_nothing_anywhere_but_may_ask_for_a_basket(made):
    """Every call of the API that is no GET, from the addresses themselves."""
    client, found = with_key(made["key"]), {}
    for method, path, pattern in calls("/api/"):
        if method != "get" and path not in ("/api/auth/login/", "/api/auth/refresh/"):  # these look at no header
            answer = getattr(client, method)(filled(path, pattern), {})
            found[method, path] = (answer.status_code, answer.json()["error"]["code"])
    reading = found.pop(("post", "/api/ml/basket-recommendations/"))
    assert reading == (400, "bad_parameter")
    assert len(found) > 40
    assert set(found.values()) == {(403, "key_only_reads")}


@pytest.mark.parametrize("text", ["", "x", "x.y", "x y", "\xff.\xff", "a" * 5_000])
def test_an_unknown_key_is_401(cast, text):
    assert refused(with_key(text)) == "key_unknown"


def test_a_right_prefix_with_a_wrong_secret_is_401(made):
    assert refused(with_key(f"{made['prefix']}.{'x' * 43}")) == "key_unknown"


def test_it_ends_on_its_day(made):
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1), tick=False):
        assert refused(with_key(made["key"])) == "key_expired"


def test_it_is_revoked_at_once_and_stays_listed(made, cast):
    ben = client_of(cast["ben"])
    for _ in range(2):
        assert ben.post(f"/api/service-keys/{made['id']}/revoke/").json()["revoked_at"]
    assert refused(with_key(made["key"])) == "key_revoked"
    assert ben.get("/api/service-keys/?revoked=true").json()["count"] == 1
    assert LogEntry.objects.filter(change_message__startswith="Service key revoked").count() == 1


def test_it_ends_with_its_owner_and_shrinks_with_their_role(made, cast):
    User.objects.filter(pk=cast["ben"].pk).update(role="employee")
    assert with_key(made["key"]).get("/api/ml/models/").status_code == 403
    User.objects.filter(pk=cast["ben"].pk).update(is_active=False)
    assert refused(with_key(made["key"])) == "key_revoked"


@pytest.mark.parametrize("name", ["max", "eve", "cleo"])
def test_only_admins_make_and_see_keys(cast, made, name):
    client = client_of(cast[name])
    assert client.post("/api/service-keys/", {"name": "x"}).status_code == 403
    assert client.get("/api/service-keys/").status_code == 403


@pytest.mark.parametrize("days", [0, 732, "30"])
def test_a_key_lives_two_years_at_most(cast, days):
    answer = client_of(cast["ben"]).post("/api/service-keys/", {"name": "x", "days": days})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["days"]["allowed"] == {"minimum": 1, "maximum": 731}


def test_the_last_use_is_written_once_an_hour(made):
    client = with_key(made["key"])

    def writes() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get("/api/categories/").status_code == 200
        return sum(query["sql"].startswith("UPDATE") for query in found)

    assert [writes(), writes()] == [1, 0]
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        assert [writes(), writes()] == [1, 0]


def test_the_admin_makes_shows_once_and_revokes(cast, client):
    client.force_login(cast["ben"])
    page = client.post(reverse("admin:authentication_servicekey_add"), {"name": "till", "days": "7"}, follow=True)
    key = ServiceKey.objects.get()
    (text,) = [str(m).rsplit(": ", 1)[1] for m in page.context["messages"] if "shown this once" in str(m)]
    assert with_key(text).get("/api/products/").status_code == 200
    listing = reverse("admin:authentication_servicekey_changelist")
    assert text not in client.get(listing).content.decode()
    assert client.get(reverse("admin:authentication_servicekey_delete", args=[key.pk])).status_code == 403
    client.post(listing, {"action": "revoke", "_selected_action": [key.pk]})
    assert refused(with_key(text)) == "key_revoked"


# --- how many requests ----------------------------------------------------------------------------


@pytest.fixture
def rates(settings: Any) -> Iterator[None]:
    settings.API_RATES = {"account": 3, "address": 2}
    yield
    requests.close()


def statuses(client: APIClient, path: str, count: int) -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def test_keys_and_accounts_are_counted_apart(made, cast, rates):
    assert statuses(with_key(made["key"]), "/api/categories/", 4) == [200, 200, 200, 429]
    ben = client_of(cast["ben"])
    assert statuses(ben, "/api/categories/", 3) == [200, 200, 200]
    answer = ben.get("/api/categories/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_an_address_that_is_not_signed_in_is_counted(cast, rates):
    body = {"email": "ben@shop.test", "password": "wrong-word-1"}
    answers = [APIClient().post("/api/auth/login/", body, REMOTE_ADDR="10.0.0.9") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert APIClient().post("/api/auth/login/", body, REMOTE_ADDR="10.0.0.8").status_code == 401
    spoofed = APIClient().post("/api/auth/login/", body, REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR="1.2.3.4")
    assert spoofed.status_code == 429, "without a proxy the header is not believed"


def test_where_nobody_can_count_a_call_is_answered(made, rates, settings, tmp_path, caplog):
    settings.API_RATES_FILE = tmp_path / "gone" / "api_rates.sqlite3"
    assert statuses(with_key(made["key"]), "/api/categories/", 5) == [200] * 5
    assert "gone" in caplog.text
