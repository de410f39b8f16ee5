"""This project's forecast, importable from anywhere: `from benchmarks.forecast import forecast_total`, or by path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend_django"))

from retail_ml.forecast.entrances import forecast_periods, forecast_products, forecast_total

__all__ = ["forecast_periods", "forecast_products", "forecast_total"]
