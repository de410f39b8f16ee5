"""Settings of the processes in test_personal_data_processes: the first attempt of an erasure stops in its middle."""

from copy import deepcopy

from ml_predictions.tests.jobs.process_settings import *  # noqa: F403
from ml_predictions.tests.jobs.process_settings import DATABASES, ML_PREDICTIONS

DATABASES = deepcopy(DATABASES)  # the doctests read this module too: the suite's own settings stay as they are
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Some builds of SQLite overwrite what is deleted; here none does, so that the erasure has to see to it.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA secure_delete=OFF;"
ML_PREDICTIONS = {**ML_PREDICTIONS, "LIVE": "no", "KINDS": {"erase": "core.tests.process_settings.erase_slowly"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {"version": 1}


def erase_slowly(run, *, erasure: int) -> None:
    """Erase; the first attempt hangs after the model files and says which process it is."""
    import os
    import time

    from ml_predictions.jobs.erasure import erase
    from ml_predictions.services.erasure.steps import Erasure

    def hang(_self: Erasure) -> None:
        run.progress(71, {"code": "served_newest", "params": {"pid": os.getpid()}})
        time.sleep(300)

    if run.owner.endswith(":1"):
        Erasure.clean_places = hang
    erase(run, erasure=erasure)


def prepare() -> None:
    """A small shop, the person with all their traces, two versions of the segmentation, and a queued erasure."""
    from django.conf import settings
    from django.test.utils import setup_test_environment

    from authentication.models import User
    from conftest import RecordingRun, fill_shop
    from core.tests.erased_person import leave_traces
    from ml_predictions import actions
    from ml_predictions.jobs import erasure
    from ml_predictions.models import MLTrainingLog
    from ml_predictions.services import get_service

    setup_test_environment()
    fill_shop(orders=60, products=8, customers=10, days=200)
    admin = User.objects.create_superuser("ada@shop.test", "pass-word-1")
    user = leave_traces(admin, settings.DATA_FOLDER)
    MLTrainingLog.objects.all().delete()
    log = MLTrainingLog.objects.create(kind="customer_segmentation", status="completed")
    for _version in range(2):
        get_service("customer_segmentation").train(RecordingRun(log.pk))
    row = actions.request_erasure(str(user.pk), user=admin)
    log.delete()
    erasure.start(row, requested_by=str(admin))
