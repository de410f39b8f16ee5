"""Trainings inside a test, and an owner who has decided nothing."""

from __future__ import annotations

import math
from typing import Any


def decided_nothing(monkeypatch: Any) -> None:
    """The owner has decided nothing, and no read of a setting asks the database: a count of queries is the source's."""
    from ml_predictions.models_owner import in_force

    monkeypatch.setattr(in_force, "values", {})
    monkeypatch.setattr(in_force, "until", math.inf)


class RecordingRun:
    """Stands for the training's row where a test needs none of the queue."""

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id
        self.steps: list[tuple[float, dict[str, Any]]] = []
        self.result: dict[str, Any] | None = None

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Remember the step."""
        self.steps.append((percent, step))

    def published(self, result: dict[str, Any]) -> None:
        """Remember the result."""
        self.result = result
