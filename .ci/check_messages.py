"""Translations: collect and compile them (`--write`), or check that they are complete and fresh.

English is the language of the sources, so only Spanish has files. Users have no gettext: the compiled files are
committed. Without gettext on this machine the sources are not searched again, and that is said.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

BACKEND = Path(__file__).resolve().parent.parent / "backend_django"
APPS = (
    "core",
    "api_base",
    "authentication",
    "products",
    "purchasing",
    "orders",
    "ingest",
    "ml_predictions",
    "dashboard",
)
HEADER = {
    "Project-Id-Version": "Trastienda",
    "Language": "es",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    # As in Django's own Spanish, so that it keeps one catalogue for all.
    "Plural-Forms": "nplurals=3; plural=n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
}
"""Nothing that changes from day to day or from machine to machine."""
NAMES = re.compile(r"\{(\w*)[^{}]*\}|%\((\w+)\)[sd]|(%[sd])")
"""What a sentence leaves open: {name}, %(name)s, %s."""


def po_file(app: str) -> Path:
    """The Spanish translations of an app."""
    return BACKEND / app / "locale" / "es" / "LC_MESSAGES" / "django.po"


def collected(app: str) -> polib.POFile:
    """An app's translations brought up to date with its sources, in a copy: the app itself is not touched."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / app
        shutil.copytree(
            BACKEND / app, copy, ignore=shutil.ignore_patterns("tests", "migrations", "static", "__pycache__")
        )
        path = copy / po_file(app).relative_to(BACKEND / app)
        path.parent.mkdir(parents=True, exist_ok=True)
        # -P: an app's own selectors.py or calendar.py must not stand for Python's.
        command = [sys.executable, "-P", "-m", "django", "makemessages", "-l", "es", "--no-obsolete", "--no-wrap",
                   "--add-location", "file", "-v0"]  # fmt: skip
        subprocess.run(command, cwd=copy, check=True)
        return polib.pofile(str(path), wrapwidth=0) if path.exists() else polib.POFile(wrapwidth=0)


def write(app: str) -> None:
    """Bring an app's files up to date: what is new waits for its translation, what is gone is dropped."""
    entries = collected(app)
    entries.metadata, entries.metadata_is_fuzzy, entries.header = dict(HEADER), False, " Spanish."
    path = po_file(app)
    path.parent.mkdir(parents=True, exist_ok=True)
    entries.save(str(path))
    entries.save_as_mofile(str(path.with_suffix(".mo")))


def said(entries: polib.POFile | polib.MOFile) -> dict[tuple[str | None, str], tuple[str, ...]]:
    """Context and sentence to translations: one, or one per plural form."""
    return {(e.msgctxt, e.msgid): translations(e) for e in entries.translated_entries()}


def translations(entry: polib.POEntry | polib.MOEntry) -> tuple[str, ...]:
    """All translations of an entry."""
    plural = entry.msgstr_plural
    return tuple(plural[form] for form in sorted(plural)) if plural else (entry.msgstr,)


def left_open(text: str) -> list[str]:
    """The names that a sentence leaves open, sorted."""
    return sorted("".join(found.groups(default="")) for found in NAMES.finditer(text))


def faults(app: str) -> list[str]:
    """What is missing, wrong or stale in an app's translations."""
    path = po_file(app)
    if not path.exists():
        return [f"{app}: {path.relative_to(BACKEND)} is missing"]
    entries = polib.pofile(str(path))
    found = [f"{app}: not translated: {e.msgid!r}" for e in entries if not e.translated()]
    found += [
        f"{app}: other placeholders than in English: {text!r}"
        for e in entries.translated_entries()
        for text in translations(e)
        if left_open(text) not in [left_open(english) for english in (e.msgid, e.msgid_plural) if english]
    ]
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or said(polib.mofile(str(compiled))) != said(entries):
        found.append(f"{app}: {compiled.name} is stale")
    found += [
        f"{app}: {path.name} calls gettext by a name that is not searched for: {alias}"
        for path in sorted((BACKEND / app).rglob("*.py"))
        for alias in re.findall(r"gettext(?:_\w+)? as (?!_\b)(\w+)", path.read_text())
    ]
    if shutil.which("xgettext"):
        fresh, known = ({(e.msgctxt, e.msgid) for e in some} for some in (collected(app), entries))
        found += [f"{app}: not collected: {msgid!r}" for _, msgid in sorted(fresh - known, key=str)]
        found += [f"{app}: no longer used: {msgid!r}" for _, msgid in sorted(known - fresh, key=str)]
    return found


def main() -> int:
    """Write or check; returns the exit code."""
    if "--write" in sys.argv:
        for app in APPS:
            write(app)
    if not shutil.which("xgettext"):
        print("SKIPPED: gettext is not on this machine; the sources were not searched for new sentences.")
    found = [fault for app in APPS for fault in faults(app)]
    print("\n".join([*found[:40], f"Translations: {len(found)} fault(s). `make messages` collects and compiles."]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
