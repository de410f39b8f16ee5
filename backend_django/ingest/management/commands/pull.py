"""`manage.py pull`: bring in what is new in the WooCommerce shop of the settings."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Fetch and bring in; what came in stands on the page Data."""

    help = (
        "Bring in what is new in the WooCommerce shop of WOOCOMMERCE_URL, WOOCOMMERCE_KEY and WOOCOMMERCE_SECRET: "
        "products, stock, orders with their refunds. Only what was modified since the last pull is asked for."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Pull, and say what came in."""
        from ingest.models import ImportRun
        from ingest.pull import Here, pull
        from retail_ml.errors import RetailMLError

        last = ImportRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        try:
            pull(Here(), wait=0)
        except RetailMLError as error:
            raise CommandError(error.message) from error
        rows = ImportRun.objects.filter(pk__gt=last).order_by("pk")
        for row in rows:
            self.stdout.write(f"{row.file_name}, {row.get_what_display()}, until {row.options.get('until', '?')}")
            for name, one in (row.counts or {}).items():
                self.stdout.write(
                    f"  {name:10} {one['created']} new, {one['unchanged']} unchanged, {one['updated']} changed"
                )
        if not rows:
            self.stdout.write("Nothing new.")
