"""Translations: collect and compile them (`--write`), or check that they are complete and fresh.

English is the language of the sources, so only Spanish has files. Users have no gettext: the compiled files are
committed. Without gettext on this machine the sources are not searched again, and that is said.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polib

BACKEND = Path(__file__).resolve().parent.parent / "backend_django"
APPS = ("core", "authentication", "products", "purchasing", "orders", "ingest", "ml_predictions")


def po_file(app: str) -> Path:
    """The Spanish translations of an app."""
    return BACKEND / app / "locale" / "es" / "LC_MESSAGES" / "django.po"


def collect(app: str) -> None:
    """Search the app's sources and bring its file up to date."""
    po_file(app).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "django", "makemessages", "-l", "es", "--no-obsolete", "--no-wrap",
               "--add-location", "file", "--ignore", "tests/*", "-v0"]  # fmt: skip
    subprocess.run(command, cwd=BACKEND / app, check=True)


def faults(app: str) -> list[str]:
    """What is missing or stale in an app's translations."""
    path = po_file(app)
    if not path.exists():
        return [f"{app}: {path.relative_to(BACKEND)} is missing"]
    before = path.read_bytes()
    entries = polib.pofile(str(path))
    found = [f"{app}: not translated: {e.msgid!r}" for e in entries if not e.translated() or "fuzzy" in e.flags]
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or {e.msgid: e.msgstr for e in polib.mofile(str(compiled))} != {
        e.msgid: e.msgstr for e in entries.translated_entries()
    }:
        found.append(f"{app}: {compiled.name} is stale")
    if shutil.which("xgettext"):
        try:
            collect(app)
            fresh = {e.msgid for e in polib.pofile(str(path))}
        finally:
            path.write_bytes(before)
        found += [f"{app}: not collected: {msgid!r}" for msgid in sorted(fresh - {e.msgid for e in entries})]
        found += [f"{app}: no longer used: {msgid!r}" for msgid in sorted({e.msgid for e in entries} - fresh)]
    return found


def main() -> int:
    """Write or check; returns the exit code."""
    if "--write" in sys.argv:
        for app in APPS:
            collect(app)
            polib.pofile(str(po_file(app))).save_as_mofile(str(po_file(app).with_suffix(".mo")))
    if not shutil.which("xgettext"):
        print("SKIPPED: gettext is not on this machine; the sources were not searched for new sentences.")
    found = [fault for app in APPS for fault in faults(app)]
    print("\n".join([*found[:40], f"Translations: {len(found)} fault(s). `make messages` collects and compiles."]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
