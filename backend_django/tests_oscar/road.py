"""The road once, with real processes: migrate, fill Oscar, train each service in a child, ask the API.

OSCAR_DATA=/empty/folder python road.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django


def main() -> None:
    """Walk it; any step that fails ends it with its reason."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()
    from django.core.management import call_command
    from fillers import OscarFiller

    from ml_predictions import jobs
    from ml_predictions.models import SERVICES
    from ml_predictions.testing.service_contract import (
        TRAININGS,
        Api,
        check_customers,
        check_forecast,
        check_inventory,
        check_recommendations,
    )
    from ml_predictions.testing.shops import boutique

    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        filler = OscarFiller(Path(folder))
        filler.fill(boutique(orders=120))
        for service in SERVICES:
            log = jobs.run_here(service, TRAININGS[service][1])
            assert log.status == "completed", (service, log.error)
            print(f"{service}: trained in a process of its own, {log.duration_seconds:.1f} s", flush=True)
        api = Api()
        check_forecast(api, filler.source())
        check_recommendations(api, filler)
        check_customers(api, filler)
        check_inventory(api, filler)
        assert api.get("dashboard-summary/")["summary"]["total_active_models"] == 4
    print("Oscar: migrated, filled, trained and asked.")


if __name__ == "__main__":
    main()
