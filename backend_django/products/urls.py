"""Addresses of the catalogue, under `/api/`."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from products import views

app_name = "products"

router = SimpleRouter(use_regex_path=False)
router.register("categories", views.Categories)
router.register("products", views.Products)
router.register("variants", views.Variants)
router.register("stock-movements", views.StockMovements)

urlpatterns = [path("", include(router.urls))]
