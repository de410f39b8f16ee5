"""`manage.py import_sales FILE… --preset …`: past orders from CSV, Parquet or XLSX into the shop."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext

# Polars' allocator keeps what it freed for a while; a million lines are read in steps whose leavings add up.
# It looks at this when it is loaded, which is later: everything here imports it where it is used.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")


class Command(BaseCommand):
    """Import past orders, and account for every row and cent."""

    help = (
        "Import past orders from CSV, Parquet or XLSX files. Running it again changes nothing. "
        "Past orders move no stock. Everything that is left out is reported with its reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options, each with its default."""
        from ingest.presets import PRESETS
        from ingest.rows import LEAVABLE

        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--preset", type=str.lower, choices=sorted(PRESETS), default="generic", help="the files' layout"
        )
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column is a field, such as "
            "--map placed_at='Order date'; may be given several times",
        )  # fmt: skip
        parser.add_argument("--mapping", type=Path, metavar="FILE", help="TOML or JSON that says all of it")
        parser.add_argument("--dry-run", action="store_true", help="read and report, write nothing")
        parser.add_argument("--errors", type=Path, metavar="FILE", help="write every row left out to this CSV")
        parser.add_argument("--time-zone", help="of times without a zone (default: the preset's, else the shop's)")
        parser.add_argument("--currency", help="where the file has none (default: the preset's, else the shop's)")
        parser.add_argument("--channel", help="where the file has none (default: the preset's)")
        parser.add_argument("--decimal", choices=("auto", "point", "comma"), default="auto")
        parser.add_argument("--date-order", choices=("auto", "dmy", "mdy"), default="auto")
        parser.add_argument(
            "--repeats", choices=("keep", "drop"), default="keep", help="rows that stand in their order more than once"
        )
        parser.add_argument("--source", help="the name under which customers' numbers are known (default: the preset)")
        known = parser.add_argument_group("what you know of the files")
        known.add_argument(
            "--expect-total",
            type=Decimal,
            metavar="MONEY",
            help="the shop's own total; what it differs by is explained",
        )
        known.add_argument("--expect-orders", type=int, metavar="N", help="how many orders the shop counts")
        known.add_argument(
            "--leave-out", action="append", default=[], choices=LEAVABLE, metavar="CODE",
            help=f"leave out the rows of a finding: {', '.join(LEAVABLE)}; may be given several times",
        )  # fmt: skip
        extra = parser.add_argument_group("what the files do not say; without the option the field stays empty")
        extra.add_argument("--cost-share", type=Decimal, metavar="SHARE", help="cost = this share of the median price")
        extra.add_argument("--supplier", metavar="NAME", help="one supplier for products without any")
        extra.add_argument("--lead-time-days", type=float, default=14.0, help="of that supplier (default: 14)")
        extra.add_argument("--lead-time-sd", type=float, default=4.0, help="its spread in days (default: 4)")
        extra.add_argument(
            "--category", choices=("none", "common-word"), default="none",
            help="common-word: the word of the name that most products share",
        )  # fmt: skip
        extra.add_argument("--opening-stock-days", type=int, default=0, metavar="N", help="stock for N days of demand")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, report, write; errors of the files as one sentence."""
        from ingest import said
        from ingest.hints import another_layout
        from retail_ml.errors import RetailMLError

        try:
            self._run(options)
        except RetailMLError as error:
            hint = another_layout(error, options["files"][0], options["preset"])
            raise CommandError(said.on_console(error) + hint) from error

    def _run(self, options: dict[str, Any]) -> None:
        from ingest import report, said, said_doctor, sales
        from ingest.checkup import examine
        from ingest.presets import PRESETS
        from ingest.runs import on_console

        preset = PRESETS[options["preset"]]
        if options["mapping"]:
            preset, options = _mapped(options)
        how = _reading(preset, options)
        assumed = _assumptions(options)
        errors = options["errors"]
        if errors and not errors.parent.is_dir():
            raise CommandError(f"--errors: the folder {errors.parent} does not exist")
        source = options["source"] or preset.name
        self._settings(how, assumed, source)
        found = examine(options["files"], preset, how, source=source, asked=_asked(options), step=lambda: None)
        rows, built, account = found.rows, found.sales, found.account
        self.stdout.write("")
        for sentence in said_doctor.console(found.told(), currency=how.currency):
            self.stdout.write(sentence)
        result, filled = None, {}
        if not options["dry_run"]:
            how_read = {"time_zone": how.time_zone, "currency": how.currency, "source": source}
            with on_console("sales", options["files"], preset=preset.name, **how_read) as run:
                result = _with_progress(built, source)
                filled = sales.assume(assumed, built)
                account = report.reconcile(rows, built, result)
                _kept(run, account, result.counts | filled, how, found)
        self.stdout.write("")
        for sentence in report.sentences(account, currency=how.currency, dry_run=options["dry_run"]):
            self.stdout.write(sentence)
        if errors:
            kept = report.write_errors(errors, built.rows, rows.parts)
            self.stdout.write(gettext("{n} rows left out are in {file}").format(n=said.number(kept), file=errors))
        if result:
            self._written(result.counts | filled)
        else:
            self.stdout.write(gettext("Dry run: nothing was written."))
        if not account.balanced:
            raise CommandError(
                gettext("the reconciliation does not balance; please report this with the figures above")
            )

    def _settings(self, how: Any, assumed: Any, source: str) -> None:
        from ingest.hints import beside_the_demo

        if warning := beside_the_demo():
            self.stdout.write(self.style.WARNING(warning))
        read = gettext("Time zone {zone}, currency {currency}, customers' numbers of {source}")
        self.stdout.write(read.format(zone=how.time_zone, currency=how.currency, source=source))
        shop = shop_currency()
        if shop and how.currency != shop:
            other = gettext(
                "The shop's currency is {shop}: orders in {other} are left out of every analysis. Set the shop's "
                "currency to {other} on the page Settings, or CURRENCY={other}."
            )
            self.stdout.write(self.style.WARNING(other.format(shop=shop, other=how.currency)))
        if how.time_zone != settings.TIME_ZONE:
            days = gettext(
                "The shop's own days are those of {own}; set TIME_ZONE={zone} to count days as these files do."
            )
            self.stdout.write(days.format(own=settings.TIME_ZONE, zone=how.time_zone))
        self.stdout.write(gettext("What the files do not say:"))
        for sentence in assumed.sentences():
            self.stdout.write(f"  {sentence}")

    def _written(self, written: dict[str, Any]) -> None:
        self.stdout.write("")
        from ingest import said

        for line in said.written(written):
            self.stdout.write(line)


def _mapped(options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The layout of the mapping file, and the options with its own where the command line says nothing."""
    from ingest import mapping_file

    told = mapping_file.read(options["mapping"], preset=options["preset"])
    unsaid = {name: value for name, value in told.options.items() if options[name] in (None, "auto", "keep")}
    columns = [f"{field}={header}" for field, header in told.columns.items()]
    return told.preset, options | unsaid | {"map": [*columns, *options["map"]]}


def shop_currency() -> str:
    """What the owner, else the project, has decided on; empty: neither."""
    from django.utils.module_loading import import_string

    return str(import_string(settings.IMPORT_CURRENCY)())


def _reading(preset: Any, options: dict[str, Any]) -> Any:
    from ingest.management.mapping import mapping, zone
    from ingest.presets.base import FIELDS
    from ingest.rows import Options

    at = zone(options["time_zone"] or preset.time_zone or settings.TIME_ZONE)
    currency = (options["currency"] or preset.currency or shop_currency() or "EUR").upper()
    if len(currency) != 3 or not currency.isalpha():
        raise CommandError(f"--currency {currency} is no currency; give three letters such as EUR")
    return Options(
        time_zone=at,
        currency=currency,
        channel=options["channel"] or preset.channel,
        columns=mapping(options["map"], (*FIELDS, *preset.extra)),
        decimal=options["decimal"],
        date_order=options["date_order"],
        repeats=options["repeats"],
    )


def _kept(run: Any, account: Any, counts: dict[str, Any], how: Any, found: Any) -> None:
    """The report goes into the import's row, as that of an import by the page."""
    from ingest.imports import told

    run.report = told(account) | found.told() | {"time_zone": how.time_zone, "currency": how.currency}
    run.counts = {name: asdict(one) for name, one in counts.items()}


def _asked(options: dict[str, Any]) -> Any:
    from ingest.checkup import Asked

    return Asked(tuple(options["leave_out"]), options["expect_total"], options["expect_orders"])


def _assumptions(options: dict[str, Any]) -> Any:
    from ingest.assume import Assumptions

    share = options["cost_share"]
    if share is not None and not 0 < share <= 1:
        raise CommandError(f"--cost-share {share}: give a share of the price above 0 and up to 1, such as 0.5")
    for name in ("opening_stock_days", "lead_time_days", "lead_time_sd"):
        if options[name] < 0:
            raise CommandError(f"--{name.replace('_', '-')} {options[name]}: give 0 or more")
    return Assumptions(
        cost_share=share,
        supplier=options["supplier"],
        lead_time_days=options["lead_time_days"],
        lead_time_sd=options["lead_time_sd"],
        category=options["category"],
        opening_stock_days=options["opening_stock_days"],
    )


def _with_progress(built: Any, source: str) -> Any:
    """Write, with a bar on the terminal; silent where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ingest import sales

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        sizes = {
            "products": built.catalogue.height,
            "customers": built.customers.height,
            "orders": built.orders.height,
            "returns": built.returns.height,
        }
        tasks = {name: bar.add_task(f"Writing {name}", total=size) for name, size in sizes.items()}
        return sales.write(built, source=source, progress=lambda name, rows: bar.advance(tasks[name], rows))
