"""What imports ask of the owner's settings."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from ml_predictions.models_owner import OwnerSettings, in_force
from orders.models import Order

pytestmark = pytest.mark.django_db


def test_an_import_takes_the_currency_that_the_owner_has_decided_on(tmp_path: Path) -> None:
    """On the page Settings, without any setting of the project."""
    OwnerSettings.objects.create(currency="CHF")
    in_force.forget()
    file = tmp_path / "a.csv"
    file.write_text("order,date,sku,quantity,price\n1,2026-01-02,A,1,10\n")
    call_command("import_sales", str(file), stdout=StringIO())
    assert Order.objects.get().currency == "CHF"
    out = StringIO()
    call_command("import_sales", str(file), currency="EUR", stdout=out, dry_run=True)
    assert "The shop's currency is CHF: orders in EUR are left out" in out.getvalue()
