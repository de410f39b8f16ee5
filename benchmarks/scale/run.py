"""A synthetic shop that grows: what each step costs at 10⁴, 10⁵, 10⁶ order lines, and how fast that grows.

    python benchmarks/scale/run.py                                                   # SQLite, 10⁴ and 10⁵ lines
    python benchmarks/scale/run.py --sizes 10000 100000 1000000 --write-readme
    python .ci/with_postgres.py python benchmarks/scale/run.py --sizes … --write-readme   # PostgreSQL
    python benchmarks/scale/run.py --sizes 10000 100000 --most 1.15                  # fails where a step grows faster
    python benchmarks/scale/run.py --sizes 1000000 --keep /var/tmp/shops             # does what is not done there
    python benchmarks/scale/run.py --sizes 1000000 --keep /var/tmp/shops --again refresh calls
    python benchmarks/scale/run.py --sizes 10000000 --branches 10 --write-readme     # ten shops of a million lines

Each step is a process of its own: CPU seconds and peak memory are what the system says of it when it has ended. The
growth exponent is the slope of log(CPU − what an idle process costs) over log(lines), and nothing where the
larger size costs less than a second.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BACKEND = HERE.parents[1] / "backend_django"
RESULTS = HERE / "results.json"
TRAININGS = ("sales_forecast", "product_recommendation", "customer_segmentation", "inventory_optimization")
ALL = "all"
"""The four in one run, as the weekly training and `train-all/` do it."""
STEPS = ("start", "light", "fill", "branch", "extract", *TRAININGS, ALL, "more days", "refresh", "calls")
IDLES = ("start", "light")
IDLE_RUNS = 3
"""Times that an idle process is measured; the least counts, for the first one reads its libraries from the disk."""
UNMEASURED = (*IDLES, "branch", "more days")
IDLE = {"fill": "light", "extract": "light"}
"""What an idle process is for a step that loads no learner; for the others it is `start`."""
FEWEST_SECONDS = 1.0
"""CPU seconds at the larger size below which a step's growth is noise."""
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


@dataclass
class Cost:
    """CPU and wall seconds, peak megabytes, and what the step itself says."""

    cpu: float
    wall: float
    megabytes: float
    told: dict[str, Any] = field(default_factory=dict)


def measured(command: list[str], environment: dict[str, str]) -> Cost:
    """What a command costs, as the system says when it has ended; its last line, where it is JSON, is what it tells."""
    begin = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        said = child.stdout.read() if child.stdout else ""
        _pid, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}: {said[-500:]}")
    last = (said.splitlines() or [""])[-1]
    told = json.loads(last) if last.startswith("{") else {}
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter() - begin
    return Cost(round(cpu, 2), round(wall, 2), round(used.ru_maxrss / 1024), told)


class Shop:
    """One shop of `lines` order lines in a database and a folder of its own."""

    def __init__(self, lines: int, folder: Path, server: str, *, branches: int = 1) -> None:
        self.lines = lines
        self.branches = branches
        self.folder = folder
        self.server = server
        name = f"scale_{lines}"
        self.database = _with_name(server, name) if server else f"sqlite:///{folder}/shop.sqlite3"
        self.costs: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        """What each step cost that was done here, with its day."""

    @property
    def _kept(self) -> Path:
        return self.folder / "costs.json"

    def make(self) -> None:
        """An empty database, or the one that stands, brought up to this release."""
        if self.server and not self.costs:
            import psycopg

            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS scale_{self.lines}")
                connection.execute(f"CREATE DATABASE scale_{self.lines}")
        migrate = [sys.executable, str(BACKEND / "manage.py"), "migrate", "-v0"]
        subprocess.run(migrate, env=self.environment(), check=True)

    def cost(self, step: str, *, again: bool) -> dict[str, Any]:
        """What a step costs; one that was done here is done `again` only when asked for."""
        if again or step not in self.costs:
            runs = [self.run(step) for _ in range(IDLE_RUNS if step in IDLES else 1)]
            self.costs[step] = asdict(min(runs, key=lambda one: one.cpu)) | {"day": time.strftime("%Y-%m-%d")}
            self._kept.write_text(json.dumps(self.costs, indent=1) + "\n")
        return self.costs[step]

    def run(self, step: str) -> Cost:
        """Do a step and say what it cost."""
        command = [sys.executable, str(HERE / "steps.py"), step]
        if step == "fill":
            end = date.today() - timedelta(days=3)  # noqa: DTZ011  # any recent day will do
            command = [sys.executable, str(BACKEND / "generate_ml_data.py")]
            command += ["--lines", str(self.lines // self.branches), "--end", end.isoformat()]
        try:
            return measured(command, self.environment())
        except RuntimeError as error:
            raise RuntimeError(f"{step} at {self.lines} lines: {error}") from error

    def environment(self) -> dict[str, str]:
        """Where the shop is."""
        own = {"TRASTIENDA_DATA": str(self.folder), "DATABASE_URL": self.database, "LIVE": "no", "LOG_LEVEL": "ERROR"}
        own["BRANCHES"] = str(self.branches)
        return {**THREADS, **os.environ, **own}

    def megabytes(self) -> dict[str, float]:
        """On the disk: the database, and the model files."""
        if self.server:
            import psycopg

            with psycopg.connect(self.database) as connection:
                row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            database = float(row[0]) if row else 0.0
        else:
            database = float(sum(path.stat().st_size for path in self.folder.glob("shop.sqlite3*")))
        models = sum(path.stat().st_size for path in (self.folder / "models").rglob("*") if path.is_file())
        return {"database": round(database / 2**20, 1), "models": round(models / 2**20, 1)}


def _with_name(url: str, name: str) -> str:
    """The address of another database of the same server."""
    head, mark, options = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{mark}{options}"


def measure(
    lines: int, server: str, *, steps: Sequence[str], branches: int, keep: Path | None, again: Sequence[str]
) -> dict[str, Any]:
    """The `steps` at one size; with `keep` in a folder that stays, where only what is missing, or `again`, is done."""
    with tempfile.TemporaryDirectory(prefix="trastienda-scale-", ignore_cleanup_errors=True) as name:
        folder = keep / f"{'postgresql' if server else 'sqlite'}-{lines}" if keep else Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        shop = Shop(lines, folder, server, branches=branches)
        shop.make()
        costs = {}
        for step in (one for one in STEPS if one in (*steps, *IDLES) or one in shop.costs):
            costs[step] = shop.cost(step, again=step in again)
            print(f"{lines:>9} {step:<24}", {k: v for k, v in costs[step].items() if k != "told"}, flush=True)
        return {"steps": costs, "megabytes": shop.megabytes(), "branches": branches}


def own_cost(sizes: dict[int, dict[str, Any]], lines: int, step: str) -> float:
    """CPU seconds of a step beyond those of an idle process, which are the same at all sizes: the least found."""
    idle = min(float(found["steps"][IDLE.get(step, "start")]["cpu"]) for found in sizes.values())
    return max(float(sizes[lines]["steps"][step]["cpu"]) - idle, 0.01)


def exponent(sizes: dict[int, dict[str, Any]], step: str) -> float | None:
    """Slope of log CPU over log lines between the smallest and the largest size; None where it is noise.

    >>> def of(cpu): return {"steps": {"start": {"cpu": 1.0}, "x": {"cpu": 1.0 + cpu}}}
    >>> exponent({10: of(1.0), 1000: of(100.0)}, "x"), exponent({10: of(0.01), 100: of(0.1)}, "x")
    (1.0, None)
    """
    sizes = {n: found for n, found in sizes.items() if _counts(found, step)}
    small, large = min(sizes, default=0), max(sizes, default=0)
    if small == large or own_cost(sizes, large, step) < FEWEST_SECONDS:
        return None
    slope = math.log(own_cost(sizes, large, step) / own_cost(sizes, small, step)) / math.log(large / small)
    return round(slope, 2)


def _counts(found: dict[str, Any], step: str) -> bool:
    """Was the step done at this size, and is it the step of this size? Branches are not filled but copied."""
    return step in found["steps"] and (step != "fill" or found.get("branches", 1) == 1)


def too_fast(sizes: dict[int, dict[str, Any]], most: float) -> list[str]:
    """Steps that grow faster than lines ** most, as sentences.

    >>> idle = dict.fromkeys(("start", "light"), {"cpu": 0.0})
    >>> def of(cpu): return {"steps": dict.fromkeys(STEPS, {"cpu": cpu}) | idle}
    >>> too_fast({10: of(1.0), 100: of(30.0)}, 1.15)[0]
    'fill grows with lines ** 1.48: 1.0 CPU s at 10 lines, 30.0 at 100'
    >>> too_fast({10: of(1.0), 100: of(12.0)}, 1.15)
    []
    """
    found = []
    for step in STEPS:
        slope = None if step in UNMEASURED else exponent(sizes, step)
        if slope is not None and slope > most:
            done = [n for n in sorted(sizes) if _counts(sizes[n], step)]
            told = [f"{own_cost(sizes, n, step):.1f}" for n in (done[0], done[-1])]
            head = f"{step} grows with lines ** {slope}"
            found.append(f"{head}: {told[0]} CPU s at {done[0]} lines, {told[1]} at {done[-1]}")
    return found


def table(sizes: dict[int, dict[str, Any]]) -> list[str]:
    """The figures as Markdown."""
    names = [f"{n:,} lines" for n in sorted(sizes)]
    rows = [f"| CPU s (wall s, peak MB) | {' | '.join(names)} | exponent |", f"|---|{'--:|' * (len(names) + 1)}"]

    def cell(found: dict[str, Any], step: str) -> str:
        if not _counts(found, step):
            return "–"
        cost = found["steps"][step]
        return f"{cost['cpu']:.1f} ({cost['wall']:.0f}, {cost['megabytes']:.0f})"

    for step in (s for s in STEPS if s not in UNMEASURED):
        slope = exponent(sizes, step)
        cells = " | ".join(cell(sizes[n], step) for n in sorted(sizes))
        name = "**all four in one run**" if step == ALL else step.replace("_", " ")
        rows.append(f"| {name} | {cells} | {'' if slope is None else slope} |")
    rows.append(f"| the four one by one | {' | '.join(_four(sizes[n]) for n in sorted(sizes))} | |")
    for what in ("database", "models"):
        rows.append(f"| MB on disk: {what} | {' | '.join(str(sizes[n]['megabytes'][what]) for n in sorted(sizes))} | |")
    told = {n: found["steps"].get("calls", {}).get("told", {}) for n, found in sizes.items()}
    for call in told[min(sizes)]:
        cells = " | ".join(f"{told[n][call]} ms" if call in told[n] else "–" for n in sorted(sizes))
        rows.append(f"| CPU of *{call}* | {cells} | |")
    return rows


def _four(found: dict[str, Any]) -> str:
    """What the four trainings cost in all, each a run of its own, and the highest peak."""
    costs = [found["steps"][service] for service in TRAININGS if service in found["steps"]]
    if len(costs) < len(TRAININGS):
        return "–"
    return f"{sum(cost['cpu'] for cost in costs):.1f} ({max(cost['megabytes'] for cost in costs):.0f} MB)"


def keep(kind: str, sizes: dict[int, dict[str, Any]]) -> None:
    """Join the figures with those kept in results.json, and put the table of this database into README.md."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known.setdefault(kind, {}).update({str(n): found for n, found in sizes.items()})
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    whole = {int(n): found for n, found in known[kind].items()}
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Linux, Python {platform.python_version()}"
    days = sorted({str(cost["day"]) for one in whole.values() for cost in one["steps"].values()})
    lines = [f"{machine}; {', '.join(days)}.", "", *table(whole)]
    path = HERE / "README.md"
    text = re.sub(rf"(<!-- {kind} -->\n).*?(<!-- /{kind} -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2],
                  path.read_text(), flags=re.DOTALL)  # fmt: skip
    path.write_text(text)


def main() -> int:
    """Grow, measure, tell; 1 where a step grows too fast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], metavar="LINES")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, metavar="STEP", help="only these")
    parser.add_argument("--branches", type=int, default=1, help="so many shops side by side, the first one simulated")
    parser.add_argument("--most", type=float, help="the largest growth exponent that passes")
    parser.add_argument("--write-readme", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the shops stay, with what each step cost")
    parser.add_argument("--again", nargs="+", default=[], choices=STEPS, metavar="STEP", help="steps to do once more")
    options = parser.parse_args()
    server = os.environ.get("DATABASE_URL", "")
    server = server if server.startswith("postgres") else ""
    kind = "PostgreSQL" if server else "SQLite"
    sizes: dict[int, dict[str, Any]] = {}
    for lines in sorted(options.sizes):
        sizes[lines] = measure(
            lines, server, steps=options.steps, branches=options.branches, keep=options.keep, again=options.again
        )
        if options.write_readme:
            keep(kind, {lines: sizes[lines]})
    print("\n".join(table(sizes)))
    faults = too_fast(sizes, options.most) if options.most else []
    for fault in faults:
        print(f"TOO FAST: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
