"""Who may come in, in which language, and what stands around every page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.urls import urlpatterns
from dashboard.views.base import MENU, Page

PAGES = [p.name for p in urlpatterns if isinstance(getattr(p.callback, "view_class", None), type)
         and issubclass(p.callback.view_class, Page) and not p.pattern.converters]  # fmt: skip
pytestmark = pytest.mark.django_db


def test_the_menu_leads_to_pages() -> None:
    assert {entry.name for entry in MENU} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_strangers_sign_in_first_and_others_are_refused(name: str, cast: dict[str, Any]) -> None:
    address = reverse(f"dashboard:{name}")
    answer = Client().get(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("dashboard:sign-in"))
    for who in ("cleo", "eve", "max"):
        client = Client()
        client.force_login(cast[who], backend="authentication.backends.EmailBackend")
        assert client.get(address).status_code == 403, who


@pytest.mark.parametrize("name", PAGES)
def test_every_page_answers_in_an_empty_shop(name: str, ben: Client) -> None:
    answer = ben.get(reverse(f"dashboard:{name}"))
    assert answer.status_code in (200, 404, 405)  # 405: what is done by POST alone
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", [entry.name for entry in MENU])
def test_nothing_stands_in_the_page_that_the_policy_forbids(name: str, ben: Client) -> None:
    page = ben.get(reverse(f"dashboard:{name}")).content.decode()
    assert not re.findall(r"\sstyle=|\son[a-z]+=|javascript:|<style", page)
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or 'type="application/json"' in script
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_signing_in_with_the_e_mail_in_any_case_and_out_again(cast: dict[str, Any]) -> None:
    client = Client()
    wrong = client.post(reverse("dashboard:sign-in"), {"username": "ben@shop.test", "password": "no"})
    assert "E-mail or password is wrong" in wrong.content.decode()
    given = {"username": "BEN@shop.test", "password": "pass-word-1", "next": "/sales/"}
    answer = client.post(reverse("dashboard:sign-in"), given)
    assert answer["Location"] == "/sales/"
    client.post(reverse("dashboard:sign-out"))
    assert client.get("/sales/").status_code == 302


def test_language_and_theme_are_kept(ben: Client) -> None:
    ben.post(reverse("set_language"), {"language": "es", "next": "/"})
    page = ben.get("/").content.decode()
    assert '<html lang="es" data-theme="auto">' in page
    assert "<span>Hoy</span>" in page
    ben.post(reverse("dashboard:theme"), {"theme": "dark", "next": "/"})
    assert 'data-theme="dark"' in ben.get("/").content.decode()
    away = ben.post(reverse("dashboard:theme"), {"theme": "purple", "next": "https://elsewhere.test/"})
    assert away["Location"] == "/"
    assert 'data-theme="dark"' in ben.get("/").content.decode()


def test_every_code_of_an_alert_has_a_name() -> None:
    from dashboard.templatetags.dashboard import ALERTS
    from retail_ml.inventory import alerts, claims

    assert set(alerts.CODES) <= set(ALERTS)
    assert set(claims.EVENTS) <= set(ALERTS)
