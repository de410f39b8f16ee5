"""`manage.py undo_import [NUMBER]`: take an import back, or list the imports."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

LAST = 20


class Command(BaseCommand):
    """Undo an import: what it made goes, what it changed is put back, what was changed since is kept and said."""

    help = "Undo an import by its number; without one the last imports are listed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("number", nargs="?", type=int, metavar="NUMBER")
        parser.add_argument("--dry-run", action="store_true", help="say what would be undone, write nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """List, or weigh, ask and undo."""
        from ingest import said, said_undo, turns
        from ingest.models import ImportRun
        from ingest.tasks import take_back
        from retail_ml.errors import RetailMLError

        if options["number"] is None:
            turns.settle()
            for run in ImportRun.objects.all()[:LAST]:
                self.stdout.write(
                    f"{run.pk:>6}  {run.created_at:%Y-%m-%d %H:%M}  {run.get_state_display():24} {run.file_name}"
                )
            return
        row = ImportRun.objects.filter(pk=options["number"]).first()
        if row is None:
            none = _("There is no import {number}; without a number the imports are listed.")
            raise CommandError(none.format(number=options["number"]))
        try:
            take_back(row, write=False)
            self._say(said_undo.console((row.undo or {})["weighed"], done=False))
            if options["dry_run"]:
                self.stdout.write(_("Dry run: nothing was undone."))
                return
            if not options["yes"] and not self._asked():
                raise CommandError(_("Nothing was undone."))
            take_back(row, write=True)
        except RetailMLError as error:
            raise CommandError(said_undo.refused(error.stored()) or said.on_console(error)) from error
        self._say(said_undo.console(row.undo or {}, done=True))
        self.stdout.write(_("Trained models still know of it: train the services again, on the page Training."))

    def _say(self, sentences: Any) -> None:
        for sentence in sentences:
            self.stdout.write(sentence)

    def _asked(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError(_("Nobody is there to ask; give --yes to undo it."))
        return input(_("Undo it? [y/N] ")).strip().lower() in ("y", "yes", "s", "sí", "si")
