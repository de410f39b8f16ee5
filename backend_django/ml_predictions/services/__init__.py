"""The four services: each trains a version, keeps it, and answers from the one in service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from ml_predictions.services.base import Service
    from ml_predictions.sources.base import Source

CLASSES = {
    "sales_forecast": "ml_predictions.services.sales_forecast.SalesForecastService",
    "product_recommendation": "ml_predictions.services.product_recommendation.ProductRecommendationService",
    "customer_segmentation": "ml_predictions.services.customer_segmentation.CustomerSegmentationService",
    "inventory_optimization": "ml_predictions.services.inventory_optimization.InventoryOptimizationService",
}


def get_service(name: str, *, reads: Source | None = None) -> Service:
    """The service of this name, see `Service`. Imported when asked for: the numerical libraries are heavy."""
    service: Service = import_string(CLASSES[name])(reads=reads)
    return service
