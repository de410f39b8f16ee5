"""Everything that is known of files of sales before anything is written: rows, tables, reconciliation, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from ingest import doctor, expected, report, sales
from ingest.presets import Preset
from ingest.rows import Options, Rows, read_rows


@dataclass(frozen=True)
class Asked:
    """What the owner says: findings to leave out, and the totals that they know."""

    leave_out: tuple[str, ...] = ()
    total: Decimal | None = None
    orders: int | None = None


@dataclass(frozen=True)
class Checkup:
    """What the files hold; `account` is of what would be stored."""

    rows: Rows
    sales: sales.Sales
    account: report.Reconciliation
    findings: list[doctor.Finding]
    explained: expected.Explained | None

    def told(self) -> dict[str, Any]:
        """Findings and explanation as JSON."""
        return {
            "findings": [asdict(one) for one in self.findings],
            "explained": asdict(self.explained) if self.explained else None,
        }


def examine(
    paths: Iterable[Path], preset: Preset, options: Options, *, source: str, asked: Asked, step: Callable[[], None]
) -> Checkup:
    """Read the files and look at them; writes nothing. `step` is called between reading and matching.

    Raises BadFile when a file cannot be read.
    """
    now = timezone.now()
    rows = read_rows(paths, preset, options)
    step()
    rows = doctor.leave_out(rows, asked.leave_out, zone=options.time_zone, now=now)
    findings = doctor.look(rows, zone=options.time_zone, currency=options.currency, now=now)
    built = sales.build(rows, preset, options, source=source)
    account = report.reconcile(rows, built, None)
    explained = expected.explain(account, built, findings, total=asked.total, orders=asked.orders)
    return Checkup(rows, built, account, findings, explained)
