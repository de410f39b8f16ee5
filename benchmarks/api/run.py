"""Ten reads of the API, and the main pages, on a shop of a million order lines: percentiles as another process on
loopback sees them.

    python benchmarks/api/run.py                                        # SQLite
    python .ci/with_postgres.py python benchmarks/api/run.py            # PostgreSQL
    python benchmarks/api/run.py --lines 100000 --seconds 2             # a quick look
    python benchmarks/api/run.py --folder /data/bench                   # keeps the shop, and takes it when it is there
    python benchmarks/api/run.py --folder /data/bench --beside /data/old-tree  # every call of another checkout as well

Writes the synthetic shop, trains the four services, serves with gunicorn as `make run` does, and asks each call with
four threads over kept connections. `--write-readme` puts the table into README.md. `--beside` serves a copy of the shop
(SQLite) with the code of another checkout too and asks each call of both in turns: on a busy machine only the ratio
says something.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
THREADS, WARM, TIMES_OPENED = 4, 3, 4
EMAIL, PASSWORD = "admin@boutique.com", "benchmark-only-1"
Call = tuple[str, str, dict[str, Any] | None]


def calls(ids: dict[str, str]) -> dict[str, Call]:
    """The ten reads most used by a shop front, a dashboard and the owner's own programs: name → method, path, body."""
    product, customer, variant = ids["product"], ids["customer"], ids["variant"]
    found: dict[str, Call] = {
        "predict-sales, 30 days": ("POST", "predict-sales/", {"days_ahead": 30}),
        "sales-forecasts, a page": ("GET", "sales-forecasts/?level=total", None),
        "product-recommendations": ("GET", f"product-recommendations/{product}/", None),
        "bought-together": ("GET", f"bought-together/{product}/", None),
        "customer-recommendations": ("GET", f"customer-recommendations/{customer}/", None),
        "customer-segment": ("GET", f"customer-segment/{customer}/", None),
        "customer-segments, a page": ("GET", "customer-segments/?ordering=-total_spent", None),
        "inventory-alerts, a page": ("GET", "inventory-alerts/?status=active", None),
        "inventory-analysis, one variant": ("GET", f"inventory-analysis/{variant}/", None),
        "dashboard-summary": ("GET", "dashboard-summary/", None),
    }
    return {name: (method, f"/api/ml/{path}", body) for name, (method, path, body) in found.items()}


PAGES: dict[str, Call] = {
    f"page {path}": ("GET", path, None)
    for path in ("/", "/sales/", "/inventory/", "/inventory/reorder/", "/customers/")
}


class Server:
    """gunicorn over the shop in `folder`."""

    def __init__(self, folder: Path, database: str, tree: Path = TREE) -> None:
        self.backend = tree / "backend_django"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.environment = {
            **os.environ, "TRASTIENDA_DATA": str(folder), "DATABASE_URL": database, "PORT": str(self.port),
            "ADMIN_PASSWORD": PASSWORD, "LOG_LEVEL": "WARNING", "API_RATE_ACCOUNT": "0", "API_RATE_ADDRESS": "0",
        }  # fmt: skip

    def command(self, *arguments: str) -> None:
        """One of the project's commands, to its end."""
        manage = [sys.executable, str(self.backend / "manage.py")]
        subprocess.run([*manage, *arguments], env=self.environment, check=True)

    def fill(self, lines: int) -> None:
        """Tables, the shop, an administrator, the four services; what is there already is left."""
        self.command("migrate", "-v0")
        script = [sys.executable, str(self.backend / "generate_ml_data.py"), "--lines", str(lines)]
        subprocess.run(script, env=self.environment, check=False)  # refuses when the shop is there
        self.command("start", "--no-serve")
        self.command("make_admin", "--reset")

    def __enter__(self) -> Server:
        web = [sys.executable, "-m", "gunicorn", "--chdir", str(self.backend)]
        web += ["--config", str(self.backend / "core" / "web_server.py"), "core.wsgi"]
        self.process = subprocess.Popen(web, env=self.environment)
        for _attempt in range(240):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.25)
        raise RuntimeError("the server did not start")

    def __exit__(self, *_args: object) -> None:
        self.process.terminate()
        self.process.wait(30)


class Client:
    """One kept connection, signed in by a token or, for the pages, by a session's cookie."""

    def __init__(self, port: int, token: str = "", cookie: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Content-Type": "application/json"}
        self.headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self.headers |= {"Cookie": cookie} if cookie else {}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Status and body of one call."""
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except ConnectionError:  # it was idle for longer than the server keeps a connection
                self.connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def sign_in(self) -> None:
        """As the page does: with a token against forgery, a form, and the session's cookie from then on."""
        self.connection.request("GET", "/sign-in/", headers={})
        answer = self.connection.getresponse()
        answer.read()
        forgery = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        form = {"username": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": forgery.partition("=")[2]}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": forgery}
        self.connection.request("POST", "/sign-in/", urllib.parse.urlencode(form), headers)
        answer = self.connection.getresponse()
        answer.read()
        cookies = [text.partition(";")[0] for name, text in answer.getheaders() if name == "Set-Cookie"]
        if answer.status != 302:
            raise RuntimeError(f"signing in to the pages answered {answer.status}")
        self.headers["Cookie"] = next(text for text in cookies if text.startswith("sessionid="))


@dataclass(frozen=True)
class Signed:
    """A server, and what lets one in."""

    port: int
    token: str
    cookie: str
    pid: int

    @classmethod
    def at(cls, server: Server) -> Signed:
        """Sign in to both, the API and the pages."""
        port = server.port
        status, body = Client(port).ask("POST", "/api/auth/login/", {"email": EMAIL, "password": PASSWORD})
        if status != 200:
            raise RuntimeError(f"signing in answered {status}: {body[:300]!r}")
        visitor = Client(port)
        visitor.sign_in()
        return cls(port, json.loads(body)["access"], visitor.headers["Cookie"], server.process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the server's processes until now (Linux)."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        stats = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    def client(self, path: str) -> Client:
        """A connection for this address."""
        token, cookie = (self.token, "") if path.startswith("/api/") else ("", self.cookie)
        return Client(self.port, token, cookie)


def measure(at: Signed, call: Call, seconds: float) -> dict[str, float]:
    """With four threads for so many seconds once all are warm: milliseconds at the percentiles, calls a second, and the
    server's CPU time for one call, which other programs on the machine change least.

    The connections are opened anew now and then: which of the server's processes takes one is chance.
    """
    before = at.cpu_seconds()
    times = sorted(one for _ in range(TIMES_OPENED) for one in _asked(at, call, seconds / TIMES_OPENED))
    if not times:
        raise RuntimeError(f"{call[1]} gave no answer")
    at_ = {f"p{p}": round(times[min(int(len(times) * p / 100), len(times) - 1)], 1) for p in (50, 95, 99)}
    cpu = 1000 * (at.cpu_seconds() - before) / (len(times) + WARM * THREADS * TIMES_OPENED)
    return {**at_, "calls/s": round(len(times) / seconds, 1), "cpu": round(cpu, 1)}


def _asked(at: Signed, call: Call, seconds: float) -> list[float]:
    """Milliseconds of the calls of four threads, each over one connection."""
    method, path, body = call
    found: list[list[float]] = [[] for _ in range(THREADS)]
    together = threading.Barrier(THREADS)

    def work(mine: list[float]) -> None:
        client = at.client(path)
        for _warm in range(WARM):
            client.ask(method, path, body)
        together.wait(120)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            status, text = client.ask(method, path, body)
            if status != 200:
                raise RuntimeError(f"{path} answered {status}: {text[:300]!r}")
            mine.append(1000 * (time.perf_counter() - start))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for mine in found for one in mine]


def both(here: Signed, there: Signed, call: Call, seconds: float) -> dict[str, float]:
    """The call of this code, and of the other checkout: a quarter of the time each, twice in turns."""
    turns = [measure(at, call, seconds / 4) for at in (here, there, here, there)]
    ours, theirs = ({k: (turns[i][k] + turns[i + 2][k]) / 2 for k in turns[i]} for i in (0, 1))
    found = {"cpu": ours["cpu"], "p50": ours["p50"], "p95": ours["p95"]}
    found |= {f"{name} beside": theirs[name] for name in ("cpu", "p50", "p95")}
    found = {name: round(value, 1) for name, value in found.items()}
    return found | {"cpu, times less": round(theirs["cpu"] / max(ours["cpu"], 0.1), 1)}


def ids_of(client: Client) -> dict[str, str]:
    """A product that sells, a customer who buys, a variant that wants a decision."""

    def first(path: str, rows: str) -> dict[str, Any]:
        status, body = client.ask("GET", f"/api/ml/{path}")
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {body[:300]!r}")
        found: dict[str, Any] = json.loads(body)[rows][0]
        return found

    return {
        "product": first("trending-products/", "recommendations")["product_id"],
        "customer": first("customer-segments/?ordering=-total_spent", "results")["customer_id"],
        "variant": first("inventory-alerts/?status=active", "results")["variant_id"],
    }


def main() -> None:
    """Fill, serve, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout, asked in turns (SQLite)")
    parser.add_argument("--write-readme", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trastienda-api-") as temporary, ExitStack() as servers:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/trastienda.sqlite3"
        other = _copy(folder, Path(temporary) / "beside", options) if options.beside else None
        server = Server(folder, database)
        server.fill(options.lines)
        here = Signed.at(servers.enter_context(server))
        there = Signed.at(servers.enter_context(other)) if other else None
        rows = {}
        for name, call in {**calls(ids_of(Client(here.port, here.token))), **PAGES}.items():
            turn = measure(here, call, options.seconds) if there is None else both(here, there, call, options.seconds)
            rows[name] = turn
            print(f"{name:<34}", rows[name], flush=True)
    kind = "Beside" if options.beside else "PostgreSQL" if database.startswith("postgres") else "SQLite"
    lines = table(rows)
    print("\n".join(lines))
    if options.write_readme:
        path = HERE / "README.md"
        text = re.sub(rf"(<!-- {kind} -->\n).*?(<!-- /{kind} -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2],
                      path.read_text(), flags=re.DOTALL)  # fmt: skip
        path.write_text(text)
    print(
        f"{kind}, {options.lines} lines, {THREADS} threads, Python {platform.python_version()}, load {os.getloadavg()}"
    )


def _copy(folder: Path, target: Path, options: argparse.Namespace) -> Server:
    """A server of the other checkout over a copy of the shop, which must be as that code knows it."""
    if not (folder / "trastienda.sqlite3").is_file():
        raise SystemExit(
            "--beside needs --folder with a shop that the other checkout has made: run its own run.py first"
        )
    shutil.copytree(folder, target)
    return Server(target, f"sqlite:///{target}/trastienda.sqlite3", options.beside.resolve())


def table(rows: dict[str, dict[str, float]]) -> list[str]:
    """The figures as Markdown."""
    columns = list(next(iter(rows.values())))
    milliseconds = [c for c in columns if c.split()[0] in ("cpu", "p50", "p95", "p99")]
    lines = [
        f"| call | {' | '.join(f'{c} ms' if c in milliseconds else c for c in columns)} |",
        f"|---|{'--:|' * len(columns)}",
    ]
    return lines + [f"| `{name}` | {' | '.join(f'{row[c]:g}' for c in columns)} |" for name, row in rows.items()]


if __name__ == "__main__":
    main()
