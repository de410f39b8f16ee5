"""Every address of the machine learning, under `/api/ml/`."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from ml_predictions.views import (
    asking,
    calendar_events,
    customers,
    erasure,
    inventory,
    ordering,
    recommendation_rules,
    recommending,
    records,
    schedule,
    training,
)

app_name = "ml"

router = SimpleRouter(use_regex_path=False)
router.register("models", records.Models, basename="models")
router.register("predictions", records.Predictions, basename="predictions")
router.register("sales-forecasts", records.SalesForecasts, basename="sales-forecasts")
router.register("inventory-alerts", inventory.InventoryAlerts, basename="inventory-alerts")
router.register("calendar-events", calendar_events.CalendarEvents, basename="calendar-events")
router.register("customer-segments", customers.CustomerSegments, basename="customer-segments")
router.register("recommendation-rules", recommendation_rules.RecommendationRules, basename="recommendation-rules")
router.register("training-logs", records.TrainingLogs, basename="training-logs")
router.register("personal-data-erasures", erasure.Erasures, basename="personal-data-erasures")

urlpatterns = [
    path("train-sales-forecast/", training.TrainSalesForecast.as_view()),
    path("train-product-recommendation/", training.TrainProductRecommendation.as_view()),
    path("train-customer-segmentation/", training.TrainCustomerSegmentation.as_view()),
    path("train-inventory-optimization/", training.TrainInventoryOptimization.as_view()),
    path("train-all/", training.TrainAll.as_view()),
    path("predict-sales/", asking.PredictSales.as_view()),
    path("forecast-accuracy/", asking.ForecastAccuracy.as_view()),
    path("product-recommendations/", recommending.ManyProductRecommendations.as_view()),
    path("product-recommendations/export/", recommending.ExportedRecommendations.as_view()),
    path("product-recommendations/<str:product_id>/", recommending.ProductRecommendations.as_view()),
    path("product-recommendations/<str:product_id>/customers/", recommending.ProductCustomers.as_view()),
    path("similar-products/<str:product_id>/", recommending.SimilarProducts.as_view()),
    path("bought-together/<str:product_id>/", recommending.BoughtTogether.as_view()),
    path("customer-recommendations/<str:customer_id>/", recommending.CustomerRecommendations.as_view()),
    path("basket-recommendations/", recommending.BasketRecommendations.as_view()),
    path("trending-products/", recommending.TrendingProducts.as_view()),
    path("customer-segment/<str:customer_id>/", customers.OneCustomer.as_view()),
    path("customers/<str:customer_id>/personal-data/", erasure.PersonalData.as_view()),
    path("inventory-analysis/", inventory.InventoryAnalysis.as_view()),
    path("reorder-recommendations/", ordering.ReorderRecommendations.as_view()),
    path("reorder-recommendations/draft/", ordering.DraftOrders.as_view()),
    path("reorder-recommendations/export/", ordering.ExportedReorder.as_view()),
    path("inventory-health/", inventory.InventoryHealth.as_view()),
    path("inventory-analysis/<str:variant_id>/", inventory.OneVariant.as_view()),
    path("slow-moving-products/", inventory.SlowMovingProducts.as_view()),
    path("inventory-simulation/", inventory.InventorySimulation.as_view()),
    path("inventory-value/", inventory.InventoryValue.as_view()),
    path("dashboard-summary/", asking.DashboardSummary.as_view()),
    path("schedule/", schedule.ScheduleCall.as_view()),
    path("data-quality/", asking.DataQuality.as_view()),
    path("data-requirements/", asking.DataRequirements.as_view()),
    path("", include(router.urls)),
]
