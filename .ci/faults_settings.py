"""Settings of the processes that `.ci/faults.py` starts and kills: short leases, and a training that stops where asked.

It is a real one as far as the machinery goes: it saves a real model file and publishes by `Service.publish`. In each of
its phases it writes `phase-NAME` into the data folder and waits a moment, in its first attempt only.
"""

import os
import resource
import time
from contextlib import contextmanager
from pathlib import Path

from core.settings import *  # noqa: F403
from core.settings import ML_PREDICTIONS, VAR

ML_PREDICTIONS = {
    **ML_PREDICTIONS,
    "LEASE_SECONDS": 3,
    "HEARTBEAT_SECONDS": 0.5,
    "POLL_SECONDS": 0.2,
    "RETRY_SECONDS": 0.3,
    "LIVE": "no",
    "KINDS": {
        "customer_segmentation": "faults_settings.train",
        **{f"quick_{number}": "faults_settings.quick" for number in range(8)},
    },
}
ALLOWED_HOSTS = ["127.0.0.1"]
SHORT = 1 << 20
"""Bytes that a file may have while the disk is `full`."""


def pause(name, run, seconds=1.5):
    """Say which phase this is, and stay in it for a moment."""
    from ml_predictions.models import MLTrainingLog

    attempt = MLTrainingLog.objects.get(pk=run.log_id).attempt
    marker = Path(VAR) / f"phase-{name}"
    if attempt == 1 and (Path(VAR) / f"stop-{name}").exists():
        marker.write_text(str(os.getpid()))
        time.sleep(seconds)


@contextmanager
def full_disk(full):
    """No file grows beyond SHORT: the kernel refuses to write on, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if full:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SHORT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def train(run, *, n_clusters=6):
    """Compute, save, publish."""
    from datetime import date

    import numpy as np

    from ml_predictions import artifacts
    from ml_predictions.messages import message
    from ml_predictions.services.base import Service, Version

    class Stepwise(Service):
        name = "customer_segmentation"

        def train(self, run, **parameters):
            raise NotImplementedError

        def put_in_service(self, model, content):
            super().put_in_service(model, content)
            pause("publishing", run)  # inside the transaction

    whole = artifacts._write_files

    def write_files(folder, content):
        found = whole(folder, content)
        pause("saving", run)  # written, and not yet renamed
        return found

    artifacts._write_files = write_files
    run.progress(10, message("served_newest"))
    pause("computing", run)
    content = artifacts.Content(arrays={"x": np.zeros(1 << 18)})
    version = Version(
        model_type="stepwise", content=content, metrics={}, receipt={}, as_of=date(2026, 6, 29),
        parameters={"n_clusters": n_clusters},
    )  # fmt: skip
    with full_disk((Path(VAR) / "disk-full").exists()):
        Stepwise().publish(run, [version])
    pause("published", run)


def quick(run):
    """Leave a line of who ran this, and when."""
    with open(Path(VAR) / "ran", "a") as file:
        file.write(f"{run.log_id} {run.owner}\n")
    time.sleep(0.2)
    run.published({})
