"""Settings of the processes in test_processes: short leases, two attempts, a training that never ends."""

from core.settings import *  # noqa: F403
from core.settings import ML_PREDICTIONS

ML_PREDICTIONS = {
    **ML_PREDICTIONS,
    "LEASE_SECONDS": 3,
    "HEARTBEAT_SECONDS": 0.5,
    "MAX_ATTEMPTS": 2,
    "POLL_SECONDS": 0.2,
    "KINDS": {"endless": "ml_predictions.tests.jobs.process_settings.endless"},
}


def endless(run) -> None:
    """Say which process this is, again and again."""
    import os
    import time

    while True:
        run.progress(1, {"code": "served_newest", "params": {"pid": os.getpid()}})
        time.sleep(0.1)
