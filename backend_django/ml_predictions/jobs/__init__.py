"""Trainings as rows: ask for one, take one, keep it alive, end it.

`rows` is everything that touches the row, `run` what happens inside the training's own process, `processes` the
parent that starts and watches it.
"""

from __future__ import annotations

from ml_predictions.jobs.processes import OnProgress, Worker, end_with_parent, follow, run_here
from ml_predictions.jobs.rows import (
    AlreadyRunning,
    NotRunning,
    cancel,
    claim,
    heartbeat,
    release,
    submit,
    wait,
    worker_alive,
)
from ml_predictions.jobs.run import Cancelled, LostRun, Run, execute

__all__ = [
    "AlreadyRunning",
    "Cancelled",
    "LostRun",
    "NotRunning",
    "OnProgress",
    "Run",
    "Worker",
    "cancel",
    "claim",
    "end_with_parent",
    "execute",
    "follow",
    "heartbeat",
    "release",
    "run_here",
    "submit",
    "wait",
    "worker_alive",
]
