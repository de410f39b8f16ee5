"""A morning's work in a real browser, in both languages, over a served demo with its worker.

    python .ci/browser.py                    # in CI: every page, every width, light and dark; accessibility; the work
    python .ci/browser.py --pictures FOLDER  # pictures of the pages only (`make screenshots`)

Fails on a page that does not answer 200, a console error, a violation of the page's policy or of WCAG A/AA (axe).
Says so and ends with 0 where there is no Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from road import MANAGE, free_port, ready, stop

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PAGES = {
    "morning": "/", "sales": "/sales/", "look-back": "/sales/look-back/",
    "inventory": "/inventory/", "reorder": "/inventory/reorder/",
    "orders": "/inventory/orders/", "customers": "/customers/", "recommendations": "/recommendations/",
    "training": "/training/", "data": "/data/", "brief": "/brief/", "settings": "/settings/",
    "password": "/settings/password/",
}  # fmt: skip
PICTURES = ("morning", "sales", "inventory")
LOOKS = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
EMAIL = "admin@boutique.com"


class Visit:
    """A browser window that remembers what went wrong in it."""

    def __init__(self, browser: Any, base: str, password: str, **look: Any) -> None:
        self.faults: list[str] = []
        self.base = base
        self.page = browser.new_context(**look).new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(f"{base}/sign-in/")
        self.page.fill("#id_username", EMAIL)
        self.page.fill("#id_password", password)
        self.press("main button.main")

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(f"{self.page.url}: {message.text}")

    def press(self, selector: str) -> None:
        """Click what leads to another page, and wait for that."""
        with self.page.expect_navigation(wait_until="load", timeout=120_000):
            self.page.click(selector)

    def open(self, path: str) -> None:
        """Go to a page and wait until its charts are drawn and its parts are there."""
        answer = self.page.goto(f"{self.base}{path}", wait_until="load")
        if answer.status != 200:
            self.faults.append(f"{path} answered {answer.status}")
        self.page.wait_for_selector(".plot .loading, .waiting", state="detached")


def look_at_everything(browser: Any, base: str, password: str) -> list[str]:
    """Every page at every width, light and dark, with axe."""
    from axe_playwright_python.sync_playwright import Axe

    axe, faults, pages = Axe(), [], dict(PAGES)
    for width, scheme in LOOKS:
        language = "es" if width == 1440 else "en"
        look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "locale": language}
        visit = Visit(browser, base, password, **look)
        if "import" not in pages:
            pages["import"] = upload(visit, "LOOK")
        for name, path in pages.items():
            visit.open(path)
            wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                faults.append(f"{name} at {width}: {wide} pixels wider than the window")
            for fault in axe.run(visit.page, options=RULES).response["violations"]:
                nodes = "; ".join(node["html"][:120] for node in fault["nodes"][:3])
                faults.append(f"{name} at {width} {scheme}: {fault['id']}: {nodes}")
        faults += visit.faults
    return faults


def upload(visit: Visit, name: str) -> str:
    """Upload a small file of sales, with a column that is not known by its name; returns the page's path."""
    lines = [f"{name}-{n};{10 + n}/03/2026 10:00;{name}-A;{n};2,50" for n in range(1, 9)]
    content = "\n".join(["Pedido;Fecha;Referencia;Unidades;PVP", *lines, f"{name}-9;x;{name}-A;1;2,50"])
    visit.open("/data/")
    file = {"name": f"{name}.csv", "mimeType": "text/csv", "buffer": content.encode()}
    visit.page.set_input_files("input[name=file]", file)
    visit.press("form[enctype] button.main")
    visit.page.select_option("select[name=field-unit_price]", "PVP")
    visit.press("button[value=show]")
    visit.page.wait_for_selector("table td.bad")
    return visit.page.url.removeprefix(visit.base)


def bring_in(visit: Visit, name: str) -> None:
    """A file of sales: its columns, the dry run, the import; the same again changes nothing; both are undone."""
    pages = []
    for notice in (".notice:not(.warning)", ".notice.warning"):
        pages.append(upload(visit, name))
        visit.press("button[value=check]")
        visit.page.click("button[value=import]", timeout=120_000)
        visit.page.wait_for_selector("header.page .badge.good", timeout=120_000)
        assert visit.page.query_selector(f"main {notice}[role=status]"), visit.page.inner_text("main")[:300]
    for path, removes in zip(reversed(pages), (False, True), strict=True):
        visit.open(path)
        visit.press("button[value=weigh]")
        visit.page.wait_for_selector("button[value=undo]", timeout=120_000)
        assert bool(visit.page.query_selector(".card:has(#undo) table")) == removes
        visit.press("button[value=undo]")
        visit.page.wait_for_selector("main .notice.warning[role=status]", timeout=120_000)
        visit.page.wait_for_selector("main button[value=all]")


def work(browser: Any, base: str, password: str, language: str) -> list[str]:
    """Sign in, read, bring in a file, train with progress, order, receive, export a campaign, go back to a version."""
    visit = Visit(browser, base, password, viewport={"width": 1280, "height": 900}, locale=language)
    page = visit.page
    assert page.get_attribute("html", "lang") == language
    visit.open("/sales/?days=60")
    page.fill("#product-text", "a")
    page.wait_for_selector("#products-found a")
    visit.press("#products-found a >> nth=0")
    page.wait_for_selector(".plot .loading", state="detached")

    bring_in(visit, f"WALK-{language}")
    visit.open("/training/")
    visit.press("button[value=inventory_optimization]")
    page.wait_for_selector("#progress progress")
    page.wait_for_selector("#progress progress", state="detached", timeout=120_000)

    visit.open("/inventory/reorder/")
    boxes = page.query_selector_all("input[name=take]")
    assert boxes, "there is nothing to order in the demo"
    for box in boxes[1:]:
        box.uncheck()
    visit.press("form.card button.main")
    visit.press("table a >> nth=0")
    visit.press("button[value=confirm]")
    visit.press("table a >> nth=0")
    visit.press("button[value=receive]")
    page.wait_for_selector(".notice.success")

    visit.open("/recommendations/")
    page.click(".trio details.receipt summary >> nth=1")
    visit.press(".trio details[open] button[value=pin]")
    assert page.query_selector(".trio .card >> nth=0 >> .badge"), "what was put first does not come first"
    visit.press("#rules ~ .scroll button")
    assert not page.query_selector("#rules ~ .scroll"), "the rule was not taken back"

    visit.open("/customers/?segment=at_risk")
    with page.expect_download() as download:
        page.click("header.page button")
    assert download.value.path().stat().st_size > 100

    visit.open("/training/")
    visit.press("section[aria-labelledby=versions] tr:not(.chosen) a >> nth=0")
    visit.press("button[value=activate]")
    page.wait_for_selector(".notice.success")
    return visit.faults


def take_pictures(browser: Any, base: str, password: str, folder: Path) -> None:
    """The pages of the README, in Spanish and English."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("es", "en"):
        visit = Visit(browser, base, password, viewport={"width": 1280, "height": 860}, locale=language)
        for name in PICTURES:
            visit.open(PAGES[name])
            visit.page.wait_for_timeout(500)
            visit.page.screenshot(path=folder / f"{name}-{language}.png")


def main() -> int:
    """Serve the demo, walk, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if not CHROMIUM:
        print("SKIPPED the browser: there is no Chromium on this machine (Debian: apt install chromium).")
        return 0
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="trastienda-browser-") as folder:
        port = free_port()
        database = f"sqlite:///{folder}/trastienda.sqlite3"
        environment = {**os.environ, "TRASTIENDA_DATA": folder, "PORT": str(port), "DATABASE_URL": database}
        server = subprocess.Popen([*MANAGE, "start"], env=environment, stdout=subprocess.DEVNULL)
        try:
            ready(port, server, 400)
            password, base = (Path(folder) / "admin_password").read_text().strip(), f"http://localhost:{port}"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                if options.pictures:
                    take_pictures(browser, base, password, options.pictures)
                    return 0
                faults = look_at_everything(browser, base, password)
                for language in ("es", "en"):
                    faults += work(browser, base, password, language)
                browser.close()
        finally:
            stop(server, port)
    for fault in faults:
        print(re.sub(r"\s+", " ", fault))
    print(
        f"Browser: {len(PAGES)} pages in {len(LOOKS)} looks and a morning's work in 2 languages, {len(faults)} faults."
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
