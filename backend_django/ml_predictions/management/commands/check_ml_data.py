"""`manage.py check_ml_data`: has the shop enough data for the four services, and which faults has it?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ml_predictions import selectors, selectors_quality
from ml_predictions.messages import message, render
from ml_predictions.messages.readable import example
from ml_predictions.models import Kind
from retail_ml.errors import FEWEST_SALES

COLOURS = {"recommended": "green", "sufficient": "green", "low_confidence": "yellow", "insufficient": "red"}


class Command(BaseCommand):
    """Prints verdicts per service, and the faults of the data; exit code 0 when every minimum is reached, else 1."""

    help = "Check whether the shop has enough data for the four services (exit code 0: yes, 1: no); name its faults."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table and end with its exit code."""
        found = selectors.requirements()
        table = Table(title=_("Data for the four services"))
        for heading in (_("Service"), _("Of what")):
            table.add_column(heading)
        for heading in (_("Minimum"), _("Recommended"), _("Found")):
            table.add_column(heading, justify="right")
        table.add_column(_("Verdict"), max_width=60)
        for need in found:
            counts = (number_format(n, force_grouping=True) for n in (need.minimum, need.recommended, need.have))
            verdict = f"[{COLOURS[need.verdict]}]{render(need.as_dict()['message'])}[/]"
            table.add_row(str(Kind(need.service).label), str(MEASURES[need.measure]()), *counts, verdict)
        console = Console(file=self.stdout, width=None if self.stdout.isatty() else 120)  # type: ignore[arg-type]
        console.print(table)
        console.print(render(message("edge.from_ten_sales", fewest=FEWEST_SALES)))
        self._faults(console)
        if not all(need.met for need in found):
            raise SystemExit(1)

    @staticmethod
    def _faults(console: Console) -> None:
        """One line per finding, with the first example."""
        quality = selectors_quality.data_quality()
        console.print()
        for one in quality["findings"]:
            first: dict[str, Any] = next(iter(one["examples"]), {})
            shown = example(first)
            console.print(f"· {render(one['message'])}" + (f" [dim]({escape(shown)})[/]" if shown else ""))
        console.print(render(quality["note"]))


MEASURES = {
    "orders": lambda: _("orders"),
    "products": lambda: _("products"),
    "customers": lambda: _("customers"),
    "variants": lambda: _("variants"),
}
