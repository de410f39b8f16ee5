"""Settings of the processes in test_processes: short leases, two attempts, a training that never ends."""

import os

from core.settings import *  # noqa: F403
from core.settings import DATABASES, ML_PREDICTIONS

if seconds := os.environ.get("TEST_BUSY_SECONDS"):
    DATABASES["default"]["OPTIONS"]["timeout"] = float(seconds)

ML_PREDICTIONS = {
    **ML_PREDICTIONS,
    "LEASE_SECONDS": 3,
    "HEARTBEAT_SECONDS": 0.5,
    "MAX_ATTEMPTS": 2,
    "POLL_SECONDS": 0.2,
    "RETRY_SECONDS": 0.3,
    "MEMORY_MB": 700,
    "KINDS": {name: f"ml_predictions.tests.jobs.process_settings.{name}" for name in ("endless", "brief", "hungry")},
}


def endless(run) -> None:
    """Say which process this is, again and again."""
    import time

    while True:
        run.progress(1, {"code": "served_newest", "params": {"pid": os.getpid()}})
        time.sleep(0.1)


def brief(run) -> None:
    """End well, soon."""
    import time

    run.progress(1, {"code": "served_newest", "params": {"pid": os.getpid()}})
    time.sleep(3)
    run.published({"pid": os.getpid()})


def hungry(run) -> None:
    """Take ever more memory."""
    import time

    eaten = []
    while True:
        eaten.append(b"x" * 2**26)
        time.sleep(0.1)
