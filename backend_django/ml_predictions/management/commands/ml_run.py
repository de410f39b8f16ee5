"""`manage.py ml_run ID OWNER`: one training, in this process. Started by the worker, not by people."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ml_predictions.jobs import end_with_parent, execute


class Command(BaseCommand):
    """Run one row of the queue that is already owned."""

    help = "Internal: run one training that a worker has taken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The row and its owner."""
        parser.add_argument("log_id", type=int)
        parser.add_argument("owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; how it ended stands in the row."""
        if parent := os.environ.get("TRASTIENDA_PARENT"):  # an orphan would train for nobody
            end_with_parent(int(parent))
        execute(options["log_id"], options["owner"])
