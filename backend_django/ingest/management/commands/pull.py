"""`manage.py pull`: bring in what is new in the WooCommerce shop of the settings."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext


class Command(BaseCommand):
    """Fetch and bring in; what came in stands on the page Data."""

    help = (
        "Bring in what is new in the WooCommerce shop of WOOCOMMERCE_URL, WOOCOMMERCE_KEY and WOOCOMMERCE_SECRET: "
        "products, stock, orders with their refunds. Only what was modified since the last pull is asked for."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Pull, and say what came in."""
        from ingest import said
        from ingest.counts import Counts
        from ingest.pull import Here, bring_in
        from retail_ml.errors import RetailMLError

        try:
            rows = bring_in(Here(), wait=0)
        except RetailMLError as error:
            raise CommandError(said.on_console(error)) from error
        for row in rows:
            until = gettext("until {time}").format(time=row.options.get("until", "?"))
            self.stdout.write(f"{row.file_name}, {row.get_what_display()}, {until}")
            for line in said.written({name: Counts(**one) for name, one in (row.counts or {}).items()}):
                self.stdout.write(f"  {line}")
        if not rows:
            self.stdout.write(gettext("Nothing new."))
