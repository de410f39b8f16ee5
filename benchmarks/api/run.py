"""Ten reads of the API on a shop of a million order lines: percentiles as another process on loopback sees them.

    python benchmarks/api/run.py                                        # SQLite
    python .ci/with_postgres.py python benchmarks/api/run.py            # PostgreSQL
    python benchmarks/api/run.py --lines 100000 --seconds 2             # a quick look
    python benchmarks/api/run.py --folder /data/bench                   # keeps the shop, and takes it when it is there

Writes the synthetic shop, trains the four services, serves with gunicorn as `make run` does, and asks each call with
four threads over kept connections. `--write-readme` puts the table into README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BACKEND = HERE.parents[1] / "backend_django"
MANAGE = [sys.executable, str(BACKEND / "manage.py")]
THREADS = 4
EMAIL, PASSWORD = "admin@boutique.com", "benchmark-only-1"
Call = tuple[str, str, dict[str, Any] | None]


def calls(ids: dict[str, str]) -> dict[str, Call]:
    """The ten reads most used by a shop front, a dashboard and the owner's own programs: name → method, path, body."""
    product, customer, variant = ids["product"], ids["customer"], ids["variant"]
    return {
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


class Server:
    """gunicorn over the shop in `folder`."""

    def __init__(self, folder: Path, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.environment = {
            **os.environ, "TRASTIENDA_DATA": str(folder), "DATABASE_URL": database, "PORT": str(self.port),
            "ADMIN_PASSWORD": PASSWORD, "LOG_LEVEL": "WARNING", "API_RATE_ACCOUNT": "0", "API_RATE_ADDRESS": "0",
        }  # fmt: skip

    def command(self, *arguments: str) -> None:
        """One of the project's commands, to its end."""
        subprocess.run([*MANAGE, *arguments], env=self.environment, check=True)

    def fill(self, lines: int) -> None:
        """Tables, the shop, an administrator, the four services; what is there already is left."""
        self.command("migrate", "-v0")
        script = [sys.executable, str(BACKEND / "generate_ml_data.py"), "--lines", str(lines)]
        subprocess.run(script, env=self.environment, check=False)  # refuses when the shop is there
        self.command("start", "--no-serve")
        self.command("make_admin", "--reset")

    def __enter__(self) -> Server:
        web = [sys.executable, "-m", "gunicorn", "--chdir", str(BACKEND)]
        web += ["--config", str(BACKEND / "core" / "web_server.py"), "core.wsgi"]
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
    """One kept connection, signed in."""

    def __init__(self, port: int, token: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Status and body of one call."""
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def measure(port: int, token: str, call: Call, seconds: float) -> dict[str, float]:
    """Milliseconds at the percentiles, and calls a second, with four threads for so many seconds once all are warm."""
    method, path, body = call
    found: list[list[float]] = [[] for _ in range(THREADS)]
    together = threading.Barrier(THREADS)

    def work(mine: list[float]) -> None:
        client = Client(port, token)
        for _warm in range(3):
            client.ask(method, f"/api/ml/{path}", body)
        together.wait(120)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            status, text = client.ask(method, f"/api/ml/{path}", body)
            if status != 200:
                raise RuntimeError(f"{path} answered {status}: {text[:300]!r}")
            mine.append(1000 * (time.perf_counter() - start))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(one for mine in found for one in mine)
    if not times:
        raise RuntimeError(f"{path} gave no answer")
    at = {f"p{p}": round(times[min(int(len(times) * p / 100), len(times) - 1)], 1) for p in (50, 95, 99)}
    return {**at, "calls/s": round(len(times) / seconds, 1)}


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
    parser.add_argument("--write-readme", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trastienda-api-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/trastienda.sqlite3"
        server = Server(folder, database)
        server.fill(options.lines)
        with server:
            login = {"email": EMAIL, "password": PASSWORD}
            status, body = Client(server.port).ask("POST", "/api/auth/login/", login)
            if status != 200:
                raise RuntimeError(f"signing in answered {status}: {body[:300]!r}")
            token = json.loads(body)["access"]
            wanted = calls(ids_of(Client(server.port, token)))
            rows = {}
            for name, call in wanted.items():
                rows[name] = measure(server.port, token, call, options.seconds)
                print(f"{name:<34}", rows[name], flush=True)
    kind = "PostgreSQL" if database.startswith("postgres") else "SQLite"
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


def table(rows: dict[str, dict[str, float]]) -> list[str]:
    """The figures as Markdown."""
    columns = list(next(iter(rows.values())))
    lines = [
        f"| call | {' | '.join(f'{c} ms' if c[0] == 'p' else c for c in columns)} |",
        f"|---|{'--:|' * len(columns)}",
    ]
    return lines + [f"| `{name}` | {' | '.join(f'{row[c]:g}' for c in columns)} |" for name, row in rows.items()]


if __name__ == "__main__":
    main()
