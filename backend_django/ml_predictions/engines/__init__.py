"""Where the parts of trainings are computed: the engine chosen by `ML_PREDICTIONS["ENGINE"]`."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

from ml_predictions import conf


def get_engine() -> Any:
    """The engine of this installation (`retail_ml.engine.Engine`), not started yet."""
    return import_string(conf.get("ENGINE"))(**conf.get("ENGINE_OPTIONS"))
