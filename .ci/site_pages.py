"""Lays out the documents as a site and builds it with MkDocs: `make docs`. A broken link or anchor fails.

The pages keep the places that they have in the repository, so that their links hold; folders get an index. Fences lose
what they say to CI. Nothing in the result asks anything of third parties; that is checked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from docs_pages import FENCE, LINK

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / ".site"
PAGES = SITE / "pages"
HTML = SITE / "html"
FOLDERS = {
    "docs/how-to": "How to",
    "docs/reference": "Reference",
    "docs/algorithms": "Algorithms",
    "docs/decisions": "Decisions",
}
LANGUAGES = {"docs/es": ("Español", "README.es.md"), "docs/en": ("English", "README.md")}
ORDER = ("QUICK_START_ML.md", "MACHINE_LEARNING_GUIDE.md", "ML_IMPLEMENTATION_SUMMARY.md")
FOREIGN = re.compile(r"<(?:script|img|iframe|source)[^>]+src=[\"']?(https?:)?//|<link[^>]+href=[\"']?(?:https?:)?//")
CANONICAL = re.compile(r"<link rel=\"(?:canonical|edit|alternate)\"")


def pages() -> list[Path]:
    """What becomes a page, as paths of the repository."""
    top = [ROOT / name for name in ("README.md", "README.es.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    found = [*top, *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    return [path.relative_to(ROOT) for path in sorted(found)]


def title(page: Path) -> str:
    """The first heading of a page."""
    heading = re.search(r"^# +(.+)$", (ROOT / page).read_text(), re.MULTILINE)
    return re.sub(r"[`*]", "", heading[1]) if heading else page.stem


def page_text(page: Path, known: set[Path]) -> str:
    """A page as MkDocs reads it: fences without words for CI, lists as it wants them, links to pages alone."""
    lines, ticks, numbered = [], "", False
    for read in (ROOT / page).read_text().splitlines():
        line = read
        fence = FENCE.match(line)
        if numbered and re.match(r" {3}\S", line):
            line = " " + line
        if ticks:
            ticks = "" if line.strip() == ticks else ticks
        elif fence:
            ticks = fence["ticks"]
            word, _, value = fence["info"].partition(":")
            named = f' title="{value.strip()}"' if word == "file" else ""
            line = line[: len(line) - len(line.lstrip())] + fence["ticks"] + fence["language"] + named
        else:
            numbered = bool(re.match(r"\d+\. ", line)) or (numbered and (not line or line.startswith(" ")))
            line = LINK.sub(lambda found: _link(found, page, known), line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def _link(found: re.Match[str], page: Path, known: set[Path]) -> str:
    """A link as the site has it: folders lead to their index, files that are no page become plain text."""
    address = found["target"].partition("#")[0]
    if not address or re.match(r"[a-z]+:", address):
        return found[0]
    aim = (ROOT / page.parent / address).resolve().relative_to(ROOT)
    if aim in known or aim.suffix in (".png", ".svg") or not (ROOT / aim).exists():
        return found[0]
    if str(aim) in FOLDERS:
        return found[0].replace(f"({address}", f"({address.rstrip('/')}/index.md")
    return found[0][1 : found[0].index("](")]


def lay_out() -> list[Any]:
    """Write the pages; returns the navigation."""
    shutil.rmtree(SITE, ignore_errors=True)
    found = pages()
    for page in found:
        target = PAGES / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page_text(page, set(found)))
    shutil.copytree(ROOT / "docs" / "images", PAGES / "docs" / "images")
    nav: list[Any] = []
    for folder, (name, home) in reversed(LANGUAGES.items()):
        nav.append({name: [home, *(f"{folder}/{page}" for page in ORDER)]})
    for folder, name in FOLDERS.items():
        inside = [page for page in found if str(page.parent) == folder]
        rows = [f"* [{title(page)}]({page.name})" for page in inside]
        (PAGES / folder / "index.md").write_text(f"# {name}\n\n" + "\n".join(rows) + "\n")
        nav.append({name: [f"{folder}/index.md", *map(str, inside)]})
    measured = sorted((page for page in found if page.parts[0] == "benchmarks"), key=lambda page: len(page.parts))
    nav.append({"Benchmarks": list(map(str, measured))})
    nav.append({"Project": ["CHANGELOG.md", "CONTRIBUTING.md"]})
    return nav


def foreign(html: Path) -> list[str]:
    """Pages that would ask something of another server."""
    faults = []
    for page in html.rglob("*.html"):
        for found in FOREIGN.finditer(page.read_text()):
            if not CANONICAL.match(found[0]):
                faults.append(f"{page.relative_to(html)}: {found[0]}")
    return faults


def main() -> None:
    """Lay out, build, look."""
    nav = lay_out()
    config = {"INHERIT": "../mkdocs.yml", "docs_dir": "pages", "site_dir": "html", "nav": nav}
    (SITE / "mkdocs.yml").write_text(json.dumps(config, ensure_ascii=False, indent=1))
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(SITE / "mkdocs.yml")],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    if built.returncode:
        sys.exit(built.returncode)
    if faults := foreign(HTML):
        sys.exit("The site would ask other servers:\n" + "\n".join(faults))
    print(f"{len(list(HTML.rglob('*.html')))} pages: {HTML / 'index.html'}")


if __name__ == "__main__":
    main()
