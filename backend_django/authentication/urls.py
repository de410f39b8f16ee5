"""Addresses under `/api/`: signing in, and customers."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from authentication import views

app_name = "authentication"

router = SimpleRouter(use_regex_path=False)
router.register("customers", views.Customers, basename="customers")
router.register("service-keys", views.ServiceKeys)

urlpatterns = [
    path("auth/login/", views.LoginView.as_view(), name="login"),
    path("auth/refresh/", views.RefreshView.as_view(), name="refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/me/", views.MeView.as_view(), name="me"),
    path("auth/change-password/", views.ChangePasswordView.as_view(), name="change-password"),
    path("", include(router.urls)),
]
