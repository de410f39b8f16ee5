"""Addresses of the orders, under `/api/`."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from orders import views

app_name = "orders"

router = SimpleRouter(use_regex_path=False)
router.register("orders", views.Orders)

urlpatterns = [path("", include(router.urls))]
