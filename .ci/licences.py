"""The licences of what users install, from the packages themselves, and whether MIT software may be built on them.

    python .ci/licences.py            # the table; exit code 1 when a licence is not known to fit
    python .ci/licences.py --write    # into docs/reference/licences.md

A test compares the page with what is installed.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "backend_django" / "requirements.txt"
PAGE = ROOT / "docs" / "reference" / "licences.md"
FITS = ("MIT", "BSD", "Apache", "PSF", "Python Software Foundation", "ISC", "HPND", "MPL", "Mozilla", "LGPL", "Zlib",
        "0BSD", "CC0", "Unlicense", "CNRI", "public domain")  # fmt: skip
"""What allows a program under MIT to depend on it as it is, unchanged; LGPL and MPL for themselves alone."""
REFUSED = re.compile(r"\bA?GPL|commercial|proprietary", re.IGNORECASE)
TELL = "GNU Lesser General Public License"


def names() -> list[str]:
    """The packages of requirements.txt that are installed; others are for other systems."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==", REQUIREMENTS.read_text(), re.MULTILINE)
    return [name for name in dict.fromkeys(found) if _installed(name)]


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def licence(name: str) -> str:
    """What a package says of its licence: SPDX where it has it, else classifiers, a line, the head of its file."""
    told = metadata.metadata(name)
    if spdx := told.get("License-Expression"):
        return str(spdx)
    classifiers = [c.split(" :: ")[-1] for c in told.get_all("Classifier") or [] if c.startswith("License :: ")]
    named = [c for c in classifiers if c != "OSI Approved"]
    if named:
        return " and ".join(sorted(named))
    if stated := str(told.get("License") or "").strip():
        return stated.splitlines()[0][:60]
    files = [file for file in metadata.files(name) or [] if "LICENSE" in file.name.upper()]
    return files[0].read_text().strip().splitlines()[0] if files else "not stated"


def fits(text: str) -> bool:
    """May MIT software depend on it? Every licence that is joined by `AND` must fit, of `OR` one.

    >>> fits("MIT"), fits("GPL-3.0-only"), fits("MIT OR GPL-3.0-only"), fits("BSD-3-Clause AND GPL-3.0-only")
    (True, False, True, False)
    """
    return any(all(_fits(one) for one in re.split(r"\band\b|\bAND\b", part)) for part in re.split(r"\bOR\b", text))


def _fits(text: str) -> bool:
    if "LGPL" in text or TELL in text:
        return True
    return any(name.lower() in text.lower() for name in FITS) and not REFUSED.search(text)


def table() -> list[str]:
    """The rows of the page."""
    return ["| package | licence |", "|---|---|", *(f"| {name} | {licence(name)} |" for name in names())]


def page() -> str:
    """The page as it should be."""
    begin, end = "<!-- licences -->\n", "<!-- /licences -->"
    before, rest = PAGE.read_text().split(begin)
    return before + begin + "\n".join(table()) + "\n" + end + rest.split(end)[1]


def main() -> int:
    """Show, write, judge."""
    if "--write" in sys.argv:
        PAGE.write_text(page())
    else:
        print("\n".join(table()))
    unfit = [f"{name}: {licence(name)}" for name in names() if not fits(licence(name))]
    if unfit:
        print("Not known to fit MIT:\n" + "\n".join(unfit), file=sys.stderr)
    return bool(unfit)


if __name__ == "__main__":
    sys.exit(main())
