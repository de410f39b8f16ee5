"""Every setting of this app with its default, unit and effect; override them in `settings.ML_PREDICTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils import timezone

DEFAULTS: dict[str, Any] = {
    # The shop: dotted path of a class with the reads of `sources.base.Source`.
    "SOURCE": "ml_predictions.sources.django_shop.DjangoShop",
    # Keyword arguments with which that class is made, such as {"folder": "/data/shop"} of `sources.files.FileShop`.
    "SOURCE_OPTIONS": {},
    # Who may use the API and the admin pages of this app: dotted path of a DRF permission class.
    "PERMISSION": "rest_framework.permissions.IsAdminUser",
    # The id under which the log has a request that failed: dotted path of a function without arguments.
    "REQUEST_ID": "ml_predictions.views.errors.new_id",
    # What the worker can run beside the trainings: kind → dotted path of a function (run, **parameters).
    "KINDS": {"erase": "ml_predictions.jobs.erasure.erase", "refresh": "ml_predictions.jobs.nightly.refresh"},
    # Steps of the nightly refresh beside this app's own (`jobs.nightly.STEPS`): name → dotted path of a function
    # without arguments that returns its figures.
    "NIGHTLY": {},
    # The same, done before this app's own steps: what brings new sales in.
    "NIGHTLY_FIRST": {},
    # Where personal data may stand: dotted path of a list of places (`services.erasure.places.Place`). Erasing a person
    # goes through all of them; a project adds its own tables and files to the list of this app.
    "PERSONAL_DATA": "ml_predictions.services.erasure.places.PLACES",
    # Days after which the backups that the owner makes are gone; None: not known. A certificate of erasure says it.
    "BACKUP_RETENTION_DAYS": None,
    # Where model files are kept: a folder that only this installation writes.
    "ARTIFACT_ROOT": Path("var/models"),
    # Keys that sign model files: the first signs, all verify (so a key can be rotated). Part of the backup.
    "ARTIFACT_KEYS": [],
    # Versions per service that are kept with their files: the one in service and the newest beside it, so many in all.
    "KEEP_VERSIONS": 5,
    # Days for which a version that was in service is kept whatever its age, so that one can go back to it.
    "KEEP_SERVED_DAYS": 7,
    # Share by which the error of a new version may exceed that of the one in service, on tests that both have passed,
    # before it is kept beside it instead of promoted. 0.05: 5 % of the error.
    "PROMOTION_TOLERANCE": 0.05,
    # Train the forecast again when the nightly refresh finds that the shop has changed (once a day at most)?
    "RETRAIN_ON_DRIFT": False,
    # Where the parts of a training are computed: dotted path of a `retail_ml.engine.Engine`, and what it is made with.
    # The numbers are the same wherever. `retail_ml.engine.Processes` with {"processes": 4}: processes of this machine;
    # `ml_predictions.engines.dask.DaskEngine` with {"address": "tcp://…:8786"}: a cluster (docs/how-to).
    "ENGINE": "retail_ml.engine.InProcess",
    "ENGINE_OPTIONS": {},
    # The shop's currency (ISO 4217): order lines in another are left out and counted. "": the one most orders have.
    "CURRENCY": "",
    # The shop's time zone: it decides where a business day begins and ends.
    "TIME_ZONE": "Europe/Madrid",
    # The country whose public holidays the shop knows (ISO 3166, "ES", or its English name), and its region or state
    # ("MD"). "": the country is guessed from the days on which the shop was closed.
    "COUNTRY": "",
    "REGION": "",
    # Order statuses that count as a sale.
    "SALE_STATUSES": ["delivered", "completed"],
    # Is the shop live (data until now) or an import that ends (data until its last sale)?
    # "yes", "no", or "auto": live when an order was placed in the last 7 days.
    "LIVE": "auto",
    # Seconds a running training may go without a heartbeat before another worker takes it over.
    "LEASE_SECONDS": 60,
    # Seconds between heartbeats.
    "HEARTBEAT_SECONDS": 5,
    # Times a training is tried when its process or its worker dies, before it is failed.
    "MAX_ATTEMPTS": 3,
    # Seconds before such a run is tried again; each further time twice as long, a quarter of an hour at most.
    "RETRY_SECONDS": 15,
    # Seconds after which a run is ended and failed, by kind; "default" for every kind that is not named.
    "TIMEOUTS": {"default": 3_600, "all": 4 * 3_600, "erase": 4 * 3_600},
    # Megabytes of memory a run may use before it is ended and failed. None: nine tenths of the machine's, or of what
    # its container may use; so that the run goes and not the database.
    "MEMORY_MB": None,
    # Seconds the worker sleeps when nothing waits.
    "POLL_SECONDS": 1.0,
    # Seconds a training call waits for the result, unless the request says `Prefer: wait=N`; and the most it may ask.
    "WAIT_DEFAULT": 25,
    "WAIT_MAX": 50,
    # Share of stock value that a year of holding costs.
    "HOLDING_RATE": 0.25,
    # What one line of a purchase order costs to place, receive and shelve, in the shop's currency.
    "ORDER_LINE_COST": 2.0,
    # Days between two looks at what to reorder.
    "REVIEW_DAYS": 7,
    # Lead time, in days, of a variant whose supplier states none.
    "DEFAULT_LEAD_TIME_DAYS": 14,
    # Share of cycles without a stock-out that safety stock aims at.
    "SERVICE_LEVEL": 0.95,
    # Rate a month at which a customer's future revenue is discounted.
    "VALUE_DISCOUNT": 0.01,
    # Share of NDCG@10 that recommendations may lose, on the shop's own last windows, so that what sells out before a
    # delivery could come is shown lower and overstock higher. 0: the stock only decides what can be shown at all.
    "STOCK_STEERING_LOSS": 0.01,
    # Alerts a day that are worth the owner's time: so many, by the money expected, make the digest; others are counted.
    "ALERTS_A_DAY": 20,
    # Seed of everything random in a training: the same data and seed give the same model.
    "SEED": 20_260_101,
}  # fmt: skip


OWNERS = frozenset({
    "COUNTRY", "REGION", "CURRENCY", "HOLDING_RATE", "ORDER_LINE_COST", "REVIEW_DAYS", "DEFAULT_LEAD_TIME_DAYS",
    "SERVICE_LEVEL", "ALERTS_A_DAY", "STOCK_STEERING_LOSS",
})  # fmt: skip
"""Settings that the owner may decide in the dashboard (`models_owner.OwnerSettings`); the owner's value wins."""


class Owner:
    """Where the owner's values are read. This layer knows no table: the app sets `read` when it is ready."""

    read: ClassVar[Callable[[], Mapping[str, Any]]] = dict


def get(name: str) -> Any:
    """The setting in force: the owner's, the project's or the default. Read at each call: tests can override it."""
    if name in OWNERS and (decided := Owner.read().get(name)) is not None:
        return decided
    return project(name)


def project(name: str) -> Any:
    """The setting without what the owner has decided: the project's own, else the default."""
    if name not in DEFAULTS:
        raise KeyError(f"ML_PREDICTIONS has no setting {name!r}; it has {', '.join(DEFAULTS)}")
    return getattr(django_settings, "ML_PREDICTIONS", {}).get(name, DEFAULTS[name])


def shop_today() -> date:
    """Today, in the shop's time zone."""
    return timezone.localdate(timezone=ZoneInfo(str(get("TIME_ZONE"))))
