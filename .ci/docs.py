"""Runs what the documents say: every command, Python and curl snippet of README and docs/, and checks every link.

    python .ci/docs.py                                  # all pages
    python .ci/docs.py docs/how-to/versions.md          # some
    python .ci/docs.py --links                          # links alone
    python .ci/docs.py --demo /tmp/demo …               # keep the trained demo there and use it again

Each page has a copy of the tree with a trained demo boutique in `var/`, and one shell that runs its snippets in order.
`localhost:8000` becomes the address of the page's own server, which runs from the first snippet that calls it, or from
`make run`, and is stopped by the next `make run` and the end of the page. A call that is answered with 400 or more
fails the page. How a fence says that it is not to be run: `docs_pages.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from docs_pages import Fence, broken_links, differences, fences, last_json
from road import free_port

ROOT = Path(__file__).resolve().parent.parent
PAGE_SECONDS = 1500
OWN = ("TRASTIENDA_DATA", "DATABASE_URL", "DJANGO_SECRET_KEY", "ML_ARTIFACT_KEY", "ADMIN_PASSWORD")
PRELUDE = (Path(__file__).parent / "docs_prelude.sh").read_text()
MARK = "\x1e"


@dataclass
class Outcome:
    """What became of a page."""

    page: Path
    ran: int = 0
    compared: int = 0
    not_run: list[Fence] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def pages() -> Iterator[Path]:
    """Every page whose snippets are run."""
    yield from sorted(ROOT.glob("README*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def linked_pages() -> Iterator[Path]:
    """Every page whose links are checked."""
    yield from (ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md")
    yield from pages()
    yield from sorted((ROOT / "benchmarks").rglob("*.md"))


def make_demo(folder: Path) -> None:
    """A trained demo boutique in `folder`; one that is there is only brought up to date."""
    environment = clean_environment() | {"TRASTIENDA_DATA": str(folder)}
    manage = [sys.executable, str(ROOT / "backend_django" / "manage.py"), "start", "--no-serve"]
    done = subprocess.run(manage, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The demo boutique could not be made:\n{done.stdout}{done.stderr}")


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a snippet out of its own folder."""
    return {name: value for name, value in os.environ.items() if name not in OWN}


def copy_tree(to: Path, demo: Path) -> None:
    """The tree as git sees it, with the demo in `var/` and this virtual environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name)
    shutil.copytree(demo, to / "var")
    (to / ".venv").symlink_to(Path(sys.prefix))
    for requirements in (to / "backend_django").glob("requirements*.txt"):
        os.utime(requirements, (0, 0))  # they are installed: this environment is the one that runs


def script_of(found: list[Fence], port: int) -> str:
    """One bash script that runs a page's snippets in order, each behind a mark on both outputs."""
    parts = [PRELUDE]
    if _needs_server(found):
        parts.append("serve\n")
    for number, fence in enumerate(found):
        if "file" in fence.words:
            path = fence.words["file"]
            parts.append(f"mkdir -p \"$(dirname '{path}')\"; cat > '{path}' <<'END-OF-FILE'\n{fence.text}END-OF-FILE\n")
        elif fence.runs:
            parts.append(f"mark {number}\n{_command(fence)}")
    return "".join(parts).replace("localhost:8000", f"localhost:{port}")


def _needs_server(found: list[Fence]) -> bool:
    for fence in found:
        if fence.runs and "make run" in fence.text:
            return False
        if fence.runs and "localhost:8000" in fence.text:
            return True
    return False


def _command(fence: Fence) -> str:
    if fence.language == "python":
        return f"in_python <<'END-OF-PYTHON'\n{fence.text}END-OF-PYTHON\n"
    wanted = int(fence.words.get("fails", 0))
    if not wanted:
        return fence.commands
    if wanted < 100:
        return f"set +e; ( set -e\n{fence.commands}\n); ended_with $? {wanted}; set -e\n"
    return f"expected={wanted}\n{fence.commands}\nexpected=\n"


def outputs(text: str) -> dict[int, str]:
    """What each snippet printed, by its number."""
    parts = text.split(MARK)[1:]
    return {int(part.split("\n", 1)[0]): part.split("\n", 1)[1] for part in parts}


def run_page(page: Path, demo: Path) -> Outcome:
    """Run a page's snippets and compare the answers that it shows."""
    outcome, started = Outcome(page.relative_to(ROOT)), time.monotonic()
    try:
        found = fences(outcome.page, page.read_text())
    except ValueError as error:
        outcome.faults.append(str(error))
        return outcome
    outcome.not_run = [fence for fence in found if "not-run" in fence.words]
    if any(fence.runs for fence in found):
        with tempfile.TemporaryDirectory(prefix="trastienda-docs-") as folder:
            tree = Path(folder) / "trastienda"
            copy_tree(tree, demo)
            _run(found, tree, outcome)
    if outcome.ran or outcome.not_run:
        seconds = time.monotonic() - started
        print(f"{outcome.page}: {outcome.ran} run, {outcome.compared} answers compared, {seconds:.0f} s", flush=True)
    return outcome


def _run(found: list[Fence], tree: Path, outcome: Outcome) -> None:
    port = free_port()
    (tree.parent / "page.sh").write_text(script_of(found, port))
    files = [tree.parent / "out", tree.parent / "err"]
    with files[0].open("w") as out, files[1].open("w") as err:
        process = subprocess.Popen(
            ["bash", str(tree.parent / "page.sh")],
            cwd=tree,
            env=clean_environment() | {"PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            code = process.wait(PAGE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)  # its trap stops the server
            code = process.wait(30) or 1
            err.write(f"\nThe page took more than {PAGE_SECONDS} s.")
    said, errors = (outputs(file.read_text(errors="replace")) for file in files)
    if code:
        last = max(errors, default=None)
        where = found[last].where if last is not None else f"{outcome.page} (its server)"
        tail = (said.get(last, "") + errors.get(last, "") if last is not None else files[1].read_text())[-2500:]
        outcome.faults.append(f"{where}: ended with {code}\n{tail}")
    _compare(found, said, outcome)


def _compare(found: list[Fence], said: dict[int, str], outcome: Outcome) -> None:
    """Count what ran, and hold each `json` fence against the answer of the snippet before it."""
    outcome.ran = len(said)
    before: int | None = None
    for number, fence in enumerate(found):
        if fence.runs:
            before = number
        if fence.language != "json" or fence.words.keys() - {"unless"} or before is None or before not in said:
            continue
        try:
            real = last_json(said[before])
            if fence.words.get("unless", "") in real:
                continue
            faults = differences(last_json(fence.text), real)
        except ValueError as error:
            faults = [str(error)]
        outcome.compared += 1
        outcome.faults += [f"{fence.where}: {fault}" for fault in faults]


def tell(outcomes: list[Outcome]) -> None:
    """The sums, what is not run and why, and the faults."""
    skipped = [fence for outcome in outcomes for fence in outcome.not_run]
    total = sum(outcome.ran for outcome in outcomes)
    print(f"\n{total} snippets run, {sum(o.compared for o in outcomes)} answers compared, {len(skipped)} not run:")
    for fence in skipped:
        print(f"  {fence.where}: {fence.words['not-run']}")
    for outcome in outcomes:
        for fault in outcome.faults:
            print(f"FAILED {fault}", file=sys.stderr)


def main() -> None:
    """All of it, or what was asked for."""
    parser = argparse.ArgumentParser(description="run the snippets of the documents and check their links")
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--links", action="store_true", help="links alone")
    parser.add_argument("--demo", type=Path, help="folder of a trained demo, made when it is not there")
    parser.add_argument("--at-once", type=int, default=2, help="pages that run at the same time")
    options = parser.parse_args()
    faults = [fault for page in linked_pages() for fault in broken_links(page, ROOT)]
    for fault in faults:
        print(f"FAILED {fault}", file=sys.stderr)
    if options.links:
        sys.exit(bool(faults))
    with tempfile.TemporaryDirectory(prefix="trastienda-demo-") as folder:
        demo = (options.demo or Path(folder) / "demo").resolve()
        make_demo(demo)
        chosen = [page.resolve() for page in options.pages] or list(pages())
        with ThreadPoolExecutor(options.at_once) as pool:
            outcomes = list(pool.map(partial(run_page, demo=demo), chosen))
    tell(outcomes)
    sys.exit(bool(faults or any(outcome.faults for outcome in outcomes)))


if __name__ == "__main__":
    main()
