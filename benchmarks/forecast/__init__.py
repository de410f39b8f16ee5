"""The sales forecast against its peers, and the project's own forecast as functions of one signature."""

from benchmarks.forecast.ours import forecast_periods, forecast_products, forecast_total

__all__ = ["forecast_periods", "forecast_products", "forecast_total"]
