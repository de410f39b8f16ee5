"""`manage.py restore FILE`, which is `make restore FROM=FILE`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from core import backups


class Command(BaseCommand):
    """Bring a backup back."""

    help = "Bring back what `backup` has written; checked before anything is touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and `--replace`."""
        parser.add_argument("file", type=Path, help="the backup")
        parser.add_argument("--replace", action="store_true", help="replace the shop that is there")

    def handle(self, *args: Any, **options: Any) -> None:
        """Bring it back and say what to do next."""
        found = backups.restore(options["file"].absolute(), replace=options["replace"])
        self.stdout.write(f"Restored: the shop of {found.manifest['made']}.")
        if found.aside:
            self.stdout.write(f"The database that was here is kept as {found.aside}; delete it when all is well.")
        for key in found.keys_kept:
            self.stdout.write(f"The {key} of this machine differed and is kept as {key}.before-restore.")
        if found.to_erase:
            ids = ", ".join(map(str, found.to_erase))
            self.stderr.write(
                self.style.WARNING(
                    f"{len(found.to_erase)} customer(s) were erased after this backup and are back with it: {ids}. "
                    "Erase them again (DELETE /api/ml/customers/{id}/personal-data/)."
                )
            )
