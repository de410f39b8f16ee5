"""A smoke in a real browser, where there is one: no fault in the console, nothing that the policy has to stop."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from dashboard.views.base import MENU

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), "")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
@pytest.mark.django_db(transaction=True)
def test_signing_in_and_every_page_of_the_menu(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from playwright.sync_api import sync_playwright

    from authentication.models import User
    from conftest import fill_shop

    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs a loop in this thread
    User.objects.create_superuser("ada@shop.test", "pass-word-1", first_name="Ada")
    fill_shop(orders=20, products=4, customers=5, days=60)
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(locale="es").new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{live_server.url}/sign-in/")
        page.fill("#id_username", "ada@shop.test")
        page.fill("#id_password", "pass-word-1")
        page.click("main button.main")
        assert "Ada" in page.inner_text("h1")
        for entry in MENU:
            page.click(f'nav.menu a[href$="/{"" if entry.name == "morning" else entry.name + "/"}"]')
            page.wait_for_load_state("load")
            page.wait_for_function("!document.querySelector('.plot .loading')")
            assert page.get_attribute("nav.menu a[aria-current]", "aria-current") == "page"
        browser.close()
    assert faults == []
