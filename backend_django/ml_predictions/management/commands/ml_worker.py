"""`manage.py ml_worker`: runs the trainings that wait."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ml_predictions.jobs import Worker


class Command(BaseCommand):
    """Take waiting trainings one after the other, each in a process of its own, until stopped."""

    help = "Run the trainings that wait in the queue, until stopped (Ctrl-C puts the one in hand back)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--once` for cron."""
        parser.add_argument("--once", action="store_true", help="end when nothing waits any more")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work."""
        Worker().run(once=options["once"])
