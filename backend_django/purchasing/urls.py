"""Addresses of suppliers and purchase orders, under `/api/`."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from purchasing import views

app_name = "purchasing"

router = SimpleRouter(use_regex_path=False)
router.register("suppliers", views.Suppliers)
router.register("supplier-items", views.SupplierItems)
router.register("supplier-prices", views.SupplierPrices)
router.register("purchase-orders", views.PurchaseOrders)

urlpatterns = [path("", include(router.urls))]
