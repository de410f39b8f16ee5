"""The sales forecast against its peers, and the project's own forecast as functions of one signature."""

from benchmarks.forecast.ours import forecast_products, forecast_total

__all__ = ["forecast_products", "forecast_total"]
