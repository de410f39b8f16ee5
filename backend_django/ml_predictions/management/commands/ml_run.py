"""`manage.py ml_run ID OWNER`: one training, in this process. Started by the worker, not by people."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ml_predictions.jobs import execute

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent dies: an orphan would train for nobody.

    Elsewhere the ownership of the row, checked at every step and before publishing, does it more slowly.
    """
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.environ.get("TRASTIENDA_PARENT")
    if parent and os.getppid() != int(parent):
        sys.exit("The worker that started this training is gone.")


class Command(BaseCommand):
    """Run one row of the queue that is already owned."""

    help = "Internal: run one training that a worker has taken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The row and its owner."""
        parser.add_argument("log_id", type=int)
        parser.add_argument("owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; how it ended stands in the row."""
        die_with_parent()
        execute(options["log_id"], options["owner"])
