"""How a page of the repository becomes one of the site."""

from __future__ import annotations

from pathlib import Path

import site_pages
from site_pages import foreign, page_text


def test_fences_lose_what_they_say_to_ci_and_links_lead_to_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(site_pages, "ROOT", tmp_path)
    folder = tmp_path / "docs" / "how-to"
    folder.mkdir(parents=True)
    (tmp_path / "code.py").write_text("")
    (folder / "page.md").write_text(
        "1. First\n\n   ```sh not-run: needs root\n   reboot\n   ```\n\n"
        "```csv file: a.csv\n[x](../../code.py)\n```\n\n"
        "[all](../how-to/) [code](../../code.py) [other](other.md#there) [gone](gone.md)\n"
    )
    text = page_text(Path("docs/how-to/page.md"), {Path("docs/how-to/other.md")})
    assert text == (
        "1. First\n\n    ```sh\n    reboot\n    ```\n\n"
        '```csv title="a.csv"\n[x](../../code.py)\n```\n\n'
        "[all](../how-to/index.md) code [other](other.md#there) [gone](gone.md)\n"
    )


def test_what_asks_other_servers_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://x.example/a"><script src="b.js"></script><a href="https://x.example">x</a>'
    )
    assert foreign(tmp_path) == []
    (tmp_path / "b.html").write_text('<script src="https://x.example/b.js"></script><link href=//x.example/c.css>')
    assert len(foreign(tmp_path)) == 2
