"""What `import_products` and `import_stock` share: one file, one row per SKU, faults reported and kept."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext


class TableCommand(BaseCommand):
    """Read, write what can be read, report the rest; all in one transaction."""

    what: str
    """A value of `ImportRun.What`."""
    required: tuple[str, ...] = ()

    def fields(self) -> dict[str, str]:
        """The columns that the file may have, with their meaning."""
        raise NotImplementedError

    def write(self, table: Any) -> tuple[dict[str, Any], Any]:
        """Write the table's rows: counts by name, and the table with the faults that writing found."""
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column is a field"
        )
        parser.add_argument("--dry-run", action="store_true", help="read and report, write nothing")
        parser.add_argument("--errors", type=Path, metavar="FILE", help="write the rows that were left out to this CSV")
        parser.add_argument("--time-zone", default=settings.TIME_ZONE, help="of times without a zone")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, write, report; errors of the file as one sentence."""
        from ingest import said, tables
        from ingest.hints import another_layout, beside_the_demo
        from ingest.management.mapping import mapping, zone
        from retail_ml.errors import RetailMLError

        fields = self.fields()
        columns, at = mapping(options["map"], fields), zone(options["time_zone"])
        if options["errors"] and not options["errors"].parent.is_dir():
            raise CommandError(f"--errors: the folder {options['errors'].parent} does not exist")
        try:
            table = tables.read(options["file"], fields, self.required, columns=columns, zone=at)
            with self._noted(options) as run, transaction.atomic():
                counts, table = self.write(table)
                transaction.set_rollback(options["dry_run"])
                if run is not None:
                    run.counts = {name: asdict(done) for name, done in counts.items()}
                    run.report = {
                        "rows_read": table.rows.height + table.faults.height,
                        "rows_left_out": table.faults.height,
                    }
        except RetailMLError as error:
            hint = another_layout(error, options["file"], "", what=self.what)
            raise CommandError(said.on_console(error) + hint) from error
        if warning := beside_the_demo():
            self.stdout.write(self.style.WARNING(warning))
        for line in said.written(counts):
            self.stdout.write(line)
        if table.places:
            places = gettext("Stock of {n} place(s), added up: {names}")
            self.stdout.write(places.format(n=len(table.places), names=", ".join(table.places)))
        self._faults(table.faults, options["errors"])
        if options["dry_run"]:
            self.stdout.write(gettext("Dry run: nothing was written."))

    def _noted(self, options: dict[str, Any]) -> Any:
        from ingest.runs import on_console

        if options["dry_run"]:
            return nullcontext()
        return on_console(self.what, [options["file"]], time_zone=options["time_zone"])

    def _faults(self, faults: Any, errors: Path | None) -> None:
        from ingest import said

        self.stdout.write(gettext("Rows left out: {n}").format(n=said.number(faults.height)))
        for file, line, reason in faults.head(10).iter_rows():
            self.stdout.write(f"  {said.example(f'{file}, line {line}: {reason}')}")
        if faults.height > 10 and not errors:
            self.stdout.write(gettext("  … --errors FILE keeps them all"))
        if errors:
            faults.write_csv(errors)
