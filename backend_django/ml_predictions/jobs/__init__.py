"""Trainings as rows: ask for one, take one, keep it alive, end it.

`rows` is everything that touches the row, `run` what happens inside the training's own process, `processes` the
parent that starts and watches it.
"""

from __future__ import annotations

from ml_predictions.jobs.processes import OnProgress, Worker, end_with_parent, follow, run_here
from ml_predictions.jobs.rows import (
    AlreadyRunning,
    NotRetryable,
    NotRunning,
    Reaper,
    cancel,
    claim,
    heartbeat,
    release,
    retry,
    submit,
    wait,
)
from ml_predictions.jobs.run import Cancelled, LostRun, Run, execute

__all__ = [
    "AlreadyRunning",
    "Cancelled",
    "LostRun",
    "NotRetryable",
    "NotRunning",
    "OnProgress",
    "Reaper",
    "Run",
    "Worker",
    "cancel",
    "claim",
    "end_with_parent",
    "execute",
    "follow",
    "heartbeat",
    "release",
    "retry",
    "run_here",
    "submit",
    "wait",
]
