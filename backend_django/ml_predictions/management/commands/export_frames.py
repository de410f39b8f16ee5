"""`manage.py export_frames FOLDER`: the shop as Parquet files, which `sources.files.FileShop` reads."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from ml_predictions.messages import spoken
from ml_predictions.sources import get_source
from retail_ml.errors import RetailMLError


class Command(BaseCommand):
    """Write every table of the shop into a new folder."""

    help = "Write the shop's tables as Parquet files into a new folder: nothing of customers but ids and days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, and say how much."""
        from ml_predictions.sources.export import export

        try:
            rows = export(get_source(), options["folder"].absolute())
        except RetailMLError as error:
            raise CommandError(spoken(error)) from error
        for name, count in rows.items():
            self.stdout.write(f"{name}: {count}")
        self.stdout.write(_("Written to {folder}.").format(folder=options["folder"]))
