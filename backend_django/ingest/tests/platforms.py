"""What the tests of the platforms' layouts share."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from authentication.models import User
from ingest import report, rows, sales
from ingest.errors import BadFile
from ingest.presets import PRESETS
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant

GOLDEN = Path(__file__).parent / "golden"


def run(*files: Path, preset: str, **options: Any) -> str:
    """What `import_sales` prints."""
    out = StringIO()
    options = {"time_zone": "Europe/Madrid", "currency": "EUR"} | options
    call_command("import_sales", *map(str, files), preset=preset, stdout=out, **options)
    return out.getvalue()


def account(*files: Path, preset: str, write: bool = True) -> report.Reconciliation:
    """Bring the files in; the reconciliation."""
    layout, how = PRESETS[preset], rows.Options("Europe/Madrid", "EUR", PRESETS[preset].channel)
    read = rows.read_rows(files, layout, how)
    built = sales.build(read, layout, how, source=preset)
    result = sales.write(built, source=preset, progress=lambda *_: None) if write else None
    return report.reconcile(read, built, result)


def tried(*files: Path, preset: str) -> tuple[report.Reconciliation | None, str]:
    """The reconciliation; or, where a file cannot be read as a whole, None and why."""
    try:
        return account(*files, preset=preset), ""
    except BadFile as error:
        return None, error.message


def whole_or_nothing(path: Path, *, preset: str, named: str, part: str) -> None:
    """A damaged file is refused by its name and leaves nothing, or comes in with every cent told, and only once.

    `named` is in the refusal; `part` ends the name of the file in each example of what is left out.
    """
    found, problem = tried(path, preset=preset)
    if found is None:
        assert named in problem
        assert not Order.objects.exists()
        return
    assert found.balanced
    assert all(f"{part}, line " in example for group in found.left_out for example in group.examples)
    before = stored()
    account(path, preset=preset)
    assert stored() == before


def empty_shop() -> None:
    """Delete what imports make."""
    for model in (Order, Product, User):
        model.objects.all().delete()


def stored() -> list[list[tuple[Any, ...]]]:
    """All that an import writes, but the moments of writing."""
    return [
        list(Order.objects.order_by("pk").values_list("pk", "order_number", "status", "total", "updated_at")),
        list(OrderItem.objects.order_by("pk").values_list()),
        list(OrderReturn.objects.order_by("pk").values_list()),
        list(ProductVariant.objects.order_by("pk").values_list()),
        list(User.objects.order_by("pk").values_list("pk", "external_id", "email")),
    ]


def cells(path: Path) -> list[list[str]]:
    """The cells of a CSV, its header first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write_cells(path: Path, table: list[list[str]]) -> Path:
    """A CSV of these cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)
    return path


def reasons(found: report.Reconciliation) -> dict[str, tuple[int, int]]:
    """Reason → rows and cents that are left out."""
    return {one.reason: (one.rows, one.cents) for one in found.left_out}
