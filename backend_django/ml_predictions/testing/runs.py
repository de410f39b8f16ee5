"""Trainings inside a test."""

from __future__ import annotations

from typing import Any


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
