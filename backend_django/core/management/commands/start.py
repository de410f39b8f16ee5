"""`manage.py start`, which is `make run`: from nothing to a trained demo that is served, in one command."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from rich.console import Console
from rich.table import Table

from core.console import ADMIN_EMAIL, PASSWORD_FILE, ensure_admin, train_with_progress
from ml_predictions.jobs import end_with_parent
from ml_predictions.models import SERVICES, MLModel
from orders.models import Order
from products.models import Product

STOP_SECONDS = 15


class Command(BaseCommand):
    """Migrate, fill an empty database with the demo boutique, train what is missing, serve with a worker."""

    help = "Set up what is missing, then serve the API and admin with a worker until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--empty` for a shop of one's own, `--no-serve` for scripts that only want the set-up."""
        parser.add_argument("--empty", action="store_true", help="write no demo boutique into an empty database")
        parser.add_argument("--no-serve", action="store_true", help="set up and train, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        """All of it; Ctrl-C, SIGTERM or a closed terminal stop everything that it has started."""
        try:
            with _stoppable():
                self._start(options)
        except KeyboardInterrupt:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self.stderr.write("Stopped; the next start goes on from here.")
            sys.exit(128 + signal.SIGINT)

    def _start(self, options: dict[str, Any]) -> None:
        """One step after the other; each does nothing when there is nothing to do."""
        console = Console(highlight=False)
        if not options["no_serve"]:
            _require_free_port()
        call_command("migrate", verbosity=0)
        password, remark = ensure_admin()
        if remark:
            console.print(remark, style="yellow")
        _fill(console, demo=not options["empty"])
        in_service = set(MLModel.objects.filter(is_active=True).values_list("service", flat=True))
        missing = [service for service in SERVICES if service not in in_service]
        if missing and Order.objects.exists():
            console.print("[bold]Training …[/]")
            train_with_progress(missing, console=console, requested_by="make run")
        console.print(_summary(password))
        if not options["no_serve"]:
            Processes().serve()


def _fill(console: Console, *, demo: bool = True) -> None:
    """The demo boutique into an empty database, if it is wanted; one that was cut short half-way is finished."""
    from generate_ml_data import fill_demo, finish_demo

    if not Product.objects.exists() and not Order.objects.exists():
        if not demo:
            console.print("The database is empty: bring in your sales on the page Data.")
            return
        console.print("[bold]The database is empty: writing the demo boutique …[/] (EMPTY=1 make run leaves it empty)")
        fill_demo()
    elif finish_demo():
        console.print("The demo boutique had been cut short; now it is whole.")


@translation.override("en")  # as the rest of what it prints
def _summary(password: str | None) -> Table:
    address = f"http://localhost:{settings.PORT}"
    table = Table(title="Trastienda", show_header=False, title_justify="left")
    table.add_row("Dashboard", f"{address}/")
    table.add_row("Admin", f"{address}/admin/")
    table.add_row("API", f"{address}/api/docs/")
    table.add_row("Sign-in", ADMIN_EMAIL)
    if PASSWORD_FILE.exists():
        table.add_row("Password", f"{password or '(unchanged)'}   kept in {_shown(PASSWORD_FILE)}")
    else:
        table.add_row("Password", "the one of ADMIN_PASSWORD; `make admin` makes a new one")
    for model in MLModel.objects.filter(is_active=True).order_by("id"):
        table.add_row(str(model.get_service_display()), f"{model.model_type}, as of {model.as_of:%Y-%m-%d}")
    return table


def _shown(path: Any) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(os.getcwd()))
    return str(path)


def _require_free_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise CommandError(
                f"Port {settings.PORT} cannot be used ({error.strerror}). Is Trastienda running already? "
                "Choose another with PORT=8001 make run"
            ) from error


class Processes:
    """The web server and the worker; when one ends, or on Ctrl-C, both end."""

    def __init__(self) -> None:
        manage = str(settings.BASE_DIR / "manage.py")
        web = [sys.executable, "-m", "gunicorn", "--chdir", str(settings.BASE_DIR)]
        web += ["--config", str(settings.BASE_DIR / "core" / "web_server.py"), "core.wsgi"]
        os.environ.update(HOST=settings.HOST, PORT=str(settings.PORT))
        self.commands = {"web server": web, "worker": [sys.executable, manage, "ml_worker"]}

    def serve(self) -> None:
        """Start both and wait."""
        running: dict[str, subprocess.Popen[bytes]] = {}
        # They end with this process even when it is killed with -9.
        follow = partial(end_with_parent, os.getpid(), signal.SIGTERM)
        try:
            for name, command in self.commands.items():
                # Sessions of their own: Ctrl-C reaches this process alone, which ends them in order.
                running[name] = subprocess.Popen(command, start_new_session=True, preexec_fn=follow)  # noqa: PLW1509
            self._watch(running)
        except KeyboardInterrupt:
            with contextlib.suppress(OSError):  # the terminal may be gone
                sys.stderr.write("\nStopping …\n")
        finally:
            _stop(list(running.values()))

    @staticmethod
    def _watch(running: dict[str, subprocess.Popen[bytes]]) -> None:
        terminal = sys.stderr.isatty()
        while True:
            # `make` keeps a closed terminal's SIGHUP to itself when it is the terminal's first process.
            if terminal and not sys.stderr.isatty():
                raise KeyboardInterrupt("the terminal is gone")
            for name, process in running.items():
                if process.poll() is not None:
                    raise CommandError(f"The {name} ended with code {process.returncode}; its last lines say why.")
            time.sleep(0.5)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and a closed terminal (SIGHUP, unless `nohup` has it ignored) are a Ctrl-C."""
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(signum: int, _frame: Any) -> None:
    raise KeyboardInterrupt(f"signal {signum}")


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
