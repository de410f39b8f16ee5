"""`manage.py backup FILE`, which is `make backup TO=FILE`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from core import backups


class Command(BaseCommand):
    """Write everything that a shop would miss into one file, while it goes on working."""

    help = "Write database, model files, keys and pictures of one moment into one file (.tar.gz)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file."""
        parser.add_argument("file", type=Path, help="a file that does not exist yet, outside the data folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it and say what is in it."""
        target: Path = options["file"].absolute()
        manifest = backups.make(target)
        megabytes = target.stat().st_size / 1e6
        self.stdout.write(f"{target}: {len(manifest['files'])} files, {megabytes:.1f} MB, of {manifest['made']}.")
        self.stdout.write("It holds customers and keys: keep it where only you can read it.")
